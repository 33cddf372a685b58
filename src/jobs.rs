//! Long work that operators start: what runs, how far it is, what came of it.
//!
//! In memory and bounded: one of a kind runs at a time, the last [`KEPT`] are remembered, nothing survives a restart.
//! Work that has to outlive one, replays and resends, is the ledger's and is only named here.
//! What a job did is written where it did it (the log, the ledger); what is kept here is for whoever watches. The work
//! of each kind belongs to its subject; nothing here knows what it does.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use uuid::Uuid;

use crate::clock::Clock;
use crate::task;

/// Jobs that are remembered, running ones included.
pub const KEPT: usize = 100;

/// What a job does. A closed set: each kind is decided on in every place that matches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobKind {
    /// Checks the evidence log.
    Verify,
    /// Copies log, ledger and settings at one point.
    Backup,
    /// Removes bytes that retention no longer asks for.
    Prune,
    /// Copies deliveries to an archive.
    Archive,
    /// Brings deliveries back from an archive.
    Import,
    /// Judges stored deliveries again; a job of the ledger.
    Replay,
    /// Sends stored messages again; a job of the ledger.
    Resend,
}

impl JobKind {
    /// As written in requests and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Backup => "backup",
            Self::Prune => "prune",
            Self::Archive => "archive",
            Self::Import => "import",
            Self::Replay => "replay",
            Self::Resend => "resend",
        }
    }
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// At work.
    Running,
    /// Came to its end; there is a report.
    Done,
    /// Could not go on; there is an error.
    Failed,
    /// Stopped because somebody asked; what it had done stays done.
    Cancelled,
}

/// A job as it is shown.
#[derive(Clone, Debug)]
pub struct Job {
    /// UUIDv7.
    pub id: Uuid,
    /// What it does.
    pub kind: JobKind,
    /// Who started it.
    pub by: String,
    /// What was asked for.
    pub params: Value,
    /// Where it stands.
    pub state: JobState,
    /// When it began.
    pub started_us: i64,
    /// When it ended.
    pub finished_us: Option<i64>,
    /// Units of work done.
    pub done: u64,
    /// Units of work in all, where that is known.
    pub total: Option<u64>,
    /// What it says it is doing.
    pub doing: String,
    /// What came of it.
    pub report: Option<Value>,
    /// Why it did not come to its end.
    pub error: Option<String>,
}

/// Why a job was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobBusy {
    /// One of a kind at a time.
    #[error("job {0} of this kind is still running: wait for it, or cancel it")]
    Running(Uuid),
    /// The process drains.
    #[error("the gateway is stopping: start the job again afterwards")]
    Stopping,
}

/// What the work tells of itself, and where it hears that it should stop. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Tally>);

#[derive(Debug, Default)]
struct Tally {
    done: AtomicU64,
    /// 0 is not known.
    total: AtomicU64,
    doing: Mutex<String>,
    cancelled: AtomicBool,
}

impl Progress {
    /// How many units of work there are.
    pub fn set_total(&self, total: u64) {
        self.0.total.store(total, Ordering::Relaxed);
    }

    /// So many more are done.
    pub fn advance(&self, by: u64) {
        self.0.done.fetch_add(by, Ordering::Relaxed);
    }

    /// What is being done now, in a few words.
    pub fn say(&self, doing: impl Into<String>) {
        *held(&self.0.doing) = doing.into();
    }

    /// How far it is: units done, units in all where known, and what it is doing.
    #[must_use]
    pub fn seen(&self) -> (u64, Option<u64>, String) {
        let total = self.0.total.load(Ordering::Relaxed);
        (self.0.done.load(Ordering::Relaxed), (total != 0).then_some(total), held(&self.0.doing).clone())
    }

    /// Whether to stop at the next place where stopping is safe. Work that does answers `Err` with how far it came.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Relaxed)
    }

    fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
    }
}

/// The jobs of this process. Clones are one.
#[derive(Clone)]
pub struct Jobs(Arc<Shared>);

struct Shared {
    clock: Clock,
    /// Oldest first.
    entries: Mutex<VecDeque<Entry>>,
    running: watch::Sender<usize>,
    closed: AtomicBool,
}

struct Entry {
    job: Job,
    progress: Progress,
}

impl Entry {
    fn shown(&self) -> Job {
        let (done, total, doing) = self.progress.seen();
        Job { done, total, doing, ..self.job.clone() }
    }

    fn is_running(&self) -> bool {
        self.job.state == JobState::Running
    }
}

impl Jobs {
    /// None yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let entries = Mutex::new(VecDeque::new());
        Self(Arc::new(Shared { clock, entries, running: watch::Sender::new(0), closed: AtomicBool::new(false) }))
    }

    /// Starts work in a task of its own. What blocks belongs into [`task::spawn_blocking`]; `Err` is for the operator
    /// who reads it and says what to do.
    ///
    /// # Errors
    /// When one of the kind is running, or the process drains.
    pub fn start<W, F>(&self, kind: JobKind, by: String, params: Value, work: W) -> Result<Uuid, JobBusy>
    where
        W: FnOnce(Progress) -> F + Send + 'static,
        F: Future<Output = Result<Value, String>> + Send + 'static,
    {
        let (id, progress) = (Uuid::now_v7(), Progress::default());
        {
            let mut entries = held(&self.0.entries);
            if self.0.closed.load(Ordering::Relaxed) {
                return Err(JobBusy::Stopping);
            }
            if let Some(other) = entries.iter().find(|entry| entry.is_running() && entry.job.kind == kind) {
                return Err(JobBusy::Running(other.job.id));
            }
            entries.push_back(Entry { job: self.begun(id, kind, by, params), progress: progress.clone() });
            forget(&mut entries);
            self.0.running.send_modify(|running| *running += 1);
        }
        tracing::info!(job_id = %id, kind = kind.as_str(), "a job starts");
        let jobs = self.clone();
        // Two tasks, so that a panic of the work ends as a failed job.
        let work = task::spawn("job", async move { work(progress).await });
        drop(task::spawn("job-end", async move {
            let ended = work.await.unwrap_or_else(|_| Err("a defect ended the job; the log has more".to_owned()));
            jobs.end(id, ended);
        }));
        Ok(id)
    }

    fn begun(&self, id: Uuid, kind: JobKind, by: String, params: Value) -> Job {
        Job {
            id,
            kind,
            by,
            params,
            state: JobState::Running,
            started_us: self.0.clock.now().as_microsecond(),
            finished_us: None,
            done: 0,
            total: None,
            doing: String::new(),
            report: None,
            error: None,
        }
    }

    fn end(&self, id: Uuid, ended: Result<Value, String>) {
        let mut entries = held(&self.0.entries);
        if let Some(Entry { job, progress }) = entries.iter_mut().find(|entry| entry.job.id == id) {
            job.finished_us = Some(self.0.clock.now().as_microsecond());
            job.state = match &ended {
                Ok(_) => JobState::Done,
                Err(_) if progress.is_cancelled() => JobState::Cancelled,
                Err(_) => JobState::Failed,
            };
            match ended {
                Ok(report) => job.report = Some(report),
                Err(error) => job.error = Some(error),
            }
            let (state, error) = (job.state, job.error.as_deref());
            tracing::info!(job_id = %id, kind = job.kind.as_str(), ?state, error, "a job ended");
        }
        self.0.running.send_modify(|running| *running = running.saturating_sub(1));
    }

    /// Newest first.
    #[must_use]
    pub fn list(&self) -> Vec<Job> {
        held(&self.0.entries).iter().rev().map(Entry::shown).collect()
    }

    /// One of them.
    #[must_use]
    pub fn show(&self, id: Uuid) -> Option<Job> {
        held(&self.0.entries).iter().find(|entry| entry.job.id == id).map(Entry::shown)
    }

    /// Asks a job to stop; it does at the next safe place. Asking one that ended changes nothing.
    #[must_use]
    pub fn cancel(&self, id: Uuid) -> Option<Job> {
        let entries = held(&self.0.entries);
        let entry = entries.iter().find(|entry| entry.job.id == id)?;
        if entry.is_running() {
            entry.progress.cancel();
        }
        Some(entry.shown())
    }

    /// Starts no more, asks all to stop, and waits for them, but not longer than this. Says whether all ended.
    pub async fn close(&self, patience: Duration) -> bool {
        {
            let entries = held(&self.0.entries);
            self.0.closed.store(true, Ordering::Relaxed);
            entries.iter().filter(|entry| entry.is_running()).for_each(|entry| entry.progress.cancel());
        }
        let mut running = self.0.running.subscribe();
        tokio::time::timeout(patience, running.wait_for(|running| *running == 0)).await.is_ok()
    }
}

/// Forgets the oldest that ended. Running ones stay: there is at most one of each kind.
fn forget(entries: &mut VecDeque<Entry>) {
    while KEPT < entries.len() {
        let Some(oldest) = entries.iter().position(|entry| !entry.is_running()) else { return };
        drop(entries.remove(oldest));
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
