//! What was sent and how it was answered, newest first.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::{Caller, May};
use super::envelope::Params;
use super::problem::{Answer, Problem, page, page_limit};
use super::{Api, events, lookup, view};
use crate::ledger::{AttemptFilter, IdOf, SentAttempt};
use crate::model::EventId;

/// Query of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    destination: Option<String>,
    outcome: Option<String>,
    event: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<usize>,
    after: Option<String>,
}

/// `GET /attempts`
pub(super) async fn list(State(api): State<Api>, caller: Caller, Params(query): Params<Query>) -> Answer {
    caller.may(May::ReadDeliveries)?;
    let now = api.clock.now();
    let event = match &query.event {
        Some(text) => Some(EventId(lookup::id(&api, &caller, IdOf::Event, text).await?)),
        None => None,
    };
    let after = query.after.map(|text| text.parse().map_err(|_| text)).transpose();
    let filter = AttemptFilter {
        destination: query.destination,
        outcome: query.outcome,
        event,
        sources: caller.sources.clone(),
        since_us: events::time("since", query.since, now)?,
        until_us: events::time("until", query.until, now)?,
        before: after.map_err(|text| Problem::bad_cursor(&text))?,
        limit: page_limit(query.limit),
    };
    let found = api.ledger.attempts(filter).await?;
    page(&found.items.iter().map(shown).collect::<Vec<_>>(), found.next)
}

fn shown(sent: &SentAttempt) -> Value {
    let attempt = &sent.attempt;
    json!({
        "attempt_id": attempt.attempt_id,
        "webhook_id": sent.webhook_id,
        "type": sent.message_type,
        "destination": sent.destination,
        "source": sent.source,
        "started_at": view::time(attempt.started_us),
        "finished_at": attempt.finished_us.map(view::time),
        "status": attempt.status,
        "outcome": attempt.outcome,
        "latency_ms": attempt.latency_ms,
        "response": attempt.response,
    })
}
