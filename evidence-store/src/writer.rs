//! The one thread that writes the log: group commit without a timer.
//!
//! It takes whatever waits, writes it as one batch with one fsync, publishes the new head, and only then answers. Alone,
//! a delivery is written at once; under load the batch grows by itself while the fsync before it runs. What it must
//! never do: answer success before the fsync, write after a failure, or try a failed write again.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use crate::delivery::{Commit, Head, Receipt};
use crate::disk::Disk;
use crate::engine::{Engine, Fault};
use crate::error::AppendError;
use crate::plan::{Entry, plan};
use crate::store::Shared;

/// Records in one commit.
pub(crate) const BATCH_RECORDS_MAX: usize = 1024;
/// Bytes of meta and body in one commit; a single larger record is a commit of its own.
pub(crate) const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// An entry, and who waits for it.
pub(crate) struct Job {
    pub(crate) entry: Entry,
    pub(crate) answer: oneshot::Sender<Result<Receipt, AppendError>>,
}

/// What the thread owns.
pub(crate) struct Writer {
    pub(crate) engine: Arc<Engine>,
    pub(crate) disk: Box<dyn Disk>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) queue: mpsc::Receiver<Job>,
    pub(crate) repeats_max: u32,
    pub(crate) observer: Option<Arc<dyn Fn(Commit) + Send + Sync>>,
    pub(crate) head: Head,
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
        let (entries, answers): (Vec<Entry>, Vec<_>) = batch.into_iter().map(|job| (job.entry, job.answer)).unzip();
        let outcome = catch_unwind(AssertUnwindSafe(|| self.commit(&entries)))
            .unwrap_or_else(|panic| Err(Fault(format!("the writer panicked: {}", panic_text(&*panic)))));
        let (receipts, commit) = match outcome {
            Ok(done) => done,
            Err(fault) => {
                self.shared.poison.set(&fault.0);
                answers.into_iter().for_each(|answer| tell(answer, Err(AppendError::Poisoned(fault.0.clone()))));
                return Err(fault);
            }
        };
        // A caller that went away does not mind: its delivery is stored.
        answers.into_iter().zip(receipts).for_each(|(answer, receipt)| tell(answer, Ok(receipt)));
        self.observe(commit)
    }

    fn commit(&mut self, entries: &[Entry]) -> Result<(Vec<Receipt>, Option<Commit>), Fault> {
        let plan = plan(&self.engine, entries.iter(), self.head, self.repeats_max)?;
        if plan.new == 0 {
            // Only copies of what was fsynced before.
            return Ok((plan.receipts, None));
        }
        let began = Instant::now();
        self.disk.commit(plan.batch)?;
        let commit = Commit { deliveries: plan.new, fsync: began.elapsed() };
        self.head = plan.head;
        self.shared.publish(plan.head);
        Ok((plan.receipts, Some(commit)))
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
    let mut bytes: usize = 0;
    let fit = waiting.iter().take(BATCH_RECORDS_MAX).take_while(|job| {
        bytes = bytes.saturating_add(job.entry.size_bytes());
        bytes <= BATCH_BYTES_MAX
    });
    fit.count().max(1)
}

fn refuse(job: Job, fault: &Fault) {
    tell(job.answer, Err(AppendError::Poisoned(fault.0.clone())));
}

fn tell(answer: oneshot::Sender<Result<Receipt, AppendError>>, result: Result<Receipt, AppendError>) {
    // The other side may have gone; there is nobody else to tell.
    drop(answer.send(result));
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

#[cfg(test)]
mod tests;
