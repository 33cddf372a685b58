use alloy_primitives::{Bytes, U256};

use super::*;
use crate::verify::fixture::*;

const VECTORS: &str = include_str!("../testdata/request-network-logs.json");

pub(super) fn search_for(rail: Rail, logs: &[Log]) -> Outcome {
    let chain = base().chain;
    let wanted = [Wanted { way: 0, token: Some(USDC), recipients: vec![PAYEE] }];
    search(&Query { contracts: &chain.contracts, tokens: &chain.tokens, wanted: &wanted, rail }, logs)
}

pub(super) fn found(outcome: Outcome) -> Found {
    match outcome {
        Outcome::Found(found) => found,
        Outcome::Doubt(doubt) => panic!("{doubt:?}"),
    }
}

pub(super) fn code(outcome: &Outcome) -> Code {
    match outcome {
        Outcome::Found(found) => panic!("{found:?}"),
        Outcome::Doubt(doubt) => doubt.code,
    }
}

fn positions(found: &Found) -> Vec<u32> {
    found.consumed.iter().map(|consumed| consumed.position).collect()
}

#[test]
fn references_hash_to_the_published_topics() {
    let vectors: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
    let all = ["vectors", "topicOnly"].map(|list| vectors["paymentReference"][list].as_array().unwrap().clone());
    let mut count = 0;
    for vector in all.iter().flatten() {
        let reference: PaymentReference = vector["reference"].as_str().unwrap().parse().unwrap();
        assert_eq!(reference_topic(&reference).to_string(), vector["topic1"].as_str().unwrap());
        count += 1;
    }
    assert_eq!(count, 5);
}

#[test]
fn published_logs_decode_to_their_published_values() {
    let vectors: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
    let mut decoded = 0;
    for vector in vectors["logs"]["vectors"].as_array().unwrap() {
        let text = |key: &str| vector[key].as_str().unwrap();
        let topics = vector["topics"].as_array().unwrap().iter().map(|t| t.as_str().unwrap().parse().unwrap());
        let data: Bytes = text("data").parse().unwrap();
        let log = Log { address: text("address").parse().unwrap(), topics: topics.collect(), data };
        let Some(event) = events::proxy_event(3, &log) else {
            assert!(!text("name").contains("FeeProxy"), "{}", text("name"));
            continue;
        };
        let expected = &vector["decoded"];
        let value = |key: &str| -> U256 { expected[key].as_str().unwrap().parse().unwrap() };
        assert_eq!(event.to, expected["to"].as_str().unwrap().parse::<Address>().unwrap());
        assert_eq!((event.amount, event.fee), (value("amount"), value("feeAmount")));
        assert_eq!(event.token.map(|t| t.to_string()), expected["tokenAddress"].as_str().map(str::to_owned));
        assert_eq!((event.emitter, event.reference), (log.address, log.topics[1]));
        decoded += 1;
    }
    // The fee proxies' two, and the conversion proxy's, which is no registered emitter.
    assert_eq!(decoded, 3);
}

#[test]
fn a_proxy_payment_is_its_transfer_and_consumes_both_logs() {
    let one = found(search_for(Rail::Reference(TOPIC), &proxy_payment(PAYEE, HUNDRED, TOPIC)));
    assert_eq!((one.amount, one.fee), (U256::from(HUNDRED), U256::from(1_000_000)));
    assert_eq!((one.payer, one.recipient, one.emitter), (Some(PAYER), PAYEE, Some(PROXY)));
    assert_eq!(positions(&one), [0, 2]);
    let money: Vec<U256> = one.consumed.iter().map(|consumed| consumed.amount).collect();
    assert_eq!(money, [U256::from(HUNDRED), U256::ZERO]);
}

#[test]
fn a_batch_of_three_references_gives_three_claims_that_share_nothing() {
    // Onchain.md section 8, row 26: two payees, eight logs.
    let third = B256::repeat_byte(0x33);
    let logs = [
        transfer(USDC, PAYER, PAYEE, HUNDRED),
        token_event(PROXY, USDC, PAYEE, HUNDRED, TOPIC),
        transfer(USDC, PAYER, PAYEE, HUNDRED),
        token_event(PROXY, USDC, PAYEE, HUNDRED, OTHER_TOPIC),
        transfer(USDC, PAYER, STRANGER, HUNDRED),
        token_event(PROXY, USDC, STRANGER, HUNDRED, third),
        transfer(USDC, PAYER, STRANGER, 5),
        transfer(USDC, PAYER, STRANGER, 6),
    ];
    assert_eq!(positions(&found(search_for(Rail::Reference(TOPIC), &logs))), [0, 1]);
    assert_eq!(positions(&found(search_for(Rail::Reference(OTHER_TOPIC), &logs))), [2, 3]);
    assert_eq!(code(&search_for(Rail::Reference(third), &logs)), Code::WrongRecipient);
    let (chain, wanted) = (base().chain, [Wanted { way: 0, token: Some(USDC), recipients: vec![STRANGER] }]);
    let rail = Rail::Reference(third);
    let query = Query { contracts: &chain.contracts, tokens: &chain.tokens, wanted: &wanted, rail };
    assert_eq!(positions(&found(search(&query, &logs))), [4, 5]);
}

#[test]
fn one_transfer_cannot_stand_for_two_references() {
    let logs = [
        transfer(USDC, PAYER, PAYEE, HUNDRED),
        token_event(PROXY, USDC, PAYEE, HUNDRED, OTHER_TOPIC),
        token_event(PROXY, USDC, PAYEE, HUNDRED, TOPIC),
    ];
    assert_eq!(code(&search_for(Rail::Reference(TOPIC), &logs)), Code::ProxyEventWithoutTransfer);
    assert_eq!(positions(&found(search_for(Rail::Reference(OTHER_TOPIC), &logs))), [0, 1]);
}

#[test]
fn one_reference_paid_twice_in_one_transaction_is_one_sum() {
    let logs = [proxy_payment(PAYEE, HUNDRED, TOPIC), proxy_payment(PAYEE, 5, TOPIC)].concat();
    let sum = found(search_for(Rail::Reference(TOPIC), &logs));
    assert_eq!((sum.amount, sum.fee), (U256::from(HUNDRED + 5), U256::from(2_000_000)));
    assert_eq!(positions(&sum), [0, 2, 3, 5]);
}

#[test]
fn a_transfer_after_the_event_does_not_count() {
    let mut logs = proxy_payment(PAYEE, HUNDRED, TOPIC);
    logs.rotate_left(1);
    assert_eq!(code(&search_for(Rail::Reference(TOPIC), &logs)), Code::ProxyEventWithoutTransfer);
}

#[test]
fn native_money_is_the_events_own_amount() {
    let chain = base().chain;
    let wanted = [Wanted { way: 2, token: None, recipients: vec![PAYEE] }];
    let search = |logs: &[Log]| {
        let rail = Rail::Reference(TOPIC);
        search(&Query { contracts: &chain.contracts, tokens: &chain.tokens, wanted: &wanted, rail }, logs)
    };
    let one = found(search(&[native_event(ETH_PROXY, PAYEE, 42, TOPIC)]));
    assert_eq!((one.way, one.amount, one.payer), (2, U256::from(42), None));
    assert_eq!(one.consumed, [Consumed { position: 0, amount: U256::from(42), token: None, recipient: PAYEE }]);
    // The other proxy's address does not make a native event.
    assert_eq!(code(&search(&[native_event(PROXY, PAYEE, 42, TOPIC)])), Code::UntrustedEmitter);
    assert_eq!(code(&search(&[native_event(ETH_PROXY, PAYEE, 0, TOPIC)])), Code::NoMatchingTransfer);
}

#[test]
fn direct_transfers_need_a_payer_or_an_own_recipient() {
    let logs = [transfer(USDC, PAYER, PAYEE, HUNDRED)];
    let look = |payer| search_for(Rail::Direct(payer), &logs);
    assert_eq!(positions(&found(look(Payer::Is(PAYER)))), [0]);
    assert_eq!(positions(&found(look(Payer::Anyone))), [0]);
    assert_eq!(code(&look(Payer::Undecidable)), Code::AmbiguousMatch);
    assert_eq!(code(&look(Payer::Is(STRANGER))), Code::NoMatchingTransfer);
}

#[test]
fn several_direct_candidates_are_nobodys() {
    let logs = [transfer(USDC, PAYER, PAYEE, HUNDRED), transfer(USDC, PAYER, PAYEE, 7)];
    assert_eq!(code(&search_for(Rail::Direct(Payer::Is(PAYER)), &logs)), Code::AmbiguousMatch);
}

#[test]
fn a_transfer_that_a_proxy_speaks_for_is_no_direct_one() {
    let logs = proxy_payment(PAYEE, HUNDRED, TOPIC);
    assert_eq!(code(&search_for(Rail::Direct(Payer::Is(PAYER)), &logs)), Code::WrongRecipient);
}

#[test]
fn an_nft_or_a_padded_word_is_no_transfer() {
    let mut nft = transfer(USDC, PAYER, PAYEE, HUNDRED);
    nft.topics.push(B256::repeat_byte(1));
    let mut dirty = transfer(USDC, PAYER, PAYEE, HUNDRED);
    dirty.topics[2] = B256::from_slice(&[&[1_u8; 12][..], PAYEE.as_slice()].concat());
    let mut long = transfer(USDC, PAYER, PAYEE, HUNDRED);
    long.data = [long.data.as_ref(), &[0]].concat().into();
    for log in [nft, dirty, long] {
        assert_eq!(code(&search_for(Rail::Direct(Payer::Anyone), &[log])), Code::NoMatchingTransfer);
    }
}

#[test]
fn money_in_two_tokens_under_one_reference_is_for_a_person() {
    let chain = base().chain;
    let way = |way, token| Wanted { way, token: Some(token), recipients: vec![PAYEE] };
    let wanted = [way(0, USDC), way(1, USDT)];
    let second = vec![transfer(USDT, PAYER, PAYEE, 5), token_event(PROXY, USDT, PAYEE, 5, TOPIC)];
    let logs = [proxy_payment(PAYEE, HUNDRED, TOPIC), second].concat();
    let rail = Rail::Reference(TOPIC);
    let query = Query { contracts: &chain.contracts, tokens: &chain.tokens, wanted: &wanted, rail };
    assert_eq!(code(&search(&query, &logs)), Code::AmbiguousMatch);
}
