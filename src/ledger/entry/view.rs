//! What operators see: lists, details, counts.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::intake::EventFacts;
use super::judgement::ClaimedSlot;
use crate::model::{Anchor, Claim, Code, EventId, EventState, PaymentId};

/// What a list shows. Absent fields do not filter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Source name.
    pub source: Option<String>,
    /// Restrict to these sources; empty is all (a token's limit).
    pub sources: Vec<String>,
    /// Event state.
    pub state: Option<EventState>,
    /// Outcome code.
    pub code: Option<Code>,
    /// Type of a message of the event.
    pub message_type: Option<String>,
    /// The provider's account that the event is of.
    pub account: Option<String>,
    /// A chain that a claim or a transfer names, in every way it may be named: in lower case, or its number.
    pub chain: Vec<String>,
    /// An address: payer as claimed, recipient or token of a transfer, or one that the expectation names; `0x…` in
    /// lower case.
    pub address: Option<String>,
    /// Any id, hash, reference or key, as people write it: see [`Sought`](crate::ledger::Sought).
    pub q: Option<String>,
    /// The provider's event type.
    pub provider_type: Option<String>,
    /// Provider's request id.
    pub request_id: Option<String>,
    /// Payment reference, `0x…` lower case.
    pub payment_reference: Option<String>,
    /// Transaction hash, `0x…` lower case.
    pub tx: Option<String>,
    /// Expectation id.
    pub expectation: Option<String>,
    /// Payment id.
    pub payment: Option<String>,
    /// Only those that are a payment.
    pub paid: bool,
    /// Received at or after.
    pub since_us: Option<i64>,
    /// Received before.
    pub until_us: Option<i64>,
    /// Rows after this opaque cursor (as returned in the view).
    pub after: Option<String>,
    /// At most so many; the engine caps at 500.
    pub limit: usize,
}

/// A page of a list. It may hold fewer than were asked for, and none, while there is a `next`: what one page looks at
/// is bounded.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// What fits, in the list's order.
    pub items: Vec<T>,
    /// Where the next page begins; none at the end.
    pub next: Option<String>,
}

impl<T> std::ops::Deref for Page<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

/// Whose ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdOf {
    /// Deliveries.
    Delivery,
    /// Events.
    Event,
    /// Payments, by the digits behind `pay_`. The ids answered are their events'.
    Payment,
    /// Transactions whose transfers were claimed, by the first half of their hash. The ids answered are those events'.
    Transaction,
}

/// A delivery as the ledger knows it; bytes and headers are in the evidence log.
#[derive(Debug, Clone, Serialize)]
pub struct DeliveryView {
    /// Its id.
    pub delivery_id: Uuid,
    /// Its record.
    pub seq: u64,
    /// Source.
    pub source: String,
    /// When it arrived.
    pub received_us: i64,
    /// Hex SHA-256 of the body.
    pub body_sha256: String,
    /// Its event.
    pub event_id: Option<EventId>,
    /// Why it made no event.
    pub code: Option<Code>,
    /// How it was taken out of the log, when it was.
    pub removed: Option<super::operate::RemovedHow>,
    /// Cursor for the next page.
    pub cursor: String,
}

/// An event in a list.
#[derive(Debug, Clone)]
pub struct EventView {
    /// Its id.
    pub event_id: EventId,
    /// Where it stands.
    pub state: EventState,
    /// Why.
    pub code: Option<Code>,
    /// From its first delivery.
    pub facts: EventFacts,
    /// Messages so far.
    pub state_version: u32,
    /// The newest claim.
    pub claim: Option<Claim>,
    /// The payment.
    pub payment_id: Option<PaymentId>,
    /// The expectation that matched.
    pub expectation_id: Option<String>,
    /// The block it stands on.
    pub anchor: Option<Anchor>,
    /// When verification looks again.
    pub due_us: Option<i64>,
    /// Last change.
    pub updated_us: i64,
    /// Deliveries that carried it.
    pub deliveries: u64,
    /// Cursor for the next page.
    pub cursor: String,
}

/// Everything about one event.
#[derive(Debug, Clone)]
pub struct EventDetail {
    /// The event.
    pub event: EventView,
    /// Its deliveries, oldest first.
    pub deliveries: Vec<DeliveryView>,
    /// Its trace, oldest first.
    pub trace: Vec<TraceEntry>,
    /// Its messages and their attempts.
    pub messages: Vec<MessageView>,
    /// The transfers that it holds or held, in the order in which it claimed them.
    pub claims: Vec<ClaimView>,
}

/// A transfer that an event claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimView {
    /// What was claimed.
    pub slot: ClaimedSlot,
    /// Its block was lost: it blocks others still, and not its own event.
    pub is_tombstone: bool,
}

/// One decision.
#[derive(Debug, Clone, Serialize)]
pub struct TraceEntry {
    /// When.
    pub at_us: i64,
    /// From.
    pub from: Option<EventState>,
    /// To.
    pub to: EventState,
    /// Why.
    pub code: Option<Code>,
    /// What was asked and seen.
    pub detail: serde_json::Value,
}

/// A message of an event and where it stands with one destination.
#[derive(Debug, Clone, Serialize)]
pub struct MessageView {
    /// `webhook-id`.
    pub webhook_id: String,
    /// Type.
    pub message_type: String,
    /// Destination.
    pub destination: String,
    /// `due`, `sending`, `delivered`, `dead`, `superseded`.
    pub state: String,
    /// Next attempt.
    pub due_us: Option<i64>,
    /// Attempts, oldest first.
    pub attempts: Vec<AttemptView>,
}

/// One attempt.
#[derive(Debug, Clone, Serialize)]
pub struct AttemptView {
    /// UUIDv7.
    pub attempt_id: Uuid,
    /// Intent recorded.
    pub started_us: i64,
    /// Result recorded.
    pub finished_us: Option<i64>,
    /// HTTP status.
    pub status: Option<u16>,
    /// Stable word.
    pub outcome: Option<String>,
    /// Milliseconds.
    pub latency_ms: Option<u64>,
    /// Start of the response.
    pub response: Option<String>,
}

/// Counts.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Events by state.
    pub events: Vec<(EventState, u64)>,
    /// Messages due by destination.
    pub outbox_due: Vec<(String, u64)>,
    /// Oldest message not delivered, microseconds since the epoch.
    pub oldest_unforwarded_us: Option<i64>,
    /// Oldest held event.
    pub oldest_held_us: Option<i64>,
    /// The last write failed because the ledger takes none, as when it is locked or its disk is full: reading goes on.
    pub refuses_writes: bool,
}

/// Which attempts a list shows. Absent fields do not filter.
#[derive(Debug, Clone, Default)]
pub struct AttemptFilter {
    /// To this destination.
    pub destination: Option<String>,
    /// That ended so.
    pub outcome: Option<String>,
    /// Of this event.
    pub event: Option<EventId>,
    /// About events of these sources; empty is all.
    pub sources: Vec<String>,
    /// Started at or after.
    pub since_us: Option<i64>,
    /// Started before.
    pub until_us: Option<i64>,
    /// Older than this attempt.
    pub before: Option<Uuid>,
    /// At most so many; the engine caps at 500.
    pub limit: usize,
}

/// An attempt with its message.
#[derive(Debug, Clone)]
pub struct SentAttempt {
    /// The message.
    pub webhook_id: String,
    /// Its type.
    pub message_type: String,
    /// To whom.
    pub destination: String,
    /// The event's source.
    pub source: String,
    /// What came of it.
    pub attempt: AttemptView,
}
