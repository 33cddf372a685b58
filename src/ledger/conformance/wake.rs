//! Rule 13: webhook first, expectation later.

use super::Rig;
use super::fixtures::*;
use crate::ledger::*;
use crate::model::{Code, EventState, ExpectationKey};

pub(crate) async fn rule_13_a_put_wakes_what_it_names<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let mut referenced = claim("r9", 3, "100");
    referenced.payment_reference = Some("0x1122334455667788".parse().expect("a reference"));
    let referenced = event("c", IntakeKind::Claim(referenced));
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r1", 2), referenced, paid("d", "r2", 4)]).await;
    let ends = [
        ("a", EventState::Undetermined, Code::ExpectationUnknown),
        ("b", EventState::Held, Code::ExpectationUnknown),
        ("c", EventState::Held, Code::TxNotFound),
        ("d", EventState::Held, Code::ExpectationUnknown),
    ];
    for (name, state, code) in ends {
        let mut ended = verdict(&due_one(&*ledger, T0, name).await, T0, state, code);
        ended.due_us = (state == EventState::Undetermined).then_some(T0 + 60 * S);
        ledger.record_verdict(ended).await.expect("written");
    }
    assert!(due(&*ledger, T0).await.is_empty());
    put(&*ledger, terms("order", "r1", 100)).await;
    let mut by_reference = terms("other", "", 100);
    by_reference.key = ExpectationKey::PaymentReference("1122334455667788".parse().expect("a reference"));
    put(&*ledger, by_reference).await;
    let woken = due(&*ledger, T0).await;
    let named: Vec<_> = woken.iter().map(|event| event.event_id).collect();
    assert_eq!(named, [id_of("a"), id_of("b"), id_of("c")]);
    for event in woken {
        assert_eq!((event.state, event.progress.looks), (EventState::Verifying, 0));
        assert!(event.expectation.is_some());
    }
    assert_eq!(stands(&*ledger, "d").await.0, EventState::Held);
    let traced = shown(&*ledger, "b").await.trace.last().map(|entry| entry.detail.clone());
    assert_eq!(traced, Some(serde_json::json!({ "expectation": "order" })));
    // The same terms again wake nothing.
    let again = verdict(&due_one(&*ledger, T0, "b").await, T0, EventState::Held, Code::TxNotFound);
    ledger.record_verdict(again).await.expect("written");
    put(&*ledger, terms("order", "r1", 100)).await;
    assert_eq!(stands(&*ledger, "b").await.0, EventState::Held);
    put(&*ledger, terms("order", "r1", 101)).await;
    assert_eq!(stands(&*ledger, "b").await.0, EventState::Verifying);
}

pub(crate) async fn rule_13_a_put_makes_a_judgement_in_flight_stale<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let judged = due_one(&*ledger, T0, "a").await;
    put(&*ledger, terms("order", "r1", 100)).await;
    // The give-up time came: held for want of an expectation that is there by now.
    let held = verdict(&judged, T0, EventState::Held, Code::ExpectationUnknown);
    assert_eq!(ledger.record_verdict(held).await.expect("answered"), Committed::Stale);
    assert!(due_one(&*ledger, T0, "a").await.expectation.is_some());
}

pub(crate) async fn rule_33_a_reference_counts_before_a_request_id<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let reference = "0x1122334455667788".parse::<crate::model::PaymentReference>().expect("a reference");
    put(&*ledger, terms("thief", "r1", 100)).await;
    let mut victim = terms("victim", "", 100);
    victim.key = ExpectationKey::PaymentReference(reference.clone());
    put(&*ledger, victim).await;
    // Signed with a stolen secret: the thief's request id beside another customer's reference and transaction.
    let mut paired = claim("r1", 3, "100");
    paired.payment_reference = Some(reference);
    log.take(&*ledger, vec![event("a", IntakeKind::Claim(paired)), paid("b", "r1", 4)]).await;
    let named = |event: &DueEvent| event.expectation.as_ref().map(|stored| stored.terms.id.clone());
    assert_eq!(named(&due_one(&*ledger, T0, "a").await).as_deref(), Some("victim"));
    assert_eq!(named(&due_one(&*ledger, T0, "b").await).as_deref(), Some("thief"));
}

pub(crate) async fn a_put_wakes_nothing_of_another_realm<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let held = verdict(&due_one(&*ledger, T0, "a").await, T0, EventState::Held, Code::ExpectationUnknown);
    ledger.record_verdict(held).await.expect("written");
    let mut elsewhere = terms("order", "r1", 100);
    elsewhere.realm = "other".to_owned();
    put(&*ledger, elsewhere).await;
    assert_eq!(stands(&*ledger, "a").await.0, EventState::Held);
}

pub(crate) async fn a_put_wakes_by_provider_object<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let mut charge = claim("", 1, "100");
    (charge.request_id, charge.provider_objects) = (None, vec!["ch_1".to_owned(), "pi_1".to_owned()]);
    log.take(&*ledger, vec![event("a", IntakeKind::Claim(charge))]).await;
    let held = verdict(&due_one(&*ledger, T0, "a").await, T0, EventState::Undetermined, Code::ExpectationUnknown);
    ledger.record_verdict(held).await.expect("written");
    let mut keyed = terms("order", "", 100);
    keyed.key = ExpectationKey::ProviderObject("pi_1".to_owned());
    put(&*ledger, keyed).await;
    let woken = due_one(&*ledger, T0, "a").await;
    assert_eq!(woken.expectation.map(|stored| stored.terms.id).as_deref(), Some("order"));
}
