//! A block that is sound in itself, and nodes that have it at their head.

use super::*;

const BLOCK: &str = include_str!("../../proof/testdata/prague.block.json");
const RECEIPTS: &str = include_str!("../../proof/testdata/prague.receipts.json");

/// A block that is sound in itself, its receipts, and the receipt of its third transaction.
pub(super) fn sound() -> (Value, Value, Value) {
    let (block, receipts): (Value, Value) =
        (serde_json::from_str(BLOCK).unwrap(), serde_json::from_str(RECEIPTS).unwrap());
    let receipt = receipts[2].clone();
    (block, receipts, receipt)
}

/// A node that has that block at its head, except where `other` answers first.
pub(super) async fn sound_node(other: impl Fn(&str, &Value) -> Option<Reply> + Send + Sync + 'static) -> Scripted {
    let (block, receipts, receipt) = sound();
    Scripted::start(move |method, params| {
        other(method, params).unwrap_or_else(|| {
            Reply::Result(match method {
                "eth_chainId" => json!("0x2105"),
                "eth_getTransactionReceipt" => receipt.clone(),
                "eth_getBlockReceipts" => receipts.clone(),
                _ => block.clone(),
            })
        })
    })
    .await
}

pub(super) fn third() -> Plan {
    let tx_hash = sound().2["transactionHash"].as_str().unwrap().parse().unwrap();
    Plan { tx_hash, ..plan() }
}
