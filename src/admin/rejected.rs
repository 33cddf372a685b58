//! What was refused, what it would have matched, and the way back in after a forgotten rotation.
//!
//! The diagnosis is made when somebody asks, never while a provider waits, and never told to a sender. A request is let in
//! only by today's secrets, by the same verification that ingress does; the diagnosis lets nothing in.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use evidence_store::{BodyComplete, NewRejected, RejectedFilter, RejectedPage, RejectedRecord};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::auth::{Caller, May};
use super::envelope::{Params, Segments};
use super::problem::{Answer, Problem, ok, page, page_limit};
use super::{Api, deliveries, events, lookup, view};
use crate::config::Source;
use crate::provider::diagnosis::{Budget, Diagnosis, Refused, diagnose};
use crate::task;

mod again;

pub(super) use again::{admit, recheck};

/// Looks at the ring for one page: a filter that few pass may need several.
const LOOKS_MAX: usize = 20;

/// Which requests: query parameters of the list, fields of the commands.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    source: Option<String>,
    code: Option<String>,
    peer: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<usize>,
    after: Option<Uuid>,
}

impl Wanted {
    /// The ring's filter; none when the caller may see nothing of it.
    fn filter(&self, caller: &Caller, now: Timestamp) -> Result<Option<RejectedFilter>, Problem> {
        let sources = match &self.source {
            Some(source) if !caller.sees(source) => return Ok(None),
            Some(source) => vec![source.clone()],
            None => caller.sources.clone(),
        };
        Ok(Some(RejectedFilter {
            sources,
            code: self.code.clone(),
            peer: self.peer.clone(),
            since_us: events::time("since", self.since.clone(), now)?,
            until_us: events::time("until", self.until.clone(), now)?,
        }))
    }

    /// A page, newest first.
    async fn page(&self, api: &Api, caller: &Caller) -> Result<RejectedPage, Problem> {
        let Some(filter) = self.filter(caller, api.clock.now())? else { return Ok(RejectedPage::default()) };
        let (after, limit) = (self.after, page_limit(self.limit));
        let evidence = api.evidence.clone();
        let reading = task::spawn_blocking(move || {
            let mut page = evidence.rejected(&filter, after, limit)?;
            for _ in 1..LOOKS_MAX {
                if !page.records.is_empty() || page.next.is_none() {
                    break;
                }
                page = evidence.rejected(&filter, page.next, limit)?;
            }
            Ok::<_, evidence_store::ReadError>(page)
        });
        Ok(reading.await.map_err(|_| gone())??)
    }
}

fn gone() -> Problem {
    Problem::unavailable("the ring of rejected requests")
}

/// `GET /rejected`
pub(super) async fn list(State(api): State<Api>, caller: Caller, Params(wanted): Params<Wanted>) -> Answer {
    caller.may(May::ReadDeliveries)?;
    let RejectedPage { records, next } = wanted.page(&api, &caller).await?;
    let (config, now) = (api.config.clone(), api.clock.now());
    let shown = task::spawn_blocking(move || {
        // One budget for all: what a page costs does not grow with what strangers posted.
        let mut budget = Budget::default();
        let show = |record: &RejectedRecord| item(record, &config.sources, now, &mut budget);
        records.iter().map(show).collect::<Vec<_>>()
    });
    page(&shown.await.map_err(|_| gone())?, next.map(|id| id.to_string()))
}

/// `GET /rejected/{id}`: all that is kept but the body, and what would have matched.
pub(super) async fn show(State(api): State<Api>, caller: Caller, Segments(id): Segments<String>) -> Answer {
    caller.may(May::ReadDeliveries)?;
    let record = found(&api, &caller, &id).await?;
    let with_headers = caller.may(May::ReadBodies).is_ok();
    let (config, now) = (api.config.clone(), api.clock.now());
    let shown = task::spawn_blocking(move || {
        let mut shown = item(&record, &config.sources, now, &mut Budget::default());
        let request = &record.request;
        let today = again::today(request, &config.sources, now);
        let more = json!({
            "request_id": request.request_id,
            "method": request.method,
            "target": request.target,
            "http_version": request.http_version,
            "headers": with_headers.then(|| deliveries::headers(&request.headers)),
            "verifies_today": today.is_ok(),
        });
        if let (Value::Object(shown), Value::Object(more)) = (&mut shown, more) {
            shown.extend(more);
        }
        shown
    });
    ok(shown.await.map_err(|_| gone())?)
}

/// `GET /rejected/{id}/raw`: the body as far as it is kept.
pub(super) async fn raw(State(api): State<Api>, caller: Caller, Segments(id): Segments<String>) -> Answer {
    caller.may(May::ReadBodies)?;
    let request = found(&api, &caller, &id).await?.request;
    tracing::info!(token = caller.name, rejected_id = %request.id, "the raw body of a rejected request was read");
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, request.body).into_response())
}

async fn found(api: &Api, caller: &Caller, id: &str) -> Result<RejectedRecord, Problem> {
    let id = lookup::rejected(api, caller, id).await?;
    let evidence = api.evidence.clone();
    let record = task::spawn_blocking(move || evidence.rejected_by_id(id)).await.map_err(|_| gone())??;
    let unknown = || Problem::unknown("rejected request: it may have made room for others");
    record.filter(|record| caller.sees(&record.request.source)).ok_or_else(unknown)
}

/// What list and detail have in common.
fn item(record: &RejectedRecord, sources: &[Source], now: Timestamp, budget: &mut Budget) -> Value {
    let request = &record.request;
    json!({
        "rejected_id": request.id,
        "source": request.source,
        "code": request.code,
        "peer": request.peer,
        "received_at": view::time(request.received_us),
        "body_bytes": request.body.len(),
        "body_complete": request.body_complete == BodyComplete::Whole,
        "admitted_as": record.admitted_as,
        "diagnosis": diagnosis(request, sources, now, budget),
    })
}

/// What would have matched; null where no signature was judged, or its source is configured no more.
fn diagnosis(request: &NewRejected, sources: &[Source], now: Timestamp, budget: &mut Budget) -> Value {
    let source = sources.iter().find(|source| source.name == request.source);
    let received = Timestamp::from_microsecond(request.received_us);
    let (true, Some(source), Ok(received)) = (again::was_judged(request), source, received) else {
        return Value::Null;
    };
    let refused = Refused { headers: &request.headers, body: &request.body, received };
    let found = diagnose(source, sources, &refused, now, budget);
    let code = found.code();
    match found {
        Diagnosis::Signed { source, secret, differences } => json!({
            "code": code,
            "source": source,
            "secret": secret,
            "says": differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            "differences": differences.iter().map(|difference| difference.code()).collect::<Vec<_>>(),
        }),
        Diagnosis::NoMatch { tries } => json!({
            "code": code,
            "says": format!("none of {tries} ways to sign it matches: another secret, another body, or a forgery"),
        }),
        Diagnosis::NoSignature { looks_like } => json!({
            "code": code,
            "says": match looks_like {
                Some(provider) => format!("it carries the signature header of {provider}: is this the URL you gave there?"),
                None => "it carries nothing that could be a signature".to_owned(),
            },
        }),
        Diagnosis::TooLarge => json!({"code": code, "says": "the body is too large to be tried"}),
        Diagnosis::OutOfBudget => json!({"code": code, "says": "not tried here: show this one alone"}),
    }
}
