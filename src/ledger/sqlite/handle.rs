//! What operators do to events (rule 24): each with a reason, a line in the trace and an entry of the audit, in one
//! transaction.

use rusqlite::{Connection, OptionalExtension};
use serde_json::{Value, json as object};

use super::rows::{EventRow, Id, Named, newest_claim, trace};
use super::{again, audit, expectations};
use crate::ledger::{Accepted, AuditEntry, EventVerb, HandleEvent, Handled, LedgerError};
use crate::model::{Code, EventId, EventState, ExpectationState};

/// Does what was said.
pub(super) fn event(conn: &Connection, handle: &HandleEvent) -> Result<Handled, LedgerError> {
    let Some(mut row) = EventRow::find(conn, handle.event_id)? else { return Ok(Handled::Unknown) };
    let before = stands(&row);
    let reason = handle.by.reason.clone().unwrap_or_default();
    let mut detail = object!({ "operator": handle.verb.as_str(), "by": handle.by.name, "reason": reason });
    let is_done = match &handle.verb {
        EventVerb::Recheck => recheck(conn, &mut row, handle.now_us, &detail)?,
        EventVerb::Note => {
            trace(conn, row.event_id, handle.now_us, Some(row.state), row.state, row.code, &detail)?;
            true
        }
        EventVerb::Close => close(conn, &mut row, handle.now_us, &detail)?,
        EventVerb::Accept => accept(conn, &mut row, handle, &reason, &detail)?,
        EventVerb::Attach { expectation } => {
            if let Value::Object(fields) = &mut detail {
                fields.insert("expectation".to_owned(), expectation.as_str().into());
            }
            match attach(conn, &mut row, expectation, handle.now_us, &detail)? {
                Some(is_done) => is_done,
                None => return Ok(Handled::NoExpectation),
            }
        }
    };
    if !is_done {
        return Ok(Handled::NotNow { state: row.state, code: row.code });
    }
    let entry = AuditEntry {
        at_us: handle.now_us,
        by: handle.by.clone(),
        what: format!("event.{}", handle.verb.as_str()),
        subject: Some(row.event_id.to_string()),
        event_id: Some(row.event_id),
        before: Some(before),
        after: Some(stands(&row)),
    };
    audit::add(conn, &entry)?;
    Ok(Handled::Done)
}

fn stands(row: &EventRow) -> Value {
    object!({ "state": row.state, "code": row.code, "expectation": row.expectation_id })
}

fn recheck(conn: &Connection, row: &mut EventRow, now_us: i64, detail: &Value) -> Result<bool, LedgerError> {
    if (row.state, row.code) == (EventState::Ignored, Some(Code::Closed)) {
        if newest_claim(conn, row.event_id)?.is_none() {
            return Ok(false);
        }
        row.go(conn, EventState::Verifying, None, now_us, detail)?;
        row.look_anew(now_us);
        row.save(conn)?;
        return Ok(true);
    }
    again::judge_again(conn, row, now_us, detail)
}

/// Only what waits for a person can be ended by one.
fn close(conn: &Connection, row: &mut EventRow, now_us: i64, detail: &Value) -> Result<bool, LedgerError> {
    let waits_for_nobody = row.state == EventState::Undetermined && row.code == Some(Code::ExpectationUnknown);
    if row.state != EventState::Held && !waits_for_nobody {
        return Ok(false);
    }
    row.go(conn, EventState::Ignored, Some(Code::Closed), now_us, detail)?;
    row.save(conn)?;
    Ok(true)
}

/// Lets what it is held for pass, and has it judged again: everything else still has to hold.
fn accept(
    conn: &Connection,
    row: &mut EventRow,
    handle: &HandleEvent,
    reason: &str,
    detail: &Value,
) -> Result<bool, LedgerError> {
    let Some(code) = row.code.filter(|code| code.may_be_accepted()) else { return Ok(false) };
    if !matches!(row.state, EventState::Held | EventState::Undetermined) || reason.is_empty() {
        return Ok(false);
    }
    conn.prepare_cached(
        "INSERT INTO acceptances (event_id, code, by_name, reason, at_us) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (event_id) DO UPDATE SET code = excluded.code, by_name = excluded.by_name,
            reason = excluded.reason, at_us = excluded.at_us",
    )?
    .execute((Id::from(row.event_id), code.as_str(), &handle.by.name, reason, handle.now_us))?;
    again::judge_again(conn, row, handle.now_us, detail)
}

/// Binds an event to an expectation of its realm. None when there is no such one.
fn attach(
    conn: &Connection,
    row: &mut EventRow,
    expectation: &str,
    now_us: i64,
    detail: &Value,
) -> Result<Option<bool>, LedgerError> {
    let found = expectations::load(conn, expectation)?;
    let fits = found
        .is_some_and(|stored| stored.terms.realm == row.facts.realm && stored.state != ExpectationState::Cancelled);
    if !fits {
        return Ok(None);
    }
    if !matches!(row.state, EventState::Held | EventState::Undetermined | EventState::Refuted) {
        return Ok(Some(false));
    }
    if newest_claim(conn, row.event_id)?.is_none() {
        return Ok(Some(false));
    }
    row.expectation_id = Some(expectation.to_owned());
    again::judge_again(conn, row, now_us, detail).map(Some)
}

/// What an operator let pass of an event.
pub(super) fn accepted(conn: &Connection, event: EventId) -> Result<Option<Accepted>, LedgerError> {
    let mut statement = conn.prepare_cached("SELECT code, by_name, reason FROM acceptances WHERE event_id = ?1")?;
    let found = statement.query_row([Id::from(event)], |row| {
        Ok(Accepted { code: row.get::<_, Named<Code>>(0)?.0, by: row.get(1)?, reason: row.get(2)? })
    });
    Ok(found.optional()?)
}
