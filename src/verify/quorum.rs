//! From raw answers to one block, or to doubt. Pure.
//!
//! A node votes on a block: on its hash at the height, and on what the transaction's receipt says. Owners count, not
//! machines: two nodes of one owner are one opinion. Null is never evidence of absence by itself.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256};

use crate::chain::proof::{self, SentBy, bundle::Bundle};
use crate::chain::{Header, NodeError, NodeHead, NodeObservation, NodeView, Observations, Proven, Receipt, Unproven};
use crate::config::ActiveChain;
use crate::model::{Anchor, Code, Sender, Vote, VoteKind};

pub mod word;

/// A node may be this far behind the best head and still be fresh.
const HEAD_LAG_ALLOWANCE_MS: u64 = 15_000;
/// At least so many blocks of it, on slow chains.
const HEAD_LAG_ALLOWANCE_BLOCKS_MIN: u64 = 2;

/// How many must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Nodes.
    pub agree: usize,
    /// Different owners among them.
    pub owners: usize,
    /// Blocks behind the best head at which a node still counts as fresh.
    pub lag_blocks: u64,
}

/// Where a block stands, by what enough nodes support.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Lowest head among the nodes that agree.
    pub head: u64,
    /// Highest `safe` that enough of them reached.
    pub safe: Option<u64>,
    /// Highest `finalized` that enough of them reached.
    pub finalized: Option<u64>,
    /// Seconds of chain time from `safe` to the newest head: a tag that stands still falls behind.
    pub safe_lag_s: Option<u64>,
    /// The same of `finalized`.
    pub finalized_lag_s: Option<u64>,
}

/// A transaction in a block that enough nodes agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchored {
    /// The block.
    pub anchor: Anchor,
    /// What they all say of the transaction.
    pub receipt: Receipt,
    /// How deep it is.
    pub standing: Standing,
    /// Everyone's vote.
    pub votes: Vec<Vote>,
    /// Nodes that contradict: small amounts go on, large ones wait for the chain's own finality.
    pub dissent: usize,
    /// Who sent the transaction, when its nonce was proven.
    pub sender: Option<Sender>,
    /// What shows the sender that the receipt names.
    pub sent_by: SentBy,
    /// The transaction itself, where the block's transactions were proven.
    pub transaction: Option<proof::Transaction>,
    /// What the receipt rests on.
    pub method: Method,
    /// What shows it to somebody else, where it was proven; the votes are still missing.
    pub bundle: Option<Bundle>,
}

/// What a receipt rests on beside the votes on its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// It is under the block's own root.
    ReceiptsRoot,
    /// Enough nodes say the same of it: the chain's receipts cannot be proven.
    Quorum,
    /// The same on a chain whose receipts can be proven, and every node's answer contradicted its own hash.
    QuorumForMismatch,
}

impl Method {
    /// As messages name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReceiptsRoot => "receipts_root",
            Self::Quorum | Self::QuorumForMismatch => "quorum",
        }
    }
}

/// Where a transaction is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Located {
    /// In this block.
    Anchored(Box<Anchored>),
    /// It cannot be said yet.
    Waiting {
        /// Why.
        code: Code,
        /// Everyone's vote.
        votes: Vec<Vote>,
    },
}

/// Whether a known block is still the one at its height.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Canonical {
    /// It is.
    Same {
        /// How deep it is.
        standing: Standing,
        /// Everyone's vote.
        votes: Vec<Vote>,
    },
    /// Enough nodes have another block there.
    Lost {
        /// That block's hash.
        hash: B256,
        /// Everyone's vote.
        votes: Vec<Vote>,
    },
    /// It cannot be said now.
    Unclear {
        /// Why.
        code: Code,
        /// Everyone's vote.
        votes: Vec<Vote>,
    },
}

type Seen<'a> = (&'a NodeObservation, &'a NodeView);

// === impl Policy ===

impl Policy {
    /// The policy of an active chain.
    #[must_use]
    pub fn of(active: &ActiveChain) -> Self {
        let blocks = HEAD_LAG_ALLOWANCE_MS.checked_div(active.chain.block_time_ms).unwrap_or(0);
        Self { agree: active.agree, owners: active.owners, lag_blocks: blocks.max(HEAD_LAG_ALLOWANCE_BLOCKS_MIN) }
    }

    fn is_met<'a>(&self, nodes: impl Iterator<Item = &'a NodeObservation>) -> bool {
        self.is_met_by(nodes.map(|node| node.owner.as_str()))
    }

    /// Whether nodes of these owners, one entry a node, are enough.
    pub fn is_met_by<'a>(&self, owners_of_nodes: impl Iterator<Item = &'a str>) -> bool {
        let (mut count, mut owners) = (0_usize, BTreeSet::new());
        for owner in owners_of_nodes {
            count = count.saturating_add(1);
            owners.insert(owner);
        }
        // A policy of zero would let nobody's word count as everybody's.
        self.agree.max(1) <= count && self.owners.max(1) <= owners.len()
    }

    /// The highest value that enough nodes reached; owner and value of each node.
    #[must_use]
    pub fn supported(&self, values: &[(&str, u64)]) -> Option<u64> {
        let reached = |least: u64| values.iter().filter(move |(_, value)| least <= *value).map(|(owner, _)| *owner);
        values.iter().map(|(_, value)| *value).filter(|least| self.is_met_by(reached(*least))).max()
    }
}

// === locating ===

/// Where the transaction is.
#[must_use]
pub fn locate(policy: Policy, chain_id: u64, seen: &Observations) -> Located {
    let views = views(seen);
    let proven = seen.proven.as_ref().and_then(|proven| proven_statement(&views, proven));
    let best = proven.or_else(|| best_statement(&views));
    // Where the block's transactions are proven too, its hash says all that a receipt could.
    let is_bound = proven.is_some() && seen.proven.as_ref().is_some_and(|proven| proven.transaction.is_some());
    let votes = votes(seen, |view| match best {
        Some((header, _)) if is_bound => header_vote(policy, view, header.number, header.hash),
        _ => receipt_vote(policy, best, view),
    });
    let waiting = |code| Located::Waiting { code, votes: votes.clone() };
    if !policy.is_met(views.iter().map(|(node, _)| *node)) {
        return waiting(unusable(policy, seen));
    }
    let cast = |kind| voters(&views, &votes, kind);
    let (agree, disagree) = (cast(VoteKind::Agree), cast(VoteKind::Disagree));
    if let Some((header, receipt)) = best
        && policy.is_met(agree.iter().map(|(node, _)| *node))
    {
        if agree.len() <= disagree.len() {
            return waiting(Code::RpcDisagreement);
        }
        let anchor = Anchor {
            chain_id,
            tx_hash: receipt.tx_hash,
            block_number: header.number,
            block_hash: header.hash,
            tx_index: receipt.tx_index,
            block_timestamp: header.timestamp,
        };
        let (standing, dissent) = (standing(policy, &agree), disagree.len());
        let transaction = seen.proven.as_ref().filter(|_| is_bound).and_then(|proven| proven.transaction.clone());
        let nonce = transaction.as_ref().and_then(|transaction| transaction.nonce);
        let sender = nonce.map(|nonce| Sender { from: receipt.from, nonce });
        let sent_by = seen.proven.as_ref().filter(|_| is_bound).map_or(SentBy::Unproven, |proven| proven.sent_by);
        let mut receipt = receipt.clone();
        if sent_by == SentBy::Unproven {
            receipt.from = sender_said(&agree, &receipt).unwrap_or(receipt.from);
        }
        let method = match (proven, seen.unproven) {
            (Some(_), _) => Method::ReceiptsRoot,
            (None, Some(Unproven::Mismatch)) => Method::QuorumForMismatch,
            (None, Some(Unproven::Unsupported) | None) => Method::Quorum,
        };
        let bundle = seen.proven.as_ref().filter(|_| proven.is_some()).map(|proven| proven.bundle.clone());
        return Located::Anchored(Box::new(Anchored {
            anchor,
            receipt,
            transaction,
            standing,
            votes,
            dissent,
            sender,
            sent_by,
            method,
            bundle,
        }));
    }
    if is_absent(policy, &views, best) {
        return waiting(Code::WaitingInclusion);
    }
    if !disagree.is_empty() && agree.len() <= disagree.len() {
        return waiting(Code::RpcDisagreement);
    }
    waiting(Code::WaitingQuorum)
}

/// The statement "this receipt, in this block, which is the one at its height" that most owners, then most nodes make.
fn best_statement<'a>(views: &[Seen<'a>]) -> Option<(&'a Header, &'a Receipt)> {
    let statements = views.iter().filter_map(|(node, view)| Some((node.owner.as_str(), statement(view)?)));
    let is_same =
        |one: &(&Header, &Receipt), other: &(&Header, &Receipt)| one.0 == other.0 && one.1.says_the_same(other.1);
    most_said(&statements.collect::<Vec<_>>(), is_same)
}

/// Whom most of those who show this receipt call its sender: no root holds that.
fn sender_said(agree: &[Seen<'_>], receipt: &Receipt) -> Option<Address> {
    let own = agree.iter().filter_map(|(node, view)| Some((node.owner.as_str(), view.receipt.as_ref()?)));
    let said: Vec<_> =
        own.filter(|(_, own)| own.says_the_same(receipt)).map(|(owner, own)| (owner, own.from)).collect();
    most_said(&said, |one, other| one == other)
}

/// What most owners, then most nodes say; owner and word of each node. The first of equals, so that the answer does not
/// depend on chance.
fn most_said<T: Copy>(words: &[(&str, T)], is_same: impl Fn(&T, &T) -> bool) -> Option<T> {
    let support = |word: &T| {
        let owners = words.iter().filter(|(_, other)| is_same(other, word)).map(|(owner, _)| *owner);
        let owners: Vec<&str> = owners.collect();
        (owners.iter().collect::<BTreeSet<_>>().len(), owners.len())
    };
    // `max_by_key` takes the last of equals: from the end on, the first.
    words.iter().rev().map(|(_, word)| *word).max_by_key(|word| support(word))
}

/// The proven receipt in a block that a node has at its height.
fn proven_statement<'a>(views: &[Seen<'a>], proven: &'a Proven) -> Option<(&'a Header, &'a Receipt)> {
    let receipt = &proven.receipt;
    let headers = views.iter().filter_map(|(_, view)| view.header_at.as_ref());
    let mut own = headers.filter(|header| header.hash == receipt.block_hash && header.is_sealed);
    own.next().map(|header| (header, receipt))
}

fn statement(view: &NodeView) -> Option<(&Header, &Receipt)> {
    let (header, receipt) = (view.header_at.as_ref()?, view.receipt.as_ref()?);
    (header.hash == receipt.block_hash && header.number == receipt.block_number).then_some((header, receipt))
}

/// One node's vote on the best statement.
fn receipt_vote(policy: Policy, best: Option<(&Header, &Receipt)>, view: &NodeView) -> VoteKind {
    let Some((header, receipt)) = best else { return VoteKind::Abstain };
    match header_vote(policy, view, header.number, header.hash) {
        VoteKind::Agree => {}
        other => return other,
    }
    match &view.receipt {
        // A load balancer: the header from one machine, the receipt from another that does not have it yet.
        None => VoteKind::Abstain,
        Some(own) if own.block_hash != header.hash && own.block_number == header.number => VoteKind::Fault,
        Some(own) if own.says_the_same(receipt) && view.header_at.as_ref() == Some(header) => VoteKind::Agree,
        Some(_) => VoteKind::Disagree,
    }
}

/// One node's vote on the block at a height.
fn header_vote(policy: Policy, view: &NodeView, number: u64, hash: B256) -> VoteKind {
    match &view.header_at {
        Some(header) if header.hash == hash => VoteKind::Agree,
        Some(_) => VoteKind::Disagree,
        None if view.head.number < number.saturating_add(policy.lag_blocks) => VoteKind::Abstain,
        None => VoteKind::Disagree,
    }
}

/// Enough nodes with fresh heads do not know the transaction, nor the block that others put it in.
fn is_absent(policy: Policy, views: &[Seen<'_>], best: Option<(&Header, &Receipt)>) -> bool {
    let Some(highest) = views.iter().map(|(_, view)| view.head.number).max() else { return false };
    let ignorant = views.iter().filter(|(_, view)| {
        let block = view.header_at.as_ref().map(|header| header.hash);
        let knows_the_block = best.is_some_and(|(header, _)| block == Some(header.hash));
        let is_fresh = highest <= view.head.number.saturating_add(policy.lag_blocks);
        view.is_asked && view.receipt.is_none() && is_fresh && !knows_the_block
    });
    policy.is_met(ignorant.map(|(node, _)| *node))
}

/// Too few usable answers: the code names what would have to end for there to be enough.
fn unusable(policy: Policy, seen: &Observations) -> Code {
    let with = |also: fn(&NodeError) -> bool| {
        policy.is_met(seen.nodes.iter().filter(|node| node.answer.as_ref().err().is_none_or(also)))
    };
    if with(|error| matches!(error, NodeError::WrongChain(_))) {
        Code::ChainIdMismatch
    } else if with(|error| matches!(error, NodeError::WrongChain(_) | NodeError::RateLimited)) {
        Code::RpcRateLimited
    } else if with(|error| !matches!(error, NodeError::Unavailable(_))) {
        Code::RpcFault
    } else {
        Code::RpcUnavailable
    }
}

// === looking again ===

/// Whether the anchor's block is still the one at its height.
#[must_use]
pub fn still_canonical(policy: Policy, anchor: &Anchor, seen: &Observations) -> Canonical {
    let views = views(seen);
    let votes = votes(seen, |view| header_vote(policy, view, anchor.block_number, anchor.block_hash));
    if !policy.is_met(views.iter().map(|(node, _)| *node)) {
        return Canonical::Unclear { code: unusable(policy, seen), votes };
    }
    let (agree, disagree) = (voters(&views, &votes, VoteKind::Agree), voters(&views, &votes, VoteKind::Disagree));
    if policy.is_met(agree.iter().map(|(node, _)| *node)) && disagree.len() < agree.len() {
        return Canonical::Same { standing: standing(policy, &agree), votes };
    }
    let others = || disagree.iter().filter_map(|(node, view)| Some((*node, view.header_at?.hash)));
    let replaced = others().find(|(_, hash)| {
        policy.is_met(others().filter(|(_, other)| other == hash).map(|(node, _)| node)) && agree.len() < disagree.len()
    });
    match replaced {
        Some((_, hash)) => Canonical::Lost { hash, votes },
        None if disagree.is_empty() => Canonical::Unclear { code: Code::WaitingQuorum, votes },
        None => Canonical::Unclear { code: Code::RpcDisagreement, votes },
    }
}

// === shared ===

fn views(seen: &Observations) -> Vec<Seen<'_>> {
    seen.nodes.iter().filter_map(|node| Some((node, node.answer.as_ref().ok()?))).collect()
}

fn votes(seen: &Observations, cast: impl Fn(&NodeView) -> VoteKind) -> Vec<Vote> {
    let vote = |node: &NodeObservation| match &node.answer {
        Ok(view) => cast(view),
        Err(NodeError::Unavailable(_) | NodeError::RateLimited) => VoteKind::Abstain,
        Err(NodeError::WrongChain(_) | NodeError::Fault(_)) => VoteKind::Fault,
    };
    let nodes = seen.nodes.iter();
    nodes.map(|node| Vote { node: node.node.clone(), owner: node.owner.clone(), vote: vote(node) }).collect()
}

fn voters<'a>(views: &[Seen<'a>], votes: &[Vote], kind: VoteKind) -> Vec<Seen<'a>> {
    let cast = |name: &str| votes.iter().any(|vote| vote.node == name && vote.vote == kind);
    views.iter().filter(|(node, _)| cast(&node.node)).copied().collect()
}

fn standing(policy: Policy, agree: &[Seen<'_>]) -> Standing {
    let shown = |(node, view): &Seen<'_>| Shown {
        owner: node.owner.clone(),
        head: view.head,
        safe: view.safe,
        finalized: view.finalized,
    };
    let shown: Vec<Shown> = agree.iter().map(shown).collect();
    // Those who agree have the block: the lowest of their heads is what all of them built on it.
    let head = agree.iter().map(|(_, view)| view.head.number).min().unwrap_or(0);
    standing_at(policy, head, &shown)
}

/// Where a chain stands, by the last poll of its heads; none when too few nodes answered it.
#[must_use]
pub fn standing_of(policy: Policy, heads: &[NodeHead]) -> Option<Standing> {
    let numbers: Vec<_> = heads.iter().map(|node| (node.owner.as_str(), node.head.number)).collect();
    let head = policy.supported(&numbers)?;
    let shown = |node: &NodeHead| Shown {
        owner: node.owner.clone(),
        head: node.head,
        safe: node.safe,
        finalized: node.finalized,
    };
    let shown: Vec<Shown> = heads.iter().map(shown).collect();
    Some(standing_at(policy, head, &shown))
}

/// A node's head and tags, whoever asked for them.
struct Shown {
    owner: String,
    head: Header,
    safe: Option<Header>,
    finalized: Option<Header>,
}

fn standing_at(policy: Policy, head: u64, nodes: &[Shown]) -> Standing {
    let newest = nodes.iter().map(|node| node.head.timestamp).max().unwrap_or(0);
    let reached = |tag: fn(&Shown) -> Option<Header>| {
        let values: Vec<_> = nodes.iter().filter_map(|node| Some((node.owner.as_str(), tag(node)?.number))).collect();
        let number = policy.supported(&values)?;
        let at = nodes.iter().filter_map(tag).find(|header| header.number == number)?;
        Some((number, newest.saturating_sub(at.timestamp)))
    };
    let (safe, finalized) = (reached(|node| node.safe), reached(|node| node.finalized));
    Standing {
        head,
        safe: safe.map(|(number, _)| number),
        finalized: finalized.map(|(number, _)| number),
        safe_lag_s: safe.map(|(_, lag)| lag),
        finalized_lag_s: finalized.map(|(_, lag)| lag),
    }
}

/// Whether enough nodes have more final transactions of an account than this nonce: another one took its place, for
/// the one looked for is in no block that they know.
#[must_use]
pub fn is_nonce_used(policy: Policy, nonce: u64, seen: &Observations) -> bool {
    let views = views(seen);
    policy.is_met(views.iter().filter(|(_, view)| view.nonce.is_some_and(|next| nonce < next)).map(|(node, _)| *node))
}

#[cfg(test)]
mod tests;
