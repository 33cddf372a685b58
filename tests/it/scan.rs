//! Money that no webhook announced is found on the chain, told once, and met by the webhook that comes late.

use std::time::{Duration, Instant};

use alloy_primitives::B256;
use serde_json::{Value, json};
use tollgate::demo::devnet::Devnet;

use crate::support::gateway::{ADMIN_TOKEN, PATIENCE, VIEWER_TOKEN};
use crate::support::money::{Ways, World, confirmed, request_id, tokens};

/// Blocks behind a payment until it counts as unannounced: more than a minute's, at the two seconds that an unknown chain
/// is taken to need for one.
const UNANNOUNCED: u64 = 40;

/// A world that searches its chain every second or two.
async fn world() -> World {
    let net = Devnet::start().await.expect("a chain");
    let chain = vec![("poll", "\"100ms\"".to_owned())];
    World::on(net, Ways { lines: vec![("verification", "scan = true".to_owned())], chain, ..Ways::default() })
}

/// What the gateway says about the search.
async fn reconciliation(world: &World) -> Value {
    let reply = world.gateway.admin("GET", "/api/v1/reconciliation", VIEWER_TOKEN, None).await;
    assert_eq!(reply.status, 200, "{:#}", reply.json());
    reply.json()["data"].clone()
}

/// Mines until what was paid counts as unannounced, and waits until the search has passed it.
async fn searched(world: &World) {
    let head = world.net.call("eth_blockNumber", json!([])).await.expect("a height");
    let head = u64::from_str_radix(head.as_str().expect("a quantity").trim_start_matches("0x"), 16).expect("a number");
    world.net.mine(UNANNOUNCED).await.expect("mined");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let shown = reconciliation(world).await;
        if shown["chains"][0]["height"].as_u64().is_some_and(|height| head <= height) {
            return;
        }
        assert!(Instant::now() < deadline, "the search stands still: {shown:#}\n{}", world.gateway.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The messages so far, once there are so many.
async fn heard(world: &World, messages: usize) -> Vec<Value> {
    let all = world.backend.wait_for(messages).await;
    all.into_iter().map(|one| one.message).collect()
}

async fn events(world: &World, expectation: &str) -> Vec<Value> {
    let path = format!("/api/v1/events?expectation={expectation}");
    let reply = world.gateway.admin("GET", &path, ADMIN_TOKEN, None).await;
    reply.json()["data"]["items"].as_array().expect("a list").clone()
}

fn is_of(message: &Value, tx: B256) -> bool {
    message["data"]["payment"]["tx_hash"] == json!(tx)
}

#[tokio::test]
async fn a_payment_whose_webhook_never_came_is_found_and_the_late_webhook_sends_nothing() {
    let world = world().await;
    world.expect("order-1", &world.terms(1, "12")).await;
    world.expect("order-2", &world.terms(2, "1")).await;
    let tx = world.pay(1, 12).await;
    searched(&world).await;
    let message = heard(&world, 1).await.remove(0);
    assert_eq!((&message["type"], &message["data"]["origin"]), (&json!("payment.verified"), &json!("scan")));
    assert!(is_of(&message, tx));
    let provider = &message["data"]["provider"];
    assert_eq!((&provider["name"], &provider["event_type"]), (&json!("request-network"), &json!("")));
    assert_eq!((&provider["delivery_id"], &provider["received_at"]), (&Value::Null, &Value::Null));
    assert_eq!((&message["data"]["claimed"], &message["data"]["claimed_erased"]), (&Value::Null, &Value::Null));
    assert_eq!(message["data"]["verification"]["assurance"], "A3");
    assert_eq!(world.expectation("order-1").await["status"], "paid");
    let shown = reconciliation(&world).await;
    assert_eq!(shown["chains"][0]["found_events"], 1, "{shown:#}");
    assert_eq!(shown["silent_expectations"]["oldest"][0]["id"], "order-2", "{shown:#}");
    let metrics = world.gateway.admin("GET", "/metrics", ADMIN_TOKEN, None).await;
    assert!(String::from_utf8_lossy(&metrics.body).contains("tollgate_scanned_payments_total{chain=\"local\"} 1"));
    assert!(world.gateway.log().contains("found money that no webhook announced"));

    // Late, and once more as the copy for the client.
    let delivery = world.rn(&confirmed(1, tx, "12")).await;
    world.gateway.event_in(&delivery, "ignored", "JOINED").await;
    let mut copy = confirmed(1, tx, "12");
    copy["event"] = json!("payment.confirmed.client_id");
    let copy = world.rn(&copy).await;
    let event = world.gateway.event_when(&copy, |event| event["event_id"].is_string()).await;
    assert_eq!(event["event_id"], message["data"]["event_id"], "its identity finds the scan's event");
    // Something else that is sent says that nothing was before it.
    let other = world.pay(2, 1).await;
    let delivery = world.rn(&confirmed(2, other, "1")).await;
    world.message(&delivery, "payment.verified").await;
    assert_eq!(world.backend.received().len(), 2);
}

#[tokio::test]
async fn what_a_webhook_announced_is_not_found_again() {
    let world = world().await;
    world.expect("order-1", &world.terms(1, "12")).await;
    let tx = world.pay(1, 12).await;
    let delivery = world.rn(&confirmed(1, tx, "12")).await;
    let message = world.message(&delivery, "payment.verified").await;
    assert_eq!(message["data"]["origin"], "webhook");
    searched(&world).await;
    assert_eq!(events(&world, "order-1").await.len(), 1);
    assert_eq!(world.backend.received().len(), 1);
    assert_eq!(reconciliation(&world).await["chains"][0]["found_events"], 0);
}

#[tokio::test]
async fn two_parts_that_nobody_announced_add_up() {
    let world = world().await;
    world.expect("order-1", &world.terms(1, "12")).await;
    for part in [5, 7] {
        world.pay(1, part).await;
    }
    searched(&world).await;
    let messages = heard(&world, 2).await;
    let types: Vec<_> = messages.iter().map(|message| message["type"].as_str().expect("a type")).collect();
    assert_eq!(types, ["payment.partial", "payment.verified"]);
    assert!(messages.iter().all(|message| message["data"]["origin"] == "scan"));
    assert_eq!(messages[1]["data"]["expectation"]["received"], "12");
    assert_eq!(world.expectation("order-1").await["status"], "paid");
}

#[tokio::test]
async fn a_plain_transfer_pays_an_expectation_that_is_paid_directly() {
    let world = world().await;
    let terms = json!({
        "source": "request-network", "rails": ["direct"],
        "chain": "local", "token": "TST", "recipient": world.net.merchant, "amount": "9",
    });
    world.expect("order-1", &terms).await;
    let tx = world.net.transfer(world.net.merchant, tokens(9)).await.expect("a transfer");
    searched(&world).await;
    let message = heard(&world, 1).await.remove(0);
    assert_eq!((&message["type"], &message["data"]["origin"]), (&json!("payment.verified"), &json!("scan")));
    assert!(is_of(&message, tx));
    assert_eq!(message["data"]["verification"]["assurance"], "A2");
    assert_eq!(message["data"]["expectation"]["id"], "order-1");
}

#[tokio::test]
async fn a_request_id_alone_is_on_no_chain_and_a_direct_expectation_says_so() {
    let world = world().await;
    let mut terms = world.terms(1, "12");
    terms.as_object_mut().expect("an object").remove("payment_reference");
    let refused = world.gateway.expect("order-1", &terms).await;
    assert_eq!(refused.status, 422, "a key, or rails that need none: {:#}", refused.json());
    terms["request_id"] = json!(request_id(1));
    world.expect("order-1", &terms).await;
    world.pay(1, 12).await;
    searched(&world).await;
    let shown = reconciliation(&world).await;
    assert_eq!(shown["silent_expectations"]["count"], 1, "{shown:#}");
    assert_eq!(world.backend.received().len(), 0);
}
