//! The ledger: what is known and due. Every guarantee is a constraint of the database.
//!
//! [`Ledger`] is the interface of its engines; SQLite is the embedded one. Sums and state transitions are pure
//! ([`state`], [`sums`]) and run inside the engine's transaction.

use std::future::Future;
use std::pin::Pin;

pub mod entry;
mod operations;
mod sought;
pub mod sqlite;
pub mod state;
pub mod sums;

#[cfg(test)]
mod conformance;

pub use entry::*;
pub use operations::{JOBS_KEPT, Operations};
pub use sought::Sought;

use chain_config::{Need, TierSpec};

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

/// The ledger's interface. What holds for every call, and is tested by the conformance suite that every engine
/// passes unchanged:
///
/// - **Atomic.** A call is one transaction: it happens whole or not at all. An error other than a lost connection
///   means that nothing was written.
/// - **Durable.** A call that has answered is on disk: no crash and no power cut takes it back. A call that was under
///   way in a crash happened or did not; who calls again after a restart finds out, and repeating is safe where the
///   method says so.
/// - **Visible.** What an answered call wrote is seen by every call that begins afterwards. A read sees one moment:
///   never half of a transaction, and never a later one without an earlier one.
/// - **In order.** Writes happen one after the other. Numbers of [`Self::changes`] and positions of [`Self::feed`]
///   ascend in the order of their commits.
/// - **Fails closed.** When the database does not answer, calls fail with [`LedgerError::Unavailable`] and work again
///   when it does. A caller that drops the future does not undo its call.
pub trait Ledger: Operations {
    /// Which ledger this is. Never changes while it is open.
    fn identity(&self) -> Answer<'_, LedgerIdentity>;

    // ---- intake

    /// The last record of the log that was taken in, if any.
    fn cursor(&self) -> Answer<'_, Option<Cursor>>;

    /// Takes in a batch and moves the cursor, in one transaction. Unique by identity: a delivery of a known event
    /// adds a row and, when its claim says something new, a claim version. Repeating a batch whose cursor was
    /// already moved writes nothing. A known delivery changes no event; read from another log (a restored one), it is
    /// noted to lie there now.
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

    /// Takes a forwarded payment back: its open message is retried no more, its claims become tombstones, its sum falls,
    /// and the message that says so takes its place in the lane; one transaction. `Stale` when the event is no longer at
    /// the version judged, or nothing was sent of it.
    fn retract(&self, retract: Retract) -> Answer<'_, Committed>;

    /// Moves a forwarded payment to the block that it is in now: old slots become tombstones and new ones are claimed in
    /// one transaction. Nothing is sent. `Stale` as in [`Self::retract`], or when another event holds one of the slots.
    fn reanchor(&self, reanchor: Reanchor) -> Answer<'_, Committed>;

    // ---- heads

    /// Makes events due that wait for what was reached; says how many. Repeating it is safe.
    fn wake_reached(&self, reached: Reached, now_us: i64) -> Answer<'_, u64>;

    /// Makes events due that stand on blocks of a chain from a height on, because those blocks may be gone; says how
    /// many. Repeating it is safe.
    fn wake_anchored(&self, chain_id: u64, from_height: u64, now_us: i64) -> Answer<'_, u64>;

    /// Makes events due that wait for this on a chain, because some need not wait for it any more; says how many. What is
    /// being judged by what was in force before is judged again. Repeating it is safe.
    fn wake_eased(&self, chain_id: u64, need: Need, now_us: i64) -> Answer<'_, u64>;

    /// Whether any event waits for a chain or stands on a block of it that is not final.
    fn is_watched(&self, chain_id: u64) -> Answer<'_, bool>;

    // ---- scanning

    /// Expectations that money on a chain may come for, by id: those open, and those that ended at or after a time, but for
    /// cancelled ones. At most `limit`: whoever needs all of them asks for one more than he can take.
    fn scan_targets(&self, chain_id: u64, since_us: i64, limit: usize) -> Answer<'_, Vec<ScanTarget>>;

    /// How far a chain was searched.
    fn scan_cursor(&self, chain_id: u64) -> Answer<'_, Option<ScanCursor>>;

    /// Which of these no event is about yet: neither holds one the transfer, nor is one judging it. A read that saves
    /// asking nodes for what is known; [`Self::take_scanned`] looks again.
    fn unannounced(&self, sightings: Vec<Sighting>) -> Answer<'_, Vec<Sighting>>;

    /// Moves the cursor from where it has to stand and makes an event for each find that no event is about, in one
    /// transaction. Repeating it is safe: it is `Stale`, and what was found makes no second event.
    fn take_scanned(&self, batch: ScanBatch) -> Answer<'_, Scanned>;

    /// Makes an event of money that an operator submits, unless one is about it, and notes in the audit who did; one
    /// transaction. Repeating it is safe: it answers the event that is known.
    fn submit(&self, submission: Submission) -> Answer<'_, Submitted>;

    /// What does not add up: events made by scans since a time, and open expectations that no event is about; the oldest
    /// `limit` of those by name.
    fn reconciliation(&self, since_us: i64, limit: usize) -> Answer<'_, Reconciliation>;

    // ---- chains

    /// What proves an event's payment, one entry a block that a message stood on, the oldest first.
    fn chain_evidence(&self, event: EventId) -> Answer<'_, Vec<ChainEvidence>>;

    /// Sets a chain's finality tiers, or takes them back; with the audit, in one transaction. False when it was so.
    fn set_finality(&self, chain: &str, tiers: Option<Vec<TierSpec>>, by: Who, now_us: i64) -> Answer<'_, bool>;

    /// The tiers that were set at run time.
    fn finality_overrides(&self) -> Answer<'_, Vec<FinalityOverride>>;

    /// Takes a node, or with an empty name a whole chain, out of use or back; with the audit, in one transaction. False
    /// when it was so.
    fn set_cordon(&self, chain: &str, node: &str, out: bool, by: Who, now_us: i64) -> Answer<'_, bool>;

    /// What is out of use.
    fn cordons(&self) -> Answer<'_, Vec<Cordon>>;

    // ---- forward

    /// Messages due to a destination, at most one a lane (the lane's oldest unfinished), lanes in flight left out, and
    /// none that a pause holds. A lane whose oldest message is of a paused source waits for it.
    fn due_messages(&self, destination: &str, now_us: i64, limit: usize) -> Answer<'_, Vec<DueMessage>>;

    /// Records that an attempt is about to be made. Only after `Intent::Go` may a byte leave, and after a pause has
    /// answered there is none for what it holds.
    fn record_intent(&self, intent: RecordIntent) -> Answer<'_, Intent>;

    /// Records what came of an attempt and what is due next.
    fn record_attempt(&self, result: RecordAttempt) -> Answer<'_, ()>;

    /// Makes what waits out a backoff due now, except where the backend asked for the wait (an attempt's outcome
    /// `retry_after`). Says how many: [`HASTENED_MAX`] a call, and then there may be more. For a destination that is back.
    fn hasten(&self, destination: &str, now_us: i64) -> Answer<'_, u64>;

    /// When a destination was left alone, the oldest first, as it was put last.
    fn outages(&self, destination: &str) -> Answer<'_, Vec<Outage>>;

    /// Puts these in place of those that were put before. An engine keeps at least the newest 500.
    fn put_outages(&self, destination: &str, outages: Vec<Outage>) -> Answer<'_, ()>;

    /// Makes attempts that a crash left open due again. Once, at start.
    fn recover_attempts(&self, now_us: i64) -> Answer<'_, u64>;

    // ---- expectations

    /// Puts an expectation and wakes, in the same transaction, every undetermined or held event it names. The audit
    /// says who did, unless nothing changed.
    fn put_expectation(&self, put: PutExpectation) -> Answer<'_, PutOutcome>;

    /// Cancels one that nothing has claimed. The audit says who did, unless it was cancelled before.
    fn cancel_expectation(&self, id: &str, by: Who, now_us: i64) -> Answer<'_, CancelOutcome>;

    /// Ends open expectations whose deadline and grace are over; says how many. Repeating it is safe. Money that was
    /// mined in time still completes them.
    fn expire_expectations(&self, now_us: i64) -> Answer<'_, u64>;

    /// One expectation with its sums and events.
    fn expectation(&self, id: &str) -> Answer<'_, Option<ExpectationView>>;

    /// Expectations by id, after a cursor.
    fn expectations(&self, after: Option<String>, limit: usize) -> Answer<'_, Vec<ExpectationView>>;

    // ---- reading

    /// Deliveries, newest first; they fit a filter of events by their event.
    ///
    /// Following `next` to the end gives every row that was there at the first page and fitted all the while, once,
    /// whatever is written meanwhile. No page looks at more than a fixed number of rows.
    fn deliveries(&self, filter: Filter) -> Answer<'_, Page<DeliveryView>>;

    /// One delivery as the ledger knows it. Absent while intake has not reached it.
    fn delivery(&self, id: uuid::Uuid) -> Answer<'_, Option<DeliveryView>>;

    /// Ids from `low` to `high`, each with its source, in order: what begins with the digits that a person typed.
    fn ids(&self, of: IdOf, low: uuid::Uuid, high: uuid::Uuid, limit: usize) -> Answer<'_, Vec<(uuid::Uuid, String)>>;

    /// Events, newest first; as [`Self::deliveries`].
    fn events(&self, filter: Filter) -> Answer<'_, Page<EventView>>;

    /// Expectations that are known by this: their id, their key, or, while they are open, a recipient. At most
    /// `limit`.
    fn expectations_for(&self, sought: Sought, limit: usize) -> Answer<'_, Vec<ExpectationView>>;

    /// One event with its trace, deliveries, messages and attempts.
    fn event(&self, id: EventId) -> Answer<'_, Option<EventDetail>>;

    /// A stored message's exact bytes.
    fn message(&self, id: WebhookId) -> Answer<'_, Option<Vec<u8>>>;

    /// Counts for metrics and readiness.
    fn stats(&self, now_us: i64) -> Answer<'_, Stats>;

    // ---- following

    /// Decisions after a number, oldest first; at most `limit`, which the engine caps at 1000, fewer when they are
    /// large, and none only at the end.
    ///
    /// Numbers start at 1 and have no gaps, so whoever saw one saw every decision before it, across crashes and
    /// concurrent writes. A decision is never deleted, and who, what, from, to and code never change. One thing may:
    /// a look that comes to the outcome of the event's last entry takes the place of that entry's time and detail.
    fn changes(&self, table: ChangeTable, after: u64, limit: usize) -> Answer<'_, Vec<Change>>;

    /// The messages to a destination in commit order, with the bytes that push sends.
    ///
    /// Positions ascend and are never reused, and no message appears behind a position that was handed out: following
    /// `next` misses none and repeats none. Superseded messages are left out. To hand a message out is to send it
    /// (rule 19): in the same transaction it counts as forwarded. So a payment that nobody was sent yet is handed out
    /// only while no pause holds it and its anchor is fresh, as by [`Self::record_intent`]; else the page ends before
    /// it. It is not marked as delivered. A position beyond the newest message is a [`LedgerError::BadCursor`].
    fn feed(&self, read: FeedRead) -> Answer<'_, FeedPage>;

    /// Marks messages that were handed out as delivered, in one transaction. Repeating it changes nothing.
    fn acknowledge(&self, ack: FeedAck) -> Answer<'_, FeedAcked>;

    // ---- operating

    /// Pauses or resumes, and records who did in the same transaction. False when it was so already; nothing is
    /// written then. Survives restarts. Once a pause has answered, no new attempt begins for what it holds;
    /// attempts in flight end as they end.
    fn set_pause(&self, target: PauseTarget, paused: bool, by: Who, now_us: i64) -> Answer<'_, bool>;

    /// What is paused now.
    fn pauses(&self) -> Answer<'_, Vec<Pause>>;

    /// Adds to the audit; answers the entry's number. Entries are never changed or deleted. Too long texts are cut
    /// and too large values replaced by a note, so that nothing that was done goes unrecorded.
    fn audit_add(&self, entry: AuditEntry) -> Answer<'_, u64>;

    /// The audit, newest first. No page looks at more than a fixed number of entries.
    fn audit(&self, filter: AuditFilter) -> Answer<'_, Page<AuditRecord>>;

    // ---- lifetime

    /// Deliveries of a source after a record that retention may take, oldest first, each with what has to stay of
    /// it: only of events that are settled, refuted, ignored or retracted with no open message, or of no event. Never
    /// past the cursor, never of another log than the cursor's, never one that is gone already. The answer is of one
    /// moment; what is prunable may become unprunable (a new claim frees a refuted event), which loses a body and no
    /// knowledge.
    fn prunable(&self, source: &str, limit: PruneLimit, after_seq: u64, count: usize) -> Answer<'_, PrunePage>;

    /// Notes that deliveries are out of the log; says how many of them are known. Erased stays erased. Repeating it
    /// is safe. No identity, claim, event or delivery row is deleted (rule 7).
    fn mark_removed(&self, removed: Vec<(uuid::Uuid, RemovedHow)>, now_us: i64) -> Answer<'_, u64>;

    /// Notes that pruned deliveries are in the log again; says how many were noted as pruned. Erased stays erased.
    /// Repeating it is safe.
    fn mark_returned(&self, returned: Vec<uuid::Uuid>) -> Answer<'_, u64>;

    /// What has to stay of a delivery when it goes.
    fn stub_of(&self, delivery_id: uuid::Uuid) -> Answer<'_, KnownDelivery>;

    /// Writes a copy of one moment to `path`, which must not exist, while everything goes on. When it answers, the
    /// copy is whole and on disk; when it fails or the process dies, nothing is at `path`. A log that is copied
    /// afterwards holds everything that the copy's cursor names.
    fn snapshot(&self, path: &std::path::Path) -> Answer<'_, Snapshot>;
}
