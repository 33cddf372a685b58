//! The evidence of one payment, to be checked again by anybody, years later and without a node.
//!
//! A full bundle proves that a receipt is in a block of that hash. That the block was the chain's is what its votes say,
//! and that the receipt is of that transaction is what the nodes said: no bundle can prove either by itself. Checking
//! trusts nothing of the gateway that wrote it, and must never panic on a bundle from anywhere.

use std::collections::BTreeSet;

use alloy_primitives::{B256, Bytes};
use alloy_trie::nodes::TrieNode;
use alloy_trie::proof::verify_proof;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::header;
use super::leaf::{self, Unreadable};
use super::receipts::trie_key;
use super::{HEADER_MAX, LOG_DATA_MAX, LOGS_MAX, RECEIPTS_MAX, Unsupported};
use crate::chain::types::{Log, TOPICS_MAX};

/// The format written.
pub const VERSION: u32 = 1;
/// A bundle as JSON, bytes. One payment's has some 10 thousand; a receipt of megabytes doubles as hexadecimal.
pub const BUNDLE_MAX: usize = 64 << 20;
/// Votes of one bundle.
pub const VOTES_MAX: usize = 64;
/// Nodes from root to leaf: a key below [`RECEIPTS_MAX`] has three bytes, six steps, and the leaf.
const NODES_MAX: usize = 7;
/// Half-bytes of a key that the trie's library can hold.
const STEPS_MAX: usize = 64;

/// What was seen of one payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// [`VERSION`] of who wrote it.
    pub version: u32,
    /// EIP-155 id.
    pub chain_id: u64,
    /// The transaction, as the nodes name it.
    pub tx_hash: B256,
    /// What it rests on.
    pub proof: Evidence,
    /// What each node said of the block at that height.
    pub votes: Vec<Vote>,
}

/// What a bundle rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
pub enum Evidence {
    /// The block's own commitment.
    Full {
        /// The header as RLP: its hash is the block's.
        header: Bytes,
        /// Position of the transaction in the block.
        tx_index: u64,
        /// The receipt as the trie holds it, with its type byte.
        receipt: Bytes,
        /// The trie's nodes from the root down.
        nodes: Vec<Bytes>,
    },
    /// Only that several nodes said the same.
    Quorum {
        /// Hash of the block.
        block_hash: B256,
        /// Its height.
        block_number: u64,
        /// Its time in Unix seconds.
        timestamp: u64,
        /// Position of the transaction in the block.
        tx_index: u64,
        /// 1 succeeded, 0 failed.
        status: u64,
        /// Logs in order.
        logs: Vec<Log>,
    },
}

/// One node's word on a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    /// Configured name.
    pub node: String,
    /// Who runs it.
    pub owner: String,
    /// The block it has at that height.
    pub hash: B256,
    /// When it said so.
    pub at: Timestamp,
}

/// What a bundle shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// Hash of the block.
    pub block_hash: B256,
    /// Its height.
    pub block_number: u64,
    /// Its time in Unix seconds.
    pub timestamp: u64,
    /// Position in the block.
    pub tx_index: u64,
    /// 1 succeeded, 0 failed.
    pub status: u64,
    /// Logs in order.
    pub logs: Vec<Log>,
    /// What that rests on.
    pub by: ProvenBy,
    /// Nodes whose vote is for this block.
    pub nodes_for: usize,
    /// Different owners among them.
    pub owners_for: usize,
}

/// What a bundle's values rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProvenBy {
    /// The receipts root of the block; the votes only say whose block it is.
    ReceiptsRoot,
    /// The votes alone: nothing ties the receipt to the block's hash.
    VotesOnly,
}

/// A bundle that shows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Not JSON of this format.
    #[error("not an evidence bundle: check that the file is whole")]
    Unreadable,
    /// Written by a newer build.
    #[error("the bundle has version {0}, this build reads {VERSION}: check it with a newer build")]
    Version(u32),
    /// Over a limit.
    #[error("too many or too large {0} for a bundle of one payment: it was not written by this program")]
    TooLarge(&'static str),
    /// The header's bytes are none.
    #[error("the header is no block header: the bundle was changed")]
    Header,
    /// The nodes do not lead from the header's receipts root to the receipt at its index.
    #[error("the receipt is not under the header's receipts root at that index: the bundle was changed")]
    Proof,
    /// The receipt's bytes are none.
    #[error("the receipt is none: the bundle was changed")]
    Receipt,
    /// A receipt of a type this build cannot read.
    #[error("{0}: check the bundle with a newer build")]
    Unsupported(Unsupported),
    /// Votes are all it has, and none is for its block.
    #[error("no vote is for the bundle's block, and votes are all it rests on: it shows nothing")]
    NoVotes,
}

// === impl Bundle ===

impl Bundle {
    /// As JSON, bytes as `0x` and hexadecimal.
    ///
    /// # Errors
    /// When it is over a limit that [`Bundle::from_json`] would refuse.
    pub fn to_json(&self) -> Result<String, BundleError> {
        self.bounded()?;
        let text = serde_json::to_string(self).map_err(|_| BundleError::Unreadable)?;
        if BUNDLE_MAX < text.len() { Err(BundleError::TooLarge("bytes")) } else { Ok(text) }
    }

    /// Reads what [`Bundle::to_json`] wrote. It is not yet checked: [`Bundle::verify`] does.
    ///
    /// # Errors
    /// When it is not of this format and version, or over a limit.
    pub fn from_json(text: &str) -> Result<Self, BundleError> {
        /// Read first: another version may have other fields.
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        if BUNDLE_MAX < text.len() {
            return Err(BundleError::TooLarge("bytes"));
        }
        let Versioned { version } = serde_json::from_str(text).map_err(|_| BundleError::Unreadable)?;
        if version != VERSION {
            return Err(BundleError::Version(version));
        }
        let bundle: Self = serde_json::from_str(text).map_err(|_| BundleError::Unreadable)?;
        bundle.bounded()?;
        Ok(bundle)
    }

    /// Checks it by itself: the header's hash, the way from its receipts root to the receipt, and what the receipt says.
    /// [`Proven::by`] says how much that is worth.
    ///
    /// # Errors
    /// When any of it does not hold.
    pub fn verify(&self) -> Result<Proven, BundleError> {
        if self.version != VERSION {
            return Err(BundleError::Version(self.version));
        }
        self.bounded()?;
        match &self.proof {
            Evidence::Full { header, tx_index, receipt, nodes } => {
                let header = header::decode(header).ok_or(BundleError::Header)?;
                under(header.receipts_root, *tx_index, receipt, nodes).ok_or(BundleError::Proof)?;
                let (leaf, logs) = leaf::decode(receipt).map_err(|error| match error {
                    Unreadable::Malformed => BundleError::Receipt,
                    Unreadable::Unsupported(what) => BundleError::Unsupported(what),
                })?;
                let (nodes_for, owners_for) = self.votes_for(header.hash);
                Ok(Proven {
                    block_hash: header.hash,
                    block_number: header.number,
                    timestamp: header.timestamp,
                    tx_index: *tx_index,
                    status: leaf.status,
                    logs,
                    by: ProvenBy::ReceiptsRoot,
                    nodes_for,
                    owners_for,
                })
            }
            Evidence::Quorum { block_hash, block_number, timestamp, tx_index, status, logs } => {
                let (nodes_for, owners_for) = self.votes_for(*block_hash);
                if nodes_for == 0 {
                    return Err(BundleError::NoVotes);
                }
                Ok(Proven {
                    block_hash: *block_hash,
                    block_number: *block_number,
                    timestamp: *timestamp,
                    tx_index: *tx_index,
                    status: *status,
                    logs: logs.clone(),
                    by: ProvenBy::VotesOnly,
                    nodes_for,
                    owners_for,
                })
            }
        }
    }

    /// Nodes and owners whose vote is for that block, each counted once.
    fn votes_for(&self, hash: B256) -> (usize, usize) {
        let votes = || self.votes.iter().filter(|vote| vote.hash == hash);
        let nodes: BTreeSet<_> = votes().map(|vote| &vote.node).collect();
        let owners: BTreeSet<_> = votes().map(|vote| &vote.owner).collect();
        (nodes.len(), owners.len())
    }

    fn bounded(&self) -> Result<(), BundleError> {
        let limit =
            |found: usize, max: usize, what| if max < found { Err(BundleError::TooLarge(what)) } else { Ok(()) };
        limit(self.votes.len(), VOTES_MAX, "votes")?;
        match &self.proof {
            Evidence::Full { header, nodes, .. } => {
                limit(header.len(), HEADER_MAX, "header bytes")?;
                limit(nodes.len(), NODES_MAX, "trie nodes")
            }
            Evidence::Quorum { logs, .. } => {
                limit(logs.len(), LOGS_MAX, "logs")?;
                logs.iter().try_for_each(|log| {
                    limit(log.topics.len(), TOPICS_MAX, "topics of a log")?;
                    limit(log.data.len(), LOG_DATA_MAX, "bytes of a log")
                })
            }
        }
    }
}

/// Whether the nodes lead from the root to that receipt at that index.
fn under(root: B256, tx_index: u64, receipt: &Bytes, nodes: &[Bytes]) -> Option<()> {
    let index = usize::try_from(tx_index).ok().filter(|index| *index < RECEIPTS_MAX)?;
    walkable(nodes)?;
    verify_proof(root, trie_key(index), Some(receipt.to_vec()), nodes).ok()
}

/// Whether the nodes are such as a receipts trie has. Every receipt is longer than a hash, so that no node holds another
/// one in itself; and a path fits what the trie's library can hold, which stops the process on a longer one.
fn walkable(nodes: &[Bytes]) -> Option<()> {
    let mut steps = 0_usize;
    for node in nodes {
        let more = match alloy_rlp::decode_exact::<TrieNode>(node).ok()? {
            TrieNode::Branch(branch) => branch.stack.iter().all(|child| child.is_hash()).then_some(1)?,
            TrieNode::Extension(extension) => extension.child.is_hash().then_some(extension.key.len())?,
            TrieNode::Leaf(leaf) => leaf.key.len(),
            TrieNode::EmptyRoot => return None,
        };
        steps = steps.checked_add(more).filter(|steps| *steps <= STEPS_MAX)?;
    }
    Some(())
}

#[cfg(test)]
mod tests;
