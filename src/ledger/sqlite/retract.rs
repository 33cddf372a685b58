//! Payments that left their block after they were forwarded: taken back, or moved to where they are now.
//!
//! Forwarded means that an attempt was begun (rule 19). What was never begun is superseded instead (see [`verdict`]).

use rusqlite::{Connection, OptionalExtension};
use serde_json::json as object;

use super::rows::{EventRow, Id, damaged};
use super::{chains, claims, confirm, expectations, outbox, verdict};
use crate::ledger::{Committed, LedgerError, Reanchor, Recalled, Retract, StoredExpectation, state};
use crate::model::{Code, EventId, EventState, PaymentId};

/// Takes a payment back.
pub(super) fn retract(conn: &Connection, retract: Retract) -> Result<Committed, LedgerError> {
    let mut row = EventRow::load(conn, retract.event_id)?;
    if row.version != retract.version || !was_sent(conn, &row)? {
        return Ok(Committed::Stale);
    }
    let (Some(anchor), Some(payment_id)) = (row.anchor, row.payment_id.clone()) else {
        return Err(damaged(format!("event {}: only a payment can be retracted", row.event_id)));
    };
    let said = last_said(conn, row.event_id, &payment_id)?
        .ok_or_else(|| damaged(format!("event {}: no message of {payment_id} is stored", row.event_id)))?;
    let way = expectations::way_of(conn, row.event_id)?;
    verdict::supersede_open(conn, row.event_id, retract.now_us)?;
    verdict::take_back_later(conn, &row, retract.now_us)?;
    claims::bury(conn, row.event_id)?;
    expectations::take_out(conn, row.event_id, retract.now_us)?;
    let webhook_id = row.next_message();
    let recalled = Recalled {
        webhook_id,
        lane: row.lane.clone(),
        payment_id: payment_id.clone(),
        said,
        anchor,
        expectation: expectation(conn, &row, way)?,
    };
    let rendered = (retract.render)(&recalled)
        .ok_or_else(|| damaged(format!("event {}: its stored message cannot be read", row.event_id)))?;
    let destinations = outbox::destinations_of(conn, row.event_id)?;
    outbox::add(conn, &mut row, Some(&payment_id), &rendered, &destinations, retract.now_us)?;
    let detail = object!({
        "reason": retract.reason, "webhook_id": webhook_id.to_string(), "previous_anchor": anchor, "seen": retract.trace,
    });
    row.look_anew(retract.now_us);
    row.due_us = retract.due_us;
    row.go(conn, EventState::Retracted, Some(Code::Retracted), retract.now_us, &detail)?;
    row.save(conn)?;
    Ok(Committed::Done)
}

/// Moves a payment to another block.
pub(super) fn reanchor(conn: &Connection, reanchor: &Reanchor) -> Result<Committed, LedgerError> {
    let mut row = EventRow::load(conn, reanchor.event_id)?;
    if row.version != reanchor.version || !was_sent(conn, &row)? {
        return Ok(Committed::Stale);
    }
    let Some(payment_id) = row.payment_id.clone() else {
        return Err(damaged(format!("event {}: only a payment has a block", row.event_id)));
    };
    let taking = claims::Taking {
        slots: &reanchor.slots,
        expectation: row.expectation_id.as_deref(),
        joins_by: reanchor.joins_by.as_ref(),
        now_us: reanchor.now_us,
    };
    if claims::holder(conn, &row, &taking, &reanchor.anchor)?.is_some() {
        return Ok(Committed::Stale);
    }
    claims::bury(conn, row.event_id)?;
    claims::insert(conn, row.event_id, &taking, &reanchor.anchor, &payment_id)?;
    if let Some(bundle) = &reanchor.evidence {
        chains::keep_evidence(conn, row.event_id, &reanchor.anchor, bundle, reanchor.now_us)?;
    }
    let previous = row.anchor;
    row.anchor = Some(reanchor.anchor);
    row.anchor_checked_us = Some(reanchor.now_us);
    row.look_anew(reanchor.now_us);
    (row.due_us, row.wait) = (reanchor.due_us, reanchor.wait);
    let seen = object!({ "reanchored_from": previous, "seen": reanchor.trace });
    let told = confirm::with_claims(&seen, &reanchor.slots, reanchor.joins_by.as_ref(), &row, row.state_version);
    row.go(conn, row.state, Some(code_before(&row)), reanchor.now_us, &told)?;
    (row.due_us, row.wait) = (reanchor.due_us, reanchor.wait);
    row.save(conn)?;
    Ok(Committed::Done)
}

/// The outcome as it was before the block was missed.
fn code_before(row: &EventRow) -> Code {
    row.code.filter(|code| *code != Code::Reorged).unwrap_or(Code::Verified)
}

/// Whether the backend may have been told.
fn was_sent(conn: &Connection, row: &EventRow) -> Result<bool, LedgerError> {
    match row.state {
        EventState::Forwarding => outbox::newest_has_intent(conn, row),
        EventState::Forwarded | EventState::Settled | EventState::Dead => Ok(true),
        EventState::Received
        | EventState::Verifying
        | EventState::AwaitingFinality
        | EventState::Refuted
        | EventState::Undetermined
        | EventState::Held
        | EventState::Ignored
        | EventState::Retracted => Ok(state::has_money(row.state)),
    }
}

/// The newest message that says what was paid.
fn last_said(conn: &Connection, event: EventId, payment: &PaymentId) -> Result<Option<Vec<u8>>, LedgerError> {
    let mut statement = conn.prepare_cached(
        "SELECT body FROM messages WHERE event_id = ?1 AND payment_id = ?2 ORDER BY state_version DESC LIMIT 1",
    )?;
    Ok(statement.query_row((Id::from(event), payment.as_str()), |row| row.get(0)).optional()?)
}

fn expectation(
    conn: &Connection,
    row: &EventRow,
    way: Option<usize>,
) -> Result<Option<(StoredExpectation, usize)>, LedgerError> {
    let (Some(id), Some(way)) = (&row.expectation_id, way) else { return Ok(None) };
    Ok(expectations::load(conn, id)?.map(|stored| (stored, way)))
}
