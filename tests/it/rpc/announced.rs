//! Blocks that a node announces over a socket: what waits for them does not wait for the next poll.

use tollgate::demo::devnet::Devnet;

use crate::support::money::{Ways, World, confirmed};
use crate::support::node::Node;

/// Blocks that are mined for it at most.
const BLOCKS_MAX: usize = 100;

#[tokio::test]
async fn a_block_that_is_announced_frees_what_waits_for_it_between_two_polls() {
    let net = Devnet::start().await.expect("a chain");
    let node = Node::honest(net.url()).await;
    let socket = net.url().replace("http://", "ws://");
    let chain = vec![
        ("rpc", format!("[{{ name = \"one\", owner = \"test\", url = \"{}\", ws = \"{socket}\" }}]", node.url(""))),
        // Longer than any test is waited for.
        ("poll", "\"5m\"".to_owned()),
        ("block_time_ms", "200".to_owned()),
    ];
    let world = World::on(net, Ways { confirmations: 3, chain, ..Ways::default() });
    world.expect("order-1", &world.terms(1, "12")).await;
    let tx = world.pay(1, 12).await;
    let delivery = world.rn(&confirmed(1, tx, "12")).await;
    world.gateway.event_in(&delivery, "awaiting_finality", "WAITING_CONFIRMATIONS").await;
    // One block after the other: the socket may still be connecting when the first ones come.
    for _ in 0..BLOCKS_MAX {
        world.net.mine(1).await.expect("mined");
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        if !world.backend.received().is_empty() {
            break;
        }
    }
    world.message(&delivery, "payment.verified").await;
}
