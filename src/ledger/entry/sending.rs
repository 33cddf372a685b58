//! What forwarding reads and writes: due messages, intents, results.

use uuid::Uuid;

use crate::model::WebhookId;

/// A message due to a destination.
#[derive(Debug, Clone)]
pub struct DueMessage {
    /// Its id, the `webhook-id`.
    pub webhook_id: WebhookId,
    /// Its lane.
    pub lane: String,
    /// Its type, `payment.verified`.
    pub message_type: String,
    /// The exact bytes to send.
    pub body: Vec<u8>,
    /// Attempts made so far.
    pub attempts: u32,
    /// When the message was made due.
    pub created_us: i64,
    /// What its patience is counted from: when it was made due or due again, or when the last pause that held it ended.
    pub patient_since_us: i64,
    /// The job that made it due again.
    pub replay_id: Option<Uuid>,
}

/// Messages that one call of [`Ledger::hasten`](crate::ledger::Ledger::hasten) makes due.
pub const HASTENED_MAX: u64 = 10_000;

/// A time at which a destination was left alone. Nobody's patience runs in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// When.
    pub began_us: i64,
    /// Until when; none while it lasts.
    pub ended_us: Option<i64>,
}

/// About to send.
#[derive(Debug, Clone)]
pub struct RecordIntent {
    /// The message.
    pub webhook_id: WebhookId,
    /// To whom.
    pub destination: String,
    /// UUIDv7.
    pub attempt_id: Uuid,
    /// When.
    pub now_us: i64,
    /// A payment's anchor must have been confirmed since.
    pub anchor_since_us: i64,
}

/// May it be sent?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// Yes; the attempt is on record.
    Go,
    /// The anchor has to be looked at first; verification has been asked to.
    AnchorStale,
    /// It, its destination or its source is paused: nothing may leave.
    Paused,
    /// Superseded, delivered or dead meanwhile.
    Gone,
}

/// What came of an attempt.
#[derive(Debug, Clone)]
pub struct RecordAttempt {
    /// The message.
    pub webhook_id: WebhookId,
    /// To whom.
    pub destination: String,
    /// From the intent.
    pub attempt_id: Uuid,
    /// When it ended.
    pub now_us: i64,
    /// HTTP status, when there was one.
    pub status: Option<u16>,
    /// Stable word: `ok`, `status`, `timeout`, `connect`, `redirect`, `address`, `tls`, `io`.
    pub outcome: &'static str,
    /// Milliseconds.
    pub latency_ms: u64,
    /// Start of the response body, at most 1 KiB, lossy UTF-8.
    pub response: String,
    /// What now.
    pub next: Next,
}

/// After an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Taken by the backend.
    Delivered,
    /// Due again.
    Retry {
        /// When.
        due_us: i64,
    },
    /// Too old or refused for good; parked.
    Dead,
}
