//! The ring of rejected requests: a database, a queue and a thread of its own, without any fsync.
//!
//! It exists so that a forgotten rotation of a secret can be put right later. It is not evidence: a power cut may
//! lose its end, and when it cannot be opened it is begun again, empty. It must never slow or fail the log, so
//! nothing here waits: a full queue, a full disk or a failed write forgets the request and counts it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use uuid::Uuid;

use crate::delivery::{BodyComplete, NewRejected, RejectedFilter, RejectedPage, RejectedRecord};
use crate::engine::Fault;
use crate::error::{OpenError, ReadError};
use crate::space::Space;

mod rows;
mod shelf;

use shelf::{Kept, Shelf};

/// Bytes of a body that are kept: enough for every webhook seen, so that its signature can be checked again.
pub(crate) const BODY_BYTES_MAX: usize = 256 * 1024;
/// Requests waiting for the thread: 32 MiB of bodies at most.
const QUEUE_REQUESTS_MAX: usize = 128;
/// Requests one read answers.
const READ_REQUESTS_MAX: usize = 1000;
const FOLDER: &str = "rejected";

/// The ring's handle.
pub(crate) struct Ring {
    shelf: Arc<Shelf>,
    space: Arc<Space>,
    queue: Mutex<Option<SyncSender<NewRejected>>>,
    dropped: Arc<AtomicU64>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Ring {
    /// Opens the ring in the log's folder, which the caller has locked.
    pub(crate) fn open(folder: &Path, source_bytes_max: u64, space: Arc<Space>) -> Result<Self, OpenError> {
        let path = folder.join(FOLDER);
        let shelf = Arc::new(shelf_in(path.clone(), source_bytes_max)?);
        let dropped = Arc::new(AtomicU64::new(0));
        let (sender, queue) = sync_channel(QUEUE_REQUESTS_MAX);
        let worker = Worker { shelf: Arc::clone(&shelf), dropped: Arc::clone(&dropped) };
        let thread = std::thread::Builder::new()
            .name("evidence-rejected".to_owned())
            .spawn(move || worker.run(&queue))
            .map_err(|source| OpenError::Io { path, source })?;
        Ok(Self { shelf, space, queue: Mutex::new(Some(sender)), dropped, thread: Mutex::new(Some(thread)) })
    }

    /// Queues a request, or forgets and counts it.
    pub(crate) fn push(&self, rejected: NewRejected) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // The reserve is for the log.
        let fits = self.space.check().is_ok();
        let queued = fits && queue.as_ref().is_some_and(|queue| queue.try_send(cut(rejected)).is_ok());
        if !queued {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Requests forgotten since the start.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// What passes the filter, newest first, after an id.
    pub(crate) fn read(
        &self,
        filter: &RejectedFilter,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<RejectedPage, ReadError> {
        self.shelf.search(filter, after, limit.clamp(1, READ_REQUESTS_MAX))
    }

    /// One request.
    pub(crate) fn find(&self, id: Uuid) -> Result<Option<RejectedRecord>, ReadError> {
        self.shelf.find(id)
    }

    /// Ids in a range, with their sources.
    pub(crate) fn ids(&self, low: Uuid, high: Uuid, limit: usize) -> Result<Vec<(Uuid, String)>, ReadError> {
        self.shelf.ids(low, high, limit.min(READ_REQUESTS_MAX))
    }

    /// Notes that a request was admitted as a delivery; false when it is gone.
    pub(crate) fn admitted(&self, id: Uuid, delivery: Uuid) -> Result<bool, ReadError> {
        Ok(self.shelf.admitted(id, delivery)?)
    }

    /// Writes what is queued and ends the thread.
    pub(crate) fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the rejected requests panicked");
        }
    }
}

/// What the thread owns.
struct Worker {
    shelf: Arc<Shelf>,
    dropped: Arc<AtomicU64>,
}

impl Worker {
    fn run(&self, queue: &Receiver<NewRejected>) {
        let mut said = 0;
        while let Ok(rejected) = queue.recv() {
            match self.shelf.keep(rejected) {
                Ok(Kept::Yes) => {}
                Ok(Kept::TooLarge) => self.forget(),
                Err(fault) => {
                    self.forget();
                    tracing::warn!(error = %fault, "could not keep a rejected request");
                }
            }
            let dropped = self.dropped.load(Ordering::Relaxed);
            if said < dropped {
                tracing::warn!(dropped, "rejected requests were not kept: the ring's queue or its disk is full");
                // Doubling bounds the lines that a flood can cause.
                said = dropped.saturating_mul(2);
            }
        }
    }

    fn forget(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

fn shelf_in(path: PathBuf, source_bytes_max: u64) -> Result<Shelf, OpenError> {
    std::fs::create_dir_all(&path).map_err(|source| OpenError::Io { path: path.clone(), source })?;
    let first: Fault = match Shelf::open(&path, source_bytes_max) {
        Ok(shelf) => return Ok(shelf),
        Err(fault) => fault,
    };
    tracing::warn!(path = %path.display(), error = %first, "the ring of rejected requests cannot be read and is begun again");
    shelf::destroy(&path)
        .and_then(|()| Shelf::open(&path, source_bytes_max))
        .map_err(|fault| OpenError::Io { path, source: std::io::Error::other(fault.0) })
}

/// Cuts a body to what is kept; the cut part is copied so that the rest's memory is given back.
fn cut(mut rejected: NewRejected) -> NewRejected {
    if let Some(start) = rejected.body.get(..BODY_BYTES_MAX)
        && BODY_BYTES_MAX < rejected.body.len()
    {
        rejected.body = Bytes::copy_from_slice(start);
        rejected.body_complete = BodyComplete::Prefix;
    }
    rejected
}

#[cfg(test)]
mod tests;
