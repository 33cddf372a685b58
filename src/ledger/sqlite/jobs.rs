//! Jobs that outlive a restart. A step is a transaction: it is whole, or the next start does it.

use rusqlite::{Connection, OptionalExtension, Row};
use serde_json::json as object;
use uuid::Uuid;

use super::audit;
use super::rows::{Id, Json, Named, count, damaged, int, json};
use crate::ledger::{
    AuditEntry, BeginJob, DurableKind, DurableState, JOBS_KEPT, JobBegun, JobEnd, JobMoved, JobStep, LedgerError,
    StoredJob, Who,
};

/// Bytes of a cursor, of what is said and of an error.
const TEXT_MAX: usize = 4 * 1024;

/// Bytes of what was asked for, and of a report.
const VALUE_MAX: usize = 256 * 1024;

const COLUMNS: &str = "job_id, kind, by_name, by_from, reason, params, state, cancel, started_us, finished_us, cursor,
    done, total, doing, report, error";

fn read(row: &Row<'_>) -> rusqlite::Result<StoredJob> {
    let total: Option<i64> = row.get(12)?;
    Ok(StoredJob {
        job_id: row.get::<_, Id>(0)?.0,
        kind: row.get::<_, Named<DurableKind>>(1)?.0,
        by: Who { name: row.get(2)?, from: row.get(3)?, reason: row.get(4)? },
        params: row.get::<_, Json<_>>(5)?.0,
        state: row.get::<_, Named<DurableState>>(6)?.0,
        cancel: row.get(7)?,
        started_us: row.get(8)?,
        finished_us: row.get(9)?,
        cursor: row.get(10)?,
        done: count(row, 11)?,
        total: total.map(|_| count(row, 12)).transpose()?,
        doing: row.get(13)?,
        report: row.get::<_, Json<_>>(14)?.0,
        error: row.get(15)?,
    })
}

/// Starts a job.
pub(super) fn begin(conn: &Connection, begin: &BeginJob) -> Result<JobBegun, LedgerError> {
    if let Some(running) = running(conn, begin.kind)? {
        return Ok(JobBegun::Busy(running.job_id));
    }
    let params = json(&begin.params)?;
    if VALUE_MAX < params.len() {
        return Err(damaged(format!("a job takes at most {VALUE_MAX} bytes of parameters")));
    }
    let by = audit::cut(&begin.by);
    conn.prepare_cached(
        "INSERT INTO jobs (job_id, kind, by_name, by_from, reason, params, state, cancel, started_us, done, doing, report)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'running', 0, ?7, 0, '', '{}')",
    )?
    .execute(rusqlite::params![
        Id(begin.job_id),
        begin.kind.as_str(),
        by.name,
        by.from,
        by.reason,
        params,
        begin.now_us,
    ])?;
    let kept = i64::try_from(JOBS_KEPT).unwrap_or(i64::MAX);
    conn.prepare_cached("DELETE FROM jobs WHERE state <> 'running' AND number <= (SELECT MAX(number) FROM jobs) - ?1")?
        .execute([kept])?;
    let entry = AuditEntry {
        at_us: begin.now_us,
        by: begin.by.clone(),
        what: "job.start".to_owned(),
        subject: Some(format!("{} {}", begin.kind, begin.job_id)),
        event_id: None,
        before: None,
        after: Some(begin.params.clone()),
    };
    audit::add(conn, &entry)?;
    Ok(JobBegun::Begun)
}

/// The one of a kind that runs.
pub(super) fn running(conn: &Connection, kind: DurableKind) -> Result<Option<StoredJob>, LedgerError> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM jobs INDEXED BY job_running WHERE kind = ?1 AND state = 'running'"
    ))?;
    Ok(statement.query_row([kind.as_str()], read).optional()?)
}

/// One job.
pub(super) fn find(conn: &Connection, job_id: Uuid) -> Result<Option<StoredJob>, LedgerError> {
    let mut statement = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM jobs WHERE job_id = ?1"))?;
    Ok(statement.query_row([Id(job_id)], read).optional()?)
}

/// All of them, newest first.
pub(super) fn list(conn: &Connection) -> Result<Vec<StoredJob>, LedgerError> {
    let kept = i64::try_from(JOBS_KEPT).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM jobs ORDER BY number DESC LIMIT ?1"))?;
    Ok(statement.query_map([kept], read)?.collect::<Result<_, _>>()?)
}

/// The job whose step may be taken now; ends it first when it was asked to stop.
pub(super) fn open(
    conn: &Connection,
    job_id: Uuid,
    from: Option<&str>,
    now_us: i64,
) -> Result<Result<StoredJob, JobMoved>, LedgerError> {
    let Some(job) = find(conn, job_id)?.filter(|job| job.state == DurableState::Running) else {
        return Ok(Err(JobMoved::Over));
    };
    if job.cancel {
        conn.prepare_cached("UPDATE jobs SET state = 'cancelled', finished_us = ?2, doing = '' WHERE job_id = ?1")?
            .execute((Id(job_id), now_us))?;
        return Ok(Err(JobMoved::Over));
    }
    if job.cursor.as_deref() != from {
        return Ok(Err(JobMoved::Stale));
    }
    Ok(Ok(job))
}

/// Moves a job that [`open`] gave.
pub(super) fn step(conn: &Connection, step: &JobStep) -> Result<(), LedgerError> {
    let report = json(&step.report)?;
    if VALUE_MAX < report.len() || step.to.as_ref().is_some_and(|to| TEXT_MAX < to.len()) {
        return Err(damaged(format!(
            "job {}: a report has at most {VALUE_MAX} bytes, a cursor {TEXT_MAX}",
            step.job_id
        )));
    }
    let (state, error) = match &step.end {
        None => (DurableState::Running, None),
        Some(JobEnd::Done) => (DurableState::Done, None),
        Some(JobEnd::Failed(why)) => (DurableState::Failed, Some(start_of(why))),
    };
    let finished_us = (state != DurableState::Running).then_some(step.now_us);
    conn.prepare_cached(
        "UPDATE jobs SET state = ?2, finished_us = ?3, cursor = ?4, done = ?5, total = ?6, doing = ?7, report = ?8,
            error = ?9 WHERE job_id = ?1",
    )?
    .execute(rusqlite::params![
        Id(step.job_id),
        state.as_str(),
        finished_us,
        step.to,
        int(step.done)?,
        step.total.map(int).transpose()?,
        if finished_us.is_some() { "" } else { start_of(&step.doing) },
        report,
        error,
    ])?;
    Ok(())
}

/// Moves a job that writes nothing else.
pub(super) fn go(conn: &Connection, taken: &JobStep) -> Result<JobMoved, LedgerError> {
    match open(conn, taken.job_id, taken.from.as_deref(), taken.now_us)? {
        Err(moved) => Ok(moved),
        Ok(_) => step(conn, taken).map(|()| JobMoved::Moved),
    }
}

/// Asks a job to stop.
pub(super) fn cancel(conn: &Connection, job_id: Uuid, by: &Who, now_us: i64) -> Result<Option<StoredJob>, LedgerError> {
    let Some(mut job) = find(conn, job_id)? else { return Ok(None) };
    if job.state == DurableState::Running && !job.cancel {
        conn.prepare_cached("UPDATE jobs SET cancel = 1 WHERE job_id = ?1")?.execute([Id(job_id)])?;
        job.cancel = true;
        let entry = AuditEntry {
            at_us: now_us,
            by: by.clone(),
            what: "job.cancel".to_owned(),
            subject: Some(format!("{} {job_id}", job.kind)),
            event_id: None,
            before: Some(object!({ "state": job.state, "done": job.done, "report": job.report })),
            after: None,
        };
        audit::add(conn, &entry)?;
    }
    Ok(Some(job))
}

/// Ends what runs: a copy of the ledger that begins to serve must not go on with what the original does.
pub(super) fn interrupt(conn: &Connection, now_us: i64) -> Result<(), LedgerError> {
    conn.execute(
        "UPDATE jobs SET state = 'failed', finished_us = ?1, doing = '',
            error = 'the ledger was restored or rebuilt meanwhile: look at what was sent, and start it again'
         WHERE state = 'running'",
        [now_us],
    )?;
    Ok(())
}

fn start_of(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_MAX)).unwrap_or_default()
}
