//! The search for money in a receipt: whatever the logs say, it ends, uses up each position once, and never finds more
//! than the transfers hold.

#![no_main]

use std::sync::LazyLock;

use alloy_primitives::{Address, B256, U256};
use chain_config::{Chain, Registry};
use libfuzzer_sys::fuzz_target;
use tollgate::chain::Log;
use tollgate::verify::events::{NATIVE_PROXY, TOKEN_PROXY, TRANSFER};
use tollgate::verify::matcher::{Outcome, Payer, Query, Rail, Wanted, reference_topic, search};

static CHAIN: LazyLock<Chain> =
    LazyLock::new(|| Registry::builtin().expect("built-in data").chain("base").expect("base").clone());

/// One log, made of choices among few values, so that they meet.
type Choice = (u8, u8, [u8; 3], [u8; 5], u8);

fn address(choice: u8) -> Address {
    let chain = &*CHAIN;
    let token = |at: usize| chain.tokens.get(at).map(|token| token.address);
    match choice % 8 {
        0 => token(0),
        1 => token(1),
        2 => chain.contracts.erc20_fee_proxy.first().copied(),
        3 => chain.contracts.eth_fee_proxy.first().copied(),
        other => Some(Address::repeat_byte(other)),
    }
    .unwrap_or_default()
}

fn topic(reference: u8) -> B256 {
    let text = if reference % 2 == 0 { "0x2c3366941274c34c" } else { "0x01" };
    reference_topic(&text.parse().expect("a reference"))
}

fn log((emitter, kind, topics, words, cut): Choice) -> Log {
    let word = |choice: u8| if choice < 128 { address(choice).into_word() } else { B256::from(U256::from(choice)) };
    let mut data: Vec<u8> = words.iter().flat_map(|choice| word(*choice).0).collect();
    let [first, second, third] = topics;
    let topics = match kind % 4 {
        0 => vec![TRANSFER, word(first), word(second)],
        1 => vec![TOKEN_PROXY, topic(first)],
        2 => vec![NATIVE_PROXY, topic(first)],
        _ => vec![word(first), word(second), word(third)],
    };
    let full = [32, 160, 128, 96][usize::from(kind % 4)];
    data.truncate(if cut < 200 { full } else { usize::from(cut - 200) * 4 });
    Log { address: address(emitter), topics, data: data.into() }
}

fuzz_target!(|input: (u8, u8, u8, Vec<Choice>)| {
    let (rail, reference, wanted, choices) = input;
    let logs: Vec<Log> = choices.into_iter().take(64).map(log).collect();
    let rail = match rail % 4 {
        0 | 1 => Rail::Reference(topic(reference)),
        2 => Rail::Direct(Payer::Is(address(reference))),
        _ => Rail::Direct(Payer::Anyone),
    };
    let token = (wanted % 3 != 0).then(|| address(wanted % 2));
    let wanted = [Wanted { way: 0, token, recipients: vec![address(5), address(6)] }];
    let query = Query { contracts: &CHAIN.contracts, tokens: &CHAIN.tokens, wanted: &wanted, rail };
    let outcome = search(&query, &logs);
    assert_eq!(outcome, search(&query, &logs), "one receipt, one answer");
    let Outcome::Found(found) = outcome else { return };
    assert_eq!(found.token, token);
    assert!(wanted[0].recipients.contains(&found.recipient));
    let sum = found.consumed.iter().fold(U256::ZERO, |sum, consumed| sum + consumed.amount);
    assert_eq!(sum, found.amount, "the money is what its positions prove");
    assert!(found.consumed.is_sorted_by(|one, other| one.position < other.position), "no position is used twice");
    assert!(found.consumed.iter().all(|one| usize::try_from(one.position).is_ok_and(|at| at < logs.len())));
});
