//! Why an event is where it is, what an operator does about it, and following one until it stands still.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::table::{self, Layout, Output, column, wide};
use crate::cli::target::{Query, Target, segment};
use crate::cli::{Exit, Failure, ask};
use crate::task::Wake;

/// Between two looks at an event.
const PACE: Duration = Duration::from_millis(500);

const EXPLAINED: Layout = Layout {
    what: "events",
    id: "/event_id",
    columns: &[
        column("event", "/event_id"),
        column("state", "/state"),
        column("code", "/code"),
        column("because", "/because"),
        column("would pass with", "/would_pass"),
        wide("next look", "/next_look_at"),
    ],
};

const STEPS: Layout = Layout {
    what: "steps",
    id: "/event_id",
    columns: &[
        column("at", "/updated_at"),
        column("event", "/event_id"),
        column("state", "/state"),
        column("code", "/code"),
        column("payment", "/payment_id"),
    ],
};

/// What is said of events.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Say {
    /// Ids, or beginnings that are unique; - reads them from standard input.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Why; stands in the trace and the audit.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// What is said of an event and an expectation.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Attach {
    /// What it is for.
    #[arg(long, value_name = "ID")]
    expectation: String,
    #[command(flatten)]
    say: Say,
}

/// What passes in spite of a rule, and what ends.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Decide {
    #[command(flatten)]
    say: Say,
    #[command(flatten)]
    ask: ask::Ask,
}

/// Explains events.
///
/// # Errors
/// See [`Target::get`].
pub(super) async fn explain(target: &Target, ids: &[String], output: Output) -> Result<(), Failure> {
    let mut items = Vec::new();
    for id in ask::ids(ids)? {
        items.push(target.get(&format!("/events/{}/explain", segment(&id)), &Query::default()).await?);
    }
    table::show(&items, &EXPLAINED, output)
}

/// Says it of each.
///
/// # Errors
/// See [`Target::post`].
pub(super) async fn say(target: &Target, verb: &str, said: Say, output: Output) -> Result<(), Failure> {
    each(target, verb, &said, &json!({"reason": said.reason}), output).await
}

/// Binds events to an expectation.
///
/// # Errors
/// See [`Target::post`].
pub(super) async fn attach(target: &Target, attach: Attach, output: Output) -> Result<(), Failure> {
    let body = json!({"reason": attach.say.reason, "expectation": attach.expectation});
    each(target, "attach", &attach.say, &body, output).await
}

/// Shows what is about to pass, or to end, and asks.
///
/// # Errors
/// See [`Target::post`].
pub(super) async fn decide(target: &Target, verb: &str, decided: Decide, output: Output) -> Result<(), Failure> {
    let ids = ask::ids(&decided.say.ids)?;
    if !decided.ask.yes {
        let mut shown = Vec::new();
        for id in &ids {
            let event = target.get(&format!("/events/{}/explain", segment(id)), &Query::default()).await?;
            let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
            shown.push(format!("{} is {} / {}: {}", text("event_id"), text("state"), text("code"), text("because")));
        }
        let what = if verb == "accept" { "sent although a rule holds them" } else { "ended, and nothing is sent" };
        decided.ask.confirm(&format!("{}\n{} events would be {what}", shown.join("\n"), ids.len()))?;
    }
    let said = Say { ids, ..decided.say };
    each(target, verb, &said, &json!({"reason": said.reason}), output).await
}

async fn each(target: &Target, verb: &str, said: &Say, body: &Value, output: Output) -> Result<(), Failure> {
    let mut items = Vec::new();
    for id in ask::ids(&said.ids)? {
        items.push(target.post(&format!("/events/{}/{verb}", segment(&id)), body).await?);
    }
    table::list(&items, &EXPLAINED, output)
}

/// Follows one event, a line a change, until the backend has it or nothing happens by itself.
///
/// # Errors
/// A stopped gateway's folder, where nothing changes; and as [`Target::get`].
pub(super) async fn watch(target: &Target, id: &str, output: Output) -> Result<(), Failure> {
    if target.is_local() {
        return Err(Failure::new(Exit::Usage, "nothing changes in a stopped gateway's folder: show it instead"));
    }
    let (pace, mut last, mut is_first) = (Wake::default(), Value::Null, true);
    loop {
        let event = target.get(&format!("/events/{}", segment(id)), &Query::default()).await?;
        let stands = (event.get("state").cloned(), event.get("code").cloned(), event.get("state_version").cloned());
        let stands = json!([stands.0, stands.1, stands.2]);
        if stands != last {
            table::append(std::slice::from_ref(&event), &STEPS, output, is_first)?;
            (last, is_first) = (stands, false);
        }
        let state = event.get("state").and_then(Value::as_str).unwrap_or_default();
        if matches!(state, "forwarded" | "settled" | "refuted" | "held" | "ignored" | "dead" | "retracted") {
            return Ok(());
        }
        pace.wait(PACE).await;
    }
}
