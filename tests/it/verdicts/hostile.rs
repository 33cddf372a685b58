//! Registered tokens that do not move what they are told to, paid through the genuine proxy.

use std::collections::BTreeMap;

use alloy_primitives::{Address, Bytes, U256};
use serde_json::json;
use tollgate::demo::devnet::Devnet;

use crate::support::money::{
    Ways, World, confirmed, hash_of, proxy_call, reference, spendable, tokens, transact, with,
};
use crate::support::script;

/// Deploys each contract of `tokens.sol`.
pub(super) async fn deploy(net: &Devnet) -> BTreeMap<String, Address> {
    let source = include_bytes!("hostile/tokens.sol");
    let compiled: BTreeMap<String, Bytes> = script::run("verdicts/hostile/compile.cjs", &["solc"], source);
    let mut deployed = BTreeMap::new();
    for (name, code) in compiled {
        // An abstract contract has no code.
        if !code.is_empty() {
            deployed.insert(name, spendable(net, code).await);
        }
    }
    deployed
}

/// What the token itself says somebody holds.
async fn balance(net: &Devnet, token: Address, holder: Address) -> U256 {
    let data = Bytes::from([&[0x70, 0xa0, 0x82, 0x31], holder.into_word().as_slice()].concat());
    let held = net.call("eth_call", json!([{"to": token, "data": data}, "latest"])).await.expect("an answer");
    held.as_str().expect("a word").parse().expect("a number")
}

#[tokio::test]
async fn the_proxys_word_is_no_money_when_the_token_moves_less_or_nothing() {
    let net = Devnet::start().await.unwrap();
    let hostile = deploy(&net).await;
    let (fee, empty) = (hostile["FeeOnTransfer"], hostile["EmptyYes"]);
    let world = World::on(net, Ways { tokens: vec![("FEE", fee, 18), ("YES", empty, 18)], ..Ways::default() });
    let net = &world.net;
    let short = tokens(30) - tokens(30) / U256::from(100);
    for (order, symbol, token, arrives, state, code) in [
        (1, "FEE", fee, short, "held", "FEE_ON_TRANSFER"),
        (2, "YES", empty, U256::ZERO, "refuted", "PROXY_EVENT_WITHOUT_TRANSFER"),
    ] {
        let id = format!("order-{order}");
        world.expect(&id, &with(&world.terms(order, "30"), json!({"token": symbol}))).await;
        let call = proxy_call(token, net.merchant, tokens(30), &reference(order));
        let receipt = transact(net, Some(net.erc20_fee_proxy), call).await;
        assert_eq!(receipt["status"], "0x1", "the proxy is satisfied: {receipt:#}");
        assert_eq!(balance(net, token, net.merchant).await, arrives);
        let told = json!({"currency": symbol, "paymentCurrency": symbol});
        let delivery = world.rn(&with(&confirmed(order, hash_of(&receipt), "30"), told)).await;
        world.silent(&delivery, state, code).await;
        assert_eq!(world.expectation(&id).await["status"], "open");
    }
    assert!(world.backend.received().is_empty());
}

#[tokio::test]
async fn what_arrived_of_a_token_with_a_fee_is_credited_where_the_registry_says_so() {
    let net = Devnet::start().await.unwrap();
    let fee = deploy(&net).await["FeeOnTransfer"];
    let token_keys = ", class = \"fee_on_transfer\", credit_received = true";
    let world = World::on(net, Ways { tokens: vec![("FEE", fee, 18)], token_keys, ..Ways::default() });
    let net = &world.net;
    world.expect("order-1", &with(&world.terms(1, "29.7"), json!({"token": "FEE"}))).await;
    let call = proxy_call(fee, net.merchant, tokens(30), &reference(1));
    let receipt = transact(net, Some(net.erc20_fee_proxy), call).await;
    let told = json!({"currency": "FEE", "paymentCurrency": "FEE"});
    let delivery = world.rn(&with(&confirmed(1, hash_of(&receipt), "30"), told)).await;
    let message = world.message(&delivery, "payment.verified").await;
    assert_eq!(message["data"]["payment"]["amount"], "29.7");
    assert_eq!(message["data"]["payment"]["amount_base_units"], balance(net, fee, net.merchant).await.to_string());
}
