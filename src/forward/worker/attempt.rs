//! One attempt: intent, post, judgement, result. It never sends without an intent on record and never ends without
//! trying to record what came of it.

use bytes::Bytes;
use reqwest::header::{HeaderName, HeaderValue};
use tokio::time::Instant;
use uuid::Uuid;

use super::{LEDGER_PAUSE, Line};
use crate::forward::breaker::{Heard, Permit};
use crate::forward::classify::{Class, Judged, classify};
use crate::forward::client::{Reply, SendError};
use crate::forward::schedule::{self, Tried};
use crate::ledger::{DueMessage, Intent, Next, PauseTarget, RecordAttempt, RecordIntent, Who};
use crate::task::Stop;
use crate::telemetry::metrics::{DestinationOutcome, observe};

/// An attempt's end.
pub(super) struct Ended {
    /// For its lane.
    pub(super) end: End,
    /// For the destination.
    pub(super) heard: Heard,
}

impl Ended {
    const fn unsent(end: End) -> Self {
        Self { end, heard: Heard::Nothing }
    }
}

/// How an attempt ended, for its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The message is finished: its lane goes on.
    Finished,
    /// It is due again.
    Retry {
        /// When, microseconds since the epoch.
        due_us: i64,
    },
    /// Nothing was sent: verification looks at the anchor first.
    AnchorStale,
    /// Nothing was sent: an operator paused it.
    Paused,
    /// Nothing was sent: the ledger did not take the intent.
    LedgerDown,
}

/// Makes one attempt. A failed probe is due again at once: the breaker paces it. `taken` is told as soon as the destination
/// has the message, before that is on record.
pub(super) async fn run(
    line: &Line,
    mut message: DueMessage,
    permit: Permit,
    stop: &mut Stop,
    taken: impl FnOnce() + Send,
) -> Ended {
    let now = line.clock.now();
    let attempt_id = new_id(now);
    let now_us = now.as_microsecond();
    let intent = RecordIntent {
        webhook_id: message.webhook_id,
        destination: line.name.clone(),
        attempt_id,
        now_us,
        anchor_since_us: now_us.saturating_sub(line.anchor_age_us),
    };
    match line.ledger.record_intent(intent).await {
        Ok(Intent::Go) => {}
        Ok(Intent::AnchorStale) => {
            line.wakes.verify.wake();
            return Ended::unsent(End::AnchorStale);
        }
        Ok(Intent::Paused) => return Ended::unsent(End::Paused),
        Ok(Intent::Gone) => {
            line.others.forget(message.webhook_id);
            return Ended::unsent(End::Finished);
        }
        Err(error) => {
            tracing::warn!(destination = line.name, %error, "nothing is sent while the ledger is down");
            return Ended::unsent(End::LedgerDown);
        }
    }
    let body = Bytes::from(std::mem::take(&mut message.body));
    let (class, result) = send(line, &message, permit, body, attempt_id).await;
    let next = result.next;
    let heard = match class {
        Class::Delivered => {
            taken();
            Heard::Taken
        }
        Class::RetryAfter(asked) => Heard::Failed(Some(asked)),
        Class::Retry | Class::Gone => Heard::Failed(None),
    };
    if class == Class::Gone {
        pause(line).await;
    }
    if !record(line, result, stop).await {
        // Left open: the next start makes it due again, and the backend drops the repeat by its id.
        return Ended { end: End::LedgerDown, heard };
    }
    let end = match next {
        Next::Delivered | Next::Dead => End::Finished,
        Next::Retry { due_us } => End::Retry { due_us },
    };
    Ended { end, heard }
}

/// Nothing more goes to an address that says it is no more, until an operator has looked. When the ledger does not take
/// the pause, the next attempt hears 410 again.
async fn pause(line: &Line) {
    let by = Who {
        name: "tollgate".to_owned(),
        from: "forwarding".to_owned(),
        reason: Some("the backend answered 410 Gone".to_owned()),
    };
    let target = PauseTarget::Destination(line.name.clone());
    match line.ledger.set_pause(target, true, by, line.clock.now().as_microsecond()).await {
        Ok(true) => tracing::error!(
            destination = line.name,
            to = line.client.shown(),
            "paused: the backend answers 410, this address takes no more; correct its url, then resume the destination"
        ),
        Ok(false) => {}
        Err(error) => tracing::error!(destination = line.name, %error, "could not be paused after a 410"),
    }
}

/// Posts, judges and measures.
async fn send(
    line: &Line,
    message: &DueMessage,
    permit: Permit,
    body: Bytes,
    attempt_id: Uuid,
) -> (Class, RecordAttempt) {
    let began = Instant::now();
    let answer = match line.signer.headers(message.webhook_id, line.clock.now(), &body) {
        Ok(mut headers) => {
            headers.extend(message.replay_id.and_then(replayed));
            line.client.post(headers, body).await
        }
        Err(error) => {
            tracing::error!(%error, "the signature headers could not be made");
            Err(SendError::Io)
        }
    };
    let took = began.elapsed();
    let now = line.clock.now();
    let (status, retry_after, response) = match answer {
        Ok(Reply { status, retry_after, body }) => (Ok(status), retry_after, body),
        Err(error) => (Err(error), None, String::new()),
    };
    let judged = classify(status, retry_after.as_deref(), &line.accept, now);
    let next = decide(line, message, permit, judged.class, now.as_microsecond());
    observe(&line.metrics.forward, took);
    line.metrics.forward_attempts.get_or_create(&DestinationOutcome::of(&line.name, label(judged))).inc();
    tell(line, message, judged, status.ok(), next);
    let result = RecordAttempt {
        webhook_id: message.webhook_id,
        destination: line.name.clone(),
        attempt_id,
        now_us: now.as_microsecond(),
        status: status.ok(),
        outcome: judged.outcome,
        latency_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        response,
        next,
    };
    (judged.class, result)
}

/// Says which job had it sent again; a header, because the stored bytes never change (rule 18).
fn replayed(job: Uuid) -> Option<(HeaderName, HeaderValue)> {
    Some((HeaderName::from_static("tollgate-replay-id"), HeaderValue::try_from(job.to_string()).ok()?))
}

fn decide(line: &Line, message: &DueMessage, permit: Permit, class: Class, now_us: i64) -> Next {
    let id = message.webhook_id;
    let since_us = message.patient_since_us;
    let since_us = since_us.saturating_add(line.outages().within(since_us, now_us));
    let others = if class != Class::Delivered && line.policy.is_old(since_us, now_us) {
        line.others.since_last_failure(id)
    } else {
        schedule::Others::AreSilent
    };
    let tried = Tried { created_us: since_us, now_us, attempts_before: message.attempts, others };
    let next = match schedule::after(&line.policy, class, &tried, rand::random()) {
        Next::Retry { .. } if permit == Permit::Probe && class == Class::Retry => Next::Retry { due_us: now_us },
        next => next,
    };
    match next {
        Next::Delivered => line.others.got_through(id),
        Next::Dead => line.others.forget(id),
        Next::Retry { .. } => {}
    }
    next
}

/// The metric tells 410 apart, because it asks for a person.
const fn label(judged: Judged) -> &'static str {
    match judged.class {
        Class::Gone => "gone",
        Class::Delivered | Class::Retry | Class::RetryAfter(_) => judged.outcome,
    }
}

fn tell(line: &Line, message: &DueMessage, judged: Judged, status: Option<u16>, next: Next) {
    let (webhook_id, event_id) = (message.webhook_id, message.webhook_id.event);
    let (destination, to, outcome) = (&line.name, line.client.shown(), judged.outcome);
    let attempt = message.attempts.saturating_add(1);
    match next {
        Next::Delivered => tracing::debug!(%webhook_id, %event_id, destination, attempt, "delivered"),
        Next::Retry { due_us } => {
            let again = jiff::Timestamp::from_microsecond(due_us).unwrap_or_default();
            tracing::warn!(%webhook_id, %event_id, destination, to, attempt, outcome, status, %again, "not delivered");
        }
        Next::Dead => {
            tracing::error!(%webhook_id, %event_id, destination, to, attempt, outcome, status, "given up: parked as dead");
        }
    }
}

/// Records the result, as long as it takes. After stop it tries once more and leaves the rest to the next start.
async fn record(line: &Line, result: RecordAttempt, stop: &mut Stop) -> bool {
    let mut pause = LEDGER_PAUSE.0;
    loop {
        let stopping = stop.is_set();
        match line.ledger.record_attempt(result.clone()).await {
            Ok(()) => return true,
            Err(error) => tracing::warn!(destination = line.name, %error, "an attempt's result is not on record yet"),
        }
        if stopping {
            return false;
        }
        tokio::select! {
            () = stop.wait() => {}
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LEDGER_PAUSE.1),
        }
    }
}

/// A UUIDv7 of the attempt's own time.
fn new_id(now: jiff::Timestamp) -> Uuid {
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos))
}
