//! The one thread that writes the log: group commit without a timer.
//!
//! It takes whatever waits, writes it as one batch with one fsync, publishes the new head, and only then answers. Alone,
//! a delivery is written at once; under load the batch grows by itself while the fsync before it runs. Work on what is
//! stored already (prune, erase, holds) is a commit of its own. What it must never do: answer success before the
//! fsync, write after a failure, or try a failed write again.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use crate::delivery::{Commit, Receipt};
use crate::disk::Disk;
use crate::engine::{Engine, Fault};
use crate::error::AppendError;
use crate::plan::{DecisionEntry, DeliveryEntry, Plan, State};
use crate::store::Shared;
use crate::upkeep::Change;

/// Records in one commit, but for a list of decisions, which is never parted.
pub(crate) const BATCH_RECORDS_MAX: usize = 1024;
/// Bytes of meta and body in one commit; a single larger record is a commit of its own.
pub(crate) const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Work, and who waits for it.
pub(crate) enum Job {
    /// Stores a delivery.
    Delivery(DeliveryEntry, oneshot::Sender<Result<Receipt, AppendError>>),
    /// Stores decisions; the answer is the number of the last.
    Decisions(Vec<DecisionEntry>, oneshot::Sender<Result<u64, AppendError>>),
    /// Changes what is stored; the answer is the number of the decision that says so.
    Change(Box<Change>, SyncSender<Result<u64, AppendError>>),
}

impl Job {
    fn records(&self) -> usize {
        match self {
            Self::Delivery(..) => 1,
            Self::Decisions(entries, _) => entries.len(),
            Self::Change(..) => BATCH_RECORDS_MAX,
        }
    }

    fn size_bytes(&self) -> usize {
        match self {
            Self::Delivery(entry, _) => entry.parts.size_bytes(),
            Self::Decisions(entries, _) => {
                entries.iter().fold(0, |sum, entry| sum.saturating_add(entry.parts.size_bytes()))
            }
            // So that nothing shares its commit.
            Self::Change(..) => usize::MAX,
        }
    }

    fn answer(self, result: Result<Done, AppendError>) {
        // The other side may have gone; there is nobody else to tell, and what was stored is stored.
        match (self, result) {
            (Self::Delivery(_, answer), Ok(Done::Delivery(receipt))) => drop(answer.send(Ok(receipt))),
            (Self::Delivery(_, answer), Err(error)) => drop(answer.send(Err(error))),
            (Self::Decisions(_, answer), Ok(Done::Seq(seq))) => drop(answer.send(Ok(seq))),
            (Self::Decisions(_, answer), Err(error)) => drop(answer.send(Err(error))),
            (Self::Change(_, answer), Ok(Done::Seq(seq))) => drop(answer.send(Ok(seq))),
            (Self::Change(_, answer), Err(error)) => drop(answer.send(Err(error))),
            // Never: each job is planned as what it is. Its caller finds the writer gone.
            (Self::Delivery(..), Ok(Done::Seq(_)))
            | (Self::Decisions(..) | Self::Change(..), Ok(Done::Delivery(_))) => {}
        }
    }
}

/// What a job came to.
enum Done {
    Delivery(Receipt),
    Seq(u64),
}

/// What the thread owns.
pub(crate) struct Writer {
    pub(crate) engine: Arc<Engine>,
    pub(crate) disk: Box<dyn Disk>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) queue: mpsc::Receiver<Job>,
    pub(crate) repeats_max: u32,
    pub(crate) observer: Option<Arc<dyn Fn(Commit) + Send + Sync>>,
    pub(crate) state: State,
}

impl Writer {
    /// Runs until the queue is closed and empty, or the log is poisoned.
    pub(crate) fn run(mut self) {
        let mut waiting = Vec::new();
        while self.queue.blocking_recv_many(&mut waiting, BATCH_RECORDS_MAX) != 0 {
            while !waiting.is_empty() {
                let batch: Vec<Job> = waiting.drain(..cut(&waiting)).collect();
                if let Err(fault) = self.guarded(batch) {
                    waiting.into_iter().for_each(|job| refuse(job, &fault));
                    self.refuse_rest(&fault);
                    return;
                }
            }
        }
    }

    /// Commits; whatever goes wrong has poisoned the log before anyone is answered.
    fn guarded(&mut self, batch: Vec<Job>) -> Result<(), Fault> {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.commit(&batch)))
            .unwrap_or_else(|panic| Err(Fault(format!("the writer panicked: {}", panic_text(&*panic)))));
        let (done, commit) = match outcome {
            Ok(done) => done,
            Err(fault) => {
                self.shared.poison.set(&fault.0);
                batch.into_iter().for_each(|job| refuse(job, &fault));
                return Err(fault);
            }
        };
        batch.into_iter().zip(done).for_each(|(job, done)| job.answer(Ok(done)));
        self.observe(commit)
    }

    fn commit(&mut self, batch: &[Job]) -> Result<(Vec<Done>, Option<Commit>), Fault> {
        let deliveries = batch.iter().filter_map(|job| match job {
            Job::Delivery(entry, _) => Some(entry),
            Job::Decisions(..) | Job::Change(..) => None,
        });
        let mut plan = Plan::begin(&self.engine, self.state, self.repeats_max, deliveries)?;
        let mut done = Vec::with_capacity(batch.len());
        for job in batch {
            done.push(match job {
                Job::Delivery(entry, _) => Done::Delivery(plan.delivery(entry)?),
                Job::Decisions(entries, _) => {
                    let mut last = plan.state.head.seq;
                    for entry in entries {
                        last = plan.decision(entry)?;
                    }
                    Done::Seq(last)
                }
                Job::Change(change, _) => Done::Seq(change.plan(&mut plan)?),
            });
        }
        let deliveries = plan.deliveries;
        let (batch, state) = plan.finish()?;
        if batch.is_empty() {
            // Only copies of what was fsynced before.
            return Ok((done, None));
        }
        let began = Instant::now();
        self.disk.commit(batch)?;
        let commit = Commit { deliveries, fsync: began.elapsed() };
        self.state = state;
        self.shared.publish(state);
        Ok((done, Some(commit)))
    }

    fn observe(&self, commit: Option<Commit>) -> Result<(), Fault> {
        let (Some(observer), Some(commit)) = (&self.observer, commit) else {
            return Ok(());
        };
        catch_unwind(AssertUnwindSafe(|| observer(commit))).map_err(|panic| {
            let fault = Fault(format!("the observer of commits panicked: {}", panic_text(&*panic)));
            self.shared.poison.set(&fault.0);
            fault
        })
    }

    fn refuse_rest(&mut self, fault: &Fault) {
        self.queue.close();
        while let Ok(job) = self.queue.try_recv() {
            refuse(job, fault);
        }
    }
}

/// How many of the waiting jobs make the next commit: at least one.
fn cut(waiting: &[Job]) -> usize {
    let (mut bytes, mut records): (usize, usize) = (0, 0);
    let fit = waiting.iter().take_while(|job| {
        bytes = bytes.saturating_add(job.size_bytes());
        records = records.saturating_add(job.records());
        bytes <= BATCH_BYTES_MAX && records <= BATCH_RECORDS_MAX
    });
    fit.count().max(1)
}

fn refuse(job: Job, fault: &Fault) {
    job.answer(Err(AppendError::Poisoned(fault.0.clone())));
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

#[cfg(test)]
mod tests;
