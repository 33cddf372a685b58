//! `GET /status`: how the gateway is, on one page.

use std::path::{Path, PathBuf};

use axum::extract::State;
use evidence_store::Health;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::auth::{Caller, May};
use super::envelope::Params;
use super::health::ledger_status;
use super::problem::{Answer, ok};
use super::{Api, view};
use crate::ledger::Filter;
use crate::task;
use crate::telemetry::metrics::{Destination, Source};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// Sizes as well, which walks the folders.
    #[serde(default)]
    disk: bool,
}

/// What makes the evidence provable. Absent until there is a key and a checkpoint.
#[derive(Debug, Default, Serialize)]
struct Integrity {
    /// Verifies checkpoints; hand it to whoever checks, by another way than the checkpoints.
    public_key: Option<String>,
    /// The last signed one.
    checkpoint: Option<Checkpoint>,
}

/// A signed statement of what the log holds.
#[derive(Debug, Serialize)]
struct Checkpoint {
    /// Records it covers.
    size: u64,
    /// When it was signed, RFC 3339.
    at: String,
}

/// `GET /status?disk=true`
pub(super) async fn show(State(api): State<Api>, caller: Caller, Params(query): Params<Query>) -> Answer {
    caller.may(May::ReadStatus)?;
    let now = api.clock.now();
    let head = api.evidence.head();
    let stats = api.ledger.stats(now.as_microsecond()).await;
    let (health, reason) = match api.evidence.health() {
        Health::Writable => ("ok", None),
        Health::BelowReserve { .. } => ("below_reserve", None),
        Health::Poisoned { why } => ("poisoned", Some(why)),
    };
    let count = |pairs: Vec<(String, u64)>| pairs.into_iter().map(|(name, n)| (name, json!(n))).collect::<Map<_, _>>();
    let ledger_status = ledger_status(stats.as_ref().ok());
    let ledger = match &stats {
        Ok(stats) => json!({
            "status": ledger_status,
            "events": count(stats.events.iter().map(|(state, n)| (state.as_str().to_owned(), *n)).collect()),
            "oldest_unforwarded_at": stats.oldest_unforwarded_us.map(view::time),
            "oldest_held_at": stats.oldest_held_us.map(view::time),
        }),
        Err(_) => json!({"status": ledger_status}),
    };
    let lag = cursor_lag(&api, head.seq).await;
    ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "serving": api.started_us.is_some(),
        "draining": api.draining.is_set(),
        "started_at": api.started_us.map(view::time),
        "uptime_seconds": api.started_us.map(|since| now.as_microsecond().saturating_sub(since) / 1_000_000),
        "evidence": {
            "status": health,
            "reason": reason,
            "log_id": api.evidence.log_id(),
            "head": {"seq": head.seq, "link": hex::encode(head.link)},
            "not_taken_in": lag,
        },
        "ledger": ledger,
        "integrity": integrity(&api).await,
        "disk": disk(&api, query.disk).await,
        "sources": sources(&api, &caller, now).await,
        "destinations": destinations(&api),
        "pauses": pauses(&api, &caller).await,
        "outbox": stats.map_or(Value::Null, |stats| count(stats.outbox_due).into()),
        "jobs_running": api.jobs.list().iter().filter(|job| job.finished_us.is_none()).count(),
    }))
}

async fn integrity(api: &Api) -> Integrity {
    let evidence = api.evidence.clone();
    let last = task::spawn_blocking(move || evidence.latest_checkpoint()).await;
    let last = last.ok().and_then(Result::ok).flatten().map(|last| last.checkpoint);
    Integrity {
        public_key: api.public_key.as_ref().map(ToString::to_string),
        checkpoint: last.map(|last| Checkpoint { size: last.size, at: last.time.unwrap_or_default() }),
    }
}

/// Records that intake has yet to see; none when the ledger does not answer.
async fn cursor_lag(api: &Api, head: u64) -> Option<u64> {
    let cursor = api.ledger.cursor().await.ok()?;
    Some(head.saturating_sub(cursor.map_or(0, |cursor| cursor.seq)))
}

/// Where messages go, and whether they are taken there.
fn destinations(api: &Api) -> Vec<Value> {
    let serves = api.started_us.is_some();
    let shown = api.config.destinations.values().map(|to| {
        let open = api.metrics.forward_breaker_open.get_or_create(&Destination::of(&to.name)).get() != 0;
        // Only a running gateway has tried.
        let breaker = (serves && to.url.is_some()).then_some(if open { "open" } else { "closed" });
        json!({"name": to.name, "pushed": to.url.is_some(), "breaker": breaker})
    });
    shown.collect()
}

/// What is paused; none when the ledger does not answer.
async fn pauses(api: &Api, caller: &Caller) -> Option<Vec<Value>> {
    Some(super::pauses::shown(&api.ledger.pauses().await.ok()?, caller))
}

/// Each source with the last time that something rightly signed came.
async fn sources(api: &Api, caller: &Caller, now: Timestamp) -> Vec<Value> {
    let mut shown = Vec::new();
    for source in api.config.sources.iter().filter(|source| caller.sees(&source.name)) {
        let newest = Filter { source: Some(source.name.clone()), limit: 1, ..Filter::default() };
        let stored = api.ledger.deliveries(newest).await.ok().and_then(|rows| rows.first().map(|row| row.received_us));
        // Repeats are counted and not stored: this process knows of them only.
        let seen = api.metrics.source_last_verified.get_or_create(&Source::of(&source.name)).get();
        let last = stored.max((seen != 0).then(|| seen.saturating_mul(1_000_000)));
        shown.push(json!({
            "name": source.name,
            "provider": source.provider.name(),
            "path": source.path,
            "last_verified_at": last.map(view::time),
            "quiet_seconds": last.map(|last| now.as_microsecond().saturating_sub(last).max(0) / 1_000_000),
        }));
    }
    shown
}

async fn disk(api: &Api, sizes: bool) -> Value {
    let reserve = api.config.evidence.reserve;
    let mut shown = json!({"free_bytes": api.evidence.disk_free(), "reserve_bytes": reserve});
    if sizes {
        let places = places(api);
        let walked = task::spawn_blocking(move || {
            places.iter().map(|(name, path)| ((*name).to_owned(), json!(bytes_of(path)))).collect::<Map<_, _>>()
        });
        if let (Value::Object(fields), Ok(sizes)) = (&mut shown, walked.await) {
            fields.insert("bytes".to_owned(), sizes.into());
        }
    }
    shown
}

fn places(api: &Api) -> Vec<(&'static str, PathBuf)> {
    let beside = |ending: &str| {
        let mut name = api.config.ledger.path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    vec![
        ("evidence_log", api.config.evidence.path.join("log")),
        ("rejected", api.config.evidence.path.join("rejected")),
        ("ledger", api.config.ledger.path.clone()),
        ("ledger_wal", beside("-wal")),
    ]
}

/// Bytes of a file, or of all files under a folder; none when there is none. Links are not followed.
fn bytes_of(path: &Path) -> Option<u64> {
    let facts = std::fs::symlink_metadata(path).ok()?;
    if !facts.is_dir() {
        return Some(facts.len());
    }
    let inside = std::fs::read_dir(path).ok()?.filter_map(Result::ok);
    Some(inside.filter_map(|entry| bytes_of(&entry.path())).sum())
}
