//! A payment that leaves the chain before anything was said about it is not spoken of.

use serde_json::json;
use tollgate::demo::devnet::Devnet;

use crate::support::money::{Ways, World, confirmed, hash_of, proxy_call, reference, tokens, transact};

#[tokio::test]
async fn a_payment_that_leaves_the_chain_is_not_sent_until_it_is_back() {
    let world = World::on(Devnet::start().await.unwrap(), Ways { confirmations: 3, ..Ways::default() });
    let net = &world.net;
    world.expect("order-1", &world.terms(1, "12")).await;
    let snapshot = net.call("evm_snapshot", json!([])).await.unwrap();
    let call = proxy_call(net.token, net.merchant, tokens(12), &reference(1));
    let first = transact(net, Some(net.erc20_fee_proxy), call.clone()).await;
    let delivery = world.rn(&confirmed(1, hash_of(&first), "12")).await;
    world.silent(&delivery, "awaiting_finality", "WAITING_CONFIRMATIONS").await;

    assert_eq!(net.call("evm_revert", json!([snapshot])).await.unwrap(), json!(true));
    net.mine(5).await.unwrap();
    let gone = world.gateway.event_when(&delivery, |event| event["state"] == "verifying").await;
    assert_eq!(gone["messages"], json!([]), "{gone:#}");
    assert!(world.backend.received().is_empty());

    let again = transact(net, Some(net.erc20_fee_proxy), call).await;
    assert_eq!(again["transactionHash"], first["transactionHash"]);
    assert_ne!(again["blockHash"], first["blockHash"]);
    net.mine(2).await.unwrap();
    let message = world.message(&delivery, "payment.verified").await;
    assert_eq!(message["data"]["payment"]["block_hash"], again["blockHash"]);
}
