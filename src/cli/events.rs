//! `tollgate events`: what deliveries became.

use super::filter::{FilterArgs, PageArgs};
use super::table::{self, Layout, OutputArgs, column, wide};
use super::target::{Query, Target, TargetArgs, segment};
use super::{Failure, ask, follow};

pub(super) const LAYOUT: Layout = Layout {
    what: "events",
    id: "/event_id",
    columns: &[
        column("event", "/event_id"),
        column("source", "/source"),
        column("type", "/provider_type"),
        column("state", "/state"),
        column("code", "/code"),
        column("received", "/received_at"),
        column("expectation", "/expectation"),
        wide("payment", "/payment_id"),
        wide("transaction", "/anchor/tx_hash"),
        wide("version", "/state_version"),
        wide("deliveries", "/deliveries"),
        wide("updated", "/updated_at"),
        wide("due", "/due_at"),
    ],
};

/// Arguments of `events`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  tollgate events list --state held --since 2d")]
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
    #[command(visible_alias = "ls", after_help = "Example:\n  tollgate events list --expectation order-17 -o wide")]
    List(Box<List>),
    /// Show an event with its trace, deliveries, messages and attempts.
    #[command(
        visible_aliases = ["get", "describe"],
        after_help = "Example:\n  tollgate events list --state held -o id | tollgate events show - -o json"
    )]
    Show(Ids),
}

#[derive(Clone, Debug, clap::Args)]
struct List {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    page: PageArgs,
    /// Go on with what comes, oldest first, until interrupted.
    #[arg(short, long, conflicts_with = "reverse")]
    follow: bool,
}

#[derive(Clone, Debug, clap::Args)]
struct Ids {
    /// Ids, or beginnings that are unique; - reads them from standard input.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

/// Runs it.
///
/// # Errors
/// See [`Target::open`] and [`Target::get`].
pub async fn run(args: Args) -> Result<(), Failure> {
    let target = Target::open(&args.target).await?;
    match args.verb {
        Verb::List(list) => {
            let List { filter, page, follow } = *list;
            let items = page.items(&target, "/events", &filter.query()).await?;
            if !follow {
                return table::list(&items, &LAYOUT, args.output.output);
            }
            follow::list(&target, "/events", &filter, items, &LAYOUT, args.output.output).await
        }
        Verb::Show(Ids { ids }) => {
            let mut items = Vec::new();
            for id in ask::ids(&ids)? {
                items.push(target.get(&format!("/events/{}", segment(&id)), &Query::default()).await?);
            }
            table::show(&items, &LAYOUT, args.output.output)
        }
    }
}
