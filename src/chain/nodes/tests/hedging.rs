//! A slow node, and another beside it.

use super::sound::{sound, sound_node, third};
use super::*;
use crate::chain::nodes::hedging::Kind;
use crate::chain::nodes::side_by_side;

fn warm(limits: Limits, nodes: &[&Scripted], kind: Kind, extra: u32) -> (Nodes, Metrics) {
    let (reader, metrics) = reader_within(limits, nodes);
    reader.chains.get("base").unwrap().hedging.warm(kind, extra);
    (reader, metrics)
}

fn silent_at(silent: &'static str) -> impl Fn(&str, &Value) -> Option<Reply> + Send + Sync + 'static {
    move |method, _| (method == silent).then_some(Reply::Silence)
}

#[tokio::test]
async fn a_node_that_never_answers_is_overtaken_and_has_said_nothing() {
    for (kind, silent) in [(Kind::Receipt, "eth_getTransactionReceipt"), (Kind::Delivery, "eth_getBlockReceipts")] {
        let (slow, quick) = (sound_node(silent_at(silent)).await, sound_node(|_, _| None).await);
        let (reader, metrics) = warm(LIMITS, &[&slow, &quick], kind, 10);
        let seen = reader.observe(third()).await;
        let proven = seen.proven.expect("by the other one");
        assert_eq!(proven.receipt.tx_hash, third().tx_hash, "{silent}");
        let views: Vec<&NodeView> = seen.nodes.iter().map(|node| node.answer.as_ref().unwrap()).collect();
        assert_eq!(views[0].header_at, views[1].header_at, "it votes on the block all the same");
        assert_eq!(views[0].is_asked, kind == Kind::Delivery, "{silent}");
        let text = metrics.encode().unwrap();
        let line = format!(r#"node="a",method="{silent}",outcome="abandoned"}} 1"#);
        assert!(text.contains(&line), "{line} in {text}");
        assert!(text.contains(r#"node="a",state="ready"} 1"#), "nobody waited for it: {text}");
    }
}

/// The first is silent for ever. The second is asked beside it and answers so; asked again, it answers rightly.
async fn asked_twice(at_first: Reply) -> Observations {
    let (slow, asked) = (sound_node(silent_at("eth_getTransactionReceipt")).await, AtomicU64::new(0));
    let second = sound_node(move |method, _| {
        let is_first = method == "eth_getTransactionReceipt" && asked.fetch_add(1, Ordering::SeqCst) == 0;
        is_first.then(|| at_first.clone())
    })
    .await;
    let (reader, _) = warm(BRISK, &[&slow, &second], Kind::Receipt, 10);
    reader.observe(third()).await
}

#[tokio::test]
async fn a_hedge_that_brings_nothing_costs_nobody_a_voice_and_a_lie_is_one() {
    let useless = [
        Reply::Error(-32000),
        Reply::Http("429 Too Many Requests", String::new()),
        Reply::Http("200 OK", "<html>".to_owned()),
    ];
    for seen in side_by_side::all(useless.into_iter().map(asked_twice)).await {
        assert_eq!(seen.nodes[0].answer, Err(NodeError::Unavailable("deadline passed")), "waited for to the end");
        let second = seen.nodes[1].answer.as_ref().unwrap();
        assert!(second.receipt.is_some() && seen.proven.is_some(), "{second:?}");
    }
    let mut stranger = sound().2;
    stranger["transactionHash"] = json!(B256::ZERO);
    let seen = asked_twice(Reply::Result(stranger)).await;
    assert!(matches!(seen.nodes[1].answer, Err(NodeError::Fault(_))), "{:?}", seen.nodes[1]);
    assert_eq!(seen.proven, None);
}

#[tokio::test]
async fn no_node_is_asked_beside_another_without_the_budget_for_it() {
    let slow = sound_node(silent_at("eth_getTransactionReceipt")).await;
    let quick = sound_node(|_, _| None).await;
    let (reader, _) = warm(BRISK, &[&slow, &quick], Kind::Receipt, 1);
    for is_hedged in [true, false] {
        let seen = reader.observe(third()).await;
        assert!(seen.proven.is_some());
        assert_eq!(seen.nodes[0].answer.is_ok(), is_hedged, "waited for to its deadline: {:?}", seen.nodes[0].answer);
    }
}

#[tokio::test]
async fn a_second_node_is_not_asked_while_too_little_is_known() {
    let slow = sound_node(silent_at("eth_getTransactionReceipt")).await;
    let quick = sound_node(|_, _| None).await;
    let (reader, _) = reader_within(BRISK, &[&slow, &quick]);
    let seen = reader.observe(third()).await;
    assert!(seen.proven.is_some() && seen.nodes[0].answer.is_err(), "{:?}", seen.nodes[0].answer);
}
