//! The search for money in a transaction: whatever the logs and calls say, it ends, uses up each place once, and never
//! finds more than moved there.

#![no_main]

use std::sync::LazyLock;

use alloy_primitives::{Address, B256, U256};
use chain_config::{Chain, Registry};
use libfuzzer_sys::fuzz_target;
use tollgate::chain::{CallFrame, CallKind, Log, Transaction};
use tollgate::model::{PaymentReference, Slot};
use tollgate::verify::events::{ESCROW, NATIVE_PROXY, PLAIN_NATIVE_PROXY, PLAIN_TOKEN_PROXY, TOKEN_PROXY, TRANSFER};
use tollgate::verify::matcher::{Evidence, Outcome, Payer, Query, Rail, Reference, Wanted, reference_topic, search};

static CHAIN: LazyLock<Chain> =
    LazyLock::new(|| Registry::builtin().expect("built-in data").chain("base").expect("base").clone());

/// One log, made of choices among few values, so that they meet.
type Choice = (u8, u8, [u8; 3], [u8; 5], u8);

fn address(choice: u8) -> Address {
    let chain = &*CHAIN;
    let token = |at: usize| chain.tokens.get(at).map(|token| token.address);
    match choice % 12 {
        0 => token(0),
        1 => token(1),
        2 => chain.contracts.erc20_fee_proxy.first().copied(),
        3 => chain.contracts.eth_fee_proxy.first().copied(),
        8 => chain.contracts.erc20_conversion_proxy.first().copied(),
        9 => chain.contracts.erc20_proxy.first().copied(),
        10 => chain.contracts.eth_proxy.first().copied(),
        11 => chain.contracts.escrow.first().copied(),
        other => Some(Address::repeat_byte(other)),
    }
    .unwrap_or_default()
}

fn reference(choice: u8) -> PaymentReference {
    let text = if choice % 2 == 0 { "0x2c3366941274c34c" } else { "0x01" };
    text.parse().expect("a reference")
}

fn topic(choice: u8) -> B256 {
    reference_topic(&reference(choice))
}

/// The reference's bytes themselves, left-aligned.
fn raw(choice: u8) -> B256 {
    let mut word = B256::ZERO;
    word.iter_mut().zip(reference(choice).as_bytes()).for_each(|(place, byte)| *place = *byte);
    word
}

fn log((emitter, kind, topics, words, cut): Choice) -> Log {
    let word = |choice: u8| if choice < 128 { address(choice).into_word() } else { B256::from(U256::from(choice)) };
    let mut data: Vec<u8> = words.iter().flat_map(|choice| word(*choice).0).collect();
    let [first, second, third] = topics;
    let (topics, full) = match kind % 7 {
        0 => (vec![TRANSFER, word(first), word(second)], 32),
        1 => (vec![TOKEN_PROXY, topic(first)], 160),
        2 => (vec![NATIVE_PROXY, topic(first)], 128),
        3 => (vec![PLAIN_TOKEN_PROXY, topic(first)], 96),
        4 => (vec![PLAIN_NATIVE_PROXY, topic(first)], 64),
        5 => (vec![ESCROW, raw(first)], 160),
        _ => (vec![word(first), word(second), word(third)], 96),
    };
    data.truncate(if cut < 200 { full } else { usize::from(cut - 200) * 4 });
    Log { address: address(emitter), topics, data: data.into() }
}

/// A call in the tree, before those inside it are known: how deep it stands, whom it pays, how much, how.
type Inside = (u8, u8, u8, u8, u8);

/// The calls, each inside the one before it that is less deep.
fn calls(choices: &[Inside]) -> CallFrame {
    let frame = |(_, from, to, value, how): Inside| CallFrame {
        kind: if how % 4 == 0 { CallKind::Other } else { CallKind::Call },
        from: address(from),
        to: (how % 8 != 1).then(|| address(to)),
        value: U256::from(value),
        failed: how > 230,
        calls: Vec::new(),
    };
    let mut root = frame((0, 0, 0, 0, 2));
    for choice in choices {
        let mut at = &mut root;
        for _ in 0..choice.0 % 48 {
            match at.calls.last_mut() {
                Some(_) => at = at.calls.last_mut().expect("it is there"),
                None => break,
            }
        }
        at.calls.push(frame(*choice));
    }
    root
}

fuzz_target!(|input: (u8, u8, u8, Vec<Choice>, Option<(u8, u8, u8)>, Vec<Inside>)| {
    let (rail, bound, wanted, choices, sent, inside) = input;
    let logs: Vec<Log> = choices.into_iter().take(64).map(log).collect();
    let rail = match rail % 4 {
        0 | 1 => Rail::Reference(Reference::of(&reference(bound))),
        2 => Rail::Direct(Payer::Is(address(bound))),
        _ => Rail::Direct(Payer::Anyone),
    };
    let sent = sent.map(|(from, to, value)| Transaction {
        hash: B256::ZERO,
        from: address(from),
        to: Some(address(to)),
        value: U256::from(value),
        nonce: 0,
        block_hash: None,
        tx_index: None,
    });
    let calls = calls(inside.get(..64).unwrap_or(&inside));
    let token = (wanted % 3 != 0).then(|| address(wanted % 2));
    let wanted = [Wanted { way: 0, token, recipients: vec![address(5), address(6)] }];
    let query =
        Query { contracts: &CHAIN.contracts, tokens: &CHAIN.tokens, wanted: &wanted, rail, trace: bound % 3 != 0 };
    let evidence = Evidence { logs: &logs, transaction: sent.as_ref(), calls: Some(&calls) };
    let outcome = search(&query, &evidence);
    assert_eq!(outcome, search(&query, &evidence), "one transaction, one answer");
    let Outcome::Found(found) = outcome else { return };
    assert_eq!(found.token, token);
    assert!(wanted[0].recipients.contains(&found.recipient));
    let sum = found.consumed.iter().fold(U256::ZERO, |sum, consumed| sum + consumed.amount);
    assert_eq!(sum, found.amount, "the money is what its places prove");
    assert!(found.consumed.is_sorted_by(|one, other| one.slot < other.slot), "no place is used twice");
    for one in &found.consumed {
        match one.slot {
            Slot::Log(position) => assert!(usize::try_from(position).is_ok_and(|at| at < logs.len())),
            Slot::Value => assert_eq!(sent.map(|sent| sent.value), Some(one.amount)),
            Slot::Trace(_) => assert!(query.trace && one.token.is_none()),
        }
    }
});
