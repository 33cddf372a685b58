//! The handle: cheap to clone, and no channel shows through it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use crate::decision::Decision;
use crate::delivery::{
    Counts, Head, Health, NewDelivery, NewRejected, Options, RawRecord, Receipt, Record, RejectedFilter, RejectedPage,
    RejectedRecord,
};
use crate::disk::{Disk, Synced};
use crate::engine::Engine;
use crate::envelope::PAYLOAD_BYTES_MAX;
use crate::error::{AppendError, OpenError, ReadError};
use crate::link::Link;
use crate::plan::{DecisionEntry, DeliveryEntry, State};
use crate::poison::Poison;
use crate::rejected::{self, Ring};
use crate::seal::Tree;
use crate::space::Space;
use crate::writer::{Job, Writer};
use crate::{reader, recovery};

mod changes;
mod seal;

pub use seal::{SealError, Sealed};

/// Deliveries and other work waiting for the writer.
const QUEUE_JOBS_MAX: usize = 4096;
/// How long an append waits for a place in the queue.
const QUEUE_WAIT: Duration = Duration::from_secs(2);

/// The evidence log and the ring of rejected requests beside it. Clones share them; when the last one goes, the log
/// is closed.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    path: PathBuf,
    log_id: Uuid,
    engine: Arc<Engine>,
    shared: Arc<Shared>,
    space: Arc<Space>,
    /// Taken by `close`; an append clones it only for as long as it waits for a place.
    queue: RwLock<Option<mpsc::Sender<Job>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Held by a change of what is stored, from its first read to its commit.
    changing: Mutex<()>,
    /// Held while removed bytes are taken off the disk.
    reclaiming: Mutex<()>,
    /// The tree as far as this process took it, and the size of the last checkpoint; read on the first seal.
    tree: Mutex<Option<(Tree, u64)>>,
    ring: Ring,
}

/// What the writer thread tells the handles.
pub(crate) struct Shared {
    state: RwLock<State>,
    seq: watch::Sender<u64>,
    pub(crate) poison: Poison,
}

impl Shared {
    pub(crate) fn new(state: State) -> Self {
        Self { state: RwLock::new(state), seq: watch::Sender::new(state.head.seq), poison: Poison::default() }
    }

    /// Makes an end of the log visible. Only after its fsync.
    pub(crate) fn publish(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
        self.seq.send_if_modified(|seq| std::mem::replace(seq, state.head.seq) != state.head.seq);
    }

    fn state(&self) -> State {
        *self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Bytes kept of a rejected request's body.
    pub const REJECTED_BODY_BYTES_MAX: usize = rejected::BODY_BYTES_MAX;

    /// Opens the log, or makes a new one. Blocks: what RocksDB replays is bounded by the size of its write-ahead log,
    /// not by the log's.
    ///
    /// # Errors
    /// When the folder is locked, cannot be used, is damaged, or was written by a later release.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        Self::open_on(options, |engine| Box::new(Synced(engine)))
    }

    /// What is fsynced, and how many records of each kind that is.
    pub(crate) fn end(&self) -> (Head, Counts) {
        let state = self.0.shared.state();
        (state.head, state.counts)
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Work that waits for the writer.
    #[cfg(test)]
    pub(crate) fn queued(&self) -> usize {
        self.0.queue().map_or(0, |queue| queue.max_capacity() - queue.capacity())
    }

    pub(crate) fn open_on(
        options: Options,
        disk: impl FnOnce(Arc<Engine>) -> Box<dyn Disk>,
    ) -> Result<Self, OpenError> {
        let recovery::Opened { engine, log_id, state } = recovery::open(&options.path)?;
        let engine = Arc::new(engine);
        let space = Arc::new(Space::new(&options.path, options.reserve_bytes));
        let ring = Ring::open(&options.path, options.rejected_max_bytes, Arc::clone(&space))?;
        let shared = Arc::new(Shared::new(state));
        let (sender, queue) = mpsc::channel(QUEUE_JOBS_MAX);
        let writer = Writer {
            engine: Arc::clone(&engine),
            disk: disk(Arc::clone(&engine)),
            shared: Arc::clone(&shared),
            queue,
            repeats_max: options.repeats_max.max(1),
            observer: options.observer,
            state,
        };
        let thread = std::thread::Builder::new()
            .name("evidence-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|source| OpenError::Io { path: options.path.clone(), source })?;
        Ok(Self(Arc::new(Inner {
            path: options.path,
            log_id,
            engine,
            shared,
            space,
            queue: RwLock::new(Some(sender)),
            writer: Mutex::new(Some(thread)),
            changing: Mutex::new(()),
            reclaiming: Mutex::new(()),
            tree: Mutex::new(None),
            ring,
        })))
    }

    /// Stores a delivery; `Ok` comes only after the fsync that covers it. Dropping the future does not take the
    /// delivery back.
    ///
    /// # Errors
    /// When there is no room, the log is poisoned, closed, or too busy for two seconds. Only after `Poisoned` may the
    /// delivery be stored nevertheless. Appending again is safe: it may add one more copy.
    pub async fn append(&self, delivery: NewDelivery) -> Result<Receipt, AppendError> {
        self.append_apart(delivery, None).await
    }

    /// As [`Store::append`], where the body is not all that the delivery says: copies are counted by body and `apart`,
    /// so that many of one statement never take the place of another.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn append_apart(&self, delivery: NewDelivery, apart: Option<&[u8]>) -> Result<Receipt, AppendError> {
        self.0.takes()?;
        let (answer, answered) = oneshot::channel();
        self.0.queue_job(Job::Delivery(DeliveryEntry::new(delivery, apart)?, answer)).await?;
        answered.await.unwrap_or_else(|_| Err(self.0.stopped()))
    }

    /// Stores decisions in one commit; `Ok` comes only after the fsync that covers them all, with the number of the
    /// last. One that the log has already, by its id, is not stored again: calling again is safe. Without decisions
    /// it is the number of the last record.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn append_decisions(&self, decisions: Vec<Decision>) -> Result<u64, AppendError> {
        self.0.takes()?;
        let entries: Vec<DecisionEntry> =
            decisions.into_iter().map(|decision| DecisionEntry::new(decision, [])).collect::<Result<_, _>>()?;
        let bytes = entries.iter().fold(0_usize, |sum, entry| sum.saturating_add(entry.parts.size_bytes()));
        if PAYLOAD_BYTES_MAX < bytes {
            return Err(AppendError::TooLarge { bytes, limit: PAYLOAD_BYTES_MAX });
        }
        let (answer, answered) = oneshot::channel();
        self.0.queue_job(Job::Decisions(entries, answer)).await?;
        answered.await.unwrap_or_else(|_| Err(self.0.stopped()))
    }

    /// Keeps a rejected request, if there is room: never waits, and a full ring or queue only forgets and counts.
    pub fn reject(&self, rejected: NewRejected) {
        self.0.ring.push(rejected);
    }

    /// Rejected requests that were not kept since the start.
    #[must_use]
    pub fn rejected_dropped(&self) -> u64 {
        self.0.ring.dropped()
    }

    /// The log's identity, made with the log.
    #[must_use]
    pub fn log_id(&self) -> Uuid {
        self.0.log_id
    }

    /// The last fsynced record.
    #[must_use]
    pub fn head(&self) -> Head {
        self.0.shared.state().head
    }

    /// How many records of each kind are fsynced.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.shared.state().counts
    }

    /// Follows the number of the last fsynced record.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.shared.seq.subscribe()
    }

    /// Records after `seq`, in order, whole and verified (checksum, digests, links), up to the fsynced head: at most
    /// `max_records` and about `max_bytes`, but at least one if there is one. Blocks.
    ///
    /// # Errors
    /// When a record is damaged, missing or newer than this release, or the disk does not answer.
    pub fn read_after(&self, seq: u64, max_records: usize, max_bytes: usize) -> Result<Vec<Record>, ReadError> {
        reader::after(&self.0.engine, self.head(), seq, max_records, max_bytes)
    }

    /// The link of record `seq`: zeros at 0, `None` beyond the fsynced head. Blocks.
    ///
    /// # Errors
    /// When the record is damaged, missing or newer than this release, or the disk does not answer.
    pub fn link_at(&self, seq: u64) -> Result<Option<Link>, ReadError> {
        reader::link_at(&self.0.engine, self.head(), seq)
    }

    /// One record, verified; `None` at 0 and beyond the fsynced head. Blocks.
    ///
    /// # Errors
    /// When the record is damaged, missing or newer than this release, or the disk does not answer.
    pub fn record(&self, seq: u64) -> Result<Option<Record>, ReadError> {
        reader::record(&self.0.engine, self.head(), seq)
    }

    /// One record as its bytes lie on disk, verified; `None` at 0 and beyond the fsynced head. Blocks.
    ///
    /// # Errors
    /// As [`Store::record`].
    pub fn raw(&self, seq: u64) -> Result<Option<RawRecord>, ReadError> {
        reader::raw(&self.0.engine, self.head(), seq)
    }

    /// The highest number of a decision of this table that the log has. Blocks.
    ///
    /// # Errors
    /// When the disk does not answer.
    pub fn last_decision(&self, ledger_id: Uuid, epoch: u32, table: u8) -> Result<Option<u64>, ReadError> {
        reader::last_decision(&self.0.engine, self.head(), &crate::keys::table(ledger_id, epoch, table))
    }

    /// The first decisions about an event, or of the log's own about a delivery, in their order. Blocks.
    ///
    /// # Errors
    /// As [`Store::record`].
    pub fn decisions_of(&self, subject: Uuid, limit: usize) -> Result<Vec<Record>, ReadError> {
        reader::decisions_of(&self.0.engine, self.head(), subject, limit)
    }

    /// A delivery by id, or the stub that is left of it, verified. Blocks.
    ///
    /// # Errors
    /// When the record is damaged, missing or newer than this release, or the disk does not answer.
    pub fn delivery(&self, id: Uuid) -> Result<Option<Record>, ReadError> {
        reader::delivery(&self.0.engine, self.head(), id)
    }

    /// Rejected requests, newest first, older than `after`. What was handed to [`Store::reject`] a moment ago may not
    /// be there yet. Work is bounded: a page may end early, and says where to go on. Blocks.
    ///
    /// # Errors
    /// When the disk does not answer. A damaged entry is left out: the ring is not evidence.
    pub fn rejected(
        &self,
        filter: &RejectedFilter,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<RejectedPage, ReadError> {
        self.0.ring.read(filter, after, limit)
    }

    /// A rejected request by id; none when it made room for others. Blocks.
    ///
    /// # Errors
    /// As [`Store::rejected`].
    pub fn rejected_by_id(&self, id: Uuid) -> Result<Option<RejectedRecord>, ReadError> {
        self.0.ring.find(id)
    }

    /// Ids of rejected requests from `low` to `high`, each with its source. Blocks.
    ///
    /// # Errors
    /// As [`Store::rejected`].
    pub fn rejected_ids(&self, low: Uuid, high: Uuid, limit: usize) -> Result<Vec<(Uuid, String)>, ReadError> {
        self.0.ring.ids(low, high, limit)
    }

    /// Notes what a rejected request was admitted as; false when it is gone. The note goes with the request: whether a
    /// delivery exists is for the log to say. Blocks.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn mark_admitted(&self, id: Uuid, delivery: Uuid) -> Result<bool, ReadError> {
        self.0.ring.admitted(id, delivery)
    }

    /// Whether the log takes deliveries.
    #[must_use]
    pub fn health(&self) -> Health {
        if let Some(why) = self.0.shared.poison.why() {
            return Health::Poisoned { why: why.to_string() };
        }
        match self.0.space.check() {
            Ok(()) => Health::Writable,
            Err(below) => Health::BelowReserve { free: below.free, reserve: below.reserve },
        }
    }

    /// Free bytes on the log's disk, at most 100 ms old; `None` when the disk does not say.
    #[must_use]
    pub fn disk_free(&self) -> Option<u64> {
        self.0.space.free()
    }

    /// Bytes of all files of the log and the ring; `None` when the folder cannot be read. Blocks.
    #[must_use]
    pub fn size_bytes(&self) -> Option<u64> {
        crate::space::folder_bytes(&self.0.path)
    }

    /// Waits until the log is poisoned and answers why. The process must end then.
    pub async fn poisoned(&self) -> String {
        self.0.shared.poison.wait().await.to_string()
    }

    /// Takes no more, writes and answers what is queued, and ends the threads. Reads go on; the folder stays locked
    /// until the last clone is gone. Blocks. Closing again changes nothing.
    pub fn close(&self) {
        self.0.close();
    }
}

impl Inner {
    fn queue(&self) -> Option<mpsc::Sender<Job>> {
        self.queue.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether anything is taken now.
    fn takes(&self) -> Result<(), AppendError> {
        self.lives()?;
        self.space.check().map_err(|below| AppendError::BelowReserve { free: below.free, reserve: below.reserve })
    }

    /// Whether the writer works.
    fn lives(&self) -> Result<(), AppendError> {
        match self.shared.poison.why() {
            Some(why) => Err(AppendError::Poisoned(why.to_string())),
            None if self.queue().is_none() => Err(AppendError::Closed),
            None => Ok(()),
        }
    }

    async fn queue_job(&self, job: Job) -> Result<(), AppendError> {
        // The writer ends when no sender is left: none is held while it works.
        let queue = self.queue().ok_or(AppendError::Closed)?;
        match queue.try_send(job) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(self.stopped()),
            Err(mpsc::error::TrySendError::Full(job)) => match queue.send_timeout(job, QUEUE_WAIT).await {
                Ok(()) => Ok(()),
                Err(mpsc::error::SendTimeoutError::Timeout(_)) => Err(AppendError::Busy),
                Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(self.stopped()),
            },
        }
    }

    /// Why the queue takes nothing.
    fn stopped(&self) -> AppendError {
        match self.shared.poison.why() {
            Some(why) => AppendError::Poisoned(why.to_string()),
            // Its only other way out is a queue without senders, and one was held.
            None => AppendError::Poisoned("the writer ended without an answer".to_owned()),
        }
    }

    fn close(&self) {
        drop(self.queue.write().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            self.shared.poison.set("the writer thread panicked");
        }
        self.ring.close();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests;
