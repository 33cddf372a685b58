//! What a node's JSON says, read leniently and then checked strictly.
//!
//! Unknown fields are ignored (vendors add them); the fields that are used must have their exact shape, and an answer
//! must belong to the question. `logIndex` is not read: a log's position is its place in the array.

use alloy_primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

mod calls;
mod oracle;
mod transaction;

pub use calls::{CallFrame, CallKind, calls, flat_calls, is_beyond_naming};
pub use oracle::{is_sanctioned, listing};
pub use transaction::{Transaction, transaction};

/// One event log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The contract that emitted it.
    pub address: Address,
    /// Topics, at most four.
    pub topics: Vec<B256>,
    /// Data, as emitted.
    pub data: Bytes,
}

/// A receipt. A log's position is its index in `logs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// 1 succeeded, 0 failed; none before Byzantium (EIP-658).
    pub status: Option<u64>,
    /// The block the node puts it in: a candidate, because nodes return receipts of orphaned blocks.
    pub block_hash: B256,
    /// Height of that block.
    pub block_number: u64,
    /// The transaction.
    pub tx_hash: B256,
    /// Position in the block.
    pub tx_index: u64,
    /// Who sent the transaction, as the node says; outside the receipts root.
    pub from: Address,
    /// Logs in order.
    pub logs: Vec<Log>,
}

impl Receipt {
    /// Whether two nodes say the same: block, position, status and logs. `from` and vendor fields do not count.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        (self.status, self.block_hash, self.block_number, self.tx_hash, self.tx_index)
            == (other.status, other.block_hash, other.block_number, other.tx_hash, other.tx_index)
            && self.logs == other.logs
    }
}

/// The part of a header that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Height.
    pub number: u64,
    /// Hash, as the node states it.
    pub hash: B256,
    /// Hash of the block before it.
    pub parent: B256,
    /// Unix seconds.
    pub timestamp: u64,
    /// Whether its fields were hashed and gave `hash`; false too where that is not tried.
    pub is_sealed: bool,
}

/// Which logs are asked for: of these contracts, and at each place one of these topics; an empty place takes any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter {
    /// Emitting contracts.
    pub addresses: Vec<Address>,
    /// Topics by their place.
    pub topics: Vec<Vec<B256>>,
}

/// A log with the transaction and the block that a node puts it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedLog {
    /// The log.
    pub log: Log,
    /// Its transaction.
    pub tx_hash: B256,
    /// Height of its block.
    pub block_number: u64,
    /// Hash of its block.
    pub block_hash: B256,
}

impl LogFilter {
    /// Whether a log is one that was asked for.
    #[must_use]
    pub fn takes(&self, log: &Log) -> bool {
        let fits = |(place, any): (usize, &Vec<B256>)| {
            any.is_empty() || log.topics.get(place).is_some_and(|topic| any.contains(topic))
        };
        self.addresses.contains(&log.address) && self.topics.iter().enumerate().all(fits)
    }
}

/// An answer that is not what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// Topics a log can carry (EVM: LOG0 to LOG4).
pub(super) const TOPICS_MAX: usize = 4;

/// A JSON-RPC quantity: `0x` and at most 64 bits of hexadecimal.
#[derive(Clone, Copy)]
pub(super) struct Quantity(pub(super) u64);

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        quantity(&text).map(Self).ok_or_else(|| serde::de::Error::custom("not a quantity"))
    }
}

fn quantity(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x")?;
    // from_str_radix takes a leading sign, which no quantity has.
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then_some(())?;
    u64::from_str_radix(digits, 16).ok()
}

/// A quantity of coin: `0x` and at most 256 bits of hexadecimal.
#[derive(Clone, Copy)]
struct Coin(U256);

impl<'de> Deserialize<'de> for Coin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        coin(&text).map(Self).ok_or_else(|| serde::de::Error::custom("not a quantity"))
    }
}

fn coin(text: &str) -> Option<U256> {
    let digits = text.strip_prefix("0x").filter(|digits| !digits.is_empty())?;
    // The parser skips underscores, which no quantity has.
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then_some(())?;
    U256::from_str_radix(digits, 16).ok()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawLog {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
    transaction_hash: Option<B256>,
    block_hash: Option<B256>,
    #[serde(default)]
    removed: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPlacedLog {
    #[serde(flatten)]
    log: RawLog,
    block_number: Option<Quantity>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReceipt {
    transaction_hash: B256,
    transaction_index: Option<Quantity>,
    block_hash: Option<B256>,
    block_number: Option<Quantity>,
    from: Address,
    status: Option<Quantity>,
    logs: Vec<RawLog>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawHeader {
    number: Quantity,
    hash: B256,
    parent_hash: B256,
    timestamp: Quantity,
}

/// Reads an `eth_chainId` answer.
///
/// # Errors
/// When it is no quantity.
pub fn chain_id(raw: &RawValue) -> Result<u64, Malformed> {
    quantity_of(raw).map_err(|_| Malformed("chain id"))
}

/// Reads an answer that is one quantity of at most 64 bits.
///
/// # Errors
/// When it is none.
pub fn quantity_of(raw: &RawValue) -> Result<u64, Malformed> {
    serde_json::from_str::<Quantity>(raw.get()).map(|q| q.0).map_err(|_| Malformed("quantity"))
}

/// Reads an `eth_getTransactionReceipt` answer. `None` when the node does not know the transaction, or knows it and
/// has it in no block.
///
/// # Errors
/// When a used field is missing or malformed, or when it is another transaction's receipt.
pub fn receipt(raw: &RawValue, asked: B256) -> Result<Option<Receipt>, Malformed> {
    let Some(raw) = serde_json::from_str::<Option<RawReceipt>>(raw.get()).map_err(|_| Malformed("receipt"))? else {
        return Ok(None);
    };
    if raw.transaction_hash != asked {
        return Err(Malformed("receipt of another transaction"));
    }
    included(raw)
}

/// Reads one of an `eth_getBlockReceipts` answer: whatever transaction it says it is of.
///
/// # Errors
/// When a used field is missing or malformed, or when it is in no block.
pub(super) fn receipt_of_block(raw: &RawValue) -> Result<Receipt, Malformed> {
    let raw = serde_json::from_str::<RawReceipt>(raw.get()).map_err(|_| Malformed("receipt of a block"))?;
    included(raw)?.ok_or(Malformed("receipt of a block that is in no block"))
}

fn included(raw: RawReceipt) -> Result<Option<Receipt>, Malformed> {
    let tx_hash = raw.transaction_hash;
    let (Some(block_hash), Some(Quantity(block_number)), Some(Quantity(tx_index))) =
        (raw.block_hash, raw.block_number, raw.transaction_index)
    else {
        return Ok(None);
    };
    let logs = raw.logs.into_iter().map(|log| checked(log, tx_hash, block_hash)).collect::<Result<_, _>>()?;
    let status = raw.status.map(|status| status.0);
    Ok(Some(Receipt { status, block_hash, block_number, tx_hash, tx_index, from: raw.from, logs }))
}

fn checked(log: RawLog, tx: B256, block: B256) -> Result<Log, Malformed> {
    if log.transaction_hash.is_some_and(|hash| hash != tx) {
        return Err(Malformed("log of another transaction"));
    }
    if log.block_hash.is_some_and(|hash| hash != block) {
        return Err(Malformed("log of another block"));
    }
    if log.removed == Some(true) {
        return Err(Malformed("removed log in a receipt"));
    }
    if TOPICS_MAX < log.topics.len() {
        return Err(Malformed("log with more than four topics"));
    }
    Ok(Log { address: log.address, topics: log.topics, data: log.data })
}

/// Reads an `eth_getLogs` answer for these blocks, both ends included. `None` when the node answered null.
///
/// # Errors
/// When a used field is missing or malformed, or a log was not asked for or was taken back.
pub fn logs(raw: &RawValue, filter: &LogFilter, from: u64, to: u64) -> Result<Option<Vec<PlacedLog>>, Malformed> {
    let Some(raw) = serde_json::from_str::<Option<Vec<RawPlacedLog>>>(raw.get()).map_err(|_| Malformed("logs"))? else {
        return Ok(None);
    };
    let placed = |raw: RawPlacedLog| {
        let (Some(tx_hash), Some(block_hash), Some(Quantity(block_number))) =
            (raw.log.transaction_hash, raw.log.block_hash, raw.block_number)
        else {
            return Err(Malformed("log without its block"));
        };
        if block_number < from || to < block_number {
            return Err(Malformed("log of a block that was not asked for"));
        }
        if raw.log.removed == Some(true) {
            return Err(Malformed("removed log"));
        }
        let log = checked(raw.log, tx_hash, block_hash)?;
        if !filter.takes(&log) {
            return Err(Malformed("log that was not asked for"));
        }
        Ok(PlacedLog { log, tx_hash, block_number, block_hash })
    };
    raw.into_iter().map(placed).collect::<Result<_, _>>().map(Some)
}

/// Reads an `eth_getBlockByNumber` answer. `None` when the node has no such block.
///
/// # Errors
/// When a used field is missing or malformed.
pub fn header(raw: &RawValue) -> Result<Option<Header>, Malformed> {
    let raw = serde_json::from_str::<Option<RawHeader>>(raw.get()).map_err(|_| Malformed("block header"))?;
    Ok(raw.map(|raw| Header {
        number: raw.number.0,
        hash: raw.hash,
        parent: raw.parent_hash,
        timestamp: raw.timestamp.0,
        is_sealed: false,
    }))
}

#[cfg(test)]
mod tests;
