//! A sanctions oracle on the chain is asked beside the lists. What it does not answer is never taken for a no.

use std::collections::BTreeMap;

use alloy_primitives::{Address, Bytes, address};
use alloy_sol_types::{SolCall, sol};
use tollgate::demo::devnet::Devnet;

use crate::support::money::{Ways, World, confirmed, transact};
use crate::support::node::Node;
use crate::support::script;

sol! {
    function put(address somebody);
}

/// Nothing was ever deployed there.
const NOBODY: Address = address!("0x00000000000000000000000000000000000a11ce");

async fn deploy(net: &Devnet, contract: &str) -> Address {
    let source = include_bytes!("oracle.sol");
    let compiled: BTreeMap<String, Bytes> = script::run("verdicts/hostile/compile.cjs", &["solc"], source);
    net.deploy(compiled[contract].clone()).await.expect("it is deployed")
}

/// A world that asks this contract and has no lists.
fn asking(net: Devnet, oracle: Address, chain: Vec<(&'static str, String)>) -> World {
    let lines = vec![("verification", format!("screening = {{ oracle = {{ local = \"{oracle}\" }} }}"))];
    World::on(net, Ways { lines, chain, ..Ways::default() })
}

/// What the last look says of the oracle.
fn said(checks: &serde_json::Value) -> (String, String) {
    let of_oracle = checks
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["name"] == "sanctions" && check["expected"] == "nobody named by the oracle");
    let check = of_oracle.unwrap_or_else(|| panic!("the oracle was not asked: {checks:#}"));
    (check["outcome"].as_str().unwrap().to_owned(), check["actual"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn whoever_the_oracle_names_is_held_and_others_pay() {
    let net = Devnet::start().await.unwrap();
    let oracle = deploy(&net, "Oracle").await;
    let world = asking(net, oracle, vec![]);
    for order in [1, 2] {
        world.expect(&format!("order-{order}"), &world.terms(order, "12")).await;
    }
    let tx = world.pay(1, 12).await;
    let delivery = world.rn(&confirmed(1, tx, "12")).await;
    let message = world.message(&delivery, "payment.verified").await;
    let (outcome, actual) = said(&message["data"]["verification"]["checks"]);
    assert_eq!((outcome.as_str(), actual.ends_with(&format!("is named by {oracle}"))), ("pass", true), "{actual}");

    transact(&world.net, Some(oracle), putCall { somebody: world.net.payer }.abi_encode()).await;
    let tx = world.pay(2, 12).await;
    let delivery = world.rn(&confirmed(2, tx, "12")).await;
    let event = world.silent(&delivery, "held", "SANCTIONED").await;
    let (outcome, actual) = said(&event["trace"].as_array().unwrap().last().unwrap()["detail"]["checks"]);
    assert_eq!(outcome, "fail");
    assert!(actual.starts_with(&format!("the sender of the transfer, {}, is named", world.net.payer)), "{actual}");
    assert_eq!(world.expectation("order-2").await["status"], "open");
}

#[tokio::test]
async fn an_oracle_that_fails_or_is_not_there_or_answers_oddly_lets_nobody_pass() {
    for contract in ["Broken", "Odd", ""] {
        let net = Devnet::start().await.unwrap();
        let oracle = if contract.is_empty() { NOBODY } else { deploy(&net, contract).await };
        let world = asking(net, oracle, vec![]);
        world.expect("order-1", &world.terms(1, "12")).await;
        let tx = world.pay(1, 12).await;
        let delivery = world.rn(&confirmed(1, tx, "12")).await;
        let event = world.silent(&delivery, "undetermined", "SCREENING_UNAVAILABLE").await;
        let (outcome, actual) = said(&event["trace"].as_array().unwrap().last().unwrap()["detail"]["checks"]);
        assert_eq!((outcome.as_str(), actual.contains("gives no answer")), ("unknown", true), "{contract}: {actual}");
    }
}

/// One of two nodes says that the oracle names nobody. What is on the chain, the other one shows.
#[tokio::test]
async fn a_node_that_speaks_for_the_oracle_alone_lets_nobody_pass() {
    let net = Devnet::start().await.unwrap();
    let oracle = deploy(&net, "Oracle").await;
    transact(&net, Some(oracle), putCall { somebody: net.payer }.abi_encode()).await;
    let liar = Node::liar(net.url(), |method, result| {
        if method == concat!("eth_", "call") {
            *result = serde_json::json!(format!("0x{}", "0".repeat(64)));
        }
    });
    let (liar, honest) = (liar.await, Node::honest(net.url()).await);
    let node = |(number, node): (usize, &Node)| {
        format!(r#"{{ name = "node-{number}", owner = "owner-{number}", url = "{}" }}"#, node.url(""))
    };
    let rpc: Vec<String> = [&liar, &honest].into_iter().enumerate().map(node).collect();
    let two = || "2".to_owned();
    let chain = vec![("rpc", format!("[{}]", rpc.join(", "))), ("agree", two()), ("owners", two())];
    let world = asking(net, oracle, chain);
    world.expect("order-1", &world.terms(1, "12")).await;
    let tx = world.pay(1, 12).await;
    let delivery = world.rn(&confirmed(1, tx, "12")).await;
    let event = world.silent(&delivery, "undetermined", "SCREENING_UNAVAILABLE").await;
    let (_, actual) = said(&event["trace"].as_array().unwrap().last().unwrap()["detail"]["checks"]);
    assert!(actual.contains("RPC_DISAGREEMENT"), "{actual}");
    liar.repents();
    world.silent(&delivery, "held", "SANCTIONED").await;
}
