//! Taking in batches of the log.

use super::Rig;
use super::fixtures::*;
use crate::ledger::*;
use crate::model::{Code, EventState};

pub(crate) async fn a_batch_makes_events_and_moves_the_cursor<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    assert_eq!(ledger.cursor().await.expect("cursor"), None);
    let taken = log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r2", 2)]).await;
    assert_eq!(taken.iter().map(|t| t.event_id).collect::<Vec<_>>(), [Some(id_of("a")), Some(id_of("b"))]);
    assert!(taken.iter().all(|t| t.new_event && !t.mismatch));
    assert_eq!(ledger.cursor().await.expect("cursor"), log.at);
    let due = due(&*ledger, T0).await;
    assert_eq!(due.len(), 2);
    assert_eq!(due[0].state, EventState::Verifying);
    assert_eq!(due[0].claim.as_ref().and_then(|claim| claim.request_id.as_deref()), Some("r1"));
    // Records that are no deliveries move the cursor only.
    assert!(log.take(&*ledger, Vec::new()).await.is_empty());
}

pub(crate) async fn a_batch_taken_twice_writes_nothing<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let batch = log.batch(T0, vec![Ok(paid("a", "r1", 1))]);
    let first = batch.clone();
    assert_eq!(ledger.intake(batch.clone()).await.expect("first").len(), 1);
    assert!(ledger.intake(batch).await.expect("again").is_empty());
    log.at = Some(first.to);
    log.take(&*ledger, vec![paid("b", "r2", 2)]).await;
    assert!(ledger.intake(first).await.expect("late again").is_empty());
    assert_eq!(ledger.deliveries(Filter { limit: 10, ..Filter::default() }).await.expect("list").len(), 2);
    assert_eq!(ledger.cursor().await.expect("cursor"), log.at);
}

pub(crate) async fn a_batch_that_does_not_follow_is_refused<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r2", 2)]).await;
    let stood = log.at;
    let refused = |batch: IntakeBatch| {
        let ledger = rig.ledger();
        async move { matches!(ledger.intake(batch).await, Err(LedgerError::EvidenceRewound(_))) }
    };
    // A record further on, after a cursor that carries another link.
    let mut other = log.batch(T0, vec![Ok(paid("c", "r3", 3))]);
    if let Some(from) = other.from.as_mut() {
        from.link = [9; 32];
    }
    assert!(refused(other).await);
    // The same record with another link.
    let mut same = log.batch(T0, Vec::new());
    same.to.link = [9; 32];
    assert!(refused(same).await);
    // A gap.
    let mut gap = log.batch(T0, vec![Ok(paid("d", "r4", 4))]);
    if let Some(from) = gap.from.as_mut() {
        from.seq += 1;
    }
    gap.to.seq += 1;
    assert!(refused(gap).await);
    // From the start of a log that was read already, to beyond where it stands.
    let mut start = log.batch(T0, vec![Ok(paid("e", "r5", 5))]);
    start.from = None;
    assert!(refused(start).await);
    assert_eq!(ledger.cursor().await.expect("cursor"), stood);
    assert_eq!(due(&*ledger, T0).await.len(), 2);
}

pub(crate) async fn a_restored_log_read_from_its_start_changes_nothing<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let events = vec![paid("a", "r1", 1), event("m", plain("card", &["default"]))];
    log.take(&*ledger, events.clone()).await;
    let mut restored = Log::new();
    let taken = restored.take(&*ledger, events).await;
    assert!(taken.iter().all(|t| !t.new_event && t.event_id.is_some()));
    assert_eq!(ledger.cursor().await.expect("cursor"), restored.at);
    assert_eq!(ledger.deliveries(Filter { limit: 10, ..Filter::default() }).await.expect("list").len(), 2);
    assert_eq!(messages(&*ledger, "default", T0).await.len(), 1);
}

pub(crate) async fn rule_8_a_test_delivery_changes_no_event<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let batch = log.batch(T0, vec![Err(Code::TestHeader)]);
    log.at = Some(batch.to);
    let taken = ledger.intake(batch).await.expect("taken");
    assert_eq!((taken[0].event_id, taken[0].new_event), (None, false));
    let view = ledger.delivery(taken[0].delivery_id).await.expect("read").expect("known");
    assert_eq!((view.event_id, view.code), (None, Some(Code::TestHeader)));
    assert!(due(&*ledger, T0).await.is_empty());
    // The real one after it makes its event.
    assert!(log.take(&*ledger, vec![paid("a", "r1", 1)]).await[0].new_event);
}

pub(crate) async fn an_ended_event_is_held_or_ignored<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let ended = [
        ("leg", Code::FiatLeg, EventState::Held),
        ("json", Code::AmbiguousJson, EventState::Held),
        ("test", Code::TestMode, EventState::Ignored),
        ("type", Code::TypeIgnored, EventState::Ignored),
    ];
    for (name, code, state) in ended {
        log.take(&*ledger, vec![event(name, IntakeKind::Ended(code))]).await;
        assert_eq!(stands(&*ledger, name).await, (state, Some(code)));
    }
    assert!(due(&*ledger, i64::MAX).await.is_empty());
    assert!(messages(&*ledger, "default", i64::MAX).await.is_empty());
}

pub(crate) async fn an_ended_copy_of_a_known_event_changes_nothing<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let before = due_one(&*ledger, T0, "a").await.version;
    let taken = log.take(&*ledger, vec![event("a", IntakeKind::Ended(Code::FiatLeg))]).await;
    assert_eq!((taken[0].event_id, taken[0].new_event), (Some(id_of("a")), false));
    let after = due_one(&*ledger, T0, "a").await;
    assert_eq!((after.version, after.state), (before, EventState::Verifying));
}

pub(crate) async fn a_genuine_claim_frees_an_event_held_from_the_start<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![event("a", IntakeKind::Ended(Code::FiatLeg))]).await;
    let taken = log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    assert!(!taken[0].new_event && !taken[0].mismatch);
    let due = due_one(&*ledger, T0, "a").await;
    assert_eq!((due.state, due.code), (EventState::Verifying, None));
    // A test-mode one stays ignored.
    log.take(&*ledger, vec![event("t", IntakeKind::Ended(Code::TestMode)), paid("t", "r2", 2)]).await;
    assert_eq!(stands(&*ledger, "t").await, (EventState::Ignored, Some(Code::TestMode)));
}

pub(crate) async fn rule_33_a_copy_that_a_filter_left_out_does_not_silence_the_genuine_claim<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    // Signed with a stolen secret: the genuine payment's identity, with the client id of somebody else.
    log.take(&*ledger, vec![event("a", IntakeKind::Ended(Code::TypeIgnored))]).await;
    assert_eq!(stands(&*ledger, "a").await, (EventState::Ignored, Some(Code::TypeIgnored)));
    let genuine = paid("a", "r1", 1);
    let delivery = genuine.facts.delivery_id;
    log.take(&*ledger, vec![genuine]).await;
    let due = due_one(&*ledger, T0, "a").await;
    assert_eq!((due.state, due.code, due.facts.delivery_id), (EventState::Verifying, None, delivery));
    // And the other way round nothing changes.
    log.take(&*ledger, vec![event("a", IntakeKind::Ended(Code::TypeIgnored))]).await;
    assert_eq!(due_one(&*ledger, T0, "a").await.version, due.version);
    assert_eq!(sent(&*ledger, "a", 1, 100).await.0, first("a"));
}

pub(crate) async fn a_plain_message_is_due_at_once<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![event("m", plain("card", &["default", "second"]))]).await;
    assert_eq!(stands(&*ledger, "m").await, (EventState::Forwarding, Some(Code::ProviderEvent)));
    for destination in ["default", "second"] {
        let due = messages(&*ledger, destination, T0).await;
        assert_eq!(due.len(), 1);
        assert_eq!((due[0].webhook_id, due[0].lane.as_str()), (first("m"), "lane:m"));
        assert_eq!(due[0].body, format!("card {}_1", id_of("m")).into_bytes());
        assert_eq!((due[0].attempts, due[0].message_type.as_str()), (0, "provider.event"));
    }
    assert!(messages(&*ledger, "third", T0).await.is_empty());
    // A copy sends nothing more.
    log.take(&*ledger, vec![event("m", plain("card", &["default", "second"]))]).await;
    assert_eq!(messages(&*ledger, "default", T0).await.len(), 1);
    assert_eq!(shown(&*ledger, "m").await.event.deliveries, 2);
}

pub(crate) async fn a_message_for_nobody_settles<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![event("m", plain("card", &[]))]).await;
    assert_eq!(stands(&*ledger, "m").await.0, EventState::Settled);
    assert!(ledger.message(first("m")).await.expect("read").is_some());
}
