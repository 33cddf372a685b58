//! One event, however many deliveries carry it; and nothing with a wrong signature, whatever its shape.

use serde_json::{Value, json};
use tollgate::config::Provider;

use crate::support::gateway::{
    ADMIN_TOKEN, FORWARD_SECRET, Gateway, REQUEST_NETWORK_SECRET, STRIPE_SECRET, Setup, Site,
};
use crate::support::http::{self, Reply};
use crate::support::money::{World, card, confirmed, request_id, with};
use crate::support::receiver::Receiver;

mod odd;
mod twins;

/// A gateway without a chain, and its backend.
fn site(lines: Vec<(&'static str, String)>) -> (Gateway, Receiver) {
    let backend = Receiver::start(&[FORWARD_SECRET]);
    let setup = Setup { backend: Some(backend.address()), lines, ..Setup::default() };
    (Site::new(&setup).start(), backend)
}

async fn event_id(gateway: &Gateway, delivery: &str) -> Value {
    gateway.event_when(delivery, |event| event["event_id"].is_string()).await["event_id"].clone()
}

#[tokio::test]
async fn a_wrong_signature_is_refused_and_nothing_of_it_is_forwarded() {
    let (gateway, backend) = site(vec![]);
    let body = card("Forged").to_string();
    let post = |path: &'static str, provider: Provider, secret: &'static str| {
        let (gateway, body) = (&gateway, body.as_bytes());
        async move { gateway.post(path, &provider, secret, body).await }
    };
    let refused = |reply: &Reply, code: &str| {
        assert_eq!((reply.status, reply.code().as_str()), (401, code), "{:#}", reply.json());
        assert_eq!(reply.text("/request_id"), reply.headers["x-request-id"].to_str().unwrap());
    };
    refused(&post("stripe", Provider::Stripe, "whsec_another-secret-0000").await, "SIGNATURE_MISMATCH");
    refused(&post("request-network", Provider::RequestNetwork, "another").await, "SIGNATURE_MISMATCH");
    // Another source's secret is another secret.
    refused(&post("request-network", Provider::RequestNetwork, STRIPE_SECRET).await, "SIGNATURE_MISMATCH");
    // Signed as another provider signs.
    refused(&post("stripe", Provider::RequestNetwork, STRIPE_SECRET).await, "SIGNATURE_MISSING");

    let url = format!("http://{}/webhooks/request-network", gateway.public);
    let bare = |name: &'static str, value: &'static str| {
        let request = gateway.client.post(&url).header("content-type", "application/json").header(name, value);
        http::send(request.body(body.clone()))
    };
    refused(&bare("x-other", "1").await.unwrap(), "SIGNATURE_MISSING");
    refused(&bare("x-request-network-signature", "zz").await.unwrap(), "SIGNATURE_MALFORMED");
    // Rightly signed, and one byte of the body is another.
    let signed =
        http::signed(&gateway.client, &url, &Provider::RequestNetwork, REQUEST_NETWORK_SECRET, body.as_bytes());
    refused(&http::send(signed.body(body.replace("4200", "4201"))).await.unwrap(), "SIGNATURE_MISMATCH");

    // What comes after it went all the way: what was refused left nothing behind.
    let delivery = gateway.stripe(card("Genuine").to_string().as_bytes()).await.delivery_id();
    gateway.event_in(&delivery, "settled", "PROVIDER_EVENT").await;
    assert_eq!(backend.received().len(), 1);
    let deliveries = gateway.admin("GET", "/api/v1/deliveries", ADMIN_TOKEN, None).await.json();
    assert_eq!(deliveries["data"]["items"].as_array().map(Vec::len), Some(1), "{deliveries:#}");
}

#[tokio::test]
async fn every_form_of_one_payment_is_one_event_and_one_message() {
    let world = World::start().await;
    world.expect("order-1", &world.terms(1, "25")).await;
    let tx = world.pay(1, 25).await;
    let body = confirmed(1, tx, "25");
    // The test-marked copy first: it must neither take the identity nor make an event.
    let url = format!("http://{}/webhooks/request-network", world.gateway.public);
    let bytes = body.to_string();
    let secret = REQUEST_NETWORK_SECRET;
    let marked = http::signed(&world.gateway.client, &url, &Provider::RequestNetwork, secret, bytes.as_bytes());
    let marked = http::send(marked.header("x-request-network-test", "true")).await.unwrap().delivery_id();

    let first = world.rn(&body).await;
    let message = world.message(&first, "payment.verified").await;
    let one = &message["data"]["event_id"];
    let mut only_old = with(&body, json!({}));
    only_old.as_object_mut().unwrap().remove("requestId");
    let mut only_new = with(&body, json!({}));
    only_new.as_object_mut().unwrap().remove("requestID");
    let upper = |text: &str| text.to_ascii_uppercase();
    let forms = [
        ("the same bytes", body.clone()),
        (".client_id", with(&body, json!({"event": "payment.confirmed.client_id", "clientId": "cli_1"}))),
        (".checkout", with(&body, json!({"event": "payment.confirmed.checkout", "origin": "https://shop.example"}))),
        ("partial", with(&body, json!({"event": "payment.partial"}))),
        ("requestID only", only_old),
        ("requestId only", only_new),
        ("no 0x", with(&body, json!({"txHash": tx.to_string().trim_start_matches("0x")}))),
        ("upper case", with(&body, json!({"requestId": upper(&request_id(1)), "requestID": upper(&request_id(1))}))),
        ("upper hash", with(&body, json!({"txHash": format!("0x{}", upper(&hex::encode(tx)))}))),
        ("reference without 0x", with(&body, json!({"paymentReference": "6F726465722D2D01"}))),
        ("an unknown field", with(&body, json!({"somethingNew": {"a": [1]}}))),
    ];
    let count = forms.len();
    for (form, body) in forms {
        let delivery = world.rn(&body).await;
        assert_eq!(&event_id(&world.gateway, &delivery).await, one, "{form}");
    }
    let last = world.stripe(&card("Last")).await;
    world.message(&last, "provider.event").await;
    assert_eq!(world.about(one).len(), 1);
    assert_eq!(world.backend.received().len(), 2);

    let event = world.gateway.event_when(&first, |_| true).await;
    assert_eq!(event["deliveries"], json!(count + 1), "{event:#}");
    let marked = world.gateway.admin("GET", &format!("/api/v1/deliveries/{marked}"), ADMIN_TOKEN, None).await;
    assert_eq!((marked.text("/data/code"), marked.text("/data/event_id")), ("TEST_HEADER".into(), String::new()));
}

#[tokio::test]
async fn another_amount_asserted_later_changes_nothing_that_was_proven() {
    let world = World::start().await;
    world.expect("order-1", &world.terms(1, "25")).await;
    let tx = world.pay(1, 25).await;
    let first = world.rn(&confirmed(1, tx, "25")).await;
    let message = world.message(&first, "payment.verified").await;
    let later = world.rn(&confirmed(1, tx, "2500")).await;
    let is_noted = |event: &Value| {
        event["trace"].as_array().is_some_and(|trace| trace.iter().any(|entry| entry["code"] == "CLAIM_MISMATCH"))
    };
    let event = world.gateway.event_when(&later, is_noted).await;
    assert_eq!(event["event_id"], message["data"]["event_id"]);
    assert_eq!(event["payment_id"], message["data"]["payment_id"]);
    assert_eq!(event["messages"].as_array().map(Vec::len), Some(1));
    assert_eq!(world.expectation("order-1").await["accept"][0]["received"], "25");
    assert_eq!(world.backend.received().len(), 1);
}

#[tokio::test]
async fn an_amount_that_was_wrong_from_the_start_is_noted_and_the_proven_one_is_told() {
    let world = World::start().await;
    world.expect("order-1", &world.terms(1, "25")).await;
    let tx = world.pay(1, 25).await;
    let delivery = world.rn(&confirmed(1, tx, "2500")).await;
    let message = world.message(&delivery, "payment.verified").await;
    assert_eq!(message["data"]["payment"]["amount"], "25");
    assert_eq!(message["data"]["claimed"]["amount"], "2500");
    let checks = message["data"]["verification"]["checks"].as_array().unwrap();
    assert!(checks.iter().any(|check| check["name"] == "claim" && check["outcome"] == "note"), "{checks:#?}");
}

#[tokio::test]
async fn a_test_marked_copy_makes_no_event() {
    let (gateway, backend) = site(vec![]);
    let body = json!({"event": "payment.processing", "requestId": request_id(1)}).to_string();
    let url = format!("http://{}/webhooks/request-network", gateway.public);
    let secret = REQUEST_NETWORK_SECRET;
    let marked = http::signed(&gateway.client, &url, &Provider::RequestNetwork, secret, body.as_bytes());
    http::send(marked.header("X-Request-Network-Test", "true")).await.unwrap().delivery_id();
    let genuine = gateway.request_network(body.as_bytes()).await.delivery_id();
    gateway.event_in(&genuine, "settled", "PROVIDER_EVENT").await;
    let events = gateway.admin("GET", "/api/v1/events", ADMIN_TOKEN, None).await.json();
    assert_eq!(events["data"]["items"].as_array().map(Vec::len), Some(1), "{events:#}");
    assert_eq!(backend.received().len(), 1);
}

#[tokio::test]
async fn of_one_signed_body_so_many_copies_are_kept() {
    let (gateway, backend) = site(vec![("evidence", "repeats_max = 3".to_owned())]);
    let body = json!({"event": "payment.processing", "requestId": request_id(1)}).to_string();
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(gateway.request_network(body.as_bytes()).await.delivery_id());
    }
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
    assert!(ids[3..].iter().all(|id| *id == ids[2]), "{ids:?}");
    // Another body has its own count.
    let other = json!({"event": "payment.processing", "requestId": request_id(2)}).to_string();
    assert!(!ids.contains(&gateway.request_network(other.as_bytes()).await.delivery_id()));
    backend.wait_for_taken(2).await;
    let event = gateway.event_when(&ids[2], |event| event["deliveries"] == 3).await;
    assert_eq!(event["messages"].as_array().map(Vec::len), Some(1));
}
