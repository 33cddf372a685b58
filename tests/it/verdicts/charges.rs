//! Stripe's crypto charges: verified where the deposit address is known, told for what they are where it is not.

use alloy_primitives::B256;
use serde_json::{Value, json};

use crate::support::money::{World, charge, tokens, with};

/// Terms that the charge's intent finds, at an address that only this intent uses.
fn deposit(world: &World, object: &str, amount: &str) -> Value {
    let changes = json!({"provider_object": object, "recipient": world.net.stranger});
    let mut terms = with(&world.terms(0, amount), changes);
    terms.as_object_mut().unwrap().remove("payment_reference");
    terms
}

#[tokio::test]
async fn a_charge_to_a_known_deposit_address_is_verified() {
    let world = World::start().await;
    world.expect("order-1", &deposit(&world, "pi_1", "50")).await;
    let tx = world.net.transfer(world.net.stranger, tokens(50)).await.unwrap();
    let delivery = world.stripe(&charge("1", world.net.payer, tx)).await;
    let message = world.message(&delivery, "payment.verified").await;
    assert_eq!(message["data"]["verification"]["assurance"], "A2");
    assert_eq!(message["data"]["payment"]["payment_reference"], json!(null));
    assert_eq!(message["data"]["expectation"]["id"], "order-1");
}

#[tokio::test]
async fn rule_10_a_charge_whose_recipient_nobody_knows_is_an_event_and_no_payment() {
    let world = World::start().await;
    let tx = world.net.transfer(world.net.merchant, tokens(7)).await.unwrap();
    let delivery = world.stripe(&charge("1", world.net.payer, tx)).await;
    let message = world.message(&delivery, "provider.event").await;
    let data = &message["data"];
    assert_eq!(
        (&data["payment_id"], &data["payment"], &data["expectation"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(data["verification"]["code"], "CHARGE_CONSISTENT");
    assert_eq!(data["verification"]["assurance"], "A1");
    assert_ne!(data["verification"]["verdict"], "confirmed");

    // It claimed nothing: the transfer is still free for whom it belongs to.
    let mut terms = deposit(&world, "pi_2", "7");
    terms["recipient"] = json!(world.net.merchant);
    world.expect("order-2", &terms).await;
    let delivery = world.stripe(&charge("2", world.net.payer, tx)).await;
    world.message(&delivery, "payment.verified").await;
}

#[tokio::test]
async fn a_charge_that_the_chain_contradicts_is_held() {
    let world = World::start().await;
    let tx = world.net.transfer(world.net.merchant, tokens(7)).await.unwrap();
    let other_payer = world.stripe(&charge("1", world.net.stranger, tx)).await;
    world.silent(&other_payer, "held", "CLAIM_MISMATCH").await;
    let native = world.net.pay_native(world.net.merchant, tokens(1), b"order--\x02").await.unwrap();
    let no_token = world.stripe(&charge("2", world.net.payer, native)).await;
    world.silent(&no_token, "held", "CLAIM_MISMATCH").await;
}

#[tokio::test]
async fn a_charge_that_no_configured_chain_can_answer_says_so() {
    let world = World::start().await;
    let mut body = charge("1", world.net.payer, B256::repeat_byte(9));
    body["data"]["object"]["payment_method_details"]["crypto"]["network"] = json!("solana");
    let delivery = world.stripe(&body).await;
    let message = world.message(&delivery, "provider.event").await;
    assert_eq!(message["data"]["verification"]["code"], "CHARGE_UNVERIFIABLE");
    assert_eq!(message["data"]["verification"]["assurance"], "signature");
}

#[tokio::test]
async fn a_charge_at_an_address_that_another_order_waits_at_is_ambiguous() {
    let world = World::start().await;
    world.expect("order-1", &deposit(&world, "pi_1", "50")).await;
    world.expect("order-2", &deposit(&world, "pi_2", "50")).await;
    let tx = world.net.transfer(world.net.stranger, tokens(50)).await.unwrap();
    let delivery = world.stripe(&charge("1", world.net.payer, tx)).await;
    world.silent(&delivery, "held", "AMBIGUOUS_MATCH").await;
}
