//! A payment whose webhook was lost: an operator submits the transaction, once, and whatever comes late sends nothing.

use std::time::Duration;

use serde_json::{Value, json};

use super::check;
use crate::operate::ask;
use crate::support::gateway::{ADMIN_TOKEN, BACKEND_TOKEN, PATIENCE, Setup, Site, VIEWER_TOKEN};
use crate::support::http::Reply;
use crate::support::money::{World, confirmed, tokens};

async fn post(world: &World, token: &str, body: &Value) -> Reply {
    world.gateway.admin("POST", "/api/v1/payments/check", token, Some(body)).await
}

async fn events(world: &World) -> Vec<Value> {
    let list = world.gateway.admin("GET", "/api/v1/events", ADMIN_TOKEN, None).await.json();
    list["data"]["items"].as_array().expect("a list").clone()
}

/// The entries of the audit about submitted payments.
async fn audited(world: &World) -> Vec<Value> {
    let list = world.gateway.admin("GET", "/api/v1/audit?what=payment.submit", ADMIN_TOKEN, None).await.json();
    list["data"]["items"].as_array().expect("a list").clone()
}

/// The id of the event, once it was submitted: heads are as old as their last poll.
async fn submit(world: &World, body: &Value) -> Value {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let reply = post(world, ADMIN_TOKEN, body).await;
        if reply.status == 200 {
            return reply.json()["data"]["submitted"].clone();
        }
        assert_eq!(reply.text("/error/code"), "NOT_PROVEN", "{:#}", reply.json());
        assert!(tokio::time::Instant::now() < deadline, "{:#}", reply.json());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_submitted_payment_is_verified_once_and_the_late_webhook_sends_nothing() {
    let world = World::start().await;
    world.expect("order-1", &world.terms(1, "30")).await;
    world.expect("order-2", &world.terms(2, "1")).await;
    let tx = world.pay(1, 30).await;
    let asked = json!({"chain": "local", "tx": tx, "expectation": "order-1", "submit": true, "reason": "lost webhook"});
    for token in [VIEWER_TOKEN, BACKEND_TOKEN] {
        assert_eq!(post(&world, token, &asked).await.status, 403);
    }
    let made = submit(&world, &asked).await;
    assert_eq!(made["created"], true);
    let message = world.backend.wait_for(1).await[0].message.clone();
    assert_eq!((&message["type"], &message["data"]["origin"]), (&json!("payment.verified"), &json!("operator")));
    assert_eq!(
        (&message["data"]["event_id"], &message["data"]["payment"]["amount"]),
        (&made["event_id"], &json!("30"))
    );
    assert_eq!(message["data"]["provider"]["delivery_id"], Value::Null);
    assert_eq!(world.expectation("order-1").await["status"], "paid");
    let entries = audited(&world).await;
    assert_eq!((entries.len(), &entries[0]["event_id"]), (1, &made["event_id"]), "{entries:?}");
    assert_eq!((&entries[0]["subject"], &entries[0]["reason"]), (&json!(tx), &json!("lost webhook")));

    // Once more: the same event, and nothing is written.
    let again = submit(&world, &asked).await;
    assert_eq!(again, json!({"event_id": made["event_id"], "created": false}));
    // The webhook that was lost comes after all.
    let late = world.rn(&confirmed(1, tx, "30")).await;
    world.gateway.event_in(&late, "ignored", "JOINED").await;
    // Something else that is sent says that nothing was before it.
    let other = world.pay(2, 1).await;
    let delivery = world.rn(&confirmed(2, other, "1")).await;
    world.message(&delivery, "payment.verified").await;
    assert_eq!((world.backend.received().len(), audited(&world).await.len()), (2, 1));
}

#[tokio::test]
async fn what_a_webhook_announced_is_not_submitted_a_second_time() {
    let world = World::start().await;
    world.expect("order-1", &world.terms(1, "30")).await;
    let tx = world.pay(1, 30).await;
    let delivery = world.rn(&confirmed(1, tx, "30")).await;
    let message = world.message(&delivery, "payment.verified").await;
    let asked = json!({"chain": "local", "tx": tx, "expectation": "order-1", "submit": true});
    let known = submit(&world, &asked).await;
    assert_eq!(known, json!({"event_id": message["data"]["event_id"], "created": false}));
    assert_eq!((events(&world).await.len(), audited(&world).await.len()), (1, 0));
}

#[tokio::test]
async fn only_proven_money_for_an_open_expectation_is_submitted() {
    let world = World::start().await;
    for order in 1..=2 {
        world.expect(&format!("order-{order}"), &world.terms(order, "30")).await;
    }
    let net = &world.net;
    let reference = crate::support::money::reference(2);
    let astray = net.pay_token(net.erc20_fee_proxy, net.stranger, tokens(30), &reference).await.unwrap();
    let body = |tx: &Value, expectation: &str| json!({"chain": "local", "tx": tx, "expectation": expectation});
    // Judged deep enough first, so that what is refused is not refused for its depth.
    check(&world, &body(&json!(astray), "order-2")).await;
    let mut asked = body(&json!(astray), "order-2");
    asked["submit"] = json!(true);
    let refused = post(&world, ADMIN_TOKEN, &asked).await;
    assert_eq!((refused.status, refused.text("/error/code")), (409, "NOT_PROVEN".into()), "{:#}", refused.json());
    assert_eq!(refused.text("/error/details/code"), "WRONG_RECIPIENT");
    // Another order's money, before and after it was taken.
    let paid = world.pay(1, 30).await;
    let delivery = world.rn(&confirmed(1, paid, "30")).await;
    world.message(&delivery, "payment.verified").await;
    asked["tx"] = json!(paid);
    let refused = post(&world, ADMIN_TOKEN, &asked).await;
    assert_eq!((refused.status, refused.text("/error/details/code")), (409, "WRONG_REFERENCE".into()));
    // Money that is proven, and comes when its expectation waits for none any more.
    let more = world.pay(1, 5).await;
    check(&world, &body(&json!(more), "order-1")).await;
    let mut asked = body(&json!(more), "order-1");
    asked["submit"] = json!(true);
    let refused = post(&world, ADMIN_TOKEN, &asked).await;
    assert_eq!((refused.status, refused.text("/error/code")), (409, "EXPECTATION_CONFLICT".into()));
    assert_eq!((events(&world).await.len(), audited(&world).await.len()), (1, 0));
}

#[tokio::test]
async fn the_command_asks_before_it_submits() {
    let world = World::start().await;
    world.expect("order-1", &world.terms(1, "30")).await;
    let tx = world.pay(1, 30).await.to_string();
    check(&world, &json!({"chain": "local", "tx": tx, "expectation": "order-1"})).await;
    let site = Site::new(&Setup::default());
    let cli = |token, more: &[&str]| {
        let submit = ["payments", "check", "--chain", "local", "--tx", &tx, "--submit"];
        ask(&site, &world.gateway, token, &[&submit[..], more].concat(), "")
    };
    cli(ADMIN_TOKEN, &[]).fails(2, "--expectation");
    cli(ADMIN_TOKEN, &["--expectation", "order-1"]).fails(2, "pays 30 TST for order-1: payment.verified is sent");
    cli(VIEWER_TOKEN, &["--expectation", "order-1", "--yes"]).fails(1, "FORBIDDEN");
    assert!(events(&world).await.is_empty());
    let done = cli(ADMIN_TOKEN, &["--expectation", "order-1", "--yes", "--reason", "lost", "-o", "json"]).json();
    assert_eq!(done["submitted"]["created"], true, "{done:#}");
    let message = world.backend.wait_for(1).await[0].message.clone();
    assert_eq!(
        (&message["data"]["origin"], &message["data"]["event_id"]),
        (&json!("operator"), &done["submitted"]["event_id"])
    );
    // Known by now: nothing is asked.
    let again = cli(ADMIN_TOKEN, &["--expectation", "order-1", "-o", "json"]).json();
    assert_eq!(again["submitted"], json!({"event_id": done["submitted"]["event_id"], "created": false}));
}
