//! The backend's commands on expectations, and the events they wake.

use jiff::Timestamp;
use rusqlite::Connection;
use serde_json::{Value, json as object};

use super::audit;
use super::expectations::{self, insert, is_claimed, open_rival, save, view};
use super::rows::{EventRow, Id, damaged};
use crate::ledger::{AuditEntry, CancelOutcome, ExpectationView, LedgerError, PutExpectation, PutOutcome, Who};
use crate::model::{EventId, EventState, Expectation, ExpectationKey, ExpectationState, Rail};

/// How much older than its first PUT a direct payment may be: clocks of machines and blocks differ.
const DIRECT_SKEW_US: i64 = 15 * 60 * 1_000_000;

/// Puts an expectation and wakes what it names.
pub(super) fn put(conn: &Connection, put: PutExpectation) -> Result<PutOutcome, LedgerError> {
    let PutExpectation { mut terms, by, now_us } = put;
    let known = expectations::load(conn, &terms.id)?;
    if terms.not_before.is_none() && terms.rails.contains(&Rail::Direct) {
        terms.not_before = known.as_ref().map_or_else(|| opening(now_us), |known| known.terms.not_before);
    }
    let Some(mut stored) = known else {
        if let Some(rival) = open_rival(conn, &terms)? {
            return Ok(PutOutcome::KeyTaken(rival));
        }
        insert(conn, &terms, now_us)?;
        let after = standing(ExpectationState::Open, &terms);
        record(conn, (by, "expectation.put", now_us), &terms.id, None, after)?;
        wake(conn, &terms, now_us)?;
        return Ok(PutOutcome::Created(shown(conn, &terms.id)?));
    };
    if stored.terms == terms && stored.state != ExpectationState::Cancelled {
        return Ok(PutOutcome::Same(shown(conn, &terms.id)?));
    }
    if is_claimed(conn, &terms.id)? {
        return Ok(PutOutcome::Claimed(shown(conn, &terms.id)?));
    }
    if let Some(rival) = open_rival(conn, &terms)? {
        return Ok(PutOutcome::KeyTaken(rival));
    }
    let before = standing(stored.state, &stored.terms);
    stored.received = vec![alloy_primitives::U256::ZERO; terms.accept.len()];
    stored.state = ExpectationState::Open;
    stored.terms = terms;
    save(conn, &mut stored, now_us)?;
    let after = standing(stored.state, &stored.terms);
    record(conn, (by, "expectation.put", now_us), &stored.terms.id, Some(before), after)?;
    wake(conn, &stored.terms, now_us)?;
    Ok(PutOutcome::Replaced(shown(conn, &stored.terms.id)?))
}

/// Nothing but its time tells a direct transfer from an older one to the same recipient (rule 13).
fn opening(now_us: i64) -> Option<Timestamp> {
    Timestamp::from_microsecond(now_us.saturating_sub(DIRECT_SKEW_US)).ok()
}

/// Cancels one that nothing has claimed.
pub(super) fn cancel(conn: &Connection, id: &str, by: Who, now_us: i64) -> Result<CancelOutcome, LedgerError> {
    let Some(mut stored) = expectations::load(conn, id)? else { return Ok(CancelOutcome::Unknown) };
    if is_claimed(conn, id)? {
        return Ok(CancelOutcome::Claimed(shown(conn, id)?));
    }
    if stored.state != ExpectationState::Cancelled {
        let before = standing(stored.state, &stored.terms);
        stored.state = ExpectationState::Cancelled;
        save(conn, &mut stored, now_us)?;
        let after = standing(stored.state, &stored.terms);
        record(conn, (by, "expectation.cancel", now_us), id, Some(before), after)?;
    }
    Ok(CancelOutcome::Cancelled(shown(conn, id)?))
}

/// An expectation as the audit shows it.
fn standing(state: ExpectationState, terms: &Expectation) -> Value {
    object!({ "state": state, "terms": terms })
}

/// Notes in the audit who did what, when.
fn record(
    conn: &Connection,
    (by, what, at_us): (Who, &str, i64),
    id: &str,
    before: Option<Value>,
    after: Value,
) -> Result<(), LedgerError> {
    let (what, subject) = (what.to_owned(), Some(id.to_owned()));
    audit::add(conn, &AuditEntry { at_us, by, what, subject, event_id: None, before, after: Some(after) })?;
    Ok(())
}

fn shown(conn: &Connection, id: &str) -> Result<ExpectationView, LedgerError> {
    view(conn, id)?.ok_or_else(|| damaged(format!("expectation {id} is not in the ledger")))
}

/// Sends every event that the terms name and that waits back to be judged. One that is being judged right now
/// gets a new version, so that a judgement without this expectation is not written.
fn wake(conn: &Connection, terms: &Expectation, now_us: i64) -> Result<(), LedgerError> {
    let (named, text) = match &terms.key {
        ExpectationKey::RequestId(id) => ("SELECT event_id FROM claim_versions WHERE request_id = ?1", id.clone()),
        ExpectationKey::PaymentReference(reference) => {
            ("SELECT event_id FROM claim_versions WHERE payment_reference = ?1", reference.to_string())
        }
        ExpectationKey::ProviderObject(object) => {
            ("SELECT event_id FROM claim_objects WHERE object = ?1", object.clone())
        }
        // Found by nothing that was claimed: what a scan found for it.
        ExpectationKey::Direct => ("SELECT event_id FROM events WHERE expectation_id = ?1", terms.id.clone()),
    };
    // The plus signs keep the planner from reading every waiting event to find the few that are named.
    let waiting: Vec<EventId> = conn
        .prepare_cached(&format!(
            "SELECT event_id FROM events WHERE event_id IN ({named}) AND +realm = ?2
                AND +state IN ('undetermined', 'held', 'verifying', 'awaiting_finality') ORDER BY id"
        ))?
        .query_map((text, &terms.realm), |row| row.get::<_, Id>(0).map(|id| EventId(id.0)))?
        .collect::<Result<_, _>>()?;
    for event in waiting {
        let mut row = EventRow::load(conn, event)?;
        if matches!(row.state, EventState::Undetermined | EventState::Held) {
            let detail = object!({ "expectation": terms.id });
            row.go(conn, EventState::Verifying, None, now_us, &detail)?;
            row.look_anew(now_us);
        } else {
            row.due_us = Some(now_us);
        }
        row.save(conn)?;
    }
    Ok(())
}
