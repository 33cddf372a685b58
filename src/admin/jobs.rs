//! Long work over HTTP: start, look, cancel.
//!
//! A kind is added in three places: its variant in [`JobKind`], its right in [`right`], its line in [`start`]. The line
//! calls the kind's own file, which reads its parameters and hands over the work:
//!
//! ```text
//! pub(super) fn begin(api: &Api, who: &Who, params: &Value) -> Result<Uuid, Problem> {
//!     let evidence = api.evidence.clone();
//!     super::run(api, who, JobKind::Verify, params, move |params: Params, progress| async move {
//!         let work = task::spawn_blocking(move || walk(&evidence, &params, &progress));
//!         work.await.map_err(|error| error.to_string())?
//!     })
//! }
//! ```

use std::future::Future;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Api;
use super::auth::{Caller, May, Who};
use super::envelope::{Body, Segments};
use super::problem::{Answer, Problem, ok, page, success};
use super::view;
use crate::jobs::{Job, JobBusy, JobKind, Progress};
use crate::ledger::{AuditEntry, StoredJob};

mod again;
mod backup;
mod lifetime;
mod verify;

/// Who may start, and cancel, a kind.
const fn right(kind: JobKind) -> May {
    match kind {
        JobKind::Verify => May::CheckEvidence,
        JobKind::Backup => May::BackUp,
        JobKind::Archive | JobKind::Replay | JobKind::Resend => May::Operate,
        JobKind::Prune | JobKind::Import => May::ChangeEvidence,
    }
}

/// Starts work of this process, in the kind's own file.
type Begin = fn(&Api, &Who, &Value) -> Result<Uuid, Problem>;

/// Reads the parameters and starts the work.
fn run<P, W, F>(api: &Api, who: &Who, kind: JobKind, params: &Value, work: W) -> Result<Uuid, Problem>
where
    P: DeserializeOwned + Send + 'static,
    W: FnOnce(P, Progress) -> F + Send + 'static,
    F: Future<Output = Result<Value, String>> + Send + 'static,
{
    let read: P = read(kind, params)?;
    begun(api, who, kind, params, move |progress| work(read, progress))
}

/// Reads the parameters.
fn read<P: DeserializeOwned>(kind: JobKind, params: &Value) -> Result<P, Problem> {
    serde_json::from_value(params.clone())
        .map_err(|error| Problem::bad_request(format!("a job of kind {} does not take this: {error}", kind.as_str())))
}

/// Starts the work.
fn begun<W, F>(api: &Api, who: &Who, kind: JobKind, params: &Value, work: W) -> Result<Uuid, Problem>
where
    W: FnOnce(Progress) -> F + Send + 'static,
    F: Future<Output = Result<Value, String>> + Send + 'static,
{
    let started = api.jobs.start(kind, who.name.clone(), params.clone(), work);
    started.map_err(|busy| {
        let details = match busy {
            JobBusy::Running(id) => json!({"job_id": id}),
            JobBusy::Stopping => json!({}),
        };
        Problem::taken("JOB_BUSY", busy.to_string()).with_details(details)
    })
}

#[derive(Debug, Deserialize)]
struct Start {
    kind: JobKind,
    #[serde(flatten)]
    params: Map<String, Value>,
}

/// `POST /jobs`: 202 and the job, 409 while one of its kind runs.
pub(super) async fn start(State(api): State<Api>, caller: Caller, Body(body): Body) -> Answer {
    let Start { kind, params } = serde_json::from_slice(&body)
        .map_err(|error| Problem::bad_request(format!("expected {{\"kind\": \"verify\", …}}: {error}")))?;
    caller.may(right(kind))?;
    caller.is_unlimited()?;
    let begin: Begin = match kind {
        JobKind::Replay => return again::replay(&api, &caller, params).await,
        JobKind::Resend => return again::resend(&api, &caller, params).await,
        JobKind::Verify => verify::begin,
        JobKind::Backup => backup::begin,
        JobKind::Prune => lifetime::begin,
        JobKind::Archive => lifetime::begin_archive,
        JobKind::Import => lifetime::begin_import,
    };
    let (who, params) = (caller.who(), Value::Object(params));
    // Before it begins, so that nothing is done that nobody is named for; what is refused was tried.
    record(&api, &who, "job.start", kind.as_str(), None, Some(params.clone())).await?;
    let id = begin(&api, &who, &params)?;
    tracing::info!(token = who.name, from = who.from, job_id = %id, kind = kind.as_str(), "a job was started");
    let job = api.jobs.show(id).ok_or_else(|| Problem::unknown("job"))?;
    Ok(success(StatusCode::ACCEPTED, shown(&job)))
}

/// `GET /jobs`: newest first, all that are remembered.
pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Answer {
    caller.may(May::ReadJobs)?;
    let mut all: Vec<Listed> = api.jobs.list().iter().map(|job| (job.id, job.started_us, shown(job))).collect();
    all.extend(api.ledger.stored_jobs().await?.iter().map(|job| (job.job_id, job.started_us, stored(job))));
    all.sort_by_key(|(id, started_us, _)| std::cmp::Reverse((*started_us, *id)));
    page(&all.into_iter().map(|(_, _, shown)| shown).collect::<Vec<_>>(), None)
}

/// `GET /jobs/{id}`
pub(super) async fn show(State(api): State<Api>, caller: Caller, Segments(id): Segments<String>) -> Answer {
    caller.may(May::ReadJobs)?;
    match found(&api, &id).await? {
        Found::Here(job) => ok(shown(&job)),
        Found::Stored(job) => ok(stored(&job)),
    }
}

/// `POST /jobs/{id}/cancel`: the job as it is now; it stops at its next safe place.
pub(super) async fn cancel(State(api): State<Api>, caller: Caller, Segments(id): Segments<String>) -> Answer {
    caller.may(May::ReadJobs)?;
    let job = match found(&api, &id).await? {
        Found::Here(job) => job,
        Found::Stored(job) => {
            caller.may(May::Operate)?;
            caller.is_unlimited()?;
            let now_us = api.clock.now().as_microsecond();
            let asked = api.ledger.cancel_job(job.job_id, caller.who().into(), now_us).await?;
            api.wakes.replay.wake();
            api.wakes.resend.wake();
            return ok(stored(&asked.ok_or_else(|| Problem::unknown("job"))?));
        }
    };
    caller.may(right(job.kind))?;
    caller.is_unlimited()?;
    let who = caller.who();
    let before = json!({ "kind": job.kind, "state": job.state });
    record(&api, &who, "job.cancel", &job.id.to_string(), Some(before), None).await?;
    tracing::info!(token = who.name, from = who.from, job_id = %job.id, "a job is to be cancelled");
    ok(shown(&api.jobs.cancel(job.id).ok_or_else(|| Problem::unknown("job"))?))
}

/// Notes in the audit what is about to be done to jobs.
async fn record(
    api: &Api,
    by: &Who,
    what: &str,
    subject: &str,
    before: Option<Value>,
    after: Option<Value>,
) -> Result<(), Problem> {
    let entry = AuditEntry {
        at_us: api.clock.now().as_microsecond(),
        by: by.clone().into(),
        what: what.to_owned(),
        subject: Some(subject.to_owned()),
        event_id: None,
        before,
        after,
    };
    api.ledger.audit_add(entry).await?;
    Ok(())
}

/// A job as it is listed: id, when it was begun, what is shown.
type Listed = (Uuid, i64, Value);

/// A job of this process, or of the ledger.
enum Found {
    Here(Box<Job>),
    Stored(Box<StoredJob>),
}

/// By id, or by a beginning of it that is unique.
async fn found(api: &Api, text: &str) -> Result<Found, Problem> {
    let wanted: String = text.to_ascii_lowercase().chars().filter(|c| *c != '-').collect();
    let begins = |id: Uuid| id.simple().to_string().starts_with(&wanted);
    let here = api.jobs.list().into_iter().filter(|job| begins(job.id)).map(|job| Found::Here(Box::new(job)));
    let kept = api.ledger.stored_jobs().await?.into_iter().filter(|job| begins(job.job_id));
    let mut fits = here.chain(kept.map(|job| Found::Stored(Box::new(job))));
    match (fits.next(), fits.next()) {
        (Some(job), None) if !wanted.is_empty() => Ok(job),
        (Some(_), _) => Err(Problem::ambiguous("job", text)),
        (None, _) => Err(Problem::unknown("job; but for replays and resends, they are forgotten at a restart")),
    }
}

/// A job of the ledger, in the same form.
fn stored(job: &StoredJob) -> Value {
    json!({
        "job_id": job.job_id,
        "kind": job.kind,
        "state": job.state,
        "cancelling": job.cancel && job.finished_us.is_none(),
        "by": job.by.name,
        "reason": job.by.reason,
        "params": job.params,
        "started_at": view::time(job.started_us),
        "finished_at": job.finished_us.map(view::time),
        "done": job.done,
        "total": job.total,
        "doing": job.doing,
        "report": job.report,
        "error": job.error,
    })
}

fn shown(job: &Job) -> Value {
    json!({
        "job_id": job.id,
        "kind": job.kind,
        "state": job.state,
        "by": job.by,
        "params": job.params,
        "started_at": view::time(job.started_us),
        "finished_at": job.finished_us.map(view::time),
        "done": job.done,
        "total": job.total,
        "doing": job.doing,
        "report": job.report,
        "error": job.error,
    })
}
