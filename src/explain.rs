//! Why an event is where it is, in words for the person who asks: one pure function, used by the API, the commands and
//! whatever else shows an event.
//!
//! It judges nothing. What was asked and seen stands in the event's trace; what a code means is said by
//! [`Code::meaning`], what an operator may do about it by [`advice`].

use serde::Serialize;
use serde_json::Value;

use crate::ledger::{EventDetail, TraceEntry};
use crate::model::{Check, CheckOutcome, Code, EventId, EventState, Meaning, Vote};

pub mod advice;

pub use advice::{Verb, frees, verbs};

/// Steps shown, the newest: a trace may be long.
const STEPS_MAX: usize = 100;

/// See the module.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// Which event.
    pub event_id: EventId,
    /// Where it stands.
    pub state: EventState,
    /// Why.
    pub code: Option<Code>,
    /// What the state means.
    pub is: &'static str,
    /// What the code means: what was asked, and what came of it.
    pub because: String,
    /// The checks that stand in its way, from the last look that asked any: what would have passed and what was seen.
    pub in_the_way: Vec<Check>,
    /// The single change that would let it pass; none where nothing can, or nothing has to.
    pub would_pass: Option<String>,
    /// What an operator may do, with the command.
    pub operator_may: Vec<Step>,
    /// When it is looked at again by itself, microseconds since the epoch.
    #[serde(skip)]
    pub next_look_us: Option<i64>,
    /// Whether it is looked at again at all.
    pub next_look: &'static str,
    /// What is due about it: messages that the backend does not have yet.
    pub sending: Vec<Sending>,
    /// What was asked and seen, and what came of it, oldest first.
    pub steps: Vec<Look>,
}

/// Something an operator may do.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Its name.
    pub verb: Verb,
    /// The command.
    pub command: String,
    /// What it does.
    pub does: &'static str,
}

/// A message that is not with the backend.
#[derive(Debug, Clone, Serialize)]
pub struct Sending {
    /// Its id.
    pub webhook_id: String,
    /// To whom.
    pub destination: String,
    /// `due`, `sending`, `dead`.
    pub state: String,
    /// Attempts so far.
    pub attempts: usize,
    /// How the last one ended: a status, or a word.
    pub last: Option<String>,
}

/// One entry of the trace.
#[derive(Debug, Clone, Serialize)]
pub struct Look {
    /// When, microseconds since the epoch.
    #[serde(skip)]
    pub at_us: i64,
    /// From.
    pub from: Option<EventState>,
    /// To.
    pub to: EventState,
    /// By which rule.
    pub code: Option<Code>,
    /// What was asked, what would pass, what was seen.
    pub checks: Vec<Check>,
    /// Who said so.
    pub votes: Vec<Vote>,
    /// Everything else that is on record.
    pub more: Value,
}

/// Explains an event.
#[must_use]
pub fn explain(detail: &EventDetail) -> Explanation {
    let event = &detail.event;
    let steps: Vec<Look> = detail.trace.iter().skip(detail.trace.len().saturating_sub(STEPS_MAX)).map(look).collect();
    let last_asked = steps.iter().rev().find(|step| !step.checks.is_empty());
    let stands = |check: &&Check| matches!(check.outcome, CheckOutcome::Fail | CheckOutcome::Unknown);
    let in_the_way: Vec<Check> = match last_asked {
        Some(step) if needs_something(event.state) => step.checks.iter().filter(stands).cloned().collect(),
        Some(_) | None => Vec::new(),
    };
    let says = event.code.filter(|_| applies(event.state));
    let would_pass = says.and_then(frees).map(|change| passes(change, &in_the_way));
    let id = event.event_id;
    let operator_may = says.map(verbs).unwrap_or_default().iter().map(|verb| Step {
        verb: *verb,
        command: verb.command(id),
        does: verb.does(),
    });
    Explanation {
        event_id: id,
        state: event.state,
        code: event.code,
        is: advice::of_state(event.state),
        because: because(event.code),
        in_the_way,
        would_pass,
        operator_may: operator_may.chain(of_messages(detail)).collect(),
        next_look_us: event.due_us,
        next_look: next_look(event.state, event.due_us.is_some()),
        sending: sending(detail),
        steps,
    }
}

/// Whether something has to change for it to go on.
const fn needs_something(state: EventState) -> bool {
    match state {
        EventState::AwaitingFinality | EventState::Refuted | EventState::Undetermined | EventState::Held => true,
        EventState::Received
        | EventState::Verifying
        | EventState::Forwarding
        | EventState::Forwarded
        | EventState::Settled
        | EventState::Ignored
        | EventState::Dead
        | EventState::Retracted => false,
    }
}

/// Whether what is said of its code is about where it stands: the code of a forwarded event says why it was confirmed.
const fn applies(state: EventState) -> bool {
    match state {
        EventState::Received
        | EventState::Verifying
        | EventState::AwaitingFinality
        | EventState::Refuted
        | EventState::Undetermined
        | EventState::Held
        | EventState::Ignored
        | EventState::Retracted => true,
        EventState::Forwarding | EventState::Forwarded | EventState::Settled | EventState::Dead => false,
    }
}

fn because(code: Option<Code>) -> String {
    let Some(code) = code else { return "nothing was decided yet".to_owned() };
    let Meaning { asked, seen, .. } = code.meaning();
    format!("{asked}: {seen}")
}

/// The change that frees it, with what the failed check wanted to see where that says more.
fn passes(change: &str, in_the_way: &[Check]) -> String {
    let failed = in_the_way.iter().find(|check| check.outcome == CheckOutcome::Fail).or_else(|| in_the_way.first());
    match failed {
        Some(check) => {
            let (name, wanted, seen) = (check.name, &check.expected, &check.actual);
            format!("{change} (the check {name} wants {wanted}, and saw {seen})")
        }
        None => change.to_owned(),
    }
}

fn next_look(state: EventState, is_due: bool) -> &'static str {
    match (state, is_due) {
        (_, true) => "by itself, at the latest then; earlier when a block or a node that it waits for is there",
        (EventState::Forwarding, false) => "before its first attempt, when its block was not seen lately",
        (EventState::Held | EventState::Refuted, false) => "not by itself: what frees it makes it due",
        (EventState::Settled | EventState::Ignored, false) => "never: nothing is left to watch",
        (
            EventState::Received
            | EventState::Verifying
            | EventState::AwaitingFinality
            | EventState::Forwarded
            | EventState::Undetermined
            | EventState::Dead
            | EventState::Retracted,
            false,
        ) => "when what it waits for is there",
    }
}

fn look(entry: &TraceEntry) -> Look {
    // What a confirmation or a refusal stood on lies beside what it did.
    let seen = entry.detail.get("seen").filter(|seen| seen.is_object()).unwrap_or(&entry.detail);
    let part = |name: &str| seen.get(name).cloned().unwrap_or_default();
    let mut more = entry.detail.clone();
    if let Value::Object(fields) = &mut more {
        fields.retain(|name, _| !matches!(name.as_str(), "checks" | "votes" | "seen"));
    }
    Look {
        at_us: entry.at_us,
        from: entry.from,
        to: entry.to,
        code: entry.code,
        checks: serde_json::from_value(part("checks")).unwrap_or_default(),
        votes: serde_json::from_value(part("votes")).unwrap_or_default(),
        more,
    }
}

fn sending(detail: &EventDetail) -> Vec<Sending> {
    let open = detail.messages.iter().filter(|message| matches!(message.state.as_str(), "due" | "sending" | "dead"));
    open.map(|message| Sending {
        webhook_id: message.webhook_id.clone(),
        destination: message.destination.clone(),
        state: message.state.clone(),
        attempts: message.attempts.len(),
        last: message.attempts.last().and_then(|attempt| match attempt.status {
            Some(status) => Some(status.to_string()),
            None => attempt.outcome.clone(),
        }),
    })
    .collect()
}

/// What may be done about messages, whatever the event's code.
fn of_messages(detail: &EventDetail) -> Option<Step> {
    let is_dead = detail.messages.iter().any(|message| message.state == "dead");
    let id = detail.event.event_id;
    is_dead.then(|| Step { verb: Verb::Resend, command: Verb::Resend.command(id), does: Verb::Resend.does() })
}

#[cfg(test)]
mod tests;
