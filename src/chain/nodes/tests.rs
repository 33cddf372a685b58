use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::*;
use crate::chain::tests::scripted::{Reply, Scripted};
use crate::chain::{Look, NodeView};
use crate::verify::fixture::{self, HEIGHT, TX};

mod hedging;
mod receipts;
mod scanning;
mod sound;

const LIMITS: Limits = Limits { body_max: 1 << 20, deadline: Duration::from_secs(20) };
/// Where a silent node is waited out beside good ones, which may be slow on a busy machine.
const BRISK: Limits = Limits { deadline: Duration::from_secs(2), ..LIMITS };

fn hash(byte: u8) -> String {
    B256::repeat_byte(byte).to_string()
}

fn block(number: u64, byte: u8) -> Value {
    json!({"number": format!("{number:#x}"), "hash": hash(byte), "parentHash": hash(0), "timestamp": "0x6ab13b80"})
}

fn receipt_at(number: u64, byte: u8) -> Value {
    json!({"transactionHash": TX, "transactionIndex": "0x1", "blockHash": hash(byte), "from": fixture::PAYER,
        "blockNumber": format!("{number:#x}"), "status": "0x1", "logs": []})
}

/// A healthy node of Base that knows the transaction, except where `other` answers first.
async fn node(other: impl Fn(&str, &Value) -> Option<Reply> + Send + Sync + 'static) -> Scripted {
    Scripted::start(move |method, params| {
        other(method, params).unwrap_or_else(|| {
            let first = params[0].as_str().unwrap_or_default();
            Reply::Result(match (method, first) {
                ("eth_chainId", _) => json!("0x2105"),
                ("eth_getTransactionReceipt", _) => receipt_at(HEIGHT, 0xb1),
                ("eth_getBlockByNumber", "latest") => block(HEIGHT + 9, 0x99),
                ("eth_getBlockByNumber", "finalized") => block(HEIGHT + 1, 0x91),
                ("eth_getBlockByNumber", "safe") => block(HEIGHT + 3, 0x93),
                ("eth_getBlockByNumber", "0x3e8") => block(HEIGHT, 0xb1),
                _ => Value::Null,
            })
        })
    })
    .await
}

fn reader(nodes: &[&Scripted]) -> (Nodes, Metrics) {
    reader_within(LIMITS, nodes)
}

/// Whose headers are compared as they are: scripted ones hash to nothing.
fn comparing_reader(nodes: &[&Scripted]) -> (Nodes, Metrics) {
    reader_of(LIMITS, nodes, ProofMode::Quorum)
}

fn reader_within(limits: Limits, nodes: &[&Scripted]) -> (Nodes, Metrics) {
    reader_of(limits, nodes, ProofMode::Full)
}

fn reader_of(limits: Limits, nodes: &[&Scripted], proof: ProofMode) -> (Nodes, Metrics) {
    let chain = chain_config::Registry::builtin().unwrap().by_id(8453).unwrap().clone();
    let chain = chain_config::Chain { genesis: None, proof, ..chain };
    let names = [("a", "x"), ("b", "y"), ("c", "z")];
    let mut active = fixture::active(chain, names.get(..nodes.len()).unwrap());
    for (configured, node) in active.nodes.iter_mut().zip(nodes) {
        configured.url = node.url();
    }
    let metrics = Metrics::new();
    let chains = BTreeMap::from([("base".to_owned(), active)]);
    (Nodes::with_limits(&chains, &Clock::system(), &metrics, limits).unwrap(), metrics)
}

fn plan() -> Plan {
    Plan { chain: "base".to_owned(), tx_hash: TX, look: Look::Locate }
}

#[tokio::test]
async fn every_node_answers_for_itself_at_one_common_height() {
    let knows = node(|_, _| None).await;
    let lags = node(|method, params| match (method, params[0].as_str()) {
        ("eth_getTransactionReceipt", _) | ("eth_getBlockByNumber", Some("0x3e8")) => Some(Reply::Result(Value::Null)),
        ("eth_getBlockByNumber", Some("latest")) => Some(Reply::Result(block(HEIGHT - 1, 0x98))),
        _ => None,
    })
    .await;
    let forks = node(|method, params| match (method, params[0].as_str()) {
        ("eth_getTransactionReceipt", _) => Some(Reply::Result(Value::Null)),
        ("eth_getBlockByNumber", Some("0x3e8")) => Some(Reply::Result(block(HEIGHT, 0xee))),
        _ => None,
    })
    .await;
    let (reader, metrics) = reader(&[&knows, &lags, &forks]);
    let seen = reader.observe(plan()).await;
    let views: Vec<&NodeView> = seen.nodes.iter().map(|node| node.answer.as_ref().unwrap()).collect();
    assert_eq!(views[0].receipt.as_ref().unwrap().block_number, HEIGHT);
    assert_eq!(views[0].header_at.unwrap().hash, B256::repeat_byte(0xb1));
    assert_eq!((views[0].head.number, views[0].safe.unwrap().number), (HEIGHT + 9, HEIGHT + 3));
    assert_eq!((&views[1].receipt, views[1].header_at, views[1].head.number), (&None, None, HEIGHT - 1));
    assert_eq!(views[2].header_at.unwrap().hash, B256::repeat_byte(0xee), "asked, though it knows no receipt");
    let text = metrics.encode().unwrap();
    assert!(text.contains(r#"tollgate_node_head_lag_blocks{chain="base",node="b"} 10"#), "{text}");
    assert!(text.contains(r#"method="eth_chainId",outcome="ok""#));
}

#[tokio::test]
async fn bad_nodes_are_entries_and_the_good_one_still_counts() {
    let good = node(|_, _| None).await;
    let silent = Scripted::start(|_, _| Reply::Silence).await;
    let html = Scripted::start(|_, _| Reply::Http("200 OK", "<html>".to_owned())).await;
    let (reader, metrics) = reader_within(BRISK, &[&good, &silent, &html]);
    let seen = reader.observe(plan()).await;
    assert!(seen.nodes[0].answer.is_ok());
    assert!(matches!(seen.nodes[1].answer, Err(NodeError::Unavailable(_))));
    assert!(matches!(seen.nodes[2].answer, Err(NodeError::Unavailable(_))));
    let printed = format!("{seen:?}{}", metrics.encode().unwrap());
    assert!(!printed.contains("SECRET-KEY") && !printed.contains("127.0.0.1"), "no URL anywhere");
}

#[tokio::test]
async fn a_node_of_another_chain_or_throttling_or_faulty_is_told_apart() {
    let answer = async |script: fn(&str, &Value) -> Option<Reply>| {
        let scripted = node(script).await;
        let (reader, _) = reader(&[&scripted]);
        reader.observe(plan()).await.nodes.remove(0).answer
    };
    let wrong = answer(|method, _| (method == "eth_chainId").then(|| Reply::Result(json!("0x1")))).await;
    assert!(matches!(wrong, Err(NodeError::WrongChain(_))), "{wrong:?}");
    let throttled = answer(|_, _| Some(Reply::Http("429 Too Many Requests", String::new()))).await;
    assert_eq!(throttled, Err(NodeError::RateLimited));
    let stranger = |method: &str, _: &Value| {
        let mut receipt = receipt_at(HEIGHT, 0xb1);
        receipt["transactionHash"] = json!(B256::ZERO);
        (method == "eth_getTransactionReceipt").then_some(Reply::Result(receipt))
    };
    assert!(matches!(answer(stranger).await, Err(NodeError::Fault(_))));
    let height = |method: &str, params: &Value| {
        (method == "eth_getBlockByNumber" && params[0] == "0x3e8").then(|| Reply::Result(block(HEIGHT + 1, 0xb1)))
    };
    assert_eq!(answer(height).await, Err(NodeError::Fault("header of another height")));
}

#[tokio::test]
async fn a_tag_the_node_does_not_know_is_missing_and_nothing_else() {
    let scripted = node(|_, params| (params[0] == "finalized").then_some(Reply::Error(-32602))).await;
    let (reader, _) = reader(&[&scripted]);
    let view = reader.observe(plan()).await.nodes.remove(0).answer.unwrap();
    assert_eq!((view.finalized, view.safe.is_some()), (None, true));
}

#[tokio::test]
async fn the_chain_id_is_asked_once_and_again_after_a_lost_connection() {
    let round = Arc::new(AtomicU64::new(0));
    let now = Arc::clone(&round);
    let scripted = node(move |method, _| {
        let is_cut = now.load(Ordering::SeqCst) == 2 && method == "eth_getTransactionReceipt";
        is_cut.then_some(Reply::Silence)
    })
    .await;
    let (reader, _) = reader_within(BRISK, &[&scripted]);
    let asked = || scripted.calls().iter().filter(|method| *method == "eth_chainId").count();
    for (expected, is_ok) in [(1, true), (1, true), (1, false), (2, true)] {
        let answer = reader.observe(plan()).await.nodes.remove(0).answer;
        assert_eq!((asked(), answer.is_ok()), (expected, is_ok), "round {}", round.load(Ordering::SeqCst));
        round.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn an_anchor_is_looked_at_without_asking_for_the_receipt() {
    let scripted = node(|_, _| None).await;
    let (reader, _) = reader(&[&scripted]);
    let view =
        reader.observe(Plan { look: Look::Anchor(fixture::anchor()), ..plan() }).await.nodes.remove(0).answer.unwrap();
    assert_eq!(view.header_at.unwrap().number, HEIGHT);
    assert!(!scripted.calls().contains(&"eth_getTransactionReceipt".to_owned()));
}

#[tokio::test]
async fn a_cordoned_node_is_asked_nothing_and_its_word_does_not_count() {
    let (one, other) = (node(|_, _| None).await, node(|_, _| None).await);
    let (reader, _) = reader(&[&one, &other]);
    assert!(reader.observe(plan()).await.nodes.iter().all(|node| node.answer.is_ok()));
    reader.set_cordoned("base", "b", true);
    let asked = other.calls().len();
    // Not even for what it said before: an anchor whose block is known needs no call.
    for look in [Look::Locate, Look::Anchor(fixture::anchor())] {
        let seen = reader.observe(Plan { look, ..plan() }).await;
        assert!(seen.nodes[0].answer.is_ok());
        assert_eq!(seen.nodes[1].answer, Err(CORDONED));
    }
    reader.poll("base").await;
    assert_eq!(other.calls().len(), asked);
    let heads: Vec<_> = reader.heads("base").into_iter().map(|head| head.node).collect();
    assert_eq!(heads, ["a"]);
    reader.set_cordoned("base", "b", false);
    reader.set_cordoned("base", "nobody", true);
    reader.set_cordoned("nowhere", "a", true);
    reader.poll("base").await;
    assert!(reader.observe(plan()).await.nodes.iter().all(|node| node.answer.is_ok()));
}

#[tokio::test]
async fn a_chain_that_is_not_configured_has_no_nodes() {
    let (reader, _) = reader(&[]);
    let other = Plan { chain: "ethereum".to_owned(), ..plan() };
    assert_eq!(reader.observe(other).await, Observations::default());
}

/// What was seen of a height counts under the head that was known then: a block that was replaced since must not be
/// taken for the one under the new head.
#[tokio::test]
async fn a_block_seen_before_a_poll_says_nothing_after_it() {
    let replaced = Arc::new(AtomicU64::new(0));
    let now = Arc::clone(&replaced);
    let scripted = node(move |method, params| {
        let is_replaced = now.load(Ordering::SeqCst) == 1;
        match (method, params[0].as_str()) {
            ("eth_getBlockByNumber", Some("0x3e8")) if is_replaced => Some(Reply::Result(block(HEIGHT, 0xee))),
            ("eth_getBlockByNumber", Some("latest")) if is_replaced => Some(Reply::Result(block(HEIGHT + 9, 0x9a))),
            _ => None,
        }
    })
    .await;
    let (reader, _) = comparing_reader(&[&scripted]);
    let look = async || {
        let plan = Plan { look: Look::Anchor(fixture::anchor()), ..plan() };
        reader.observe(plan).await.nodes.remove(0).answer.unwrap().header_at.unwrap().hash
    };
    let asked = || scripted.calls().len();
    assert_eq!(look().await, B256::repeat_byte(0xb1));
    let calls = asked();
    assert_eq!((look().await, asked()), (B256::repeat_byte(0xb1), calls), "once under one head");
    replaced.store(1, Ordering::SeqCst);
    reader.poll("base").await;
    assert_eq!(look().await, B256::repeat_byte(0xee));
}
