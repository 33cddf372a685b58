//! All receipts of a block from one node: in one answer, or one by one where that would be too large.
//!
//! Either way they are held against the block's root, so nothing is believed for how it was asked. It must never ask for
//! more than its limits.

use alloy_primitives::B256;
use serde_json::json;
use serde_json::value::RawValue;

use super::proving::Undelivered;
use super::side_by_side::all;
use super::{ChainNodes, Member};
use crate::chain::TOO_LARGE;
use crate::chain::proof::{self, ProvenBlock, ProvenHeader};
use crate::chain::rpc::Method;

/// Receipts of one block that are asked for one by one; of fuller blocks nodes are compared.
pub(super) const ONE_BY_ONE_MAX: usize = 512;
/// So many of them are in flight: other calls to the node have to fit beside them.
const AT_A_TIME: usize = 8;
/// All of them together, bytes: twice the largest single answer.
const TOGETHER_MAX: usize = 64 << 20;

/// How the receipts of a block are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Receipts {
    /// In one answer.
    Together,
    /// One by one.
    OneByOne,
}

impl ChainNodes {
    /// In one answer; `None` when the node does not deliver them now.
    pub(super) async fn receipts(
        &self,
        node: &Member,
        header: &ProvenHeader,
    ) -> Result<Option<ProvenBlock>, Undelivered> {
        // By hash: by number a node could answer from another block.
        match self.call(node, Method::BlockReceipts, json!([header.hash])).await {
            Ok(raw) => proof::block_receipts(&raw, header, &self.rules).map_err(|error| Undelivered::of(&error)),
            Err(error) if error == TOO_LARGE => Err(Undelivered::TooLarge),
            Err(_unavailable) => Ok(None),
        }
    }

    /// One by one, of the transactions that the block lists.
    pub(super) async fn receipts_one_by_one(
        &self,
        node: &Member,
        whole: &RawValue,
        header: &ProvenHeader,
    ) -> Result<Option<ProvenBlock>, Undelivered> {
        let hashes = proof::transaction_hashes(whole, header, &self.rules).map_err(|error| Undelivered::of(&error))?;
        if ONE_BY_ONE_MAX < hashes.len() {
            return Err(self.is_beyond(header, hashes.len()));
        }
        let (mut found, mut bytes) = (Vec::with_capacity(hashes.len()), 0_usize);
        for some in hashes.chunks(AT_A_TIME) {
            for raw in all(some.iter().map(|hash| self.single(node, *hash))).await {
                let Some(raw) = raw else { return Ok(None) };
                bytes = bytes.saturating_add(raw.get().len());
                if TOGETHER_MAX < bytes {
                    return Err(self.is_beyond(header, hashes.len()));
                }
                found.push(raw);
            }
        }
        let Ok(list) = serde_json::value::to_raw_value(&found) else { return Ok(None) };
        proof::block_receipts(&list, header, &self.rules).map_err(|error| Undelivered::of(&error))
    }

    /// One receipt as the node shows it; none when it does not.
    async fn single(&self, node: &Member, tx_hash: B256) -> Option<Box<RawValue>> {
        self.call(node, Method::Receipt, json!([tx_hash])).await.ok().filter(|raw| raw.get() != "null")
    }

    fn is_beyond(&self, header: &ProvenHeader, transactions: usize) -> Undelivered {
        let (block, most) = (header.number, ONE_BY_ONE_MAX);
        tracing::warn!(
            chain = self.name,
            block,
            transactions,
            most,
            "the block's receipts are too large to be proven: nodes are compared instead"
        );
        Undelivered::Unsupported
    }
}
