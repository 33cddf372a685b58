//! Rule 21: messages of one lane go one after the other, other lanes flow past; and what a crash leaves.

use super::Rig;
use super::fixtures::*;
use crate::ledger::*;
use crate::model::EventState;

/// A plain event in the given lane.
fn in_lane(name: &str, lane: &str) -> IntakeEvent {
    let mut made = event(name, plain("card", &["default", "second"]));
    made.facts.lane = lane.to_owned();
    made
}

async fn heads(ledger: &dyn Ledger, destination: &str, now_us: i64) -> Vec<String> {
    let mut names = Vec::new();
    for message in messages(ledger, destination, now_us).await {
        let name = ["a", "b", "c", "d"].into_iter().find(|name| first(name) == message.webhook_id);
        names.push(name.expect("a known message").to_owned());
    }
    names.sort();
    names
}

pub(crate) async fn one_message_a_lane_in_order<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let events = vec![in_lane("a", "x"), in_lane("b", "x"), in_lane("c", "x"), in_lane("d", "y")];
    log.take(&*ledger, events).await;
    assert_eq!(heads(&*ledger, "default", T0).await, ["a", "d"]);
    // Behind the head nothing may go, even when asked for by name.
    assert_eq!(ledger.record_intent(intent(first("b"), "default", T0)).await.expect("answered"), Intent::Gone);
    attempt(&*ledger, first("a"), "default", T0, Next::Delivered).await;
    assert_eq!(heads(&*ledger, "default", T0).await, ["b", "d"]);
    let flying = intent(first("b"), "default", T0);
    ledger.record_intent(flying.clone()).await.expect("intent");
    assert_eq!(heads(&*ledger, "default", T0).await, ["d"]);
    ledger.record_attempt(result(&flying, Next::Delivered)).await.expect("result");
    assert_eq!(heads(&*ledger, "default", T0).await, ["c", "d"]);
    assert_eq!(messages(&*ledger, "default", T0).await.len(), 2);
    assert_eq!(ledger.due_messages("default", T0, 1).await.expect("due").len(), 1);
}

pub(crate) async fn rule_21_a_dead_message_parks_and_the_lane_goes_on<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![in_lane("a", "x"), in_lane("b", "x")]).await;
    attempt(&*ledger, first("a"), "default", T0, Next::Dead).await;
    assert_eq!(heads(&*ledger, "default", T0).await, ["b"]);
}

pub(crate) async fn a_retry_holds_its_lane_and_no_other<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![in_lane("a", "x"), in_lane("b", "x"), in_lane("d", "y")]).await;
    attempt(&*ledger, first("a"), "default", T0, Next::Retry { due_us: T0 + 60 * S }).await;
    assert_eq!(heads(&*ledger, "default", T0 + 59 * S).await, ["d"]);
    assert_eq!(heads(&*ledger, "default", T0 + 60 * S).await, ["a", "d"]);
}

pub(crate) async fn destinations_have_lanes_of_their_own<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![in_lane("a", "x"), in_lane("b", "x")]).await;
    attempt(&*ledger, first("a"), "default", T0, Next::Delivered).await;
    assert_eq!(heads(&*ledger, "default", T0).await, ["b"]);
    assert_eq!(heads(&*ledger, "second", T0).await, ["a"]);
}

pub(crate) async fn a_crash_leaves_nothing_in_flight<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![in_lane("a", "x"), in_lane("b", "x")]).await;
    let lost = intent(first("a"), "default", T0);
    ledger.record_intent(lost.clone()).await.expect("intent");
    drop(ledger);
    let rig = rig.restart();
    let ledger = rig.ledger();
    assert!(messages(&*ledger, "default", T0 + S).await.is_empty());
    assert_eq!(ledger.recover_attempts(T0 + S).await.expect("recovered"), 1);
    assert_eq!(ledger.recover_attempts(T0 + S).await.expect("nothing left"), 0);
    assert_eq!(heads(&*ledger, "default", T0 + S).await, ["a"]);
    // The attempt stays on record: it may have reached the backend.
    assert_eq!(messages(&*ledger, "default", T0 + S).await[0].attempts, 1);
    let tried = shown(&*ledger, "a").await.messages.remove(0).attempts.remove(0);
    assert_eq!((tried.attempt_id, tried.outcome.as_deref()), (lost.attempt_id, Some("lost")));
    attempt(&*ledger, first("a"), "default", T0 + S, Next::Delivered).await;
    assert_eq!(heads(&*ledger, "default", T0 + S).await, ["b"]);
}

pub(crate) async fn due_work_is_found_after_a_restart<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    put(&*ledger, terms("order", "r1", 100)).await;
    log.take(&*ledger, vec![paid("a", "r1", 1), in_lane("d", "y")]).await;
    drop(ledger);
    let rig = rig.restart();
    let ledger = rig.ledger();
    assert_eq!(ledger.cursor().await.expect("cursor"), log.at);
    sent(&*ledger, "a", 1, 100).await;
    drop(ledger);
    let rig = rig.restart();
    let ledger = rig.ledger();
    assert_eq!(heads(&*ledger, "default", T0).await, ["a", "d"]);
    attempt(&*ledger, first("a"), "default", T0, Next::Delivered).await;
    drop(ledger);
    let rig = rig.restart();
    let ledger = rig.ledger();
    assert_eq!(due_one(&*ledger, T0, "a").await.state, EventState::Forwarded);
    assert_eq!(heads(&*ledger, "default", T0).await, ["d"]);
    log.take(&*ledger, vec![paid("b", "r1", 2)]).await;
}

pub(crate) async fn rule_21_outages_are_known_after_a_restart<R: Rig>(rig: R) {
    let ledger = rig.ledger();
    assert_eq!(ledger.outages("default").await.expect("none"), []);
    let ended = |n: i64| Outage { began_us: T0 + n * S, ended_us: Some(T0 + n * S + 1) };
    let lasting = Outage { began_us: T0 + 9 * S, ended_us: None };
    ledger.put_outages("default", vec![ended(1), lasting]).await.expect("written");
    ledger.put_outages("second", vec![ended(7)]).await.expect("written");
    drop(ledger);
    let rig = rig.restart();
    let ledger = rig.ledger();
    assert_eq!(ledger.outages("default").await.expect("read"), [ended(1), lasting]);
    assert_eq!(ledger.outages("second").await.expect("read"), [ended(7)]);
    // What is put takes the place of what was, however much that is.
    let many: Vec<_> = (0..500).map(ended).collect();
    ledger.put_outages("default", many.clone()).await.expect("written");
    assert_eq!(ledger.outages("default").await.expect("read"), many);
    ledger.put_outages("default", Vec::new()).await.expect("written");
    assert_eq!(ledger.outages("default").await.expect("read"), []);
}
