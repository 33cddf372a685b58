//! The handle: cheap to clone, and no channel shows through it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use crate::delivery::{Head, Health, NewDelivery, NewRejected, Options, Receipt, Record, RejectedRecord};
use crate::disk::{Disk, Synced};
use crate::engine::Engine;
use crate::envelope::PAYLOAD_BYTES_MAX;
use crate::error::{AppendError, OpenError, ReadError};
use crate::link::{self, Link};
use crate::plan::Entry;
use crate::poison::Poison;
use crate::rejected::{self, Ring};
use crate::space::Space;
use crate::writer::{Job, Writer};
use crate::{keys, meta, reader, recovery};

/// Deliveries waiting for the writer.
const QUEUE_DELIVERIES_MAX: usize = 4096;
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
    ring: Ring,
}

/// What the writer thread tells the handles.
pub(crate) struct Shared {
    head: RwLock<Head>,
    seq: watch::Sender<u64>,
    pub(crate) poison: Poison,
}

impl Shared {
    pub(crate) fn new(head: Head) -> Self {
        Self { head: RwLock::new(head), seq: watch::Sender::new(head.seq), poison: Poison::default() }
    }

    /// Makes a head visible. Only after its fsync.
    pub(crate) fn publish(&self, head: Head) {
        *self.head.write().unwrap_or_else(PoisonError::into_inner) = head;
        self.seq.send_replace(head.seq);
    }

    fn head(&self) -> Head {
        *self.head.read().unwrap_or_else(PoisonError::into_inner)
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

    pub(crate) fn open_on(
        options: Options,
        disk: impl FnOnce(Arc<Engine>) -> Box<dyn Disk>,
    ) -> Result<Self, OpenError> {
        let recovery::Opened { engine, log_id, head } = recovery::open(&options.path)?;
        let engine = Arc::new(engine);
        let space = Arc::new(Space::new(&options.path, options.reserve_bytes));
        let ring = Ring::open(&options.path, options.rejected_max_bytes, Arc::clone(&space))?;
        let shared = Arc::new(Shared::new(head));
        let (sender, queue) = mpsc::channel(QUEUE_DELIVERIES_MAX);
        let writer = Writer {
            engine: Arc::clone(&engine),
            disk: disk(Arc::clone(&engine)),
            shared: Arc::clone(&shared),
            queue,
            repeats_max: options.repeats_max.max(1),
            observer: options.observer,
            head,
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
        if let Some(why) = self.0.shared.poison.why() {
            return Err(AppendError::Poisoned(why.to_string()));
        }
        let Some(queue) = self.0.queue() else {
            return Err(AppendError::Closed);
        };
        if let Err(below) = self.0.space.check() {
            return Err(AppendError::BelowReserve { free: below.free, reserve: below.reserve });
        }
        let (answer, answered) = oneshot::channel();
        let job = Job { entry: entry(delivery, apart)?, answer };
        let queued = match queue.try_send(job) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(self.0.stopped()),
            Err(mpsc::error::TrySendError::Full(job)) => match queue.send_timeout(job, QUEUE_WAIT).await {
                Ok(()) => Ok(()),
                Err(mpsc::error::SendTimeoutError::Timeout(_)) => Err(AppendError::Busy),
                Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(self.0.stopped()),
            },
        };
        // The writer ends when no sender is left: do not hold one while it works.
        drop(queue);
        queued?;
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
        self.0.shared.head()
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

    /// A delivery by id, verified. Blocks.
    ///
    /// # Errors
    /// When the record is damaged, missing or newer than this release, or the disk does not answer.
    pub fn delivery(&self, id: Uuid) -> Result<Option<Record>, ReadError> {
        reader::delivery(&self.0.engine, self.head(), id)
    }

    /// The latest rejected requests of one source or of all, newest first. What was handed to [`Store::reject`] a
    /// moment ago may not be there yet. Blocks.
    ///
    /// # Errors
    /// When the disk does not answer. A damaged entry is left out: the ring is not evidence.
    pub fn rejected(&self, source: Option<&str>, limit: usize) -> Result<Vec<RejectedRecord>, ReadError> {
        self.0.ring.read(source, limit)
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

/// Computes outside the writer thread what can be.
fn entry(delivery: NewDelivery, apart: Option<&[u8]>) -> Result<Entry, AppendError> {
    debug_assert_eq!(link::sha256(&delivery.body), delivery.body_sha256, "the caller's digest is not of this body");
    let (id, body_sha256) = (delivery.id, delivery.body_sha256);
    let body_key = keys::body(&delivery.source, &body_sha256, apart);
    let (meta, body) = meta::of_delivery(delivery);
    let bytes = meta.len().saturating_add(body.len());
    if PAYLOAD_BYTES_MAX < bytes {
        return Err(AppendError::TooLarge { bytes, limit: PAYLOAD_BYTES_MAX });
    }
    Ok(Entry { id, body_key, body_sha256, meta_sha256: link::sha256(&meta), meta, body })
}

#[cfg(test)]
mod tests;
