//! What a restored gateway sends.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::{create, restore};
use crate::operate::ask;
use crate::support::gateway::{ADMIN_TOKEN, FORWARD_SECRET, Setup, Site};
use crate::support::invoice;
use crate::support::receiver::{Answer, Receiver};

/// Long enough for a gateway that would send to have sent: its waits begin at 100 ms.
const QUIET: Duration = Duration::from_millis(1500);

#[tokio::test]
async fn rule_27_a_restored_gateway_sends_nothing_until_resume_and_then_nothing_twice_under_another_id() {
    let backend = Receiver::start(&[FORWARD_SECRET]);
    let setup = || Setup { backend: Some(backend.address()), ..Setup::default() };
    let site = Site::new(&setup());
    let gateway = site.start();
    let mut deliveries = Vec::new();
    for number in 1..=3 {
        let id = gateway.request_network(&invoice::processing(number, 1)).await.delivery_id();
        gateway.event_in(&id, "settled", "PROVIDER_EVENT").await;
        deliveries.push(id);
    }
    let sent: BTreeSet<String> = backend.taken().into_iter().map(|one| one.webhook_id).collect();
    assert_eq!(sent.len(), 3);
    backend.always(Answer::Status(503));
    for number in 4..=6 {
        let id = gateway.request_network(&invoice::processing(number, 1)).await.delivery_id();
        gateway.event_in(&id, "forwarding", "PROVIDER_EVENT").await;
        deliveries.push(id);
    }
    // Each has been tried: its id is known to the backend.
    backend
        .wait_until("all tried", |all| all.iter().map(|one| &one.webhook_id).collect::<BTreeSet<_>>().len() == 6)
        .await;
    let (backup, _) = create(&site, &gateway);
    let mut events = Vec::new();
    for id in &deliveries {
        events.push(gateway.event_when(id, |_| true).await["event_id"].clone());
    }
    drop(gateway.kill());

    backend.always(Answer::Status(200));
    let seen = backend.received().len();
    let other = Site::new(&setup());
    assert_eq!(restore(&other, &backup).code, Some(0));
    let gateway = other.start();
    assert!(gateway.log().contains("paused: it is not sent until"), "{}", gateway.log());
    let metrics = gateway.admin("GET", "/metrics", ADMIN_TOKEN, None).await.body;
    assert!(String::from_utf8(metrics).expect("text").contains("\ntollgate_forwarding_paused 1\n"));
    let later = gateway.request_network(&invoice::processing(7, 1)).await.delivery_id();
    gateway.event_in(&later, "forwarding", "PROVIDER_EVENT").await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(backend.received().len(), seen, "nothing is sent before somebody says so");
    for (id, event) in deliveries.iter().zip(&events) {
        assert_eq!(gateway.event_when(id, |_| true).await["event_id"], *event);
    }

    let resumed = ask(&other, &gateway, ADMIN_TOKEN, &["resume", "-o", "json"], "").json();
    assert_eq!((&resumed["changed"], &resumed["pauses"]), (&json!(true), &json!([])));
    gateway.event_in(&later, "settled", "PROVIDER_EVENT").await;
    for id in &deliveries {
        gateway.event_in(id, "settled", "PROVIDER_EVENT").await;
    }
    tokio::time::sleep(QUIET).await;
    let after: Vec<String> = backend.received().into_iter().skip(seen).map(|one| one.webhook_id).collect();
    assert_eq!(after.len(), 4, "the three that were not taken, and the new one: {after:?}");
    assert!(after.iter().all(|id| !sent.contains(id)), "what was taken is not sent again");
    let all: BTreeSet<String> = backend.received().into_iter().map(|one| one.webhook_id).collect();
    assert_eq!(all.len(), 7, "nothing under another id");
    let versions: Vec<u64> =
        backend.taken().iter().filter_map(|one| one.message["data"]["state_version"].as_u64()).collect();
    assert!(versions.contains(&1_000_001), "what is new is numbered above all that was: {versions:?}");
}
