//! How long evidence is kept: deliveries that are settled and old, or more than their source keeps, leave the log for
//! the archive, and come back from it.
//!
//! The ledger says what may go (`Ledger::prunable`: nothing unsettled, nothing past intake's cursor), the log refuses
//! what is under hold, and where an archive is configured only what was read back from it is removed. A run is a walk
//! of small steps, each safe to stop behind:
//!
//! 1. `select`: the oldest deliveries of a source that its rule names, a chunk at a time;
//! 2. `keep`: their archive is written and read back; its name was noted before (`pending`), so that a run after a
//!    crash goes on with it;
//! 3. `remove`: stubs take their places in the log, a small batch at a time, with a decision that names the archive;
//!    then the ledger notes it. What a crash left unnoted is noted by the next `select`;
//! 4. the log takes the bytes off the disk.
//!
//! What this module must never do: decide that a delivery is settled, or lose an identity (rule 7: stubs keep them).

use std::sync::Arc;
use std::time::Duration;

use evidence_store::{AppendError, ChangeError, ReadError, Store};
use tokio::sync::Mutex;

use crate::archive::{ArchiveError, Flaw, Place};
use crate::clock::Clock;
use crate::config::Config;
use crate::jobs::{JobKind, Jobs, Progress};
use crate::ledger::{Ledger, LedgerError};
use crate::task::{self, Stop};
use crate::telemetry::Metrics;

mod copy;
mod import;
mod keep;
mod pending;
mod plan;
mod prune;
mod remove;
mod select;
mod sizes;

#[cfg(test)]
mod tests;

pub use copy::{Copied, Range};
pub use import::{Import, Imported};
pub use prune::{Ask, Kept, Part, Pruning};
pub use remove::stub;

use sizes::Sizes;

/// From the start of the process to the first look: a gateway that just came up has other things to do.
const FIRST_LOOK: Duration = Duration::from_secs(60);

/// Who the log names for what no operator asked for.
const NOBODY: &str = "retention";

/// Why a run ended early. What was done stays done; running again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// Nothing says what may go.
    #[error(
        "nothing says what may go: set age or bytes in [evidence.retention] or in a source's retention, or name an age"
    )]
    NoRule,
    /// There is nowhere to write to.
    #[error("there is no archive: set url in [evidence.archive]")]
    NoArchive,
    /// There is nothing to read.
    #[error("{0} is no directory on the gateway's machine")]
    NoFolder(String),
    /// The ledger does not answer.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log does not take the change.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The log does not take a delivery.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A record does not fit into an archive.
    #[error(transparent)]
    Record(#[from] Flaw),
    /// The ledger and the log name different deliveries.
    #[error("record {seq} of the log is not the delivery {id} that the ledger names: verify the log")]
    Mismatch {
        /// The record.
        seq: u64,
        /// What the ledger expects there.
        id: uuid::Uuid,
    },
    /// The note about the archive under way.
    #[error("{path}: {source}")]
    Note {
        /// The note.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line that says it is another delivery than its bytes are.
    #[error("{place}: record {seq} is not the delivery that its line names; nothing of this archive was used")]
    Misnamed {
        /// The archive.
        place: String,
        /// The record.
        seq: u64,
    },
    /// Somebody asked for it, or the process drains.
    #[error("stopped before the end; {0}")]
    Cancelled(String),
    /// A defect.
    #[error("a defect ended the work: {0}")]
    Defect(String),
}

/// What removes, archives and brings back. Clones are one: what removes or brings back takes turns.
#[derive(Clone)]
pub struct Retention(Arc<Shared>);

struct Shared {
    evidence: Store,
    ledger: Arc<dyn Ledger>,
    config: Arc<Config>,
    clock: Clock,
    metrics: Metrics,
    /// Held by whoever changes what the log holds.
    sizes: Mutex<Sizes>,
}

impl Retention {
    /// Over these stores; no I/O.
    #[must_use]
    pub fn new(evidence: Store, ledger: Arc<dyn Ledger>, config: Arc<Config>, clock: Clock, metrics: Metrics) -> Self {
        Self(Arc::new(Shared { evidence, ledger, config, clock, metrics, sizes: Mutex::default() }))
    }

    /// Looks every `[evidence.retention] every` whether something may go, and starts a job when so, until `stop`.
    pub async fn follow(self, jobs: Jobs, mut stop: Stop) {
        let ask = Ask { by: NOBODY.to_owned(), ..Ask::default() };
        if plan::rules(&self.0.config, &ask, 0).is_empty() {
            return;
        }
        let every = self.0.config.evidence.retention_every;
        let mut wait = every.min(FIRST_LOOK);
        while tokio::time::timeout(wait, stop.wait()).await.is_err() {
            wait = every;
            match self.is_due(&ask).await {
                Ok(false) => {}
                Ok(true) => self.start(&jobs, ask.clone()),
                Err(error) => self.failed(&error),
            }
        }
    }

    fn start(&self, jobs: &Jobs, ask: Ask) {
        let retention = self.clone();
        let started =
            jobs.start(JobKind::Prune, NOBODY.to_owned(), serde_json::json!({}), move |progress| async move {
                let report = retention.prune(&ask, &progress).await.map_err(|error| error.to_string())?;
                serde_json::to_value(report).map_err(|error| error.to_string())
            });
        if let Err(busy) = started {
            tracing::debug!(%busy, "retention waits for the next look");
        }
    }

    fn failed(&self, error: &RetentionError) {
        if matches!(error, RetentionError::Cancelled(_)) {
            return;
        }
        self.0.metrics.retention_failures.inc();
        tracing::warn!(%error, "retention stopped; what it had done stays done, and the next run goes on from there");
    }

    /// Where archives are written; none when nothing is configured.
    fn place(&self) -> Result<Option<Place>, RetentionError> {
        Ok(self.0.config.evidence.archive.as_ref().map(Place::open).transpose()?)
    }

    fn now_us(&self) -> i64 {
        self.0.clock.now().as_microsecond()
    }
}

/// Blocking work with the log.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RetentionError> + Send + 'static,
) -> Result<T, RetentionError> {
    task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(RetentionError::Defect(panic.to_string())))
}

/// Ends the work when somebody asked for it.
fn go_on(progress: &Progress, done: impl FnOnce() -> String) -> Result<(), RetentionError> {
    if progress.is_cancelled() { Err(RetentionError::Cancelled(done())) } else { Ok(()) }
}
