//! The command line: one file a command. Commands print to standard output, the log goes to standard error.
//!
//! Exit codes are a contract (see [`Exit`]): scripts and supervisors tell a wrong configuration from a failed run.

pub mod again;
pub mod ask;
pub mod attempts;
pub mod audit;
pub mod backup;
pub mod chains;
pub mod check;
pub mod completions;
pub mod deliveries;
pub mod demo;
pub mod events;
pub mod evidence;
pub mod expectations;
pub mod filter;
pub mod find;
mod follow;
pub mod forward;
pub mod healthcheck;
pub mod jobs;
mod output;
pub mod pause;
pub mod payments;
pub mod progress;
pub mod rejected;
pub mod restore;
pub mod secret;
pub mod send;
pub mod serve;
pub mod status;
pub mod table;
pub mod target;

use std::fmt;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use output::print;

/// An edge gateway for payment webhooks: what it acknowledged is kept, what it forwards was proven on chain.
#[derive(Debug, Parser)]
#[command(
    name = "tollgate",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "Example:\n  tollgate check --config tollgate.toml && tollgate serve --config tollgate.toml\n\n\
                  Exit codes: 0 ok, 1 failed, 2 usage or configuration, 3 data folder locked,\n\
                  4 evidence log poisoned or damaged, 5 data newer than this program"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway until SIGTERM or SIGINT, then drain in flow order.
    Serve(serve::Args),
    /// Validate the configuration and report every problem at once.
    Check(check::Args),
    /// Show the main job on this machine, with nothing configured.
    Demo(demo::Args),
    /// Sign a webhook as a provider would, and post it to a gateway.
    Send(send::Args),
    /// Ask a running gateway whether it lives; exit code 0 or 1.
    Healthcheck(healthcheck::Args),
    /// Find everything stored that is known by an id, hash, address, reference or key.
    Find(find::Args),
    /// Look at what came.
    Deliveries(deliveries::Args),
    /// Look at what was refused, and let in what was refused by mistake.
    Rejected(rejected::Args),
    /// Look at what deliveries became.
    Events(events::Args),
    /// Look at what was sent and how it was answered.
    Attempts(attempts::Args),
    /// Try whether messages arrive.
    Forward(forward::Args),
    /// Look at what is expected; put and cancel it with the backend's token.
    Expectations(expectations::Args),
    /// Look at payments, and judge a transaction by hand.
    Payments(payments::Args),
    /// Look at chains and their nodes, take them out of use, set how deep payments have to be.
    Chains(chains::Args),
    /// Verify the evidence log, prove, keep, remove and bring back what is in it, make a new ledger from it.
    Evidence(evidence::Args),
    /// Stop sending: everything, to one destination, or about one source. Receiving goes on.
    Pause(pause::Args),
    /// Send again what a pause held.
    Resume(pause::Args),
    /// Copy log, ledger and settings at one point, and check such copies.
    Backup(backup::Args),
    /// Make a gateway's data of a backup; it starts with forwarding paused.
    Restore(restore::Args),
    /// Judge stored deliveries again, by today's chain and rules.
    Replay(Box<again::ReplayArgs>),
    /// Send stored messages again, without judging.
    Resend(again::ResendArgs),
    /// Look at long work, and stop it.
    Jobs(jobs::Args),
    /// See who did what.
    Audit(audit::Args),
    /// Show how a gateway is.
    Status(status::Args),
    /// Print completions for a shell.
    Completions(completions::Args),
    /// Make and handle secrets.
    Secret(secret::Args),
    /// Print the version.
    Version,
}

/// How a command ended, as the process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It failed.
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// Another process holds the data folder.
    Locked = 3,
    /// The evidence log is poisoned or damaged.
    Evidence = 4,
    /// The data was written by a newer version.
    Newer = 5,
}

impl Exit {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Locked => 3,
            Self::Evidence => 4,
            Self::Newer => 5,
        }
    }
}

/// Why a command did not do what was asked.
#[derive(Debug)]
pub struct Failure {
    /// Decides the exit code.
    pub exit: Exit,
    /// For the person at the terminal: what happened and what to do.
    pub message: String,
}

impl Failure {
    /// With its exit code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Exit::Failed, format!("{error:#}"))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Failed, error.to_string())
    }
}

impl From<crate::config::Problems> for Failure {
    fn from(problems: crate::config::Problems) -> Self {
        Self::new(Exit::Usage, problems.to_string())
    }
}

/// Runs the command.
///
/// # Errors
/// What the command could not do.
pub async fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Serve(args) => Box::pin(serve::run(args)).await,
        Command::Check(args) => Box::pin(check::run(args)).await,
        Command::Demo(args) => Box::pin(demo::run(args)).await,
        Command::Send(args) => Box::pin(send::run(args)).await,
        Command::Healthcheck(args) => healthcheck::run(args).await,
        Command::Find(args) => Box::pin(find::run(args)).await,
        Command::Audit(args) => Box::pin(audit::run(args)).await,
        Command::Deliveries(args) => Box::pin(deliveries::run(args)).await,
        Command::Rejected(args) => Box::pin(rejected::run(args)).await,
        Command::Events(args) => Box::pin(events::run(args)).await,
        Command::Attempts(args) => Box::pin(attempts::run(args)).await,
        Command::Forward(args) => Box::pin(forward::run(args)).await,
        Command::Expectations(args) => Box::pin(expectations::run(args)).await,
        Command::Payments(args) => Box::pin(payments::run(args)).await,
        Command::Chains(args) => Box::pin(chains::run(args)).await,
        Command::Evidence(args) => Box::pin(evidence::run(args)).await,
        Command::Pause(args) => Box::pin(pause::run(args, true)).await,
        Command::Resume(args) => Box::pin(pause::run(args, false)).await,
        Command::Backup(args) => Box::pin(backup::run(args)).await,
        Command::Restore(args) => Box::pin(restore::run(args)).await,
        Command::Replay(args) => Box::pin(again::replay(*args)).await,
        Command::Resend(args) => Box::pin(again::resend(args)).await,
        Command::Jobs(args) => Box::pin(jobs::run(args)).await,
        Command::Status(args) => Box::pin(status::run(args)).await,
        Command::Completions(args) => completions::run(args),
        Command::Secret(args) => secret::run(&args),
        Command::Version => Ok(print(concat!("tollgate ", env!("CARGO_PKG_VERSION"), "\n"))?),
    }
}

/// Tells a failure on standard error, and gives its exit code.
#[must_use]
pub fn conclude(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure.message);
            ExitCode::from(failure.exit.code())
        }
    }
}

/// An argument that is a duration with its unit, `30s`; at most a day.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    crate::config::duration(text)
}

#[cfg(test)]
mod tests;
