//! `tollgate audit`: who did what, when, from where.

use super::Failure;
use super::filter::PageArgs;
use super::table::{self, Layout, OutputArgs, column, wide};
use super::target::{Query, Target, TargetArgs};

const LAYOUT: Layout = Layout {
    what: "entries of the audit",
    id: "/number",
    columns: &[
        column("number", "/number"),
        column("at", "/at"),
        column("who", "/who"),
        column("from", "/from"),
        column("what", "/what"),
        column("subject", "/subject"),
        column("reason", "/reason"),
        wide("event", "/event_id"),
        wide("before", "/before"),
        wide("after", "/after"),
    ],
};

/// Arguments of `audit`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  tollgate audit list --who ada --since 2d -o wide")]
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
    /// List the entries, newest first.
    #[command(
        visible_alias = "ls",
        after_help = "Example:\n  tollgate audit list --what expectation.cancel --since 2026-11-01T00:00:00Z"
    )]
    List(List),
}

#[derive(Clone, Debug, clap::Args)]
struct List {
    /// By this token or person.
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Of this deed, such as pause or expectation.put.
    #[arg(long, value_name = "DEED")]
    what: Option<String>,
    /// Done to this.
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// Done to this event.
    #[arg(long, value_name = "ID")]
    event: Option<String>,
    /// At or after: 3h or 2d ago, or RFC 3339.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Before.
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

/// Runs it.
///
/// # Errors
/// As [`Target::get`].
pub async fn run(args: Args) -> Result<(), Failure> {
    let target = Target::open(&args.target).await?;
    let Verb::List(list) = args.verb;
    let query = Query::default()
        .with("who", list.who)
        .with("what", list.what)
        .with("subject", list.subject)
        .with("event", list.event)
        .with("since", list.since)
        .with("until", list.until);
    let items = list.page.items(&target, "/audit", &query).await?;
    table::list(&items, &LAYOUT, args.output.output)
}
