//! The attack matrix: only the genuine proxy payment passes.

use alloy_primitives::address;

use super::tests::{code, found, search_for};
use super::*;
use crate::verify::fixture::*;

/// A contract of the attacker's that emits whatever he likes.
const FORGER: Address = address!("0x1111111111111111111111111111111111111111");

fn rows() -> Vec<(&'static str, Vec<Log>, Option<Code>)> {
    let by_proxy = |token| token_event(PROXY, token, PAYEE, HUNDRED, TOPIC);
    let by_forger = || token_event(FORGER, USDC, PAYEE, HUNDRED, TOPIC);
    let paid = |token| transfer(token, PAYER, PAYEE, HUNDRED);
    let short = transfer(USDC, PAYER, PAYEE, HUNDRED / 100 * 99);
    let look_alike = address!("0x6923831ACf5c327260D7ac7C9DfF5b1c3cB3C7D8");
    let zero = || transfer(USDC, PAYER, PAYEE, 0);
    let none = Some(Code::NoMatchingTransfer);
    vec![
        ("genuine proxy payment", proxy_payment(PAYEE, HUNDRED, TOPIC), None),
        ("direct transfer, no reference", vec![paid(USDC)], none),
        ("fake token, direct", vec![paid(FAKE_TOKEN)], none),
        ("fake token by the proxy", vec![paid(FAKE_TOKEN), by_proxy(FAKE_TOKEN)], Some(Code::WrongToken)),
        ("forged transfer and event", vec![paid(FORGER), by_forger()], Some(Code::UntrustedEmitter)),
        ("forged event, genuine transfer", vec![paid(USDC), by_forger()], Some(Code::UntrustedEmitter)),
        ("a token that moves nothing", vec![by_proxy(FAKE_TOKEN)], Some(Code::WrongToken)),
        ("the token that moved nothing", vec![by_proxy(USDC)], Some(Code::ProxyEventWithoutTransfer)),
        ("one percent fee on transfer", vec![short, by_proxy(USDC)], Some(Code::FeeOnTransfer)),
        ("address poisoning", vec![transfer(USDC, PAYEE, PAYEE, 0), zero()], none),
        ("nothing through the proxy", vec![zero(), token_event(PROXY, USDC, PAYEE, 0, TOPIC)], none),
        ("reverted: no logs", vec![], none),
        ("native by proxy", vec![native_event(ETH_PROXY, PAYEE, HUNDRED, TOPIC)], Some(Code::TokenNotAllowed)),
        ("another registered token", vec![paid(USDT), by_proxy(USDT)], Some(Code::TokenNotAllowed)),
        ("another reference", proxy_payment(PAYEE, HUNDRED, OTHER_TOPIC), Some(Code::WrongReference)),
        ("refund: the payer receives", proxy_payment(PAYER, HUNDRED, TOPIC), Some(Code::WrongRecipient)),
        ("look-alike recipient", proxy_payment(look_alike, HUNDRED, TOPIC), Some(Code::WrongRecipient)),
    ]
}

#[test]
fn seventeen_transactions_and_one_payment() {
    let rows = rows();
    assert_eq!(rows.len(), 17);
    for (name, logs, expected) in rows {
        let outcome = search_for(Rail::Reference(TOPIC), &logs);
        match expected {
            None => assert_eq!(found(outcome).amount, U256::from(HUNDRED), "{name}"),
            Some(expected) => assert_eq!(code(&outcome), expected, "{name}"),
        }
    }
}

#[test]
fn on_the_direct_rail_only_the_registered_tokens_own_transfer_counts() {
    let look = |logs: &[Log]| search_for(Rail::Direct(Payer::Is(PAYER)), logs);
    assert_eq!(found(look(&[transfer(USDC, PAYER, PAYEE, HUNDRED)])).amount, U256::from(HUNDRED));
    assert_eq!(code(&look(&[transfer(FAKE_TOKEN, PAYER, PAYEE, HUNDRED)])), Code::WrongToken);
    assert_eq!(code(&look(&[transfer(USDT, PAYER, PAYEE, HUNDRED)])), Code::TokenNotAllowed);
    assert_eq!(code(&look(&[transfer(USDC, PAYER, STRANGER, HUNDRED)])), Code::WrongRecipient);
    assert_eq!(code(&look(&[transfer(USDC, PAYER, PAYEE, 0)])), Code::NoMatchingTransfer);
}

#[test]
fn a_refusal_says_what_was_expected_and_what_was_seen() {
    let logs = [transfer(FORGER, PAYER, PAYEE, HUNDRED), token_event(FORGER, USDC, PAYEE, HUNDRED, TOPIC)];
    let Outcome::Doubt(doubt) = search_for(Rail::Reference(TOPIC), &logs) else { panic!("forged") };
    let [check] = doubt.checks.as_slice() else { panic!("{doubt:?}") };
    assert!(check.expected.contains(&PROXY.to_string()), "{check:?}");
    assert_eq!(check.actual, FORGER.to_string());
}
