//! Kill -9 under load: everything that was acknowledged is there, whole, and the chain holds.
//!
//! The test runs itself again as a child that appends deliveries from many tasks and decisions from another, prunes some
//! of the deliveries meanwhile, and prints what was answered. The parent kills it after a random number of answers, opens the log and compares. The
//! page cache survives a kill, so this proves recovery and the order of writing and answering, not the fsync itself;
//! that every commit is a sync of the write-ahead log is counted in the crate's unit tests.
//!
//! `EVIDENCE_CRASH_ROUNDS` runs more than a few rounds.

#![expect(clippy::expect_used, reason = "all of this is a test; clippy knows only the functions marked as one")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use bytes::Bytes;
use evidence_store::{Decision, DecisionId, Delivery, Entry, Facts, Options, SignatureRecord, Store, Stored};
use tokio::task::JoinSet;
use uuid::Uuid;

const FOLDER: &str = "EVIDENCE_CRASH_FOLDER";
const ROUND: &str = "EVIDENCE_CRASH_ROUND";
const ROUNDS: &str = "EVIDENCE_CRASH_ROUNDS";
const ROUNDS_DEFAULT: u32 = 4;
/// Tasks that append at the same time.
const LOAD: u32 = 64;
const ACKS_MAX: u128 = 3000;
const READ_RECORDS: usize = 1000;
/// One of so many deliveries is pruned.
const PRUNED_OF: u64 = 50;
/// Decisions of one commit.
const DECISIONS: u64 = 5;
const LEDGER: Uuid = Uuid::from_u128(7);

#[expect(clippy::disallowed_methods, reason = "how a test process tells its child what to do")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn open(folder: &Path) -> Store {
    let options = Options {
        path: folder.to_owned(),
        reserve_bytes: 0,
        rejected_max_bytes: 1024 * 1024,
        repeats_max: 64,
        observer: None,
    };
    Store::open(options).expect("opens after a kill")
}

/// Everything about a delivery follows from its number, so that the parent knows it without being told.
fn delivery(number: u64) -> Delivery {
    let pattern = [number.to_be_bytes().as_slice(), b"\x00\xff{}"].concat();
    let length = usize::try_from(number.wrapping_mul(0x9e37_79b9) % 6000).expect("small");
    let body: Bytes = pattern.iter().copied().cycle().take(length + 8).collect::<Vec<u8>>().into();
    Delivery {
        id: Uuid::from_u128(0x019a_9f1e_7c00_7000_8000_0000_0000_0000 + u128::from(number)),
        source: "rn-main".to_owned(),
        request_id: format!("req_{number}"),
        peer: "203.0.113.7".to_owned(),
        method: "POST".to_owned(),
        target: "/hooks/rn".to_owned(),
        http_version: "HTTP/1.1".to_owned(),
        received_us: i64::try_from(number).expect("small"),
        headers: vec![(Bytes::from_static(b"x-number"), Bytes::copy_from_slice(&number.to_le_bytes()))],
        body_sha256: <sha2::Sha256 as sha2::Digest>::digest(&body).into(),
        body,
        signature: SignatureRecord { scheme: "test".to_owned(), secret_name: "a".to_owned(), signed_at: None },
        admitted_from: None,
    }
}

fn decision(epoch: u32, number: u64) -> Decision {
    Decision {
        id: DecisionId { ledger_id: LEDGER, epoch, table: DecisionId::TRACE, number },
        at_us: i64::try_from(number).expect("small"),
        event_id: Some(Uuid::from_u128(u128::from(number % 7))),
        kind: "decided".to_owned(),
        body: Bytes::from(format!("{{\"number\":{number}}}")),
    }
}

/// What a child said.
#[derive(Default)]
struct Said {
    acknowledged: BTreeSet<u64>,
    pruned: BTreeSet<u64>,
    /// The last decision of the round.
    decided: u64,
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let rounds = variable(ROUNDS).and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS_DEFAULT);
    let folder = tempfile::tempdir().expect("a folder");
    let mut all = Said::default();
    for round in 0..rounds {
        // The low bits of a UUIDv7 are random.
        let kill_after = usize::try_from((Uuid::now_v7().as_u128() & 0xffff_ffff) % ACKS_MAX).expect("small");
        let said = killed_after(folder.path(), round, kill_after);
        all.acknowledged.extend(said.acknowledged);
        all.pruned.extend(said.pruned);

        let store = open(folder.path());
        for number in &all.acknowledged {
            let found = store.delivery(delivery(*number).id).expect("reads");
            let found =
                found.unwrap_or_else(|| panic!("round {round}: delivery {number} was acknowledged and is gone"));
            match found.entry {
                Entry::Delivery(found) => {
                    assert!(!all.pruned.contains(number), "round {round}: {number} came back");
                    assert_eq!(found, delivery(*number), "round {round}");
                }
                // Pruned before the kill, or in the commit whose answer the kill cut off.
                Entry::Stub(stub) => assert_eq!(stub.body_sha256, delivery(*number).body_sha256, "round {round}"),
                Entry::Decision(_) => panic!("round {round}: {number} is a decision"),
            }
        }
        let decided = store.last_decision(LEDGER, round, DecisionId::TRACE).expect("reads").unwrap_or(0);
        assert!(said.decided <= decided, "round {round}: decision {} was acknowledged and is gone", said.decided);
        assert_eq!(decided % DECISIONS, 0, "round {round}: a list of decisions is there whole or not at all");
        let stored = chain(&store);
        assert!(all.acknowledged.is_subset(&stored), "round {round}");
        store.reclaim().expect("what the kill left half done is done");
    }
}

/// Runs a child until it has answered `kill_after` appends; what it answered, the last ones included.
fn killed_after(folder: &Path, round: u32, kill_after: usize) -> Said {
    let mut child = Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", "child_that_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    let mut said = Said::default();
    let mut line = String::new();
    let mut alive = true;
    while output.read_line(&mut line).expect("reads") != 0 {
        // A line without its end was not said.
        if let Some((what, number)) = line.strip_suffix('\n').and_then(|line| line.split_once(' ')) {
            match (what, number.parse()) {
                ("acknowledged", Ok(number)) => drop(said.acknowledged.insert(number)),
                ("pruned", Ok(number)) => drop(said.pruned.insert(number)),
                ("decided", Ok(number)) => said.decided = number,
                _ => {}
            }
        }
        line.clear();
        if alive && kill_after <= said.acknowledged.len() {
            child.kill().expect("kills");
            alive = false;
        }
    }
    assert!(!alive, "the child ended by itself after {} answers", said.acknowledged.len());
    child.wait().expect("ends");
    said
}

/// Reads the whole log, which verifies every link, and answers the numbers in it.
fn chain(store: &Store) -> BTreeSet<u64> {
    let mut numbers = BTreeSet::new();
    let mut seq = 0;
    loop {
        let records = store.read_after(seq, READ_RECORDS, usize::MAX).expect("a whole chain");
        let Some(last) = records.last() else {
            break;
        };
        seq = last.seq;
        numbers.extend(records.into_iter().filter_map(|record| match record.entry {
            Entry::Delivery(delivery) => Some(u64::try_from(delivery.received_us).expect("small")),
            Entry::Stub(stub) => Some(u64::try_from(stub.received_us).expect("small")),
            Entry::Decision(_) => None,
        }));
    }
    assert_eq!(seq, store.head().seq);
    numbers
}

/// The child's side; does nothing when run as a test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_is_killed() {
    let (Some(folder), Some(round)) = (variable(FOLDER), variable(ROUND)) else {
        return;
    };
    let first = round.parse::<u64>().expect("a number") * 1_000_000_000;
    let epoch = round.parse().expect("a number");
    let store = open(Path::new(&folder));
    let (prune, pruning) = std::sync::mpsc::sync_channel::<u64>(1000);
    let pruner = store.clone();
    std::thread::spawn(move || {
        for number in pruning {
            let facts = Facts { at_us: 1, by: "child".to_owned(), reason: "old".to_owned() };
            let pruned = pruner.prune(vec![(delivery(number).id, None)], facts).expect("prunes");
            assert_eq!(pruned.removed.len(), 1);
            say("pruned", number);
        }
    });
    let mut load = JoinSet::new();
    for task in 0..LOAD {
        let (store, prune) = (store.clone(), prune.clone());
        load.spawn(async move {
            for number in (first + u64::from(task)..).step_by(usize::try_from(LOAD).expect("small")) {
                let receipt = store.append(delivery(number)).await.expect("stored");
                assert_eq!(receipt.stored, Stored::New);
                say("acknowledged", number);
                if number % PRUNED_OF == 0 {
                    // When the pruner is behind, there is enough to prune.
                    let _queued = prune.try_send(number).is_ok();
                }
            }
        });
    }
    load.spawn(async move {
        for number in (DECISIONS..).step_by(usize::try_from(DECISIONS).expect("small")) {
            let decisions = (number - DECISIONS + 1..=number).map(|number| decision(epoch, number)).collect();
            store.append_decisions(decisions).await.expect("stored");
            say("decided", number);
        }
    });
    while let Some(ended) = load.join_next().await {
        ended.expect("appends until it is killed");
    }
}

/// One write a line: what the parent reads was answered before.
fn say(what: &str, number: u64) {
    std::io::stdout().lock().write_all(format!("{what} {number}\n").as_bytes()).expect("the parent reads");
}
