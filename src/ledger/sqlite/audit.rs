//! Who did what. Entries are only ever added; triggers refuse everything else.

use rusqlite::Connection;

use super::read::Where;
use super::rows::{Id, Json, count, damaged, int, json};
use crate::ledger::{AuditEntry, AuditFilter, AuditRecord, LedgerError, Who};
use crate::model::EventId;

/// Most entries of one page.
const PAGE_MAX: usize = 500;

/// Bytes kept of a name, a reason or a subject.
const TEXT_MAX: usize = 1024;

/// Bytes kept of what something was before or after.
const VALUE_MAX: usize = 16 * 1024;

/// Longest word for what was done.
const WHAT_MAX: usize = 64;

/// Adds an entry; answers its number.
pub(super) fn add(conn: &Connection, entry: &AuditEntry) -> Result<u64, LedgerError> {
    if entry.what.is_empty() || entry.what.len() > WHAT_MAX {
        return Err(damaged(format!("an entry of the audit says what was done in 1 to {WHAT_MAX} bytes")));
    }
    let by = cut(&entry.by);
    let value = |value: &Option<serde_json::Value>| value.as_ref().map(value_text).transpose();
    conn.prepare_cached(
        "INSERT INTO audit (at_us, by_name, by_from, reason, what, subject, event_id, before, after)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(rusqlite::params![
        entry.at_us,
        by.name,
        by.from,
        by.reason,
        entry.what,
        entry.subject.as_deref().map(start_of),
        entry.event_id.map(Id::from),
        value(&entry.before)?,
        value(&entry.after)?,
    ])?;
    u64::try_from(conn.last_insert_rowid()).map_err(damaged)
}

/// The same with texts of a length that is kept.
pub(super) fn cut(by: &Who) -> Who {
    Who {
        name: start_of(&by.name).to_owned(),
        from: start_of(&by.from).to_owned(),
        reason: by.reason.as_deref().map(|reason| start_of(reason).to_owned()),
    }
}

fn start_of(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_MAX)).unwrap_or_default()
}

fn value_text(value: &serde_json::Value) -> Result<String, LedgerError> {
    let text = json(value)?;
    if text.len() <= VALUE_MAX {
        return Ok(text);
    }
    json(&serde_json::json!({ "left_out": "over the limit of an entry", "bytes": text.len() }))
}

/// Entries, newest first.
pub(super) fn list(conn: &Connection, filter: &AuditFilter) -> Result<Vec<AuditRecord>, LedgerError> {
    let mut wanted = Where::default();
    wanted.and_text("by_name = ?", filter.by.as_ref());
    wanted.and_text("what = ?", filter.what.as_ref());
    wanted.and_text("subject = ?", filter.subject.as_ref());
    if let Some(event) = filter.event_id {
        wanted.and("event_id = ?", Id::from(event));
    }
    if let Some(since) = filter.since_us {
        wanted.and("at_us >= ?", since);
    }
    if let Some(until) = filter.until_us {
        wanted.and("at_us < ?", until);
    }
    if let Some(before) = filter.before {
        wanted.and("number < ?", int(before)?);
    }
    let sql = format!(
        "SELECT number, at_us, by_name, by_from, reason, what, subject, event_id, before, after FROM audit
         WHERE {} ORDER BY number DESC LIMIT {}",
        wanted.sql(),
        filter.limit.min(PAGE_MAX),
    );
    let mut statement = conn.prepare(&sql)?;
    let found = statement.query_map(wanted.params().as_slice(), |row| {
        let value = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<Json<_>>>(column)?.map(|value| value.0));
        Ok(AuditRecord {
            number: count(row, 0)?,
            entry: AuditEntry {
                at_us: row.get(1)?,
                by: Who { name: row.get(2)?, from: row.get(3)?, reason: row.get(4)? },
                what: row.get(5)?,
                subject: row.get(6)?,
                event_id: row.get::<_, Option<Id>>(7)?.map(|id| EventId(id.0)),
                before: value(8)?,
                after: value(9)?,
            },
        })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}
