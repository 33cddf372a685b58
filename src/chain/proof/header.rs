//! A block's header: its fields as the chain hashes them, and the hash held against what the node calls it.
//!
//! One list of fields serves every chain: the fields that forks added are written when they are there, in the order of
//! the forks. What a chain adds to its JSON alone (Arbitrum's `l1BlockNumber`, `sendCount` and `sendRoot`) is not read, and
//! a field that the chain does hash and this list does not know makes a mismatch: it must never be guessed.

use alloy_primitives::{Address, B64, B256, Bloom, Bytes, keccak256};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::rlp::{Big, Items, List};
use super::{HEADER_MAX, ProofError, Unsupported};
use crate::chain::types::Quantity;

/// A header whose fields hash to its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenHeader {
    /// Height.
    pub number: u64,
    /// The block's hash.
    pub hash: B256,
    /// Hash of the block before it.
    pub parent: B256,
    /// Unix seconds.
    pub timestamp: u64,
    /// Root over the receipts.
    pub receipts_root: B256,
    /// Root over the transactions.
    pub transactions_root: B256,
    /// The bytes that were hashed.
    pub rlp: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawHeader {
    hash: B256,
    parent_hash: B256,
    sha3_uncles: B256,
    miner: Address,
    state_root: B256,
    transactions_root: B256,
    receipts_root: B256,
    logs_bloom: Bloom,
    difficulty: Big,
    number: Quantity,
    gas_limit: Quantity,
    gas_used: Quantity,
    timestamp: Quantity,
    extra_data: Bytes,
    mix_hash: B256,
    nonce: B64,
    // London, Shanghai, Cancun, Prague, Amsterdam.
    base_fee_per_gas: Option<Big>,
    withdrawals_root: Option<B256>,
    blob_gas_used: Option<Quantity>,
    excess_blob_gas: Option<Quantity>,
    parent_beacon_block_root: Option<B256>,
    requests_hash: Option<B256>,
    block_access_list_hash: Option<B256>,
    slot_number: Option<Quantity>,
}

/// Reads and proves the header of an `eth_getBlockByNumber` or `eth_getBlockByHash` answer, with transactions or
/// without. `None` when the node has no such block: that is a vote, not a fault.
///
/// # Errors
/// `Malformed` when a field is missing or has another form, `HeaderMismatch` when the fields do not hash to `hash`,
/// `Unsupported` when it is over [`HEADER_MAX`].
pub fn header(raw: &RawValue) -> Result<Option<ProvenHeader>, ProofError> {
    let malformed = |_| ProofError::Malformed("block header");
    let Some(raw) = serde_json::from_str::<Option<RawHeader>>(raw.get()).map_err(malformed)? else {
        return Ok(None);
    };
    let rlp = encode(&raw);
    if HEADER_MAX < rlp.len() {
        return Err(Unsupported::TooLarge("the header").into());
    }
    let computed = keccak256(&rlp);
    if computed != raw.hash {
        return Err(ProofError::HeaderMismatch { stated: raw.hash, computed });
    }
    Ok(Some(ProvenHeader {
        number: raw.number.0,
        hash: computed,
        parent: raw.parent_hash,
        timestamp: raw.timestamp.0,
        receipts_root: raw.receipts_root,
        transactions_root: raw.transactions_root,
        rlp: rlp.into(),
    }))
}

fn encode(raw: &RawHeader) -> Vec<u8> {
    let mut list = List::default();
    list.item(&raw.parent_hash);
    list.item(&raw.sha3_uncles);
    list.item(&raw.miner);
    list.item(&raw.state_root);
    list.item(&raw.transactions_root);
    list.item(&raw.receipts_root);
    list.item(&raw.logs_bloom);
    list.item(&raw.difficulty.0);
    list.item(&raw.number.0);
    list.item(&raw.gas_limit.0);
    list.item(&raw.gas_used.0);
    list.item(&raw.timestamp.0);
    list.item(&raw.extra_data);
    list.item(&raw.mix_hash);
    list.item(&raw.nonce);
    list.optional(raw.base_fee_per_gas.map(|fee| fee.0).as_ref());
    list.optional(raw.withdrawals_root.as_ref());
    list.optional(raw.blob_gas_used.map(|gas| gas.0).as_ref());
    list.optional(raw.excess_blob_gas.map(|gas| gas.0).as_ref());
    list.optional(raw.parent_beacon_block_root.as_ref());
    list.optional(raw.requests_hash.as_ref());
    list.optional(raw.block_access_list_hash.as_ref());
    list.optional(raw.slot_number.map(|slot| slot.0).as_ref());
    let mut rlp = Vec::new();
    list.finish(&mut rlp);
    rlp
}

/// The header that these bytes are. Every field up to the time has the same place in every header; what follows is
/// only hashed.
pub(super) fn decode(rlp: &Bytes) -> Option<ProvenHeader> {
    let mut items = Items::whole(rlp)?;
    let parent = items.item::<B256>()?;
    let _uncles = items.item::<B256>()?;
    let _miner = items.item::<Address>()?;
    let _state_root = items.item::<B256>()?;
    let transactions_root = items.item::<B256>()?;
    let receipts_root = items.item::<B256>()?;
    let _bloom = items.item::<Bloom>()?;
    let _difficulty = items.bytes()?;
    let number = items.item::<u64>()?;
    let _gas_limit = items.item::<u64>()?;
    let _gas_used = items.item::<u64>()?;
    let timestamp = items.item::<u64>()?;
    let hash = keccak256(rlp);
    Some(ProvenHeader { number, hash, parent, timestamp, receipts_root, transactions_root, rlp: rlp.clone() })
}
