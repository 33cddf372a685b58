//! Events judged again: what a replay writes.

use rusqlite::Connection;
use serde_json::Value;

use super::rows::{EventRow, newest_claim, trace};
use super::{due, jobs};
use crate::ledger::{DueEvent, JobMoved, JobStep, LedgerError, ReplayItem, Replayed, state};
use crate::model::{EventId, EventState};

/// An event as verification would take it.
pub(super) fn judgeable(conn: &Connection, event: EventId) -> Result<Option<DueEvent>, LedgerError> {
    let Some(row) = EventRow::find(conn, event)? else { return Ok(None) };
    due::complete(conn, row, 0).map(Some)
}

/// Writes what was found, and moves the job.
pub(super) fn replay(conn: &Connection, items: &[ReplayItem], mut step: JobStep) -> Result<JobMoved, LedgerError> {
    if let Err(moved) = jobs::open(conn, step.job_id, step.from.as_deref(), step.now_us)? {
        return Ok(moved);
    }
    for item in items {
        let Some(mut row) = EventRow::find(conn, item.event_id)? else { continue };
        let is_written = row.version == item.version
            && match item.what {
                Replayed::JudgeAgain => judge_again(conn, &mut row, step.now_us, &item.detail)?,
                Replayed::Differs => {
                    trace(conn, row.event_id, step.now_us, Some(row.state), row.state, row.code, &item.detail)?;
                    true
                }
            };
        if !is_written && let Value::Object(report) = &mut step.report {
            let before = report.get("changed_meanwhile").and_then(Value::as_u64).unwrap_or_default();
            report.insert("changed_meanwhile".to_owned(), before.saturating_add(1).into());
        }
    }
    jobs::step(conn, &step)?;
    Ok(JobMoved::Moved)
}

/// Has verification begin again. False where nothing can be judged: there is no claim, or it is on its way.
pub(super) fn judge_again(
    conn: &Connection,
    row: &mut EventRow,
    now_us: i64,
    detail: &Value,
) -> Result<bool, LedgerError> {
    if newest_claim(conn, row.event_id)?.is_none() {
        return Ok(false);
    }
    match row.state {
        EventState::Verifying
        | EventState::AwaitingFinality
        | EventState::Undetermined
        | EventState::Held
        | EventState::Refuted => {
            row.go(conn, EventState::Verifying, row.code, now_us, detail)?;
            row.look_anew(now_us);
        }
        // Looked at again where it stands: its block, or where that is now.
        EventState::Forwarded | EventState::Dead | EventState::Retracted if row.anchor.is_some() => {
            trace(conn, row.event_id, now_us, Some(row.state), row.state, row.code, detail)?;
            row.look_anew(now_us);
        }
        EventState::Received
        | EventState::Forwarding
        | EventState::Forwarded
        | EventState::Dead
        | EventState::Retracted
        | EventState::Settled
        | EventState::Ignored => return Ok(false),
    }
    debug_assert!(state::is_watched(row.state), "only what is watched is looked at");
    row.save(conn)?;
    Ok(true)
}
