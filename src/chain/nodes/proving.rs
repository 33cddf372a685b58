//! Proven blocks: all receipts of one block from one node, held against the header whose hash the votes are on.
//!
//! One node has to deliver and cannot lie about what the header commits to. A block is proven once for every payment in
//! it and kept by its hash, which never changes its meaning. What cannot be proven is told apart: a node that lies is at
//! fault, and a block of a kind that is not understood is nobody's fault.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use alloy_primitives::B256;
use serde_json::json;
use serde_json::value::RawValue;

use super::hedging::{Kind, Question};
use super::receipts::Receipts;
use super::{ChainNodes, Member};
use crate::chain::proof::{self, ProofError, ProvenBlock, ProvenTransactions, SentBy};
use crate::chain::rpc::Method;
use crate::chain::types::{Header, Receipt};
use crate::chain::{NodeError, Proven, Unproven};

/// Proven blocks kept; a full block has some megabytes.
const BLOCKS_MAX: usize = 64;

/// What a node does that names another sender than the one who signed.
pub(super) const ANOTHER_SENDER: &str = "it names another sender than the one who signed the transaction";

/// A block, proven once; whoever asks meanwhile waits for it.
type Cell = Arc<tokio::sync::Mutex<Option<Block>>>;

/// A proven block.
struct Block {
    receipts: ProvenBlock,
    /// None where the kinds of transactions in it are not understood: then other nodes have to name the place.
    transactions: Option<ProvenTransactions>,
    /// The place of the node that delivered it, until it is found to name another sender than the signature does: it is
    /// told that once.
    by: Option<usize>,
}

/// The newest proven blocks of a chain.
#[derive(Default)]
pub(super) struct Blocks(Mutex<VecDeque<(B256, Cell)>>);

impl Blocks {
    fn cell(&self, hash: B256) -> Cell {
        let mut blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = blocks.iter().position(|(known, _)| *known == hash);
        let found = at.and_then(|at| blocks.remove(at)).unwrap_or_else(|| (hash, Cell::default()));
        let cell = Arc::clone(&found.1);
        blocks.push_back(found);
        if BLOCKS_MAX < blocks.len() {
            blocks.pop_front();
        }
        cell
    }
}

/// A node's place, and the block with whole transactions where it has shown that already.
pub(super) type Having<'a> = (usize, Option<&'a RawValue>);

/// What a node delivered of a block; `None` when it does not have it now.
type Delivered = Result<Option<(ProvenBlock, Option<ProvenTransactions>)>, Undelivered>;

/// Whether nobody else has to be asked.
const fn is_enough(delivered: &Delivered) -> bool {
    matches!(delivered, Ok(Some(_)) | Err(Undelivered::Unsupported))
}

/// Who was asked, and what they said.
fn spoke<'a>((who, said): (Option<Having<'a>>, Option<Delivered>)) -> Option<(Having<'a>, Delivered)> {
    who.zip(said)
}

/// What came of proving.
pub(super) enum Attempt {
    /// The receipt of the transaction, proven.
    Proven(Box<Proven>),
    /// The block is proven with all its transactions, and this one is not in it.
    NotInIt,
    /// Not proven.
    Unproven(Unproven),
    /// No node delivered it now.
    Nothing,
}

impl ChainNodes {
    /// Proves the receipt of a transaction in a block that these nodes have. Nodes that delivered what contradicts the
    /// header are named in `faults` by their place.
    pub(super) async fn prove(
        &self,
        header: &Header,
        tx_hash: B256,
        having: &[Having<'_>],
        faults: &mut Vec<(usize, NodeError)>,
    ) -> Attempt {
        let cell = self.blocks.cell(header.hash);
        let mut kept = cell.lock().await;
        if let Some(block) = kept.as_mut() {
            return self.attempt(block, tx_hash, faults);
        }
        let mut proving = Proving { nodes: self, tx_hash, kept: &mut kept, faults, unproven: None, apart: Vec::new() };
        let mut left = having.iter().copied();
        while let Some(first) = left.next() {
            // Who is slow is overtaken by the next one that may be called.
            let second = left.clone().next().filter(|(at, _)| self.is_usable(*at));
            let Some(asked) = self.delivery(header, first) else { continue };
            let beside = second.and_then(|second| self.delivery(header, second));
            let (one, other) = self.hedging.race(Kind::Delivery, asked, beside, is_enough).await;
            if other.is_some() {
                left.next();
            }
            for (who, told) in [(Some(first), one), (second, other)].into_iter().filter_map(spoke) {
                if let Some(attempt) = proving.take(who, told) {
                    return attempt;
                }
            }
        }
        // Only when no node gives them in one answer: it takes a call for each.
        for (at, whole) in std::mem::take(&mut proving.apart) {
            let Some(node) = self.nodes.get(at) else { continue };
            let told = self.deliver(node, header, whole, Receipts::OneByOne).await;
            if let Some(attempt) = proving.take((at, whole), told) {
                return attempt;
            }
        }
        proving.unproven.map_or(Attempt::Nothing, Attempt::Unproven)
    }

    /// A block to be asked of a node, and what that takes.
    fn delivery<'a>(
        &'a self,
        header: &'a Header,
        (at, whole): Having<'a>,
    ) -> Option<Question<impl Future<Output = Delivered> + 'a>> {
        let node = self.nodes.get(at)?;
        let calls = if whole.is_some() { 1 } else { 2 };
        Some(Question { calls, answer: self.deliver(node, header, whole, Receipts::Together) })
    }

    fn attempt(&self, block: &mut Block, tx_hash: B256, faults: &mut Vec<(usize, NodeError)>) -> Attempt {
        let Some(receipt) = block.receipts.receipt(&tx_hash) else {
            // Some chains show transactions that no root holds.
            let may_be_outside = self.rules.drops(&block.receipts.header, tx_hash);
            return if block.transactions.is_some() && !may_be_outside {
                Attempt::NotInIt
            } else {
                Attempt::Unproven(Unproven::Mismatch)
            };
        };
        let transaction = block.transactions.as_ref().and_then(|all| all.get(&tx_hash)).cloned();
        let Some(bundle) = block.receipts.bundle(self.chain_id, tx_hash, Vec::new()) else { return Attempt::Nothing };
        let sent_by = block.transactions.as_ref().map_or(SentBy::Unproven, |all| all.sent_by(&tx_hash));
        let claimed = block.transactions.as_ref().and_then(|all| all.claimed_sender(&tx_hash));
        let lies = claimed.into_iter().chain([receipt.from]).any(|from| sent_by.is_signed_by_another_than(from));
        let receipt = Receipt { from: sent_by.address().unwrap_or(receipt.from), ..receipt.clone() };
        // All else that it delivered is under the roots, so the block is proven all the same.
        if lies
            && let Some(by) = block.by.take()
            && let Some(node) = self.nodes.get(by)
        {
            faults.push((by, node.fault(ANOTHER_SENDER)));
        }
        Attempt::Proven(Box::new(Proven { receipt, sent_by, transaction, bundle }))
    }

    /// One node's block, as it was shown or as it shows it now; `None` when it does not deliver it now.
    async fn deliver(&self, node: &Member, header: &Header, whole: Option<&RawValue>, how: Receipts) -> Delivered {
        let asked;
        let raw = match whole {
            Some(whole) => whole,
            None => {
                let height = json!(format!("{:#x}", header.number));
                let Ok(raw) = self.call(node, Method::Block, json!([height, true])).await else { return Ok(None) };
                asked = raw;
                &*asked
            }
        };
        let proven = match proof::header(raw) {
            Ok(Some(proven)) if proven.hash == header.hash => proven,
            // It has moved on to another block meanwhile.
            Ok(_) => return Ok(None),
            Err(error) => return Err(Undelivered::of(&error)),
        };
        let transactions = match proof::transactions(raw, &proven, &self.rules) {
            Ok(transactions) => transactions,
            // Some chains' nodes do not show every transaction: then other nodes have to bind the hash, and a lie is
            // found by them.
            Err(ProofError::Unsupported(_) | ProofError::RootMismatch { .. }) => None,
            Err(error) => return Err(Undelivered::of(&error)),
        };
        let receipts = match how {
            Receipts::Together => self.receipts(node, &proven).await?,
            Receipts::OneByOne => self.receipts_one_by_one(node, raw, &proven).await?,
        };
        Ok(receipts.map(|receipts| (receipts, transactions)))
    }
}

/// A block while its nodes are asked for it.
struct Proving<'a, 'w> {
    nodes: &'a ChainNodes,
    tx_hash: B256,
    kept: &'a mut Option<Block>,
    faults: &'a mut Vec<(usize, NodeError)>,
    unproven: Option<Unproven>,
    /// Who has it, and does not give its receipts in one answer.
    apart: Vec<Having<'w>>,
}

impl<'w> Proving<'_, 'w> {
    /// Takes what a node delivered; what came of it, when nobody else has to be asked.
    fn take(&mut self, (at, whole): Having<'w>, told: Delivered) -> Option<Attempt> {
        match told {
            Ok(Some((receipts, transactions))) => {
                let block = self.kept.insert(Block { receipts, transactions, by: Some(at) });
                return Some(self.nodes.attempt(block, self.tx_hash, self.faults));
            }
            Ok(None) => {}
            Err(Undelivered::Unsupported) => return Some(Attempt::Unproven(Unproven::Unsupported)),
            Err(Undelivered::TooLarge) => self.apart.push((at, whole)),
            Err(Undelivered::Lie(what)) => {
                self.unproven = Some(Unproven::Mismatch);
                self.faults.extend(self.nodes.nodes.get(at).map(|node| (at, node.fault(what))));
            }
        }
        None
    }
}

/// Why a node's block is not proven.
pub(super) enum Undelivered {
    /// Nobody's fault.
    Unsupported,
    /// Its receipts are larger than what the node sends, or we read, in one answer.
    TooLarge,
    /// What it delivered contradicts itself.
    Lie(&'static str),
}

impl Undelivered {
    pub(super) fn of(error: &ProofError) -> Self {
        match error {
            ProofError::Unsupported(_) => Self::Unsupported,
            ProofError::Malformed(what) => Self::Lie(what),
            ProofError::HeaderMismatch { .. } => Self::Lie("its header does not hash to its hash"),
            ProofError::RootMismatch { what: proof::Root::Receipts, .. } => {
                Self::Lie("its receipts do not make the root")
            }
            ProofError::RootMismatch { what: proof::Root::Transactions, .. } => {
                Self::Lie("its transactions do not make the root")
            }
        }
    }
}
