//! The ledger: what is known and due. Every guarantee is a constraint of the database.
//!
//! [`Ledger`] is the interface of its engines; SQLite is the embedded one. A call is one transaction: it happens
//! whole or not at all, and what it wrote is visible to every later call. Repeating a call is safe where its doc
//! says so. Sums and state transitions are pure ([`state`], [`sums`]) and run inside the engine's transaction.

use std::future::Future;
use std::pin::Pin;

pub mod entry;
pub mod sqlite;
pub mod state;
pub mod sums;

#[cfg(test)]
mod conformance;

pub use entry::*;

use crate::model::{EventId, WebhookId};

/// What an engine answers with.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, LedgerError>> + Send + 'a>>;

/// Why a call failed. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The database does not answer, is locked, or its disk is full. Try again later; acks go on meanwhile.
    #[error("the ledger is unavailable: {0}")]
    Unavailable(String),
    /// What was read breaks a rule of this program: stop and look.
    #[error("the ledger is damaged: {0}")]
    Damaged(String),
    /// The log was rewound, or is another one: restore both from the same moment.
    #[error("EVIDENCE_REWOUND: {0}")]
    EvidenceRewound(String),
    /// A list was asked to go on after something that is no cursor of ours.
    #[error("{0:?} is no cursor: take `next` of the last page")]
    BadCursor(String),
}

/// The ledger's interface.
pub trait Ledger: Send + Sync + 'static {
    // ---- intake

    /// The last record of the log that was taken in, if any.
    fn cursor(&self) -> Answer<'_, Option<Cursor>>;

    /// Takes in a batch and moves the cursor, in one transaction. Unique by identity: a delivery of a known event
    /// adds a row and, when its claim says something new, a claim version. Repeating a batch whose cursor was
    /// already moved writes nothing.
    fn intake(&self, batch: IntakeBatch) -> Answer<'_, Vec<Taken>>;

    // ---- verify

    /// Events whose time has come: claims to check, twins that did not come, anchors to look at again. Each with
    /// the expectation that names it. Does not lease: one process verifies.
    fn due_events(&self, now_us: i64, limit: usize) -> Answer<'_, Vec<DueEvent>>;

    /// Writes a verdict that sends nothing: refuted, undetermined, held, awaiting finality, settled.
    /// `Stale` when the event is no longer at the version judged.
    fn record_verdict(&self, verdict: RecordVerdict) -> Answer<'_, Committed>;

    /// Claims the transfers, adds the sums under the expectation's lock, renders the message and makes it due, in
    /// one transaction. The message is rendered by the caller's pure function, from what the transaction saw.
    fn confirm(&self, confirm: Confirm) -> Answer<'_, Confirmed>;

    // ---- forward

    /// Messages due to a destination, at most one a lane (the lane's oldest unfinished), lanes in flight left out.
    fn due_messages(&self, destination: &str, now_us: i64, limit: usize) -> Answer<'_, Vec<DueMessage>>;

    /// Records that an attempt is about to be made. Only after `Intent::Go` may a byte leave.
    fn record_intent(&self, intent: RecordIntent) -> Answer<'_, Intent>;

    /// Records what came of an attempt and what is due next.
    fn record_attempt(&self, result: RecordAttempt) -> Answer<'_, ()>;

    /// Makes attempts that a crash left open due again. Once, at start.
    fn recover_attempts(&self, now_us: i64) -> Answer<'_, u64>;

    // ---- expectations

    /// Puts an expectation and wakes, in the same transaction, every undetermined or held event it names.
    fn put_expectation(&self, put: PutExpectation) -> Answer<'_, PutOutcome>;

    /// Cancels one that nothing has claimed.
    fn cancel_expectation(&self, id: &str, now_us: i64) -> Answer<'_, CancelOutcome>;

    /// Ends open expectations whose deadline and grace are over; says how many. Repeating it is safe. Money that was
    /// mined in time still completes them.
    fn expire_expectations(&self, now_us: i64) -> Answer<'_, u64>;

    /// One expectation with its sums and events.
    fn expectation(&self, id: &str) -> Answer<'_, Option<ExpectationView>>;

    /// Expectations by id, after a cursor.
    fn expectations(&self, after: Option<String>, limit: usize) -> Answer<'_, Vec<ExpectationView>>;

    // ---- reading

    /// Deliveries, newest first.
    fn deliveries(&self, filter: Filter) -> Answer<'_, Vec<DeliveryView>>;

    /// One delivery as the ledger knows it. Absent while intake has not reached it.
    fn delivery(&self, id: uuid::Uuid) -> Answer<'_, Option<DeliveryView>>;

    /// Ids from `low` to `high`, each with its source, in order: what begins with the digits that a person typed.
    fn ids(&self, of: IdOf, low: uuid::Uuid, high: uuid::Uuid, limit: usize) -> Answer<'_, Vec<(uuid::Uuid, String)>>;

    /// Events, newest first.
    fn events(&self, filter: Filter) -> Answer<'_, Vec<EventView>>;

    /// One event with its trace, deliveries, messages and attempts.
    fn event(&self, id: EventId) -> Answer<'_, Option<EventDetail>>;

    /// A stored message's exact bytes.
    fn message(&self, id: WebhookId) -> Answer<'_, Option<Vec<u8>>>;

    /// Counts for metrics and readiness.
    fn stats(&self, now_us: i64) -> Answer<'_, Stats>;
}
