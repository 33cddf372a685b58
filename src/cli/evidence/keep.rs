//! `tollgate evidence hold`, `release`, `holds` and `erase`: what has to stay, and what has to go.

use serde_json::{Value, json};

use crate::cli::Failure;
use crate::cli::ask::Ask;
use crate::cli::table::{self, Layout, OutputArgs, column, wide};
use crate::cli::target::{Query, Target, segment};

const HOLDS: Layout = Layout {
    what: "holds",
    id: "/subject",
    columns: &[
        column("what", "/what"),
        column("id", "/id"),
        column("by", "/by"),
        column("since", "/since_at"),
        column("reason", "/reason"),
        wide("record", "/decision_seq"),
    ],
};

const ERASED: Layout = Layout {
    what: "deliveries",
    id: "/delivery_id",
    columns: &[
        column("delivery", "/delivery_id"),
        column("erased now", "/erased_now"),
        column("by", "/removed/by"),
        column("reason", "/removed/reason"),
        column("record", "/removed/decision_seq"),
    ],
};

/// What is held or released.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct What {
    #[command(flatten)]
    output: OutputArgs,
    /// A delivery or an event: its id, or a beginning that is unique.
    #[arg(required_unless_present = "source", conflicts_with = "source")]
    id: Option<String>,
    /// All of this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// How holds are shown.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Holds {
    #[command(flatten)]
    output: OutputArgs,
}

/// What is erased.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Erase {
    #[command(flatten)]
    output: OutputArgs,
    /// The delivery's id, or a beginning that is unique.
    delivery: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    ask: Ask,
}

/// Holds or releases: `verb` is the last part of the path.
pub(super) async fn change(target: &Target, verb: &str, what: What) -> Result<(), Failure> {
    let What { output, id, source, reason } = what;
    let mut body = serde_json::Map::from_iter([("reason".to_owned(), json!(reason))]);
    body.extend(id.map(|id| ("id".to_owned(), json!(id))));
    body.extend(source.map(|source| ("source".to_owned(), json!(source))));
    let hold = target.post(&format!("/evidence/{verb}"), &Value::Object(body)).await?;
    table::show(&[hold], &HOLDS, output.output)
}

/// Lists what is held.
pub(super) async fn holds(target: &Target, Holds { output }: Holds) -> Result<(), Failure> {
    let list = target.get("/evidence/holds", &Query::default()).await?;
    let items = list.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    table::list(&items, &HOLDS, output.output)
}

/// Shows what it would erase, asks, and does it.
pub(super) async fn erase(target: &Target, erase: Erase) -> Result<(), Failure> {
    let Erase { output, delivery, reason, ask } = erase;
    let shown = target.get(&format!("/deliveries/{}", segment(&delivery)), &Query::default()).await?;
    let field = |name: &str| match shown.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "none".to_owned(),
        Some(other) => other.to_string(),
    };
    let context = format!(
        "erases the body of 1 delivery for ever: {} of {}, received {}, {} bytes, event {}. Copies in backups, in \
         archives, at the backend and in messages already rendered stay",
        field("delivery_id"),
        field("source"),
        field("received_at"),
        field("body_bytes"),
        field("event_id"),
    );
    ask.confirm(&table::printable(&context))?;
    let body = json!({"delivery_id": field("delivery_id"), "reason": reason});
    table::show(&[target.post("/evidence/erase", &body).await?], &ERASED, output.output)
}
