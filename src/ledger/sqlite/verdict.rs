//! Verdicts that send nothing, and what has to be undone when a block is lost before anything left.
//!
//! Nothing here takes back what a backend may have seen: a message with an intent on record stays as it is.

use rusqlite::Connection;
use serde_json::json as object;

use super::rows::{EventRow, Id, damaged, newest_claim};
use super::{claims, due, expectations, outbox, scan};
use crate::ledger::{Committed, LedgerError, RecordVerdict, state};
use crate::model::{Code, EventId, EventState};

/// Writes a verdict.
pub(super) fn record(conn: &Connection, verdict: &RecordVerdict) -> Result<Committed, LedgerError> {
    let mut row = EventRow::load(conn, verdict.event_id)?;
    if row.version != verdict.version {
        return Ok(Committed::Stale);
    }
    match (row.state, verdict.state) {
        (EventState::Forwarding, EventState::Forwarding) => checked_anchor(conn, &mut row, verdict)?,
        (EventState::Forwarding, EventState::Verifying) => lost_anchor(conn, &mut row, verdict)?,
        (EventState::Forwarding, other) => {
            // Anything else would take a message back, or mark it sent, without saying so.
            return Err(damaged(format!("event {}: a verdict cannot move a due message to {other}", row.event_id)));
        }
        (_, EventState::Forwarding) => {
            return Err(damaged(format!("event {}: only a confirmation makes a message", row.event_id)));
        }
        _ => judged(conn, &mut row, verdict)?,
    }
    row.save(conn)?;
    Ok(Committed::Done)
}

/// The plain case: another state or another look.
fn judged(conn: &Connection, row: &mut EventRow, verdict: &RecordVerdict) -> Result<(), LedgerError> {
    row.looked(verdict.now_us);
    (row.due_us, row.wait) = (verdict.due_us, verdict.wait);
    row.sender = verdict.sender.or(row.sender);
    if verdict.code == Code::Reorged && row.code != Some(Code::Reorged) {
        // How long it has been missed is counted from now on.
        (row.looks, row.first_look_us) = (0, None);
        row.looked(verdict.now_us);
    }
    if verdict.anchor.is_some() {
        row.anchor = verdict.anchor;
        row.anchor_checked_us = Some(verdict.now_us);
    } else if !state::is_confirmed(verdict.state) {
        row.anchor = None;
        row.anchor_checked_us = None;
    }
    if verdict.code == Code::Late {
        let stored = match (&row.expectation_id, newest_claim(conn, row.event_id)?) {
            (Some(id), _) => expectations::load(conn, id)?,
            (None, Some(claim)) => due::expectation_naming(conn, &row.facts.realm, &claim)?,
            (None, None) => None,
        };
        if let Some(stored) = stored {
            expectations::mark_late(conn, stored, verdict.now_us)?;
        }
    }
    row.go(conn, verdict.state, Some(verdict.code), verdict.now_us, &verdict.trace)
}

/// The look that a due message waited for.
fn checked_anchor(conn: &Connection, row: &mut EventRow, verdict: &RecordVerdict) -> Result<(), LedgerError> {
    match verdict.anchor {
        // Nobody could say: the message waits on.
        None => {
            row.looked(verdict.now_us);
            row.due_us = verdict.due_us;
            row.updated_us = verdict.now_us;
            Ok(())
        }
        Some(anchor) if Some(anchor) == row.anchor && verdict.code == Code::Reorged => missed(conn, row, verdict),
        Some(anchor) if Some(anchor) == row.anchor => {
            if row.code == Some(Code::Reorged) {
                row.go(conn, EventState::Forwarding, Some(verdict.code), verdict.now_us, &verdict.trace)?;
            }
            row.anchor_checked_us = Some(verdict.now_us);
            row.anchor_check = false;
            row.due_us = None;
            row.updated_us = verdict.now_us;
            Ok(())
        }
        // Mined again in another block: what the message says is no longer so.
        Some(_) => lost_anchor(conn, row, verdict),
    }
}

/// The block of a message that an attempt was begun of is gone: it is retried no more while the payment is searched for.
fn missed(conn: &Connection, row: &mut EventRow, verdict: &RecordVerdict) -> Result<(), LedgerError> {
    if row.code != Some(Code::Reorged) {
        (row.looks, row.first_look_us) = (0, None);
    }
    row.looked(verdict.now_us);
    (row.due_us, row.wait, row.anchor_checked_us) = (verdict.due_us, verdict.wait, None);
    row.go(conn, EventState::Forwarding, Some(Code::Reorged), verdict.now_us, &verdict.trace)
}

fn lost_anchor(conn: &Connection, row: &mut EventRow, verdict: &RecordVerdict) -> Result<(), LedgerError> {
    if outbox::newest_has_intent(conn, row)? {
        return Err(damaged(format!("event {}: its message was sent already; it needs a retraction", row.event_id)));
    }
    take_back_later(conn, row, verdict.now_us)?;
    take_back(conn, row, Code::Reorged, verdict.now_us, &verdict.trace)
}

/// What was judged on top of a lost payment, and not sent, is judged again: its step in the sum has changed.
pub(super) fn take_back_later(conn: &Connection, row: &EventRow, now_us: i64) -> Result<(), LedgerError> {
    for event in expectations::later_unsent(conn, row.event_id)? {
        let mut other = EventRow::load(conn, event)?;
        let detail =
            object!({ "after": "an earlier payment of the expectation lost its block", "event": row.event_id });
        take_back(conn, &mut other, Code::Reorged, now_us, &detail)?;
        other.save(conn)?;
    }
    Ok(())
}

/// Back to be judged: the message superseded, the transfers tombstones, the sum without them.
fn take_back(
    conn: &Connection,
    row: &mut EventRow,
    code: Code,
    now_us: i64,
    detail: &serde_json::Value,
) -> Result<(), LedgerError> {
    supersede_unsent(conn, row.event_id, now_us)?;
    claims::bury(conn, row.event_id)?;
    expectations::take_out(conn, row.event_id, now_us)?;
    row.go(conn, EventState::Verifying, Some(code), now_us, detail)?;
    row.look_anew(now_us);
    (row.anchor, row.anchor_checked_us) = (None, None);
    row.payment_id = None;
    if !scan::is_bound(conn, row)? {
        row.expectation_id = None;
    }
    Ok(())
}

/// Marks every message of the event that no attempt was made of.
pub(super) fn supersede_unsent(conn: &Connection, event: EventId, now_us: i64) -> Result<(), LedgerError> {
    let unsent: Vec<(i64, String)> = conn
        .prepare_cached(
            "SELECT d.seq, d.destination FROM messages m JOIN dispatches d ON d.seq = m.seq
             WHERE m.event_id = ?1 AND m.first_intent_us IS NULL AND d.state = 'due'",
        )?
        .query_map([Id::from(event)], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (seq, destination) in unsent {
        outbox::finish_any(conn, &destination, seq, "superseded", now_us)?;
    }
    Ok(())
}

/// Marks every message of the event that still waits or is being tried: what follows takes its place in the lane. An
/// attempt in flight ends as it ends and is recorded; the lane is free for the next one only then.
pub(super) fn supersede_open(conn: &Connection, event: EventId, now_us: i64) -> Result<(), LedgerError> {
    let open: Vec<(i64, String)> = conn
        .prepare_cached(
            "SELECT d.seq, d.destination FROM messages m JOIN dispatches d ON d.seq = m.seq
             WHERE m.event_id = ?1 AND d.state IN ('due', 'sending')",
        )?
        .query_map([Id::from(event)], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (seq, destination) in open {
        outbox::finish_any(conn, &destination, seq, "superseded", now_us)?;
    }
    Ok(())
}
