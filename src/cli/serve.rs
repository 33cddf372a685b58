//! `tollgate serve`: the gateway until SIGTERM or SIGINT, then a drain in flow order.

use std::path::PathBuf;

use evidence_store::OpenError;
use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, Failure};
use crate::app::{App, RunError, StartError};
use crate::clock::Clock;
use crate::intake::IntakeError;
use crate::ledger::sqlite;
use crate::task::{self, Stop};
use crate::{config, telemetry};

/// Arguments of `serve`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  tollgate serve --config /etc/tollgate --lock-wait 30s")]
pub struct Args {
    /// A file, or a folder whose *.toml are read in name order; repeat it, later ones override.
    #[arg(long, value_name = "FILE", required = true)]
    pub config: Vec<PathBuf>,
    /// How long to wait for another process to let go of the data folder.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = super::duration)]
    pub lock_wait: std::time::Duration,
}

/// Runs it.
///
/// # Errors
/// A wrong configuration, a locked folder, a damaged log, a port in use; or the log was poisoned while serving.
pub async fn run(args: Args) -> Result<(), Failure> {
    let loaded = config::load(&args.config, &config::environment())?;
    let clock = Clock::system();
    telemetry::log::init(&loaded.config.telemetry, clock.clone())
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    // Heard before anything is opened: a stop that comes early is a stop, not a process killed half open.
    let mut stop = on_signal()?;
    let built = tokio::select! {
        built = Box::pin(App::build(loaded.config, clock, args.lock_wait)) => built,
        () = stop.wait() => {
            tracing::info!("stopped before serving");
            return Ok(());
        }
    };
    let app = built?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        ingress = %app.public_address(),
        admin = %app.admin_address(),
        "serving"
    );
    Ok(Box::pin(app.run(stop)).await?)
}

/// Says stop at the first SIGTERM or SIGINT. A second one is somebody in a hurry: what was acked is on disk.
fn on_signal() -> std::io::Result<Stop> {
    let (switch, stop) = task::stop();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    drop(task::spawn("signals", async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        switch.stop();
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(i32::from(Exit::Failed.code()));
    }));
    Ok(stop)
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let exit = match &error {
            StartError::Evidence(error) => match error {
                OpenError::Locked { .. } => Exit::Locked,
                OpenError::Damaged { .. } => Exit::Evidence,
                OpenError::Newer { .. } => Exit::Newer,
                OpenError::Io { .. } => Exit::Failed,
            },
            StartError::Ledger(error) => match error {
                sqlite::OpenError::Locked { .. } => Exit::Locked,
                sqlite::OpenError::Newer { .. } => Exit::Newer,
                _ => Exit::Failed,
            },
            StartError::LedgerMissing { .. } | StartError::Rewound(_) => Exit::Evidence,
            StartError::Seal(_)
            | StartError::Source(_)
            | StartError::Chain(_)
            | StartError::Screening(_)
            | StartError::Forward(_) => Exit::Usage,
            StartError::Bind(_) | StartError::LedgerSilent(_) | StartError::Threads(_) => Exit::Failed,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let exit = match &error {
            RunError::Poisoned(_) | RunError::Intake(IntakeError::Rewound(_) | IntakeError::Evidence(_)) => {
                Exit::Evidence
            }
            RunError::Intake(IntakeError::Ledger(_)) | RunError::Ended(_) => Exit::Failed,
        };
        Self::new(exit, error.to_string())
    }
}
