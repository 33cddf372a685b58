//! What is expected, what was announced, what was found: where the three do not add up.

use std::time::Duration;

use axum::extract::State;
use serde_json::{Value, json};

use super::auth::{Caller, May};
use super::problem::{Answer, ok};
use super::{Api, view};
use crate::config::ActiveChain;
use crate::ledger::LedgerError;
use crate::telemetry::metrics::Chain as ChainLabel;

/// Events of scans are counted so far back.
const COUNTED: Duration = Duration::from_secs(7 * 86_400);
/// Silent expectations shown by name.
const SHOWN_MAX: usize = 50;
/// Expectations counted of one chain.
const TARGETS_MAX: usize = 50_000;

/// `GET /reconciliation`
pub(super) async fn show(State(api): State<Api>, caller: Caller) -> Answer {
    caller.may(May::ReadStatus)?;
    caller.is_unlimited()?;
    let now_us = api.clock.now().as_microsecond();
    let since_us = before(now_us, COUNTED);
    let found = api.ledger.reconciliation(since_us, SHOWN_MAX).await?;
    let mut chains = Vec::new();
    for (name, active) in &api.config.chains {
        let scanned = found.scanned.iter().find(|(chain, _)| chain == name).map_or(0, |(_, events)| *events);
        chains.push(chain(&api, name, active, scanned, now_us).await?);
    }
    let silent = found.oldest_silent.iter().map(|(id, put_us)| json!({"id": id, "created_at": view::time(*put_us)}));
    ok(json!({
        "scan": api.config.verification.scan,
        "since": view::time(since_us),
        "chains": chains,
        "silent_expectations": {"count": found.silent, "oldest": silent.collect::<Vec<_>>()},
    }))
}

async fn chain(api: &Api, name: &str, active: &ActiveChain, scanned: u64, now_us: i64) -> Result<Value, LedgerError> {
    let chain_id = active.chain.chain_id;
    let cursor = api.ledger.scan_cursor(chain_id).await?;
    let ended_since_us = before(now_us, api.config.verification.late_watch);
    let targets = api.ledger.scan_targets(chain_id, ended_since_us, TARGETS_MAX).await?;
    // Known to a process that searches only: how far the chain is final, the ledger does not say.
    let lag = api.metrics.scan_lag.get_or_create(&ChainLabel::of(name)).get();
    let is_searching = api.started_us.is_some() && api.config.verification.scan && cursor.is_some();
    Ok(json!({
        "chain": name,
        "chain_id": chain_id,
        "height": cursor.map(|cursor| cursor.height),
        "block_hash": cursor.map(|cursor| cursor.block_hash),
        "searched_at": cursor.map(|cursor| view::time(cursor.at_us)),
        "lag_blocks": is_searching.then_some(lag),
        "expectations": targets.len(),
        "found_events": scanned,
    }))
}

fn before(now_us: i64, time: Duration) -> i64 {
    now_us.saturating_sub(i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
}
