//! Every way in which a node can be of no use, side by side: one payment, one vote each, and two honest nodes that
//! carry it.

use serde_json::{Value, json};
use tollgate::demo::devnet::Devnet;

use crate::support::money::{Ways, World, confirmed};
use crate::support::node::{Asked, Node};

/// Blocks over the payment when the gateway starts: no node is so far behind and counts as fresh.
const OVER: u64 = 20;

/// A call that is about the payment's own block.
fn is_about(asked: &Asked, height: &str, hash: &str) -> bool {
    asked.first() == height || asked.first() == hash || asked.method == "eth_getTransactionReceipt"
}

fn is_a_head(asked: &Asked) -> bool {
    ["latest", "safe", "finalized"].contains(&asked.first())
}

fn error(answer: &mut Value, code: i64) -> u16 {
    *answer = json!({"jsonrpc": "2.0", "id": answer["id"], "error": {"code": code, "message": "refused"}});
    200
}

/// The world of one payment and what is known of its block.
struct Scene {
    net: Devnet,
    height: String,
    hash: String,
    /// A block under the payment.
    old: Value,
    genesis: Value,
}

/// The node that the case needs.
async fn node(scene: &Scene, other: &Devnet, case: &str) -> Node {
    let (height, hash) = (scene.height.clone(), scene.hash.clone());
    let (old, genesis) = (scene.old.clone(), scene.genesis.clone());
    let case_is = case.to_owned();
    let upstream = if case == "forked" { other.url() } else { scene.net.url() };
    let script = move |asked: &Asked, answer: &mut Value| -> u16 {
        let is_its_block = is_about(asked, &height, &hash);
        match case_is.as_str() {
            // Its receipts are not those of the header that it shows.
            "receipts" if asked.method == "eth_getBlockReceipts" => answer["result"][0]["status"] = json!("0x0"),
            "too-large" if asked.method == "eth_getBlockReceipts" => return error(answer, -32008),
            "no-method" if asked.method == "eth_getBlockReceipts" => return error(answer, -32601),
            "header" if asked.first() == height => {
                answer["result"]["receiptsRoot"] = json!(format!("0x{}", "ab".repeat(32)))
            }
            "invented" if asked.first() == height => answer["result"]["hash"] = json!(format!("0x{}", "cd".repeat(32))),
            "lagging" if is_a_head(asked) => answer["result"] = old.clone(),
            "lagging" | "pruned" if is_its_block => answer["result"] = Value::Null,
            "forked" if asked.first() == "0x0" => answer["result"] = genesis.clone(),
            "throttled" => return 429,
            "spent" => return 402,
            "refusing" => return error(answer, -32005),
            "other-chain" if asked.method == "eth_chainId" => answer["result"] = json!("0x1"),
            _ => {}
        }
        200
    };
    Node::scripted(upstream, |_| {}, script).await
}

async fn scene() -> Scene {
    let net = Devnet::start().await.expect("a chain");
    let call = async |method, params| net.call(method, params).await.expect("an answer");
    let old = call("eth_getBlockByNumber", json!(["latest", false])).await;
    let genesis = call("eth_getBlockByNumber", json!(["0x0", false])).await;
    Scene { height: String::new(), hash: String::new(), old, genesis, net }
}

#[tokio::test]
async fn every_kind_of_bad_node_votes_as_it_should_and_the_honest_carry_the_payment() {
    let mut scene = scene().await;
    let reference = crate::support::money::reference(1);
    let amount = crate::support::money::tokens(12);
    let tx =
        scene.net.pay_token(scene.net.erc20_fee_proxy, scene.net.merchant, amount, &reference).await.expect("paid");
    let receipt = scene.net.call("eth_getTransactionReceipt", json!([tx])).await.expect("a receipt");
    scene.height = receipt["blockNumber"].as_str().unwrap().to_owned();
    scene.hash = receipt["blockHash"].as_str().unwrap().to_owned();
    // The same height exists on the other chain, with another block.
    let other = Devnet::start().await.expect("another chain");
    for net in [&scene.net, &other] {
        net.mine(OVER).await.expect("mined");
    }
    // The first is asked to deliver the block.
    let cases = [
        ("receipts", "fault"),
        ("too-large", "agree"),
        ("no-method", "agree"),
        ("header", "fault"),
        ("invented", "fault"),
        ("lagging", "abstain"),
        ("pruned", "disagree"),
        ("forked", "disagree"),
        ("throttled", "abstain"),
        ("spent", "abstain"),
        ("refusing", "abstain"),
        ("other-chain", "fault"),
        ("honest", "agree"),
        ("honest-too", "agree"),
    ];
    let mut nodes = Vec::new();
    let mut rpc = Vec::new();
    for (case, _) in cases {
        let node = node(&scene, &other, case).await;
        rpc.push(format!("{{ name = \"{case}\", owner = \"{case}\", url = \"{}\" }}", node.url("")));
        nodes.push(node);
    }
    rpc.push("{ name = \"down\", owner = \"down\", url = \"http://127.0.0.1:9\" }".to_owned());
    let tiers = "[{ up_to_usd = 1000, confirmations = 1 }, { confirmations = 1, tag = \"finalized\" }]";
    let chain = vec![
        ("rpc", format!("[{}]", rpc.join(", "))),
        ("agree", "2".to_owned()),
        ("owners", "2".to_owned()),
        ("allow_single_node", "false".to_owned()),
        ("finality", tiers.to_owned()),
    ];
    let world = World::on(scene.net, Ways { chain, ..Ways::default() });
    world.expect("order-1", &world.terms(1, "12")).await;
    let delivery = world.rn(&confirmed(1, tx, "12")).await;
    let message = world.message(&delivery, "payment.verified").await;
    let verification = &message["data"]["verification"];
    assert_eq!(verification["proof"], "receipts_root", "{verification:#}");
    let votes = verification["votes"].as_array().expect("votes");
    let cast: Vec<(&str, &str)> =
        votes.iter().map(|vote| (vote["node"].as_str().unwrap(), vote["vote"].as_str().unwrap())).collect();
    assert_eq!(cast, [&cases[..], &[("down", "abstain")]].concat());
}
