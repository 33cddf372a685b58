//! What verification reads and writes: due events, verdicts, confirmations.

use alloy_primitives::{Address, U256};
use serde::{Deserialize, Serialize};

use super::chain::Wait;
use super::intake::EventFacts;
use super::jobs::Accepted;
use crate::ledger::sums::Sums;
use crate::message::Rendered;
use crate::model::{
    Anchor, Assurance, Check, Claim, Code, EventId, EventState, Expectation, ExpectationState, Finality, PaymentId,
    Sender, TransferKey, Vote, WebhookId,
};

/// Where a checked event stands on chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// First look, microseconds.
    pub first_us: i64,
    /// Looks so far.
    pub looks: u32,
}

/// An event that verification has to look at.
#[derive(Debug, Clone)]
pub struct DueEvent {
    /// Which.
    pub event_id: EventId,
    /// The version to name when writing.
    pub version: u64,
    /// Where it stands.
    pub state: EventState,
    /// Its last outcome.
    pub code: Option<Code>,
    /// From its first delivery.
    pub facts: EventFacts,
    /// The newest claim; none for a thin event whose twin did not come.
    pub claim: Option<Claim>,
    /// Every network that its claims name, the newest first.
    pub networks: Vec<String>,
    /// The open expectation that names the claim, with its version and sums.
    pub expectation: Option<StoredExpectation>,
    /// Whether another open direct expectation shares a recipient of this one.
    pub recipient_shared: bool,
    /// Looks so far.
    pub progress: Progress,
    /// The block that a message stands on, when one does.
    pub anchor: Option<Anchor>,
    /// When set: a message that no attempt was made of waits for this look at its anchor.
    pub anchor_check: bool,
    /// What it waits for.
    pub wait: Option<Wait>,
    /// Whether an attempt was begun for its newest message: from then on it counts as forwarded (rule 19).
    pub sent: bool,
    /// The slots that it holds.
    pub claimed: Vec<ClaimedSlot>,
    /// Who sent the transaction, once it was seen in a block.
    pub sender: Option<Sender>,
    /// What an operator lets pass.
    pub accepted: Option<Accepted>,
}

/// An expectation as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredExpectation {
    /// The terms.
    pub terms: Expectation,
    /// Changes with every write; a judgement names the one it read.
    pub version: u64,
    /// Where it stands.
    pub state: ExpectationState,
    /// Received so far, base units, one a way to pay.
    pub received: Vec<U256>,
    /// Payments that make it up, in order.
    pub payment_ids: Vec<PaymentId>,
}

/// A verdict that sends nothing.
#[derive(Debug, Clone)]
pub struct RecordVerdict {
    /// Which event.
    pub event_id: EventId,
    /// The version judged.
    pub version: u64,
    /// When.
    pub now_us: i64,
    /// Where it goes.
    pub state: EventState,
    /// Why.
    pub code: Code,
    /// When to look again; none is never by itself.
    pub due_us: Option<i64>,
    /// What it waits for; then `due_us` is the time to look in any case.
    pub wait: Option<Wait>,
    /// The anchor seen, when one was.
    pub anchor: Option<Anchor>,
    /// Who sent the transaction, when it was seen.
    pub sender: Option<Sender>,
    /// The checks, votes and whatever else was seen, for the trace.
    pub trace: serde_json::Value,
}

/// What a write came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// Written.
    Done,
    /// Someone else moved the event: look again.
    Stale,
}

/// One transfer to claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimedSlot {
    /// Unique key 1.
    pub key: TransferKey,
    /// Money, or the proxy's event that goes with it (amount zero): both are consumed.
    pub amount: U256,
    /// Token; none is native.
    pub token: Option<Address>,
    /// Who received.
    pub recipient: Address,
}

/// A confirmed verdict. Contains everything the transaction needs, and the pure function that renders.
pub struct Confirm {
    /// Which event.
    pub event_id: EventId,
    /// The version judged.
    pub version: u64,
    /// When.
    pub now_us: i64,
    /// The block it stands on. None for a message without a payment.
    pub anchor: Option<Anchor>,
    /// Every slot consumed; empty for a message that claims no transfer.
    pub slots: Vec<ClaimedSlot>,
    /// The money of this transaction, base units.
    pub amount: U256,
    /// The expectation judged against: id, version read, and which way to pay matched.
    pub expectation: Option<(String, u64, usize)>,
    /// Same realm and reference joins another event's payment.
    pub joins_by: Option<JoinKey>,
    /// Checks and votes for the trace.
    pub trace: serde_json::Value,
    /// Outcome when nothing is incomplete; the sums decide between verified, partial and excess.
    pub code: Code,
    /// Who sent the transaction, when it is known.
    pub sender: Option<Sender>,
    /// What proves it, JSON; kept as long as the ledger.
    pub evidence: Option<String>,
    /// What it puts at risk until its block is final; none when it is.
    pub exposure: Option<Exposure>,
    /// Where the message goes.
    pub destinations: Vec<String>,
    /// Renders the message from what the transaction saw.
    pub render: Box<dyn FnOnce(&Sealed) -> Rendered + Send>,
}

/// Dollars that a backend is told of before their block is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exposure {
    /// This payment's value, micro-dollars.
    pub usd_micros: u64,
    /// Most that may be at risk on the chain at once, micro-dollars; none is no limit.
    pub cap_usd_micros: Option<u64>,
}

/// Realm and reference or request id: what joins a late identity to its event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinKey {
    /// Realm.
    pub realm: String,
    /// Payment reference.
    pub reference: String,
}

/// What the confirming transaction settled, for the renderer.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// The message's id.
    pub webhook_id: WebhookId,
    /// The payment's id, when there is one.
    pub payment_id: Option<PaymentId>,
    /// Lane of the message.
    pub lane: String,
    /// The expectation after this payment, with its sums.
    pub expectation: Option<(StoredExpectation, Sums)>,
    /// The final outcome.
    pub code: Code,
}

/// What a confirmation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmed {
    /// Claimed and due.
    Sent {
        /// The message.
        webhook_id: WebhookId,
        /// The outcome after sums.
        code: Code,
    },
    /// The transfers are another event's of the same expectation or reference: the identity points there now.
    Joined(EventId),
    /// The transfers settle something else; the event was refuted with `ALREADY_CLAIMED`.
    AlreadyClaimed(EventId),
    /// It would put more at risk on its chain than is allowed: it has to be final first.
    Exposed,
    /// The event or the expectation changed meanwhile: look again.
    Stale,
}

/// How firm a confirmed payment is and how well proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// What was proven.
    pub assurance: Assurance,
    /// `quorum` or `receipts_root`.
    pub method: &'static str,
    /// `T0` to `T3`.
    pub tier: String,
    /// How firm.
    pub finality: Finality,
    /// Head − height + 1.
    pub confirmations: u64,
    /// Who said so.
    pub votes: Vec<Vote>,
    /// What was asked.
    pub checks: Vec<Check>,
    /// The operator's word that let it pass.
    pub accepted: Option<Accepted>,
}
