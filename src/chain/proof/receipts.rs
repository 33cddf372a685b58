//! All receipts of a block, held against the header's receipts root.
//!
//! Under the root are a receipt's place, type, status, gas so far and logs. Not under it, and believed only as far as
//! several nodes say the same: transaction hash, sender, receiver, gas used, contract made, and a log's index and
//! `removed`. Which transaction a receipt is of, and who sent it, is bound by [`super::transactions()`].

use std::collections::HashMap;

use alloy_primitives::B256;
use alloy_trie::root::{adjust_index_for_rlp, ordered_trie_root_with_encoder};
use alloy_trie::{HashBuilder, Nibbles, proof::ProofRetainer};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::bundle::{Bundle, Evidence, VERSION, Vote};
use super::leaf::{self, Leaf, Shape, Tail};
use super::rlp::Big;
use super::{LOG_DATA_MAX, LOGS_MAX, ProofError, ProofRules, ProvenHeader, RECEIPTS_MAX, Root, Unsupported};
use crate::chain::types::{Quantity, Receipt, receipt_of_block};

/// A block whose receipts make its header's root.
#[derive(Debug, Clone)]
pub struct ProvenBlock {
    /// Its header.
    pub header: ProvenHeader,
    entries: Vec<Entry>,
    by_hash: HashMap<B256, usize>,
}

#[derive(Debug, Clone)]
struct Entry {
    leaf: Leaf,
    receipt: Receipt,
}

/// What the root covers and [`Receipt`] does not hold.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawLeaf {
    /// Nodes older than EIP-2718 leave it out.
    #[serde(rename = "type")]
    kind: Option<Quantity>,
    cumulative_gas_used: Quantity,
    deposit_nonce: Option<Quantity>,
    deposit_receipt_version: Option<Quantity>,
    base_fee: Option<Big>,
}

/// Reads and proves an `eth_getBlockReceipts` answer. `None` when the node does not have the block.
///
/// # Errors
/// `Malformed` when a receipt has another form or place than it should, or two are of one transaction; `RootMismatch`
/// when they do not make the header's root; `Unsupported` when a type is unknown, a status missing or a limit passed.
pub fn block_receipts(
    raw: &RawValue,
    header: &ProvenHeader,
    rules: &ProofRules,
) -> Result<Option<ProvenBlock>, ProofError> {
    let malformed = |_| ProofError::Malformed("receipts of a block");
    let Some(raws) = serde_json::from_str::<Option<Vec<&RawValue>>>(raw.get()).map_err(malformed)? else {
        return Ok(None);
    };
    if RECEIPTS_MAX < raws.len() {
        return Err(Unsupported::TooLarge("receipts of the block").into());
    }
    let mut entries = Vec::with_capacity(raws.len());
    let mut by_hash = HashMap::with_capacity(raws.len());
    for raw in raws {
        // The type first: a receipt of an unknown one may have another form in all the rest.
        let (committed, kind, shape) = RawLeaf::read(raw)?;
        let receipt = receipt_of_block(raw)?;
        if receipt.block_hash != header.hash || receipt.block_number != header.number {
            return Err(ProofError::Malformed("receipt of another block"));
        }
        if rules.drops(header, receipt.tx_hash) {
            continue;
        }
        if usize::try_from(receipt.tx_index) != Ok(entries.len()) {
            return Err(ProofError::Malformed("receipt out of its place"));
        }
        if by_hash.insert(receipt.tx_hash, entries.len()).is_some() {
            return Err(ProofError::Malformed("two receipts of one transaction"));
        }
        let leaf = committed.leaf(kind, shape, &receipt)?;
        entries.push(Entry { leaf, receipt });
    }
    let computed = ordered_trie_root_with_encoder(&entries, Entry::encode);
    if computed != header.receipts_root {
        return Err(ProofError::RootMismatch { what: Root::Receipts, stated: header.receipts_root, computed });
    }
    Ok(Some(ProvenBlock { header: header.clone(), entries, by_hash }))
}

// === impl RawLeaf ===

impl RawLeaf {
    fn read(raw: &RawValue) -> Result<(Self, u8, Shape), ProofError> {
        let read = serde_json::from_str::<Self>(raw.get()).map_err(|_| ProofError::Malformed("receipt of a block"))?;
        let (kind, shape) = leaf::shape(read.kind.map_or(0, |kind| kind.0))?;
        Ok((read, kind, shape))
    }

    fn leaf(&self, kind: u8, shape: Shape, receipt: &Receipt) -> Result<Leaf, ProofError> {
        let status = receipt.status.ok_or(Unsupported::NoStatus)?;
        if LOGS_MAX < receipt.logs.len() {
            return Err(Unsupported::TooLarge("logs of a receipt").into());
        }
        if receipt.logs.iter().any(|log| LOG_DATA_MAX < log.data.len()) {
            return Err(Unsupported::TooLarge("data of a log").into());
        }
        let tail = match (shape, self.deposit_receipt_version, self.deposit_nonce) {
            (Shape::Deposit, Some(version), Some(nonce)) => Tail::Deposit { nonce: nonce.0, version: version.0 },
            (Shape::Deposit, Some(_), None) => return Err(ProofError::Malformed("deposit receipt without a nonce")),
            (Shape::BaseFee, _, _) => self.base_fee.map_or(Tail::None, |fee| Tail::BaseFee(fee.0)),
            (Shape::Deposit, None, _) | (Shape::Plain, _, _) => Tail::None,
        };
        Ok(Leaf { kind, status, gas: self.cumulative_gas_used.0, tail })
    }
}

// === impl Entry ===

impl Entry {
    fn encode(&self, out: &mut Vec<u8>) {
        leaf::encode(&self.leaf, &self.receipt.logs, out);
    }
}

// === impl ProvenBlock ===

impl ProvenBlock {
    /// The receipt of that transaction. Its place, status and logs are proven; that they are this transaction's is what
    /// the node says, until [`super::transactions()`] or another operator's answer binds it.
    #[must_use]
    pub fn receipt(&self, tx_hash: &B256) -> Option<&Receipt> {
        self.entry(tx_hash).map(|(_, entry)| &entry.receipt)
    }

    /// All receipts in their order.
    pub fn receipts(&self) -> impl ExactSizeIterator<Item = &Receipt> {
        self.entries.iter().map(|entry| &entry.receipt)
    }

    /// The evidence of one payment: header, receipt and the way from one to the other. `None` when the transaction is
    /// not in the block.
    #[must_use]
    pub fn bundle(&self, chain_id: u64, tx_hash: B256, votes: Vec<Vote>) -> Option<Bundle> {
        let (index, entry) = self.entry(&tx_hash)?;
        let mut receipt = Vec::new();
        entry.encode(&mut receipt);
        let proof = Evidence::Full {
            header: self.header.rlp.clone(),
            tx_index: entry.receipt.tx_index,
            receipt: receipt.into(),
            nodes: self.path(index),
        };
        Some(Bundle { version: VERSION, chain_id, tx_hash, proof, votes })
    }

    fn entry(&self, tx_hash: &B256) -> Option<(usize, &Entry)> {
        let index = *self.by_hash.get(tx_hash)?;
        self.entries.get(index).map(|entry| (index, entry))
    }

    /// The trie's nodes from the root to the leaf at `index`.
    fn path(&self, index: usize) -> Vec<alloy_primitives::Bytes> {
        let key = trie_key(index);
        let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::from_iter([key]));
        let mut value = Vec::new();
        for at in 0..self.entries.len() {
            // Leaves go in sorted by key, which is not the order of indices.
            let at = adjust_index_for_rlp(at, self.entries.len());
            let Some(entry) = self.entries.get(at) else { continue };
            value.clear();
            entry.encode(&mut value);
            builder.add_leaf(trie_key(at), &value);
        }
        let _root = builder.root();
        builder.take_proof_nodes().into_nodes_sorted().into_iter().map(|(_, node)| node).collect()
    }
}

/// Where the trie holds the receipt of that index.
pub(super) fn trie_key(index: usize) -> Nibbles {
    Nibbles::unpack(alloy_rlp::encode_fixed_size(&index))
}
