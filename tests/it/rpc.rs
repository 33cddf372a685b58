//! Promise 4: the chain's nodes are down, of another chain, or lie. Doubt stays doubt, and ends when they come back.

use serde_json::Value;
use tollgate::demo::devnet::Devnet;

use crate::support::chaos::{Chaos, Line};
use crate::support::gateway::{self, FORWARD_SECRET, Gateway, Setup, Site};
use crate::support::invoice::Invoice;
use crate::support::node::Node;
use crate::support::receiver::Receiver;

mod announced;
mod matrix;
mod senders;
mod slow;

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
    start_on(chain(net, urls))
}

/// The same, comparing what nodes say of a receipt instead of proving it.
fn start_comparing(net: &Devnet, urls: &[String]) -> (Gateway, Receiver) {
    start_on(chain(net, urls) + "proof = \"quorum\"\n")
}

fn start_on(chain: String) -> (Gateway, Receiver) {
    let backend = Receiver::start(&[FORWARD_SECRET]);
    let setup = Setup { backend: Some(backend.address()), chain: Some(chain), ..Setup::default() };
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
    let (gateway, backend) = start_comparing(&net, &[liar.url(""), honest.url("")]);
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
    let (gateway, backend) = start_comparing(&net, &[liar.url(""), honest.url("")]);
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
    let (gateway, backend) = start_comparing(&net, &[hiding.url(""), honest.url("")]);
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

/// Receipts that lie about the recipient do not make the root of their block, whoever delivers them.
#[tokio::test]
async fn a_node_whose_receipts_do_not_make_the_root_is_at_fault_and_the_others_go_on() {
    let net = Devnet::start().await.expect("the local chain");
    let (merchant, stranger) = (hex::encode(net.merchant), hex::encode(net.stranger));
    let liar = Node::liar(net.url(), move |method, result| {
        if method.ends_with("Receipt") || method.ends_with("Receipts") {
            replace(result, &stranger, &merchant);
        }
    });
    let (liar, one, two) = (liar.await, Node::honest(net.url()).await, Node::honest(net.url()).await);
    let mut chain = chain(&net, &[liar.url(""), one.url(""), two.url("")]);
    chain = chain.replace("agree = 3", "agree = 2").replace("owners = 3", "owners = 2");
    let (gateway, backend) = start_on(chain);
    let invoice = Invoice(1);
    let tx = invoice.pay_to(&net, net.stranger, 3).await;
    let delivery = announce(&net, &gateway, invoice, tx).await;
    let event = gateway.event_in(&delivery, "refuted", "WRONG_RECIPIENT").await;
    // Once at fault it is left alone, and abstains if there is a second look.
    let looks = event["trace"].as_array().expect("a trace").iter().map(|step| &step["detail"]["votes"][0]["vote"]);
    let votes: Vec<&Value> = looks.filter(|vote| !vote.is_null()).collect();
    assert_eq!(votes.first().map(|vote| vote.as_str()), Some(Some("fault")), "{votes:?}");
    assert!(votes.iter().all(|vote| *vote == "fault" || *vote == "abstain"), "{votes:?}");
    assert_eq!(backend.received().len(), 0);
}

/// Where every node is needed, the one that lied about receipts is not counted; what is told in the end is the truth.
#[tokio::test]
async fn an_amount_that_a_node_invents_under_a_true_header_is_never_told() {
    let net = Devnet::start().await.expect("the local chain");
    let liar = Node::liar(net.url(), |method, result| {
        if method.ends_with("Receipts") {
            // 1 and 3 times 10^18.
            replace(result, "0de0b6b3a7640000", "29a2241af62c0000");
        }
    });
    let (liar, honest) = (liar.await, Node::honest(net.url()).await);
    let (gateway, backend) = start(&net, &[liar.url(""), honest.url("")]);
    let invoice = Invoice(1);
    let tx = invoice.pay_to(&net, net.merchant, 1).await;
    let delivery = announce(&net, &gateway, invoice, tx).await;
    doubted(&gateway, &delivery, "RPC_FAULT").await;
    assert_eq!(backend.received().len(), 0);
    // A node that contradicts itself is left alone for a while; a new start asks it again.
    liar.repents();
    let _gateway = gateway.kill().start();
    let taken = backend.wait_for_taken(1).await;
    assert_eq!((taken.len(), taken[0].message_type()), (1, "payment.partial"));
    assert_eq!(taken[0].message["data"]["payment"]["amount_base_units"], "1000000000000000000");
}

/// Waits until the event's trace has the code, whatever came after it.
async fn doubted(gateway: &Gateway, delivery: &str, code: &str) {
    let has = |event: &Value| event["trace"].as_array().is_some_and(|all| all.iter().any(|one| one["code"] == code));
    let event = gateway.event_when(delivery, has).await;
    assert_eq!(event["state"], "undetermined", "{event:#}");
}

/// Its header states the hash of the block and hashes to another one.
#[tokio::test]
async fn a_header_that_does_not_hash_to_its_hash_does_not_count() {
    let net = Devnet::start().await.expect("the local chain");
    let liar = Node::liar(net.url(), |method, result| {
        if method.ends_with("ByNumber") && result.is_object() {
            result["gasUsed"] = Value::from("0x1");
        }
    });
    let (liar, honest) = (liar.await, Node::honest(net.url()).await);
    let (gateway, backend) = start(&net, &[liar.url(""), honest.url("")]);
    let invoice = Invoice(1);
    let tx = invoice.pay(&net).await;
    let delivery = announce(&net, &gateway, invoice, tx).await;
    doubted(&gateway, &delivery, "RPC_FAULT").await;
    assert_eq!(backend.received().len(), 0);
    liar.repents();
    let gateway = gateway.kill().start();
    verified(&gateway, &backend, &delivery).await;
}

/// A node that does not show a receipt hides nothing: the block that it agrees on commits to it.
#[tokio::test]
async fn a_node_that_hides_receipts_hides_no_payment_from_a_proof() {
    let net = Devnet::start().await.expect("the local chain");
    let hiding = Node::liar(net.url(), |method, result| {
        if method.ends_with("Receipt") || method.ends_with("Receipts") {
            *result = Value::Null;
        }
    });
    let (hiding, honest) = (hiding.await, Node::honest(net.url()).await);
    let (gateway, backend) = start(&net, &[hiding.url(""), honest.url("")]);
    let invoice = Invoice(1);
    let tx = invoice.pay(&net).await;
    let delivery = announce(&net, &gateway, invoice, tx).await;
    verified(&gateway, &backend, &delivery).await;
    assert_eq!(backend.received()[0].message["data"]["verification"]["proof"], "receipts_root");
}

/// An upgrade adds a field that this build does not know: all nodes agree, and nobody's header hashes to its hash.
#[tokio::test]
async fn an_unknown_header_field_holds_large_sums_and_lets_small_ones_go_on_by_the_word_of_enough_nodes() {
    let net = Devnet::start().await.expect("the local chain");
    let upgraded = |_: &str, result: &mut Value| {
        if let Some(block) = result.as_object_mut().filter(|block| block.contains_key("parentHash")) {
            // As if the hash covered a field that is not read: what is read does not hash to it any more.
            block.insert("gasUsed".to_owned(), Value::from("0x77"));
        }
    };
    let (one, two) = (Node::liar(net.url(), upgraded).await, Node::liar(net.url(), upgraded).await);
    let tiers = "finality = [{ up_to_usd = 1000, confirmations = 1 }, { confirmations = 1 }]";
    let chain = chain(&net, &[one.url(""), two.url("")]).replace("finality = [{ confirmations = 1 }]", tiers);
    let (gateway, backend) = start_on(chain);
    let small = Invoice(1);
    let tx = small.pay(&net).await;
    let delivery = announce(&net, &gateway, small, tx).await;
    verified(&gateway, &backend, &delivery).await;
    assert_eq!(backend.received()[0].message["data"]["verification"]["proof"], "quorum");
    let large = Invoice(2);
    let tx = large.pay_to(&net, net.merchant, 5_000).await;
    let delivery = announce(&net, &gateway, large, tx).await;
    gateway.event_in(&delivery, "held", "PROOF_MISMATCH").await;
}
