//! `/healthz`, `/readyz`, `/metrics`.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use evidence_store::Health;
use serde_json::{Value, json};

use super::Api;
use super::envelope::Params;
use crate::ledger::{Pause, PauseTarget, Stats};
use crate::telemetry::metrics::{Destination, Source, State as StateLabel};

/// The process runs. Asks nothing remote and nothing on disk.
pub(super) async fn healthz() -> Response {
    Json(json!({"status": "ok"})).into_response()
}

/// 503 only for what stops every ack: the log not writable or poisoned, space too short for any source, draining. The
/// rest is shown by component; `?strict=1` lets it count.
pub(super) async fn readyz(State(api): State<Api>, Params(query): Params<HashMap<String, String>>) -> Response {
    let strict = query.get("strict").is_some_and(|value| value == "1" || value == "true");
    let (evidence_ok, evidence) = match api.evidence.health() {
        Health::Writable => (true, json!({"status": "ok"})),
        Health::BelowReserve { free, reserve } => {
            (false, json!({"status": "below_reserve", "free_bytes": free, "reserve_bytes": reserve}))
        }
        Health::Poisoned { why } => (false, json!({"status": "poisoned", "reason": why})),
    };
    let (any_taken, disk) = disk(&api);
    let draining = api.draining.is_set();
    let ledger = api.ledger.stats(api.clock.now().as_microsecond()).await;
    let ledger_status = ledger_status(ledger.as_ref().ok());
    let ready = evidence_ok && any_taken && !draining && (!strict || ledger_status == "ok");
    let body = json!({
        "status": if ready { "ready" } else { "unready" },
        "components": {
            "evidence": evidence,
            "disk": disk,
            "draining": draining,
            "ledger": {"status": ledger_status},
            "backend": ledger.as_ref().map_or(Value::Null, backlog),
            "chains": api.config.chains.keys().collect::<Vec<_>>(),
        },
    });
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(body)).into_response()
}

/// The ledger in a word, by what it counted.
pub(super) const fn ledger_status(stats: Option<&Stats>) -> &'static str {
    match stats {
        Some(stats) if stats.refuses_writes => "refuses_writes",
        Some(_) => "ok",
        None => "unavailable",
    }
}

/// Whether a source is taken at the disk's level, and the component.
fn disk(api: &Api) -> (bool, Value) {
    let free = api.evidence.disk_free();
    let level = api.watermarks.look(free);
    let marks = api.watermarks.marks();
    let shown = json!({
        "status": level.as_str(),
        "free_bytes": free,
        "warn_bytes": marks.warn,
        "shed_bytes": marks.shed,
        "reserve_bytes": marks.reserve,
        "shedding": api.watermarks.shedding(level),
    });
    (!api.watermarks.all_wait(level), shown)
}

fn backlog(stats: &Stats) -> Value {
    stats
        .outbox_due
        .iter()
        .map(|(name, due)| (name.clone(), json!({"due": due})))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// OpenMetrics text. Gauges of state are read now, so that a scrape never shows what an hour-old tick saw.
pub(super) async fn metrics(State(api): State<Api>) -> Response {
    let now_us = api.clock.now().as_microsecond();
    if let Ok(stats) = api.ledger.stats(now_us).await {
        show(&api, &stats, now_us);
    }
    if let Ok(pauses) = api.ledger.pauses().await {
        show_pauses(&api, &pauses);
    }
    let free = api.evidence.disk_free();
    api.watermarks.look(free);
    api.metrics.disk_free.set(clamp(free));
    api.metrics.evidence_bytes.set(clamp(api.evidence.size_bytes()));
    match api.metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
            .into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn show(api: &Api, stats: &Stats, now_us: i64) {
    for (state, count) in &stats.events {
        api.metrics.events.get_or_create(&StateLabel::of(state.as_str())).set(clamp(Some(*count)));
    }
    for (destination, due) in &stats.outbox_due {
        api.metrics.outbox_due.get_or_create(&Destination::of(destination)).set(clamp(Some(*due)));
    }
    api.metrics.oldest_unforwarded.set(age_seconds(stats.oldest_unforwarded_us, now_us));
    api.metrics.oldest_held.set(age_seconds(stats.oldest_held_us, now_us));
}

fn show_pauses(api: &Api, pauses: &[Pause]) {
    let is_paused = |target: &PauseTarget| i64::from(pauses.iter().any(|pause| pause.target == *target));
    api.metrics.forwarding_paused.set(is_paused(&PauseTarget::Forwarding));
    // A source that is paused and configured no more holds its messages still.
    let paused = pauses.iter().filter_map(|pause| match &pause.target {
        PauseTarget::Source(name) => Some(name),
        PauseTarget::Forwarding | PauseTarget::Destination(_) => None,
    });
    for name in api.config.destinations.keys() {
        let gauge = api.metrics.destination_paused.get_or_create(&Destination::of(name));
        gauge.set(is_paused(&PauseTarget::Destination(name.clone())));
    }
    api.metrics.source_paused.clear();
    for name in api.config.sources.iter().map(|source| &source.name).chain(paused) {
        let gauge = api.metrics.source_paused.get_or_create(&Source::of(name));
        gauge.set(is_paused(&PauseTarget::Source(name.clone())));
    }
}

fn clamp(value: Option<u64>) -> i64 {
    value.map_or(0, |value| i64::try_from(value).unwrap_or(i64::MAX))
}

fn age_seconds(since_us: Option<i64>, now_us: i64) -> f64 {
    let age_us = since_us.map_or(0, |since| now_us.saturating_sub(since).max(0));
    std::time::Duration::from_micros(age_us.unsigned_abs()).as_secs_f64()
}
