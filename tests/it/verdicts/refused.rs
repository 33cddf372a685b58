//! Claims that the chain does not bear out. Nothing is sent about any of them.

use alloy_primitives::B256;
use serde_json::{Value, json};
use tollgate::demo::devnet::Devnet;

use crate::support::money::{
    Ways, World, charge, confirmed, hash_of, proxy_call, reference, request_id, token, tokens, transact, with,
};

/// The check that failed in the newest decision.
fn failed(event: &Value) -> Value {
    let trace = event["trace"].as_array().unwrap();
    let checks = trace.iter().rev().find_map(|entry| entry["detail"]["checks"].as_array()).unwrap();
    checks.iter().find(|check| check["outcome"] == "fail").cloned().unwrap_or_default()
}

#[tokio::test]
async fn what_the_chain_contradicts_is_refuted_with_the_check_that_failed() {
    let world = World::start().await;
    let net = &world.net;
    for order in 1..=6 {
        world.expect(&format!("order-{order}"), &world.terms(order, "30")).await;
    }
    let pay = async |proxy, to, order| net.pay_token(proxy, to, tokens(30), &reference(order)).await.unwrap();
    let elsewhere = pay(net.erc20_fee_proxy, net.stranger, 1).await;
    let look_alike = pay(net.look_alike, net.merchant, 2).await;
    let other_reference = pay(net.erc20_fee_proxy, net.merchant, 99).await;
    let no_reference = net.transfer(net.merchant, tokens(30)).await.unwrap();
    let too_much = proxy_call(net.token, net.merchant, tokens(2_000_000), &reference(5));
    let reverted = transact(net, Some(net.erc20_fee_proxy), too_much).await;
    assert_eq!(reverted["status"], "0x0");
    let nothing = net.pay_token(net.erc20_fee_proxy, net.merchant, tokens(0), &reference(6)).await.unwrap();
    for (order, tx, code, check) in [
        (1, elsewhere, "WRONG_RECIPIENT", "recipient"),
        (2, look_alike, "UNTRUSTED_EMITTER", "contract"),
        (3, other_reference, "WRONG_REFERENCE", "reference"),
        (4, no_reference, "NO_MATCHING_TRANSFER", "recipient"),
        (5, hash_of(&reverted), "TX_REVERTED", "status"),
        (6, nothing, "NO_MATCHING_TRANSFER", "recipient"),
    ] {
        let delivery = world.rn(&confirmed(order, tx, "30")).await;
        let event = world.silent(&delivery, "refuted", code).await;
        assert_eq!(failed(&event)["name"], check, "{event:#}");
        assert_eq!(world.expectation(&format!("order-{order}")).await["status"], "open");
    }
    assert!(world.backend.received().is_empty());
}

#[tokio::test]
async fn only_the_token_that_was_agreed_counts() {
    let net = Devnet::start().await.unwrap();
    let known = token(&net, "test/TestToken").await;
    let unknown = token(&net, "test/TestToken").await;
    let silent = token(&net, "test/UsdtFake").await;
    let tokens_ = vec![("OTH", known, 18), ("SLN", silent, 6)];
    let world = World::on(net, Ways { tokens: tokens_, ..Ways::default() });
    let net = &world.net;
    world.expect("order-1", &world.terms(1, "30")).await;
    world.expect("order-2", &world.terms(2, "30")).await;
    world.expect("order-3", &with(&world.terms(3, "30"), json!({"token": "SLN"}))).await;
    for (order, paid_in, code) in [
        (1, known, "TOKEN_NOT_ALLOWED"),
        (2, unknown, "WRONG_TOKEN"),
        // It moves balances and says nothing: the proxy's word alone is no money.
        (3, silent, "PROXY_EVENT_WITHOUT_TRANSFER"),
    ] {
        let amount = if order == 3 { alloy_primitives::U256::from(30_000_000) } else { tokens(30) };
        let call = proxy_call(paid_in, net.merchant, amount, &reference(order));
        let receipt = transact(net, Some(net.erc20_fee_proxy), call).await;
        assert_eq!(receipt["status"], "0x1", "{receipt:#}");
        let delivery = world.rn(&confirmed(order, hash_of(&receipt), "30")).await;
        world.silent(&delivery, "refuted", code).await;
    }
}

#[tokio::test]
async fn a_transfer_settles_one_payment_only() {
    let world = World::start().await;
    let net = &world.net;
    // Two charges at one deposit address, each from a known payer, and one transfer for both.
    let direct = |object: &str| {
        let mut terms = with(&world.terms(0, "20"), json!({"provider_object": object, "payer": net.payer}));
        terms.as_object_mut().unwrap().remove("payment_reference");
        terms
    };
    world.expect("order-a", &direct("pi_A")).await;
    world.expect("order-b", &direct("pi_B")).await;
    let tx = net.transfer(net.merchant, tokens(20)).await.unwrap();
    let first = world.stripe(&charge("A", net.payer, tx)).await;
    world.message(&first, "payment.verified").await;
    let second = world.stripe(&charge("B", net.payer, tx)).await;
    world.silent(&second, "refuted", "ALREADY_CLAIMED").await;
    assert_eq!(world.expectation("order-b").await["status"], "open");

    // A transfer that settled a reference cannot be sold again as another request with the same reference.
    world.expect("order-1", &world.terms(1, "30")).await;
    let tx = world.pay(1, 30).await;
    let first = world.rn(&confirmed(1, tx, "30")).await;
    let message = world.message(&first, "payment.verified").await;
    let other = with(&confirmed(1, tx, "30"), json!({"requestId": request_id(2), "requestID": request_id(2)}));
    let second = world.rn(&other).await;
    let event = world
        .gateway
        .event_when(&second, |event| event["code"] == "JOINED" || event["event_id"] == message["data"]["event_id"]);
    event.await;
    assert_eq!(world.about(&message["data"]["event_id"]).len(), 1);
    assert_eq!(world.backend.received().len(), 2);
}

#[tokio::test]
async fn a_claim_that_names_no_transaction_or_no_known_chain_is_not_looked_up() {
    let world = World::start().await;
    for order in 1..=3 {
        world.expect(&format!("order-{order}"), &world.terms(order, "30")).await;
    }
    let unknown = B256::repeat_byte(7);
    let malformed = with(&confirmed(1, unknown, "30"), json!({"txHash": "0x1234"}));
    world.silent(&world.rn(&malformed).await, "refuted", "TX_HASH_MALFORMED").await;
    let tron = with(&confirmed(2, unknown, "30"), json!({"network": "tron"}));
    world.silent(&world.rn(&tron).await, "held", "CHAIN_UNSUPPORTED").await;
    let missing = with(&confirmed(3, unknown, "30"), json!({"txHash": null}));
    world.silent(&world.rn(&missing).await, "held", "IDENTITY_INCOMPLETE").await;
    assert!(world.backend.received().is_empty());
}
