//! Promise 4: the chain's nodes are down, of another chain, or lie. Doubt stays doubt, and ends when they come back.

use serde_json::Value;
use tollgate::demo::devnet::Devnet;

use crate::support::chaos::{Chaos, Line};
use crate::support::gateway::{self, FORWARD_SECRET, Gateway, Setup, Site};
use crate::support::invoice::Invoice;
use crate::support::node::Node;
use crate::support::receiver::Receiver;

/// `[chains.local]` with these nodes, each of another owner; all must agree.
fn chain(net: &Devnet, urls: &[String]) -> String {
    let nodes: Vec<String> = urls
        .iter()
        .enumerate()
        .map(|(number, url)| format!(r#"{{ name = "node-{number}", owner = "owner-{number}", url = "{url}" }}"#))
        .collect();
    let agree = urls.len();
    let text = gateway::chain(net, 1);
    let lines = text.lines().filter_map(|line| match line.split(' ').next() {
        Some("rpc") => Some(format!("rpc = [{}]", nodes.join(", "))),
        Some("agree") => Some(format!("agree = {agree}")),
        Some("owners") => Some(format!("owners = {agree}")),
        Some("allow_single_node") if 1 < agree => None,
        _ => Some(line.to_owned()),
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// A gateway over these nodes, and the backend behind it.
fn start(net: &Devnet, urls: &[String]) -> (Gateway, Receiver) {
    let backend = Receiver::start(&[FORWARD_SECRET]);
    let setup = Setup { backend: Some(backend.address()), chain: Some(chain(net, urls)), ..Setup::default() };
    (Site::new(&setup).start(), backend)
}

/// Registers an invoice and posts what Request Network says about a payment.
async fn announce(net: &Devnet, gateway: &Gateway, invoice: Invoice, tx: alloy_primitives::B256) -> String {
    let reply = gateway.expect(&invoice.id(), &invoice.terms(net)).await;
    assert_eq!(reply.status, 201, "{}", reply.json());
    net.mine(2).await.expect("blocks");
    gateway.request_network(&invoice.webhook("payment.confirmed", tx)).await.delivery_id()
}

/// Verified once, and the backend has it.
async fn verified(gateway: &Gateway, backend: &Receiver, delivery: &str) {
    let paid = |event: &Value| matches!(event["state"].as_str(), Some("forwarded" | "settled"));
    let event = gateway.event_when(delivery, paid).await;
    assert_eq!(event["code"], "VERIFIED");
    let taken = backend.wait_for_taken(1).await;
    assert_eq!((taken.len(), taken[0].message_type()), (1, "payment.verified"));
}

#[tokio::test]
async fn a_node_that_is_down_leaves_a_payment_undetermined_until_it_is_back() {
    let net = Devnet::start().await.expect("the local chain");
    let target = net.url().trim_start_matches("http://").parse().expect("its address");
    let mut way = Chaos::down(target).await;
    let (gateway, backend) = start(&net, &[format!("http://{}", way.address())]);
    let invoice = Invoice(1);
    let tx = invoice.pay(&net).await;
    let delivery = announce(&net, &gateway, invoice, tx).await;
    gateway.event_in(&delivery, "undetermined", "RPC_UNAVAILABLE").await;

    way.put_up(Line::Breaks(40)).await;
    let looked = gateway.event_when(&delivery, |_| 2 <= way.broken()).await;
    assert_eq!((looked["state"].as_str(), looked["code"].as_str()), (Some("undetermined"), Some("RPC_UNAVAILABLE")));
    assert_eq!(backend.received().len(), 0, "nothing is sent while nothing is known");

    way.put_up(Line::Good).await;
    verified(&gateway, &backend, &delivery).await;
}

#[tokio::test]
async fn a_node_of_another_chain_verifies_nothing() {
    let net = Devnet::start().await.expect("the local chain");
    let node = Node::liar(net.url(), |method, result| {
        if method == concat!("eth_", "chainId") {
            *result = Value::from("0x1");
        }
    });
    let node = node.await;
    let (gateway, backend) = start(&net, &[node.url("")]);
    let invoice = Invoice(1);
    let tx = invoice.pay(&net).await;
    let delivery = announce(&net, &gateway, invoice, tx).await;
    gateway.event_in(&delivery, "undetermined", "CHAIN_ID_MISMATCH").await;
    assert_eq!(backend.received().len(), 0);
    node.repents();
    verified(&gateway, &backend, &delivery).await;
}

/// The payment went to a stranger. One of two nodes shows it as paid to the merchant: sound in itself, but alone.
#[tokio::test]
async fn a_node_that_invents_a_recipient_verifies_nothing() {
    let net = Devnet::start().await.expect("the local chain");
    let (merchant, stranger) = (hex::encode(net.merchant), hex::encode(net.stranger));
    let liar = Node::liar(net.url(), move |method, result| {
        if method.ends_with("Receipt") {
            replace(result, &stranger, &merchant);
        }
    });
    let (liar, honest) = (liar.await, Node::honest(net.url()).await);
    let (gateway, backend) = start(&net, &[liar.url(""), honest.url("")]);
    let invoice = Invoice(1);
    let tx = invoice.pay_to(&net, net.stranger, 3).await;
    let delivery = announce(&net, &gateway, invoice, tx).await;
    gateway.event_in(&delivery, "undetermined", "RPC_DISAGREEMENT").await;
    liar.repents();
    gateway.event_in(&delivery, "refuted", "WRONG_RECIPIENT").await;
    assert_eq!(backend.received().len(), 0);
}

/// One token of three was paid; one of two nodes shows all three, in a receipt that is sound in itself.
#[tokio::test]
async fn a_node_that_invents_an_amount_verifies_nothing() {
    let net = Devnet::start().await.expect("the local chain");
    let liar = Node::liar(net.url(), |method, result| {
        if method.ends_with("Receipt") {
            // 1 and 3 times 10^18.
            replace(result, "0de0b6b3a7640000", "29a2241af62c0000");
        }
    });
    let (liar, honest) = (liar.await, Node::honest(net.url()).await);
    let (gateway, backend) = start(&net, &[liar.url(""), honest.url("")]);
    let invoice = Invoice(1);
    let tx = invoice.pay_to(&net, net.merchant, 1).await;
    let delivery = announce(&net, &gateway, invoice, tx).await;
    gateway.event_in(&delivery, "undetermined", "RPC_DISAGREEMENT").await;
    assert!(0 < honest.calls() && 0 < liar.calls());
    assert_eq!(backend.received().len(), 0, "nothing is sent while nodes disagree");
    liar.repents();
    let taken = backend.wait_for_taken(1).await;
    assert_eq!((taken.len(), taken[0].message_type()), (1, "payment.partial"));
    assert_eq!(taken[0].message["data"]["payment"]["amount_base_units"], "1000000000000000000");
}

fn replace(result: &mut Value, from: &str, to: &str) {
    let text = result.to_string();
    assert!(text == "null" || text.contains(from), "there is nothing to lie about in {text}");
    *result = serde_json::from_str(&text.replace(from, to)).expect("still JSON");
}

/// One of two nodes says that it does not know the transaction.
#[tokio::test]
async fn a_node_that_hides_a_payment_refutes_nothing() {
    let net = Devnet::start().await.expect("the local chain");
    let hiding = Node::liar(net.url(), |method, result| {
        if method.ends_with("Receipt") {
            *result = Value::Null;
        }
    });
    let (hiding, honest) = (hiding.await, Node::honest(net.url()).await);
    let (gateway, backend) = start(&net, &[hiding.url(""), honest.url("")]);
    let invoice = Invoice(1);
    let tx = invoice.pay(&net).await;
    let delivery = announce(&net, &gateway, invoice, tx).await;
    let looked = |event: &Value| event["code"].as_str().is_some_and(|code| code != "EXPECTATION_UNKNOWN");
    let event = gateway.event_when(&delivery, looked).await;
    let state = event["state"].as_str().unwrap_or_default();
    assert!(matches!(state, "verifying" | "undetermined"), "doubt is {state} {}", event["code"]);
    assert_eq!(backend.received().len(), 0);
    hiding.repents();
    verified(&gateway, &backend, &delivery).await;
}
