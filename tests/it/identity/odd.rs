//! What is rightly signed and cannot be used: acknowledged, kept byte for byte, held or ignored with the reason.

use alloy_primitives::B256;
use serde_json::json;

use super::site;
use crate::support::gateway::ADMIN_TOKEN;
use crate::support::money::{card, confirmed, request_id, with};

#[tokio::test]
async fn a_signed_body_that_cannot_be_read_is_kept_and_held() {
    let (gateway, backend) = site(vec![]);
    let twice = format!(r#"{{"event":"payment.confirmed","event":"payment.failed","requestId":"{}"}}"#, request_id(1));
    let escaped = r#"{"event":"payment.failed","requestId":"01","request\u0049d":"02"}"#.to_owned();
    let cases: [(&[u8], &str); 10] = [
        (b"not json at all", "NOT_JSON"),
        (b"", "NOT_JSON"),
        (b"{\"event\":\"payment.confirmed\"", "NOT_JSON"),
        (b"{\"event\":\"payment.confirmed\"} trailing", "NOT_JSON"),
        (b"\xef\xbb\xbf{\"event\":\"payment.failed\"}", "NOT_JSON"),
        (b"{\"event\":\"payment.\xff\"}", "NOT_JSON"),
        (twice.as_bytes(), "AMBIGUOUS_JSON"),
        (escaped.as_bytes(), "AMBIGUOUS_JSON"),
        (b"[1,2,3]", "IDENTITY_INCOMPLETE"),
        (b"{\"event\":\"payment.confirmed\"}", "IDENTITY_INCOMPLETE"),
    ];
    for (body, code) in cases {
        let shown = String::from_utf8_lossy(body);
        let reply = gateway.request_network(body).await;
        assert_eq!(reply.status, 200, "{shown}");
        let delivery = reply.delivery_id();
        let event = gateway.event_when(&delivery, |event| event["state"] == "held").await;
        assert_eq!((&event["code"], &event["messages"]), (&json!(code), &json!([])), "{shown}");
        let raw = gateway.admin("GET", &format!("/api/v1/deliveries/{delivery}/raw"), ADMIN_TOKEN, None).await;
        assert_eq!(raw.body, body, "{shown}");
    }
    for body in [&b"nonsense"[..], b"\xef\xbb\xbf{}", b"{\"object\":\"event\",\"object\":\"event\"}"] {
        let delivery = gateway.stripe(body).await.delivery_id();
        gateway.event_when(&delivery, |event| event["state"] == "held").await;
    }
    // None of it stops what comes behind it.
    let card = gateway.stripe(card("Behind").to_string().as_bytes()).await.delivery_id();
    gateway.event_in(&card, "settled", "PROVIDER_EVENT").await;
    assert_eq!(backend.received().len(), 1);
}

#[tokio::test]
async fn what_nobody_may_send_on_is_held_or_ignored() {
    let (gateway, backend) = site(vec![]);
    let fiat = with(&confirmed(1, B256::repeat_byte(1), "25"), json!({"isCryptoToFiat": true}));
    let unknown = json!({"event": "payment.teleported", "requestId": request_id(1)});
    for (body, state, code) in [(fiat, "held", "FIAT_LEG"), (unknown, "held", "EVENT_TYPE_UNKNOWN")] {
        let delivery = gateway.request_network(body.to_string().as_bytes()).await.delivery_id();
        let event = gateway.event_in(&delivery, state, code).await;
        assert_eq!(event["messages"], json!([]));
    }
    let test_mode = with(&card("Test"), json!({"livemode": false}));
    let delivery = gateway.stripe(test_mode.to_string().as_bytes()).await.delivery_id();
    gateway.event_in(&delivery, "ignored", "TEST_MODE").await;
    let no_mode = with(&card("NoMode"), json!({"livemode": null}));
    let delivery = gateway.stripe(no_mode.to_string().as_bytes()).await.delivery_id();
    gateway.event_in(&delivery, "held", "IDENTITY_INCOMPLETE").await;
    assert!(backend.received().is_empty());
}

#[tokio::test]
async fn a_test_mode_event_does_not_take_the_place_of_the_live_one() {
    let (gateway, backend) = site(vec![]);
    let test = with(&card("Same"), json!({"livemode": false}));
    let test = gateway.stripe(test.to_string().as_bytes()).await.delivery_id();
    gateway.event_in(&test, "ignored", "TEST_MODE").await;
    let live = gateway.stripe(card("Same").to_string().as_bytes()).await.delivery_id();
    gateway.event_in(&live, "settled", "PROVIDER_EVENT").await;
    assert_eq!(backend.received().len(), 1);
}
