//! Verification as this side reaches it. A trait, because stages are known to the composition root only: it hands one
//! in, and nothing here can reach past it.

use alloy_primitives::B256;
use chain_config::FinalityPolicy;
use serde_json::Value;

use crate::ledger::{Answer, StoredExpectation, Who};
use crate::model::{EventId, ExpectationState, PaymentReference};

/// What operators may see of verification, and tell it.
pub trait Verification: Send + Sync + 'static {
    /// A chain as it is judged and seen now; none when it is not active. No node is asked.
    fn chain(&self, name: &str) -> Option<ChainNow>;

    /// Puts what the ledger says in force: tiers set at run time, and what is out of use.
    fn put_in_force(&self) -> Answer<'_, ()>;

    /// What verification would say of a transaction now, as JSON. Asks the nodes; writes nothing.
    fn judge(&self, asked: Asked) -> Answer<'_, Value>;

    /// The same, and makes an event of what is proven money for the expectation named.
    fn submit(&self, asked: Asked, by: Who) -> Answer<'_, (Value, Submission)>;
}

/// What came of submitting a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submission {
    /// It is this event now.
    Made(EventId),
    /// This event is about it already.
    Known(EventId),
    /// It is no proven money for the expectation.
    NotProven,
    /// The expectation is not open any more.
    NotOpen(ExpectationState),
}

/// A chain at this moment.
#[derive(Debug, Clone)]
pub struct ChainNow {
    /// How deep a payment has to be.
    pub finality: FinalityPolicy,
    /// The nodes that answered the last poll, while that is fresh.
    pub nodes: Vec<NodeNow>,
    /// What enough of them support; none when too few answered.
    pub standing: Option<StandingNow>,
}

/// A node by its last answer.
#[derive(Debug, Clone)]
pub struct NodeNow {
    /// Configured name.
    pub name: String,
    /// Height of its latest block.
    pub head: u64,
    /// Height of its `safe` block, where it was asked and the node knows it.
    pub safe: Option<u64>,
    /// Height of its `finalized` block, where the node knows it.
    pub finalized: Option<u64>,
}

/// Heights that enough nodes reached, and seconds of chain time from a tag's block to the newest head.
#[derive(Debug, Clone, Copy)]
pub struct StandingNow {
    /// The head.
    pub head: u64,
    /// `safe`
    pub safe: Option<u64>,
    /// `finalized`
    pub finalized: Option<u64>,
    /// Behind the head, seconds.
    pub safe_lag_s: Option<u64>,
    /// Behind the head, seconds.
    pub finalized_lag_s: Option<u64>,
}

/// A transaction to judge by hand.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Configured chain name.
    pub chain: String,
    /// The transaction.
    pub tx_hash: B256,
    /// By whose rules; none where no source is configured.
    pub source: Option<String>,
    /// Against what it is held.
    pub expectation: Option<StoredExpectation>,
    /// What binds it, where the expectation does not say.
    pub payment_reference: Option<PaymentReference>,
}
