//! Verdicts and confirmations: what one transaction settles.

use super::Rig;
use super::fixtures::*;
use crate::ledger::*;
use crate::model::{Code, EventState, ExpectationState, PaymentId};

pub(crate) async fn a_judgement_of_an_old_version_is_stale<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let event = due_one(&*ledger, T0, "a").await;
    let wait = verdict(&event, T0, EventState::Undetermined, Code::RpcUnavailable);
    assert_eq!(ledger.record_verdict(wait.clone()).await.expect("first"), Committed::Done);
    assert_eq!(ledger.record_verdict(wait).await.expect("second"), Committed::Stale);
    assert_eq!(ledger.confirm(confirm(&event, 1, 11, 100)).await.expect("answered"), Confirmed::Stale);
    assert_eq!(stands(&*ledger, "a").await, (EventState::Undetermined, Some(Code::RpcUnavailable)));
    assert!(messages(&*ledger, "default", T0).await.is_empty());
}

pub(crate) async fn a_judgement_against_an_old_expectation_is_stale<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    put(&*ledger, terms("order", "r1", 100)).await;
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let event = due_one(&*ledger, T0, "a").await;
    put(&*ledger, terms("order", "r1", 200)).await;
    // The put sends the event to be looked at again; even a judgement that knows of that is of the old terms.
    let mut judged = confirm(&event, 1, 11, 100);
    judged.version = due_one(&*ledger, T0, "a").await.version;
    assert_eq!(ledger.confirm(judged).await.expect("answered"), Confirmed::Stale);
    assert_eq!(sent(&*ledger, "a", 1, 100).await.1, Code::VerifiedPartial);
}

pub(crate) async fn rule_13_an_expectation_that_came_meanwhile_is_seen<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let event = due_one(&*ledger, T0, "a").await;
    put(&*ledger, terms("order", "r1", 100)).await;
    let mut judged = confirm(&event, 1, 11, 100);
    judged.version = due_one(&*ledger, T0, "a").await.version;
    assert_eq!(ledger.confirm(judged).await.expect("answered"), Confirmed::Stale);
}

pub(crate) async fn a_confirmation_claims_sums_and_sends<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    put(&*ledger, terms("order", "r1", 100)).await;
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let event = due_one(&*ledger, T0, "a").await;
    let mut judged = confirm(&event, 1, 11, 100);
    // The proxy's event stands before the money: the payment's id is of the lowest slot.
    judged.slots.push(slot(1, 3, 0));
    let expected = PaymentId::of(&slot(1, 3, 0).key);
    let answer = ledger.confirm(judged).await.expect("confirmed");
    assert_eq!(answer, Confirmed::Sent { webhook_id: first("a"), code: Code::Verified });

    let detail = shown(&*ledger, "a").await;
    assert_eq!((detail.event.state, detail.event.code), (EventState::Forwarding, Some(Code::Verified)));
    assert_eq!((&detail.event.payment_id, detail.event.state_version), (&Some(expected.clone()), 1));
    assert_eq!(detail.event.anchor, Some(anchor(1, 11)));
    assert_eq!(detail.event.expectation_id.as_deref(), Some("order"));
    let claim = |slot| ClaimView { slot, is_tombstone: false };
    assert_eq!(detail.claims, [claim(slot(1, 7, 100)), claim(slot(1, 3, 0))]);
    assert_eq!(detail.trace.last().map(|entry| entry.detail["seen"].clone()), Some(1.into()));
    let due = messages(&*ledger, "default", T0).await;
    assert_eq!(
        (due.len(), due[0].message_type.as_str(), due[0].lane.as_str()),
        (1, "payment.verified", "expectation:order")
    );
    let body = format!("{} expectation:order VERIFIED 100 of 100 in 1", first("a")).into_bytes();
    assert_eq!(due[0].body, body);
    assert_eq!(ledger.message(first("a")).await.expect("read"), Some(body));
    let view = ledger.expectation("order").await.expect("read").expect("known");
    assert_eq!((view.stored.state, view.events), (ExpectationState::Paid, vec![id_of("a")]));
    assert_eq!(view.stored.payment_ids, [expected]);
    assert!(super::fixtures::due(&*ledger, T0).await.is_empty());
}

pub(crate) async fn unmatched_money_has_no_expectation<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    assert_eq!(sent(&*ledger, "a", 1, 100).await, (first("a"), Code::VerifiedUnmatched));
    let due = messages(&*ledger, "default", T0).await;
    assert_eq!((due[0].message_type.as_str(), due[0].lane.as_str()), ("payment.unmatched", "lane:a"));
}

pub(crate) async fn rule_5_the_same_expectation_joins<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    put(&*ledger, terms("order", "r1", 100)).await;
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r1", 1)]).await;
    sent(&*ledger, "a", 1, 100).await;
    let event = due_one(&*ledger, T0, "b").await;
    assert_eq!(ledger.confirm(confirm(&event, 1, 11, 100)).await.expect("answered"), Confirmed::Joined(id_of("a")));
    assert_eq!(stands(&*ledger, "b").await, (EventState::Ignored, Some(Code::Joined)));
    assert_eq!(messages(&*ledger, "default", T0).await.len(), 1);
    let view = ledger.expectation("order").await.expect("read").expect("known");
    assert_eq!((view.stored.state, view.stored.received[0].to::<u64>()), (ExpectationState::Paid, 100));
    // The identity points to the owner now: another copy is a delivery of it and says nothing new.
    let taken = log.take(&*ledger, vec![paid("b", "r1", 1)]).await;
    assert_eq!((taken[0].event_id, taken[0].new_event, taken[0].mismatch), (Some(id_of("a")), false, false));
}

pub(crate) async fn rule_5_the_same_reference_joins<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let join = || Some(JoinKey { realm: "request-network".to_owned(), reference: "0x1122334455667788".to_owned() });
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r2", 1), paid("c", "r3", 2), paid("d", "r3", 2)]).await;
    let mut judged = confirm(&due_one(&*ledger, T0, "a").await, 1, 11, 100);
    judged.joins_by = join();
    assert!(matches!(ledger.confirm(judged).await.expect("answered"), Confirmed::Sent { .. }));
    let mut judged = confirm(&due_one(&*ledger, T0, "b").await, 1, 11, 100);
    judged.joins_by = join();
    assert_eq!(ledger.confirm(judged).await.expect("answered"), Confirmed::Joined(id_of("a")));
    // By the request id of the claims, in the same realm.
    sent(&*ledger, "c", 2, 100).await;
    let event = due_one(&*ledger, T0, "d").await;
    assert_eq!(ledger.confirm(confirm(&event, 2, 12, 100)).await.expect("answered"), Confirmed::Joined(id_of("c")));
}

pub(crate) async fn rule_5_another_reference_is_already_claimed<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r2", 1)]).await;
    sent(&*ledger, "a", 1, 100).await;
    let event = due_one(&*ledger, T0, "b").await;
    let answer = ledger.confirm(confirm(&event, 1, 11, 100)).await.expect("answered");
    assert_eq!(answer, Confirmed::AlreadyClaimed(id_of("a")));
    assert_eq!(stands(&*ledger, "b").await, (EventState::Refuted, Some(Code::AlreadyClaimed)));
    assert_eq!(messages(&*ledger, "default", T0).await.len(), 1);
    // One slot in common is enough, and takes none of the others.
    log.take(&*ledger, vec![paid("c", "r3", 1), paid("d", "r4", 1)]).await;
    let mut judged = confirm(&due_one(&*ledger, T0, "c").await, 1, 11, 100);
    judged.slots.push(slot(1, 8, 5));
    assert_eq!(ledger.confirm(judged).await.expect("answered"), Confirmed::AlreadyClaimed(id_of("a")));
    let mut judged = confirm(&due_one(&*ledger, T0, "d").await, 1, 11, 5);
    judged.slots = vec![slot(1, 8, 5)];
    assert!(matches!(ledger.confirm(judged).await.expect("answered"), Confirmed::Sent { .. }));
}

pub(crate) async fn a_proven_receipt_under_two_hashes_is_one_payment<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r2", 2)]).await;
    sent(&*ledger, "a", 1, 100).await;
    let mut judged = confirm(&due_one(&*ledger, T0, "b").await, 2, 11, 100);
    // Another hash, at the same place of the same block.
    judged.anchor = judged.anchor.map(|anchor| crate::model::Anchor { tx_index: 1, ..anchor });
    assert_eq!(ledger.confirm(judged).await.expect("answered"), Confirmed::AlreadyClaimed(id_of("a")));
}

pub(crate) async fn a_panic_while_rendering_undoes_the_confirmation<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    put(&*ledger, terms("order", "r1", 100)).await;
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let mut judged = confirm(&due_one(&*ledger, T0, "a").await, 1, 11, 100);
    judged.render = Box::new(|_| panic!("as the scenario wants"));
    assert!(matches!(ledger.confirm(judged).await, Err(LedgerError::Damaged(_))));
    assert!(messages(&*ledger, "default", T0).await.is_empty());
    let view = ledger.expectation("order").await.expect("read").expect("known");
    assert_eq!((view.stored.state, view.stored.version), (ExpectationState::Open, 1));
    assert_eq!(sent(&*ledger, "a", 1, 100).await.1, Code::Verified);
}

pub(crate) async fn verdicts_count_looks_and_are_traced_once<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    for look in 0..5 {
        let now = T0 + look * 60 * S;
        let event = due_one(&*ledger, now, "a").await;
        assert_eq!((i64::from(event.progress.looks), event.progress.first_us), (look, T0));
        let mut wait = verdict(&event, now, EventState::Undetermined, Code::RpcUnavailable);
        wait.due_us = Some(now + 60 * S);
        ledger.record_verdict(wait).await.expect("written");
        assert!(due(&*ledger, now + 59 * S).await.is_empty());
    }
    let detail = shown(&*ledger, "a").await;
    let waits: Vec<_> = detail.trace.iter().filter(|entry| entry.code == Some(Code::RpcUnavailable)).collect();
    // The change, and the last look that changed nothing.
    assert_eq!(waits.iter().map(|entry| entry.at_us).collect::<Vec<_>>(), [T0, T0 + 240 * S]);
}

pub(crate) async fn a_verdict_cannot_break_the_state_table<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r2", 2)]).await;
    let event = due_one(&*ledger, T0, "a").await;
    for state in [EventState::Forwarding, EventState::Forwarded, EventState::Settled, EventState::Retracted] {
        let answer = ledger.record_verdict(verdict(&event, T0, state, Code::Verified)).await;
        assert!(matches!(answer, Err(LedgerError::Damaged(_))), "{state}");
    }
    assert_eq!(due_one(&*ledger, T0, "a").await.version, event.version);
    // A refused command leaves its neighbours alone.
    let good = verdict(&due_one(&*ledger, T0, "b").await, T0, EventState::Held, Code::TxNotFound);
    let bad = verdict(&event, T0, EventState::Settled, Code::Verified);
    let (good, bad) = tokio::join!(ledger.record_verdict(good), ledger.record_verdict(bad));
    assert_eq!((good.expect("written"), bad.is_err()), (Committed::Done, true));
}

pub(crate) async fn rule_16_partial_completed_excess<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    put(&*ledger, terms("order", "r1", 100)).await;
    let steps = [
        ("a", 40, Code::VerifiedPartial, "payment.partial", ExpectationState::Partial),
        ("b", 60, Code::Verified, "payment.verified", ExpectationState::Paid),
        ("c", 1, Code::VerifiedOverpaid, "payment.excess", ExpectationState::Overpaid),
    ];
    for (tx, (name, amount, code, message_type, state)) in (1..).zip(steps) {
        log.take(&*ledger, vec![paid(name, "r1", tx)]).await;
        let (id, got) = sent(&*ledger, name, tx, amount).await;
        assert_eq!(got, code, "{name}");
        let head = messages(&*ledger, "default", T0).await.remove(0);
        assert_eq!((head.webhook_id, head.message_type.as_str()), (id, message_type));
        attempt(&*ledger, id, "default", T0, Next::Delivered).await;
        let view = ledger.expectation("order").await.expect("read").expect("known");
        assert_eq!(view.stored.state, state);
        assert_eq!(u64::try_from(view.stored.payment_ids.len()), Ok(tx));
    }
}

pub(crate) async fn a_second_way_to_pay_is_excess<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let mut two = terms("order", "r1", 100);
    let mut other = two.accept[0].clone();
    other.token = None;
    two.accept.push(other);
    put(&*ledger, two).await;
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r1", 2)]).await;
    assert_eq!(sent(&*ledger, "a", 1, 100).await.1, Code::Verified);
    let mut judged = confirm(&due_one(&*ledger, T0, "b").await, 2, 12, 100);
    judged.expectation = judged.expectation.map(|(id, version, _)| (id, version, 1));
    let answer = ledger.confirm(judged).await.expect("confirmed");
    assert_eq!(answer, Confirmed::Sent { webhook_id: first("b"), code: Code::VerifiedOverpaid });
    let view = ledger.expectation("order").await.expect("read").expect("known");
    assert_eq!(view.stored.state, ExpectationState::Overpaid);
    assert_eq!(view.stored.received, [100, 100].map(alloy_primitives::U256::from));
}

pub(crate) async fn dust_is_reported_and_moves_no_state<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let mut two = terms("order", "r1", 100);
    two.tolerance = crate::model::Tolerance { abs: alloy_primitives::U256::from(2), bps: 0 };
    let mut other = two.accept[0].clone();
    other.token = None;
    two.accept.push(other);
    put(&*ledger, two).await;
    // Dust, then a part, then dust by the other way to pay: it does not undo the part.
    let steps = [
        ("a", 2, 0, ExpectationState::Open),
        ("b", 40, 0, ExpectationState::Partial),
        ("c", 1, 1, ExpectationState::Partial),
    ];
    for (tx, (name, amount, way, state)) in (1..).zip(steps) {
        log.take(&*ledger, vec![paid(name, "r1", tx)]).await;
        let mut judged = confirm(&due_one(&*ledger, T0 + 3600 * S, name).await, tx, 10 + tx, amount);
        judged.expectation = judged.expectation.map(|(id, version, _)| (id, version, way));
        let answer = ledger.confirm(judged).await.expect("confirmed");
        assert_eq!(answer, Confirmed::Sent { webhook_id: first(name), code: Code::VerifiedPartial });
        let view = ledger.expectation("order").await.expect("read").expect("known");
        assert_eq!((view.stored.state, view.stored.payment_ids.len()), (state, usize::try_from(tx).expect("few")));
    }
}
