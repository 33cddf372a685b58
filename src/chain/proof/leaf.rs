//! One receipt as the receipts trie holds it: type byte, then status, gas so far, bloom, logs, and what its type adds.
//!
//! The bloom is computed from the logs and never read from JSON; when a leaf is read back it must be that of its logs.
//! Here stands the only list of receipt types: one that is missing is refused as unsupported, never tried as another.

use alloy_primitives::{Address, B256, Bloom, Bytes, U256};
use alloy_rlp::EMPTY_LIST_CODE;

use super::rlp::{Items, List};
use super::{LOG_DATA_MAX, LOGS_MAX, Unsupported};
use crate::chain::types::{Log, TOPICS_MAX};

/// OP Stack: a deposit from the chain below.
pub(super) const DEPOSIT: u8 = 0x7e;
/// Celo: CIP-64, the fee is paid in a token.
const CIP64: u8 = 0x7b;
/// Polygon: a state sync since PIP-74.
const STATE_SYNC: u8 = 0x7f;
/// A post-state in place of the status, before Byzantium (EIP-658).
const STATE_BYTES: usize = 32;

/// What a leaf holds beside the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leaf {
    /// EIP-2718 type; 0 has no type byte.
    pub(super) kind: u8,
    /// 1 succeeded, 0 failed.
    pub(super) status: u64,
    /// Gas used in the block up to here.
    pub(super) gas: u64,
    /// What the type adds.
    pub(super) tail: Tail,
}

/// What follows the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// Nothing.
    None,
    /// A deposit since Canyon; before it the nonce is shown but not committed to.
    Deposit {
        /// The depositor's.
        nonce: u64,
        /// `depositReceiptVersion`
        version: u64,
    },
    /// CIP-64: `baseFee` in the fee's token.
    BaseFee(U256),
}

/// What a type can add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Nothing.
    Plain,
    /// A nonce and a version, or neither.
    Deposit,
    /// A base fee, or none.
    BaseFee,
}

/// A leaf that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// No receipt of its type.
    Malformed,
    /// A receipt, but none that is known here.
    Unsupported(Unsupported),
}

/// The shape of a type. Ethereum's 0 to 4, Arbitrum's 0x64 to 0x6a, and single ones of other chains.
pub(super) fn shape(kind: u64) -> Result<(u8, Shape), Unsupported> {
    let narrow = u8::try_from(kind).map_err(|_| Unsupported::Receipt(kind))?;
    match narrow {
        0..=4 | 0x64..=0x6a | STATE_SYNC => Ok((narrow, Shape::Plain)),
        DEPOSIT => Ok((narrow, Shape::Deposit)),
        CIP64 => Ok((narrow, Shape::BaseFee)),
        _ => Err(Unsupported::Receipt(kind)),
    }
}

/// Appends the leaf to `out`.
pub(super) fn encode(leaf: &Leaf, logs: &[Log], out: &mut Vec<u8>) {
    let mut list = List::default();
    list.item(&leaf.status);
    list.item(&leaf.gas);
    list.item(&bloom(logs));
    let mut all = List::default();
    for log in logs {
        let mut one = List::default();
        one.item(&log.address);
        one.item(&log.topics);
        one.item(&log.data);
        all.list(&one);
    }
    list.list(&all);
    match &leaf.tail {
        Tail::None => {}
        Tail::Deposit { nonce, version } => {
            list.item(nonce);
            list.item(version);
        }
        Tail::BaseFee(fee) => list.item(fee),
    }
    if leaf.kind != 0 {
        out.push(leaf.kind);
    }
    list.finish(out);
}

/// Reads a leaf back.
pub(super) fn decode(bytes: &[u8]) -> Result<(Leaf, Vec<Log>), Unreadable> {
    let (kind, list) = match bytes.split_first() {
        Some((first, _)) if EMPTY_LIST_CODE <= *first => (0, bytes),
        // A type byte of 0 is not how type 0 is written.
        Some((0, _)) | None => return Err(Unreadable::Malformed),
        Some((kind, rest)) => (*kind, rest),
    };
    let (kind, shape) = shape(kind.into()).map_err(Unreadable::Unsupported)?;
    let mut items = Items::whole(list).ok_or(Unreadable::Malformed)?;
    let status = match items.bytes().ok_or(Unreadable::Malformed)? {
        [] => 0,
        [1] => 1,
        state if state.len() == STATE_BYTES => return Err(Unreadable::Unsupported(Unsupported::NoStatus)),
        _ => return Err(Unreadable::Malformed),
    };
    let (gas, logs, tail) = rest(&mut items, shape).ok_or(Unreadable::Malformed)?;
    Ok((Leaf { kind, status, gas, tail }, logs))
}

fn rest(items: &mut Items<'_>, shape: Shape) -> Option<(u64, Vec<Log>, Tail)> {
    let gas = items.item::<u64>()?;
    let stated = items.item::<Bloom>()?;
    let mut all = items.list()?;
    let mut logs = Vec::new();
    while !all.is_done() {
        let mut one = all.list()?;
        let address = one.item::<Address>()?;
        let topics = one.item::<Vec<B256>>()?;
        let data = one.item::<Bytes>()?;
        let fits = topics.len() <= TOPICS_MAX && data.len() <= LOG_DATA_MAX && logs.len() < LOGS_MAX && one.is_done();
        fits.then_some(())?;
        logs.push(Log { address, topics, data });
    }
    let tail = match shape {
        Shape::Deposit if !items.is_done() => Tail::Deposit { nonce: items.item()?, version: items.item()? },
        Shape::BaseFee if !items.is_done() => Tail::BaseFee(items.item()?),
        Shape::Plain | Shape::Deposit | Shape::BaseFee => Tail::None,
    };
    (items.is_done() && stated == bloom(&logs)).then_some((gas, logs, tail))
}

fn bloom(logs: &[Log]) -> Bloom {
    let mut bloom = Bloom::ZERO;
    for log in logs {
        bloom.accrue_raw_log(log.address, &log.topics);
    }
    bloom
}

#[cfg(test)]
mod tests;
