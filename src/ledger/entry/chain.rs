//! What the ledger knows of chains: what an event waits for, payments that left their block, evidence that outlives
//! every node, and what operators set.

use std::fmt;
use std::str::FromStr;

use chain_config::TierSpec;
use serde::{Deserialize, Serialize};

use super::judgement::{ClaimedSlot, JoinKey, StoredExpectation};
use super::operate::Who;
use crate::message::Rendered;
use crate::model::event::{UnknownName, named};
use crate::model::{Anchor, Code, EventId, PaymentId, WebhookId};

named! {
    /// What of a chain has to reach a height.
    Reach {
        /// Its head.
        Head = "head",
        /// Its `safe` block.
        Safe = "safe",
        /// Its `finalized` block.
        Finalized = "finalized",
    }
}

/// What an event waits for. Nothing is asked of a node for it: whoever follows the heads wakes what was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// What has to reach the height.
    pub reach: Reach,
    /// The height.
    pub height: u64,
}

/// How far a chain has come, by what enough nodes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Height of the head.
    pub head: u64,
    /// Height of `safe`, where it is known.
    pub safe: Option<u64>,
    /// Height of `finalized`, where it is known.
    pub finalized: Option<u64>,
}

/// A forwarded payment whose block is gone.
pub struct Retract {
    /// Which event.
    pub event_id: EventId,
    /// The version judged.
    pub version: u64,
    /// When.
    pub now_us: i64,
    /// Why: `REORGED`, `TX_REVERTED`, `TX_REPLACED`, or what no longer matches.
    pub reason: Code,
    /// When to look for it again; none when it can never come back.
    pub due_us: Option<i64>,
    /// For the trace.
    pub trace: serde_json::Value,
    /// Renders the message from what the transaction saw.
    pub render: RenderRecalled,
}

/// Renders a retraction; `None` when the stored message cannot be read, and then nothing is written.
pub type RenderRecalled = Box<dyn FnOnce(&Recalled) -> Option<Rendered> + Send>;

/// What the retracting transaction settled, for the renderer.
#[derive(Debug, Clone)]
pub struct Recalled {
    /// The message's id.
    pub webhook_id: WebhookId,
    /// Its lane.
    pub lane: String,
    /// The payment's id.
    pub payment_id: PaymentId,
    /// The last message that said what was paid, as stored.
    pub said: Vec<u8>,
    /// The block it stood on.
    pub anchor: Anchor,
    /// The expectation without this payment, and which of its ways to pay the payment took.
    pub expectation: Option<(StoredExpectation, usize)>,
}

/// A forwarded payment that was mined again, in another block, on the same terms.
#[derive(Debug, Clone)]
pub struct Reanchor {
    /// Which event.
    pub event_id: EventId,
    /// The version judged.
    pub version: u64,
    /// When.
    pub now_us: i64,
    /// The new block.
    pub anchor: Anchor,
    /// The slots in it: the old ones become tombstones in the same transaction.
    pub slots: Vec<ClaimedSlot>,
    /// As when it was confirmed.
    pub joins_by: Option<JoinKey>,
    /// When to look again, and what for.
    pub due_us: Option<i64>,
    /// See [`Wait`].
    pub wait: Option<Wait>,
    /// For the trace.
    pub trace: serde_json::Value,
    /// What proves it.
    pub evidence: Option<String>,
}

/// What proves a payment in one block, as it was when it was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainEvidence {
    /// When it was stored.
    pub at_us: i64,
    /// The block's hash, 32 bytes.
    pub block_hash: Vec<u8>,
    /// The bundle, JSON.
    pub bundle: String,
}

/// Tiers that an operator set for a chain at run time.
#[derive(Debug, Clone, PartialEq)]
pub struct FinalityOverride {
    /// Configured chain name.
    pub chain: String,
    /// The tiers, as in `[chains.NAME] finality`.
    pub tiers: Vec<TierSpec>,
    /// Who set them.
    pub by: Who,
    /// Since when.
    pub since_us: i64,
}

/// A node, or a whole chain, that is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cordon {
    /// Configured chain name.
    pub chain: String,
    /// Configured node name; empty is the whole chain.
    pub node: String,
    /// Who took it out.
    pub by: Who,
    /// Since when.
    pub since_us: i64,
}
