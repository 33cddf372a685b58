//! Attempts, newest first: their ids ascend with their time.

use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::rows::{Id, damaged, webhook_id};
use crate::ledger::{AttemptFilter, AttemptView, LedgerError, Page, SentAttempt};

/// Most attempts of one page.
const PAGE_MAX: usize = 500;

/// Most rows that one page looks at.
const LOOKED_AT_MAX: usize = 10_000;

/// By the primary key, whatever is asked for: of an event by the index of its messages.
const ALL: &str = "SELECT a.attempt_id, a.started_us, a.finished_us, a.status, a.outcome, a.latency_ms, a.response,
        m.event_id, m.state_version, m.message_type, a.destination, d.source
     FROM attempts a JOIN messages m ON m.seq = a.seq
        JOIN dispatches d ON d.destination = a.destination AND d.seq = a.seq
     WHERE a.attempt_id < ?1 ORDER BY a.attempt_id DESC LIMIT ?2";

const OF_EVENT: &str =
    "SELECT a.attempt_id, a.started_us, a.finished_us, a.status, a.outcome, a.latency_ms, a.response,
        m.event_id, m.state_version, m.message_type, a.destination, d.source
     FROM messages m JOIN attempts a ON a.seq = m.seq
        JOIN dispatches d ON d.destination = a.destination AND d.seq = a.seq
     WHERE a.attempt_id < ?1 AND m.event_id = ?3 ORDER BY a.attempt_id DESC LIMIT ?2";

/// A page of attempts.
pub(super) fn list(conn: &Connection, filter: &AttemptFilter) -> Result<Page<SentAttempt>, LedgerError> {
    let before = Id(filter.before.unwrap_or(Uuid::max()));
    let budget = i64::try_from(LOOKED_AT_MAX).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(if filter.event.is_some() { OF_EVENT } else { ALL })?;
    let mut rows = match filter.event {
        Some(event) => statement.query((before, budget, Id::from(event)))?,
        None => statement.query((before, budget))?,
    };
    let mut page = Page { items: Vec::new(), next: None };
    let (mut looked, mut last) = (0_usize, None);
    while let Some(row) = rows.next()? {
        if page.items.len() >= filter.limit.min(PAGE_MAX) {
            page.next = last.map(|id: Uuid| id.to_string());
            return Ok(page);
        }
        let found = read(row)?;
        looked = looked.saturating_add(1);
        last = Some(found.attempt.attempt_id);
        // Ids are made by the same clock as the times: nothing older than this is younger.
        if filter.since_us.is_some_and(|since| found.attempt.started_us < since) {
            return Ok(page);
        }
        if fits(filter, &found) {
            page.items.push(found);
        }
    }
    if looked >= LOOKED_AT_MAX {
        page.next = last.map(|id| id.to_string());
    }
    Ok(page)
}

fn fits(filter: &AttemptFilter, found: &SentAttempt) -> bool {
    filter.destination.as_ref().is_none_or(|name| *name == found.destination)
        && filter.outcome.as_ref().is_none_or(|word| found.attempt.outcome.as_ref() == Some(word))
        && filter.until_us.is_none_or(|until| found.attempt.started_us < until)
        && (filter.sources.is_empty() || filter.sources.contains(&found.source))
}

fn read(row: &Row<'_>) -> Result<SentAttempt, LedgerError> {
    let latency: Option<i64> = row.get(5)?;
    let attempt = AttemptView {
        attempt_id: row.get::<_, Id>(0)?.0,
        started_us: row.get(1)?,
        finished_us: row.get(2)?,
        status: row.get(3)?,
        outcome: row.get(4)?,
        latency_ms: latency.map(u64::try_from).transpose().map_err(damaged)?,
        response: row.get(6)?,
    };
    Ok(SentAttempt {
        webhook_id: webhook_id(row, 7)?.to_string(),
        message_type: row.get(9)?,
        destination: row.get(10)?,
        source: row.get(11)?,
        attempt,
    })
}
