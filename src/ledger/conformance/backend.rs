//! What the backend puts, and what it may still change.

use super::Rig;
use super::fixtures::*;
use crate::ledger::*;
use crate::model::{Code, EventState, ExpectationKey, ExpectationState, Rail};

pub(crate) async fn a_put_is_created_same_replaced_or_refused<R: Rig>(rig: R) {
    let ledger = rig.ledger();
    assert!(matches!(put(&*ledger, terms("order", "r1", 100)).await, PutOutcome::Created(_)));
    let PutOutcome::Same(view) = put(&*ledger, terms("order", "r1", 100)).await else { panic!("the same again") };
    assert_eq!((view.stored.version, view.stored.state, view.created_us), (1, ExpectationState::Open, T0));
    let PutOutcome::Replaced(view) = put(&*ledger, terms("order", "r1", 200)).await else { panic!("other terms") };
    assert_eq!((view.stored.version, view.stored.terms), (2, terms("order", "r1", 200)));
    assert!(ledger.expectation("other").await.expect("read").is_none());
    assert!(matches!(
        ledger.cancel_expectation("other", backend(), T0).await.expect("answered"),
        CancelOutcome::Unknown
    ));
}

pub(crate) async fn rule_13_a_direct_expectation_takes_no_older_transfer<R: Rig>(rig: R) {
    let ledger = rig.ledger();
    let direct = || {
        let mut direct = terms("direct", "r1", 100);
        direct.rails = vec![Rail::Direct];
        direct
    };
    let PutOutcome::Created(view) = put(&*ledger, direct()).await else { panic!("created") };
    let opens = view.stored.terms.not_before.expect("a lower bound");
    assert_eq!(opens.as_microsecond(), T0 - 15 * 60 * S);
    let later = PutExpectation { terms: direct(), by: backend(), now_us: T0 + 3600 * S };
    let PutOutcome::Same(again) = ledger.put_expectation(later).await.expect("put") else { panic!("the same") };
    assert_eq!(again.stored.terms.not_before, Some(opens), "the first PUT counts");
    let mut earlier = direct();
    earlier.not_before = jiff::Timestamp::from_microsecond(T0 - 86_400 * S).ok();
    let PutOutcome::Replaced(freed) = put(&*ledger, earlier.clone()).await else { panic!("replaced") };
    assert_eq!(freed.stored.terms.not_before, earlier.not_before, "what the backend says counts");
    let PutOutcome::Created(by_reference) = put(&*ledger, terms("other", "r2", 100)).await else { panic!("created") };
    assert_eq!(by_reference.stored.terms.not_before, None);
}

pub(crate) async fn rule_12_one_open_expectation_a_key<R: Rig>(rig: R) {
    let ledger = rig.ledger();
    put(&*ledger, terms("one", "r1", 100)).await;
    assert!(matches!(put(&*ledger, terms("two", "r1", 100)).await, PutOutcome::KeyTaken(id) if id == "one"));
    assert!(ledger.expectation("two").await.expect("read").is_none());
    // Another realm, another key and direct ones do not collide.
    let mut elsewhere = terms("three", "r1", 100);
    elsewhere.realm = "other".to_owned();
    assert!(matches!(put(&*ledger, elsewhere).await, PutOutcome::Created(_)));
    for id in ["direct-1", "direct-2"] {
        let mut direct = terms(id, "", 100);
        direct.key = ExpectationKey::Direct;
        assert!(matches!(put(&*ledger, direct).await, PutOutcome::Created(_)));
    }
    // Replacing may not take a key either; a cancelled one gives it free.
    assert!(matches!(put(&*ledger, terms("four", "r4", 100)).await, PutOutcome::Created(_)));
    assert!(matches!(put(&*ledger, terms("four", "r1", 100)).await, PutOutcome::KeyTaken(id) if id == "one"));
    assert!(matches!(
        ledger.cancel_expectation("one", backend(), T0).await.expect("answered"),
        CancelOutcome::Cancelled(_)
    ));
    assert!(matches!(put(&*ledger, terms("four", "r1", 100)).await, PutOutcome::Replaced(_)));
}

pub(crate) async fn rule_17_no_change_after_a_claim<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    put(&*ledger, terms("order", "r1", 100)).await;
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    sent(&*ledger, "a", 1, 40).await;
    assert!(matches!(put(&*ledger, terms("order", "r1", 200)).await, PutOutcome::Claimed(_)));
    assert!(matches!(put(&*ledger, terms("order", "r1", 100)).await, PutOutcome::Same(_)));
    assert!(matches!(
        ledger.cancel_expectation("order", backend(), T0).await.expect("answered"),
        CancelOutcome::Claimed(_)
    ));
    let view = ledger.expectation("order").await.expect("read").expect("known");
    assert_eq!((view.stored.state, view.stored.terms), (ExpectationState::Partial, terms("order", "r1", 100)));
}

pub(crate) async fn a_cancelled_one_can_be_put_again<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    put(&*ledger, terms("order", "r1", 100)).await;
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let judged = due_one(&*ledger, T0, "a").await;
    assert!(matches!(
        ledger.cancel_expectation("order", backend(), T0).await.expect("answered"),
        CancelOutcome::Cancelled(_)
    ));
    assert!(matches!(
        ledger.cancel_expectation("order", backend(), T0).await.expect("answered"),
        CancelOutcome::Cancelled(_)
    ));
    assert_eq!(ledger.confirm(confirm(&judged, 1, 11, 100)).await.expect("answered"), Confirmed::Stale);
    assert!(due_one(&*ledger, T0, "a").await.expectation.is_none());
    assert!(matches!(put(&*ledger, terms("order", "r1", 100)).await, PutOutcome::Replaced(_)));
    assert_eq!(sent(&*ledger, "a", 1, 100).await.1, Code::Verified);
    assert_eq!(stands(&*ledger, "a").await.0, EventState::Forwarding);
}

pub(crate) async fn rule_28_the_audit_says_who_put_and_cancelled<R: Rig>(rig: R) {
    let ledger = rig.ledger();
    put(&*ledger, terms("order", "r1", 100)).await;
    put(&*ledger, terms("order", "r1", 100)).await;
    put(&*ledger, terms("order", "r1", 200)).await;
    put(&*ledger, terms("rival", "r1", 200)).await;
    ledger.cancel_expectation("order", backend(), T0 + S).await.expect("cancelled");
    ledger.cancel_expectation("order", backend(), T0 + S).await.expect("cancelled");
    ledger.cancel_expectation("nobody", backend(), T0 + S).await.expect("answered");
    let told = ledger.audit(AuditFilter { limit: 9, ..AuditFilter::default() }).await.expect("audit").items;
    let what: Vec<_> = told.iter().map(|record| record.entry.what.as_str()).collect();
    assert_eq!(what, ["expectation.cancel", "expectation.put", "expectation.put"], "what changed nothing is not told");
    for record in &told {
        assert_eq!((&record.entry.by, record.entry.subject.as_deref()), (&backend(), Some("order")));
    }
    let [cancelled, replaced, created] = [0, 1, 2].map(|at: usize| &told[at].entry);
    assert_eq!((cancelled.at_us, created.at_us, &created.before), (T0 + S, T0, &None));
    let amount =
        |value: &Option<serde_json::Value>| value.as_ref().expect("terms")["terms"]["accept"][0]["amount"].clone();
    assert_eq!((amount(&replaced.before), amount(&replaced.after)), ("0x64".into(), "0xc8".into()));
    let state = |value: &Option<serde_json::Value>| value.as_ref().expect("terms")["state"].clone();
    assert_eq!((state(&cancelled.before), state(&cancelled.after)), ("open".into(), "cancelled".into()));
}

pub(crate) async fn pages_of_expectations_follow_each_other<R: Rig>(rig: R) {
    let ledger = rig.ledger();
    for n in 0..7 {
        put(&*ledger, terms(&format!("order-{n}"), &format!("r{n}"), 100)).await;
    }
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = ledger.expectations(after, 3).await.expect("page");
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 3);
        after = Some(last.stored.terms.id.clone());
        seen.extend(page.into_iter().map(|view| view.stored.terms.id));
    }
    assert_eq!(seen, (0..7).map(|n| format!("order-{n}")).collect::<Vec<_>>());
}

pub(crate) async fn rule_11_a_shared_recipient_is_noticed<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let mut direct = terms("direct", "r1", 100);
    direct.rails = vec![Rail::Direct];
    put(&*ledger, direct).await;
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    assert!(!due_one(&*ledger, T0, "a").await.recipient_shared);
    // Elsewhere, or to somebody else, is no sharing.
    let mut elsewhere = terms("elsewhere", "r2", 100);
    elsewhere.accept[0].chain_id = 1;
    put(&*ledger, elsewhere).await;
    let mut somebody = terms("somebody", "r3", 100);
    somebody.accept[0].recipients = vec![address(2)];
    put(&*ledger, somebody).await;
    assert!(!due_one(&*ledger, T0, "a").await.recipient_shared);
    put(&*ledger, terms("same", "r4", 100)).await;
    assert!(due_one(&*ledger, T0, "a").await.recipient_shared);
    // An ended one does not count.
    ledger.cancel_expectation("same", backend(), T0).await.expect("cancelled");
    assert!(!due_one(&*ledger, T0, "a").await.recipient_shared);
    put(&*ledger, terms("paid", "r5", 100)).await;
    log.take(&*ledger, vec![paid("b", "r5", 5)]).await;
    sent(&*ledger, "b", 5, 100).await;
    assert!(!due_one(&*ledger, T0, "a").await.recipient_shared);
}

pub(crate) async fn rule_17_a_deadline_ends_what_is_open<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let mut timed = terms("timed", "r1", 100);
    timed.deadline = Some(jiff::Timestamp::from_microsecond(T0 + 10 * S).expect("a time"));
    timed.grace_seconds = 5;
    put(&*ledger, timed).await;
    put(&*ledger, terms("timeless", "r2", 100)).await;
    let state = async |id: &str| ledger.expectation(id).await.expect("read").expect("there").stored.state;
    assert_eq!(ledger.expire_expectations(T0 + 15 * S).await.expect("swept"), 0, "the grace is not over");
    assert_eq!(ledger.expire_expectations(T0 + 15 * S + 1).await.expect("swept"), 1);
    assert_eq!(ledger.expire_expectations(T0 + 15 * S + 1).await.expect("again"), 0);
    assert_eq!((state("timed").await, state("timeless").await), (ExpectationState::Expired, ExpectationState::Open));
    // Mined in time and told about late: it still completes. Mined too late: held, and shown.
    log.take(&*ledger, vec![paid("late", "r1", 1), paid("in-time", "r1", 2)]).await;
    let due = due_one(&*ledger, T0 + 20 * S, "late").await;
    let held = verdict(&due, T0 + 20 * S, EventState::Held, Code::Late);
    ledger.record_verdict(held).await.expect("written");
    assert_eq!(state("timed").await, ExpectationState::Late);
    let due = due_one(&*ledger, T0 + 20 * S, "in-time").await;
    let sent = ledger.confirm(confirm(&due, 2, 7, 100)).await.expect("confirmed");
    assert!(matches!(sent, Confirmed::Sent { .. }), "{sent:?}");
    assert_eq!(state("timed").await, ExpectationState::Paid);
}
