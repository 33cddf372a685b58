//! Deny lists: somebody on one stops the payment, a list that cannot say so stops the larger ones.

use std::path::PathBuf;
use std::sync::Arc;

use alloy_primitives::Address;

use super::*;
use crate::config::Screening;
use crate::screening::list::{DenyFile, DenyList};

const MAX_AGE: Duration = Duration::from_secs(48 * 3600);
const SENDER: Address = Address::repeat_byte(0x51);

fn list(denied: Address, age: Duration) -> Arc<DenyList> {
    let date_us = NOW.now_us - i64::try_from(age.as_micros()).unwrap();
    let file = DenyFile::parse("deny.txt", denied.to_string().as_bytes(), date_us).unwrap();
    DenyList::of(vec![Arc::new(file)]).unwrap()
}

/// Judged with a list configured, whether or not there is one.
fn screened(event: &DueEvent, observations: &Observations, deny: Option<&DenyList>) -> Decision {
    let screening = Screening { files: vec![PathBuf::from("deny.txt")], max_age: MAX_AGE, ..Screening::default() };
    let (source, chains, verification) = (source(), chains(), Verification { screening, ..verification() });
    let rules = Rules { deny, ..rules(&source, &verification, &chains) };
    match begin(event, &rules, &NOW) {
        Begun::Decided(decision) => decision,
        Begun::Ask(question) => conclude(event, &question, &rules, observations, &NOW),
    }
}

/// The payment of the fixture, sent by somebody of its own.
fn paid(amount: u64) -> Observations {
    let mut receipt = receipt(proxy_payment(PAYEE, amount, TOPIC));
    receipt.from = SENDER;
    unanimous(&view(HEIGHT + 100, Some(HEIGHT + 50), receipt))
}

fn sanctions(seen: &Seen) -> crate::model::Check {
    let mut of_name = seen.checks.iter().filter(|check| check.name == CheckName::Sanctions);
    let check = of_name.next().expect("screening is shown").clone();
    assert_eq!(of_name.next(), None, "shown once");
    check
}

#[test]
fn whoever_is_on_the_list_the_payment_is_held_and_the_trace_says_who() {
    let named = Address::repeat_byte(0x77);
    let mut event = expected_event();
    event.claim.as_mut().unwrap().payer = Some(format!("{named:#x}").to_uppercase().replacen("0X", "0x", 1));
    for (denied, part) in [
        (PAYER, "the sender of the transfer"),
        (SENDER, "the sender of the transaction"),
        (named, "the payer named by the provider"),
        (USDC, "the token"),
        (PAYEE, "the recipient"),
    ] {
        let held = recorded(screened(&event, &paid(HUNDRED), Some(&list(denied, Duration::ZERO))));
        assert_eq!((held.state, held.code, held.due_us), (EventState::Held, Code::Sanctioned, None), "{part}");
        let check = sanctions(&held.seen);
        assert_eq!(check.outcome, CheckOutcome::Fail);
        assert!(check.actual.starts_with(&format!("{part}, {denied}, is on deny.txt of 2026-")), "{}", check.actual);
        assert_eq!(held.anchor, Some(anchor()));
    }
    let others = confirmed(screened(&event, &paid(HUNDRED), Some(&list(STRANGER, Duration::ZERO))));
    assert_eq!(others.code, Code::Verified, "who takes the proxy's fee is no part of the payment");
}

#[test]
fn the_second_of_two_transfers_is_screened_too() {
    let mut logs = proxy_payment(PAYEE, HUNDRED, TOPIC);
    logs.push(transfer(USDC, SENDER, PAYEE, HUNDRED));
    logs.push(token_event(PROXY, USDC, PAYEE, HUNDRED, TOPIC));
    let held = recorded(screened(&expected_event(), &final_block(logs), Some(&list(SENDER, Duration::ZERO))));
    assert_eq!(held.code, Code::Sanctioned, "{:?}", held.seen);
}

#[test]
fn a_clean_payment_says_by_which_list() {
    let confirmation = confirmed(screened(&expected_event(), &paid(HUNDRED), Some(&list(STRANGER, Duration::ZERO))));
    let Content::Payment(_, proof) = &confirmation.content else { panic!("a payment") };
    let check = sanctions(&confirmation.seen);
    assert!(proof.checks.contains(&check), "the message says it");
    assert_eq!(check.outcome, CheckOutcome::Pass);
    assert!(check.actual.contains("with 1 addresses, sha256 "), "{}", check.actual);
}

#[test]
fn a_stale_list_stops_large_payments_and_is_noted_on_small_ones() {
    let old = list(STRANGER, MAX_AGE + Duration::from_secs(1));
    let small = confirmed(screened(&expected_event(), &paid(HUNDRED), Some(&old)));
    assert_eq!((small.code, sanctions(&small.seen).outcome), (Code::Verified, CheckOutcome::Note));
    let large = recorded(screened(&expected_event(), &paid(5_000_000_000), Some(&old)));
    assert_eq!((large.state, large.code), (EventState::Undetermined, Code::ScreeningStale));
    assert!(large.due_us.is_some_and(|due| NOW.now_us < due), "a fresh list frees it");
    assert_eq!(sanctions(&large.seen).outcome, CheckOutcome::Unknown);
    let listed = list(PAYER, MAX_AGE + Duration::from_secs(1));
    assert_eq!(recorded(screened(&expected_event(), &paid(HUNDRED), Some(&listed))).code, Code::Sanctioned);
}

#[test]
fn a_configured_list_that_is_not_there_stops_every_payment() {
    let waits = recorded(screened(&expected_event(), &paid(HUNDRED), None));
    assert_eq!((waits.state, waits.code), (EventState::Undetermined, Code::ScreeningUnavailable));
    assert!(waits.due_us.is_some());
}

#[test]
fn without_lists_the_message_says_that_nothing_was_screened() {
    let confirmation = confirmed(decide(&expected_event(), &paid(HUNDRED)));
    let check = sanctions(&confirmation.seen);
    assert_eq!((check.outcome, check.actual.as_str()), (CheckOutcome::Note, "not asked: no deny list is configured"));
}

#[test]
fn a_denied_payment_waits_for_its_depth_like_any_verdict_and_is_denied_before_it_is_late() {
    let shallow = unanimous(&view(HEIGHT, None, receipt(proxy_payment(PAYEE, HUNDRED, TOPIC))));
    let denied = list(PAYER, Duration::ZERO);
    let waits = recorded(screened(&expected_event(), &shallow, Some(&denied)));
    assert_eq!((waits.state, waits.code), (EventState::AwaitingFinality, Code::Sanctioned));
    let mut stored = expectation();
    stored.terms.deadline = Some(at_seconds(BLOCK_TIME - 1));
    let late = event(Some(claim()), Some(stored));
    let held = recorded(screened(&late, &paid(HUNDRED), Some(&denied)));
    assert_eq!(held.code, Code::Sanctioned, "an operator may accept what is late");
    assert_eq!(outcome(&held.seen, CheckName::Time), Some(CheckOutcome::Fail), "and the trace says both");
    // What is late and was screened by a stale list is late first: that does not end by itself.
    let old = list(STRANGER, MAX_AGE + Duration::from_secs(1));
    assert_eq!(recorded(screened(&late, &paid(5_000_000_000), Some(&old))).code, Code::Late);
}
