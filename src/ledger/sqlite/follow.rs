//! What followers read: decisions by number, and the messages to a destination in commit order.

use rusqlite::{Connection, Row};
use serde_json::{Value, json as object};

use super::rows::{Id, Json, count, int, json, webhook_id};
use super::{attempts, pauses};
use crate::ledger::{Change, ChangeTable, FeedItem, FeedPage, FeedRead, LedgerError};
use crate::model::EventId;

/// Most decisions of one answer.
const CHANGES_MAX: usize = 1_000;

/// Most bytes of one answer, beyond its first item.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// Most messages of one page.
const PAGE_MAX: usize = 500;

/// Messages that one page may pass over.
const PASSED_MAX: usize = 5_000;

const TRACE: &str = "SELECT id, at_us, event_id, to_state, from_state, code, detail FROM trace
     WHERE id > ?1 ORDER BY id LIMIT ?2";

const AUDIT: &str = "SELECT number, at_us, event_id, what, by_name, by_from, reason, subject, before, after FROM audit
     WHERE number > ?1 ORDER BY number LIMIT ?2";

/// Decisions after a number.
pub(super) fn changes(
    conn: &Connection,
    table: ChangeTable,
    after: u64,
    limit: usize,
) -> Result<Vec<Change>, LedgerError> {
    let (sql, body): (_, fn(&Row<'_>) -> rusqlite::Result<Value>) = match table {
        ChangeTable::Trace => (TRACE, trace_body),
        ChangeTable::Audit => (AUDIT, audit_body),
    };
    let limit = i64::try_from(limit.min(CHANGES_MAX)).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query((int(after)?, limit))?;
    let (mut found, mut bytes) = (Vec::new(), 0_usize);
    while let Some(row) = rows.next()? {
        let body = json(&body(row)?)?;
        bytes = bytes.saturating_add(body.len());
        if bytes > BYTES_MAX && !found.is_empty() {
            break;
        }
        found.push(Change {
            number: count(row, 0)?,
            at_us: row.get(1)?,
            event_id: row.get::<_, Option<Id>>(2)?.map(|id| EventId(id.0)),
            kind: row.get(3)?,
            body,
        });
    }
    Ok(found)
}

fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    row.get(column)
}

fn value(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Value>> {
    Ok(row.get::<_, Option<Json<Value>>>(column)?.map(|value| value.0))
}

fn trace_body(row: &Row<'_>) -> rusqlite::Result<Value> {
    Ok(object!({ "from": text(row, 4)?, "to": text(row, 3)?, "code": text(row, 5)?, "detail": value(row, 6)? }))
}

fn audit_body(row: &Row<'_>) -> rusqlite::Result<Value> {
    Ok(object!({
        "by": text(row, 4)?,
        "from": text(row, 5)?,
        "reason": text(row, 6)?,
        "what": text(row, 3)?,
        "subject": text(row, 7)?,
        "before": value(row, 8)?,
        "after": value(row, 9)?,
    }))
}

/// Messages to a destination, by position: the primary key of the dispatches is the feed's order.
pub(super) const FEED: &str = "SELECT d.seq, m.message_type, m.body, d.state, d.source,
        m.first_intent_us IS NOT NULL, m.payment_id IS NOT NULL, m.event_id, m.state_version
     FROM dispatches d JOIN messages m ON m.seq = d.seq
     WHERE d.destination = ?1 AND d.seq > ?2 ORDER BY d.seq LIMIT ?3";

/// Whether a page may hand out what nobody was sent yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handing {
    /// No: it ends there. Writes nothing.
    OutWhatWasSent,
    /// Yes, and it counts as sent.
    OutAsSent,
}

/// A page of the feed, and whether it ended before a message that nobody was sent yet.
pub(super) fn feed(conn: &Connection, read: &FeedRead, handing: Handing) -> Result<(FeedPage, bool), LedgerError> {
    let limit = read.limit.min(PAGE_MAX);
    let passed_max = i64::try_from(limit.saturating_add(PASSED_MAX)).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(FEED)?;
    let after = i64::try_from(read.after).map_err(|_| LedgerError::BadCursor(read.after.to_string()))?;
    let mut rows = statement.query((&read.destination, after, passed_max))?;
    let mut page = FeedPage { next: read.after, ..FeedPage::default() };
    let (mut bytes, mut found) = (0_usize, false);
    while let Some(row) = rows.next()? {
        found = true;
        if page.items.len() >= limit {
            break;
        }
        let seq = count(row, 0)?;
        let message_type: String = row.get(1)?;
        let source: String = row.get(4)?;
        let wanted = (read.types.is_empty() || read.types.contains(&message_type))
            && (read.sources.is_empty() || read.sources.contains(&source));
        if !wanted || row.get_ref(3)?.as_str().is_ok_and(|state| state == "superseded") {
            page.next = seq;
            continue;
        }
        let body: Vec<u8> = row.get(2)?;
        bytes = bytes.saturating_add(body.len());
        if bytes > BYTES_MAX && !page.items.is_empty() {
            break;
        }
        let (was_sent, is_payment): (bool, bool) = (row.get(5)?, row.get(6)?);
        let webhook_id = webhook_id(row, 7)?;
        if !was_sent {
            if handing == Handing::OutWhatWasSent || pauses::holds(conn, &read.destination, &source)? {
                return Ok((page, true));
            }
            if is_payment && !attempts::anchor_is_fresh(conn, webhook_id.event, read.anchor_since_us, read.now_us)? {
                page.anchor_stale = true;
                return Ok((page, true));
            }
            conn.prepare_cached("UPDATE messages SET first_intent_us = ?2 WHERE seq = ?1 AND first_intent_us IS NULL")?
                .execute((int(seq)?, read.now_us))?;
        }
        page.next = seq;
        page.items.push(FeedItem { seq, webhook_id, message_type, body });
    }
    if !found && after > 0 {
        within_what_is(conn, after)?;
    }
    Ok((page, false))
}

/// Nothing can come after a position that does not exist yet: whoever has one would wait, and then miss what comes.
fn within_what_is(conn: &Connection, after: i64) -> Result<(), LedgerError> {
    let newest: i64 =
        conn.prepare_cached("SELECT IFNULL(MAX(seq), 0) FROM messages")?.query_row([], |row| row.get(0))?;
    if newest < after { Err(LedgerError::BadCursor(after.to_string())) } else { Ok(()) }
}
