//! Reading chains: a plan goes in, what each node said comes out.
//!
//! Nothing here judges. Every node of a chain is asked by itself and its answer is kept by itself, because each raw
//! answer is a vote that `verify::quorum` counts. It must never let one node's answer stand for another's, and never
//! write a node's URL anywhere: it may hold a key.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use alloy_primitives::{Address, B256};

use crate::model::{Anchor, Sender};
use crate::task::Wake;

pub mod heads;
pub mod nodes;
pub mod proof;
pub mod rpc;
#[cfg(test)]
pub(crate) mod tests;
pub mod types;

pub use nodes::Nodes;
pub use types::{CallFrame, CallKind, Header, Log, LogFilter, PlacedLog, Receipt, Transaction};

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Configured chain name.
    pub chain: String,
    /// The transaction.
    pub tx_hash: B256,
    /// What of it.
    pub look: Look,
}

/// What to look at. Heads and tags come with every look, from the last poll: no call is made for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Where the transaction is: its receipt, then the block that it names.
    Locate,
    /// A block in which the transaction was seen: whether it still is the one at its height, and the receipt in it.
    Receipt(Anchor),
    /// Only whether a block still is the one at its height.
    Anchor(Anchor),
    /// Where a transaction is that left its block: as [`Look::Locate`], and how far its sender's nonce has come.
    Search {
        /// The block that it left, where it was forwarded from there.
        anchor: Option<Anchor>,
        /// Who sent it, when that is known.
        sender: Option<Sender>,
    },
}

/// What was seen: one entry a configured node, in configured order. Empty when the chain is not configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observations {
    /// Each node's own answer.
    pub nodes: Vec<NodeObservation>,
    /// The transaction's receipt, proven under the header of one block; whether that block is the chain's is what the
    /// nodes vote on.
    pub proven: Option<Proven>,
    /// Why there is no proof although the chain's receipts can be proven.
    pub unproven: Option<Unproven>,
    /// The calls inside the transaction as each node traces them; none while nobody was asked.
    pub calls: Option<Vec<NodeAnswer<CallFrame>>>,
    /// What each node's sanctions oracle says; none while nobody was asked.
    pub oracle: Option<Oracle>,
}

/// What a contract that lists sanctioned addresses says, as each node runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oracle {
    /// Who was asked about.
    pub subjects: Vec<Address>,
    /// Each node's word for each of them, in that order.
    pub answers: Vec<NodeAnswer<Vec<Listing>>>,
}

/// Whether somebody is on a contract's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// It says that it does not list the address.
    Clean,
    /// It says that it does.
    Denied,
    /// It says nothing that can be read: it failed, or is no such contract.
    Nothing,
}

/// A receipt that a block commits to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The receipt. Its block, place, status and logs are proven, and its sender is whom `sent_by` shows.
    pub receipt: Receipt,
    /// What shows its sender.
    pub sent_by: proof::SentBy,
    /// The transaction at the same place, when the block's transactions were proven too: its hash is bound then.
    pub transaction: Option<proof::Transaction>,
    /// What shows it to somebody else, the votes still missing.
    pub bundle: proof::bundle::Bundle,
}

/// Why something is not proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unproven {
    /// A kind of block, receipt or transaction that is not understood: nobody's fault.
    Unsupported,
    /// What was shown contradicts its own hash or root at every node that was asked.
    Mismatch,
}

/// One node's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeObservation {
    /// Configured name.
    pub node: String,
    /// Who runs it: two nodes of one owner are one opinion.
    pub owner: String,
    /// What it said.
    pub answer: Result<NodeView, NodeError>,
}

/// The chain as one node shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeView {
    /// Its latest block.
    pub head: Header,
    /// Its `safe` block, when the policy names that tag and the node knows it.
    pub safe: Option<Header>,
    /// Its `finalized` block, when the node knows it.
    pub finalized: Option<Header>,
    /// Whether it was asked for the receipt.
    pub is_asked: bool,
    /// The receipt. `None` of a node that was asked is "I do not know it", never evidence of absence by itself.
    pub receipt: Option<Receipt>,
    /// Its block at the height looked at; `None` when it has none there or no height was known.
    pub header_at: Option<Header>,
    /// Transactions that the sender has in final blocks, when that was asked: the nonce of the next one.
    pub nonce: Option<u64>,
}

/// The chain as one node last showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeHead {
    /// Configured name.
    pub node: String,
    /// Who runs it.
    pub owner: String,
    /// Its latest block.
    pub head: Header,
    /// Its `safe` block, where it was asked and the node knows it.
    pub safe: Option<Header>,
    /// Its `finalized` block, when the node knows it.
    pub finalized: Option<Header>,
}

/// One node's answer to a question of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeAnswer<T> {
    /// Configured name.
    pub node: String,
    /// Who runs it.
    pub owner: String,
    /// What it said.
    pub answer: Result<T, NodeError>,
}

/// How far one node's chain goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stand {
    /// Its latest block.
    pub head: Header,
    /// Its `finalized` block, when the node knows it.
    pub finalized: Option<Header>,
}

/// What one poll of a chain's heads saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Polled {
    /// Nodes that answered.
    pub heads: Vec<NodeHead>,
    /// The lowest height at which any node has another block than before.
    pub lost_from: Option<u64>,
    /// Owners of nodes that went back below everything they were remembered to have.
    pub deep: Vec<String>,
}

/// Why a node's answer does not count. Texts are fixed words, so that no URL and no text of a node gets into a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// No answer, or none in time: it will be asked again.
    #[error("no usable answer: {0}")]
    Unavailable(&'static str),
    /// It throttles.
    #[error("it throttles")]
    RateLimited,
    /// It answers for another chain: correct the node's URL or the chain's id.
    #[error("it serves another chain: {0}")]
    WrongChain(String),
    /// Its answer contradicts the question or itself.
    #[error("its answer contradicts itself: {0}")]
    Fault(&'static str),
}

/// Why a node does not answer a question that others can: it does not have the method.
pub const METHOD_MISSING: NodeError = NodeError::Unavailable("method missing");
/// It was asked rightly and says no, in words of its own.
pub const REFUSED: NodeError = NodeError::Unavailable("refused");
/// Its answer is rightly larger than what is read.
pub const TOO_LARGE: NodeError = NodeError::Unavailable("answer too large");
/// What it shows has more calls, or deeper ones, than can be named.
pub const BEYOND_NAMING: NodeError = NodeError::Unavailable("more calls than can be named");

impl NodeError {
    /// Whether asking it again brings nothing else.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        [METHOD_MISSING, TOO_LARGE, BEYOND_NAMING].contains(self)
    }
}

/// What a plan answers with.
pub type Observing<'a> = Pin<Box<dyn Future<Output = Observations> + Send + 'a>>;

/// What a question beyond a plan answers with: an entry a node.
pub type Telling<'a, T> = Pin<Box<dyn Future<Output = Vec<NodeAnswer<T>>> + Send + 'a>>;

/// What a poll answers with.
pub type Polling<'a> = Pin<Box<dyn Future<Output = Polled> + Send + 'a>>;

/// Hearing of new blocks: it ends with whoever awaits it.
pub type Listening<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Reads chains. A trait so that a test can script one without a network.
pub trait Reader: Send + Sync + 'static {
    /// Asks every node of the plan's chain. Never fails as a whole: a node that does not answer is an entry.
    fn observe(&self, plan: Plan) -> Observing<'_>;

    /// Asks every node for the calls inside a transaction of this block. Nobody answers of a reader that cannot ask.
    fn calls<'a>(&'a self, _chain: &'a str, _of: Anchor) -> Telling<'a, CallFrame> {
        Box::pin(async { Vec::new() })
    }

    /// Asks every node what a sanctions oracle's contract says about these at a block. Nobody answers of a reader that
    /// cannot ask.
    fn listed<'a>(
        &'a self,
        _chain: &'a str,
        _oracle: Address,
        _at: B256,
        _subjects: &'a [Address],
    ) -> Telling<'a, Vec<Listing>> {
        Box::pin(async { Vec::new() })
    }

    /// Asks every node of a chain for its head and tags, and follows its blocks from the last poll on.
    fn poll<'a>(&'a self, chain: &'a str) -> Polling<'a>;

    /// Gives a hint for each new block of a chain that a node announces, as long as it is awaited; it never ends. Nothing is
    /// heard by a reader that cannot listen.
    fn listen<'a>(&'a self, _chain: &'a str, _announced: Wake) -> Listening<'a> {
        Box::pin(std::future::pending())
    }

    /// Heads and tags of the last poll, while they are fresh; no call is made.
    fn heads(&self, chain: &str) -> Vec<NodeHead>;

    /// Takes a node out of use, or back: it is asked nothing and its word does not count. Nothing for a reader without
    /// nodes of its own.
    fn cordon(&self, _chain: &str, _node: &str, _out: bool) {}
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.chain, self.tx_hash)
    }
}
