//! Pauses and the audit.

use super::Rig;
use super::fixtures::*;
use crate::ledger::*;
use crate::model::EventState;

fn who(name: &str) -> Who {
    Who { name: name.to_owned(), from: "api 127.0.0.1".to_owned(), reason: Some("because".to_owned()) }
}

async fn pause(ledger: &dyn Ledger, target: PauseTarget, paused: bool, now_us: i64) -> bool {
    ledger.set_pause(target, paused, who("ada"), now_us).await.expect("written")
}

async fn due_names(ledger: &dyn Ledger, destination: &str) -> Vec<crate::model::EventId> {
    messages(ledger, destination, T0 + 3600 * S).await.into_iter().map(|message| message.webhook_id.event).collect()
}

async fn two_sources(ledger: &dyn Ledger) -> Log {
    let mut log = Log::new();
    let mut other = event("card", plain("card", &["default", "second"]));
    other.facts.source = "stripe".to_owned();
    log.take(ledger, vec![event("plain", plain("card", &["default", "second"])), other]).await;
    log
}

pub(crate) async fn a_pause_of_everything_holds_everything_across_a_restart<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1), event("m", plain("card", &["default"]))]).await;
    sent(&*ledger, "a", 1, 100).await;
    assert!(pause(&*ledger, PauseTarget::Forwarding, true, T0 + S).await);
    assert!(!pause(&*ledger, PauseTarget::Forwarding, true, T0 + 2 * S).await, "it was paused");
    let rig = {
        drop(ledger);
        rig.restart()
    };
    let ledger = rig.ledger();
    assert!(due_names(&*ledger, "default").await.is_empty());
    assert_eq!(ledger.record_intent(intent(first("m"), "default", T0 + S)).await.expect("answered"), Intent::Paused);
    let feed = FeedRead {
        destination: "default".to_owned(),
        types: Vec::new(),
        sources: Vec::new(),
        after: 0,
        limit: 9,
        now_us: T0,
        anchor_since_us: 0,
    };
    assert!(ledger.feed(feed.clone()).await.expect("a page").items.is_empty());
    let shown = ledger.pauses().await.expect("pauses");
    assert_eq!(shown, [Pause { target: PauseTarget::Forwarding, by: who("ada"), since_us: T0 + S }]);
    // Verification goes on: only sending waits.
    log.take(&*ledger, vec![paid("b", "r2", 2)]).await;
    sent(&*ledger, "b", 2, 100).await;
    assert!(pause(&*ledger, PauseTarget::Forwarding, false, T0 + 9 * S).await);
    assert!(!pause(&*ledger, PauseTarget::Forwarding, false, T0 + 9 * S).await);
    assert!(ledger.pauses().await.expect("pauses").is_empty());
    let due = messages(&*ledger, "default", T0 + 9 * S).await;
    assert_eq!(due.len(), 3);
    assert!(due.iter().all(|message| message.created_us == T0 && message.patient_since_us == T0 + 9 * S), "{due:?}");
    attempt(&*ledger, first("m"), "default", T0 + 9 * S, Next::Delivered).await;
    assert_eq!(ledger.feed(feed).await.expect("a page").items.len(), 1, "what was sent; the rest is asked for again");
}

pub(crate) async fn a_pause_of_a_destination_holds_no_other<R: Rig>(rig: R) {
    let ledger = rig.ledger();
    two_sources(&*ledger).await;
    pause(&*ledger, PauseTarget::Destination("default".to_owned()), true, T0).await;
    assert!(due_names(&*ledger, "default").await.is_empty());
    assert_eq!(due_names(&*ledger, "second").await.len(), 2);
    let refused = ledger.record_intent(intent(first("card"), "default", T0)).await.expect("answered");
    assert_eq!(refused, Intent::Paused);
    attempt(&*ledger, first("card"), "second", T0, Next::Delivered).await;
    pause(&*ledger, PauseTarget::Destination("default".to_owned()), false, T0 + S).await;
    assert_eq!(due_names(&*ledger, "default").await.len(), 2);
}

pub(crate) async fn a_pause_of_a_source_holds_no_other<R: Rig>(rig: R) {
    let ledger = rig.ledger();
    let mut log = two_sources(&*ledger).await;
    pause(&*ledger, PauseTarget::Source("stripe".to_owned()), true, T0).await;
    for destination in ["default", "second"] {
        assert_eq!(due_names(&*ledger, destination).await, [id_of("plain")]);
    }
    let refused = ledger.record_intent(intent(first("card"), "default", T0)).await.expect("answered");
    assert_eq!(refused, Intent::Paused);
    // What comes meanwhile waits too, and the others keep their order.
    let mut more = event("card2", plain("card", &["default"]));
    more.facts.source = "stripe".to_owned();
    let mut third = event("third", plain("card", &["default"]));
    third.facts.source = "a-third".to_owned();
    log.take_at(&*ledger, T0 + S, vec![more, third]).await;
    assert_eq!(due_names(&*ledger, "default").await, [id_of("plain"), id_of("third")]);
    attempt(&*ledger, first("plain"), "default", T0, Next::Retry { due_us: T0 + 60 * S }).await;
    assert_eq!(due_names(&*ledger, "default").await, [id_of("third"), id_of("plain")]);
    assert_eq!(ledger.due_messages("default", T0 + 3600 * S, 1).await.expect("due").len(), 1);
    pause(&*ledger, PauseTarget::Source("stripe".to_owned()), false, T0 + 5 * S).await;
    let due = messages(&*ledger, "default", T0 + 5 * S).await;
    let patient: Vec<_> = due.iter().map(|message| (message.webhook_id.event, message.patient_since_us)).collect();
    assert_eq!(patient, [(id_of("card"), T0 + 5 * S), (id_of("card2"), T0 + 5 * S), (id_of("third"), T0 + S)]);
}

pub(crate) async fn an_attempt_in_flight_ends_in_a_pause<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![event("m", plain("card", &["default"]))]).await;
    let flying = intent(first("m"), "default", T0);
    assert_eq!(ledger.record_intent(flying.clone()).await.expect("intent"), Intent::Go);
    pause(&*ledger, PauseTarget::Forwarding, true, T0 + S).await;
    ledger.record_attempt(result(&flying, Next::Delivered)).await.expect("result");
    assert_eq!(stands(&*ledger, "m").await.0, EventState::Settled);
}

pub(crate) async fn a_pause_needs_a_name<R: Rig>(rig: R) {
    let ledger = rig.ledger();
    for target in [PauseTarget::Source(String::new()), PauseTarget::Destination("x".repeat(300))] {
        let refused = ledger.set_pause(target, true, who("ada"), T0).await;
        assert!(matches!(refused, Err(LedgerError::Damaged(_))), "{refused:?}");
    }
    assert!(ledger.pauses().await.expect("pauses").is_empty());
    assert!(ledger.audit(AuditFilter { limit: 9, ..AuditFilter::default() }).await.expect("audit").is_empty());
}

fn entry(what: &str, name: &str, at_us: i64) -> AuditEntry {
    AuditEntry {
        at_us,
        by: who(name),
        what: what.to_owned(),
        subject: Some(format!("subject of {what}")),
        event_id: None,
        before: None,
        after: Some(serde_json::json!({ "n": at_us - T0 })),
    }
}

pub(crate) async fn rule_28_the_audit_says_who_did_what<R: Rig>(rig: R) {
    let ledger = rig.ledger();
    let mut erased = entry("evidence.erase", "ada", T0 + S);
    erased.event_id = Some(id_of("a"));
    let made = [entry("config.reload", "grace", T0), erased, entry("evidence.erase", "grace", T0 + 2 * S)];
    for (number, entry) in (1..).zip(&made) {
        assert_eq!(ledger.audit_add(entry.clone()).await.expect("added"), number);
    }
    pause(&*ledger, PauseTarget::Source("rn".to_owned()), true, T0 + 3 * S).await;
    let all = |filter: AuditFilter| {
        let ledger = rig.ledger();
        async move {
            let page = ledger.audit(AuditFilter { limit: 9, ..filter }).await.expect("audit");
            page.iter().map(|record| record.number).collect::<Vec<_>>()
        }
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(all(AuditFilter::default()).await, [4, 3, 2, 1]);
    assert_eq!(all(AuditFilter { by: some("grace"), ..AuditFilter::default() }).await, [3, 1]);
    assert_eq!(all(AuditFilter { what: some("pause"), ..AuditFilter::default() }).await, [4]);
    assert_eq!(all(AuditFilter { subject: some("source rn"), ..AuditFilter::default() }).await, [4]);
    assert_eq!(all(AuditFilter { event_id: Some(id_of("a")), ..AuditFilter::default() }).await, [2]);
    assert_eq!(all(AuditFilter { since_us: Some(T0 + 2 * S), ..AuditFilter::default() }).await, [4, 3]);
    assert_eq!(all(AuditFilter { until_us: Some(T0 + S), ..AuditFilter::default() }).await, [1]);
    assert_eq!(all(AuditFilter { before: Some(3), ..AuditFilter::default() }).await, [2, 1]);
    let shown = ledger.audit(AuditFilter { before: Some(3), limit: 1, ..AuditFilter::default() }).await.expect("audit");
    assert_eq!(shown.items, [AuditRecord { number: 2, entry: made[1].clone() }]);
    // The log follows it by the same numbers.
    let changes = ledger.changes(ChangeTable::Audit, 1, 9).await.expect("changes");
    assert_eq!(changes.iter().map(|change| change.number).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!((changes[0].kind.as_str(), changes[0].event_id), ("evidence.erase", Some(id_of("a"))));
    let body: serde_json::Value = serde_json::from_str(&changes[0].body).expect("JSON");
    assert_eq!((&body["by"], &body["from"]), (&"ada".into(), &"api 127.0.0.1".into()));
    assert_eq!((&body["reason"], &body["after"]["n"]), (&"because".into(), &S.into()));
}

pub(crate) async fn the_audit_takes_whatever_was_done<R: Rig>(rig: R) {
    let ledger = rig.ledger();
    let mut huge = entry("config.reload", &"é".repeat(9_000), T0);
    huge.by.reason = Some("r".repeat(9_000));
    huge.after = Some("x".repeat(900_000).into());
    ledger.audit_add(huge).await.expect("recorded");
    let kept =
        ledger.audit(AuditFilter { limit: 1, ..AuditFilter::default() }).await.expect("audit").items.remove(0).entry;
    assert!(kept.by.name.len() <= 1024 && kept.by.reason.is_some_and(|reason| reason.len() == 1024));
    assert!(kept.after.expect("a note")["left_out"].is_string());
    for what in [String::new(), "w".repeat(65)] {
        let refused = ledger.audit_add(entry(&what, "ada", T0)).await;
        assert!(matches!(refused, Err(LedgerError::Damaged(_))), "{refused:?}");
    }
}
