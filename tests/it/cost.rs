//! What a payment costs in calls to nodes: few alone, fewer when many share a block, and none while it waits.
//!
//! `make bench-cost` prints it beside what polling for each payment costs.

use std::time::Duration;

use serde_json::json;
use tollgate::demo::devnet::Devnet;

use crate::support::money::{Ways, World, confirmed, hash_of, proxy_call, reference, tokens};
use crate::support::node::Node;

mod beside;
mod crowd;

/// Calls of a payment that is alone in its block, with three nodes.
const ALONE_MAX: usize = 8;
/// Payments that share a block.
const TOGETHER: u8 = 50;
/// Calls of all of them: 1.2 each.
const TOGETHER_MAX: usize = 60;
/// Three polls of the heads: time in which something that polls for each payment would have been seen.
const A_WHILE: Duration = Duration::from_millis(900);

/// A gateway that asks three nodes of three owners, all in front of one chain.
async fn world() -> (World, Vec<Node>) {
    world_of(12).await
}

/// The same with so many confirmations for every sum.
async fn world_of(confirmations: u64) -> (World, Vec<Node>) {
    let net = Devnet::start().await.expect("a chain");
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Node::honest(net.url()).await);
    }
    let entry = |(node, name): (&Node, &str)| {
        format!("{{ name = \"{name}\", owner = \"owner-{name}\", url = \"{}\" }}", node.url(""))
    };
    let rpc: Vec<String> = nodes.iter().zip(["a", "b", "c"]).map(entry).collect();
    let chain = vec![
        ("rpc", format!("[{}]", rpc.join(", "))),
        ("agree", "2".to_owned()),
        ("owners", "2".to_owned()),
        ("allow_single_node", "false".to_owned()),
        (
            "finality",
            format!(
                "[{{ up_to_usd = 1000, confirmations = {confirmations} }}, \
                 {{ confirmations = {confirmations}, tag = \"finalized\" }}]"
            ),
        ),
    ];
    (World::on(net, Ways { chain, ..Ways::default() }), nodes)
}

fn calls(nodes: &[Node]) -> Vec<String> {
    nodes.iter().flat_map(Node::calls_for_payments).collect()
}

#[tokio::test]
async fn a_payment_alone_costs_eight_calls_and_none_while_it_waits() {
    let (world, nodes) = world().await;
    world.expect("order-1", &world.terms(1, "12")).await;
    let tx = world.pay(1, 12).await;
    let delivery = world.rn(&confirmed(1, tx, "12")).await;
    world.silent(&delivery, "awaiting_finality", "WAITING_CONFIRMATIONS").await;
    let included = calls(&nodes);
    world.net.mine(5).await.expect("mined");
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(calls(&nodes), included, "nothing is asked while it waits");
    world.net.mine(6).await.expect("mined");
    world.message(&delivery, "payment.verified").await;
    world.net.mine(100).await.expect("mined");
    world.gateway.event_in(&delivery, "settled", "VERIFIED").await;
    let all = calls(&nodes);
    assert!(all.len() <= ALONE_MAX, "{} calls: {all:#?}", all.len());
}

#[tokio::test]
async fn fifty_payments_of_one_block_share_what_they_can() {
    let (world, nodes) = world().await;
    let net = &world.net;
    net.call("evm_setAutomine", json!([false])).await.expect("answered");
    let mut hashes = Vec::new();
    for order in 1..=TOGETHER {
        world.expect(&format!("order-{order}"), &world.terms(order, "1")).await;
        let data = alloy_primitives::Bytes::from(proxy_call(net.token, net.merchant, tokens(1), &reference(order)));
        let call = json!({"from": net.payer, "to": net.erc20_fee_proxy, "data": data, "gas": "0x30d40"});
        let hash = net.call("eth_sendTransaction", json!([call])).await.expect("a hash");
        hashes.push(hash_of(&json!({ "transactionHash": hash })));
    }
    net.call("evm_mine", json!([])).await.expect("mined");
    let mut deliveries = Vec::new();
    for (order, hash) in (1..=TOGETHER).zip(hashes) {
        deliveries.push(world.rn(&confirmed(order, hash, "1")).await);
    }
    for delivery in &deliveries {
        world.gateway.event_in(delivery, "awaiting_finality", "WAITING_CONFIRMATIONS").await;
    }
    net.mine(11).await.expect("mined");
    for delivery in &deliveries {
        world.message(delivery, "payment.verified").await;
    }
    net.mine(100).await.expect("mined");
    for delivery in &deliveries {
        world.gateway.event_in(delivery, "settled", "VERIFIED").await;
    }
    let all = calls(&nodes);
    assert!(all.len() <= TOGETHER_MAX, "{} calls: {all:#?}", all.len());
}
