//! What adds up, and to exactly how many messages.

use serde_json::{Value, json};

use crate::support::money::{
    World, approval, calls_in_one, confirmed, contract_after, hash_of, minting, proxy_call, reference, tokens,
    transact, with,
};
use crate::support::{gateway, http};

fn sums(message: &Value) -> (&str, &str, &str, bool) {
    let block = &message["data"]["expectation"];
    let text = |name: &str| block[name].as_str().unwrap();
    (text("received"), text("remaining"), text("excess"), block["complete"].as_bool().unwrap())
}

#[tokio::test]
async fn partials_complete_once_and_what_comes_after_is_excess() {
    let world = World::start().await;
    world.expect("order-1", &world.terms(1, "40")).await;
    for (paid, message_type, code, expected) in [
        (15, "payment.partial", "VERIFIED_PARTIAL", ("15", "25", "0", false)),
        (10, "payment.partial", "VERIFIED_PARTIAL", ("25", "15", "0", false)),
        (15, "payment.verified", "VERIFIED", ("40", "0", "0", true)),
        (3, "payment.excess", "VERIFIED_OVERPAID", ("43", "0", "3", true)),
    ] {
        let tx = world.pay(1, paid).await;
        let body = with(&confirmed(1, tx, &paid.to_string()), json!({"event": "payment.partial"}));
        let delivery = world.rn(&body).await;
        let message = world.message(&delivery, message_type).await;
        assert_eq!(sums(&message), expected, "{paid}");
        assert_eq!(message["data"]["verification"]["code"], code, "{paid}");
        assert_eq!(message["data"]["payment"]["amount"], paid.to_string());
    }
    let shown = world.expectation("order-1").await;
    assert_eq!((&shown["status"], &shown["accept"][0]["received"]), (&json!("overpaid"), &json!("43")));
    assert_eq!(shown["payment_ids"].as_array().map(Vec::len), Some(4));
    let verified = world.backend.received().iter().filter(|one| one.message_type() == "payment.verified").count();
    assert_eq!(verified, 1);
}

#[tokio::test]
async fn partials_posted_at_once_complete_once() {
    let world = World::start().await;
    world.expect("order-1", &world.terms(1, "6")).await;
    let mut bodies = Vec::new();
    for _ in 0..6 {
        let tx = world.pay(1, 1).await;
        bodies.push(with(&confirmed(1, tx, "1"), json!({"event": "payment.partial"})));
    }
    let mut posts = tokio::task::JoinSet::new();
    for body in bodies {
        let url = format!("http://{}/webhooks/request-network", world.gateway.public);
        let body = body.to_string();
        let request = http::signed(
            &world.gateway.client,
            &url,
            &tollgate::config::Provider::RequestNetwork,
            gateway::REQUEST_NETWORK_SECRET,
            body.as_bytes(),
        );
        posts.spawn(async move { http::send(request).await.unwrap().status });
    }
    assert!(posts.join_all().await.iter().all(|status| *status == 200));
    let all = world.backend.wait_for(6).await;
    let mut types: Vec<&str> = all.iter().map(|one| one.message_type()).collect();
    types.sort_unstable();
    assert_eq!(types, [&["payment.partial"; 5][..], &["payment.verified"]].concat());
    // Each says what the sum was when it was made: no two say the same.
    let mut received: Vec<&str> = all.iter().map(|one| sums(&one.message).0).collect();
    received.sort_unstable();
    assert_eq!(received, ["1", "2", "3", "4", "5", "6"]);
}

#[tokio::test]
async fn overpaid_at_once_is_verified_and_says_so() {
    let world = World::start().await;
    world.expect("order-1", &world.terms(1, "10")).await;
    let tx = world.pay(1, 12).await;
    let delivery = world.rn(&confirmed(1, tx, "12")).await;
    let message = world.message(&delivery, "payment.verified").await;
    assert_eq!(sums(&message), ("12", "0", "2", true));
    assert_eq!(message["data"]["verification"]["code"], "VERIFIED_OVERPAID");
    assert_eq!(message["data"]["expectation"]["status"], "overpaid");
}

#[tokio::test]
async fn a_tolerance_completes_what_is_nearly_paid() {
    let world = World::start().await;
    world.expect("order-1", &with(&world.terms(1, "100"), json!({"tolerance": {"bps": 100}}))).await;
    let tx = world.pay(1, 99).await;
    let delivery = world.rn(&confirmed(1, tx, "99")).await;
    let message = world.message(&delivery, "payment.verified").await;
    assert_eq!(message["data"]["expectation"]["received"], "99");
    assert_eq!(message["data"]["expectation"]["status"], "paid");
}

#[tokio::test]
async fn one_reference_paid_twice_in_one_transaction_is_one_event_with_the_sum() {
    let world = World::start().await;
    world.expect("order-1", &world.terms(1, "5")).await;
    let net = &world.net;
    // A contract pays twice while it is made, from money that waits at its address.
    let contract = contract_after(net, 1).await;
    transact(net, Some(net.token), minting(contract, tokens(5))).await;
    let pay = |whole| proxy_call(net.token, net.merchant, tokens(whole), &reference(1));
    let code = calls_in_one(&[
        (net.token, approval(net.erc20_fee_proxy, tokens(5))),
        (net.erc20_fee_proxy, pay(2)),
        (net.erc20_fee_proxy, pay(3)),
    ]);
    let receipt = transact(net, None, code).await;
    assert_eq!(receipt["status"], "0x1", "{receipt:#}");
    let delivery = world.rn(&confirmed(1, hash_of(&receipt), "5")).await;
    let message = world.message(&delivery, "payment.verified").await;
    assert_eq!(sums(&message), ("5", "0", "0", true));
    assert_eq!(message["data"]["payment"]["slots"].as_array().map(Vec::len), Some(4));
}
