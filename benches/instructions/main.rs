//! A guard against a pure core that got twice as slow: its instructions, counted by callgrind, against `counts.txt`.
//!
//! Counts are no times: they are the same on a busy machine, so they may be held to. They are of the profile that
//! tests are built in; the band is wide, because a compiler or another processor's `memcpy` moves them a little.
//! Part of `cargo test`. When a change is meant:
//!
//! ```sh
//! cargo test --bench instructions -- --record
//! ```

#![expect(clippy::unwrap_used, clippy::panic, reason = "a guard that cannot set itself up fails")]
#![expect(clippy::print_stdout, reason = "it reports on standard output")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;

use alloy_primitives::{Address, B256, U256};
use chain_config::{Registry, amount};
use tollgate::chain::proof::{self, ProofRules};
use tollgate::config::{Provider, Secret};
use tollgate::forward::signing::Signer;
use tollgate::model::{EventId, PaymentReference, WebhookId};
use tollgate::provider::{example, interpret};
use tollgate::verify::matcher::{Evidence, Outcome, Query, Rail, Reference, Wanted, reference_topic, search};

use subjects::{PROVIDERS, SECRET, block, now, receipt, signed, source};

#[path = "../pure/subjects.rs"]
mod subjects;

/// A count may grow by this much, in percent, before the guard fails.
const BAND_PERCENT: u64 = 50;

/// Bytes of the bodies that are signed and verified.
const BODY_BYTES: usize = 2_048;

/// Something that is done over and over.
type Work = Box<dyn FnMut()>;

/// What is counted: its name, how many calls, and how it is made.
struct Subject {
    name: String,
    calls: u64,
    make: Box<dyn FnOnce() -> Work>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some([name, calls]) = arguments.strip_prefix(&["--subject".to_owned()]) {
        let subject = subjects().into_iter().find(|subject| subject.name == *name).unwrap();
        let mut work = (subject.make)();
        return (0..calls.parse().unwrap()).for_each(|_| work());
    }
    // What the test runner passes on: a list, a filter for other tests, or a run as a bench, in another profile.
    let filtered = arguments.iter().any(|argument| !argument.starts_with('-') && !"instructions".contains(argument));
    if filtered || arguments.iter().any(|argument| argument == "--list" || argument == "--bench") {
        return;
    }
    let counted: BTreeMap<String, u64> =
        subjects().iter().map(|subject| (subject.name.clone(), count(subject))).collect();
    if arguments.iter().any(|argument| argument == "--record") {
        let mut text = String::new();
        counted.iter().for_each(|(name, count)| writeln!(text, "{name} {count}").unwrap());
        return std::fs::write(file(), text).unwrap();
    }
    let failures = compare(&recorded(), &counted);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions/counts.txt")
}

fn recorded() -> BTreeMap<String, u64> {
    let text = std::fs::read_to_string(file()).unwrap();
    let parse = |line: &str| line.split_once(' ').map(|(name, count)| (name.to_owned(), count.parse().unwrap()));
    text.lines().filter_map(parse).collect()
}

/// Prints both, and says what is over the band or not recorded.
fn compare(recorded: &BTreeMap<String, u64>, counted: &BTreeMap<String, u64>) -> Vec<String> {
    let mut failures = Vec::new();
    println!("instructions a call, recorded and now");
    for (name, now) in counted {
        let Some(before) = recorded.get(name) else {
            failures.push(format!("{name} is not recorded: cargo test --bench instructions -- --record"));
            continue;
        };
        println!("  {name:<28} {before:>10} {now:>10}");
        if *now > before + before * BAND_PERCENT / 100 {
            failures.push(format!("{name} takes {now} instructions a call, and took {before}"));
        }
    }
    failures
}

/// Instructions of one call: of many calls less those of one, so that making the subject does not count.
fn count(subject: &Subject) -> u64 {
    (run(&subject.name, subject.calls + 1) - run(&subject.name, 1)) / subject.calls
}

fn run(name: &str, calls: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args(["--subject", name, &calls.to_string()])
        .output()
        .unwrap_or_else(|error| panic!("valgrind does not start ({error}): run scripts/bootstrap parts"));
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected :")).map(|(_, count)| count.trim());
    collected.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("valgrind counted nothing: {said}"))
}

fn subjects() -> Vec<Subject> {
    let mut all = Vec::new();
    for provider in PROVIDERS {
        let (verified, interpreted) = (provider.clone(), provider.clone());
        all.push(subject(format!("verify/{}", provider.name()), 20, move || verify(&verified)));
        all.push(subject(format!("interpret/{}", provider.name()), 10, move || interpretation(&interpreted)));
    }
    all.push(subject("amount", 50, amounts));
    all.push(subject("search/10-logs", 20, found));
    all.push(subject("prove/4-receipts", 1, proven));
    all.push(subject("sign", 20, signature));
    all
}

fn subject(name: impl Into<String>, calls: u64, make: impl FnOnce() -> Work + 'static) -> Subject {
    Subject { name: name.into(), calls, make: Box::new(make) }
}

fn verify(provider: &Provider) -> Work {
    let (verifier, headers, body) = signed(provider, BODY_BYTES);
    Box::new(move || assert!(verifier.verify(&headers, black_box(&body), now()).is_ok()))
}

fn interpretation(provider: &Provider) -> Work {
    let source = source(provider);
    let name = example::types(provider).into_iter().next().unwrap();
    let body = example::example(provider, name).unwrap().to_string();
    Box::new(move || drop(black_box(interpret(&source, &[], black_box(body.as_bytes())))))
}

fn amounts() -> Work {
    Box::new(|| assert!(amount::parse(black_box("1234.567890"), 6).is_ok()))
}

fn found() -> Work {
    let registry = Registry::builtin().unwrap();
    let chain = registry.chain("base").unwrap().clone();
    let token = chain.token_named("USDC").unwrap().address;
    let proxy = *chain.contracts.erc20_fee_proxy.first().unwrap();
    let to = Address::repeat_byte(0x42);
    let reference: PaymentReference = "0x2c3366941274c34c".parse().unwrap();
    let logs = receipt(8, token, proxy, to, reference_topic(&reference));
    let wanted = [Wanted { way: 0, token: Some(token), recipients: vec![to] }];
    Box::new(move || {
        let rail = Rail::Reference(Reference::of(&reference));
        let query =
            Query { contracts: &chain.contracts, tokens: &chain.tokens, wanted: &wanted, rail, trace: chain.trace };
        assert!(matches!(search(&query, &Evidence::of_logs(black_box(&logs))), Outcome::Found(_)));
    })
}

fn proven() -> Work {
    let rules = ProofRules::default();
    let (raw, header) = block(4);
    let tx_hash = B256::from(U256::from(2));
    Box::new(move || {
        let block = proof::block_receipts(black_box(&raw), &header, &rules).unwrap().unwrap();
        assert!(block.receipt(&tx_hash).is_some());
    })
}

fn signature() -> Work {
    let signer = Signer::new(&[Secret::new(SECRET.to_owned())]).unwrap();
    let id = WebhookId { event: EventId(uuid::Uuid::from_u128(7)), state_version: 1 };
    let body = vec![b'7'; BODY_BYTES];
    Box::new(move || drop(black_box(signer.headers(id, now(), black_box(&body)).unwrap())))
}
