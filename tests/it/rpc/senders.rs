//! Nodes that name another sender of a transaction than the one who signed it: in the block, in its receipts, or in the
//! receipt alone. Nothing else of what they show is wrong.

use serde_json::{Value, json};
use tollgate::demo::devnet::Devnet;

use crate::support::money::{Ways, World, confirmed};
use crate::support::node::Node;

const FORGED: &str = "0x00000000000000000000000000000000000000aa";

/// A node that names another sender in the answers to one method.
async fn forger(net: &Devnet, lies_in: &'static str) -> Node {
    let twist = move |method: &str, result: &mut Value| {
        if method != lies_in {
            return;
        }
        let forge = |one: &mut Value| {
            if let Some(from) = one.get_mut("from") {
                *from = json!(FORGED);
            }
        };
        forge(result);
        result.as_array_mut().into_iter().flatten().for_each(forge);
        let transactions = result.get_mut("transactions").and_then(Value::as_array_mut);
        transactions.into_iter().flatten().for_each(forge);
    };
    Node::liar(net.url(), twist).await
}

#[tokio::test]
async fn a_node_that_names_another_sender_than_the_signer_is_at_fault() {
    let net = Devnet::start().await.expect("a chain");
    let lies = ["eth_getBlockByNumber", "eth_getBlockReceipts", "eth_getTransactionReceipt"];
    let mut nodes = Vec::new();
    for method in lies {
        nodes.push((method, forger(&net, method).await));
    }
    for name in ["honest", "honest-too"] {
        nodes.push((name, Node::honest(net.url()).await));
    }
    let rpc: Vec<String> = nodes
        .iter()
        .map(|(name, node)| {
            let name = name.to_lowercase().replace('_', "-");
            format!("{{ name = \"{name}\", owner = \"{name}\", url = \"{}\" }}", node.url(""))
        })
        .collect();
    let chain = vec![
        ("rpc", format!("[{}]", rpc.join(", "))),
        ("agree", "2".to_owned()),
        ("owners", "2".to_owned()),
        ("allow_single_node", "false".to_owned()),
    ];
    let world = World::on(net, Ways { chain, ..Ways::default() });
    // The first that is not at fault yet is asked for the receipt and for the block: each forger has its turn.
    for (turn, order) in (0_usize..).zip(1..=3) {
        world.expect(&format!("order-{order}"), &world.terms(order, "12")).await;
        let tx = world.pay(order, 12).await;
        let delivery = world.rn(&confirmed(order, tx, "12")).await;
        let message = world.message(&delivery, "payment.verified").await;
        let verification = &message["data"]["verification"];
        let votes = verification["votes"].as_array().expect("votes");
        // At fault in the look that found it out, and cordoned in later ones: an undetected lie would agree.
        let word = votes[turn]["vote"].as_str().expect("a vote");
        assert!(["fault", "abstain"].contains(&word), "{}: {votes:#?}", lies[turn]);
        assert!(votes[3..].iter().all(|vote| vote["vote"] == "agree"), "{votes:#?}");
        let signer = world.net.payer.to_checksum(None);
        assert_eq!(message["data"]["payment"]["tx_from"], json!(signer), "{}", lies[turn]);
        let checks = verification["checks"].as_array().expect("checks");
        let sender = checks.iter().find(|check| check["name"] == "sender").expect("it is said");
        assert_eq!((&sender["outcome"], &sender["actual"]), (&json!("pass"), &json!(signer)));
    }
}
