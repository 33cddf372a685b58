//! Pausing and resuming what is sent: all of it, to one destination, or about one source. Receiving, verifying and
//! keeping go on; a pause lasts over restarts.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::{Caller, May};
use super::envelope::{Body, Segments};
use super::problem::{Answer, Problem, ok};
use super::{Api, view};
use crate::ledger::{self, Pause, PauseTarget};

/// Longest reason.
const REASON_BYTES_MAX: usize = 1024;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    /// Why; a pause needs one, for whoever finds it at night.
    reason: Option<String>,
    /// Only what is sent there.
    destination: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskOfSource {
    reason: Option<String>,
}

/// `POST /forwarding/pause`
pub(super) async fn pause(State(api): State<Api>, caller: Caller, Body(body): Body) -> Answer {
    forwarding(&api, &caller, &body, true).await
}

/// `POST /forwarding/resume`
pub(super) async fn resume(State(api): State<Api>, caller: Caller, Body(body): Body) -> Answer {
    forwarding(&api, &caller, &body, false).await
}

/// `POST /sources/{name}/pause`
pub(super) async fn pause_source(
    State(api): State<Api>,
    caller: Caller,
    Segments(name): Segments<String>,
    Body(body): Body,
) -> Answer {
    source(&api, &caller, name, &body, true).await
}

/// `POST /sources/{name}/resume`
pub(super) async fn resume_source(
    State(api): State<Api>,
    caller: Caller,
    Segments(name): Segments<String>,
    Body(body): Body,
) -> Answer {
    source(&api, &caller, name, &body, false).await
}

async fn forwarding(api: &Api, caller: &Caller, body: &[u8], paused: bool) -> Answer {
    caller.may(May::Operate)?;
    caller.is_unlimited()?;
    let Ask { reason, destination } = read(body)?;
    let target = destination.map_or(PauseTarget::Forwarding, PauseTarget::Destination);
    set(api, caller, target, paused, reason).await
}

async fn source(api: &Api, caller: &Caller, name: String, body: &[u8], paused: bool) -> Answer {
    caller.may(May::Operate)?;
    if !caller.sees(&name) {
        return Err(Problem::unknown("source"));
    }
    let AskOfSource { reason } = read(body)?;
    set(api, caller, PauseTarget::Source(name), paused, reason).await
}

fn read<T: serde::de::DeserializeOwned + Default>(body: &[u8]) -> Result<T, Problem> {
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body)
        .map_err(|error| Problem::bad_request(format!("expected {{\"reason\": \"…\"}}: {error}")))
}

async fn set(api: &Api, caller: &Caller, target: PauseTarget, paused: bool, reason: Option<String>) -> Answer {
    let reason = self::reason(reason)?;
    if paused && reason.is_none() {
        return Err(Problem::bad_request("a pause needs a reason: {\"reason\": \"…\"}"));
    }
    let before = api.ledger.pauses().await?;
    if !before.iter().any(|pause| pause.target == target) {
        exists(api, &target)?;
    }
    let who = caller.who();
    let by = ledger::Who { name: who.name.clone(), from: who.from.clone(), reason };
    let now_us = api.clock.now().as_microsecond();
    let changed = api.ledger.set_pause(target.clone(), paused, by, now_us).await?;
    if changed {
        tracing::warn!(token = who.name, from = who.from, %target, paused, "an operator changed what is sent");
    }
    if changed && !paused {
        api.wakes.forward.wake();
    }
    let now = api.ledger.pauses().await?;
    ok(json!({"target": target.to_string(), "paused": paused, "changed": changed, "pauses": shown(&now, caller)}))
}

/// A reason as it is kept; none when there is nothing but white space.
pub(super) fn reason(reason: Option<String>) -> Result<Option<String>, Problem> {
    let reason = reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    if reason.as_ref().is_some_and(|reason| REASON_BYTES_MAX < reason.len()) {
        return Err(Problem::bad_request(format!("a reason has at most {REASON_BYTES_MAX} bytes")));
    }
    Ok(reason)
}

/// What never was cannot be paused: a wrong name would look like a pause and be none. What is paused already may be
/// resumed whatever the configuration says today.
fn exists(api: &Api, target: &PauseTarget) -> Result<(), Problem> {
    let known: Vec<&str> = match target {
        PauseTarget::Forwarding => return Ok(()),
        PauseTarget::Destination(_) => api.config.destinations.keys().map(String::as_str).collect(),
        PauseTarget::Source(_) => api.config.sources.iter().map(|source| source.name.as_str()).collect(),
    };
    if known.contains(&target.name()) {
        return Ok(());
    }
    let hint = if api.started_us.is_none() { "; with --data, name the configuration with --config too" } else { "" };
    Err(Problem::unknown(target.kind()).with_details(json!({"known": known})).saying(hint))
}

/// The pauses that a caller may know of.
pub(super) fn shown(pauses: &[Pause], caller: &Caller) -> Vec<Value> {
    let sees = |pause: &&Pause| match &pause.target {
        PauseTarget::Source(name) => caller.sees(name),
        PauseTarget::Forwarding | PauseTarget::Destination(_) => true,
    };
    let show = |pause: &Pause| {
        json!({
            "what": pause.target.kind(),
            "name": pause.target.name(),
            "by": pause.by.name,
            "from": pause.by.from,
            "reason": pause.by.reason,
            "since_at": view::time(pause.since_us),
        })
    };
    pauses.iter().filter(sees).map(show).collect()
}
