//! One look at a transaction or a block: what is asked of which node.
//!
//! Heads and tags come from the last poll. Where a node's own blocks are known by hash up to its head, its block at a
//! height is known too and is not asked for again. Where receipts can be proven, one node names the block and one
//! delivers it, and the votes of all are on its hash; else every node is asked for the receipt itself. It must never
//! fill in one node's answer from another's.

use alloy_primitives::{Address, B256};
use chain_config::ProofMode;
use serde_json::json;
use serde_json::value::RawValue;

use super::following::Tags;
use super::hedging::{Kind, Question};
use super::proving::{ANOTHER_SENDER, Attempt};
use super::side_by_side::all;
use super::{ChainNodes, Member, candidate};
use crate::chain::proof::SentBy;
use crate::chain::rpc::Method;
use crate::chain::types::{self, Header, Receipt};
use crate::chain::{Look, NodeError, NodeObservation, NodeView, Observations, Plan, Unproven};
use crate::model::{Anchor, Sender};

/// What one node said in one look.
pub(super) struct Answer {
    pub(super) tags: Tags,
    /// None while it was not asked.
    pub(super) receipt: Option<Option<Receipt>>,
    pub(super) header_at: Option<Header>,
    /// The block at that height with whole transactions, where it was asked for.
    pub(super) whole: Option<Box<RawValue>>,
}

/// Blocks at one height, as they are asked of one node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// The header is enough.
    Header,
    /// This node will deliver the block too: one call for both.
    Whole,
}

/// A block at a height, and all of it when that was asked for.
type At = (Option<Header>, Option<Box<RawValue>>);

/// What all nodes said in one look, by their places.
type Answers = Vec<Result<Answer, NodeError>>;

/// Keeps what a node said of the receipt; nothing when it was not asked, or not waited for.
fn keep(answer: &mut Result<Answer, NodeError>, asked: Option<Result<Option<Receipt>, NodeError>>) {
    match (answer.as_mut(), asked) {
        (Ok(told), Some(Ok(receipt))) => told.receipt = Some(receipt),
        (Ok(_), Some(Err(error))) => *answer = Err(error),
        (Ok(_) | Err(_), None) | (Err(_), Some(_)) => {}
    }
}

impl ChainNodes {
    pub(super) async fn observe(&self, plan: &Plan) -> Observations {
        let heads = self.fresh_heads().await;
        let told = |tags: Tags| Answer { tags, receipt: None, header_at: None, whole: None };
        let mut answers: Answers = heads.into_iter().map(|head| head.map(told)).collect();
        let mut seen = Observations::default();
        match (plan.look, self.proof) {
            (Look::Anchor(anchor), _) => self.look_at(anchor.block_number, None, &mut answers).await,
            (Look::Receipt(anchor), ProofMode::Full) if self.look_for_block(&anchor, &mut answers).await => {
                self.prove_at(anchor.block_hash, plan, &mut answers, &mut seen).await;
            }
            (Look::Locate | Look::Search { .. } | Look::Receipt(_), ProofMode::Full) => {
                self.locate(plan, &mut answers, &mut seen).await;
            }
            (Look::Locate | Look::Search { .. } | Look::Receipt(_), ProofMode::Quorum) => {
                self.ask_all(plan, &mut answers).await;
            }
        }
        self.distrust_unsealed(&mut answers, &mut seen);
        let views = all(self.nodes.iter().zip(answers).map(|(node, answer)| self.view(node, plan, answer))).await;
        let nodes = self.nodes.iter().zip(views);
        seen.nodes = nodes
            .map(|(node, answer)| NodeObservation { node: node.name.clone(), owner: node.owner.clone(), answer })
            .collect();
        self.warn_of(&seen);
        seen
    }

    /// Asks one node where the transaction is, the others when it does not know or is not believed, and proves it there.
    async fn locate(&self, plan: &Plan, answers: &mut Answers, seen: &mut Observations) {
        self.ask_first(plan, answers).await;
        if candidate(self.nodes.iter().zip(&*answers)).is_none() {
            self.ask(plan, answers, |_| true).await;
        }
        let named = answers.iter().position(|answer| matches!(answer, Ok(Answer { receipt: Some(Some(_)), .. })));
        self.look_at_candidate(plan, named, answers).await;
        let named = candidate(self.nodes.iter().zip(&*answers));
        if let Some((_, hash)) = named
            && self.is_enough(answers, hash)
        {
            self.prove_at(hash, plan, answers, seen).await;
        } else {
            self.ask_all(plan, answers).await;
            if let Some((_, hash)) = candidate(self.nodes.iter().zip(&*answers)) {
                self.prove_at(hash, plan, answers, seen).await;
            }
        }
    }

    /// Proves the transaction in a block that nodes have; where that cannot be done, every node is asked by itself.
    async fn prove_at(&self, hash: B256, plan: &Plan, answers: &mut Answers, seen: &mut Observations) {
        let header_at = |answer: &Result<Answer, NodeError>| answer.as_ref().ok().and_then(|answer| answer.header_at);
        let header = answers.iter().filter_map(header_at).find(|header| header.hash == hash && header.is_sealed);
        let has =
            |answer: &Result<Answer, NodeError>| header_at(answer).is_some_and(|own| own.hash == hash && own.is_sealed);
        let mut having: Vec<(usize, Option<&RawValue>)> = answers
            .iter()
            .enumerate()
            .filter(|(_, answer)| has(answer))
            .map(|(at, answer)| (at, answer.as_ref().ok().and_then(|answer| answer.whole.as_deref())))
            .collect();
        // Who has shown the whole block already delivers it with one call less.
        having.sort_by_key(|(_, whole)| whole.is_none());
        let Some(header) = header else {
            // Nobody's header hashes to what it states: upgraded, or a lie by all.
            seen.unproven = answers.iter().any(|answer| header_at(answer).is_some()).then_some(Unproven::Mismatch);
            return self.ask_all(plan, answers).await;
        };
        let mut faults = Vec::new();
        let attempt = self.prove(&header, plan.tx_hash, &having, &mut faults).await;
        for (at, error) in faults {
            if let Some(answer) = answers.get_mut(at) {
                *answer = Err(error);
            }
        }
        match attempt {
            Attempt::Proven(proven) => {
                let (is_bound, sent_by) = (proven.transaction.is_some(), proven.sent_by);
                seen.proven = Some(*proven);
                if !is_bound {
                    self.ask(plan, answers, |_| true).await;
                }
                self.distrust_other_senders(sent_by, answers);
            }
            Attempt::Unproven(why) => {
                seen.unproven = Some(why);
                self.ask_all(plan, answers).await;
            }
            Attempt::NotInIt => {
                self.ask_all(plan, answers).await;
                self.distrust_receipts_in(hash, answers);
            }
            Attempt::Nothing => self.ask_all(plan, answers).await,
        }
    }

    /// Whether enough nodes have this block at its height.
    fn is_enough(&self, answers: &Answers, hash: B256) -> bool {
        let nodes = self.nodes.iter().zip(answers).filter(|(_, answer)| {
            let header = answer.as_ref().ok().and_then(|answer| answer.header_at);
            header.is_some_and(|header| header.hash == hash)
        });
        let owners: Vec<&str> = nodes.map(|(node, _)| node.owner.as_str()).collect();
        let distinct = owners.iter().collect::<std::collections::BTreeSet<_>>().len();
        self.agree.max(1) <= owners.len() && self.owners.max(1) <= distinct
    }

    /// Looks at the height of a known block; whether enough nodes have it there.
    async fn look_for_block(&self, anchor: &Anchor, answers: &mut Answers) -> bool {
        self.look_at(anchor.block_number, None, answers).await;
        self.is_enough(answers, anchor.block_hash)
    }

    /// Asks every node for the receipt, and for the block at the height that most put it at.
    async fn ask_all(&self, plan: &Plan, answers: &mut Answers) {
        self.ask(plan, answers, |_| true).await;
        self.look_at_candidate(plan, None, answers).await;
    }

    async fn look_at_candidate(&self, plan: &Plan, deliverer: Option<usize>, answers: &mut Answers) {
        let known = match plan.look {
            Look::Anchor(anchor) | Look::Receipt(anchor) => Some(anchor),
            Look::Search { anchor, .. } => anchor,
            Look::Locate => None,
        };
        let named = candidate(self.nodes.iter().zip(&*answers)).map(|(number, _)| number);
        if let Some(height) = named.or(known.map(|anchor| anchor.block_number)) {
            self.look_at(height, deliverer, answers).await;
        }
    }

    /// Asks one node for the receipt, and a second one beside it when the first takes longer than most.
    async fn ask_first(&self, plan: &Plan, answers: &mut Answers) {
        let mut usable = (0..).zip(&*answers).filter(|(_, answer)| answer.is_ok()).map(|(at, _)| at);
        let (first, second) = (usable.next(), usable.find(|at| self.is_usable(*at)));
        let question = |at: usize| {
            let node = self.nodes.get(at)?;
            Some(Question { calls: 1, answer: self.receipt(node, plan.tx_hash) })
        };
        let Some(asked) = first.and_then(question) else { return };
        let is_enough = |told: &Result<Option<Receipt>, NodeError>| matches!(told, Ok(Some(_)));
        let (one, other) = self.hedging.race(Kind::Receipt, asked, second.and_then(question), is_enough).await;
        if let Some(answer) = first.and_then(|at| answers.get_mut(at)) {
            keep(answer, one);
        }
        // A second one that brings nothing was not needed: what it showed of its head counts on.
        let said = other.filter(|told| !matches!(told, Err(NodeError::Unavailable(_) | NodeError::RateLimited)));
        if let Some(answer) = second.and_then(|at| answers.get_mut(at)) {
            keep(answer, said);
        }
    }

    /// Asks the chosen nodes for the receipt, those that were not asked yet.
    async fn ask(&self, plan: &Plan, answers: &mut Answers, chosen: impl Fn(usize) -> bool + Sync) {
        let asked = all(self.nodes.iter().zip(&*answers).enumerate().map(|(at, (node, answer))| {
            let ask = chosen(at) && answer.as_ref().is_ok_and(|answer| answer.receipt.is_none());
            async move { if ask { Some(self.receipt(node, plan.tx_hash).await) } else { None } }
        }))
        .await;
        for (answer, asked) in answers.iter_mut().zip(asked) {
            keep(answer, asked);
        }
    }

    /// Asks every node for its block at a height; of the one that will deliver it, all of the block.
    async fn look_at(&self, height: u64, deliverer: Option<usize>, answers: &mut Answers) {
        let looked = all(self.nodes.iter().zip(&*answers).enumerate().map(|(at, (node, answer))| async move {
            let wanted = if Some(at) == deliverer { Wanted::Whole } else { Wanted::Header };
            match answer {
                Ok(told) if told.header_at.is_some_and(|known| known.number == height) => Ok(None),
                Ok(_) => self.header_at(node, height, wanted).await.map(Some),
                Err(_) => Ok(None),
            }
        }))
        .await;
        for (answer, looked) in answers.iter_mut().zip(looked) {
            match (answer.as_mut(), looked) {
                (Ok(_), Ok(None)) => {}
                (Ok(told), Ok(Some((header, whole)))) => (told.header_at, told.whole) = (header, whole),
                (Ok(_), Err(error)) => *answer = Err(error),
                (Err(_), _) => {}
            }
        }
    }

    /// Where one node's header hashes to what it states, one that does not is at fault. Where nobody's does, they are
    /// compared as they are, and it is said that they were not proven.
    fn distrust_unsealed(&self, answers: &mut Answers, seen: &mut Observations) {
        if self.proof == ProofMode::Quorum {
            return;
        }
        let header_at = |answer: &Result<Answer, NodeError>| answer.as_ref().ok().and_then(|answer| answer.header_at);
        let shown: Vec<Header> = answers.iter().filter_map(header_at).collect();
        if shown.iter().any(|header| header.is_sealed) {
            for (node, answer) in self.nodes.iter().zip(answers.iter_mut()) {
                if header_at(answer).is_some_and(|header| !header.is_sealed) {
                    *answer = Err(node.fault("its header does not hash to its hash"));
                }
            }
        } else if !shown.is_empty() {
            seen.unproven = Some(Unproven::Mismatch);
        }
    }

    /// A receipt in a block that, by its own roots, does not hold the transaction is a lie, whoever else tells it.
    fn distrust_receipts_in(&self, hash: B256, answers: &mut Answers) {
        for (node, answer) in self.nodes.iter().zip(answers.iter_mut()) {
            let lies = |told: &Answer| matches!(&told.receipt, Some(Some(receipt)) if receipt.block_hash == hash);
            if answer.as_ref().is_ok_and(lies) {
                *answer = Err(node.fault("its receipt is in a block that does not hold the transaction"));
            }
        }
    }

    /// A receipt that names another sender than the one who signed the transaction is a lie.
    fn distrust_other_senders(&self, sent_by: SentBy, answers: &mut Answers) {
        for (node, answer) in self.nodes.iter().zip(answers.iter_mut()) {
            let lies = |told: &Answer| {
                let receipt = told.receipt.as_ref().and_then(Option::as_ref);
                receipt.is_some_and(|receipt| sent_by.is_signed_by_another_than(receipt.from))
            };
            if answer.as_ref().is_ok_and(lies) {
                *answer = Err(node.fault(ANOTHER_SENDER));
            }
        }
    }

    async fn view(&self, node: &Member, plan: &Plan, answer: Result<Answer, NodeError>) -> Result<NodeView, NodeError> {
        let Answer { tags, receipt, header_at, whole: _ } = answer?;
        let nonce = match plan.look {
            Look::Search { sender: Some(Sender { from, .. }), .. } => self.nonce(node, from).await,
            Look::Search { sender: None, .. } | Look::Locate | Look::Receipt(_) | Look::Anchor(_) => None,
        };
        Ok(NodeView {
            head: tags.head,
            safe: tags.safe,
            finalized: tags.finalized,
            is_asked: receipt.is_some(),
            receipt: receipt.flatten(),
            header_at,
            nonce,
        })
    }

    /// The node's block at a height, as it is known or as it says now; then with all of the block, if that is wanted.
    async fn header_at(&self, node: &Member, height: u64, wanted: Wanted) -> Result<At, NodeError> {
        // What did not hash to its hash when it was seen is asked for again: the node may have mended.
        let counts = |header: &Header| header.is_sealed || self.proof == ProofMode::Quorum;
        if let Some(known) = node.following.at(height).filter(counts) {
            return Ok((Some(known), None));
        }
        // One call at a time and node: payments of one block ask for the same height.
        let _one = node.looking.lock().await;
        if let Some(known) = node.following.looked(height).filter(counts) {
            return Ok((Some(known), None));
        }
        let (is_whole, head) = (wanted == Wanted::Whole, node.following.polled());
        let raw = self.call(node, Method::Block, json!([format!("{height:#x}"), is_whole])).await?;
        match self.header(node, &raw)? {
            Some(header) if header.number != height => Err(node.fault("header of another height")),
            Some(header) => {
                node.following.keep_looked(head, header);
                Ok((Some(header), is_whole.then_some(raw)))
            }
            None => Ok((None, None)),
        }
    }

    async fn receipt(&self, node: &Member, tx_hash: B256) -> Result<Option<Receipt>, NodeError> {
        let raw = self.call(node, Method::Receipt, json!([tx_hash])).await?;
        types::receipt(&raw, tx_hash).map_err(|malformed| node.fault(malformed.0))
    }

    /// How many transactions of an account are in final blocks; a node that cannot say leaves it open.
    async fn nonce(&self, node: &Member, account: Address) -> Option<u64> {
        let raw = self.call(node, Method::TransactionCount, json!([account, "finalized"])).await.ok()?;
        types::quantity_of(&raw).ok()
    }
}
