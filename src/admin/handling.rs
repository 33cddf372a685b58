//! Why an event is where it is, and what operators do about it (rule 24).

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::{Caller, May};
use super::envelope::{Body, Segments};
use super::problem::{Answer, Problem, ok};
use super::{Api, lookup, view};
use crate::explain::{self, Explanation};
use crate::ledger::{EventDetail, EventVerb, HandleEvent, Handled, IdOf, Who};
use crate::model::EventId;

/// Longest reason.
const REASON_BYTES_MAX: usize = 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Say {
    reason: String,
    /// Of `attach`.
    expectation: Option<String>,
}

/// `GET /events/{id}/explain`
pub(super) async fn explain(State(api): State<Api>, caller: Caller, Segments(id): Segments<String>) -> Answer {
    caller.may(May::ReadEvents)?;
    ok(explained(&found(&api, &caller, &id).await?))
}

/// `POST /events/{id}/{verb}`: the event as it is explained afterwards.
pub(super) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    Segments((id, verb)): Segments<(String, String)>,
    Body(body): Body,
) -> Answer {
    caller.may(May::Operate)?;
    let asked: Say = serde_json::from_slice(&body)
        .map_err(|error| Problem::bad_request(format!("expected {{\"reason\": \"…\"}}: {error}")))?;
    let reason = asked.reason.trim().to_owned();
    if reason.is_empty() || REASON_BYTES_MAX < reason.len() {
        return Err(Problem::bad_request(format!("a reason has 1 to {REASON_BYTES_MAX} bytes")));
    }
    let verb = match (verb.as_str(), asked.expectation) {
        ("attach", Some(expectation)) => EventVerb::Attach { expectation },
        ("attach", None) => return Err(Problem::bad_request("name the expectation that it is for")),
        (_, Some(_)) => return Err(Problem::bad_request("only attach takes an expectation")),
        ("recheck", None) => EventVerb::Recheck,
        ("accept", None) => EventVerb::Accept,
        ("close", None) => EventVerb::Close,
        ("note", None) => EventVerb::Note,
        (_, None) => return Err(Problem::unknown("verb: recheck, attach, accept, close or note")),
    };
    let event = found(&api, &caller, &id).await?.event.event_id;
    let who = caller.who();
    let by = Who { name: who.name, from: who.from, reason: Some(reason) };
    let (now_us, name) = (api.clock.now().as_microsecond(), verb.as_str());
    match api.ledger.handle_event(HandleEvent { event_id: event, verb, by, now_us }).await? {
        Handled::Done => {}
        Handled::Unknown => return Err(Problem::unknown("event")),
        Handled::NoExpectation => return Err(Problem::unknown("expectation in the realm of the event")),
        Handled::NotNow { state, code } => {
            let why = code.map_or_else(String::new, |code| format!(" / {code}"));
            let message =
                format!("an event that is {state}{why} cannot be told to {name}: `events explain` says what can");
            return Err(Problem::taken("NOT_POSSIBLE", message).with_details(json!({"state": state, "code": code})));
        }
    }
    api.wakes.verify.wake();
    tracing::info!(event_id = %event, verb = name, token = caller.name, "an operator handled an event");
    ok(explained(&found(&api, &caller, &event.to_string()).await?))
}

async fn found(api: &Api, caller: &Caller, text: &str) -> Result<EventDetail, Problem> {
    let id = EventId(lookup::id(api, caller, IdOf::Event, text).await?);
    match api.ledger.event(id).await? {
        Some(found) if caller.sees(&found.event.facts.source) => Ok(found),
        Some(_) | None => Err(Problem::unknown("event")),
    }
}

fn explained(detail: &EventDetail) -> Value {
    let said: Explanation = explain::explain(detail);
    let steps: Vec<Value> = said.steps.iter().map(|step| with_time(step, "at", Some(step.at_us))).collect();
    let mut shown = with_time(&said, "next_look_at", said.next_look_us);
    if let Value::Object(fields) = &mut shown {
        fields.insert("steps".to_owned(), Value::Array(steps));
    }
    shown
}

fn with_time(value: &impl serde::Serialize, name: &str, at_us: Option<i64>) -> Value {
    let mut shown = serde_json::to_value(value).unwrap_or_default();
    if let Value::Object(fields) = &mut shown {
        fields.insert(name.to_owned(), at_us.map(view::time).into());
    }
    shown
}
