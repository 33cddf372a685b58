use alloy_primitives::{Bytes, U256, address};

use super::built::*;
use super::*;
use crate::model::Code;
use crate::verify::events;
use crate::verify::fixture::*;

mod conversions;
mod direct;
mod escrow;
mod short;

const VECTORS: &str = include_str!("../testdata/request-network-logs.json");

pub(super) fn search_for(rail: Rail, logs: &[Log]) -> Outcome {
    Search::of(rail, &[Some(USDC)]).in_logs(logs)
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
            // The conversion's second event, and an escrow's word for a capture: neither is a transfer.
            assert!(["Conversion pair on Base, log 2", "Commerce wrapper"].iter().any(|n| text("name").starts_with(n)));
            continue;
        };
        let expected = &vector["decoded"];
        let value = |key: &str| -> U256 { expected[key].as_str().unwrap().parse().unwrap() };
        assert_eq!(event.to, expected["to"].as_str().unwrap().parse::<Address>().unwrap());
        let fee = if expected["feeAmount"].is_null() { U256::ZERO } else { value("feeAmount") };
        assert_eq!((event.amount, event.fee), (value("amount"), fee));
        assert_eq!(event.token.map(|t| t.to_string()), expected["tokenAddress"].as_str().map(str::to_owned));
        assert_eq!((event.emitter, event.reference), (log.address, log.topics[1]));
        decoded += 1;
    }
    // With a fee two, without two, and the conversion proxy's own.
    assert_eq!(decoded, 5);
}

#[test]
fn published_logs_are_payments_where_their_emitter_is_registered() {
    let vectors: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
    let registry = chain_config::Registry::builtin().unwrap();
    let reference = Reference::of(&"0x8a60fb2742425e9e".parse().unwrap());
    let mut paid = Vec::new();
    for vector in vectors["logs"]["vectors"].as_array().unwrap() {
        let text = |key: &str| vector[key].as_str().unwrap();
        let topics = vector["topics"].as_array().unwrap().iter().map(|t| t.as_str().unwrap().parse().unwrap());
        let data: Bytes = text("data").parse().unwrap();
        let event = Log { address: text("address").parse().unwrap(), topics: topics.collect(), data };
        let word = |key: &str| vector["decoded"][key].as_str();
        let (Some(to), Some(amount)) = (word("to"), word("amount")) else { continue };
        let (to, token) = (to.parse().unwrap(), word("tokenAddress").map(|token| token.parse().unwrap()));
        let moved = token.map(|token| transfer(token, PAYER, to, amount.parse().unwrap()));
        let logs: Vec<Log> = moved.into_iter().chain([event]).collect();
        for chain in registry.chains() {
            let wanted = [Wanted { way: 0, token, recipients: vec![to] }];
            let rail = Rail::Reference(reference);
            let query =
                Query { contracts: &chain.contracts, tokens: &chain.tokens, wanted: &wanted, rail, trace: false };
            match search(&query, &Evidence::of_logs(&logs)) {
                Outcome::Found(found) => {
                    assert_eq!(found.amount.to_string(), amount);
                    paid.push((chain.name.clone(), found.fiat_unverified, found.token.is_some()));
                }
                Outcome::Doubt(doubt) => assert_eq!(doubt.code, Code::UntrustedEmitter, "{}", chain.name),
            }
        }
    }
    paid.sort();
    let expected = [
        ("base", false, false),
        ("base", false, true),
        ("base", true, true),
        ("optimism", false, false),
        ("sepolia", false, false),
        ("sepolia", false, true),
    ];
    // Optimism and Sepolia have one EthereumFeeProxy.
    assert_eq!(paid, expected.map(|(name, fiat, token)| (name.to_owned(), fiat, token)));
}

#[test]
fn a_proxy_payment_is_its_transfer_and_consumes_both_logs() {
    let one = found(search_for(Rail::Reference(ours()), &proxy_payment(PAYEE, HUNDRED, TOPIC)));
    assert_eq!((one.amount, one.fee), (U256::from(HUNDRED), U256::from(1_000_000)));
    assert_eq!((one.payer, one.recipient, one.emitter), (Some(PAYER), PAYEE, Some(PROXY)));
    assert_eq!(slots(&one), ["log:0", "log:2"]);
    let money: Vec<U256> = one.consumed.iter().map(|consumed| consumed.amount).collect();
    assert_eq!(money, [U256::from(HUNDRED), U256::ZERO]);
}

#[test]
fn a_batch_of_three_references_gives_three_claims_that_share_nothing() {
    // Onchain.md section 8, row 26: two payees, eight logs.
    let third: PaymentReference = "0x3333333333333333".parse().unwrap();
    let topic = reference_topic(&third);
    let logs = [
        transfer(USDC, PAYER, PAYEE, HUNDRED),
        token_event(PROXY, USDC, PAYEE, HUNDRED, TOPIC),
        transfer(USDC, PAYER, PAYEE, HUNDRED),
        token_event(PROXY, USDC, PAYEE, HUNDRED, OTHER_TOPIC),
        transfer(USDC, PAYER, STRANGER, HUNDRED),
        token_event(PROXY, USDC, STRANGER, HUNDRED, topic),
        transfer(USDC, PAYER, STRANGER, 5),
        transfer(USDC, PAYER, STRANGER, 6),
    ];
    assert_eq!(slots(&found(search_for(Rail::Reference(ours()), &logs))), ["log:0", "log:1"]);
    assert_eq!(slots(&found(search_for(Rail::Reference(other()), &logs))), ["log:2", "log:3"]);
    let mut search = Search::of(Rail::Reference(Reference::of(&third)), &[Some(USDC)]);
    assert_eq!(code(&search.in_logs(&logs)), Code::WrongRecipient);
    search.wanted[0].recipients = vec![STRANGER];
    assert_eq!(slots(&found(search.in_logs(&logs))), ["log:4", "log:5"]);
}

#[test]
fn one_transfer_cannot_stand_for_two_references() {
    let logs = [
        transfer(USDC, PAYER, PAYEE, HUNDRED),
        token_event(PROXY, USDC, PAYEE, HUNDRED, OTHER_TOPIC),
        token_event(PROXY, USDC, PAYEE, HUNDRED, TOPIC),
    ];
    assert_eq!(code(&search_for(Rail::Reference(ours()), &logs)), Code::ProxyEventWithoutTransfer);
    assert_eq!(slots(&found(search_for(Rail::Reference(other()), &logs))), ["log:0", "log:1"]);
}

#[test]
fn one_reference_paid_twice_in_one_transaction_is_one_sum() {
    let logs = [proxy_payment(PAYEE, HUNDRED, TOPIC), proxy_payment(PAYEE, 5, TOPIC)].concat();
    let sum = found(search_for(Rail::Reference(ours()), &logs));
    assert_eq!((sum.amount, sum.fee), (U256::from(HUNDRED + 5), U256::from(2_000_000)));
    assert_eq!(slots(&sum), ["log:0", "log:2", "log:3", "log:5"]);
}

#[test]
fn a_transfer_after_the_event_does_not_count() {
    let mut logs = proxy_payment(PAYEE, HUNDRED, TOPIC);
    logs.rotate_left(1);
    assert_eq!(code(&search_for(Rail::Reference(ours()), &logs)), Code::ProxyEventWithoutTransfer);
}

#[test]
fn native_money_is_the_events_own_amount() {
    let mut search = Search::of(Rail::Reference(ours()), &[None]);
    search.wanted[0].way = 2;
    let one = found(search.in_logs(&[native_event(ETH_PROXY, PAYEE, 42, TOPIC)]));
    assert_eq!((one.way, one.amount, one.payer), (2, U256::from(42), None));
    let slot = Slot::Log(0);
    assert_eq!(one.consumed, [Consumed { slot, amount: U256::from(42), token: None, recipient: PAYEE }]);
    // The other proxy's address does not make a native event.
    assert_eq!(code(&search.in_logs(&[native_event(PROXY, PAYEE, 42, TOPIC)])), Code::UntrustedEmitter);
    assert_eq!(code(&search.in_logs(&[native_event(ETH_PROXY, PAYEE, 0, TOPIC)])), Code::NoMatchingTransfer);
}

#[test]
fn direct_transfers_need_a_payer_or_an_own_recipient() {
    let logs = [transfer(USDC, PAYER, PAYEE, HUNDRED)];
    let look = |payer| search_for(Rail::Direct(payer), &logs);
    assert_eq!(slots(&found(look(Payer::Is(PAYER)))), ["log:0"]);
    assert_eq!(slots(&found(look(Payer::Anyone))), ["log:0"]);
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
    let second = vec![transfer(USDT, PAYER, PAYEE, 5), token_event(PROXY, USDT, PAYEE, 5, TOPIC)];
    let logs = [proxy_payment(PAYEE, HUNDRED, TOPIC), second].concat();
    let search = Search::of(Rail::Reference(ours()), &[Some(USDC), Some(USDT)]);
    assert_eq!(code(&search.in_logs(&logs)), Code::AmbiguousMatch);
}
