//! `tollgate attempts`: what was sent, when, and how the backend answered.

use super::Failure;
use super::filter::PageArgs;
use super::table::{self, Layout, OutputArgs, column, wide};
use super::target::{Query, Target, TargetArgs};

const LAYOUT: Layout = Layout {
    what: "attempts",
    id: "/webhook_id",
    columns: &[
        column("started", "/started_at"),
        column("message", "/webhook_id"),
        column("type", "/type"),
        column("to", "/destination"),
        column("outcome", "/outcome"),
        column("status", "/status"),
        column("ms", "/latency_ms"),
        wide("attempt", "/attempt_id"),
        wide("source", "/source"),
        wide("response", "/response"),
    ],
};

/// Arguments of `attempts`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  tollgate attempts list --outcome timeout --since 1h")]
pub struct Args {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// What to do.
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Verb {
    /// List them, newest first.
    #[command(visible_alias = "ls", after_help = "Example:\n  tollgate attempts list --destination default -n 20")]
    List(List),
}

#[derive(Clone, Debug, clap::Args)]
struct List {
    /// To this destination.
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// That ended so: ok, status, timeout, connect, redirect, address, tls, io, lost.
    #[arg(long, value_name = "WORD")]
    outcome: Option<String>,
    /// Of this event.
    #[arg(long, value_name = "ID")]
    event: Option<String>,
    /// Started at or after: 3h or 2d ago, or RFC 3339.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Started before.
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

/// Runs it.
///
/// # Errors
/// See [`Target::open`] and [`Target::get`].
pub async fn run(args: Args) -> Result<(), Failure> {
    let target = Target::open(&args.target).await?;
    let Verb::List(list) = args.verb;
    let query = Query::default()
        .with("destination", list.destination.as_ref())
        .with("outcome", list.outcome.as_ref())
        .with("event", list.event.as_ref())
        .with("since", list.since.as_ref())
        .with("until", list.until.as_ref());
    let items = list.page.items(&target, "/attempts", &query).await?;
    table::list(&items, &LAYOUT, args.output.output)
}
