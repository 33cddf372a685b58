use std::collections::BTreeMap;

use alloy_primitives::Address;
use serde_json::{Value, json};

use super::{Asked, ask};
use crate::chain::tests::scripted::{Reply, Scripted};
use crate::config;
use crate::verify::fixture;

fn block(number: u64) -> Reply {
    let hash = alloy_primitives::B256::repeat_byte(7);
    Reply::Result(
        json!({"number": format!("{number:#x}"), "hash": hash, "parentHash": hash, "timestamp": "0x6ab13b80"}),
    )
}

/// A healthy node of Base with a head at `head`, except where `other` answers first.
async fn node(head: u64, other: impl Fn(&str, &Value) -> Option<Reply> + Send + Sync + 'static) -> Scripted {
    Scripted::start(move |method, params| {
        other(method, params).unwrap_or_else(|| match (method, params[0].as_str().unwrap_or_default()) {
            ("eth_chainId", _) => Reply::Result(json!("0x2105")),
            ("eth_getBlockByNumber", "latest") => block(head),
            ("eth_getBlockByNumber", "safe") => block(head - 9),
            ("eth_getBlockByNumber", "finalized") => block(head - 90),
            ("eth_getTransactionCount", _) => Reply::Result(json!("0x0")),
            _ => Reply::Result(Value::Null),
        })
    })
    .await
}

/// Two owners have to agree.
async fn checked(nodes: &[&Scripted]) -> Asked {
    checked_with(nodes, false, None).await
}

async fn checked_with(nodes: &[&Scripted], trace: bool, oracle: Option<Address>) -> Asked {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config::of_folder(folder.path()).unwrap();
    let mut base = fixture::base();
    base.chain.genesis = None;
    base.chain.trace = trace;
    base.nodes.truncate(nodes.len());
    for (configured, node) in base.nodes.iter_mut().zip(nodes) {
        configured.url = node.url();
    }
    config.chains = BTreeMap::from([("base".to_owned(), base)]);
    config.verification.screening.oracle = oracle.map(|contract| ("base".to_owned(), contract)).into_iter().collect();
    ask(&config).await
}

fn verdicts(asked: &Asked) -> Vec<&str> {
    asked.rows.iter().map(|row| row["verdict"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn healthy_nodes_are_ok_and_show_their_heads() {
    let (a, b) = (node(1_000, |_, _| None).await, node(1_001, |_, _| None).await);
    let asked = checked(&[&a, &b]).await;
    assert_eq!((verdicts(&asked), asked.failing.as_slice()), (vec!["ok", "ok"], &[][..]));
    let row = &asked.rows[0];
    assert_eq!((&row["chain"], &row["node"], &row["owner"]), (&json!("base"), &json!("a"), &json!("x")));
    assert_eq!((&row["chain_id"], &row["head"], &row["safe"]), (&json!(8453), &json!(1_000), &json!(991)));
    assert_eq!((&row["finalized"], &row["missing"]), (&json!(910), &json!("")));
    assert!(row["latency_ms"].is_u64());
}

#[tokio::test]
async fn each_way_to_be_unusable_is_named_and_shows_no_url() {
    let good = node(1_000, |_, _| None).await;
    let wrong_chain = node(1_000, |method, _| (method == "eth_chainId").then(|| Reply::Result(json!("0x1")))).await;
    let throttled = node(1_000, |_, _| Some(Reply::Http("429 Too Many Requests", "SECRET-KEY".to_owned()))).await;
    let behind = node(900, |_, _| None).await;
    let untagged = node(1_000, |_, params| (params[0] == "finalized").then_some(Reply::Error(-32602))).await;
    let unproven = node(1_000, |method, _| (method == "eth_getBlockReceipts").then_some(Reply::Error(-32601))).await;
    let lacking =
        node(1_000, |method, _| (method == "eth_getTransactionReceipt").then_some(Reply::Error(-32601))).await;
    for (bad, verdict, missing) in [
        (&wrong_chain, "another chain: 8453 is configured", ""),
        (&throttled, "throttled", ""),
        (&behind, "100 blocks behind", ""),
        (&untagged, "no finalized block, which a tier waits for", ""),
        (&lacking, "methods are missing", "eth_getTransactionReceipt"),
    ] {
        let asked = checked(&[&good, bad]).await;
        assert_eq!(verdicts(&asked), ["ok", verdict]);
        assert_eq!((&asked.rows[1]["missing"], &asked.rows[1]["usable"]), (&json!(missing), &json!(false)));
        assert_eq!(asked.failing, ["base: 1 of 2 nodes can be used, 2 of 2 owners have to agree"]);
        let shown = format!("{:?}{:?}", asked.rows, asked.failing);
        assert!(!shown.contains("SECRET-KEY") && !shown.contains("127.0.0.1"), "{shown}");
    }
    // Without whole blocks of receipts agreement has to do.
    let asked = checked(&[&good, &unproven]).await;
    assert_eq!((verdicts(&asked), &asked.rows[1]["missing"]), (vec!["ok", "ok"], &json!("eth_getBlockReceipts")));
    assert_eq!(asked.rows[1]["proof"], "quorum");
    // With two good ones beside it, one bad node is no reason to fail.
    let asked = checked(&[&good, &wrong_chain, &good]).await;
    assert_eq!((asked.failing.len(), verdicts(&asked)[2]), (0, "ok"));
}

#[tokio::test]
async fn nodes_show_by_which_method_they_trace_and_too_few_of_them_fail_a_chain_that_needs_it() {
    let lacks = |methods: &'static [&'static str]| {
        node(1_000, move |method, _| {
            let is_trace = method.contains("race");
            is_trace.then(|| Reply::Error(if methods.contains(&method) { -32601 } else { -32000 }))
        })
    };
    let (tree, flat) = ("debug_traceTransaction", "trace_transaction");
    let (one, other, none) = (
        lacks(&[]).await,
        lacks(&["debug_traceTransaction"]).await,
        lacks(&["debug_traceTransaction", "trace_transaction"]).await,
    );
    let asked = checked_with(&[&one, &other], true, None).await;
    assert_eq!((&asked.rows[0]["traces"], &asked.rows[1]["traces"]), (&json!(tree), &json!(flat)));
    assert!(asked.failing.is_empty(), "{:?}", asked.failing);
    let asked = checked_with(&[&one, &none], true, None).await;
    assert_eq!((verdicts(&asked), &asked.rows[1]["traces"]), (vec!["ok", "ok"], &Value::Null));
    assert_eq!(asked.failing, ["base: trace is on and 1 of 2 nodes can trace, 2 of 2 owners have to agree"]);
    assert!(checked_with(&[&one, &none], false, None).await.failing.is_empty());
}

#[tokio::test]
async fn an_oracle_that_too_few_nodes_answer_for_fails_its_chain() {
    let says =
        |word: &'static str| node(1_000, move |method, _| (method == "eth_call").then(|| Reply::Result(json!(word))));
    let clean = "0x0000000000000000000000000000000000000000000000000000000000000000";
    let (one, other, none) = (says(clean).await, says(clean).await, says("0x").await);
    let oracle = Some(Address::repeat_byte(0x40));
    let asked = checked_with(&[&one, &other], false, oracle).await;
    assert!(asked.failing.is_empty() && asked.rows[0]["oracle"] == "answers", "{:?} {:?}", asked.failing, asked.rows);
    let asked = checked_with(&[&one, &none], false, oracle).await;
    assert_eq!((verdicts(&asked), &asked.rows[1]["oracle"]), (vec!["ok", "ok"], &json!("no answer")));
    assert_eq!(asked.failing, ["base: the oracle answers at 1 of 2 nodes, 2 of 2 owners have to agree"]);
    assert_eq!(checked(&[&one, &none]).await.rows[1]["oracle"], Value::Null);
}
