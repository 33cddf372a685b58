//! A test of a destination. A trait for the sending, because stages are known to the composition root only: it hands one
//! in, and nothing here can reach past it.

use std::pin::Pin;

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Api;
use super::auth::{Caller, May};
use super::envelope::Body;
use super::problem::{Answer, Problem, ok};
use crate::config::DEFAULT_DESTINATION;
use crate::ledger::{AuditEntry, Pause, PauseTarget};
use crate::message;
use crate::model::{EventId, Identity, Part, WebhookId};

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    /// Scheme, host and port that it went to.
    pub to: String,
    /// Whether the backend took it.
    pub taken: bool,
    /// The word of an attempt's record.
    pub outcome: &'static str,
    /// The answer's status.
    pub status: Option<u16>,
    /// How long it took.
    pub latency_ms: u64,
    /// Start of the answer's body.
    pub response: String,
    /// What to check; none when it was taken.
    pub to_check: Option<&'static str>,
}

/// Why nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untested {
    /// Nothing is posted there.
    PullOnly,
    /// One at a time.
    Busy,
}

/// What comes of a test, later.
pub type Testing<'a> = Pin<Box<dyn Future<Output = Result<Tested, Untested>> + Send + 'a>>;

/// What operators may have sent.
pub trait Forwarding: Send + Sync + 'static {
    /// Posts these bytes to a destination at once and once, signed, beside everything that is due.
    fn test<'a>(&'a self, destination: &'a str, id: WebhookId, body: Vec<u8>) -> Testing<'a>;
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    destination: Option<String>,
}

/// `POST /forward/test`
pub(super) async fn test(State(api): State<Api>, caller: Caller, Body(body): Body) -> Answer {
    caller.may(May::Operate)?;
    caller.is_unlimited()?;
    let ask: Ask = if body.is_empty() { Ask::default() } else { read(&body)? };
    let destination = ask.destination.unwrap_or_else(|| DEFAULT_DESTINATION.to_owned());
    let Some(forwarding) = &api.forwarding else {
        return Err(Problem::taken("NOT_RUNNING", "a stopped gateway sends nothing: start it, and leave --data out"));
    };
    match api.config.destinations.get(&destination) {
        Some(configured) if configured.url.is_none() => return Err(pull_only(&destination)),
        Some(_) => {}
        None => {
            let known: Vec<&String> = api.config.destinations.keys().collect();
            return Err(Problem::unknown("destination").with_details(json!({"known": known})));
        }
    }
    let paused = paused(&api.ledger.pauses().await?, &destination);
    let (id, now) = (fresh(), api.clock.now());
    let by = caller.who();
    tracing::info!(token = by.name, from = by.from, destination, webhook_id = %id, "an operator tests a destination");
    // Before it leaves: nothing is sent that the audit does not know.
    let entry = AuditEntry {
        at_us: now.as_microsecond(),
        by: by.into(),
        what: "forward.test".to_owned(),
        subject: Some(destination.clone()),
        event_id: None,
        before: None,
        after: Some(json!({"webhook_id": id.to_string()})),
    };
    api.ledger.audit_add(entry).await?;
    let bytes = message::gateway_test(id, &destination, now);
    match forwarding.test(&destination, id, bytes).await {
        Ok(tested) => ok(shown(&destination, id, &tested, paused)),
        Err(Untested::PullOnly) => Err(pull_only(&destination)),
        Err(Untested::Busy) => {
            Err(Problem::taken("TEST_RUNNING", "a test of this destination is under way: wait for its end"))
        }
    }
}

fn pull_only(destination: &str) -> Problem {
    let message = format!("nothing is posted to {destination:?}: it has no url, the backend pulls its messages");
    Problem::taken("PULL_ONLY", message)
}

fn read(body: &[u8]) -> Result<Ask, Problem> {
    serde_json::from_slice(body)
        .map_err(|error| Problem::bad_request(format!("expected {{\"destination\": \"…\"}}: {error}")))
}

/// An id that no event has and no test had: a backend that drops known ids takes each.
fn fresh() -> WebhookId {
    let identity = Identity::derive("tollgate", "gateway", "test", &[Part::Bytes(Uuid::now_v7().as_bytes())]);
    WebhookId { event: EventId::of_identity(&identity), state_version: 1 }
}

/// The pause that keeps messages from this destination; a test goes out all the same.
fn paused(pauses: &[Pause], destination: &str) -> Option<String> {
    let holds = |pause: &&Pause| match &pause.target {
        PauseTarget::Forwarding => true,
        PauseTarget::Destination(name) => name == destination,
        PauseTarget::Source(_) => false,
    };
    pauses.iter().find(holds).map(|pause| pause.target.to_string())
}

fn shown(destination: &str, id: WebhookId, tested: &Tested, paused: Option<String>) -> Value {
    json!({
        "destination": destination,
        "to": tested.to,
        "webhook_id": id.to_string(),
        "type": "gateway.test",
        "taken": tested.taken,
        "outcome": tested.outcome,
        "status": tested.status,
        "latency_ms": tested.latency_ms,
        "response": tested.response,
        "to_check": tested.to_check,
        "paused": paused,
    })
}
