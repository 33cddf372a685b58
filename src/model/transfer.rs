//! Payment identity: a transfer on chain can settle one payment only.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

/// Where in a transaction the money moved.
///
/// `Log` holds the position of the log inside its receipt, never `logIndex`: that one changes when a reorg
/// puts the transaction at another place in its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Slot {
    /// The native value of the transaction itself.
    Value,
    /// Position of a log inside the receipt.
    Log(u32),
    /// Place of a call inside the transaction, where a contract passed coin on.
    Trace(TracePath),
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value => f.write_str("value"),
            Self::Log(position) => write!(f, "log:{position}"),
            Self::Trace(path) => write!(f, "trace:{path}"),
        }
    }
}

/// Calls inside each other that a path can name. A payment through wallets and their modules is below ten.
pub const TRACE_DEPTH_MAX: usize = 32;

/// A call's place: its position among the calls of its caller, after the caller's own place. The transaction itself
/// has none.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TracePath {
    /// Those behind `depth` are zero.
    positions: [u16; TRACE_DEPTH_MAX],
    depth: usize,
}

impl TracePath {
    /// A call that the transaction's own makes; none when there are too many to name.
    #[must_use]
    pub fn outermost(position: usize) -> Option<Self> {
        Self { positions: [0; TRACE_DEPTH_MAX], depth: 0 }.inside(position)
    }

    /// A call that this one makes; none when it is too deep, or there are too many to name.
    #[must_use]
    pub fn inside(mut self, position: usize) -> Option<Self> {
        *self.positions.get_mut(self.depth)? = u16::try_from(position).ok()?;
        self.depth = self.depth.saturating_add(1);
        Some(self)
    }

    fn positions(&self) -> &[u16] {
        self.positions.get(..self.depth).unwrap_or_default()
    }
}

/// In the order in which the calls begin.
impl Ord for TracePath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.positions().cmp(other.positions())
    }
}

impl PartialOrd for TracePath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for TracePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, position) in self.positions().iter().enumerate() {
            write!(f, "{}{position}", if at == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}

impl fmt::Debug for TracePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TracePath({self})")
    }
}

impl FromStr for TracePath {
    type Err = BadSlot;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut path: Option<Self> = None;
        for word in text.split('.') {
            let position = word.parse().map_err(|_| BadSlot)?;
            let inside = path.map_or_else(|| Self::outermost(position), |path| path.inside(position));
            path = Some(inside.ok_or(BadSlot)?);
        }
        // A second spelling of one place would be a second place.
        path.filter(|path| path.to_string() == text).ok_or(BadSlot)
    }
}

/// Text that is no slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a slot reads `value`, `log:N` or `trace:N.N`")]
pub struct BadSlot;

impl FromStr for Slot {
    type Err = BadSlot;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "value" => Ok(Self::Value),
            Some(("log", position)) => position.parse().map(Self::Log).map_err(|_| BadSlot),
            Some(("trace", path)) => path.parse().map(Self::Trace),
            _ => Err(BadSlot),
        }
    }
}

/// (chain id, transaction hash, slot): the unique key of a transfer claim. It survives a reorg, because the
/// transaction is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransferKey {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Transaction hash.
    pub tx_hash: B256,
    /// Where in the transaction.
    pub slot: Slot,
}

impl TransferKey {
    /// Chain id as 8 big-endian bytes, 32 bytes of hash, the slot's text. Ids are derived from this.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(56);
        bytes.extend_from_slice(&self.chain_id.to_be_bytes());
        bytes.extend_from_slice(self.tx_hash.as_slice());
        bytes.extend_from_slice(self.slot.to_string().as_bytes());
        bytes
    }
}

/// Who sent a transaction, and under which nonce: an account's nonce is used once, so another transaction under it
/// means that this one can never be mined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// The account.
    pub from: Address,
    /// Its nonce.
    pub nonce: u64,
}

/// The block a judgement stands on. Height alone is not one: only the hash says which block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The transaction.
    pub tx_hash: B256,
    /// Height of its block.
    pub block_number: u64,
    /// Hash of its block.
    pub block_hash: B256,
    /// Position of the transaction in the block.
    pub tx_index: u64,
    /// The block's own time, Unix seconds.
    pub block_timestamp: u64,
}

#[cfg(test)]
mod tests;
