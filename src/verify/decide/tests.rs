//! A table a purpose: what a due event and the observations come to.

use alloy_primitives::B256;

use super::*;
use crate::ledger::StoredExpectation;
use crate::ledger::{Reach, Wait};
use crate::model::{Assurance, CheckName, CheckOutcome, Class, ExpectationKey, Finality, Rail, Slot};
use crate::verify::fixture::*;

mod charges;
mod claims;
mod lost;
mod rails;
mod reorgs;
mod screened;
mod traced;
mod windows;

/// Rules of these, and nothing else in force.
pub(super) fn rules<'a>(
    source: &'a Source,
    verification: &'a Verification,
    chains: &'a BTreeMap<String, ActiveChain>,
) -> Rules<'a> {
    static STOPPED: BTreeSet<String> = BTreeSet::new();
    static STANDINGS: BTreeMap<u64, Standing> = BTreeMap::new();
    Rules { source: Some(source), verification, chains, stopped: &STOPPED, standings: &STANDINGS, deny: None }
}

/// Both steps, with the fixture's rules.
pub(super) fn decide(event: &DueEvent, observations: &Observations) -> Decision {
    decide_by(event, observations, &verification(), NOW)
}

pub(super) fn decide_by(
    event: &DueEvent,
    observations: &Observations,
    verification: &Verification,
    moment: Moment,
) -> Decision {
    let (source, chains) = (source(), chains());
    let rules = rules(&source, verification, &chains);
    match begin(event, &rules, &moment) {
        Begun::Decided(decision) => decision,
        Begun::Ask(question) => conclude(event, &question, &rules, observations, &moment),
    }
}

pub(super) fn confirmed(decision: Decision) -> Confirmation {
    match decision {
        Decision::Confirm(confirmation) => *confirmation,
        other @ (Decision::Record(_) | Decision::Retract(_) | Decision::Reanchor(_)) => panic!("{other:?}"),
    }
}

pub(super) fn recorded(decision: Decision) -> Recorded {
    match decision {
        Decision::Record(recorded) => *recorded,
        other @ (Decision::Confirm(_) | Decision::Retract(_) | Decision::Reanchor(_)) => panic!("{other:?}"),
    }
}

pub(super) fn outcome(seen: &Seen, name: CheckName) -> Option<CheckOutcome> {
    seen.checks.iter().find(|check| check.name == name).map(|check| check.outcome)
}

fn expected_event() -> DueEvent {
    event(Some(claim()), Some(expectation()))
}

#[test]
fn a_proven_payment_is_confirmed_with_everything_a_backend_needs() {
    let confirmation = confirmed(decide(&expected_event(), &final_block(proxy_payment(PAYEE, HUNDRED, TOPIC))));
    assert_eq!(confirmation.code, Code::Verified);
    assert_eq!(confirmation.anchor, Some(anchor()));
    assert_eq!(confirmation.amount, U256::from(HUNDRED));
    assert_eq!(confirmation.expectation, Some(("order-17".to_owned(), 7, 0)));
    assert_eq!(confirmation.joins_by.as_ref().unwrap().reference, REFERENCE);
    let slots: Vec<_> = confirmation.slots.iter().map(|slot| (slot.key.slot, slot.amount)).collect();
    assert_eq!(slots, [(Slot::Log(0), U256::from(HUNDRED)), (Slot::Log(2), U256::ZERO)]);
    let Content::Payment(payment, proof) = confirmation.content else { panic!("a payment") };
    assert_eq!((payment.token_symbol.as_str(), payment.token_decimals), ("USDC", 6));
    assert_eq!((payment.recipient, payment.payer, payment.fee), (PAYEE, Some(PAYER), U256::from(1_000_000)));
    assert_eq!((proof.assurance, proof.tier.as_str(), proof.finality), (Assurance::A3, "T1", Finality::Final));
    assert_eq!((proof.confirmations, proof.votes.len()), (101, 3));
    // Nothing is screened and no sender proven in this fixture, and the message says so.
    let notes = [CheckName::Sanctions, CheckName::Sender];
    let mut asked = proof.checks.iter().filter(|check| !notes.contains(&check.name));
    assert!(asked.all(|check| check.outcome == CheckOutcome::Pass), "{:?}", proof.checks);
}

#[test]
fn what_the_provider_says_wrongly_is_a_note_and_the_proven_values_go_out() {
    let mut lying = expected_event();
    let claim = lying.claim.as_mut().unwrap();
    (claim.amount, claim.currency, claim.payer) =
        (Some("1000000".to_owned()), Some("USDT".to_owned()), Some(STRANGER.to_string()));
    let confirmation = confirmed(decide(&lying, &final_block(proxy_payment(PAYEE, HUNDRED, TOPIC))));
    let notes = confirmation.seen.checks.iter().filter(|c| c.name == CheckName::Claim);
    assert_eq!(notes.map(|check| check.outcome).collect::<Vec<_>>(), [CheckOutcome::Note; 3]);
    assert_eq!(confirmation.amount, U256::from(HUNDRED));
}

#[test]
fn a_transaction_where_its_expectation_takes_no_money_is_on_the_wrong_chain() {
    let mut stored = expectation();
    (stored.terms.accept[0].chain, stored.terms.accept[0].chain_id) = ("celo".to_owned(), 42_220);
    let elsewhere = event(Some(claim()), Some(stored));
    let refuted = recorded(decide(&elsewhere, &final_block(proxy_payment(PAYEE, HUNDRED, TOPIC))));
    assert_eq!((refuted.state, refuted.code), (EventState::Refuted, Code::WrongChain));
    let chain = refuted.seen.checks.iter().find(|check| check.name == CheckName::Chain).unwrap();
    assert_eq!((chain.outcome, chain.expected.as_str(), chain.actual.as_str()), (CheckOutcome::Fail, "42220", "8453"));
}

#[test]
fn what_stands_on_a_chain_that_was_taken_out_of_the_configuration_stays_and_waits() {
    for state in [EventState::Forwarding, EventState::Forwarded] {
        let mut sent = expected_event();
        (sent.state, sent.code, sent.anchor) = (state, Some(Code::Verified), Some(Anchor { chain_id: 1, ..anchor() }));
        let waits = recorded(decide(&sent, &Observations::default()));
        assert_eq!((waits.state, waits.code, waits.anchor), (state, Code::Verified, None));
        assert!(waits.due_us.is_some_and(|due| NOW.now_us + 30_000_000 < due));
    }
}

#[test]
fn a_refusal_is_written_on_a_final_block_and_waits_until_then() {
    let reverted = |head, tags| {
        let mut view = view(head, tags, receipt(vec![]));
        view.receipt.as_mut().unwrap().status = Some(0);
        unanimous(&view)
    };
    let early = recorded(decide(&expected_event(), &reverted(HEIGHT + 2, None)));
    assert_eq!((early.state, early.code), (EventState::AwaitingFinality, Code::TxReverted));
    assert!(early.due_us.is_some_and(|due| NOW.now_us < due));
    let deep = recorded(decide(&expected_event(), &reverted(HEIGHT + 500, None)));
    assert_eq!(deep.state, EventState::AwaitingFinality, "depth alone is not final");
    let last = recorded(decide(&expected_event(), &reverted(HEIGHT + 500, Some(HEIGHT))));
    assert_eq!((last.state, last.code, last.due_us), (EventState::Refuted, Code::TxReverted, None));
    assert_eq!(last.anchor, Some(anchor()));
}

#[test]
fn every_refusal_ends_in_the_state_of_its_class() {
    let by_proxy = |token| token_event(PROXY, token, PAYEE, HUNDRED, TOPIC);
    let cases = [
        (vec![], Code::NoMatchingTransfer),
        (proxy_payment(STRANGER, HUNDRED, TOPIC), Code::WrongRecipient),
        (vec![transfer(FAKE_TOKEN, PAYER, PAYEE, HUNDRED), by_proxy(FAKE_TOKEN)], Code::WrongToken),
        (vec![transfer(USDT, PAYER, PAYEE, HUNDRED), by_proxy(USDT)], Code::TokenNotAllowed),
        (proxy_payment(PAYEE, HUNDRED, OTHER_TOPIC), Code::WrongReference),
        (vec![token_event(STRANGER, USDC, PAYEE, HUNDRED, TOPIC)], Code::UntrustedEmitter),
        (vec![by_proxy(USDC)], Code::ProxyEventWithoutTransfer),
        (vec![transfer(USDC, PAYER, PAYEE, HUNDRED - 1), by_proxy(USDC)], Code::FeeOnTransfer),
    ];
    for (logs, code) in cases {
        let result = recorded(decide(&expected_event(), &final_block(logs)));
        let state = if code.class() == Class::Terminal { EventState::Refuted } else { EventState::Held };
        assert_eq!((result.code, result.state, result.due_us), (code, state, None));
        assert!(result.seen.checks.iter().any(|check| check.outcome == CheckOutcome::Fail), "{code} shows why");
    }
}

#[test]
fn a_receipt_without_a_known_status_is_held() {
    for status in [None, Some(2)] {
        let mut view = view(HEIGHT + 100, Some(HEIGHT + 50), receipt(proxy_payment(PAYEE, HUNDRED, TOPIC)));
        view.receipt.as_mut().unwrap().status = status;
        let result = recorded(decide(&expected_event(), &unanimous(&view)));
        assert_eq!((result.state, result.code), (EventState::Held, Code::ReceiptUnsupported));
    }
}

#[test]
fn nothing_is_confirmed_before_its_tier_is_reached() {
    // 100 dollars on Base: T1, ten confirmations.
    let at = |head, amount| {
        let logs = proxy_payment(PAYEE, amount, TOPIC);
        decide(&expected_event(), &unanimous(&view(head, None, receipt(logs))))
    };
    let early = recorded(at(HEIGHT + 8, HUNDRED));
    assert_eq!((early.state, early.code), (EventState::AwaitingFinality, Code::WaitingConfirmations));
    let wait = Some(Wait { chain_id: 8453, reach: Reach::Head, height: HEIGHT + 9 });
    assert_eq!((early.wait, early.due_us), (wait, Some(NOW.after(schedule::IN_ANY_CASE))), "nobody is asked meanwhile");
    assert_eq!(outcome(&early.seen, CheckName::Finality), Some(CheckOutcome::Unknown));
    assert_eq!(confirmed(at(HEIGHT + 9, HUNDRED)).code, Code::Verified);
    // Twenty thousand dollars need `finalized`, and no depth replaces it.
    let large = recorded(at(HEIGHT + 5_000, 20_000_000_000));
    assert_eq!((large.state, large.code), (EventState::AwaitingFinality, Code::WaitingConfirmations));
    assert_eq!(large.wait, None, "no node shows the tag: it is looked at now and then");
}

/// An event that waits for ten confirmations, as the ledger hands it out when it is woken.
fn waiting_event() -> DueEvent {
    let mut event = expected_event();
    (event.state, event.code) = (EventState::AwaitingFinality, Some(Code::WaitingConfirmations));
    (event.anchor, event.wait) =
        (Some(anchor()), Some(Wait { chain_id: 8453, reach: Reach::Head, height: HEIGHT + 9 }));
    event
}

#[test]
fn what_is_not_reached_by_the_last_poll_waits_on_without_a_look() {
    let (source, chains, verification) = (source(), chains(), verification());
    let begun = |event: &DueEvent, head, finalized_lag_s| {
        let standing = Standing { head, safe: None, finalized: Some(1), safe_lag_s: None, finalized_lag_s };
        let standings = BTreeMap::from([(8453, standing)]);
        let rules = Rules {
            source: Some(&source),
            verification: &verification,
            chains: &chains,
            stopped: &BTreeSet::new(),
            standings: &standings,
            deny: None,
        };
        begin(event, &rules, &NOW)
    };
    let event = waiting_event();
    let Begun::Decided(decision) = begun(&event, HEIGHT + 8, Some(1)) else { panic!("asked") };
    let still = recorded(decision);
    assert_eq!((still.state, still.code), (EventState::AwaitingFinality, Code::WaitingConfirmations));
    assert_eq!((still.wait, still.anchor), (event.wait, event.anchor));
    let Begun::Ask(question) = begun(&event, HEIGHT + 9, Some(1)) else { panic!("not asked") };
    assert_eq!(question.plan.look, Look::Receipt(anchor()));
    // A tag that stands still says so, and nothing is weakened for it.
    let mut tagged = waiting_event();
    tagged.wait = Some(Wait { chain_id: 8453, reach: Reach::Finalized, height: HEIGHT });
    let Begun::Decided(decision) = begun(&tagged, HEIGHT + 99, Some(1_000_000)) else { panic!("asked") };
    assert_eq!(recorded(decision).code, Code::ChainFinalityStalled);
    // Woken because its block may be gone, it is looked at whatever it waits for.
    let woken = DueEvent { wait: None, ..waiting_event() };
    assert!(matches!(begun(&woken, HEIGHT + 1, Some(1)), Begun::Ask(_)));
}

#[test]
fn a_contradicting_minority_stops_large_amounts_until_the_chain_is_final() {
    let with_dissent = |amount, tags| {
        let one = view(HEIGHT + 20, tags, receipt(proxy_payment(PAYEE, amount, TOPIC)));
        let mut other = one.clone();
        other.receipt = None;
        other.header_at = Some(header(HEIGHT, B256::repeat_byte(0xee)));
        seen(vec![Ok(one.clone()), Ok(one), Ok(other)])
    };
    // `safe` reached, as T2 wants; `finalized` not.
    let large = |finalized: Option<u64>| {
        let mut observations = with_dissent(5_000_000_000, Some(HEIGHT));
        for node in &mut observations.nodes {
            node.answer.as_mut().unwrap().finalized = finalized.map(|n| header(n, BLOCK));
        }
        observations
    };
    assert_eq!(confirmed(decide(&expected_event(), &with_dissent(HUNDRED, None))).code, Code::Verified);
    let held_back = recorded(decide(&expected_event(), &large(None)));
    assert_eq!((held_back.state, held_back.code), (EventState::Undetermined, Code::RpcDisagreement));
    assert_eq!(confirmed(decide(&expected_event(), &large(Some(HEIGHT)))).code, Code::Verified);
}

#[test]
fn a_message_waits_for_the_last_look_at_its_block() {
    let mut waiting = expected_event();
    (waiting.state, waiting.code, waiting.anchor) =
        (EventState::Forwarding, Some(Code::VerifiedPartial), Some(anchor()));
    let same = view(HEIGHT + 9, None, receipt(vec![]));
    let kept = recorded(decide(&waiting, &unanimous(&same)));
    assert_eq!((kept.state, kept.code, kept.anchor), (EventState::Forwarding, Code::VerifiedPartial, Some(anchor())));
    let other = crate::chain::NodeView { header_at: Some(header(HEIGHT, B256::ZERO)), ..same };
    let lost = recorded(decide(&waiting, &unanimous(&other)));
    assert_eq!((lost.state, lost.code, lost.anchor), (EventState::Verifying, Code::Reorged, None));
    let unclear = recorded(decide(&waiting, &Observations::default()));
    assert_eq!((unclear.state, unclear.code, unclear.anchor), (EventState::Forwarding, Code::RpcUnavailable, None));
    assert_eq!(unclear.due_us, Some(NOW.now_us + 1_000_000));
}

#[test]
fn a_forwarded_payment_is_settled_when_its_block_is_final() {
    let mut sent = expected_event();
    (sent.state, sent.code, sent.anchor) = (EventState::Forwarded, Some(Code::Verified), Some(anchor()));
    let look = |view: &crate::chain::NodeView| recorded(decide(&sent, &unanimous(view)));
    let soft = look(&view(HEIGHT + 9, Some(HEIGHT - 1), receipt(vec![])));
    assert_eq!((soft.state, soft.code), (EventState::Forwarded, Code::Verified));
    assert!(soft.due_us.is_some_and(|due| NOW.now_us + 30_000_000 <= due));
    let last = look(&view(HEIGHT + 9, Some(HEIGHT), receipt(vec![])));
    assert_eq!((last.state, last.code, last.due_us), (EventState::Settled, Code::Verified, None));
    let other = crate::chain::NodeView {
        header_at: Some(header(HEIGHT, B256::ZERO)),
        ..view(HEIGHT + 9, Some(HEIGHT), receipt(vec![]))
    };
    let gone = look(&other);
    assert_eq!((gone.state, gone.code), (EventState::Forwarded, Code::Reorged));
    let unclear = recorded(decide(&sent, &Observations::default()));
    assert_eq!((unclear.state, unclear.code), (EventState::Forwarded, Code::Verified));
}

#[test]
fn a_thin_event_goes_out_when_its_twin_did_not_come() {
    let confirmation = confirmed(decide(&event(None, None), &Observations::default()));
    assert_eq!((confirmation.code, confirmation.anchor), (Code::ProviderEvent, None));
    assert!(matches!(confirmation.content, Content::Thin));
    assert!(confirmation.slots.is_empty());
}

#[test]
fn a_source_taken_out_of_the_configuration_stops_its_claims_and_not_its_payments() {
    let (source, verification, chains) = (source(), verification(), chains());
    let rules = Rules { source: None, ..rules(&source, &verification, &chains) };
    let Begun::Decided(decision) = begin(&expected_event(), &rules, &NOW) else { panic!("asks for nothing") };
    let waits = recorded(decision);
    assert_eq!((waits.state, waits.code), (EventState::Undetermined, Code::Internal));
    let mut sent = expected_event();
    (sent.state, sent.anchor) = (EventState::Forwarding, Some(anchor()));
    assert!(matches!(begin(&sent, &rules, &NOW), Begun::Ask(_)));
}

#[test]
fn ended_events_stand_still() {
    for state in [EventState::Settled, EventState::Ignored, EventState::Dead, EventState::Retracted] {
        let mut ended = expected_event();
        (ended.state, ended.code) = (state, Some(Code::TestMode));
        let still = recorded(decide(&ended, &final_block(proxy_payment(PAYEE, HUNDRED, TOPIC))));
        assert_eq!((still.state, still.code, still.due_us), (state, Code::TestMode, None));
    }
}
