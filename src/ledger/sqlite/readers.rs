//! Readers: a few connections that only read, each answer from one snapshot.
//!
//! They run off the async workers, never hold a lock while they read, and never more than [`READERS`] at once.
//! A connection that failed, or whose file is gone, is dropped and opened anew when next needed.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::place::{Mode, Opened, Place};
use crate::ledger::LedgerError;
use crate::task;

/// Connections, and so reads, at a time.
const READERS: usize = 4;

/// The pool.
pub(super) struct Readers {
    place: Arc<Place>,
    slots: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Opened>>>,
}

impl Readers {
    pub(super) fn new(place: Place) -> Self {
        Self { place: Arc::new(place), slots: Arc::new(Semaphore::new(READERS)), idle: Arc::default() }
    }

    /// Runs `work` on one snapshot of what is committed.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, LedgerError> + Send + 'static,
    {
        let unavailable = |why: &str| LedgerError::Unavailable(why.to_owned());
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| unavailable("no readers"))?;
        let (place, idle) = (Arc::clone(&self.place), Arc::clone(&self.idle));
        let read = task::spawn_blocking(move || {
            // A caller that gave up frees the slot only when the read ends.
            let _slot = slot;
            let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let opened = match kept.filter(|opened| place.holds(opened)) {
                Some(opened) => opened,
                None => place.connect(Mode::Read)?,
            };
            let answer = snapshot(&opened.conn, work);
            if !matches!(answer, Err(LedgerError::Unavailable(_))) && opened.conn.is_autocommit() {
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(opened);
            }
            answer
        });
        read.await.map_err(|error| LedgerError::Damaged(format!("a read ended in a panic: {error}")))?
    }
}

fn snapshot<T>(conn: &Connection, work: impl FnOnce(&Connection) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
    conn.prepare_cached("BEGIN DEFERRED")?.execute([])?;
    let answer = work(conn);
    conn.prepare_cached("ROLLBACK")?.execute([])?;
    answer
}
