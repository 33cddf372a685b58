//! Another look at refused requests with today's secrets, and letting in what they sign.
//!
//! A request is admitted as the delivery it would have been: its bytes, headers and time of arrival, verified as ingress
//! verifies, with the age of a signed time as of the arrival. The delivery's id follows from the request's, so that
//! admitting again finds it and changes nothing, whatever was lost in between.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use evidence_store::{BodyComplete, NewDelivery, NewRejected, RejectedRecord, SignatureRecord, Store, Stored};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Wanted, gone};
use crate::admin::Api;
use crate::admin::auth::{Caller, May};
use crate::admin::envelope::Body;
use crate::admin::problem::{Answer, Problem, page};
use crate::config::Source;
use crate::ledger::{AuditEntry, Who};
use crate::provider::{self, Rejection, Verified, Verifier};
use crate::{digest, task};

/// Ids of one call.
const IDS_MAX: usize = 500;
/// Bytes of a reason.
const REASON_MAX: usize = 512;
/// Codes of requests whose signature was judged; others never got that far.
const JUDGED: [&str; 4] = [
    Rejection::Missing.code(),
    Rejection::Malformed.code(),
    Rejection::Mismatch.code(),
    Rejection::OutOfTolerance.code(),
];

/// Body of both commands: ids, or a filter with pages.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    ids: Option<Vec<Uuid>>,
    filter: Option<Wanted>,
    reason: Option<String>,
}

impl Which {
    fn read(body: &[u8]) -> Result<Self, Problem> {
        let expected = "{\"ids\": [\"…\"]} or {\"filter\": {\"source\": \"…\", \"since\": \"3h\"}}";
        let which: Self = serde_json::from_slice(body)
            .map_err(|error| Problem::bad_request(format!("expected {expected}: {error}")))?;
        match (&which.ids, &which.filter) {
            (Some(ids), None) if ids.len() <= IDS_MAX => Ok(which),
            (Some(_), None) => Err(Problem::bad_request(format!("at most {IDS_MAX} ids at once"))),
            (None, Some(_)) => Ok(which),
            _ => Err(Problem::bad_request(format!("expected either, not both: {expected}"))),
        }
    }

    /// What is meant, newest first; an id that is not there stands for itself.
    async fn find(self, api: &Api, caller: &Caller) -> Result<(Vec<Candidate>, Option<Uuid>), Problem> {
        if let Some(wanted) = self.filter {
            let page = wanted.page(api, caller).await?;
            return Ok((
                page.records.into_iter().map(|record| Candidate::There(Box::new(record))).collect(),
                page.next,
            ));
        }
        let ids: BTreeSet<Uuid> = self.ids.into_iter().flatten().collect();
        let (evidence, caller) = (api.evidence.clone(), caller.clone());
        let reading = task::spawn_blocking(move || {
            let find = |id: &Uuid| {
                let found = evidence.rejected_by_id(*id)?.filter(|record| caller.sees(&record.request.source));
                Ok(found.map_or(Candidate::Gone(*id), |record| Candidate::There(Box::new(record))))
            };
            ids.iter().rev().map(find).collect::<Result<Vec<_>, evidence_store::ReadError>>()
        });
        Ok((reading.await.map_err(|_| gone())??, None))
    }
}

enum Candidate {
    There(Box<RejectedRecord>),
    Gone(Uuid),
}

/// Why today's secrets do not let a request in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refusal {
    /// Its signature was never judged, or only a part of its body is kept.
    NotJudged,
    /// Its source is configured no more.
    NoSource,
    Rejected(Rejection),
}

impl Refusal {
    const fn code(self) -> &'static str {
        match self {
            Self::NotJudged => "NOT_JUDGED",
            Self::NoSource => "SOURCE_UNKNOWN",
            Self::Rejected(rejection) => rejection.code(),
        }
    }

    fn says(self) -> String {
        match self {
            Self::NotJudged => "its signature was never judged, or its body was not kept whole".to_owned(),
            Self::NoSource => "no source of this name is configured; with --data, name its --config too".to_owned(),
            Self::Rejected(rejection) => rejection.to_string(),
        }
    }
}

/// Whether the signature was what it was refused for, and can be judged again.
pub(super) fn was_judged(request: &NewRejected) -> bool {
    request.body_complete == BodyComplete::Whole && JUDGED.contains(&request.code.as_str())
}

/// What today's secrets say.
pub(super) fn today(request: &NewRejected, sources: &[Source], now: Timestamp) -> Result<Verified, Refusal> {
    if !was_judged(request) {
        return Err(Refusal::NotJudged);
    }
    let source = sources.iter().find(|source| source.name == request.source).ok_or(Refusal::NoSource)?;
    let verifier = Verifier::of_today(source, now).ok_or(Refusal::Rejected(Rejection::Mismatch))?;
    let malformed = Refusal::Rejected(Rejection::Malformed);
    let headers = provider::header_map(&request.headers).ok_or(malformed)?;
    let received = Timestamp::from_microsecond(request.received_us).map_err(|_| malformed)?;
    verifier.verify(&headers, &request.body, received).map_err(Refusal::Rejected)
}

/// `POST /rejected/recheck`: what today's secrets would let in. Changes nothing.
pub(in crate::admin) async fn recheck(State(api): State<Api>, caller: Caller, Body(body): Body) -> Answer {
    caller.may(May::ReadBodies)?;
    let (candidates, next) = Which::read(&body)?.find(&api, &caller).await?;
    let (config, now) = (api.config.clone(), api.clock.now());
    let looking = task::spawn_blocking(move || {
        let look = |candidate: &Candidate| match candidate {
            Candidate::Gone(id) => absent(*id),
            Candidate::There(record) => match today(&record.request, &config.sources, now) {
                Ok(by) => told(record, "verifies", Some(&by), record.admitted_as),
                Err(refusal) => refused(record, refusal),
            },
        };
        candidates.iter().map(look).collect::<Vec<_>>()
    });
    page(&looking.await.map_err(|_| gone())?, next.map(|id| id.to_string()))
}

/// `POST /rejected/admit`: appends what today's secrets sign, oldest first.
pub(in crate::admin) async fn admit(State(api): State<Api>, caller: Caller, Body(body): Body) -> Answer {
    caller.may(May::Operate)?;
    let which = Which::read(&body)?;
    let reason = which.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty()).map(str::to_owned);
    let Some(reason) = reason.filter(|reason| reason.len() <= REASON_MAX) else {
        let message = format!("expected \"reason\", 1 to {REASON_MAX} bytes: it stands in the audit");
        return Err(Problem::bad_request(message));
    };
    let who = caller.who();
    let by = Who { name: who.name, from: who.from, reason: Some(reason) };
    let (mut candidates, next) = which.find(&api, &caller).await?;
    candidates.reverse();
    // A task of its own: who hangs up must not let go of the lock while an append is on its way.
    let admitting = task::spawn("admit", async move {
        let _one_at_a_time = Arc::clone(&api.0.admitting).lock_owned().await;
        let mut items = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            items.push(match candidate {
                Candidate::Gone(id) => absent(id),
                Candidate::There(record) => admitted(&api, *record, &by).await?,
            });
        }
        Ok::<_, Problem>(items)
    });
    page(&admitting.await.map_err(|_| Problem::unavailable("the evidence log"))??, next.map(|id| id.to_string()))
}

/// Admits one, if its delivery is not there yet.
async fn admitted(api: &Api, record: RejectedRecord, by: &Who) -> Result<Value, Problem> {
    let request = &record.request;
    let delivery_id = delivery_id(request.id);
    if let Some(known) = known(&api.evidence, delivery_id, record.admitted_as).await? {
        mark(&api.evidence, request.id, known).await;
        return Ok(told(&record, "already_admitted", None, Some(known)));
    }
    let verified = match today(request, &api.config.sources, api.clock.now()) {
        Ok(verified) => verified,
        Err(refusal) => return Ok(refused(&record, refusal)),
    };
    let source = api.config.sources.iter().find(|source| source.name == request.source);
    let apart = source.and_then(|source| provider::apart(&source.provider, &request.headers));
    // Before the append: what is let in and not recorded would be worse than the reverse.
    api.ledger
        .audit_add(AuditEntry {
            at_us: api.clock.now().as_microsecond(),
            by: by.clone(),
            what: "rejected.admit".to_owned(),
            subject: Some(request.id.to_string()),
            event_id: None,
            before: Some(json!({"source": request.source, "code": request.code})),
            after: Some(json!({"delivery_id": delivery_id, "secret": &*verified.secret_name})),
        })
        .await?;
    let delivery = delivery(delivery_id, request, &verified);
    let receipt = api.evidence.append_apart(delivery, apart.as_deref()).await.map_err(|error| {
        tracing::warn!(%error, rejected_id = %request.id, "could not admit a rejected request");
        Problem::unavailable("the evidence log")
    })?;
    mark(&api.evidence, request.id, receipt.delivery_id).await;
    tracing::info!(
        rejected_id = %request.id, delivery_id = %receipt.delivery_id, source = request.source, by = by.name,
        "a rejected request was admitted"
    );
    let outcome = match receipt.stored {
        Stored::New => "admitted",
        // The source holds its copies of this body: it came in by itself.
        Stored::Repeat => "already_there",
    };
    Ok(told(&record, outcome, Some(&verified), Some(receipt.delivery_id)))
}

/// The delivery that this request became before: by the log, which the mark in the ring only points into.
async fn known(evidence: &Store, derived: Uuid, marked: Option<Uuid>) -> Result<Option<Uuid>, Problem> {
    let evidence = evidence.clone();
    let looking = task::spawn_blocking(move || {
        for id in [Some(derived), marked].into_iter().flatten() {
            if evidence.delivery(id)?.is_some() {
                return Ok(Some(id));
            }
        }
        Ok::<_, evidence_store::ReadError>(None)
    });
    Ok(looking.await.map_err(|_| Problem::unavailable("the evidence log"))??)
}

/// Losing the mark loses nothing: the log knows.
async fn mark(evidence: &Store, id: Uuid, delivery: Uuid) {
    let evidence = evidence.clone();
    let marking = task::spawn_blocking(move || evidence.mark_admitted(id, delivery)).await;
    if !matches!(marking, Ok(Ok(_))) {
        tracing::warn!(rejected_id = %id, "could not mark a rejected request as admitted");
    }
}

/// A UUIDv7 of the request's time whose other bits follow from the request's id.
fn delivery_id(rejected: Uuid) -> Uuid {
    let digest = digest::sha256(&[b"tollgate.admitted.v1".as_slice(), rejected.as_bytes()].concat());
    let mut rest = [0; 10];
    rest.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    let ms = u64::try_from(rejected.as_u128() >> 80).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(ms, &rest).into_uuid()
}

fn delivery(id: Uuid, request: &NewRejected, verified: &Verified) -> NewDelivery {
    NewDelivery {
        id,
        source: request.source.clone(),
        request_id: request.request_id.clone().unwrap_or_else(|| request.id.to_string()),
        peer: request.peer.clone(),
        method: request.method.clone(),
        target: request.target.clone(),
        http_version: request.http_version.clone().unwrap_or_default(),
        received_us: request.received_us,
        headers: request.headers.clone(),
        body: request.body.clone(),
        body_sha256: digest::sha256(&request.body),
        signature: SignatureRecord {
            scheme: verified.scheme.to_owned(),
            secret_name: verified.secret_name.to_string(),
            signed_at: verified.signed_at,
        },
        admitted_from: Some(request.id),
    }
}

fn told(record: &RejectedRecord, outcome: &str, by: Option<&Verified>, delivery: Option<Uuid>) -> Value {
    let request = &record.request;
    json!({
        "rejected_id": request.id,
        "source": request.source,
        "received_at": super::view::time(request.received_us),
        "outcome": outcome,
        "secret": by.map(|by| &*by.secret_name),
        "admitted_as": delivery,
    })
}

fn refused(record: &RejectedRecord, refusal: Refusal) -> Value {
    let mut told = told(record, "refused", None, record.admitted_as);
    if let Value::Object(fields) = &mut told {
        fields.insert("code".to_owned(), json!(refusal.code()));
        fields.insert("says".to_owned(), json!(refusal.says()));
    }
    told
}

fn absent(id: Uuid) -> Value {
    json!({"rejected_id": id, "outcome": "unknown", "says": "no such rejected request: it may have made room for others"})
}

#[cfg(test)]
mod tests;
