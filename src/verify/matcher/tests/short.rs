//! Less arrived than the proxy says: held, unless the token is registered to be credited so.

use super::*;

/// A token of Base that takes a fee.
fn taxed(credit_received: bool) -> Search {
    let mut search = Search::of(Rail::Reference(ours()), &[Some(FAKE_TOKEN)]);
    search.chain.tokens.push(Token {
        symbol: "FEE".to_owned(),
        address: FAKE_TOKEN,
        decimals: 6,
        usd: None,
        class: TokenClass::FeeOnTransfer,
        credit_received,
    });
    search
}

fn paid(arrives: u64, stated: u64, topic: B256) -> Vec<Log> {
    vec![transfer(FAKE_TOKEN, PAYER, PAYEE, arrives), token_event(PROXY, FAKE_TOKEN, PAYEE, stated, topic)]
}

#[test]
fn what_arrived_is_credited_where_the_registry_says_so() {
    let logs = paid(99, 100, TOPIC);
    let doubt = doubt(taxed(false).in_logs(&logs));
    assert_eq!(
        (doubt.code, doubt.checks[0].expected.as_str(), doubt.checks[0].actual.as_str()),
        (Code::FeeOnTransfer, "100", "99")
    );
    let one = found(taxed(true).in_logs(&logs));
    assert_eq!((one.amount, one.stated), (U256::from(99), U256::from(100)));
    assert_eq!((one.consumed[0].amount, slots(&one)), (U256::from(99), vec!["log:0".into(), "log:1".into()]));
}

#[test]
fn more_than_stated_nothing_and_another_recipient_are_not_short() {
    let elsewhere = vec![transfer(FAKE_TOKEN, PAYER, STRANGER, 99), token_event(PROXY, FAKE_TOKEN, PAYEE, 100, TOPIC)];
    let mut after = paid(99, 100, TOPIC);
    after.reverse();
    for logs in [paid(101, 100, TOPIC), paid(0, 100, TOPIC), elsewhere, after] {
        assert_eq!(code(&taxed(true).in_logs(&logs)), Code::ProxyEventWithoutTransfer, "{logs:?}");
    }
}

#[test]
fn an_equal_transfer_is_never_taken_for_a_short_one() {
    // The second event's own transfer is less than what the first one states.
    let logs = [paid(50, 50, OTHER_TOPIC), paid(0, 100, TOPIC)].concat();
    assert_eq!(code(&taxed(true).in_logs(&logs)), Code::ProxyEventWithoutTransfer);
    let mut before = taxed(true);
    before.rail = Rail::Reference(other());
    assert_eq!(slots(&found(before.in_logs(&logs))), ["log:0", "log:1"]);
}

#[test]
fn each_short_transfer_stands_for_one_event() {
    let logs = [paid(99, 100, TOPIC), paid(49, 50, OTHER_TOPIC)].concat();
    assert_eq!(slots(&found(taxed(true).in_logs(&logs))), ["log:0", "log:1"]);
    let second = Search { rail: Rail::Reference(other()), ..taxed(true) };
    assert_eq!(slots(&found(second.in_logs(&logs))), ["log:2", "log:3"]);
    let once = [paid(99, 100, OTHER_TOPIC), vec![token_event(PROXY, FAKE_TOKEN, PAYEE, 100, TOPIC)]].concat();
    assert_eq!(code(&taxed(true).in_logs(&once)), Code::ProxyEventWithoutTransfer);
}

#[test]
fn a_short_transfer_is_no_direct_payment() {
    let direct = Search { rail: Rail::Direct(Payer::Is(PAYER)), ..taxed(false) };
    assert_eq!(code(&direct.in_logs(&paid(99, 100, TOPIC))), Code::NoMatchingTransfer);
    assert_eq!(slots(&found(direct.in_logs(&paid(99, 100, TOPIC)[..1]))), ["log:0"]);
}
