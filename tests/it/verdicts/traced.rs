//! Coin that a contract passes on leaves no log. It is credited where nodes trace, by the word of enough of them.

use std::collections::BTreeMap;

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::{SolCall, sol};
use serde_json::{Value, json};
use tollgate::demo::devnet::Devnet;

use crate::support::money::{Ways, World, charge, hash_of, transact_with, with};
use crate::support::node::Node;
use crate::support::script;

sol! {
    function pay(address to);
    function attempt(address to);
    function borrow(address from);
    function relay(address other, address to);
}

/// The trace that most nodes give.
const TREE: &str = "debug_traceTransaction";
/// The one that some give instead.
const FLAT: &str = "trace_transaction";

async fn forwarder(net: &Devnet) -> Address {
    let source = include_bytes!("traced/forwarder.sol");
    let compiled: BTreeMap<String, Bytes> = script::run("verdicts/hostile/compile.cjs", &["solc"], source);
    net.deploy(compiled["Forwarder"].clone()).await.expect("it is deployed")
}

fn one() -> U256 {
    U256::from(10).pow(U256::from(18))
}

/// A world whose nodes are asked for traces, or are not.
fn world(net: Devnet, trace: bool) -> World {
    World::on(net, Ways { chain: vec![("trace", trace.to_string())], ..Ways::default() })
}

/// The same over several nodes, all of which have to agree.
fn world_over(net: Devnet, nodes: &[&Node]) -> World {
    let node = |(number, node): (usize, &&Node)| {
        format!(r#"{{ name = "node-{number}", owner = "owner-{number}", url = "{}" }}"#, node.url(""))
    };
    let rpc: Vec<String> = nodes.iter().enumerate().map(node).collect();
    let count = nodes.len().to_string();
    let lines = vec![("trace", "true".to_owned()), ("rpc", format!("[{}]", rpc.join(", ")))];
    let chain = lines.into_iter().chain([("agree", count.clone()), ("owners", count)]).collect();
    World::on(net, Ways { chain, ..Ways::default() })
}

/// Terms that the charge's intent finds.
fn deposit(world: &World, object: &str) -> Value {
    let mut terms = with(&world.terms(0, "1"), json!({"provider_object": object, "token": "ETH"}));
    terms.as_object_mut().unwrap().remove("payment_reference");
    terms
}

/// The order's deposit address is the merchant's, for one coin; the charge's transaction makes this call with one coin.
async fn charged(world: &World, forwarder: Address, call: impl SolCall) -> String {
    world.expect("order-1", &deposit(world, "pi_1")).await;
    let receipt = transact_with(&world.net, Some(forwarder), call.abi_encode(), one()).await;
    assert_eq!(receipt["status"], "0x1", "{receipt:#}");
    world.stripe(&charge("1", world.net.payer, hash_of(&receipt))).await
}

fn check<'a>(message: &'a Value, outcome: &str) -> Vec<&'a str> {
    let checks = message["data"]["verification"]["checks"].as_array().unwrap();
    let of = checks.iter().filter(|check| check["outcome"] == outcome);
    of.map(|check| check["actual"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn coin_that_a_contract_passes_on_is_credited_by_the_word_of_traces_and_says_so() {
    let net = Devnet::start().await.unwrap();
    let (forwarder, other) = (forwarder(&net).await, forwarder(&net).await);
    let world = world(net, true);
    let call = relayCall { other, to: world.net.merchant };
    let delivery = charged(&world, forwarder, call).await;
    let message = world.message(&delivery, "payment.verified").await;
    let (payment, verification) = (&message["data"]["payment"], &message["data"]["verification"]);
    assert_eq!((&payment["amount"], &payment["slots"]), (&json!("1"), &json!(["trace:0.0"])));
    assert_eq!(payment["payer"], other.to_checksum(None), "the contract that paid");
    assert_eq!(payment["tx_from"], world.net.payer.to_checksum(None));
    assert_eq!((&verification["proof"], &verification["assurance"]), (&json!("quorum"), &json!("A2")));
    assert!(check(&message, "note").contains(&"a call inside it, by the nodes' traces"), "{message:#}");
    // The same call does not pay a second time.
    world.expect("order-2", &deposit(&world, "pi_2")).await;
    let tx = payment["tx_hash"].as_str().unwrap().parse().unwrap();
    let again = world.stripe(&charge("2", world.net.payer, tx)).await;
    world.silent(&again, "refuted", "ALREADY_CLAIMED").await;
    assert_eq!(world.expectation("order-2").await["status"], "open");
}

#[tokio::test]
async fn where_nodes_are_not_asked_for_traces_it_is_no_payment() {
    let net = Devnet::start().await.unwrap();
    let forwarder = forwarder(&net).await;
    let world = world(net, false);
    let delivery = charged(&world, forwarder, payCall { to: world.net.merchant }).await;
    // What is seen is the coin that went to the contract.
    world.silent(&delivery, "refuted", "WRONG_RECIPIENT").await;
}

#[tokio::test]
async fn a_call_that_was_undone_pays_nobody_though_the_transaction_succeeded() {
    let net = Devnet::start().await.unwrap();
    let forwarder = forwarder(&net).await;
    let world = world(net, true);
    let delivery = charged(&world, forwarder, attemptCall { to: world.net.merchant }).await;
    // What is seen is the coin that went to the contract.
    world.silent(&delivery, "refuted", "WRONG_RECIPIENT").await;
}

#[tokio::test]
async fn borrowed_code_with_a_value_pays_nobody() {
    let net = Devnet::start().await.unwrap();
    let forwarder = forwarder(&net).await;
    let world = world(net, true);
    let delivery = charged(&world, forwarder, borrowCall { from: world.net.merchant }).await;
    world.silent(&delivery, "refuted", "WRONG_RECIPIENT").await;
}

/// The coin went to a stranger. One of two nodes traces it to the merchant.
#[tokio::test]
async fn a_node_that_invents_a_call_credits_nothing() {
    let net = Devnet::start().await.unwrap();
    let forwarder = forwarder(&net).await;
    let (merchant, stranger) = (hex::encode(net.merchant), hex::encode(net.stranger));
    let liar = Node::liar(net.url(), move |method, result| {
        if method == TREE {
            let text = result.to_string();
            assert!(text.contains(&stranger), "there is nothing to lie about in {text}");
            *result = serde_json::from_str(&text.replace(&stranger, &merchant)).expect("still JSON");
        }
    });
    let (liar, honest) = (liar.await, Node::honest(net.url()).await);
    let world = world_over(net, &[&liar, &honest]);
    let delivery = charged(&world, forwarder, payCall { to: world.net.stranger }).await;
    let event = world.silent(&delivery, "undetermined", "RPC_DISAGREEMENT").await;
    let seen = event["trace"].as_array().unwrap().last().unwrap()["detail"]["checks"].to_string();
    assert!(seen.contains("their traces contradict each other"), "{seen}");
    liar.repents();
    world.silent(&delivery, "refuted", "WRONG_RECIPIENT").await;
}

/// Nodes of different kinds show the same calls in different ways.
#[tokio::test]
async fn nodes_agree_whichever_of_the_two_traces_they_have() {
    let net = Devnet::start().await.unwrap();
    let forwarder = forwarder(&net).await;
    let (one, other) = (Node::lacking(net.url(), &[FLAT]).await, Node::lacking(net.url(), &[TREE]).await);
    let world = world_over(net, &[&one, &other]);
    let delivery = charged(&world, forwarder, payCall { to: world.net.merchant }).await;
    let message = world.message(&delivery, "payment.verified").await;
    assert_eq!(message["data"]["payment"]["slots"], json!(["trace:0"]));
    let votes = message["data"]["verification"]["votes"].as_array().unwrap();
    assert_eq!(votes.iter().filter(|vote| vote["vote"] == "agree").count(), 2, "{votes:?}");
}

#[tokio::test]
async fn where_too_few_nodes_can_trace_it_is_held_and_not_refused() {
    let net = Devnet::start().await.unwrap();
    let forwarder = forwarder(&net).await;
    let (one, other) = (Node::honest(net.url()).await, Node::lacking(net.url(), &[TREE, FLAT]).await);
    let world = world_over(net, &[&one, &other]);
    let delivery = charged(&world, forwarder, payCall { to: world.net.merchant }).await;
    let event = world.silent(&delivery, "held", "PROOF_UNSUPPORTED").await;
    let seen = event["trace"].as_array().unwrap().last().unwrap()["detail"]["checks"].to_string();
    assert!(seen.contains("too few of them can trace it"), "{seen}");
}
