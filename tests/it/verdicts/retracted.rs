//! A payment that leaves the chain after the backend was told of it is taken back, and told again when it is back.

use alloy_primitives::B256;
use serde_json::{Value, json};
use tollgate::demo::devnet::Devnet;

use crate::support::money::{Ways, World, confirmed, hash_of, proxy_call, reference, tokens, transact};

/// A world that forwards small sums at once and calls them final by the chain's tag only, and searches for a lost
/// payment no longer than it has to: ten blocks of a tenth of a second.
pub(super) async fn world() -> World {
    let lines = vec![("verification", "regrace = \"0s\"".to_owned())];
    let tiers = "[{ up_to_usd = 1000, confirmations = 1 }, { confirmations = 2, tag = \"finalized\" }]";
    let chain = vec![("block_time_ms", "100".to_owned()), ("finality", tiers.to_owned())];
    World::on(Devnet::start().await.expect("a chain"), Ways { lines, chain, ..Ways::default() })
}

/// The payer's payment of an order, as a transaction that has the same hash when it is sent again.
pub(super) fn payment(world: &World, order: u8, whole: u64) -> Vec<u8> {
    proxy_call(world.net.token, world.net.merchant, tokens(whole), &reference(order))
}

pub(super) async fn pay(world: &World, order: u8, whole: u64) -> Value {
    transact(&world.net, Some(world.net.erc20_fee_proxy), payment(world, order, whole)).await
}

pub(super) async fn call(world: &World, method: &'static str, params: Value) -> Value {
    world.net.call(method, params).await.expect("an answer")
}

/// The first order's payment, and the history before it.
pub(super) struct Announced {
    pub(super) snapshot: Value,
    pub(super) paid: Value,
    pub(super) delivery: String,
}

/// An order that is expected, paid and announced.
pub(super) async fn announced(world: &World, whole: u64) -> Announced {
    let amount = whole.to_string();
    world.expect("order-1", &world.terms(1, &amount)).await;
    let snapshot = call(world, "evm_snapshot", json!([])).await;
    let paid = pay(world, 1, whole).await;
    let delivery = world.rn(&confirmed(1, hash_of(&paid), &amount)).await;
    Announced { snapshot, paid, delivery }
}

/// Back to where the chain was.
pub(super) async fn revert(world: &World, snapshot: &Value) {
    assert_eq!(call(world, "evm_revert", json!([snapshot])).await, json!(true));
}

/// All that the backend heard about a delivery's event, once it heard this.
pub(super) async fn heard(world: &World, delivery: &str, message_type: &str) -> Vec<Value> {
    let event = world.gateway.event_when(delivery, |event| event["event_id"].is_string()).await;
    let id = event["event_id"].clone();
    let is_it = |message: &Value| message["data"]["event_id"] == id && message["type"] == message_type;
    world.backend.wait_until(message_type, |all| all.iter().any(|one| is_it(&one.message))).await;
    world.about(&id)
}

pub(super) fn types(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["type"].as_str().expect("a type")).collect()
}

#[tokio::test]
async fn a_forwarded_payment_that_leaves_the_chain_is_retracted_once_and_reinstated_when_it_is_back() {
    let world = world().await;
    let Announced { snapshot, paid, delivery } = announced(&world, 12).await;
    let verified = heard(&world, &delivery, "payment.verified").await.remove(0);
    assert_eq!(world.expectation("order-1").await["status"], "paid");

    revert(&world, &snapshot).await;
    world.net.mine(3).await.expect("mined");
    let messages = heard(&world, &delivery, "payment.retracted").await;
    let retracted = messages.last().expect("one").clone();
    assert_eq!(retracted["data"]["payment"], verified["data"]["payment"], "the whole payment, as it was told");
    assert_eq!(retracted["data"]["payment_id"], verified["data"]["payment_id"]);
    assert_eq!(retracted["data"]["state_version"], 2);
    let retraction = &retracted["data"]["retraction"];
    assert_eq!((&retraction["reason"], &retraction["permanent"]), (&json!("REORGED"), &json!(false)));
    assert_eq!(retraction["previous_anchor"]["block_hash"], paid["blockHash"]);
    assert_eq!(retraction["debit_base_units"], verified["data"]["payment"]["amount_base_units"]);
    let expectation = &retracted["data"]["expectation"];
    assert_eq!((&expectation["complete"], &expectation["received"]), (&json!(false), &json!("0")));
    assert_eq!(retracted["data"]["claimed"], verified["data"]["claimed"]);
    assert_eq!(world.expectation("order-1").await["status"], "open");
    world.gateway.event_in(&delivery, "retracted", "RETRACTED").await;

    let again = pay(&world, 1, 12).await;
    assert_eq!(again["transactionHash"], paid["transactionHash"]);
    let messages = heard(&world, &delivery, "payment.reinstated").await;
    assert_eq!(types(&messages), ["payment.verified", "payment.retracted", "payment.reinstated"]);
    let back = messages.last().expect("one");
    assert_eq!(back["data"]["payment_id"], verified["data"]["payment_id"]);
    assert_eq!(back["data"]["retraction"]["new_anchor"]["block_hash"], again["blockHash"]);
    assert_eq!(back["data"]["retraction"]["debit_base_units"], "0");
    assert_eq!(back["data"]["expectation"]["complete"], true);
    assert_eq!(world.expectation("order-1").await["status"], "paid");
}

/// Nothing waited for the chain before, so that its heads were looked at now and then only.
#[tokio::test]
async fn a_payment_that_is_deep_enough_when_it_is_announced_is_watched_from_then_on() {
    let world = world().await;
    world.expect("order-1", &world.terms(1, "12")).await;
    let snapshot = call(&world, "evm_snapshot", json!([])).await;
    let paid = pay(&world, 1, 12).await;
    // Longer than a poll's heads count as fresh: its depth is seen by the first look.
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    let delivery = world.rn(&confirmed(1, hash_of(&paid), "12")).await;
    heard(&world, &delivery, "payment.verified").await;
    world.gateway.event_in(&delivery, "forwarded", "VERIFIED").await;
    revert(&world, &snapshot).await;
    world.net.mine(3).await.expect("mined");
    heard(&world, &delivery, "payment.retracted").await;
}

#[tokio::test]
async fn a_payment_that_fails_where_it_is_mined_again_is_retracted_as_reverted() {
    let world = world().await;
    let Announced { snapshot, paid, delivery } = announced(&world, 12).await;
    heard(&world, &delivery, "payment.verified").await;
    // The token's allowance is gone in the other history: its storage is cleared.
    revert(&world, &snapshot).await;
    call(&world, "anvil_setCode", json!([world.net.token, "0x60006000fd"])).await;
    let again = pay(&world, 1, 12).await;
    assert_eq!((&again["transactionHash"], &again["status"]), (&paid["transactionHash"], &json!("0x0")));
    let messages = heard(&world, &delivery, "payment.retracted").await;
    let retraction = &messages.last().expect("one")["data"]["retraction"];
    assert_eq!(retraction["reason"], "TX_REVERTED");
    assert_eq!(retraction["new_anchor"]["block_hash"], again["blockHash"]);
}

/// It is lost twice: the second time from a block in which it had failed, and where it was waited for that to be final.
#[tokio::test]
async fn a_retracted_payment_that_failed_meanwhile_is_reinstated_as_soon_as_it_is_back() {
    let world = world().await;
    let Announced { snapshot, paid, delivery } = announced(&world, 12).await;
    heard(&world, &delivery, "payment.verified").await;
    revert(&world, &snapshot).await;
    let snapshot = call(&world, "evm_snapshot", json!([])).await;
    call(&world, "anvil_setCode", json!([world.net.token, "0x60006000fd"])).await;
    pay(&world, 1, 12).await;
    heard(&world, &delivery, "payment.retracted").await;
    let has_failed = |event: &Value| {
        let last = event["trace"].as_array().and_then(|trace| trace.last()).cloned().unwrap_or_default();
        last["from"] == "retracted" && last["detail"]["checks"].to_string().contains("\"status\"")
    };
    world.gateway.event_when(&delivery, has_failed).await;
    revert(&world, &snapshot).await;
    world.net.mine(1).await.expect("mined");
    let again = pay(&world, 1, 12).await;
    assert_eq!((&again["transactionHash"], &again["status"]), (&paid["transactionHash"], &json!("0x1")));
    let messages = heard(&world, &delivery, "payment.reinstated").await;
    assert_eq!(types(&messages), ["payment.verified", "payment.retracted", "payment.reinstated"]);
}

#[tokio::test]
async fn a_payment_that_is_mined_again_on_the_same_terms_moves_silently() {
    let world = world().await;
    let Announced { snapshot, paid, delivery } = announced(&world, 12).await;
    heard(&world, &delivery, "payment.verified").await;
    revert(&world, &snapshot).await;
    // At another height, behind another block.
    world.net.mine(1).await.expect("mined");
    let again = pay(&world, 1, 12).await;
    assert_ne!(again["blockHash"], paid["blockHash"]);
    let new: B256 = serde_json::from_value(again["blockHash"].clone()).expect("a hash");
    let event = world.gateway.event_when(&delivery, |event| event["anchor"]["block_hash"] == json!(new)).await;
    assert_eq!(event["state"], "forwarded", "{event:#}");
    assert_eq!(types(&world.about(&event["event_id"])), ["payment.verified"]);
}

#[tokio::test]
async fn a_payment_whose_nonce_another_transaction_took_is_refuted_once_that_is_final() {
    let world = world().await;
    // Above a thousand dollars it waits for the chain's own finality.
    let Announced { snapshot, paid, delivery } = announced(&world, 2000).await;
    world.silent(&delivery, "awaiting_finality", "WAITING_CONFIRMATIONS").await;
    revert(&world, &snapshot).await;
    // Another payment under the same nonce.
    let other = pay(&world, 2, 1).await;
    assert_ne!(other["transactionHash"], paid["transactionHash"]);
    world.net.mine(100).await.expect("mined");
    world.silent(&delivery, "refuted", "TX_REPLACED").await;
}

/// The gateway is killed right after every step, while it still works on it.
#[tokio::test]
async fn killing_the_gateway_at_every_step_of_a_reorganisation_changes_no_outcome() {
    let world = world().await;
    let Announced { snapshot, paid, delivery } = announced(&world, 12).await;
    let world = world.killed();
    let verified = heard(&world, &delivery, "payment.verified").await.remove(0);
    let world = world.killed();
    revert(&world, &snapshot).await;
    world.net.mine(3).await.expect("mined");
    let world = world.killed();
    heard(&world, &delivery, "payment.retracted").await;
    let world = world.killed();
    assert_eq!(world.expectation("order-1").await["status"], "open");
    let again = pay(&world, 1, 12).await;
    assert_eq!(again["transactionHash"], paid["transactionHash"]);
    let world = world.killed();
    let mut messages = heard(&world, &delivery, "payment.reinstated").await;
    // A kill after the backend took a message and before that was written repeats it, under the same id.
    messages.dedup_by_key(|message| message["data"]["state_version"].clone());
    assert_eq!(types(&messages), ["payment.verified", "payment.retracted", "payment.reinstated"]);
    assert!(messages.iter().all(|message| message["data"]["payment_id"] == verified["data"]["payment_id"]));
    assert_eq!(world.expectation("order-1").await["status"], "paid");
}
