//! Stretches of a chain, over the wire.

use super::*;
use crate::chain::types::LogFilter;

fn filter() -> LogFilter {
    LogFilter { addresses: vec![fixture::PROXY], topics: vec![vec![fixture::TOPIC], Vec::new()] }
}

fn placed() -> Value {
    json!({"address": fixture::PROXY, "topics": [fixture::TOPIC, B256::ZERO], "data": "0x", "transactionHash": TX,
        "blockNumber": "0x3e8", "blockHash": hash(0xb1)})
}

/// The first node's answer about logs, when it answers so.
async fn logs_of(reply: impl Fn(&Value) -> Reply + Send + Sync + 'static) -> Result<usize, NodeError> {
    let scripted = node(move |method, params| (method == Method::Logs.as_str()).then(|| reply(params))).await;
    let (nodes, _) = reader(&[&scripted]);
    nodes.logs("base", &filter(), 0x3e0, 0x3e8).await.remove(0).answer.map(|logs| logs.len())
}

#[tokio::test]
async fn logs_are_asked_for_by_contract_topics_and_blocks() {
    let asked = json!([{"fromBlock": "0x3e0", "toBlock": "0x3e8", "address": [fixture::PROXY],
        "topics": [[fixture::TOPIC], null]}]);
    let answer = logs_of(move |params| {
        assert_eq!(*params, asked);
        Reply::Result(json!([placed()]))
    });
    assert_eq!(answer.await, Ok(1));
}

#[tokio::test]
async fn whatever_is_no_list_of_those_logs_is_no_answer() {
    assert_eq!(logs_of(|_| Reply::Result(json!([]))).await, Ok(0));
    let null = logs_of(|_| Reply::Result(Value::Null)).await;
    assert_eq!(null, Err(NodeError::Unavailable("null instead of logs")));
    assert_eq!(logs_of(|_| Reply::Error(-32_008)).await, Err(NodeError::Unavailable("answer too large")));
    assert_eq!(logs_of(|_| Reply::Error(-32_005)).await, Err(NodeError::RateLimited));
    let stranger = logs_of(|_| {
        let mut log = placed();
        log["address"] = json!(fixture::STRANGER);
        Reply::Result(json!([log]))
    });
    assert_eq!(stranger.await, Err(NodeError::Fault("log that was not asked for")));
}

#[tokio::test]
async fn every_node_says_for_itself_how_far_it_goes() {
    let good = node(|_, _| None).await;
    let young = node(|_, params| (params[0] == "finalized").then_some(Reply::Error(-32_602))).await;
    let other = node(|method, _| (method == "eth_chainId").then(|| Reply::Result(json!("0x1")))).await;
    let (nodes, _) = reader(&[&good, &young, &other]);
    let stands = nodes.stands("base").await;
    let heights = |at: usize| {
        let stand = stands[at].answer.as_ref().unwrap();
        (stand.head.number, stand.finalized.map(|header| header.number))
    };
    assert_eq!((heights(0), heights(1)), ((HEIGHT + 9, Some(HEIGHT + 1)), (HEIGHT + 9, None)));
    assert!(matches!(stands[2].answer, Err(NodeError::WrongChain(_))));
    let headers = nodes.header_at("base", HEIGHT).await;
    assert_eq!(headers[0].answer.as_ref().unwrap().unwrap().hash, B256::repeat_byte(0xb1));
    assert_eq!((headers[1].owner.as_str(), headers[2].answer.is_err()), ("y", true));
    let receipts = nodes.receipt("base", TX).await;
    assert_eq!(receipts[0].answer.as_ref().unwrap().as_ref().unwrap().tx_hash, TX);
    assert!(nodes.stands("ethereum").await.is_empty(), "it is not configured");
}
