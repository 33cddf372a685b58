//! `tollgate rejected`: what was refused and why, and the way back in after a forgotten rotation.

use serde_json::{Map, Value, json};

use super::filter::PageArgs;
use super::output::note;
use super::table::{self, Layout, OutputArgs, column, wide};
use super::target::{Query, Target, TargetArgs, segment};
use super::{Exit, Failure, ask, deliveries};

/// Requests of one call: looked at, and let in, each with an fsync.
const LOOKED_AT: usize = 500;
const LET_IN: usize = 100;

const LAYOUT: Layout = Layout {
    what: "rejected requests",
    id: "/rejected_id",
    columns: &[
        column("rejected", "/rejected_id"),
        column("source", "/source"),
        column("received", "/received_at"),
        column("peer", "/peer"),
        column("code", "/code"),
        column("would match", "/diagnosis/secret"),
        column("admitted as", "/admitted_as"),
        wide("diagnosis", "/diagnosis/code"),
        wide("says", "/diagnosis/says"),
    ],
};

const OUTCOMES: Layout = Layout {
    what: "rejected requests",
    id: "/rejected_id",
    columns: &[
        column("rejected", "/rejected_id"),
        column("source", "/source"),
        column("received", "/received_at"),
        column("outcome", "/outcome"),
        column("secret", "/secret"),
        column("admitted as", "/admitted_as"),
        column("code", "/code"),
        wide("says", "/says"),
    ],
};

/// Arguments of `rejected`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example, after a forgotten rotation, with the new secret configured:\n  \
                        tollgate rejected recheck --source stripe-eu --since 1d\n  \
                        tollgate rejected admit --source stripe-eu --since 1d --reason 'rotation of 3 May'")]
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
    /// List them, newest first, with the secret that would match.
    #[command(
        visible_alias = "ls",
        after_help = "Example:\n  tollgate rejected list --source stripe-eu --since 3h -o wide"
    )]
    List(Box<List>),
    /// Show one, and what would have matched: the sender was told none of it.
    #[command(
        visible_aliases = ["get", "describe"],
        after_help = "Example:\n  tollgate rejected list --code SIGNATURE_MISMATCH -o id | tollgate rejected show -"
    )]
    Show(Ids),
    /// Write the bytes of a body, as far as they are kept.
    #[command(after_help = "Example:\n  tollgate rejected raw 0192ab4f > body.json")]
    Raw(deliveries::Raw),
    /// Say which of them today's secrets would let in. Changes nothing.
    #[command(after_help = "Example:\n  tollgate rejected recheck --source stripe-eu --since 1d")]
    Recheck(Box<Which>),
    /// Let in those that today's secrets sign, as deliveries. Doing it again changes nothing.
    #[command(
        after_help = "Example:\n  tollgate rejected admit --source stripe-eu --since 1d --reason 'rotation of 3 May'"
    )]
    Admit(Box<Admit>),
}

#[derive(Clone, Debug, Default, clap::Args)]
struct FilterArgs {
    /// Posted to this source.
    #[arg(long)]
    source: Option<String>,
    /// Refused with this code.
    #[arg(long)]
    code: Option<String>,
    /// From this address.
    #[arg(long, value_name = "ADDRESS")]
    peer: Option<String>,
    /// Received at or after: 3h or 2d ago, or RFC 3339.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Received before.
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
}

impl FilterArgs {
    fn parts(&self) -> [(&'static str, Option<&String>); 5] {
        [
            ("source", self.source.as_ref()),
            ("code", self.code.as_ref()),
            ("peer", self.peer.as_ref()),
            ("since", self.since.as_ref()),
            ("until", self.until.as_ref()),
        ]
    }

    fn query(&self) -> Query {
        self.parts().into_iter().fold(Query::default(), |query, (name, value)| query.with(name, value))
    }

    fn fields(&self) -> Map<String, Value> {
        let given = self.parts().into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
        given.collect()
    }
}

#[derive(Clone, Debug, clap::Args)]
struct List {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    page: PageArgs,
}

#[derive(Clone, Debug, clap::Args)]
struct Ids {
    /// Ids, or beginnings that are unique; - reads them from standard input.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

#[derive(Clone, Debug, clap::Args)]
struct Which {
    /// Whole ids; - reads them from standard input. Without any, those that the filters name.
    #[arg(value_name = "ID", conflicts_with_all = ["source", "code", "peer", "since", "until"])]
    ids: Vec<String>,
    #[command(flatten)]
    filter: FilterArgs,
}

#[derive(Clone, Debug, clap::Args)]
struct Admit {
    #[command(flatten)]
    which: Which,
    /// Why: it stands in the audit.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    ask: ask::Ask,
}

/// Runs it.
///
/// # Errors
/// See [`Target::open`] and [`Target::get`].
pub async fn run(args: Args) -> Result<(), Failure> {
    let target = Target::open(&args.target).await?;
    let output = args.output.output;
    match args.verb {
        Verb::List(list) => {
            let items = list.page.items(&target, "/rejected", &list.filter.query()).await?;
            table::list(&items, &LAYOUT, output)
        }
        Verb::Show(Ids { ids }) => {
            let mut items = Vec::new();
            for id in ask::ids(&ids)? {
                items.push(target.get(&format!("/rejected/{}", segment(&id)), &Query::default()).await?);
            }
            table::show(&items, &LAYOUT, output)
        }
        Verb::Raw(raw) => raw.run(&target, "/rejected").await,
        Verb::Recheck(which) => {
            let items = which.every(&target, "/rejected/recheck", None).await?;
            table::list(&items, &OUTCOMES, output)?;
            tally(&items);
            Ok(())
        }
        Verb::Admit(admit) => {
            let Admit { which, reason, ask } = *admit;
            // Ids were chosen one by one; what a filter takes along is shown first.
            if which.ids.is_empty() {
                let checked = which.every(&target, "/rejected/recheck", None).await?;
                let fitting = checked.iter().filter(|item| outcome(item) == Some("verifies")).count();
                ask.confirm(&format!("{fitting} of {} rejected requests verify and would be let in", checked.len()))?;
            }
            let items = which.every(&target, "/rejected/admit", Some(reason)).await?;
            table::list(&items, &OUTCOMES, output)?;
            tally(&items);
            Ok(())
        }
    }
}

fn outcome(item: &Value) -> Option<&str> {
    item.get("outcome")?.as_str()
}

impl Which {
    /// Posts ids in portions, or pages of the filter until its end.
    async fn every(&self, target: &Target, path: &str, reason: Option<String>) -> Result<Vec<Value>, Failure> {
        let mut items = Vec::new();
        let portion = if reason.is_some() { LET_IN } else { LOOKED_AT };
        let asked = |which: (&str, Value)| {
            let mut body = Map::from_iter([(which.0.to_owned(), which.1)]);
            body.extend(reason.as_ref().map(|reason| ("reason".to_owned(), json!(reason))));
            Value::Object(body)
        };
        if !self.ids.is_empty() {
            for ids in ask::ids(&self.ids)?.chunks(portion) {
                let mut page = target.post(path, &asked(("ids", json!(ids)))).await?;
                items.append(taken(&mut page).as_mut());
            }
            return Ok(items);
        }
        let mut filter = self.filter.fields();
        if filter.is_empty() {
            return Err(Failure::new(
                Exit::Usage,
                "name ids, or at least one of --source, --code, --peer, --since, --until",
            ));
        }
        filter.insert("limit".to_owned(), json!(portion));
        loop {
            let mut page = target.post(path, &asked(("filter", Value::Object(filter.clone())))).await?;
            items.append(taken(&mut page).as_mut());
            match page.get_mut("next").map(Value::take) {
                Some(Value::String(next)) => filter.insert("after".to_owned(), Value::String(next)),
                _ => return Ok(items),
            };
        }
    }
}

fn taken(page: &mut Value) -> Vec<Value> {
    match page.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

/// How many of which outcome, to standard error.
fn tally(items: &[Value]) {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for outcome in items.iter().filter_map(outcome) {
        match counts.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => counts.push((outcome, 1)),
        }
    }
    let told: Vec<String> = counts.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    if !told.is_empty() {
        note(&told.join(", "));
    }
}
