//! The attack matrix: each transaction against every rail, and only what is genuine passes where it belongs.

use alloy_primitives::address;

use super::built::*;
use super::tests::search_for;
use super::*;
use crate::chain::CallFrame;
use crate::model::Code;
use crate::verify::fixture::*;

/// A contract of the attacker's that emits whatever he likes.
const FORGER: Address = address!("0x1111111111111111111111111111111111111111");
/// A contract that passes coin on.
const FORWARDER: Address = address!("0x4444444444444444444444444444444444444444");

/// What a transaction leaves, and what each rail makes of it; none is money.
struct Row {
    name: &'static str,
    logs: Vec<Log>,
    sent: Option<Transaction>,
    calls: Option<CallFrame>,
    /// 100 USDC with our reference (R1), the column S.
    token: Option<Code>,
    /// 100 USDC from the payer, direct (R5).
    direct: Option<Code>,
    /// Coin with our reference (R2).
    coin: Option<Code>,
    /// Coin from anyone, direct (R6, R7).
    coin_direct: Option<Code>,
}

fn row(name: &'static str, logs: Vec<Log>, [token, direct, coin, coin_direct]: [Option<Code>; 4]) -> Row {
    Row { name, logs, sent: None, calls: None, token, direct, coin, coin_direct }
}

/// Tokens: who emits, which token, who receives, how much.
fn token_rows() -> Vec<Row> {
    use Code::{
        FeeOnTransfer, NoMatchingTransfer, ProxyEventWithoutTransfer, TokenNotAllowed, UntrustedEmitter,
        WrongRecipient, WrongReference, WrongToken,
    };
    let (none, known, wrong) = (Some(NoMatchingTransfer), Some(TokenNotAllowed), Some(WrongToken));
    let by_proxy = |token| token_event(PROXY, token, PAYEE, HUNDRED, TOPIC);
    let paid = |token| transfer(token, PAYER, PAYEE, HUNDRED);
    let forged = || token_event(FORGER, USDC, PAYEE, HUNDRED, TOPIC);
    let short = transfer(USDC, PAYER, PAYEE, HUNDRED / 100 * 99);
    let zero = || transfer(USDC, PAYER, PAYEE, 0);
    let untrusted = Some(UntrustedEmitter);
    let (elsewhere, reference) = (Some(WrongRecipient), Some(WrongReference));
    let genuine = proxy_payment(PAYEE, HUNDRED, TOPIC);
    vec![
        row("genuine proxy payment", genuine, [None, elsewhere, known, none]),
        row("direct transfer, no reference", vec![paid(USDC)], [none, None, none, known]),
        row("fake token of the same symbol, direct", vec![paid(FAKE_TOKEN)], [none, wrong, none, wrong]),
        row("fake token by the proxy", vec![paid(FAKE_TOKEN), by_proxy(FAKE_TOKEN)], [wrong, none, wrong, none]),
        row("forged transfer and event", vec![paid(FORGER), forged()], [untrusted, wrong, untrusted, wrong]),
        row("forged event, genuine transfer", vec![paid(USDC), forged()], [untrusted, None, untrusted, known]),
        row("a token that moves nothing", vec![by_proxy(FAKE_TOKEN)], [wrong, none, wrong, none]),
        row("ours moves nothing", vec![by_proxy(USDC)], [Some(ProxyEventWithoutTransfer), none, known, none]),
        row("one percent fee", vec![short, by_proxy(USDC)], [Some(FeeOnTransfer), none, known, none]),
        row("address poisoning", vec![transfer(USDC, PAYEE, PAYEE, 0), zero()], [none; 4]),
        row("reverted: no logs", vec![], [none; 4]),
        row("another reference", proxy_payment(PAYEE, HUNDRED, OTHER_TOPIC), [reference, elsewhere, none, none]),
        row("refund: the payer receives", proxy_payment(PAYER, HUNDRED, TOPIC), [elsewhere, elsewhere, none, none]),
        row("authorized in escrow", authorized(), [none, elsewhere, none, none]),
    ]
}

/// Coin: plain, by proxy, by a contract that forwards it.
fn coin_rows() -> Vec<Row> {
    let (none, known) = (Some(Code::NoMatchingTransfer), Some(Code::TokenNotAllowed));
    let elsewhere = Some(Code::WrongRecipient);
    let forwarded = call(PAYER, FORWARDER, HUNDRED, vec![call(FORWARDER, PAYEE, HUNDRED, vec![])]);
    let proxied = call(PAYER, ETH_PROXY, HUNDRED, vec![call(ETH_PROXY, PAYEE, HUNDRED, vec![])]);
    vec![
        Row {
            sent: Some(sends(PAYER, PAYEE, HUNDRED)),
            calls: Some(call(PAYER, PAYEE, HUNDRED, vec![])),
            ..row("coin, plain", vec![], [none, known, none, None])
        },
        Row {
            sent: Some(sends(PAYER, ETH_PROXY, HUNDRED)),
            calls: Some(proxied),
            ..row("coin by proxy", vec![native_event(ETH_PROXY, PAYEE, HUNDRED, TOPIC)], [known, none, None, elsewhere])
        },
        Row {
            sent: Some(sends(PAYER, FORWARDER, HUNDRED)),
            calls: Some(forwarded),
            ..row("coin by a forwarding contract", vec![], [none, known, none, None])
        },
    ]
}

#[test]
fn seventeen_transactions_and_what_each_rail_makes_of_them() {
    let rows: Vec<Row> = token_rows().into_iter().chain(coin_rows()).collect();
    assert_eq!(rows.len(), 17);
    for Row { name, logs, sent, calls, token, direct, coin, coin_direct } in &rows {
        let evidence = Evidence { logs, transaction: sent.as_ref(), calls: calls.as_ref() };
        let columns = [
            (Rail::Reference(ours()), Some(USDC), token),
            (Rail::Direct(Payer::Is(PAYER)), Some(USDC), direct),
            (Rail::Reference(ours()), None, coin),
            (Rail::Direct(Payer::Anyone), None, coin_direct),
        ];
        for (rail, wanted, expected) in columns {
            let mut search = Search::of(rail, &[wanted]);
            search.chain.trace = true;
            let outcome = search.in_all(&evidence);
            match expected {
                None => assert_eq!(found(outcome).amount, U256::from(HUNDRED), "{name}: {rail:?}"),
                Some(expected) => assert_eq!(code(&outcome), *expected, "{name}: {rail:?} of {wanted:?}"),
            }
        }
    }
}

#[test]
fn coin_through_a_forwarding_contract_is_found_by_a_trace_only() {
    let row = coin_rows().pop().unwrap();
    let evidence = Evidence { logs: &row.logs, transaction: row.sent.as_ref(), calls: row.calls.as_ref() };
    let search = Search::of(Rail::Direct(Payer::Anyone), &[None]);
    assert_eq!(code(&search.in_all(&evidence)), Code::WrongRecipient);
    assert_eq!(code(&search.in_all(&Evidence { transaction: None, ..evidence })), Code::NoMatchingTransfer);
}

#[test]
fn other_registered_tokens_and_look_alikes_do_not_pass() {
    let by_proxy = |token| token_event(PROXY, token, PAYEE, HUNDRED, TOPIC);
    let paid = |token| transfer(token, PAYER, PAYEE, HUNDRED);
    let look_alike = address!("0x6923831ACf5c327260D7ac7C9DfF5b1c3cB3C7D8");
    let nothing = vec![transfer(USDC, PAYER, PAYEE, 0), token_event(PROXY, USDC, PAYEE, 0, TOPIC)];
    let rows = [
        ("another registered token", vec![paid(USDT), by_proxy(USDT)], Code::TokenNotAllowed),
        ("look-alike recipient", proxy_payment(look_alike, HUNDRED, TOPIC), Code::WrongRecipient),
        ("nothing through the proxy", nothing, Code::NoMatchingTransfer),
    ];
    for (name, logs, expected) in rows {
        assert_eq!(code(&search_for(Rail::Reference(ours()), &logs)), expected, "{name}");
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
    let doubt = doubt(search_for(Rail::Reference(ours()), &logs));
    let [check] = doubt.checks.as_slice() else { panic!("{doubt:?}") };
    assert!(check.expected.contains(&PROXY.to_string()), "{check:?}");
    assert_eq!(check.actual, FORGER.to_string());
}
