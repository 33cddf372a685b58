//! What came: deliveries as the log and the ledger know them.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use evidence_store::{Entry, Head, Record, Removed, Stub};
use serde_json::{Value, json};
use uuid::Uuid;

use super::auth::{Caller, May};
use super::envelope::{Params, Segments};
use super::events::ListQuery;
use super::problem::{Answer, Problem, ok, page};
use super::{Api, events, keeping, lookup, view};
use crate::ledger::{DeliveryView, IdOf};
use crate::task;

/// `GET /deliveries`
pub(super) async fn list(State(api): State<Api>, caller: Caller, Params(query): Params<ListQuery>) -> Answer {
    caller.may(May::ReadDeliveries)?;
    let filter = query.filter(&api, &caller)?;
    let rows = events::deliveries_of(&api, filter).await?;
    page(&rows.iter().map(view::delivery).collect::<Vec<_>>(), rows.next)
}

/// `GET /deliveries/{id}`: the record without its body; of a removed one what is left, and who removed it.
pub(super) async fn show(State(api): State<Api>, caller: Caller, Segments(id): Segments<String>) -> Answer {
    caller.may(May::ReadDeliveries)?;
    let id = lookup::id(&api, &caller, IdOf::Delivery, &id).await?;
    let (place, entry) = visible(&api, &caller, id).await?;
    let known = api.ledger.delivery(id).await.ok().flatten();
    let stored = match entry {
        Entry::Delivery(stored) => stored,
        Entry::Stub(stub) => return ok(left(place, &stub, known.as_ref())),
        Entry::Decision(_) => return Err(Problem::unknown("delivery")),
    };
    let headers = caller.may(May::ReadBodies).is_ok().then(|| headers(&stored.headers));
    ok(json!({
        "delivery_id": stored.id,
        "seq": place.seq,
        "link": hex::encode(place.link),
        "source": stored.source,
        "request_id": stored.request_id,
        "received_at": view::time(stored.received_us),
        "peer": stored.peer,
        "method": stored.method,
        "target": stored.target,
        "http_version": stored.http_version,
        "headers": headers,
        "body_bytes": stored.body.len(),
        "body_sha256": hex::encode(stored.body_sha256),
        "signature": {
            "scheme": stored.signature.scheme,
            "secret": stored.signature.secret_name,
            "signed_at": stored.signature.signed_at.map(view::time_of_seconds),
        },
        "admitted_from": stored.admitted_from,
        "event_id": known.as_ref().and_then(|row| row.event_id),
        "code": known.as_ref().and_then(|row| row.code),
        "taken_in": known.is_some(),
    }))
}

/// `GET /deliveries/{id}/raw`: the exact body bytes.
pub(super) async fn raw(State(api): State<Api>, caller: Caller, Segments(id): Segments<String>) -> Answer {
    caller.may(May::ReadBodies)?;
    let id = lookup::id(&api, &caller, IdOf::Delivery, &id).await?;
    let stored = match visible(&api, &caller, id).await? {
        (_, Entry::Delivery(stored)) => stored,
        (place, Entry::Stub(stub)) => return Err(removed(place.seq, &stub)),
        (_, Entry::Decision(_)) => return Err(Problem::unknown("delivery")),
    };
    tracing::info!(token = caller.name, delivery_id = %id, "a raw body was read");
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, stored.body).into_response())
}

/// The delivery, or what is left of it, and its place, if the caller may know of it.
async fn visible(api: &Api, caller: &Caller, id: Uuid) -> Result<(Head, Entry), Problem> {
    let evidence = api.evidence.clone();
    let found = match task::spawn_blocking(move || evidence.delivery(id)).await {
        Ok(found) => found?,
        Err(_) => return Err(Problem::unavailable("the evidence log")),
    };
    let unknown = || Problem::unknown("delivery");
    let Record { seq, link, entry } = found.ok_or_else(unknown)?;
    let is_seen = match &entry {
        Entry::Delivery(delivery) => caller.sees(&delivery.source),
        Entry::Stub(stub) => caller.sees(&stub.source),
        Entry::Decision(_) => false,
    };
    if is_seen { Ok((Head { seq, link }, entry)) } else { Err(unknown()) }
}

/// A removed delivery: its place in the log and its digests stay, and the log says who removed it and why.
fn left(place: Head, stub: &Stub, known: Option<&DeliveryView>) -> Value {
    json!({
        "delivery_id": stub.delivery_id,
        "seq": place.seq,
        "link": hex::encode(place.link),
        "source": stub.source,
        "received_at": view::time(stub.received_us),
        "body_bytes": stub.body_bytes,
        "body_sha256": hex::encode(stub.body_sha256),
        "meta_sha256": hex::encode(stub.meta_sha256),
        "removed": keeping::removed(stub),
        "event_id": known.and_then(|row| row.event_id),
        "code": known.and_then(|row| row.code),
        "taken_in": known.is_some(),
    })
}

fn removed(seq: u64, stub: &Stub) -> Problem {
    let why = &stub.why;
    let (code, what) = match why.what {
        Removed::Erased => ("ERASED", "the body was erased; it does not come back"),
        Removed::Pruned => ("PRUNED", "the delivery was pruned; an archive may still hold it"),
    };
    Problem::gone(code, format!("{what} (by {}: {})", why.by, why.reason)).with_details(json!({
        "delivery_id": stub.delivery_id,
        "seq": seq,
        "source": stub.source,
        "received_at": view::time(stub.received_us),
        "body_bytes": stub.body_bytes,
        "body_sha256": hex::encode(stub.body_sha256),
        "removed_at": view::time(why.at_us),
        "by": why.by,
        "reason": why.reason,
        "decision_seq": why.decision_seq,
        "event_id": stub.event.as_ref().map(|event| event.event_id),
    }))
}

/// Header values are bytes: what is no UTF-8 is shown as base64, so that nothing is changed silently.
pub(super) fn headers(headers: &[(bytes::Bytes, bytes::Bytes)]) -> Vec<Value> {
    let show = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({"base64": STANDARD.encode(bytes)}),
    };
    headers.iter().map(|(name, value)| json!([show(name), show(value)])).collect()
}
