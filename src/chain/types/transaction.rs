//! A transaction as a node states it: who sends how much coin to whom, which no receipt says.
//!
//! What stands here is a node's word until it is bound to a block; it must never be believed of one node alone.

use alloy_primitives::{Address, B256, U256};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Coin, Malformed, Quantity, Receipt};

/// The part of a transaction that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transaction {
    /// Its hash.
    pub hash: B256,
    /// Who sent it.
    pub from: Address,
    /// Who is called; none makes a contract.
    pub to: Option<Address>,
    /// Coin that goes along, base units.
    pub value: U256,
    /// How many the sender had sent before.
    pub nonce: u64,
    /// The block the node puts it in; none when it waits.
    pub block_hash: Option<B256>,
    /// Position in that block; none when it waits.
    pub tx_index: Option<u64>,
}

impl Transaction {
    /// Whether it is the receipt's: the same hash, at the same place of the same block.
    #[must_use]
    pub fn is_of(&self, receipt: &Receipt) -> bool {
        (self.hash, self.block_hash, self.tx_index)
            == (receipt.tx_hash, Some(receipt.block_hash), Some(receipt.tx_index))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawTransaction {
    hash: B256,
    from: Address,
    to: Option<Address>,
    value: Coin,
    nonce: Quantity,
    block_hash: Option<B256>,
    transaction_index: Option<Quantity>,
}

/// Reads an `eth_getTransactionByHash` or `eth_getTransactionByBlockHashAndIndex` answer. `None` when the node does not
/// know it.
///
/// # Errors
/// When a used field is missing or malformed, or when it is another transaction.
pub fn transaction(raw: &RawValue, asked: B256) -> Result<Option<Transaction>, Malformed> {
    let raw = serde_json::from_str::<Option<RawTransaction>>(raw.get()).map_err(|_| Malformed("transaction"))?;
    let Some(raw) = raw else { return Ok(None) };
    if raw.hash != asked {
        return Err(Malformed("another transaction"));
    }
    if raw.block_hash.is_some() != raw.transaction_index.is_some() {
        return Err(Malformed("transaction half in a block"));
    }
    Ok(Some(Transaction {
        hash: raw.hash,
        from: raw.from,
        to: raw.to,
        value: raw.value.0,
        nonce: raw.nonce.0,
        block_hash: raw.block_hash,
        tx_index: raw.transaction_index.map(|index| index.0),
    }))
}

#[cfg(test)]
mod tests;
