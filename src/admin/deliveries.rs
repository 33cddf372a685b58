//! What came: deliveries as the log and the ledger know them.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::auth::{Caller, May};
use super::envelope::{Params, Segments};
use super::events::ListQuery;
use super::problem::{Answer, Problem, ok, page};
use super::{Api, lookup, view};
use crate::ledger::IdOf;
use crate::task;

/// `GET /deliveries`
pub(super) async fn list(State(api): State<Api>, caller: Caller, Params(query): Params<ListQuery>) -> Answer {
    caller.may(May::ReadDeliveries)?;
    let (filter, limit) = query.filter(&caller, api.clock.now())?;
    let rows = api.ledger.deliveries(filter).await?;
    let next = if rows.len() < limit { None } else { rows.last().map(|row| row.cursor.clone()) };
    page(&rows.iter().map(view::delivery).collect::<Vec<_>>(), next)
}

/// `GET /deliveries/{id}`: the record without its body.
pub(super) async fn show(State(api): State<Api>, caller: Caller, Segments(id): Segments<String>) -> Answer {
    caller.may(May::ReadDeliveries)?;
    let id = lookup::id(&api, &caller, IdOf::Delivery, &id).await?;
    let record = record(&api, id).await?;
    let stored = &record.delivery;
    if !caller.sees(&stored.source) {
        return Err(Problem::unknown("delivery"));
    }
    let known = api.ledger.delivery(id).await.ok().flatten();
    let headers = caller.may(May::ReadBodies).is_ok().then(|| headers(&stored.headers));
    ok(json!({
        "delivery_id": stored.id,
        "seq": record.seq,
        "link": hex::encode(record.link),
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
        "event_id": known.as_ref().and_then(|row| row.event_id),
        "code": known.as_ref().and_then(|row| row.code),
        "taken_in": known.is_some(),
    }))
}

/// `GET /deliveries/{id}/raw`: the exact body bytes.
pub(super) async fn raw(State(api): State<Api>, caller: Caller, Segments(id): Segments<String>) -> Answer {
    caller.may(May::ReadBodies)?;
    let id = lookup::id(&api, &caller, IdOf::Delivery, &id).await?;
    let record = record(&api, id).await?;
    if !caller.sees(&record.delivery.source) {
        return Err(Problem::unknown("delivery"));
    }
    tracing::info!(token = caller.name, delivery_id = %id, "a raw body was read");
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, record.delivery.body).into_response())
}

async fn record(api: &Api, id: Uuid) -> Result<evidence_store::Record, Problem> {
    let evidence = api.evidence.clone();
    match task::spawn_blocking(move || evidence.delivery(id)).await {
        Ok(found) => found?.ok_or_else(|| Problem::unknown("delivery")),
        Err(_) => Err(Problem::unavailable("the evidence log")),
    }
}

/// Header values are bytes: what is no UTF-8 is shown as base64, so that nothing is changed silently.
fn headers(headers: &[(bytes::Bytes, bytes::Bytes)]) -> Vec<Value> {
    let show = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({"base64": STANDARD.encode(bytes)}),
    };
    headers.iter().map(|(name, value)| json!([show(name), show(value)])).collect()
}
