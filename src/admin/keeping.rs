//! What has to stay and what has to go: holds on evidence, and erasing a body for privacy. The log records who did it
//! and why, in the same commit; the ledger's audit has it too.

use axum::extract::State;
use evidence_store::{ChangeError, Entry, Erased, Facts, Hold, Record, Removed, Store, Stub, Subject};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::auth::{Caller, May, Who};
use super::envelope::Body;
use super::problem::{Answer, Problem, ok, page};
use super::{Api, lookup, view};
use crate::ledger::{self, Filter, IdOf, KnownDelivery, RemovedHow};
use crate::model::EventId;
use crate::{retention, task};

/// Longest reason.
const REASON_BYTES_MAX: usize = 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    /// A delivery or an event, or a beginning of its id.
    id: Option<String>,
    source: Option<String>,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskErase {
    delivery_id: String,
    reason: String,
}

/// `GET /evidence/holds`
pub(super) async fn holds(State(api): State<Api>, caller: Caller) -> Answer {
    caller.may(May::ReadDeliveries)?;
    let mut shown = Vec::new();
    for hold in all(&api).await? {
        if caller.sees_all() || sees(&api, &caller, &hold.subject).await? {
            shown.push(view_of(&hold));
        }
    }
    page(&shown, None)
}

/// `POST /evidence/hold`: nothing that it covers is pruned or erased from now on.
pub(super) async fn hold(State(api): State<Api>, caller: Caller, Body(body): Body) -> Answer {
    caller.may(May::Operate)?;
    let Ask { id, source, reason } = read(&body)?;
    let subject = match (id, source) {
        (Some(id), None) => named(&api, &caller, &id).await?,
        (None, Some(source)) => of_source(&api, &caller, source).await?,
        _ => return Err(which()),
    };
    let (who, facts) = facts(&api, &caller, reason)?;
    let before = all(&api).await?.into_iter().find(|hold| hold.subject == subject);
    let hold = changed(&api, move |store| store.hold(subject, facts)).await?;
    if before.is_none() {
        note(&api, &who, &hold.facts.reason, "evidence.hold", &hold.subject).await;
    }
    ok(view_of(&hold))
}

/// `POST /evidence/release`
pub(super) async fn release(State(api): State<Api>, caller: Caller, Body(body): Body) -> Answer {
    caller.may(May::Operate)?;
    let Ask { id, source, reason } = read(&body)?;
    let (who, facts) = facts(&api, &caller, reason)?;
    let given = all(&api).await?;
    let hold = match (id, source) {
        (Some(id), None) => begins(given, &id)?,
        (None, Some(source)) => given.into_iter().find(|hold| hold.subject == Subject::Source(source.clone())),
        _ => return Err(which()),
    };
    let hold = hold.ok_or_else(|| Problem::unknown("hold"))?;
    if !sees(&api, &caller, &hold.subject).await? {
        return Err(Problem::unknown("hold"));
    }
    let (subject, said) = (hold.subject.clone(), facts.reason.clone());
    changed(&api, move |store| store.release(&subject, facts)).await?;
    note(&api, &who, &said, "evidence.release", &hold.subject).await;
    ok(view_of(&hold))
}

/// `POST /evidence/erase`: the body of one delivery, for ever.
pub(super) async fn erase(State(api): State<Api>, caller: Caller, Body(body): Body) -> Answer {
    caller.may(May::Erase)?;
    let AskErase { delivery_id, reason } = read(&body)?;
    let id = lookup::id(&api, &caller, IdOf::Delivery, &delivery_id).await?;
    if !sees(&api, &caller, &Subject::Delivery(id)).await? {
        return Err(Problem::unknown("delivery"));
    }
    let (who, facts) = facts(&api, &caller, reason)?;
    let event = match api.ledger.stub_of(id).await? {
        // Without what the ledger makes of it, its identity would be lost with its body.
        KnownDelivery::Unknown => {
            let message = "intake has not seen this delivery yet; try again when it has";
            return Err(Problem::taken("NOT_TAKEN_IN", message));
        }
        KnownDelivery::NoEvent => None,
        KnownDelivery::Event(stub) => Some(retention::stub(*stub)),
    };
    let event_id = event.as_ref().map(|event| event.event_id);
    let erased = changed(&api, move |store| store.erase(id, facts, event)).await?;
    if let Erased::Before(stub) = &erased
        && stub.why.what == Removed::Pruned
    {
        let message =
            "it was pruned, so no bytes of it are here; remove it from the archives, or an import brings it back";
        return Err(Problem::taken("PRUNED", message).with_details(removed(stub)));
    }
    let now_us = api.clock.now().as_microsecond();
    let is_noted = api.ledger.delivery(id).await?.is_some_and(|row| row.removed.is_some());
    api.ledger.mark_removed(vec![(id, RemovedHow::Erased)], now_us).await?;
    let (Erased::Now(stub) | Erased::Before(stub)) = &erased;
    if !is_noted {
        let entry = ledger::AuditEntry {
            at_us: now_us,
            by: ledger::Who { reason: Some(stub.why.reason.clone()), ..by(&who) },
            what: "evidence.erase".to_owned(),
            subject: Some(Subject::Delivery(id).to_string()),
            event_id: event_id.map(EventId),
            before: Some(json!({"body_sha256": hex::encode(stub.body_sha256), "body_bytes": stub.body_bytes})),
            after: Some(json!({"decision_seq": stub.why.decision_seq})),
        };
        api.ledger.audit_add(entry).await?;
    }
    tracing::warn!(token = who.name, from = who.from, delivery_id = %id, "a body was erased");
    ok(json!({
        "delivery_id": id,
        "event_id": event_id,
        "erased_now": matches!(erased, Erased::Now(_)),
        "removed": removed(stub),
    }))
}

/// What is left of a removed delivery: who removed it, when and why.
pub(super) fn removed(stub: &Stub) -> Value {
    json!({
        "what": match stub.why.what {
            Removed::Erased => "erased",
            Removed::Pruned => "pruned",
        },
        "at": view::time(stub.why.at_us),
        "by": stub.why.by,
        "reason": stub.why.reason,
        "decision_seq": stub.why.decision_seq,
    })
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::bad_request(format!("the body does not read: {error}")))
}

fn which() -> Problem {
    Problem::bad_request("name either an id (a delivery or an event) or a source")
}

fn facts(api: &Api, caller: &Caller, reason: String) -> Result<(Who, Facts), Problem> {
    let reason = reason.trim().to_owned();
    if reason.is_empty() || REASON_BYTES_MAX < reason.len() {
        return Err(Problem::bad_request(format!("a reason has 1 to {REASON_BYTES_MAX} bytes")));
    }
    let who = caller.who();
    let facts = Facts { at_us: api.clock.now().as_microsecond(), by: who.name.clone(), reason };
    Ok((who, facts))
}

fn by(who: &Who) -> ledger::Who {
    ledger::Who { name: who.name.clone(), from: who.from.clone(), reason: None }
}

/// The log has said it already: an audit that does not answer now takes nothing back.
async fn note(api: &Api, who: &Who, reason: &str, what: &str, subject: &Subject) {
    let entry = ledger::AuditEntry {
        at_us: api.clock.now().as_microsecond(),
        by: ledger::Who { reason: Some(reason.to_owned()), ..by(who) },
        what: what.to_owned(),
        subject: Some(subject.to_string()),
        event_id: match subject {
            Subject::Event(id) => Some(EventId(*id)),
            Subject::Delivery(_) | Subject::Source(_) => None,
        },
        before: None,
        after: None,
    };
    if let Err(error) = api.ledger.audit_add(entry).await {
        tracing::warn!(%error, %subject, what, "it is in the evidence log and could not be noted in the audit");
    }
}

async fn on_log<T, E>(api: &Api, work: impl FnOnce(&Store) -> Result<T, E> + Send + 'static) -> Result<T, Problem>
where
    T: Send + 'static,
    E: Send + 'static,
    Problem: From<E>,
{
    let evidence = api.evidence.clone();
    match task::spawn_blocking(move || work(&evidence)).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(Problem::unavailable("the evidence log")),
    }
}

async fn changed<T: Send + 'static>(
    api: &Api,
    work: impl FnOnce(&Store) -> Result<T, ChangeError> + Send + 'static,
) -> Result<T, Problem> {
    on_log(api, work).await
}

async fn all(api: &Api) -> Result<Vec<Hold>, Problem> {
    on_log(api, Store::holds).await
}

/// The source of what is held, for tokens that see some sources only.
async fn source(api: &Api, subject: &Subject) -> Result<Option<String>, Problem> {
    Ok(match subject {
        Subject::Source(name) => Some(name.clone()),
        Subject::Event(id) => api.ledger.event(EventId(*id)).await?.map(|event| event.event.facts.source),
        Subject::Delivery(id) => {
            let id = *id;
            on_log(api, move |store| store.delivery(id)).await?.and_then(|Record { entry, .. }| match entry {
                Entry::Delivery(delivery) => Some(delivery.source),
                Entry::Stub(stub) => Some(stub.source),
                Entry::Decision(_) => None,
            })
        }
    })
}

async fn sees(api: &Api, caller: &Caller, subject: &Subject) -> Result<bool, Problem> {
    Ok(source(api, subject).await?.is_some_and(|source| caller.sees(&source)))
}

/// The delivery or the event with this id.
async fn named(api: &Api, caller: &Caller, text: &str) -> Result<Subject, Problem> {
    let mut found = Vec::new();
    let subject = |of, id: Uuid| match of {
        IdOf::Delivery => Subject::Delivery(id),
        IdOf::Event | IdOf::Payment | IdOf::Transaction => Subject::Event(id),
    };
    for of in [IdOf::Delivery, IdOf::Event] {
        match lookup::id(api, caller, of, text).await {
            Ok(id) if sees(api, caller, &subject(of, id)).await? => found.push(subject(of, id)),
            Ok(_) => {}
            Err(problem) if problem.is_unknown() => {}
            Err(problem) => return Err(problem),
        }
    }
    match (found.pop(), found.pop()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(Problem::ambiguous("delivery or event", text)),
        (None, _) => Err(Problem::unknown("delivery or event")),
    }
}

/// A source that is configured, or that something came from once.
async fn of_source(api: &Api, caller: &Caller, name: String) -> Result<Subject, Problem> {
    let came = Filter { source: Some(name.clone()), limit: 1, ..Filter::default() };
    let exists = api.config.source(&name).is_some() || !api.ledger.deliveries(came).await?.is_empty();
    if exists && caller.sees(&name) { Ok(Subject::Source(name)) } else { Err(Problem::unknown("source")) }
}

/// The one hold on what has an id that begins so.
fn begins(holds: Vec<Hold>, text: &str) -> Result<Option<Hold>, Problem> {
    let wanted: String = text.to_ascii_lowercase().chars().filter(|c| *c != '-').collect();
    let mut fits = holds.into_iter().filter(|hold| match &hold.subject {
        Subject::Delivery(id) | Subject::Event(id) => {
            !wanted.is_empty() && id.simple().to_string().starts_with(&wanted)
        }
        Subject::Source(_) => false,
    });
    match (fits.next(), fits.next()) {
        (Some(_), Some(_)) => Err(Problem::ambiguous("hold", text)),
        (one, _) => Ok(one),
    }
}

fn view_of(hold: &Hold) -> Value {
    let (what, id) = match &hold.subject {
        Subject::Delivery(id) => ("delivery", id.to_string()),
        Subject::Event(id) => ("event", id.to_string()),
        Subject::Source(name) => ("source", name.clone()),
    };
    json!({
        "subject": hold.subject.to_string(),
        "what": what,
        "id": id,
        "by": hold.facts.by,
        "reason": hold.facts.reason,
        "since_at": view::time(hold.facts.at_us),
        "decision_seq": hold.decision_seq,
    })
}
