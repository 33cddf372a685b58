//! Payments that leave the chain after they were sent, waiting by height, and what operators set for chains.

use alloy_primitives::U256;
use chain_config::{Need, Tag, TierSpec};

use super::Rig;
use super::fixtures::*;
use crate::ledger::*;
use crate::message::{MessageType, Rendered};
use crate::model::{Code, EventState, ExpectationState, WebhookId};

fn who() -> Who {
    Who { name: "ada".to_owned(), from: "cli".to_owned(), reason: Some("test".to_owned()) }
}

fn retract(due: &DueEvent, reason: Code) -> Retract {
    Retract {
        event_id: due.event_id,
        version: due.version,
        now_us: T0 + 100 * S,
        reason,
        due_us: Some(T0 + 200 * S),
        trace: serde_json::json!({}),
        render: Box::new(|recalled| {
            let left = recalled.expectation.as_ref().map(|(stored, way)| format!("{} left", stored.received[*way]));
            let body =
                format!("{} {} {left:?} said {}", recalled.payment_id.as_str(), recalled.lane, recalled.said.len());
            Some(Rendered { message_type: MessageType::PaymentRetracted, body: body.into_bytes() })
        }),
    }
}

/// A payment of transaction `tx` that the backend has.
async fn forwarded(ledger: &dyn Ledger, name: &str, tx: u64, amount: u64) -> WebhookId {
    let (id, _) = sent(ledger, name, tx, amount).await;
    attempt(ledger, id, "default", T0, Next::Delivered).await;
    assert_eq!(stands(ledger, name).await.0, EventState::Forwarded);
    id
}

async fn order(ledger: &dyn Ledger) -> StoredExpectation {
    ledger.expectation("order").await.expect("read").expect("known").stored
}

pub(crate) async fn rule_19_a_forwarded_payment_is_retracted_once<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    put(&*ledger, terms("order", "r1", 100)).await;
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r2", 1)]).await;
    forwarded(&*ledger, "a", 1, 100).await;
    assert_eq!(order(&*ledger).await.state, ExpectationState::Paid);
    let due = due_one(&*ledger, T0 + 100 * S, "a").await;
    assert!(due.sent && due.claimed == vec![slot(1, 7, 100)]);
    assert_eq!(ledger.retract(retract(&due, Code::Reorged)).await.expect("answered"), Committed::Done);
    assert_eq!(ledger.retract(retract(&due, Code::Reorged)).await.expect("answered"), Committed::Stale);
    assert_eq!(stands(&*ledger, "a").await, (EventState::Retracted, Some(Code::Retracted)));
    let left = order(&*ledger).await;
    assert_eq!((left.state, left.received[0]), (ExpectationState::Open, U256::ZERO));
    let messages = messages(&*ledger, "default", T0 + 100 * S).await;
    assert_eq!(messages.len(), 1);
    assert_eq!((messages[0].webhook_id.state_version, messages[0].message_type.as_str()), (2, "payment.retracted"));
    assert!(String::from_utf8_lossy(&messages[0].body).contains("\"0 left\""), "{:?}", messages[0].body);
    attempt(&*ledger, messages[0].webhook_id, "default", T0 + 100 * S, Next::Delivered).await;
    assert_eq!(stands(&*ledger, "a").await.0, EventState::Retracted);
    // The transfer stays its own: nobody else can be paid by it.
    let other = due_one(&*ledger, T0, "b").await;
    let answer = ledger.confirm(confirm(&other, 1, 99, 100)).await.expect("answered");
    assert_eq!(answer, Confirmed::AlreadyClaimed(id_of("a")));
}

pub(crate) async fn rule_19_a_message_in_flight_is_retried_no_more_and_the_retraction_takes_its_place<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let (id, _) = sent(&*ledger, "a", 1, 100).await;
    let first = intent(id, "default", T0);
    assert_eq!(ledger.record_intent(first.clone()).await.expect("answered"), Intent::Go);
    // It is looked at while the attempt is under way.
    ledger.wake_anchored(8453, 0, T0 + 9 * S).await.expect("woken");
    let due = due_one(&*ledger, T0 + 10 * S, "a").await;
    assert!(due.sent);
    let mut missed = verdict(&due, T0 + 10 * S, EventState::Forwarding, Code::Reorged);
    (missed.anchor, missed.due_us) = (due.anchor, Some(T0 + 11 * S));
    assert_eq!(ledger.record_verdict(missed).await.expect("answered"), Committed::Done);
    let failed = RecordAttempt {
        webhook_id: id,
        destination: "default".to_owned(),
        attempt_id: first.attempt_id,
        now_us: T0 + 12 * S,
        status: Some(500),
        outcome: "status",
        latency_ms: 1,
        response: String::new(),
        next: Next::Retry { due_us: T0 + 13 * S },
    };
    ledger.record_attempt(failed).await.expect("recorded");
    let second = intent(id, "default", T0 + 14 * S);
    assert_eq!(ledger.record_intent(second).await.expect("answered"), Intent::AnchorStale);
    let due = due_one(&*ledger, T0 + 20 * S, "a").await;
    assert_eq!(due.progress.first_us, T0 + 10 * S, "missed since then");
    assert_eq!(ledger.retract(retract(&due, Code::TxReverted)).await.expect("answered"), Committed::Done);
    let messages = messages(&*ledger, "default", T0 + 900 * S).await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].message_type, "payment.retracted");
}

pub(crate) async fn rule_19_what_was_never_sent_is_not_retracted<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    sent(&*ledger, "a", 1, 100).await;
    ledger.wake_anchored(8453, 0, T0).await.expect("woken");
    let due = due_one(&*ledger, T0, "a").await;
    assert!(!due.sent);
    assert_eq!(ledger.retract(retract(&due, Code::Reorged)).await.expect("answered"), Committed::Stale);
}

pub(crate) async fn rule_16_a_retraction_leaves_a_sum_that_is_still_complete_complete<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    put(&*ledger, terms("order", "r1", 100)).await;
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r1", 2), paid("c", "r1", 3)]).await;
    forwarded(&*ledger, "a", 1, 100).await;
    forwarded(&*ledger, "b", 2, 100).await;
    assert_eq!(order(&*ledger).await.state, ExpectationState::Overpaid);
    let due = due_one(&*ledger, T0 + 100 * S, "a").await;
    ledger.retract(retract(&due, Code::Reorged)).await.expect("answered");
    let left = order(&*ledger).await;
    assert_eq!((left.state, left.received[0].to::<u64>()), (ExpectationState::Paid, 100));
    // What comes now is more than enough, as before.
    assert_eq!(sent(&*ledger, "c", 3, 50).await.1, Code::VerifiedOverpaid);
}

pub(crate) async fn a_retracted_payment_is_reinstated_under_its_own_id<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    put(&*ledger, terms("order", "r1", 100)).await;
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    forwarded(&*ledger, "a", 1, 100).await;
    let before = shown(&*ledger, "a").await.event.payment_id;
    let due = due_one(&*ledger, T0 + 100 * S, "a").await;
    ledger.retract(retract(&due, Code::Reorged)).await.expect("answered");
    // It is searched for, and nothing but its return moves it.
    let due = due_one(&*ledger, T0 + 200 * S, "a").await;
    let mut still = verdict(&due, T0 + 200 * S, EventState::Retracted, Code::Retracted);
    still.due_us = Some(T0 + 300 * S);
    ledger.record_verdict(still).await.expect("written");
    let due = due_one(&*ledger, T0 + 300 * S, "a").await;
    assert_eq!((due.state, due.anchor), (EventState::Retracted, Some(anchor(1, 11))));
    // At another place of its receipt as well.
    let mut back = confirm(&due, 1, 500, 100);
    back.slots = vec![slot(1, 4, 100)];
    assert!(matches!(ledger.confirm(back).await.expect("answered"), Confirmed::Sent { .. }));
    let detail = shown(&*ledger, "a").await;
    assert_eq!((detail.event.payment_id, detail.event.anchor), (before, Some(anchor(1, 500))));
    assert_eq!(order(&*ledger).await.state, ExpectationState::Paid);
}

pub(crate) async fn rule_14_a_forwarded_payment_moves_to_its_new_block<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r2", 2)]).await;
    forwarded(&*ledger, "a", 1, 100).await;
    let due = due_one(&*ledger, T0 + 100 * S, "a").await;
    let moved = Reanchor {
        event_id: due.event_id,
        version: due.version,
        now_us: T0 + 100 * S,
        anchor: anchor(1, 500),
        slots: vec![slot(1, 3, 100)],
        joins_by: None,
        due_us: Some(T0 + 700 * S),
        wait: Some(Wait { chain_id: 8453, reach: Reach::Finalized, height: 500 }),
        trace: serde_json::json!({}),
        evidence: Some("{\"version\":1}".to_owned()),
    };
    assert_eq!(ledger.reanchor(moved.clone()).await.expect("answered"), Committed::Done);
    assert_eq!(ledger.reanchor(moved).await.expect("answered"), Committed::Stale);
    assert_eq!(stands(&*ledger, "a").await.0, EventState::Forwarded);
    assert!(messages(&*ledger, "default", T0 + 900 * S).await.is_empty(), "nothing is sent");
    let evidence = ledger.chain_evidence(id_of("a")).await.expect("read");
    assert_eq!(evidence.iter().map(|kept| kept.bundle.as_str()).collect::<Vec<_>>(), ["{\"version\":1}"]);
    let due = due_one(&*ledger, T0 + 700 * S, "a").await;
    assert_eq!((due.anchor, due.claimed), (Some(anchor(1, 500)), vec![slot(1, 3, 100)]));
    // The place it has now is taken, by its place on chain too.
    let mut taken = confirm(&due_one(&*ledger, T0, "b").await, 2, 500, 100);
    taken.anchor = Some(crate::model::Anchor { tx_index: 1, ..anchor(2, 500) });
    taken.slots = vec![slot(2, 3, 100)];
    assert_eq!(ledger.confirm(taken).await.expect("answered"), Confirmed::AlreadyClaimed(id_of("a")));
}

/// Lets events that are due wait for these heights.
async fn wait_for(ledger: &dyn Ledger, waits: &[(&str, Reach, u64)]) {
    for (name, reach, height) in waits {
        let due = due_one(ledger, T0, name).await;
        let mut waiting = verdict(&due, T0, EventState::AwaitingFinality, Code::WaitingConfirmations);
        waiting.anchor = Some(anchor(1, 11));
        waiting.wait = Some(Wait { chain_id: 8453, reach: *reach, height: *height });
        waiting.due_us = Some(T0 + 600 * S);
        ledger.record_verdict(waiting).await.expect("written");
    }
}

pub(crate) async fn what_waits_for_a_height_is_woken_by_it_and_by_nothing_before<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r2", 2), paid("c", "r3", 3)]).await;
    let waits = [("a", Reach::Head, 20), ("b", Reach::Safe, 20), ("c", Reach::Finalized, 20)];
    wait_for(&*ledger, &waits).await;
    assert!(ledger.is_watched(8453).await.expect("read") && !ledger.is_watched(1).await.expect("read"));
    let reached = |head, safe, finalized| Reached { chain_id: 8453, head, safe, finalized };
    let wake = async |reached| ledger.wake_reached(reached, T0 + S).await.expect("woken");
    assert_eq!(wake(reached(19, Some(19), None)).await, 0);
    assert_eq!(wake(Reached { chain_id: 1, ..reached(99, Some(99), Some(99)) }).await, 0);
    assert_eq!(wake(reached(20, Some(19), Some(10))).await, 1);
    assert_eq!(wake(reached(20, Some(19), Some(10))).await, 0, "once");
    assert_eq!(wake(reached(30, Some(20), Some(20))).await, 2);
    assert_eq!(due(&*ledger, T0 + S).await.len(), 3);
    drop(ledger);
    let rig = rig.restart();
    assert_eq!(due_one(&*rig.ledger(), T0 + S, "b").await.wait.map(|wait| wait.reach), Some(Reach::Safe));
}

pub(crate) async fn what_waits_for_more_than_it_has_to_is_woken_and_judged_anew<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r2", 2), paid("c", "r3", 3)]).await;
    // Twelve blocks and 64 on top of block 11, and a tag on it.
    let waits = [("a", Reach::Head, 22), ("b", Reach::Head, 74), ("c", Reach::Finalized, 11)];
    wait_for(&*ledger, &waits).await;
    let wake = async |chain_id, need| ledger.wake_eased(chain_id, need, T0 + S).await.expect("woken");
    let blocks = |above, up_to| Need::Confirmations { above, up_to };
    let finalized = Need::Tag(Tag::Finalized);
    let others = [(8453, blocks(2, 11)), (8453, blocks(12, 63)), (8453, Need::Tag(Tag::Safe)), (1, finalized)];
    for (chain_id, need) in others {
        assert_eq!(wake(chain_id, need).await, 0, "{chain_id} {need:?}");
    }
    assert_eq!(due(&*ledger, T0 + S).await.len(), 0);
    assert_eq!((wake(8453, blocks(63, 64)).await, wake(8453, blocks(12, 64)).await), (1, 0), "once");
    let woken = due_one(&*ledger, T0 + S, "b").await;
    assert_eq!((woken.wait, due(&*ledger, T0 + S).await.len()), (None, 1));
    assert_eq!((wake(8453, blocks(1, 12)).await, wake(8453, finalized).await), (1, 1));
    assert_eq!(due(&*ledger, T0 + S).await.len(), 3);
}

pub(crate) async fn what_stands_on_lost_blocks_is_woken_whatever_it_waits_for<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r2", 2), paid("c", "r3", 3)]).await;
    forwarded(&*ledger, "a", 1, 100).await;
    let due = due_one(&*ledger, T0, "b").await;
    let mut waiting = verdict(&due, T0, EventState::AwaitingFinality, Code::WaitingConfirmations);
    waiting.anchor = Some(anchor(2, 12));
    waiting.wait = Some(Wait { chain_id: 8453, reach: Reach::Head, height: 90 });
    waiting.due_us = Some(T0 + 600 * S);
    ledger.record_verdict(waiting).await.expect("written");
    assert_eq!(ledger.wake_anchored(8453, 13, T0 + S).await.expect("woken"), 0);
    assert_eq!(ledger.wake_anchored(8453, 12, T0 + S).await.expect("woken"), 1);
    let woken = due_one(&*ledger, T0 + S, "b").await;
    assert_eq!(woken.wait, None, "it is looked at");
    assert_eq!(ledger.wake_anchored(8453, 12, T0 + S).await.expect("woken"), 0, "once for one moment");
    assert_eq!(ledger.wake_anchored(8453, 11, T0 + 2 * S).await.expect("woken"), 2, "the forwarded one too");
    // What was judged on the block that was lost meanwhile is not written: it is looked at again.
    let judged = verdict(&woken, T0 + 2 * S, EventState::AwaitingFinality, Code::WaitingConfirmations);
    assert_eq!(ledger.record_verdict(judged).await.expect("answered"), Committed::Stale);
    assert_eq!(due_one(&*ledger, T0 + 2 * S, "b").await.wait, None);
    assert_eq!(ledger.wake_anchored(1, 0, T0 + 3 * S).await.expect("woken"), 0);
}

pub(crate) async fn a_retracted_payment_that_waits_elsewhere_is_woken_when_that_is_lost_too<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    forwarded(&*ledger, "a", 1, 100).await;
    let due = due_one(&*ledger, T0 + 100 * S, "a").await;
    ledger.retract(retract(&due, Code::Reorged)).await.expect("answered");
    // It is in block 20 now, which has to be final before it is told again or given up.
    let due = due_one(&*ledger, T0 + 200 * S, "a").await;
    let mut waits = verdict(&due, T0 + 200 * S, EventState::Retracted, Code::Retracted);
    waits.wait = Some(Wait { chain_id: 8453, reach: Reach::Finalized, height: 20 });
    waits.due_us = Some(T0 + 900 * S);
    ledger.record_verdict(waits).await.expect("written");
    assert_eq!(ledger.wake_anchored(8453, 21, T0 + 300 * S).await.expect("woken"), 0);
    assert_eq!(ledger.wake_anchored(1, 0, T0 + 300 * S).await.expect("woken"), 0);
    assert_eq!(ledger.wake_anchored(8453, 20, T0 + 300 * S).await.expect("woken"), 1);
    assert_eq!(due_one(&*ledger, T0 + 300 * S, "a").await.wait, None, "it is looked at");
    assert_eq!(ledger.wake_anchored(8453, 20, T0 + 300 * S).await.expect("woken"), 0, "once");
}

pub(crate) async fn what_is_seen_of_a_retracted_payment_while_blocks_are_lost_is_not_written<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    forwarded(&*ledger, "a", 1, 100).await;
    let due = due_one(&*ledger, T0 + 100 * S, "a").await;
    ledger.retract(retract(&due, Code::Reorged)).await.expect("answered");
    let looked_at = due_one(&*ledger, T0 + 200 * S, "a").await;
    assert_eq!(ledger.wake_anchored(8453, 20, T0 + 201 * S).await.expect("woken"), 1);
    assert_eq!(ledger.wake_anchored(8453, 20, T0 + 201 * S).await.expect("woken"), 0, "once for one moment");
    let again = ledger.confirm(confirm(&looked_at, 1, 7, 100)).await.expect("answered");
    assert_eq!(again, Confirmed::Stale);
    due_one(&*ledger, T0 + 201 * S, "a").await;
}

pub(crate) async fn a_payment_whose_block_is_lost_on_its_way_to_the_backend_is_looked_at_when_it_is_there<R: Rig>(
    rig: R,
) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r2", 2)]).await;
    for (name, tx, is_lost) in [("a", 1, true), ("b", 2, false)] {
        let (id, _) = sent(&*ledger, name, tx, 100).await;
        let intent = intent(id, "default", T0);
        assert_eq!(ledger.record_intent(intent.clone()).await.expect("intent"), Intent::Go);
        if is_lost {
            assert_eq!(ledger.wake_anchored(8453, 0, T0 + S).await.expect("woken"), 1);
        }
        ledger.record_attempt(result(&intent, Next::Delivered)).await.expect("result");
        assert_eq!(stands(&*ledger, name).await.0, EventState::Forwarded);
        assert_eq!(due_one(&*ledger, T0 + S, name).await.wait.is_some(), !is_lost, "{name} waits for a height");
    }
}

pub(crate) async fn no_more_is_at_risk_on_a_chain_than_is_allowed<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r2", 2), paid("c", "r3", 3)]).await;
    let risky = |due: &DueEvent, tx| Confirm {
        exposure: Some(Exposure { usd_micros: 60, cap_usd_micros: Some(100) }),
        ..confirm(due, tx, 10 + tx, 100)
    };
    let a = due_one(&*ledger, T0, "a").await;
    assert!(matches!(ledger.confirm(risky(&a, 1)).await.expect("answered"), Confirmed::Sent { .. }));
    let b = due_one(&*ledger, T0, "b").await;
    assert_eq!(ledger.confirm(risky(&b, 2)).await.expect("answered"), Confirmed::Exposed);
    // What is final puts nothing at risk.
    let c = due_one(&*ledger, T0, "c").await;
    assert!(matches!(ledger.confirm(confirm(&c, 3, 13, 100)).await.expect("answered"), Confirmed::Sent { .. }));
    // Once the first one is settled there is room.
    let (id, now) = (WebhookId { event: id_of("a"), state_version: 1 }, T0 + 10 * S);
    attempt(&*ledger, id, "default", now, Next::Delivered).await;
    let settled = verdict(&due_one(&*ledger, now, "a").await, now, EventState::Settled, Code::Verified);
    ledger.record_verdict(settled).await.expect("written");
    let b = due_one(&*ledger, T0, "b").await;
    assert!(matches!(ledger.confirm(risky(&b, 2)).await.expect("answered"), Confirmed::Sent { .. }));
}

pub(crate) async fn finality_and_cordons_are_set_once_and_audited<R: Rig>(rig: R) {
    let ledger = rig.ledger();
    let tiers = vec![TierSpec { up_to_usd: None, confirmations: 7, tag: Some(Tag::Finalized) }];
    assert!(ledger.set_finality("base", Some(tiers.clone()), who(), T0).await.expect("set"));
    assert!(!ledger.set_finality("base", Some(tiers.clone()), who(), T0).await.expect("set"));
    assert!(ledger.set_cordon("base", "a", true, who(), T0).await.expect("set"));
    assert!(!ledger.set_cordon("base", "a", true, who(), T0).await.expect("set"));
    drop(ledger);
    let rig = rig.restart();
    let ledger = rig.ledger();
    let set = ledger.finality_overrides().await.expect("read");
    assert_eq!(set, vec![FinalityOverride { chain: "base".to_owned(), tiers, by: who(), since_us: T0 }]);
    let out = ledger.cordons().await.expect("read");
    assert_eq!(out, vec![Cordon { chain: "base".to_owned(), node: "a".to_owned(), by: who(), since_us: T0 }]);
    assert!(ledger.set_finality("base", None, who(), T0 + S).await.expect("set"));
    assert!(ledger.set_cordon("base", "a", false, who(), T0 + S).await.expect("set"));
    assert!(ledger.finality_overrides().await.expect("read").is_empty());
    assert!(ledger.cordons().await.expect("read").is_empty());
    let audit = ledger.audit(AuditFilter { limit: 10, ..AuditFilter::default() }).await.expect("read").items;
    let what: Vec<_> = audit.iter().rev().map(|record| record.entry.what.as_str()).collect();
    assert_eq!(what, ["chain.set-finality", "chain.cordon", "chain.unset-finality", "chain.uncordon"]);
}
