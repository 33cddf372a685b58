//! Stripe's thin event and its snapshot are one event, whichever comes first.

use serde_json::{Value, json};

use super::{event_id, site};
use crate::support::money::card;
use crate::support::receiver::Receiver;

/// What Stripe sends beside the snapshot `evt_{id}`.
fn thin(id: &str) -> Value {
    json!({
        "id": format!("evt_thin_{id}"), "object": "v2.core.event", "type": "v1.payment_intent.succeeded",
        "livemode": true, "created": "2026-11-20T12:00:00.000Z", "context": null,
        "related_object": {"id": format!("pi_{id}"), "type": "payment_intent", "url": format!("/v1/payment_intents/pi_{id}")},
        "snapshot_event": format!("evt_{id}"),
    })
}

fn only(backend: &Receiver) -> Value {
    let all = backend.received();
    assert_eq!(all.len(), 1, "{all:#?}");
    assert_eq!(all[0].message_type(), "provider.event");
    all[0].message.clone()
}

#[tokio::test]
async fn the_snapshot_within_the_grace_is_what_goes_out() {
    let (gateway, backend) = site(vec![]);
    let first = gateway.stripe(thin("1").to_string().as_bytes()).await.delivery_id();
    let waiting = gateway.event_when(&first, |event| event["code"] == "WAITING_TWIN").await;
    assert_eq!(waiting["messages"], json!([]));
    let second = gateway.stripe(card("1").to_string().as_bytes()).await.delivery_id();
    gateway.event_in(&second, "settled", "PROVIDER_EVENT").await;
    assert_eq!(event_id(&gateway, &first).await, event_id(&gateway, &second).await);
    let message = only(&backend);
    assert_eq!(message["data"]["claimed"], card("1"));
    assert_eq!(message["data"]["thin"], Value::Null);
    assert_eq!(message["data"]["provider"]["event_type"], "payment_intent.succeeded");
    assert_eq!(message["data"]["provider"]["event_id"], "evt_1");
    assert_eq!(message["data"]["provider"]["delivery_id"], second);
}

#[tokio::test]
async fn a_thin_event_behind_its_snapshot_adds_nothing() {
    let (gateway, backend) = site(vec![("verification", "twin_grace = \"0s\"".to_owned())]);
    let first = gateway.stripe(card("1").to_string().as_bytes()).await.delivery_id();
    gateway.event_in(&first, "settled", "PROVIDER_EVENT").await;
    let second = gateway.stripe(thin("1").to_string().as_bytes()).await.delivery_id();
    assert_eq!(event_id(&gateway, &first).await, event_id(&gateway, &second).await);
    // Behind it in the log: when this one is out, the twin was taken in.
    let last = gateway.stripe(card("2").to_string().as_bytes()).await.delivery_id();
    gateway.event_in(&last, "settled", "PROVIDER_EVENT").await;
    let about: Vec<_> = backend.received().iter().map(|one| one.message["data"]["claimed"]["id"].clone()).collect();
    assert_eq!(about, ["evt_1", "evt_2"]);
}

#[tokio::test]
async fn a_thin_event_alone_goes_out_as_thin_and_its_late_snapshot_as_the_next_version() {
    let (gateway, backend) = site(vec![("verification", "twin_grace = \"100ms\"".to_owned())]);
    let delivery = gateway.stripe(thin("1").to_string().as_bytes()).await.delivery_id();
    gateway.event_when(&delivery, |event| event["state"] == "settled").await;
    let message = only(&backend);
    assert_eq!(message["data"]["thin"], true);
    assert_eq!(message["data"]["claimed"], thin("1"));
    assert_eq!(message["data"]["state_version"], 1);
    assert_eq!(message["data"]["provider"]["event_type"], "v1.payment_intent.succeeded");

    gateway.stripe(card("1").to_string().as_bytes()).await.delivery_id();
    let all = backend.wait_for_taken(2).await;
    let late = &all[1].message["data"];
    assert_eq!((&late["event_id"], &late["state_version"]), (&message["data"]["event_id"], &json!(2)));
    assert_eq!((&late["claimed"], &late["thin"]), (&card("1"), &Value::Null));
}
