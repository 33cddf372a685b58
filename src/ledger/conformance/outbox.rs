//! Intents and results.

use uuid::Uuid;

use super::Rig;
use super::fixtures::*;
use crate::ledger::*;
use crate::model::{Code, EventState, WebhookId};

pub(crate) async fn an_attempt_has_intent_and_result<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![event("m", plain("card", &["default"]))]).await;
    let intent = intent(first("m"), "default", T0 + S);
    assert_eq!(ledger.record_intent(intent.clone()).await.expect("intent"), Intent::Go);
    // In flight: not due, and nobody else may send it.
    assert!(messages(&*ledger, "default", T0 + S).await.is_empty());
    let second = super::fixtures::intent(first("m"), "default", T0 + S);
    assert_eq!(ledger.record_intent(second).await.expect("answered"), Intent::Gone);
    let mut failed = result(&intent, Next::Retry { due_us: T0 + 10 * S });
    failed.now_us = T0 + 2 * S;
    ledger.record_attempt(failed).await.expect("result");
    assert!(messages(&*ledger, "default", T0 + 9 * S).await.is_empty());
    assert_eq!(messages(&*ledger, "default", T0 + 10 * S).await[0].attempts, 1);
    attempt(&*ledger, first("m"), "default", T0 + 10 * S, Next::Delivered).await;
    assert_eq!(stands(&*ledger, "m").await, (EventState::Settled, Some(Code::ProviderEvent)));

    let view = shown(&*ledger, "m").await.messages.remove(0);
    assert_eq!((view.state.as_str(), view.due_us, view.attempts.len()), ("delivered", None, 2));
    let tried = &view.attempts[0];
    assert_eq!((tried.attempt_id, tried.started_us, tried.finished_us), (intent.attempt_id, T0 + S, Some(T0 + 2 * S)));
    assert_eq!((tried.status, tried.outcome.as_deref(), tried.latency_ms), (Some(500), Some("status"), Some(12)));
    assert_eq!(tried.response.as_deref(), Some("thanks"));
}

pub(crate) async fn only_what_is_due_may_be_sent<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![event("m", plain("card", &["default"]))]).await;
    let gone = [
        intent(WebhookId { event: id_of("m"), state_version: 2 }, "default", T0),
        intent(first("unknown"), "default", T0),
        intent(first("m"), "elsewhere", T0),
        intent(first("m"), "default", T0 - 1),
    ];
    for intent in gone {
        assert_eq!(ledger.record_intent(intent.clone()).await.expect("answered"), Intent::Gone, "{intent:?}");
    }
    attempt(&*ledger, first("m"), "default", T0, Next::Delivered).await;
    assert_eq!(ledger.record_intent(intent(first("m"), "default", T0)).await.expect("answered"), Intent::Gone);
    let never = RecordAttempt { attempt_id: Uuid::now_v7(), ..result(&intent(first("m"), "default", T0), Next::Dead) };
    assert!(matches!(ledger.record_attempt(never).await, Err(LedgerError::Damaged(_))));
    assert_eq!(stands(&*ledger, "m").await.0, EventState::Settled);
}

pub(crate) async fn rule_20_an_old_anchor_is_looked_at_first<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let (id, _) = sent(&*ledger, "a", 1, 100).await;
    let later = T0 + 3600 * S;
    let mut careful = intent(id, "default", later);
    careful.anchor_since_us = later - 60 * S;
    for _ in 0..2 {
        assert_eq!(ledger.record_intent(careful.clone()).await.expect("answered"), Intent::AnchorStale);
    }
    let asked = due_one(&*ledger, later, "a").await;
    assert!(asked.anchor_check);
    assert_eq!((asked.state, asked.anchor), (EventState::Forwarding, Some(anchor(1, 11))));
    let mut seen = verdict(&asked, later, EventState::Forwarding, Code::VerifiedUnmatched);
    seen.anchor = asked.anchor;
    assert_eq!(ledger.record_verdict(seen).await.expect("written"), Committed::Done);
    assert!(due(&*ledger, i64::MAX).await.is_empty());
    assert_eq!(stands(&*ledger, "a").await, (EventState::Forwarding, Some(Code::VerifiedUnmatched)));
    assert_eq!(ledger.record_intent(careful).await.expect("answered"), Intent::Go);
}

pub(crate) async fn rule_20_after_an_intent_the_anchor_is_not_asked_again<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let event = due_one(&*ledger, T0, "a").await;
    let mut judged = confirm(&event, 1, 11, 100);
    judged.destinations.push("second".to_owned());
    ledger.confirm(judged).await.expect("confirmed");
    // One destination asks for a look, the other is content with what is known: what it sends cannot be unsent.
    let mut careful = intent(first("a"), "default", T0 + 90 * S);
    careful.anchor_since_us = T0 + 30 * S;
    assert_eq!(ledger.record_intent(careful.clone()).await.expect("answered"), Intent::AnchorStale);
    let asked = due_one(&*ledger, T0 + 90 * S, "a").await;
    attempt(&*ledger, first("a"), "second", T0 + 90 * S, Next::Retry { due_us: T0 + 100 * S }).await;
    let lost = verdict(&asked, T0 + 90 * S, EventState::Verifying, Code::Reorged);
    assert_eq!(ledger.record_verdict(lost).await.expect("answered"), Committed::Stale);
    assert!(due(&*ledger, i64::MAX).await.is_empty());
    assert_eq!(ledger.record_intent(careful).await.expect("answered"), Intent::Go);
}

pub(crate) async fn an_event_is_forwarded_when_every_destination_has_it<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let mut judged = confirm(&due_one(&*ledger, T0, "a").await, 1, 11, 100);
    judged.destinations.push("second".to_owned());
    ledger.confirm(judged).await.expect("confirmed");
    attempt(&*ledger, first("a"), "default", T0, Next::Delivered).await;
    assert_eq!(stands(&*ledger, "a").await.0, EventState::Forwarding);
    attempt(&*ledger, first("a"), "second", T0, Next::Delivered).await;
    // Money is watched until it is settled.
    let watched = due_one(&*ledger, T0, "a").await;
    assert_eq!((watched.state, watched.anchor), (EventState::Forwarded, Some(anchor(1, 11))));
    let mut later = verdict(&watched, T0, EventState::Forwarded, Code::VerifiedUnmatched);
    (later.due_us, later.anchor) = (Some(T0 + S), watched.anchor);
    ledger.record_verdict(later).await.expect("written");
    let settled = verdict(&due_one(&*ledger, T0 + S, "a").await, T0, EventState::Settled, Code::VerifiedUnmatched);
    ledger.record_verdict(settled).await.expect("written");
    assert_eq!(stands(&*ledger, "a").await.0, EventState::Settled);
    assert!(shown(&*ledger, "a").await.event.anchor.is_some());
    assert!(due(&*ledger, i64::MAX).await.is_empty());
}

pub(crate) async fn a_dead_message_makes_a_dead_event<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![event("m", plain("card", &["default", "second"]))]).await;
    attempt(&*ledger, first("m"), "default", T0, Next::Dead).await;
    assert_eq!(stands(&*ledger, "m").await.0, EventState::Dead);
    // The other destination still gets it.
    attempt(&*ledger, first("m"), "second", T0, Next::Delivered).await;
    assert_eq!(stands(&*ledger, "m").await.0, EventState::Dead);
    let states: Vec<_> = shown(&*ledger, "m").await.messages.into_iter().map(|view| view.state).collect();
    assert_eq!(states, ["dead", "delivered"]);
}

pub(crate) async fn a_result_recorded_twice_counts_once<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![event("m", plain("card", &["default"]))]).await;
    let intent = intent(first("m"), "default", T0);
    ledger.record_intent(intent.clone()).await.expect("intent");
    ledger.record_attempt(result(&intent, Next::Delivered)).await.expect("result");
    ledger.record_attempt(result(&intent, Next::Dead)).await.expect("again");
    let detail = shown(&*ledger, "m").await;
    assert_eq!((detail.event.state, detail.messages[0].state.as_str()), (EventState::Settled, "delivered"));
}

pub(crate) async fn responses_are_cut<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![event("m", plain("card", &["default"]))]).await;
    let intent = intent(first("m"), "default", T0);
    ledger.record_intent(intent.clone()).await.expect("intent");
    let response = format!("x{}", "é".repeat(5000));
    ledger.record_attempt(RecordAttempt { response, ..result(&intent, Next::Delivered) }).await.expect("result");
    let kept = shown(&*ledger, "m").await.messages.remove(0).attempts.remove(0).response.expect("kept");
    assert_eq!((kept.len(), kept.chars().count()), (1023, 512));
}

pub(crate) async fn attempts_are_listed_newest_first_and_page_by_page<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(
        &*ledger,
        vec![event("a", plain("card", &["default", "second"])), event("b", plain("card", &["default"]))],
    )
    .await;
    attempt(&*ledger, first("a"), "default", T0, Next::Retry { due_us: T0 + S }).await;
    attempt(&*ledger, first("b"), "default", T0, Next::Delivered).await;
    attempt(&*ledger, first("a"), "second", T0 + S, Next::Delivered).await;
    attempt(&*ledger, first("a"), "default", T0 + 2 * S, Next::Delivered).await;
    let list = async |filter: AttemptFilter| {
        let page = ledger.attempts(AttemptFilter { limit: filter.limit.max(1), ..filter }).await.expect("a page");
        let shown = page.items.iter().map(|sent| (sent.webhook_id.clone(), sent.destination.clone()));
        (shown.collect::<Vec<_>>(), page.next)
    };
    let row = |name: &str, to: &str| (first(name).to_string(), to.to_owned());
    let all = [row("a", "default"), row("a", "second"), row("b", "default"), row("a", "default")];
    assert_eq!(list(AttemptFilter { limit: 9, ..AttemptFilter::default() }).await, (all.to_vec(), None));
    let (some, next) = list(AttemptFilter { limit: 3, ..AttemptFilter::default() }).await;
    assert_eq!(some, all[..3]);
    let before = next.map(|text| text.parse().expect("a cursor"));
    assert_eq!(list(AttemptFilter { limit: 3, before, ..AttemptFilter::default() }).await, (all[3..].to_vec(), None));
    let of_b = AttemptFilter { event: Some(id_of("b")), limit: 9, ..AttemptFilter::default() };
    assert_eq!(list(of_b).await.0, [row("b", "default")]);
    let failed = AttemptFilter { outcome: Some("status".to_owned()), limit: 9, ..AttemptFilter::default() };
    assert_eq!(list(failed).await.0, [row("a", "default")]);
    let late = AttemptFilter { since_us: Some(T0 + S), limit: 9, ..AttemptFilter::default() };
    assert_eq!(list(late).await.0, all[..2]);
    let none = AttemptFilter { sources: vec!["stripe".to_owned()], limit: 9, ..AttemptFilter::default() };
    assert!(list(none).await.0.is_empty());
}
