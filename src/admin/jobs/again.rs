//! The jobs that outlive a restart: `replay` judges stored deliveries again, `resend` sends stored messages again. Ids and
//! times are made whole here, so that a job that goes on later does what was asked.

use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::auth::{Caller, May};
use super::super::events::{self, ListQuery};
use super::super::problem::{Answer, Problem, success};
use super::super::{Api, lookup};
use crate::ledger::{BeginJob, DurableKind, IdOf, JobBegun, ResendState, Who};
use crate::model::{EventId, WebhookId};
use crate::replay::{IDS_MAX, RATE, ReplayParams, ResendParams};

/// Most units of work a second that may be asked for.
const RATE_MAX: u32 = 10_000;

/// Longest reason.
const REASON_BYTES_MAX: usize = 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resend {
    /// Messages by `webhook-id`, events by id or a unique beginning.
    #[serde(default)]
    ids: Vec<String>,
    state: Option<ResendState>,
    destination: Option<String>,
    source: Option<String>,
    since: Option<String>,
    until: Option<String>,
    #[serde(default)]
    new_version: bool,
    #[serde(flatten)]
    run: Run,
}

/// How it runs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Run {
    dry_run: bool,
    rate: Option<u32>,
    reason: Option<String>,
}

/// Names of [`Run`], and of what a replay takes beside the filters of a list.
const OF_A_REPLAY: [&str; 5] = ["ids", "retract", "dry_run", "rate", "reason"];

#[derive(Debug, Deserialize)]
struct Replay {
    /// Deliveries or events, by id or a unique beginning.
    #[serde(default)]
    ids: Vec<String>,
    #[serde(default)]
    retract: bool,
    #[serde(flatten)]
    run: Run,
}

/// `{"kind": "resend", …}`
pub(super) async fn resend(api: &Api, caller: &Caller, params: Map<String, Value>) -> Answer {
    let asked: Resend = read("resend", Value::Object(params))?;
    if asked.ids.is_empty() && asked.state.is_none() && asked.since.is_none() && asked.destination.is_none() {
        return Err(Problem::bad_request(
            "say what is sent again: ids, a state (dead or delivered), a destination, or since when",
        ));
    }
    if let Some(name) = asked.destination.as_ref().filter(|name| !api.config.destinations.contains_key(*name)) {
        let known: Vec<&String> = api.config.destinations.keys().collect();
        return Err(Problem::unknown(&format!("destination as {name:?}")).with_details(json!({"known": known})));
    }
    let (mut messages, mut events) = (Vec::new(), Vec::new());
    for id in bounded(&asked.ids)? {
        match id.contains('_').then(|| id.parse::<WebhookId>()) {
            Some(Ok(message)) if api.ledger.message(message).await?.is_some() => messages.push(message.to_string()),
            Some(_) => return Err(Problem::unknown(&format!("message as {id:?}; a webhook-id is EVENT_VERSION"))),
            None => events.push(event(api, caller, id).await?),
        }
    }
    let now = api.clock.now();
    let params = ResendParams {
        messages,
        events,
        state: asked.state,
        destination: asked.destination,
        source: asked.source,
        since_us: events::time("since", asked.since, now)?,
        until_us: events::time("until", asked.until, now)?,
        new_version: asked.new_version,
        dry_run: asked.run.dry_run,
        rate: rate(asked.run.rate)?,
    };
    begin(api, caller, DurableKind::Resend, &params, asked.run.reason).await
}

/// `{"kind": "replay", …}`
pub(super) async fn replay(api: &Api, caller: &Caller, mut params: Map<String, Value>) -> Answer {
    let own: Map<String, Value> =
        OF_A_REPLAY.iter().filter_map(|name| Some(((*name).to_owned(), params.remove(*name)?))).collect();
    let asked: Replay = read("replay", Value::Object(own))?;
    if asked.retract {
        caller.may(May::Retract)?;
        if asked.run.reason.as_ref().is_none_or(|reason| reason.trim().is_empty()) {
            return Err(Problem::bad_request("a retraction needs a reason: it takes back what a backend was told"));
        }
    }
    let has_filter = !params.is_empty();
    let filter = read::<ListQuery>("replay", Value::Object(params))?.filter(api, caller)?;
    match (asked.ids.is_empty(), has_filter) {
        (true, false) => {
            return Err(Problem::bad_request("say what is judged again: ids, or a filter of deliveries such as since"));
        }
        (false, true) => return Err(Problem::bad_request("give either ids or a filter")),
        (true, true) | (false, false) => {}
    }
    let (mut deliveries, mut events) = (Vec::new(), Vec::new());
    for id in bounded(&asked.ids)? {
        match event(api, caller, id).await {
            Ok(found) => events.push(found),
            Err(problem) if problem.is_unknown() => deliveries.push(delivery(api, caller, id).await?),
            Err(problem) => return Err(problem),
        }
    }
    let params = ReplayParams {
        deliveries,
        events,
        filter,
        dry_run: asked.run.dry_run,
        retract: asked.retract,
        rate: rate(asked.run.rate)?,
    };
    begin(api, caller, DurableKind::Replay, &params, asked.run.reason).await
}

async fn event(api: &Api, caller: &Caller, text: &str) -> Result<EventId, Problem> {
    let id = EventId(lookup::id(api, caller, IdOf::Event, text).await?);
    match api.ledger.event(id).await? {
        Some(found) if caller.sees(&found.event.facts.source) => Ok(id),
        Some(_) | None => Err(Problem::unknown(&format!("event as {text:?}"))),
    }
}

async fn delivery(api: &Api, caller: &Caller, text: &str) -> Result<Uuid, Problem> {
    let id = lookup::id(api, caller, IdOf::Delivery, text).await?;
    match api.ledger.delivery(id).await? {
        Some(found) if caller.sees(&found.source) => Ok(id),
        Some(_) | None => Err(Problem::unknown(&format!("delivery or event as {text:?}"))),
    }
}

fn bounded(ids: &[String]) -> Result<&[String], Problem> {
    if ids.len() <= IDS_MAX {
        return Ok(ids);
    }
    Err(Problem::bad_request(format!("at most {IDS_MAX} ids a job: give a filter, or start several jobs")))
}

fn rate(asked: Option<u32>) -> Result<u32, Problem> {
    match asked.unwrap_or(RATE) {
        rate @ 1..=RATE_MAX => Ok(rate),
        _ => Err(Problem::bad_request(format!("rate: 1 to {RATE_MAX} a second"))),
    }
}

fn read<T: DeserializeOwned>(kind: &str, params: Value) -> Result<T, Problem> {
    serde_json::from_value(params)
        .map_err(|error| Problem::bad_request(format!("a job of kind {kind} does not take this: {error}")))
}

/// Starts it. The entry of the audit is the ledger's own, in the same transaction.
async fn begin(
    api: &Api,
    caller: &Caller,
    kind: DurableKind,
    params: &impl serde::Serialize,
    reason: Option<String>,
) -> Answer {
    if api.started_us.is_none() {
        return Err(Problem::taken("NOT_SERVING", "a running gateway does this: start it, and ask it"));
    }
    if reason.as_ref().is_some_and(|reason| REASON_BYTES_MAX < reason.len()) {
        return Err(Problem::bad_request(format!("a reason has at most {REASON_BYTES_MAX} bytes")));
    }
    let who = caller.who();
    let job_id = Uuid::now_v7();
    let params = serde_json::to_value(params).map_err(|error| Problem::bad_request(error.to_string()))?;
    let by = Who { name: who.name, from: who.from, reason };
    let begin = BeginJob { job_id, kind, by, params, now_us: api.clock.now().as_microsecond() };
    match api.ledger.begin_job(begin).await? {
        JobBegun::Begun => {}
        JobBegun::Busy(running) => {
            let message = format!("job {running} of this kind is still running: wait for it, or cancel it");
            return Err(Problem::taken("JOB_BUSY", message).with_details(json!({"job_id": running})));
        }
    }
    match kind {
        DurableKind::Replay => api.wakes.replay.wake(),
        DurableKind::Resend => api.wakes.resend.wake(),
    }
    tracing::info!(%job_id, kind = kind.as_str(), "a job was started");
    let job = api.ledger.stored_job(job_id).await?.ok_or_else(|| Problem::unknown("job"))?;
    Ok(success(StatusCode::ACCEPTED, super::stored(&job)))
}
