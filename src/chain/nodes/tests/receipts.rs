//! Receipts of a block that are too large for one answer.

use super::sound::{sound, sound_node, third};
use super::*;
use crate::chain::Unproven;
use crate::chain::nodes::receipts::ONE_BY_ONE_MAX;

/// Answers for each receipt of the block by itself.
fn single(params: &Value) -> Option<Reply> {
    let (_, receipts, _) = sound();
    let found = receipts.as_array().unwrap().iter().find(|receipt| receipt["transactionHash"] == params[0]);
    Some(Reply::Result(found.cloned().unwrap_or(Value::Null)))
}

fn asked(node: &Scripted, method: &str) -> usize {
    node.calls().iter().filter(|called| *called == method).count()
}

#[tokio::test]
async fn receipts_that_are_too_large_for_one_answer_are_proven_one_by_one() {
    // Larger than what is read; and larger than what the node sends.
    let small = Limits { body_max: 9_000, ..LIMITS };
    for limits in [small, LIMITS] {
        let refuses = limits.body_max == LIMITS.body_max;
        let script = move |method: &str, params: &Value| match method {
            "eth_getBlockReceipts" if refuses => Some(Reply::Error(-32008)),
            "eth_getTransactionReceipt" => single(params),
            _ => None,
        };
        let (one, other) = (sound_node(script).await, sound_node(script).await);
        let (reader, _) = reader_within(limits, &[&one, &other]);
        let seen = reader.observe(third()).await;
        let proven = seen.proven.expect("one by one");
        assert_eq!((proven.receipt.tx_hash, seen.unproven), (third().tx_hash, None));
        assert!(proven.bundle.verify().is_ok() && seen.nodes.iter().all(|node| node.answer.is_ok()));
        let receipts = sound().1.as_array().unwrap().len();
        // One finds the transaction, then one each; the other node was asked for all of them before that.
        assert_eq!(asked(&one, "eth_getTransactionReceipt"), receipts + 1);
        assert_eq!((asked(&other, "eth_getBlockReceipts"), asked(&other, "eth_getTransactionReceipt")), (1, 0));
        reader.observe(third()).await;
        assert_eq!(asked(&one, "eth_getBlockReceipts"), 1, "once a block");
    }
}

#[tokio::test]
async fn one_that_is_wrong_or_missing_among_them_is_noticed() {
    let first = sound().1[0]["transactionHash"].clone();
    let lies = |change: fn(&mut Value)| {
        let first = first.clone();
        move |method: &str, params: &Value| match method {
            "eth_getBlockReceipts" => Some(Reply::Error(-32008)),
            "eth_getTransactionReceipt" => single(params).map(|reply| match reply {
                Reply::Result(mut receipt) if params[0] == first => {
                    change(&mut receipt);
                    Reply::Result(receipt)
                }
                other => other,
            }),
            _ => None,
        }
    };
    let node = sound_node(lies(|receipt| receipt["status"] = json!("0x0"))).await;
    let (reader, _) = reader(&[&node]);
    let seen = reader.observe(third()).await;
    assert_eq!((seen.proven, seen.unproven), (None, Some(Unproven::Mismatch)));
    assert!(matches!(seen.nodes[0].answer, Err(NodeError::Fault(_))), "{:?}", seen.nodes[0].answer);
    let node = sound_node(lies(|receipt| *receipt = Value::Null)).await;
    let (reader, _) = super::reader(&[&node]);
    let seen = reader.observe(third()).await;
    assert_eq!((seen.proven, seen.unproven), (None, None), "not delivered now");
    assert!(seen.nodes[0].answer.is_ok());
}

#[tokio::test]
async fn of_a_block_that_is_too_full_nothing_more_is_asked_and_it_is_said() {
    // Of a kind that is not understood, so that nothing but their number counts.
    let (mut block, _, receipt) = sound();
    let listed = |at: usize| json!({"hash": format!("{at:#066x}"), "type": "0x7b"});
    block["transactions"] = (0..=ONE_BY_ONE_MAX).map(listed).collect();
    let script = move |method: &str, _: &Value| match method {
        "eth_getBlockReceipts" => Some(Reply::Error(-32008)),
        "eth_getBlockByNumber" => Some(Reply::Result(block.clone())),
        "eth_getTransactionReceipt" => Some(Reply::Result(receipt.clone())),
        _ => None,
    };
    let node = sound_node(script).await;
    let (reader, _) = reader(&[&node]);
    let seen = reader.observe(third()).await;
    assert_eq!((seen.proven, seen.unproven), (None, Some(Unproven::Unsupported)));
    assert!(seen.nodes[0].answer.as_ref().unwrap().receipt.is_some(), "nodes are compared instead");
    assert_eq!(asked(&node, "eth_getTransactionReceipt"), 1);
}
