//! `tollgate events`: what deliveries became, why, and what an operator does about it.

use super::filter::{FilterArgs, PageArgs};
use super::table::{self, Layout, OutputArgs, column, wide};
use super::target::{Query, Target, TargetArgs, segment};
use super::{Failure, ask, follow};

mod handling;

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
    /// Say why an event is where it is, and what would let it pass.
    #[command(
        visible_alias = "why",
        after_help = "Example:\n  tollgate events list --state held -o id | tollgate events explain -"
    )]
    Explain(Ids),
    /// Follow one event, a line a change, until the backend has it or it waits for a person.
    #[command(visible_alias = "tail", after_help = "Example:\n  tollgate events watch 0192ab4f")]
    Watch {
        /// Its id, or a beginning that is unique.
        id: String,
    },
    /// Have events judged again now, by today's chain and rules.
    #[command(after_help = "Example:\n  tollgate events recheck 0192ab4f --reason 'the node is back'")]
    Recheck(handling::Say),
    /// Say which expectation an event is for; the chain still has to show every part of it.
    #[command(
        after_help = "Example:\n  tollgate events attach 0192ab4f --expectation order-17 --reason 'paid by hand'"
    )]
    Attach(handling::Attach),
    /// Let a proven payment pass that a rule holds: LATE, TOO_EARLY, FEE_ON_TRANSFER, AMBIGUOUS_MATCH, SANCTIONED,
    /// SCREENING_STALE, SCREENING_UNAVAILABLE.
    #[command(
        after_help = "Example:\n  tollgate events accept 0192ab4f --reason 'agreed with the customer, ticket 1734'"
    )]
    Accept(handling::Decide),
    /// End events that wait for a person: nothing is sent.
    #[command(after_help = "Example:\n  tollgate events close 0192ab4f --reason 'refunded by hand'")]
    Close(handling::Decide),
    /// Write something beside events; nothing else changes.
    #[command(after_help = "Example:\n  tollgate events note 0192ab4f --reason 'asked the payer for the hash'")]
    Note(handling::Say),
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
        Verb::Explain(Ids { ids }) => handling::explain(&target, &ids, args.output.output).await,
        Verb::Watch { id } => handling::watch(&target, &id, args.output.output).await,
        Verb::Recheck(said) => handling::say(&target, "recheck", said, args.output.output).await,
        Verb::Attach(attach) => handling::attach(&target, attach, args.output.output).await,
        Verb::Accept(decided) => handling::decide(&target, "accept", decided, args.output.output).await,
        Verb::Close(decided) => handling::decide(&target, "close", decided, args.output.output).await,
        Verb::Note(said) => handling::say(&target, "note", said, args.output.output).await,
    }
}
