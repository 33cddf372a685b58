//! `tollgate deliveries`: what came.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use super::filter::{FilterArgs, PageArgs};
use super::table::{self, Layout, OutputArgs, column, wide};
use super::target::{Query, Target, TargetArgs, segment};
use super::{Exit, Failure, ask, follow, output};

pub(super) const LAYOUT: Layout = Layout {
    what: "deliveries",
    id: "/delivery_id",
    columns: &[
        column("delivery", "/delivery_id"),
        column("source", "/source"),
        column("received", "/received_at"),
        column("state", "/state"),
        column("code", "/code"),
        column("event", "/event_id"),
        wide("seq", "/seq"),
        wide("body sha-256", "/body_sha256"),
    ],
};

/// Arguments of `deliveries`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  tollgate deliveries list --source stripe-eu --since 3h -o wide")]
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
    #[command(
        visible_alias = "ls",
        after_help = "Example:\n  tollgate deliveries list --data /var/lib/tollgate --tx 0x5c50… -o json"
    )]
    List(Box<List>),
    /// Show all that is stored of a delivery, but its body.
    #[command(
        visible_aliases = ["get", "describe"],
        after_help = "Example:\n  tollgate deliveries list --code NOT_JSON -o id | tollgate deliveries show -"
    )]
    Show(Ids),
    /// Write the exact bytes of a delivery's body.
    #[command(after_help = "Example:\n  tollgate deliveries raw 0192ab4f > body.json")]
    Raw(Raw),
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

/// A body to write, of a delivery or of a rejected request.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Raw {
    /// Its id, or a beginning that is unique.
    id: String,
    /// Write here, to a new file.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
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
            let items = page.items(&target, "/deliveries", &filter.query()).await?;
            if !follow {
                return table::list(&items, &LAYOUT, args.output.output);
            }
            follow::list(&target, "/deliveries", &filter, items, &LAYOUT, args.output.output).await
        }
        Verb::Show(Ids { ids }) => {
            let mut items = Vec::new();
            for id in ask::ids(&ids)? {
                items.push(target.get(&format!("/deliveries/{}", segment(&id)), &Query::default()).await?);
            }
            table::show(&items, &LAYOUT, args.output.output)
        }
        Verb::Raw(raw) => raw.run(&target, "/deliveries").await,
    }
}

impl Raw {
    /// Writes it; `path` is the collection's.
    pub(super) async fn run(self, target: &Target, path: &str) -> Result<(), Failure> {
        let body = target.bytes(&format!("{path}/{}/raw", segment(&self.id)), &Query::default()).await?;
        write(&body, self.out)
    }
}

/// Never what could steer a terminal: a body comes from outside.
fn write(body: &[u8], out: Option<PathBuf>) -> Result<(), Failure> {
    if let Some(path) = out {
        let fail = |error| Failure::new(Exit::Failed, format!("{} was not written: {error}", path.display()));
        let mut file = std::fs::File::create_new(&path).map_err(fail)?;
        return file.write_all(body).and_then(|()| file.sync_all()).map_err(fail);
    }
    let tame = std::str::from_utf8(body)
        .is_ok_and(|text| table::printable(&text.replace(['\t', '\r'], " ")).len() == text.len());
    if std::io::stdout().is_terminal() && !tame {
        let message = "the body is not plain text: redirect it, or name a file with --out";
        return Err(Failure::new(Exit::Failed, message));
    }
    Ok(output::bytes(body)?)
}
