//! The embedded ledger on SQLite: one writer that groups commands into one synced commit, a few readers beside it.
//!
//! The guarantees are constraints of `sqlite/schema*.sql`; the rules of the product are the commands, one file a
//! subject. A call that answers was committed; one that fails wrote nothing. A locked, full or missing database
//! makes calls fail with [`LedgerError::Unavailable`] until it is back, and never ends the process.

use std::path::{Path, PathBuf};

use chain_config::{Need, TierSpec};
use rusqlite::Connection;
use uuid::Uuid;

use super::{
    Answer, AuditEntry, AuditFilter, AuditRecord, CancelOutcome, ChainEvidence, Change, ChangeTable, Committed,
    Confirm, Confirmed, Cordon, Cursor, DeliveryView, DueEvent, DueMessage, EventDetail, EventView, ExpectationView,
    FeedAck, FeedAcked, FeedPage, FeedRead, Filter, FinalityOverride, IdOf, IntakeBatch, Intent, KnownDelivery, Ledger,
    LedgerError, LedgerIdentity, Outage, Page, Pause, PauseTarget, PruneLimit, PrunePage, PutExpectation, PutOutcome,
    Reached, Reanchor, Reconciliation, RecordAttempt, RecordIntent, RecordVerdict, RemovedHow, Retract, ScanBatch,
    ScanCursor, ScanTarget, Scanned, Sighting, Snapshot, Sought, Stats, Submission, Submitted, Taken, Who,
};
use crate::clock::Clock;
use crate::model::{EventId, WebhookId};
use crate::task;

mod again;
mod attempts;
mod audit;
mod chains;
mod claims;
mod confirm;
mod copy;
mod due;
mod examine;
mod expectations;
mod follow;
mod handle;
mod heights;
mod intake;
mod jobs;
mod meta;
mod operations;
mod outages;
mod outbox;
mod pauses;
mod place;
mod put;
mod read;
mod readers;
mod rebuild;
mod removal;
mod resend;
mod retract;
mod rows;
mod scan;
mod search;
mod sent;
mod submit;
mod verdict;
mod writer;

pub use copy::renew;
pub use examine::{Examined, examine};
pub use place::OpenError;
pub use rebuild::Draft;

/// The embedded engine.
pub struct Sqlite {
    place: place::Place,
    writer: writer::Writer,
    readers: readers::Readers,
}

impl Sqlite {
    /// Opens or makes the ledger at `path` and brings its schema up to date. Blocking; once, at start.
    ///
    /// # Errors
    /// When another process has it, a newer program wrote it, it is no ledger, or the file system refuses.
    pub fn open(path: &Path, clock: &Clock) -> Result<Self, OpenError> {
        let (place, lock) = place::open(path, clock.now().as_microsecond())?;
        let readers = readers::Readers::new(place.clone());
        let writer = writer::Writer::start(place.clone(), lock)
            .map_err(|error| OpenError::Io { path: path.to_owned(), why: error.to_string() })?;
        Ok(Self { place, writer, readers })
    }

    fn write<T, F>(&self, work: F) -> Answer<'_, T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, LedgerError> + Send + 'static,
    {
        Box::pin(self.writer.run(work))
    }

    fn read<T, F>(&self, work: F) -> Answer<'_, T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, LedgerError> + Send + 'static,
    {
        Box::pin(self.readers.run(work))
    }
}

impl Ledger for Sqlite {
    fn identity(&self) -> Answer<'_, LedgerIdentity> {
        Box::pin(std::future::ready(Ok(self.place.identity())))
    }

    fn cursor(&self) -> Answer<'_, Option<Cursor>> {
        self.read(intake::cursor)
    }

    fn intake(&self, batch: IntakeBatch) -> Answer<'_, Vec<Taken>> {
        Box::pin(self.writer.run_alone(move |conn| intake::take(conn, &batch)))
    }

    fn due_events(&self, now_us: i64, limit: usize) -> Answer<'_, Vec<DueEvent>> {
        self.read(move |conn| due::events(conn, now_us, limit))
    }

    fn record_verdict(&self, verdict: RecordVerdict) -> Answer<'_, Committed> {
        self.write(move |conn| verdict::record(conn, &verdict))
    }

    fn confirm(&self, confirm: Confirm) -> Answer<'_, Confirmed> {
        self.write(move |conn| confirm::confirm(conn, confirm))
    }

    fn retract(&self, retract: Retract) -> Answer<'_, Committed> {
        self.write(move |conn| retract::retract(conn, retract))
    }

    fn reanchor(&self, reanchor: Reanchor) -> Answer<'_, Committed> {
        self.write(move |conn| retract::reanchor(conn, &reanchor))
    }

    fn wake_reached(&self, reached: Reached, now_us: i64) -> Answer<'_, u64> {
        self.write(move |conn| heights::wake_reached(conn, &reached, now_us))
    }

    fn wake_anchored(&self, chain_id: u64, from_height: u64, now_us: i64) -> Answer<'_, u64> {
        self.write(move |conn| heights::wake_anchored(conn, chain_id, from_height, now_us))
    }

    fn wake_eased(&self, chain_id: u64, need: Need, now_us: i64) -> Answer<'_, u64> {
        self.write(move |conn| heights::wake_eased(conn, chain_id, need, now_us))
    }

    fn is_watched(&self, chain_id: u64) -> Answer<'_, bool> {
        self.read(move |conn| heights::is_watched(conn, chain_id))
    }

    fn scan_targets(&self, chain_id: u64, since_us: i64, limit: usize) -> Answer<'_, Vec<ScanTarget>> {
        self.read(move |conn| scan::targets(conn, chain_id, since_us, limit))
    }

    fn scan_cursor(&self, chain_id: u64) -> Answer<'_, Option<ScanCursor>> {
        self.read(move |conn| scan::cursor(conn, chain_id))
    }

    fn unannounced(&self, sightings: Vec<Sighting>) -> Answer<'_, Vec<Sighting>> {
        self.read(move |conn| scan::unannounced(conn, sightings))
    }

    fn take_scanned(&self, batch: ScanBatch) -> Answer<'_, Scanned> {
        self.write(move |conn| scan::take(conn, &batch))
    }

    fn submit(&self, submission: Submission) -> Answer<'_, Submitted> {
        self.write(move |conn| submit::take(conn, &submission))
    }

    fn reconciliation(&self, since_us: i64, limit: usize) -> Answer<'_, Reconciliation> {
        self.read(move |conn| scan::reconciliation(conn, since_us, limit))
    }

    fn chain_evidence(&self, event: EventId) -> Answer<'_, Vec<ChainEvidence>> {
        self.read(move |conn| chains::evidence(conn, event))
    }

    fn set_finality(&self, chain: &str, tiers: Option<Vec<TierSpec>>, by: Who, now_us: i64) -> Answer<'_, bool> {
        let chain = chain.to_owned();
        self.write(move |conn| chains::set_finality(conn, &chain, tiers.as_deref(), &by, now_us))
    }

    fn finality_overrides(&self) -> Answer<'_, Vec<FinalityOverride>> {
        self.read(chains::finality_overrides)
    }

    fn set_cordon(&self, chain: &str, node: &str, out: bool, by: Who, now_us: i64) -> Answer<'_, bool> {
        let (chain, node) = (chain.to_owned(), node.to_owned());
        self.write(move |conn| chains::set_cordon(conn, &chain, &node, out, &by, now_us))
    }

    fn cordons(&self) -> Answer<'_, Vec<Cordon>> {
        self.read(chains::cordons)
    }

    fn due_messages(&self, destination: &str, now_us: i64, limit: usize) -> Answer<'_, Vec<DueMessage>> {
        let destination = destination.to_owned();
        self.read(move |conn| outbox::due(conn, &destination, now_us, limit))
    }

    fn record_intent(&self, intent: RecordIntent) -> Answer<'_, Intent> {
        Box::pin(self.writer.run_again(move |conn| attempts::intend(conn, &intent)))
    }

    fn record_attempt(&self, result: RecordAttempt) -> Answer<'_, ()> {
        Box::pin(self.writer.run_again(move |conn| attempts::record(conn, &result)))
    }

    fn hasten(&self, destination: &str, now_us: i64) -> Answer<'_, u64> {
        let destination = destination.to_owned();
        self.write(move |conn| attempts::hasten(conn, &destination, now_us))
    }

    fn recover_attempts(&self, now_us: i64) -> Answer<'_, u64> {
        self.write(move |conn| attempts::recover(conn, now_us))
    }

    fn put_expectation(&self, put: PutExpectation) -> Answer<'_, PutOutcome> {
        self.write(move |conn| put::put(conn, put))
    }

    fn cancel_expectation(&self, id: &str, by: Who, now_us: i64) -> Answer<'_, CancelOutcome> {
        let id = id.to_owned();
        self.write(move |conn| put::cancel(conn, &id, by, now_us))
    }

    fn expire_expectations(&self, now_us: i64) -> Answer<'_, u64> {
        self.write(move |conn| expectations::expire(conn, now_us))
    }

    fn expectation(&self, id: &str) -> Answer<'_, Option<ExpectationView>> {
        let id = id.to_owned();
        self.read(move |conn| expectations::view(conn, &id))
    }

    fn expectations(&self, after: Option<String>, limit: usize) -> Answer<'_, Vec<ExpectationView>> {
        self.read(move |conn| expectations::list(conn, after.as_deref(), limit))
    }

    fn deliveries(&self, filter: Filter) -> Answer<'_, Page<DeliveryView>> {
        self.read(move |conn| read::deliveries(conn, &filter))
    }

    fn delivery(&self, id: Uuid) -> Answer<'_, Option<DeliveryView>> {
        self.read(move |conn| read::delivery(conn, id))
    }

    fn ids(&self, of: IdOf, low: Uuid, high: Uuid, limit: usize) -> Answer<'_, Vec<(Uuid, String)>> {
        self.read(move |conn| read::ids(conn, of, low, high, limit))
    }

    fn events(&self, filter: Filter) -> Answer<'_, Page<EventView>> {
        self.read(move |conn| read::events(conn, &filter))
    }

    fn expectations_for(&self, sought: Sought, limit: usize) -> Answer<'_, Vec<ExpectationView>> {
        self.read(move |conn| expectations::known_by(conn, &sought, limit))
    }

    fn event(&self, id: EventId) -> Answer<'_, Option<EventDetail>> {
        self.read(move |conn| read::event(conn, id))
    }

    fn message(&self, id: WebhookId) -> Answer<'_, Option<Vec<u8>>> {
        self.read(move |conn| read::message(conn, id))
    }

    fn stats(&self, _now_us: i64) -> Answer<'_, Stats> {
        Box::pin(async {
            let stats = self.readers.run(read::stats).await?;
            Ok(Stats { refuses_writes: self.writer.refuses(), ..stats })
        })
    }

    fn changes(&self, table: ChangeTable, after: u64, limit: usize) -> Answer<'_, Vec<Change>> {
        self.read(move |conn| follow::changes(conn, table, after, limit))
    }

    fn outages(&self, destination: &str) -> Answer<'_, Vec<Outage>> {
        let destination = destination.to_owned();
        self.read(move |conn| outages::of(conn, &destination))
    }

    fn put_outages(&self, destination: &str, outages: Vec<Outage>) -> Answer<'_, ()> {
        let destination = destination.to_owned();
        self.write(move |conn| outages::put(conn, &destination, &outages))
    }

    fn feed(&self, read: FeedRead) -> Answer<'_, FeedPage> {
        Box::pin(async move {
            // Mostly everything was sent before: then reading it disturbs no writer.
            let first = read.clone();
            let (page, unsent) =
                self.readers.run(move |conn| follow::feed(conn, &first, follow::Handing::OutWhatWasSent)).await?;
            if !unsent || !page.items.is_empty() {
                return Ok(page);
            }
            let handed = self.write(move |conn| follow::feed(conn, &read, follow::Handing::OutAsSent)).await?;
            Ok(handed.0)
        })
    }

    fn acknowledge(&self, ack: FeedAck) -> Answer<'_, FeedAcked> {
        self.write(move |conn| attempts::acknowledge(conn, &ack))
    }

    fn set_pause(&self, target: PauseTarget, paused: bool, by: Who, now_us: i64) -> Answer<'_, bool> {
        self.write(move |conn| pauses::set(conn, &target, paused, &by, now_us))
    }

    fn pauses(&self) -> Answer<'_, Vec<Pause>> {
        self.read(pauses::list)
    }

    fn audit_add(&self, entry: AuditEntry) -> Answer<'_, u64> {
        self.write(move |conn| audit::add(conn, &entry))
    }

    fn audit(&self, filter: AuditFilter) -> Answer<'_, Page<AuditRecord>> {
        self.read(move |conn| audit::list(conn, &filter, search::LOOKED_AT_MAX))
    }

    fn prunable(&self, source: &str, limit: PruneLimit, after_seq: u64, count: usize) -> Answer<'_, PrunePage> {
        let source = source.to_owned();
        self.read(move |conn| removal::prunable(conn, &source, limit, after_seq, count))
    }

    fn mark_removed(&self, removed: Vec<(Uuid, RemovedHow)>, now_us: i64) -> Answer<'_, u64> {
        self.write(move |conn| removal::mark(conn, &removed, now_us))
    }

    fn mark_returned(&self, returned: Vec<Uuid>) -> Answer<'_, u64> {
        self.write(move |conn| removal::unmark(conn, &returned))
    }

    fn stub_of(&self, delivery_id: Uuid) -> Answer<'_, KnownDelivery> {
        self.read(move |conn| removal::of_delivery(conn, delivery_id))
    }

    fn snapshot(&self, path: &Path) -> Answer<'_, Snapshot> {
        let (place, path): (_, PathBuf) = (self.place.clone(), path.to_owned());
        Box::pin(async move {
            let made = task::spawn_blocking(move || copy::snapshot(&place, &path)).await;
            made.map_err(|error| LedgerError::Damaged(format!("a copy ended in a panic: {error}")))?
        })
    }
}

#[cfg(test)]
mod tests;
