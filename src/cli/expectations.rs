//! `tollgate expectations`: what is expected. Looking needs any role; putting and cancelling is the backend's business, so
//! they need its token (or an admin's), and never an operator's.

use std::io::Read;
use std::path::PathBuf;

use serde_json::Value;

use super::ask::{self, Ask};
use super::filter::PageArgs;
use super::table::{self, Layout, OutputArgs, column, wide};
use super::target::{Query, Target, TargetArgs, segment};
use super::{Exit, Failure};

/// Most bytes of an expectation; the API takes no more.
const BYTES_MAX: u64 = 64 << 10;

const LAYOUT: Layout = Layout {
    what: "expectations",
    id: "/id",
    columns: &[
        column("expectation", "/id"),
        column("status", "/status"),
        column("chain", "/accept/0/chain"),
        column("token", "/accept/0/token/symbol"),
        column("amount", "/accept/0/amount"),
        column("received", "/accept/0/received"),
        column("deadline", "/deadline"),
        wide("realm", "/realm"),
        wide("request", "/request_id"),
        wide("reference", "/payment_reference"),
        wide("object", "/provider_object"),
        wide("created", "/created_at"),
    ],
};

/// Arguments of `expectations`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  tollgate expectations get order-17")]
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
    /// List them by id.
    #[command(visible_alias = "ls", after_help = "Example:\n  tollgate expectations list -n 500 -o csv")]
    List(PageArgs),
    /// Show some with their sums and events.
    #[command(
        visible_aliases = ["show", "describe"],
        after_help = "Example:\n  tollgate expectations get order-17 -o json"
    )]
    Get {
        /// Their ids; - reads them from standard input.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Put one, with the backend's token.
    #[command(after_help = "Example:\n  tollgate expectations put order-17 --file order-17.json")]
    Put {
        /// Its id.
        id: String,
        /// JSON with its terms; standard input where it is left out.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Cancel one that nothing was paid for, with the backend's token.
    #[command(after_help = "Example:\n  tollgate expectations cancel order-17")]
    Cancel {
        /// Its id.
        id: String,
        #[command(flatten)]
        ask: Ask,
    },
}

/// Runs it.
///
/// # Errors
/// See [`Target::open`] and [`Target::get`].
pub async fn run(args: Args) -> Result<(), Failure> {
    let target = match args.verb {
        Verb::List(_) | Verb::Get { .. } => Target::open(&args.target).await?,
        Verb::Put { .. } | Verb::Cancel { .. } => Target::changing(&args.target)?,
    };
    let output = args.output.output;
    match args.verb {
        Verb::List(page) => {
            let items = page.items(&target, "/expectations", &Query::default()).await?;
            table::list(&items, &LAYOUT, output)
        }
        Verb::Get { ids } => {
            let mut items = Vec::new();
            for id in ask::ids(&ids)? {
                items.push(target.get(&path(&id), &Query::default()).await?);
            }
            table::show(&items, &LAYOUT, output)
        }
        Verb::Put { id, file } => {
            let put = target.put(&path(&id), &terms(file)?).await?;
            table::show(&[put], &LAYOUT, output)
        }
        Verb::Cancel { id, ask } => {
            let found = target.get(&path(&id), &Query::default()).await?;
            let status = found.get("status").and_then(Value::as_str).unwrap_or_default();
            ask.confirm(&format!("the expectation {id} is {status}; it would be cancelled"))?;
            table::show(&[target.delete(&path(&id)).await?], &LAYOUT, output)
        }
    }
}

fn path(id: &str) -> String {
    format!("/expectations/{}", segment(id))
}

fn terms(file: Option<PathBuf>) -> Result<Value, Failure> {
    let mut text = String::new();
    match file {
        Some(path) => std::fs::File::open(&path)
            .and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text))
            .map_err(|error| Failure::new(Exit::Usage, format!("{}: {error}", path.display())))?,
        None => std::io::stdin().lock().take(BYTES_MAX).read_to_string(&mut text)?,
    };
    serde_json::from_str(&text).map_err(|error| Failure::new(Exit::Usage, format!("the terms are no JSON: {error}")))
}
