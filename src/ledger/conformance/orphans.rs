//! Blocks that are lost before anything was sent.

use super::Rig;
use super::fixtures::*;
use crate::ledger::*;
use crate::model::{Code, EventState, ExpectationState, WebhookId};

/// Has the anchor of a message that waits looked at, and lost.
async fn lose(ledger: &dyn Ledger, name: &str, id: WebhookId) {
    let later = T0 + 600 * S;
    let asked = ask(ledger, name, id, later).await;
    let lost = verdict(&asked, later, EventState::Verifying, Code::Reorged);
    assert_eq!(ledger.record_verdict(lost).await.expect("written"), Committed::Done);
}

async fn ask(ledger: &dyn Ledger, name: &str, id: WebhookId, now_us: i64) -> DueEvent {
    let mut careful = intent(id, "default", now_us);
    careful.anchor_since_us = now_us;
    assert_eq!(ledger.record_intent(careful).await.expect("answered"), Intent::AnchorStale);
    due_one(ledger, now_us, name).await
}

async fn order(ledger: &dyn Ledger) -> StoredExpectation {
    ledger.expectation("order").await.expect("read").expect("known").stored
}

pub(crate) async fn rule_19_an_anchor_lost_before_an_intent_supersedes<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    put(&*ledger, terms("order", "r1", 100)).await;
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let (id, _) = sent(&*ledger, "a", 1, 100).await;
    lose(&*ledger, "a", id).await;
    assert!(messages(&*ledger, "default", i64::MAX).await.is_empty());
    assert_eq!(ledger.record_intent(intent(id, "default", T0 + 900 * S)).await.expect("answered"), Intent::Gone);
    let detail = shown(&*ledger, "a").await;
    assert_eq!((detail.event.state, detail.event.code), (EventState::Verifying, Some(Code::Reorged)));
    assert_eq!((detail.event.anchor, detail.event.payment_id), (None, None));
    assert_eq!(detail.messages[0].state, "superseded");
    // Confirmed again, it is the next message of the same event.
    let (again, code) = sent(&*ledger, "a", 1, 100).await;
    assert_eq!((again.state_version, code), (2, Code::Verified));
    assert_eq!(messages(&*ledger, "default", T0).await.len(), 1);
}

pub(crate) async fn rule_14_a_tombstone_blocks_others_and_not_its_own_event<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r2", 1)]).await;
    let (id, _) = sent(&*ledger, "a", 1, 100).await;
    lose(&*ledger, "a", id).await;
    let other = due_one(&*ledger, T0, "b").await;
    let answer = ledger.confirm(confirm(&other, 1, 99, 100)).await.expect("answered");
    assert_eq!(answer, Confirmed::AlreadyClaimed(id_of("a")));
    sent(&*ledger, "a", 1, 100).await;
}

pub(crate) async fn rule_33_a_joined_claim_does_not_say_what_a_lost_payment_is_for<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let join = || Some(JoinKey { realm: "request-network".to_owned(), reference: "0x1122334455667788".to_owned() });
    put(&*ledger, terms("order", "r1", 100)).await;
    put(&*ledger, terms("thief", "r2", 100)).await;
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r2", 1)]).await;
    let mut judged = confirm(&due_one(&*ledger, T0, "a").await, 1, 11, 100);
    judged.joins_by = join();
    let Confirmed::Sent { webhook_id, .. } = ledger.confirm(judged).await.expect("answered") else { panic!("sent") };
    let mut judged = confirm(&due_one(&*ledger, T0, "b").await, 1, 11, 100);
    judged.joins_by = join();
    assert_eq!(ledger.confirm(judged).await.expect("answered"), Confirmed::Joined(id_of("a")));
    lose(&*ledger, "a", webhook_id).await;
    let again = due_one(&*ledger, T0 + 900 * S, "a").await;
    assert_eq!(again.claim.and_then(|claim| claim.request_id).as_deref(), Some("r1"));
    assert_eq!(again.expectation.map(|stored| stored.terms.id).as_deref(), Some("order"));
}

pub(crate) async fn rule_14_re_anchoring_moves_the_claim<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r2", 2), paid("c", "r3", 3)]).await;
    let (id, _) = sent(&*ledger, "a", 1, 100).await;
    let first_payment = shown(&*ledger, "a").await.event.payment_id;
    lose(&*ledger, "a", id).await;
    // Another block, another place in it, and one slot more than before.
    let event = due_one(&*ledger, T0 + 600 * S, "a").await;
    let mut judged = confirm(&event, 1, 500, 100);
    judged.slots.push(slot(1, 9, 0));
    assert!(matches!(ledger.confirm(judged).await.expect("answered"), Confirmed::Sent { .. }));
    let detail = shown(&*ledger, "a").await;
    assert_eq!(detail.event.payment_id, first_payment);
    assert_eq!(detail.event.anchor, Some(anchor(1, 500)));
    // The old place is free for what is there now, the new one is taken.
    let mut there_now = confirm(&due_one(&*ledger, T0, "b").await, 2, 11, 100);
    there_now.anchor = Some(crate::model::Anchor { tx_index: 1, ..anchor(2, 11) });
    assert!(matches!(ledger.confirm(there_now).await.expect("answered"), Confirmed::Sent { .. }));
    let mut taken = confirm(&due_one(&*ledger, T0, "c").await, 3, 500, 100);
    taken.anchor = Some(crate::model::Anchor { tx_index: 1, ..anchor(3, 500) });
    assert_eq!(ledger.confirm(taken).await.expect("answered"), Confirmed::AlreadyClaimed(id_of("a")));
}

pub(crate) async fn a_lost_payment_leaves_the_sum<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    put(&*ledger, terms("order", "r1", 100)).await;
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r1", 2)]).await;
    let (a, _) = sent(&*ledger, "a", 1, 40).await;
    attempt(&*ledger, a, "default", T0, Next::Delivered).await;
    let (b, code) = sent(&*ledger, "b", 2, 60).await;
    assert_eq!((code, order(&*ledger).await.state), (Code::Verified, ExpectationState::Paid));
    lose(&*ledger, "b", b).await;
    let left = order(&*ledger).await;
    assert_eq!((left.state, left.received[0].to::<u64>()), (ExpectationState::Partial, 40));
    assert_eq!(left.payment_ids.len(), 1);
    assert_eq!(sent(&*ledger, "b", 2, 60).await.1, Code::Verified);
    assert_eq!(order(&*ledger).await.state, ExpectationState::Paid);
}

pub(crate) async fn what_was_judged_after_a_lost_payment_is_judged_again<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    put(&*ledger, terms("order", "r1", 100)).await;
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r1", 2)]).await;
    let (a, _) = sent(&*ledger, "a", 1, 100).await;
    assert_eq!(sent(&*ledger, "b", 2, 100).await.1, Code::VerifiedOverpaid);
    // The payment that completed it is gone: the other one is no excess, it is the completion.
    lose(&*ledger, "a", a).await;
    assert_eq!(stands(&*ledger, "b").await, (EventState::Verifying, Some(Code::Reorged)));
    assert_eq!(order(&*ledger).await.state, ExpectationState::Open);
    assert_eq!(sent(&*ledger, "b", 2, 100).await.1, Code::Verified);
    let due = messages(&*ledger, "default", T0).await;
    assert_eq!((due.len(), due[0].message_type.as_str()), (1, "payment.verified"));
    assert_eq!(sent(&*ledger, "a", 1, 100).await.1, Code::VerifiedOverpaid);
}

pub(crate) async fn a_block_that_changed_is_a_lost_anchor<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let (id, _) = sent(&*ledger, "a", 1, 100).await;
    let asked = ask(&*ledger, "a", id, T0 + 600 * S).await;
    let mut elsewhere = verdict(&asked, T0 + 600 * S, EventState::Forwarding, Code::Verified);
    elsewhere.anchor = Some(anchor(1, 500));
    assert_eq!(ledger.record_verdict(elsewhere).await.expect("written"), Committed::Done);
    assert_eq!(stands(&*ledger, "a").await.0, EventState::Verifying);
    assert!(messages(&*ledger, "default", i64::MAX).await.is_empty());
}

pub(crate) async fn an_unanswered_look_leaves_the_message_waiting<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let (id, code) = sent(&*ledger, "a", 1, 100).await;
    let asked = ask(&*ledger, "a", id, T0 + 600 * S).await;
    let mut nobody = verdict(&asked, T0 + 600 * S, EventState::Forwarding, Code::RpcUnavailable);
    nobody.due_us = Some(T0 + 630 * S);
    ledger.record_verdict(nobody).await.expect("written");
    assert!(due(&*ledger, T0 + 629 * S).await.is_empty());
    assert!(due_one(&*ledger, T0 + 630 * S, "a").await.anchor_check);
    assert_eq!(stands(&*ledger, "a").await, (EventState::Forwarding, Some(code)));
    // No other verdict may move a message that is due.
    let asked = due_one(&*ledger, T0 + 630 * S, "a").await;
    for state in [EventState::Undetermined, EventState::Held, EventState::Refuted, EventState::Settled] {
        let answer = ledger.record_verdict(verdict(&asked, T0, state, Code::Internal)).await;
        assert!(matches!(answer, Err(LedgerError::Damaged(_))), "{state}");
    }
}

pub(crate) async fn a_reopened_expectation_does_not_take_a_key_twice<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    put(&*ledger, terms("order", "r1", 100)).await;
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let (id, _) = sent(&*ledger, "a", 1, 100).await;
    assert!(matches!(put(&*ledger, terms("next", "r1", 50)).await, PutOutcome::Created(_)));
    lose(&*ledger, "a", id).await;
    assert_eq!(order(&*ledger).await.state, ExpectationState::Expired);
    let named = due_one(&*ledger, T0 + 600 * S, "a").await.expectation.map(|stored| stored.terms.id);
    assert_eq!(named.as_deref(), Some("next"));
}
