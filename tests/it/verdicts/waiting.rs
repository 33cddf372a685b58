//! What is not known yet waits, and what is out of its time is held.

use alloy_primitives::B256;
use serde_json::json;
use tollgate::demo::devnet::Devnet;

use crate::support::money::{Ways, World, card, confirmed, with};

#[tokio::test]
async fn an_expectation_after_the_webhook_frees_it() {
    let world = World::start().await;
    let tx = world.pay(1, 12).await;
    let delivery = world.rn(&confirmed(1, tx, "12")).await;
    world.silent(&delivery, "undetermined", "EXPECTATION_UNKNOWN").await;
    world.expect("order-1", &world.terms(1, "12")).await;
    world.message(&delivery, "payment.verified").await;
}

#[tokio::test]
async fn too_few_confirmations_wait_and_more_verify() {
    let net = Devnet::start().await.unwrap();
    let world = World::on(net, Ways { confirmations: 3, ..Ways::default() });
    world.expect("order-1", &world.terms(1, "12")).await;
    world.expect("order-2", &world.terms(2, "12")).await;
    let tx = world.pay(1, 12).await;
    let paid = world.rn(&confirmed(1, tx, "12")).await;
    world.silent(&paid, "awaiting_finality", "WAITING_CONFIRMATIONS").await;
    // A refusal can be changed by a reorg too: it waits under its code.
    let tx =
        world.net.pay_token(world.net.look_alike, world.net.merchant, alloy_primitives::U256::from(1), b"order--\x02");
    let forged = world.rn(&confirmed(2, tx.await.unwrap(), "12")).await;
    world.silent(&forged, "awaiting_finality", "UNTRUSTED_EMITTER").await;
    world.net.mine(2).await.unwrap();
    let message = world.message(&paid, "payment.verified").await;
    assert!(3 <= message["data"]["verification"]["confirmations"].as_u64().unwrap());
    world.silent(&forged, "refuted", "UNTRUSTED_EMITTER").await;
}

#[tokio::test]
async fn a_transaction_that_nobody_knows_waits_and_sends_nothing() {
    let world = World::start().await;
    world.expect("order-1", &world.terms(1, "12")).await;
    let delivery = world.rn(&confirmed(1, B256::repeat_byte(0x17), "12")).await;
    world.silent(&delivery, "verifying", "WAITING_INCLUSION").await;
    // What comes behind it goes past it.
    let other = world.stripe(&card("Past")).await;
    world.message(&other, "provider.event").await;
    world.silent(&delivery, "verifying", "WAITING_INCLUSION").await;
}

#[tokio::test]
async fn a_node_that_is_gone_leaves_it_undetermined() {
    let net = Devnet::start().await.unwrap();
    let tx = net.pay_token(net.erc20_fee_proxy, net.merchant, alloy_primitives::U256::from(1), b"order--\x01");
    let tx = tx.await.unwrap();
    let World { gateway, backend, net } = World::on(net, Ways::default());
    let terms = crate::support::money::terms(&net, 1, "12");
    assert_eq!(gateway.expect("order-1", &terms).await.status, 201);
    drop(net);
    let delivery = gateway.request_network(confirmed(1, tx, "12").to_string().as_bytes()).await.delivery_id();
    gateway.event_in(&delivery, "undetermined", "RPC_UNAVAILABLE").await;
    assert!(backend.received().is_empty());
}

#[tokio::test]
async fn money_out_of_its_time_is_held() {
    let world = World::start().await;
    let late = json!({"deadline": "2020-01-01T00:00:00Z", "grace": "15m"});
    world.expect("order-1", &with(&world.terms(1, "12"), late)).await;
    world.expect("order-2", &with(&world.terms(2, "12"), json!({"not_before": "2100-01-01T00:00:00Z"}))).await;
    world.expect("order-3", &with(&world.terms(3, "12"), json!({"deadline": "2100-01-01T00:00:00Z"}))).await;
    for (order, code) in [(1, "LATE"), (2, "TOO_EARLY")] {
        let tx = world.pay(order, 12).await;
        let delivery = world.rn(&confirmed(order, tx, "12")).await;
        world.silent(&delivery, "held", code).await;
    }
    let tx = world.pay(3, 12).await;
    let delivery = world.rn(&confirmed(3, tx, "12")).await;
    let message = world.message(&delivery, "payment.verified").await;
    assert_eq!(message["data"]["expectation"]["deadline"], "2100-01-01T00:00:00.000Z");
}

#[tokio::test]
async fn other_terms_free_what_was_held_under_the_old_ones() {
    let world = World::start().await;
    let late = with(&world.terms(1, "12"), json!({"deadline": "2020-01-01T00:00:00Z"}));
    world.expect("order-1", &late).await;
    let tx = world.pay(1, 12).await;
    let delivery = world.rn(&confirmed(1, tx, "12")).await;
    world.silent(&delivery, "held", "LATE").await;
    assert_eq!(world.gateway.expect("order-1", &world.terms(1, "12")).await.status, 200);
    world.message(&delivery, "payment.verified").await;
}

#[tokio::test]
async fn without_expectations_configured_recipients_bound_what_is_proven() {
    let net = Devnet::start().await.unwrap();
    let lines = vec![
        ("verification", "require_expectation = false".to_owned()),
        ("verification", format!("recipients = [\"{}\"]", net.merchant)),
    ];
    let world = World::on(net, Ways { lines, ..Ways::default() });
    let tx = world.pay(1, 12).await;
    let delivery = world.rn(&confirmed(1, tx, "12")).await;
    let message = world.message(&delivery, "payment.unmatched").await;
    assert_eq!(message["data"]["expectation"], json!(null));
    assert_eq!(message["data"]["verification"]["code"], "VERIFIED_UNMATCHED");
    let (net, amount) = (&world.net, crate::support::money::tokens(12));
    let tx = net.pay_token(net.erc20_fee_proxy, net.stranger, amount, b"order--\x02").await.unwrap();
    let delivery = world.rn(&confirmed(2, tx, "12")).await;
    world.silent(&delivery, "refuted", "WRONG_RECIPIENT").await;
}

#[tokio::test]
async fn beyond_what_may_be_at_risk_a_payment_waits_until_it_is_final() {
    let net = Devnet::start().await.unwrap();
    let lines = vec![("verification", "exposure_cap = 20".to_owned())];
    let world = World::on(net, Ways { lines, ..Ways::default() });
    for order in [1, 2] {
        world.expect(&format!("order-{order}"), &world.terms(order, "12")).await;
    }
    let first = world.pay(1, 12).await;
    let delivery = world.rn(&confirmed(1, first, "12")).await;
    let message = world.message(&delivery, "payment.verified").await;
    assert_ne!(message["data"]["verification"]["finality"], "final");
    let second = world.pay(2, 12).await;
    let waits = world.rn(&confirmed(2, second, "12")).await;
    world.silent(&waits, "awaiting_finality", "EXPOSURE_LIMIT").await;
    // Two epochs and more.
    world.net.mine(200).await.unwrap();
    let message = world.message(&waits, "payment.verified").await;
    assert_eq!(message["data"]["verification"]["finality"], "final");
}
