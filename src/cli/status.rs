//! `tollgate status`: how a gateway is, on one page.

use super::Failure;
use super::table::{self, Layout, OutputArgs, column, wide};
use super::target::{Query, Target, TargetArgs};

const LAYOUT: Layout = Layout {
    what: "gateways",
    id: "/evidence/log_id",
    columns: &[
        column("log", "/evidence/log_id"),
        column("version", "/version"),
        column("uptime", "/uptime_seconds"),
        column("evidence", "/evidence/status"),
        column("head", "/evidence/head/seq"),
        column("not taken in", "/evidence/not_taken_in"),
        column("ledger", "/ledger/status"),
        column("free", "/disk/free_bytes"),
        wide("jobs", "/jobs_running"),
        wide("reserve", "/disk/reserve_bytes"),
    ],
};

/// Arguments of `status`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  tollgate status --disk")]
pub struct Args {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Sizes on disk as well.
    #[arg(long)]
    disk: bool,
}

/// Runs it.
///
/// # Errors
/// See [`Target::open`] and [`Target::get`].
pub async fn run(args: Args) -> Result<(), Failure> {
    let target = Target::open(&args.target).await?;
    let status = target.get("/status", &Query::default().with("disk", Some(args.disk))).await?;
    table::show(&[status], &LAYOUT, args.output.output)
}
