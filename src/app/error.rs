//! Why the gateway does not start, or ends although nobody asked it to.

use crate::chain::nodes::NodesError;
use crate::ingress::BadSource;
use crate::intake::IntakeError;
use crate::ledger::{LedgerError, sqlite};
use crate::net::BindError;
use crate::{forward, screening, seal};

/// Why the gateway did not start. Nothing was served.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The evidence log.
    #[error(transparent)]
    Evidence(#[from] evidence_store::OpenError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] sqlite::OpenError),
    /// Rule 27: a log with deliveries and a ledger that never saw them.
    #[error(
        "LEDGER_MISSING: {path} does not exist, is empty or never saw a log, but the evidence log holds {deliveries} \
         deliveries; restore the ledger that belongs to this log, or the whole data folder, from a backup, or make a \
         new ledger from the log: tollgate evidence rebuild-ledger"
    )]
    LedgerMissing {
        /// Where it ought to be.
        path: String,
        /// Records in the log.
        deliveries: u64,
    },
    /// The log and the ledger do not belong together.
    #[error(transparent)]
    Rewound(#[from] IntakeError),
    /// The ledger does not say where it stands.
    #[error(transparent)]
    LedgerSilent(#[from] LedgerError),
    /// A source's secrets.
    #[error(transparent)]
    Source(#[from] BadSource),
    /// A node's URL.
    #[error(transparent)]
    Chain(#[from] NodesError),
    /// A deny list.
    #[error(transparent)]
    Screening(#[from] screening::LoadError),
    /// A destination.
    #[error(transparent)]
    Forward(#[from] forward::BuildError),
    /// The key that signs checkpoints.
    #[error(transparent)]
    Seal(#[from] seal::BuildError),
    /// A port.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Threads.
    #[error("the threads behind the ack cannot be started: {0}; raise the limit of tasks of the process")]
    Threads(std::io::Error),
}

/// Why the gateway ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A write to the log failed: nothing was acked after it; recovery at the next start decides what is stored.
    #[error(
        "the evidence log is poisoned: {0}; nothing was acknowledged after it. Restart: opening checks what is stored"
    )]
    Poisoned(String),
    /// Intake cannot go on.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// A stage ended by itself, which is a defect.
    #[error("{0} ended by itself")]
    Ended(&'static str),
}
