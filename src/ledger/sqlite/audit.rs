//! Who did what. Entries are only ever added; triggers refuse everything else.

use rusqlite::{Connection, Row};

use super::read::Where;
use super::rows::{Id, Json, count, damaged, int, json};
use crate::ledger::{AuditEntry, AuditFilter, AuditRecord, LedgerError, Page, Who};
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

/// Whether an entry fits, for those that an index finds: read by number, the newest first.
fn query(filter: &AuditFilter) -> Result<Where, LedgerError> {
    let mut wanted = Where::default();
    wanted.and("number < ?", filter.before.map(int).transpose()?.unwrap_or(i64::MAX));
    wanted.and_text("by_name = ?", filter.by.as_ref());
    wanted.and_text("what = ?", filter.what.as_ref());
    wanted.and_text("subject = ?", filter.subject.as_ref());
    if let Some(event) = filter.event_id {
        wanted.and("event_id = ?", Id::from(event));
    }
    Ok(wanted)
}

/// The index whose entries are fewest, by what is asked for.
const fn index(filter: &AuditFilter) -> &'static str {
    if filter.event_id.is_some() {
        "INDEXED BY audit_event"
    } else if filter.subject.is_some() {
        "INDEXED BY audit_subject"
    } else if filter.what.is_some() {
        "INDEXED BY audit_what"
    } else if filter.by.is_some() {
        "INDEXED BY audit_by"
    } else {
        "NOT INDEXED"
    }
}

/// The statement of a page.
pub(super) fn sql(filter: &AuditFilter) -> Result<(String, Where), LedgerError> {
    let wanted = query(filter)?;
    let sql = format!(
        "SELECT number, at_us, by_name, by_from, reason, what, subject, event_id, before, after FROM audit {}
         WHERE {} ORDER BY number DESC",
        index(filter),
        wanted.sql(),
    );
    Ok((sql, wanted))
}

/// Entries, newest first. Times are looked at here: a clock that was set back puts them out of the numbers' order.
pub(super) fn list(conn: &Connection, filter: &AuditFilter, budget: usize) -> Result<Page<AuditRecord>, LedgerError> {
    let (sql, wanted) = sql(filter)?;
    let (since, until) = (filter.since_us.unwrap_or(i64::MIN), filter.until_us.unwrap_or(i64::MAX));
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query(wanted.params().as_slice())?;
    let mut page = Page { items: Vec::new(), next: None };
    let (mut looked, mut last) = (0_usize, None);
    while let Some(row) = rows.next()? {
        if page.items.len() >= filter.limit.min(PAGE_MAX) || looked >= budget {
            page.next = last.map(|number: u64| number.to_string());
            break;
        }
        let at_us: i64 = row.get(1)?;
        if (since..until).contains(&at_us) {
            page.items.push(record(row)?);
        }
        looked = looked.saturating_add(1);
        last = Some(count(row, 0)?);
    }
    Ok(page)
}

fn record(row: &Row<'_>) -> rusqlite::Result<AuditRecord> {
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
}
