//! Copies decisions from the ledger into the log, each once (rule 28).
//!
//! Where it stands is asked of the log: the last decision of a table that is in it. A crash between reading and writing
//! repeats a batch, which the log recognises. In a new epoch of the ledger all of it is copied again: after a restore or a
//! rebuild the numbers of the one before say nothing about it.

use std::sync::Arc;
use std::time::Duration;

use evidence_store::{AppendError, Decision, DecisionId, ReadError, Store};

use crate::ledger::{Change, ChangeTable, Ledger, LedgerError, LedgerIdentity};
use crate::task::{self, Stop};

/// Decisions of one commit.
const BATCH: usize = 256;
/// Between looks.
const POLL: Duration = Duration::from_secs(1);
/// After a full batch: deliveries go first.
const PACE: Duration = Duration::from_millis(20);
/// Batches of the last look, when the process ends: what is left is copied after the restart.
const LAST_BATCHES: usize = 64;

const TABLES: [(ChangeTable, u8); 2] =
    [(ChangeTable::Trace, DecisionId::TRACE), (ChangeTable::Audit, DecisionId::AUDIT)];

#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error("reading the log did not end")]
    Reader,
}

/// Whether a batch was full: there may be more.
#[derive(PartialEq, Eq)]
enum Batch {
    Full,
    Last,
}

pub(super) struct Follower {
    evidence: Store,
    ledger: Arc<dyn Ledger>,
}

impl Follower {
    pub(super) fn new(evidence: Store, ledger: Arc<dyn Ledger>) -> Self {
        Self { evidence, ledger }
    }

    /// Follows until told to stop.
    pub(super) async fn run(&self, mut stop: Stop) {
        let mut told = false;
        while !stop.is_set() {
            let pause = match self.step().await {
                Ok(Batch::Full) => PACE,
                Ok(Batch::Last) => {
                    told = false;
                    POLL
                }
                Err(error) => {
                    if !told {
                        tracing::warn!(%error, "decisions are not copied into the evidence log now; none is lost");
                    }
                    told = true;
                    POLL
                }
            };
            tokio::select! {
                () = stop.wait() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Copies what is there.
    pub(super) async fn catch_up(&self) {
        for _ in 0..LAST_BATCHES {
            match self.step().await {
                Ok(Batch::Full) => {}
                Ok(Batch::Last) => return,
                Err(error) => {
                    tracing::warn!(%error, "the last decisions are copied into the evidence log after the restart");
                    return;
                }
            }
        }
    }

    async fn step(&self) -> Result<Batch, FollowError> {
        let identity = self.ledger.identity().await?;
        let mut batch = Batch::Last;
        for (table, number) in TABLES {
            let evidence = self.evidence.clone();
            let last = task::spawn_blocking(move || evidence.last_decision(identity.ledger_id, identity.epoch, number));
            let after = last.await.map_err(|_| FollowError::Reader)??.unwrap_or(0);
            let changes = self.ledger.changes(table, after, BATCH).await?;
            if changes.is_empty() {
                continue;
            }
            if BATCH <= changes.len() {
                batch = Batch::Full;
            }
            let copies = changes.into_iter().map(|change| decision(identity, number, change)).collect();
            self.evidence.append_decisions(copies).await?;
        }
        Ok(batch)
    }
}

fn decision(identity: LedgerIdentity, table: u8, change: Change) -> Decision {
    Decision {
        id: DecisionId { ledger_id: identity.ledger_id, epoch: identity.epoch, table, number: change.number },
        at_us: change.at_us,
        event_id: change.event_id.map(|event| event.0),
        kind: change.kind,
        body: change.body.into(),
    }
}
