//! Rule 3: a thin event and its snapshot are one event, in either order.

use super::Rig;
use super::fixtures::*;
use crate::ledger::*;
use crate::model::{Code, EventState, WebhookId};

const GRACE: i64 = T0 + 600 * S;

fn thin(name: &str) -> IntakeEvent {
    event(name, IntakeKind::Thin { until_us: GRACE })
}

fn snapshot(name: &str, kind: IntakeKind) -> IntakeEvent {
    let mut snapshot = event(name, kind);
    snapshot.facts.api_version = Some("2026-10-28".to_owned());
    snapshot.facts.lane = "pi_1".to_owned();
    snapshot
}

/// What verification does when the twin did not come.
async fn send_thin(ledger: &dyn Ledger, name: &str) -> WebhookId {
    let event = due_one(ledger, GRACE, name).await;
    assert!(event.claim.is_none());
    let mut message = confirm(&event, 0, 0, 0);
    (message.anchor, message.slots, message.code) = (None, Vec::new(), Code::ProviderEvent);
    match ledger.confirm(message).await.expect("sent") {
        Confirmed::Sent { webhook_id, .. } => webhook_id,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn rule_3_thin_first_waits_for_its_snapshot<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![thin("a"), thin("a")]).await;
    assert_eq!(stands(&*ledger, "a").await, (EventState::Received, Some(Code::WaitingTwin)));
    assert!(due(&*ledger, GRACE - 1).await.is_empty());
    let id = send_thin(&*ledger, "a").await;
    assert_eq!(messages(&*ledger, "default", GRACE).await[0].message_type, "provider.event");
    attempt(&*ledger, id, "default", GRACE, Next::Delivered).await;
    assert_eq!(stands(&*ledger, "a").await, (EventState::Settled, Some(Code::ProviderEvent)));
}

pub(crate) async fn rule_3_a_snapshot_takes_over_before_the_grace_ends<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![thin("a")]).await;
    let whole = snapshot("a", plain("snapshot", &["default"]));
    let taken = log.take(&*ledger, vec![whole.clone()]).await;
    assert!(!taken[0].new_event);
    let detail = shown(&*ledger, "a").await;
    assert_eq!((detail.event.state, detail.event.facts), (EventState::Forwarding, whole.facts));
    let due = messages(&*ledger, "default", T0).await;
    assert_eq!((due.len(), due[0].webhook_id, due[0].lane.as_str()), (1, first("a"), "pi_1"));
    assert!(super::fixtures::due(&*ledger, i64::MAX).await.is_empty());
}

pub(crate) async fn rule_3_a_snapshot_claim_takes_over<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![thin("a"), snapshot("a", IntakeKind::Claim(claim("r1", 1, "100")))]).await;
    let event = due_one(&*ledger, T0, "a").await;
    assert_eq!((event.state, event.facts.api_version.as_deref()), (EventState::Verifying, Some("2026-10-28")));
    assert!(event.claim.is_some());
    let (id, _) = sent(&*ledger, "a", 1, 100).await;
    assert_eq!(id, first("a"));
}

pub(crate) async fn rule_3_snapshot_first_then_thin_is_a_delivery<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let whole = snapshot("a", plain("snapshot", &["default"]));
    log.take(&*ledger, vec![whole.clone()]).await;
    log.take(&*ledger, vec![thin("a")]).await;
    let detail = shown(&*ledger, "a").await;
    assert_eq!((detail.event.facts, detail.deliveries.len()), (whole.facts, 2));
    assert_eq!((detail.event.state, detail.event.state_version), (EventState::Forwarding, 1));
    assert!(due(&*ledger, i64::MAX).await.is_empty());
}

pub(crate) async fn rule_3_a_snapshot_after_the_thin_message_is_the_next_message<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![thin("a"), thin("b")]).await;
    for name in ["a", "b"] {
        let id = send_thin(&*ledger, name).await;
        attempt(&*ledger, id, "default", GRACE, Next::Delivered).await;
    }
    log.take_at(&*ledger, GRACE, vec![snapshot("a", plain("snapshot", &["default"]))]).await;
    let due = messages(&*ledger, "default", GRACE).await;
    assert_eq!((due.len(), due[0].webhook_id.state_version), (1, 2));
    // One lane for all messages of an event, whatever the snapshot says.
    assert_eq!(due[0].lane, "lane:a");
    assert_eq!(stands(&*ledger, "a").await.0, EventState::Forwarding);

    log.take_at(&*ledger, GRACE, vec![snapshot("b", IntakeKind::Claim(claim("r1", 1, "100")))]).await;
    assert_eq!(stands(&*ledger, "b").await.0, EventState::Verifying);
    let (id, _) = sent(&*ledger, "b", 1, 100).await;
    assert_eq!(id.state_version, 2);
}

pub(crate) async fn rule_3_a_snapshot_replaces_an_unsent_thin_message<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![thin("a")]).await;
    let id = send_thin(&*ledger, "a").await;
    log.take_at(&*ledger, GRACE, vec![snapshot("a", plain("snapshot", &["default"]))]).await;
    let due = messages(&*ledger, "default", GRACE).await;
    assert_eq!((due.len(), due[0].webhook_id.state_version), (1, 2));
    assert_eq!(ledger.record_intent(intent(id, "default", GRACE)).await.expect("answered"), Intent::Gone);
    assert_eq!(shown(&*ledger, "a").await.messages[0].state, "superseded");
}
