//! A node that takes too long is overtaken by the next one.

use tollgate::demo::devnet::Devnet;

use crate::support::gateway::ADMIN_TOKEN;
use crate::support::money::{Ways, World, confirmed};
use crate::support::node::Node;

/// So many calls have to be known before one counts as slow.
const CALLS_KNOWN: u8 = 20;

const RECEIPT: &str = "eth_getTransactionReceipt";

#[tokio::test]
async fn a_node_that_never_answers_is_overtaken_and_still_votes_on_the_block() {
    let net = Devnet::start().await.expect("a chain");
    let (slow, quick) = (Node::honest(net.url()).await, Node::honest(net.url()).await);
    let rpc: Vec<String> = [("slow", &slow), ("quick", &quick)]
        .map(|(name, node)| format!("{{ name = \"{name}\", owner = \"{name}\", url = \"{}\" }}", node.url("")))
        .to_vec();
    let chain = vec![
        ("rpc", format!("[{}]", rpc.join(", "))),
        ("agree", "2".to_owned()),
        ("owners", "2".to_owned()),
        ("allow_single_node", "false".to_owned()),
    ];
    let world = World::on(net, Ways { chain, ..Ways::default() });
    let verified = async |order: u8| {
        world.expect(&format!("order-{order}"), &world.terms(order, "12")).await;
        let tx = world.pay(order, 12).await;
        let delivery = world.rn(&confirmed(order, tx, "12")).await;
        world.message(&delivery, "payment.verified").await
    };
    for order in 1..=CALLS_KNOWN {
        verified(order).await;
    }
    let asked = |node: &Node| node.calls_for_payments().iter().filter(|call| call.starts_with(RECEIPT)).count();
    let before = asked(&quick);
    slow.mutes(RECEIPT);
    let message = verified(CALLS_KNOWN + 1).await;
    // Both have to agree: one that was waited for to its deadline would have lost its vote, and the payment would wait.
    let votes = message["data"]["verification"]["votes"].as_array().expect("votes").clone();
    assert!(votes.iter().all(|vote| vote["vote"] == "agree"), "{votes:#?}");
    assert!(before < asked(&quick), "the other one was asked for the receipt");
    let metrics = world.gateway.admin("GET", "/metrics", ADMIN_TOKEN, None).await.body;
    let line = format!("node=\"slow\",method=\"{RECEIPT}\",outcome=\"abandoned\"");
    assert!(metrics.windows(line.len()).any(|window| window == line.as_bytes()), "{line}");
}
