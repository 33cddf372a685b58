//! Direct rails: a token's own transfer (R5), coin that goes along (R6), and coin that a contract passes on (R7).

use super::*;
use crate::chain::{CallFrame, CallKind};

fn coin(payer: Payer) -> Search {
    Search::of(Rail::Direct(payer), &[None])
}

fn traced(payer: Payer) -> Search {
    let mut search = coin(payer);
    search.chain.trace = true;
    search
}

fn with<'a>(transaction: &'a Transaction, calls: Option<&'a CallFrame>) -> Evidence<'a> {
    Evidence { logs: &[], transaction: Some(transaction), calls }
}

#[test]
fn coin_that_goes_along_is_the_payment() {
    let sent = sends(PAYER, PAYEE, 42);
    for payer in [Payer::Is(PAYER), Payer::Anyone] {
        let one = found(coin(payer).in_all(&with(&sent, None)));
        assert_eq!(
            (one.amount, one.payer, one.token, slots(&one)),
            (U256::from(42), Some(PAYER), None, vec!["value".into()])
        );
    }
    let look = |payer, sent: &Transaction| code(&coin(payer).in_all(&with(sent, None)));
    assert_eq!(look(Payer::Undecidable, &sent), Code::AmbiguousMatch);
    assert_eq!(look(Payer::Is(STRANGER), &sent), Code::NoMatchingTransfer);
    assert_eq!(look(Payer::Anyone, &sends(PAYER, STRANGER, 42)), Code::WrongRecipient);
    assert_eq!(look(Payer::Anyone, &sends(PAYER, PAYEE, 0)), Code::NoMatchingTransfer);
    assert_eq!(look(Payer::Anyone, &sends(PAYEE, PAYEE, 42)), Code::NoMatchingTransfer, "to himself");
    assert_eq!(look(Payer::Anyone, &Transaction { to: None, ..sent }), Code::NoMatchingTransfer);
    // Where a token is expected, coin is another token; and by reference nothing direct counts.
    let token = Search::of(Rail::Direct(Payer::Anyone), &[Some(USDC)]);
    assert_eq!(code(&token.in_all(&with(&sent, None))), Code::TokenNotAllowed);
    let reference = Search::of(Rail::Reference(ours()), &[None]);
    assert_eq!(code(&reference.in_all(&with(&sent, None))), Code::NoMatchingTransfer);
}

#[test]
fn coin_that_a_contract_passes_on_needs_the_chains_trace() {
    let forwarder = address!("0x4444444444444444444444444444444444444444");
    let sent = sends(PAYER, forwarder, 42);
    let borrowed = CallFrame { kind: CallKind::Other, ..call(forwarder, STRANGER, 42, vec![]) };
    let paid = call(forwarder, STRANGER, 0, vec![borrowed.clone(), call(forwarder, PAYEE, 42, vec![])]);
    let calls = call(PAYER, forwarder, 42, vec![borrowed, paid]);
    let one = found(traced(Payer::Anyone).in_all(&with(&sent, Some(&calls))));
    assert_eq!((one.amount, one.payer, slots(&one)), (U256::from(42), Some(forwarder), vec!["trace:1.1".into()]));
    // Not asked for, it is not read, even if it is there.
    assert_eq!(code(&coin(Payer::Anyone).in_all(&with(&sent, Some(&calls)))), Code::WrongRecipient);
    assert_eq!(code(&traced(Payer::Is(PAYER)).in_all(&with(&sent, Some(&calls)))), Code::NoMatchingTransfer);
}

#[test]
fn a_call_that_was_undone_or_only_borrows_code_pays_nobody() {
    let forwarder = address!("0x4444444444444444444444444444444444444444");
    let sent = sends(PAYER, forwarder, 42);
    let pays = || call(forwarder, PAYEE, 42, vec![]);
    let failed = |frame: CallFrame| CallFrame { failed: true, ..frame };
    let cases = [
        vec![failed(pays())],
        // It did not fail itself; what it was part of did.
        vec![failed(call(forwarder, STRANGER, 0, vec![pays()]))],
        vec![CallFrame { kind: CallKind::Other, ..pays() }],
        vec![CallFrame { value: U256::ZERO, ..pays() }],
        vec![CallFrame { from: PAYEE, ..pays() }],
        vec![],
    ];
    for inside in cases {
        let calls = call(PAYER, forwarder, 42, inside);
        let outcome = traced(Payer::Anyone).in_all(&with(&sent, Some(&calls)));
        assert_eq!(code(&outcome), Code::WrongRecipient, "{calls:?}");
    }
    let calls = failed(call(PAYER, forwarder, 42, vec![pays()]));
    assert_eq!(code(&traced(Payer::Anyone).in_all(&with(&sent, Some(&calls)))), Code::WrongRecipient);
}

#[test]
fn coin_out_of_a_proxy_is_the_proxys_payment_and_no_direct_one() {
    for proxy in [ETH_PROXY, ETH_PLAIN, ETH_CONVERSION] {
        let sent = sends(PAYER, proxy, 42);
        let calls = call(PAYER, proxy, 42, vec![call(proxy, PAYEE, 42, vec![])]);
        let outcome = traced(Payer::Anyone).in_all(&with(&sent, Some(&calls)));
        assert_eq!(code(&outcome), Code::WrongRecipient, "{proxy}");
    }
}

#[test]
fn value_calls_and_transfers_together_are_several_candidates() {
    let sent = sends(PAYER, PAYEE, 42);
    let calls = call(PAYER, PAYEE, 42, vec![call(STRANGER, PAYEE, 1, vec![])]);
    assert_eq!(code(&traced(Payer::Anyone).in_all(&with(&sent, Some(&calls)))), Code::AmbiguousMatch);
    let either = Search::of(Rail::Direct(Payer::Anyone), &[None, Some(USDC)]);
    let logs = [transfer(USDC, PAYER, PAYEE, HUNDRED)];
    let evidence = Evidence { logs: &logs, ..with(&sent, None) };
    assert_eq!(code(&either.in_all(&evidence)), Code::AmbiguousMatch);
    assert_eq!(found(either.in_logs(&logs)).way, 1);
}

#[test]
fn what_has_to_be_asked_for_is_what_could_hold_the_money() {
    let (sent, calls) = (sends(PAYER, PAYEE, 42), call(PAYER, PAYEE, 42, vec![]));
    let (nothing, value, all) = (Evidence::of_logs(&[]), with(&sent, None), with(&sent, Some(&calls)));
    let cases = [
        (coin(Payer::Anyone), [Some(Needs::Transaction), None, None]),
        (traced(Payer::Anyone), [Some(Needs::Transaction), Some(Needs::Trace), None]),
        (Search::of(Rail::Direct(Payer::Anyone), &[Some(USDC)]), [None; 3]),
        (Search::of(Rail::Direct(Payer::Anyone), &[Some(USDC), None]), [Some(Needs::Transaction), None, None]),
        (Search::of(Rail::Reference(ours()), &[None]), [None; 3]),
        (Search::of(Rail::Direct(Payer::Anyone), &[]), [None; 3]),
    ];
    for (search, expected) in cases {
        assert_eq!(
            [nothing, value, all].map(|evidence| search.query().needs(&evidence)),
            expected,
            "{:?}",
            search.wanted
        );
    }
}

#[test]
fn a_coin_and_its_token_are_one_money() {
    let celo = chain_config::Registry::builtin().unwrap().chain("celo").unwrap().clone();
    let token = celo.token_named("CELO").unwrap().address;
    let on_celo = |rail, wanted| Search { chain: celo.clone(), ..Search::of(rail, &[wanted]) };
    let direct = Rail::Direct(Payer::Anyone);
    let sent = sends(PAYER, PAYEE, 42);
    let as_token = on_celo(direct, Some(token));
    let one = found(as_token.in_all(&with(&sent, None)));
    assert_eq!((one.way, one.token, slots(&one)), (0, Some(token), vec!["value".into()]));
    assert_eq!(as_token.query().needs(&Evidence::of_logs(&[])), Some(Needs::Transaction));
    let logs = [transfer(token, PAYER, PAYEE, 42)];
    assert_eq!(found(on_celo(direct, None).in_logs(&logs)).token, None, "as the expectation names it");
    let proxy = *celo.contracts.eth_fee_proxy.first().unwrap();
    let by_reference = on_celo(Rail::Reference(ours()), Some(token));
    let both = [native_event(proxy, PAYEE, 42, TOPIC), native_event(proxy, PAYEE, 1, TOPIC)];
    let one = found(by_reference.in_logs(&both));
    assert_eq!((one.amount, one.token, one.consumed[0].token), (U256::from(43), Some(token), Some(token)));
    // Nowhere else: on Base the coin is not a token, and here another token is not the coin.
    let other = celo.token_named("cUSD").unwrap().address;
    assert_eq!(code(&on_celo(direct, Some(other)).in_all(&with(&sent, None))), Code::TokenNotAllowed);
    // What is named comes before what is the same.
    let mut both = on_celo(direct, None);
    both.wanted.push(Wanted { way: 1, token: Some(token), recipients: vec![PAYEE] });
    assert_eq!(found(both.in_logs(&logs)).way, 1);
}

#[test]
fn a_poisoned_look_alike_is_another_recipient_and_is_named() {
    // The digits at both ends are the recipient's: what a wallet shows, and what an attacker copies.
    let alike = address!("0x69238300000000000000000000000000000007d7");
    let transfers = [transfer(USDC, PAYER, STRANGER, 1), transfer(USDC, PAYER, alike, HUNDRED)];
    let by_proxy = proxy_payment(alike, HUNDRED, TOPIC);
    for (rail, logs) in
        [(Rail::Direct(Payer::Is(PAYER)), transfers.as_slice()), (Rail::Reference(ours()), by_proxy.as_slice())]
    {
        let doubt = doubt(search_for(rail, logs));
        assert_eq!(doubt.code, Code::WrongRecipient);
        let told = format!("{alike}, which only looks like {PAYEE}");
        assert_eq!(doubt.checks[0].actual, told, "{doubt:?}");
    }
    let plain = doubt(search_for(Rail::Direct(Payer::Is(PAYER)), &transfers[..1]));
    assert_eq!(plain.checks[0].actual, STRANGER.to_string());
}

#[test]
fn a_wrong_token_is_told_by_symbol_and_contract() {
    let told = |token| {
        let doubt = doubt(search_for(Rail::Direct(Payer::Anyone), &[transfer(token, PAYER, PAYEE, HUNDRED)]));
        (doubt.code, doubt.checks[0].expected.clone(), doubt.checks[0].actual.clone())
    };
    let ours = format!("USDC {USDC}");
    assert_eq!(told(USDT), (Code::TokenNotAllowed, ours.clone(), format!("USDT {USDT}")));
    assert_eq!(told(FAKE_TOKEN), (Code::WrongToken, ours, format!("{FAKE_TOKEN}, not registered")));
}
