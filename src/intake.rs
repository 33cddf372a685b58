//! STAGE 2. Follows the evidence log into the ledger.
//!
//! Reads only what is fsynced, from a cursor that moves in the transaction that inserts the events: nothing is lost
//! and nothing is taken in twice, across crashes. A record that cannot be interpreted becomes a held event and never
//! stops the stage. The ledger being down stops only this and what comes after it, never an ack.

use std::sync::Arc;
use std::time::Duration;

use evidence_store::{Entry, ReadError, Store};

use crate::clock::Clock;
use crate::config::Config;
use crate::ledger::{Cursor, IntakeBatch, Ledger, LedgerError, Taken};
use crate::task::{self, Stop, Wakes};
use crate::telemetry::Metrics;

pub mod interpret;
#[cfg(test)]
mod tests;

/// Records of one transaction.
const BATCH_RECORDS_MAX: usize = 512;
/// Records without a delivery that are passed over before the ledger is told. Decisions are copied from the ledger:
/// were each written back as a cursor, following them would cause writes without end.
const PASSED_RECORDS_MAX: u64 = 4096;
/// Body bytes of one transaction.
const BATCH_BYTES_MAX: usize = 8 << 20;
/// Between looks when no hint comes.
const POLL: Duration = Duration::from_secs(1);
/// After a failure of the ledger or the log.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(500);

/// Why intake cannot go on. Waiting does not help; the process ends.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The log does not continue where the ledger stands.
    #[error(
        "EVIDENCE_REWOUND: {0}; the log or the ledger was replaced: restore them together, or, where the log is \
             the right one, run tollgate evidence rebuild-ledger"
    )]
    Rewound(String),
    /// The log cannot be read.
    #[error("the evidence log cannot be read: {0}")]
    Evidence(#[from] ReadError),
    /// The ledger holds what it must not.
    #[error(transparent)]
    Ledger(LedgerError),
}

/// The stage.
pub struct Worker {
    evidence: Store,
    ledger: Arc<dyn Ledger>,
    cursor: Cursor,
    config: Arc<Config>,
    clock: Clock,
    metrics: Metrics,
    wakes: Wakes,
}

impl Worker {
    /// Builds the stage; no I/O. `cursor` is where the ledger stands, as [`check_cursor`] found it good.
    #[must_use]
    pub fn new(
        evidence: Store,
        ledger: Arc<dyn Ledger>,
        cursor: Cursor,
        config: Arc<Config>,
        clock: Clock,
        metrics: Metrics,
        wakes: Wakes,
    ) -> Self {
        Self { evidence, ledger, cursor, config, clock, metrics, wakes }
    }

    /// Follows the log until told to stop, then finishes the batch in hand.
    ///
    /// # Errors
    /// When the ledger and the log do not belong together, or either is damaged.
    pub async fn run(self, mut stop: Stop) -> Result<(), IntakeError> {
        let mut head = self.evidence.subscribe();
        let mut place = Place { written: self.cursor, read: self.cursor };
        loop {
            match self.step(place).await {
                Ok(Some(moved)) => {
                    place = moved;
                    // On stop, what is already in the log still goes in: the next start would do it anyway, but a
                    // drained gateway leaves nothing for it.
                    continue;
                }
                Ok(None) if stop.is_set() => return Ok(()),
                Ok(None) => {
                    tokio::select! {
                        () = stop.wait() => {}
                        _ = tokio::time::timeout(POLL, head.changed()) => {}
                    }
                }
                Err(IntakeError::Ledger(LedgerError::Unavailable(reason))) => {
                    tracing::warn!(reason, "intake waits for the ledger; deliveries are still stored and acknowledged");
                    if stop.is_set() {
                        return Ok(());
                    }
                    tokio::select! {
                        () = stop.wait() => {}
                        () = tokio::time::sleep(PAUSE_AFTER_FAILURE) => {}
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// One batch: read, interpret, write. `None` when there is nothing new.
    async fn step(&self, from: Place) -> Result<Option<Place>, IntakeError> {
        let after = from.read.seq;
        let evidence = self.evidence.clone();
        let read = task::spawn_blocking(move || evidence.read_after(after, BATCH_RECORDS_MAX, BATCH_BYTES_MAX));
        let records = match read.await {
            Ok(records) => records?,
            Err(_) => return Ok(None),
        };
        self.metrics.intake_lag.set(lag_of(&self.evidence, after));
        let Some(last) = records.last() else { return Ok(None) };
        let to = Cursor { log_id: self.evidence.log_id(), seq: last.seq, link: last.link };
        let now = self.clock.now();
        let deliveries: Vec<_> = records
            .into_iter()
            .filter_map(|record| match record.entry {
                Entry::Delivery(delivery) => Some(interpret::delivery(&self.config, record.seq, delivery, now)),
                // The ledger made the decision; what a stub says is read when a ledger is rebuilt.
                Entry::Decision(_) | Entry::Stub(_) => None,
            })
            .collect();
        if deliveries.is_empty() && to.seq.saturating_sub(from.written.seq) < PASSED_RECORDS_MAX {
            self.metrics.intake_lag.set(lag_of(&self.evidence, to.seq));
            return Ok(Some(Place { written: from.written, read: to }));
        }
        let now_us = now.as_microsecond();
        let taken = self
            .ledger
            .intake(IntakeBatch { from: Some(from.written), to, now_us, deliveries })
            .await
            .map_err(IntakeError::from_ledger)?;
        self.report(&taken);
        self.metrics.intake_lag.set(lag_of(&self.evidence, to.seq));
        self.wakes.verify.wake();
        self.wakes.forward.wake();
        Ok(Some(Place { written: to, read: to }))
    }

    fn report(&self, taken: &[Taken]) {
        for taken in taken {
            tracing::debug!(delivery_id = %taken.delivery_id, event_id = ?taken.event_id.map(|id| id.to_string()),
                new_event = taken.new_event, "delivery taken in");
            if taken.mismatch {
                tracing::warn!(delivery_id = %taken.delivery_id, event_id = ?taken.event_id.map(|id| id.to_string()),
                    code = "CLAIM_MISMATCH",
                    "a delivery asserts other money than what was confirmed; the confirmed payment stands");
            }
        }
    }
}

/// Where the stage is: what the ledger was told, and what was read since without a delivery.
#[derive(Clone, Copy)]
struct Place {
    written: Cursor,
    read: Cursor,
}

fn lag_of(evidence: &Store, seq: u64) -> i64 {
    i64::try_from(evidence.head().seq.saturating_sub(seq)).unwrap_or(i64::MAX)
}

impl IntakeError {
    fn from_ledger(error: LedgerError) -> Self {
        match error {
            LedgerError::EvidenceRewound(what) => Self::Rewound(what),
            other @ (LedgerError::Unavailable(_) | LedgerError::Damaged(_) | LedgerError::BadCursor(_)) => {
                Self::Ledger(other)
            }
        }
    }
}

/// The cursor must be of this log, and the record at it must carry its link.
///
/// # Errors
/// [`IntakeError::Rewound`] when it is another log, ends before the cursor or tells another story there.
pub fn check_cursor(evidence: &Store, cursor: Cursor) -> Result<(), IntakeError> {
    if cursor.log_id != evidence.log_id() {
        return Err(IntakeError::Rewound(format!(
            "the ledger follows log {} and the folder holds log {}",
            cursor.log_id,
            evidence.log_id()
        )));
    }
    match evidence.link_at(cursor.seq)? {
        Some(link) if link == cursor.link => Ok(()),
        Some(_) => Err(IntakeError::Rewound(format!("record {} carries another link than the ledger saw", cursor.seq))),
        None => Err(IntakeError::Rewound(format!("the log ends before record {}", cursor.seq))),
    }
}
