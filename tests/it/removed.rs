//! A delivery that was removed on purpose is answered as that, and the gateway goes on with what is left of it.

use evidence_store::{Decision, DecisionId, Facts, Options, Store, Subject};
use serde_json::Value;
use uuid::Uuid;

use crate::support::gateway::{ADMIN_TOKEN, Gateway, Setup, Site, VIEWER_TOKEN};
use crate::support::invoice;

fn open(site: &Site) -> Store {
    let options = Options {
        path: site.data().join("evidence"),
        reserve_bytes: 0,
        rejected_max_bytes: 1 << 20,
        repeats_max: 64,
        observer: None,
    };
    Store::open(options).expect("the log opens")
}

fn facts(reason: &str) -> Facts {
    Facts { at_us: 1_795_000_000_000_000, by: "ann".to_owned(), reason: reason.to_owned() }
}

async fn gone(gateway: &Gateway, id: Uuid, suffix: &str, token: &str) -> Value {
    let reply = gateway.admin("GET", &format!("/api/v1/deliveries/{id}{suffix}"), token, None).await;
    assert_eq!(reply.status, 410, "{}", reply.json());
    reply.json()["error"].clone()
}

#[tokio::test]
async fn a_removed_delivery_is_answered_410_with_who_when_and_why() {
    let site = Site::new(&Setup::default());
    let gateway = site.start();
    let mut ids = Vec::new();
    for step in 1..=3 {
        let id = gateway.request_network(&invoice::processing(1, step)).await.delivery_id();
        gateway.event_in(&id, "forwarding", "PROVIDER_EVENT").await;
        ids.push(id.parse::<Uuid>().expect("an id"));
    }
    let (status, log) = gateway.terminate();
    assert_eq!(status.code(), Some(0), "{log}");

    let store = open(&site);
    store.prune(vec![(ids[0], None)], facts("older than a year")).expect("prunes");
    store.erase(ids[1], facts("asked by the payer"), None).expect("erases");
    store.hold(Subject::Delivery(ids[2]), facts("a lawsuit")).expect("holds");
    drop(store);

    // The log now ends with decisions, which the ledger has not seen.
    let gateway = site.start();
    let left = gateway.admin("GET", &format!("/api/v1/deliveries/{}", ids[0]), VIEWER_TOKEN, None).await;
    assert_eq!((left.status, left.text("/data/removed/what").as_str()), (200, "pruned"));
    assert_eq!(left.text("/data/removed/reason"), "older than a year");
    let pruned = gone(&gateway, ids[0], "/raw", ADMIN_TOKEN).await;
    assert_eq!(
        (pruned["code"].as_str(), pruned["details"]["reason"].as_str()),
        (Some("PRUNED"), Some("older than a year"))
    );
    let erased = gone(&gateway, ids[1], "/raw", ADMIN_TOKEN).await;
    assert_eq!(erased["code"], "ERASED");
    let details = &erased["details"];
    assert_eq!((details["by"].as_str(), details["reason"].as_str()), (Some("ann"), Some("asked by the payer")));
    assert_eq!(details["removed_at"], "2026-11-18T11:06:40Z");
    assert!(!erased["message"].as_str().unwrap_or_default().is_empty());
    let kept = gateway.admin("GET", &format!("/api/v1/deliveries/{}/raw", ids[2]), ADMIN_TOKEN, None).await;
    assert_eq!((kept.status, kept.body), (200, invoice::processing(1, 3)));

    let later = gateway.request_network(&invoice::processing(2, 1)).await.delivery_id();
    gateway.event_in(&later, "forwarding", "PROVIDER_EVENT").await;
    let (status, log) = gateway.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
}

#[tokio::test]
async fn a_log_of_stubs_needs_its_ledger_and_one_of_decisions_alone_does_not() {
    let site = Site::new(&Setup::default());
    let gateway = site.start();
    let id = gateway.request_network(&invoice::processing(1, 1)).await.delivery_id();
    gateway.event_in(&id, "forwarding", "PROVIDER_EVENT").await;
    gateway.terminate();
    let store = open(&site);
    store.prune(vec![(id.parse().expect("an id"), None)], facts("old")).expect("prunes");
    assert_eq!((store.counts().deliveries, store.counts().stubs), (0, 1));
    drop(store);
    for entry in std::fs::read_dir(site.data()).expect("the data") {
        let path = entry.expect("an entry").path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ledger.db")) {
            std::fs::remove_file(path).expect("removes");
        }
    }
    site.fails_to_start(&[]).assert(4, &["LEDGER_MISSING", "1 deliver"]);

    let site = Site::new(&Setup::default());
    std::fs::create_dir_all(site.data()).expect("a folder");
    let store = open(&site);
    let decision = Decision {
        id: DecisionId { ledger_id: Uuid::from_u128(7), epoch: 0, table: DecisionId::AUDIT, number: 1 },
        at_us: 0,
        event_id: None,
        kind: "pause".to_owned(),
        body: b"{}".as_slice().into(),
    };
    store.append_decisions(vec![decision]).await.expect("stored");
    drop(store);
    let gateway = site.start();
    let id = gateway.request_network(&invoice::processing(1, 1)).await.delivery_id();
    gateway.event_in(&id, "forwarding", "PROVIDER_EVENT").await;
    let (status, log) = gateway.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
}
