//! What followers read: which ledger this is, what changed in it, and the feed of messages.

use uuid::Uuid;

use crate::model::{EventId, WebhookId};

/// State versions an epoch: the first message of an event after a rebuild or a restore is numbered above them all.
pub const EPOCH_VERSIONS: u32 = 1_000_000;

/// Which ledger this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerIdentity {
    /// Made with the ledger; a restored one keeps it.
    pub ledger_id: Uuid,
    /// Raised by every rebuild and restore; 0 at first. Messages made in epoch `n` have state versions above
    /// `n *` [`EPOCH_VERSIONS`], so that they never fall below what a backend holds.
    pub epoch: u32,
}

/// A sequence of decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeTable {
    /// What became of events.
    Trace,
    /// What operators and the backend did.
    Audit,
}

/// One decision as it is copied to the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its number in its table, from 1.
    pub number: u64,
    /// When it was taken.
    pub at_us: i64,
    /// The event it is about.
    pub event_id: Option<EventId>,
    /// Trace: the state that the event went to. Audit: what was done.
    pub kind: String,
    /// All of it, a JSON object. Trace: `from`, `to`, `code`, `detail`. Audit: `by`, `from`, `reason`, `what`,
    /// `subject`, `before`, `after`.
    pub body: String,
}

/// What a page of the feed is asked for.
#[derive(Debug, Clone)]
pub struct FeedRead {
    /// Messages to this destination.
    pub destination: String,
    /// Only these types; empty is all.
    pub types: Vec<String>,
    /// Only of events of these sources; empty is all (a token's limit).
    pub sources: Vec<String>,
    /// Messages after this position; 0 is the beginning.
    pub after: u64,
    /// At most so many; the engine caps at 500, and by bytes.
    pub limit: usize,
    /// When.
    pub now_us: i64,
    /// A payment that nobody was sent yet is handed out only if its anchor was confirmed since.
    pub anchor_since_us: i64,
}

/// A page of the feed.
#[derive(Debug, Clone, Default)]
pub struct FeedPage {
    /// In commit order.
    pub items: Vec<FeedItem>,
    /// Where the next page begins; what was asked for when there is nothing more at the moment. It may move while
    /// `items` is empty: what was passed over is of no interest to this reader.
    pub next: u64,
    /// The page ended before a message whose anchor has to be looked at first; verification has been asked to.
    pub anchor_stale: bool,
}

/// A message of the feed.
#[derive(Debug, Clone)]
pub struct FeedItem {
    /// Its position; never repeats and never changes.
    pub seq: u64,
    /// Its id.
    pub webhook_id: WebhookId,
    /// Its type.
    pub message_type: String,
    /// The bytes that push sends.
    pub body: Vec<u8>,
}

/// What a backend that pulls says it has.
#[derive(Debug, Clone)]
pub struct FeedAck {
    /// Where it reads.
    pub destination: String,
    /// Messages that it has stored; at most 500 are looked at.
    pub webhook_ids: Vec<WebhookId>,
    /// Only of events of these sources; empty is all (a token's limit).
    pub sources: Vec<String>,
    /// When.
    pub now_us: i64,
}

/// What became of an acknowledgement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeedAcked {
    /// Messages that are delivered now and were not before.
    pub delivered: Vec<WebhookId>,
    /// Messages that were delivered already.
    pub repeated: Vec<WebhookId>,
    /// Messages that the destination was never handed, or that were given up or superseded.
    pub refused: Vec<WebhookId>,
}
