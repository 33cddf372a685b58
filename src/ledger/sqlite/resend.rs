//! Stored messages made due again, without judging anything.
//!
//! A message comes back in its own lane: behind what is being sent of it now, before what is newer. Whatever a newer
//! message of its event says counts, so an older one is never sent again (rule 22: receivers would drop it anyway, and
//! one that lost everything would take what was retracted since).

use rusqlite::Connection;
use serde_json::json as object;

use super::jobs;
use super::rows::{EventRow, Id, damaged, webhook_id};
use crate::ledger::{
    JobEnd, JobMoved, JobStep, LedgerError, ResendReport, ResendState, ResendStep, Selection, StoredJob, state,
};
use crate::message;
use crate::model::{Code, EventId, EventState, WebhookId};

/// Most messages of one step.
const STEP_MAX: usize = 1_000;

/// A stored message as a resend sees it.
struct Stored {
    seq: i64,
    id: WebhookId,
    message_type: String,
    created_us: i64,
}

/// A message at one destination.
struct Dispatch {
    destination: String,
    state: String,
    lane: String,
}

/// Where a step begins, and the last message that the job sees.
struct Span {
    after: i64,
    upto: i64,
}

impl Span {
    /// The first step ends at what is there now, so that a job cannot follow its own messages.
    fn of(conn: &Connection, cursor: Option<&str>) -> Result<Self, LedgerError> {
        let Some(cursor) = cursor else {
            let upto =
                conn.prepare_cached("SELECT COALESCE(MAX(seq), 0) FROM messages")?.query_row([], |row| row.get(0))?;
            return Ok(Self { after: 0, upto });
        };
        let parts = cursor.split_once('/').and_then(|(after, upto)| Some((after.parse().ok()?, upto.parse().ok()?)));
        let (after, upto) = parts.ok_or_else(|| damaged(format!("{cursor:?} is no cursor of a resend")))?;
        Ok(Self { after, upto })
    }
}

/// Takes a step.
pub(super) fn step(conn: &Connection, step: &ResendStep) -> Result<JobMoved, LedgerError> {
    let job = match jobs::open(conn, step.job_id, step.from.as_deref(), step.now_us)? {
        Ok(job) => job,
        Err(moved) => return Ok(moved),
    };
    let span = Span::of(conn, step.from.as_deref())?;
    let limit = step.limit.clamp(1, STEP_MAX);
    let found = stored(conn, &step.selection, &span, limit)?;
    let mut report: ResendReport = report(&job)?;
    for message in &found {
        one(conn, step, message, &mut report)?;
    }
    let is_last = found.len() < limit;
    let at = if is_last { span.upto } else { found.last().map_or(span.upto, |message| message.seq) };
    let moved = JobStep {
        job_id: step.job_id,
        from: step.from.clone(),
        to: Some(format!("{at}/{}", span.upto)),
        now_us: step.now_us,
        done: u64::try_from(at).unwrap_or_default(),
        total: u64::try_from(span.upto).ok(),
        doing: format!("{} messages so far", report.messages),
        report: serde_json::to_value(&report).map_err(damaged)?,
        end: is_last.then_some(JobEnd::Done),
    };
    jobs::step(conn, &moved)?;
    Ok(JobMoved::Moved)
}

fn report(job: &StoredJob) -> Result<ResendReport, LedgerError> {
    match &job.cursor {
        None => Ok(ResendReport::default()),
        Some(_) => serde_json::from_value(job.report.clone()).map_err(damaged),
    }
}

/// The next messages that may be meant, in the order of the outbox. What is named, and what is dead, is found by an
/// index; else all are looked at.
fn stored(conn: &Connection, selection: &Selection, span: &Span, limit: usize) -> Result<Vec<Stored>, LedgerError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let named = !(selection.messages.is_empty() && selection.events.is_empty());
    let which = match (named, selection.state) {
        (true, _) => {
            "m.seq IN (SELECT n.seq FROM json_each(?4) j JOIN messages n
                    ON n.event_id = unhex(j.value ->> 0) AND n.state_version = j.value ->> 1
                UNION SELECT n.seq FROM json_each(?5) j JOIN messages n ON n.event_id = unhex(j.value))"
        }
        (false, Some(ResendState::Dead)) => {
            "m.seq IN (SELECT d.seq FROM dispatches d INDEXED BY dispatch_dead WHERE d.state = 'dead' AND d.seq > ?1
                AND d.seq <= ?2) AND ?4 = ?4 AND ?5 = ?5"
        }
        (false, Some(ResendState::Delivered) | None) => "?4 = ?4 AND ?5 = ?5",
    };
    let hex = |event: EventId| event.0.simple().to_string();
    let messages: Vec<_> = selection.messages.iter().map(|id| (hex(id.event), id.state_version)).collect();
    let events: Vec<String> = selection.events.iter().map(|event| hex(*event)).collect();
    let mut statement = conn.prepare_cached(&format!(
        "SELECT m.seq, m.event_id, m.state_version, m.message_type, m.created_us FROM messages m
         WHERE m.seq > ?1 AND m.seq <= ?2 AND {which} ORDER BY m.seq LIMIT ?3"
    ))?;
    let given = (span.after, span.upto, limit, super::rows::json(&messages)?, super::rows::json(&events)?);
    let found = statement.query_map(given, |row| {
        Ok(Stored { seq: row.get(0)?, id: webhook_id(row, 1)?, message_type: row.get(3)?, created_us: row.get(4)? })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// One message, wherever it goes.
fn one(conn: &Connection, step: &ResendStep, message: &Stored, report: &mut ResendReport) -> Result<(), LedgerError> {
    let selection = &step.selection;
    let is_in_time = selection.since_us.is_none_or(|since| since <= message.created_us)
        && selection.until_us.is_none_or(|until| message.created_us < until);
    report.looked_at = report.looked_at.saturating_add(1);
    if !is_in_time {
        return Ok(());
    }
    let mut row = EventRow::load(conn, message.id.event)?;
    if selection.source.as_ref().is_some_and(|source| *source != row.facts.source) {
        return Ok(());
    }
    let wanted = |dispatch: &Dispatch| {
        selection.destination.as_ref().is_none_or(|name| *name == dispatch.destination)
            && selection.state.is_none_or(|state| state.as_str() == dispatch.state)
    };
    let (chosen, others): (Vec<_>, Vec<_>) = dispatches(conn, message.seq)?.into_iter().partition(wanted);
    if chosen.is_empty() {
        return Ok(());
    }
    if let Some(why) = left_out(&row, message) {
        count(&mut report.left_out, why);
        return Ok(());
    }
    let ready: Vec<&Dispatch> =
        chosen.iter().filter(|dispatch| matches!(dispatch.state.as_str(), "dead" | "delivered")).collect();
    if ready.is_empty() {
        let is_superseded = chosen.iter().all(|dispatch| dispatch.state == "superseded");
        count(&mut report.left_out, if is_superseded { "superseded" } else { "under_way" });
        return Ok(());
    }
    if !step.dry_run {
        if step.new_version {
            if !renew(conn, step, &mut row, message, &ready)? {
                count(&mut report.left_out, "unreadable");
                return Ok(());
            }
        } else {
            again(conn, step, message, &ready)?;
        }
        // What another destination gave up stays so, and the event with it.
        let stays_dead = others.iter().any(|dispatch| dispatch.state == "dead") && !step.new_version;
        if row.state == EventState::Dead && !stays_dead {
            let detail = object!({ "resend": step.job_id, "webhook_id": message.id.to_string() });
            let (due_us, wait) = (row.due_us, row.wait);
            row.go(conn, EventState::Forwarding, row.code, step.now_us, &detail)?;
            (row.due_us, row.wait) = (due_us, wait);
            row.save(conn)?;
        } else if step.new_version {
            row.save(conn)?;
        }
    }
    report.messages = report.messages.saturating_add(1);
    count(&mut report.types, &message.message_type);
    for dispatch in &ready {
        count(&mut report.destinations, &dispatch.destination);
    }
    Ok(())
}

/// Why a message is not sent again, whatever its destinations have of it.
fn left_out(row: &EventRow, message: &Stored) -> Option<&'static str> {
    if message.id.state_version != row.state_version {
        return Some("outdated");
    }
    if !state::is_confirmed(row.state) {
        return Some("judged_again");
    }
    (row.code == Some(Code::Reorged)).then_some("block_searched_for")
}

fn dispatches(conn: &Connection, seq: i64) -> Result<Vec<Dispatch>, LedgerError> {
    let mut statement = conn.prepare_cached(
        "SELECT destination, state, lane FROM dispatches INDEXED BY dispatch_message WHERE seq = ?1 ORDER BY destination",
    )?;
    let found = statement
        .query_map([seq], |row| Ok(Dispatch { destination: row.get(0)?, state: row.get(1)?, lane: row.get(2)? }))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// The stored bytes again, under their own id.
fn again(conn: &Connection, step: &ResendStep, message: &Stored, to: &[&Dispatch]) -> Result<(), LedgerError> {
    let mut statement = conn.prepare_cached(
        "UPDATE dispatches SET state = 'due', due_us = ?3, attempts = 0, replay_id = ?4, resent_us = ?3,
            head = NOT EXISTS (SELECT 1 FROM dispatches h WHERE h.destination = ?1 AND h.lane = ?5 AND h.head = 1)
         WHERE destination = ?1 AND seq = ?2 AND state IN ('dead', 'delivered')",
    )?;
    for dispatch in to {
        statement.execute((&dispatch.destination, message.seq, step.now_us, Id(step.job_id), &dispatch.lane))?;
    }
    Ok(())
}

/// The same content as the event's next message. It counts as forwarded from the start: its payment was.
fn renew(
    conn: &Connection,
    step: &ResendStep,
    row: &mut EventRow,
    message: &Stored,
    to: &[&Dispatch],
) -> Result<bool, LedgerError> {
    let (body, payment_id, intent_us): (Vec<u8>, Option<String>, Option<i64>) = conn
        .prepare_cached("SELECT body, payment_id, first_intent_us FROM messages WHERE seq = ?1")?
        .query_row([message.seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let id = row.next_message();
    let Some(body) = message::revised(&body, message.id, id) else { return Ok(false) };
    let lane = to.first().map(|dispatch| dispatch.lane.clone()).unwrap_or_default();
    conn.prepare_cached(
        "INSERT INTO messages (event_id, state_version, lane, message_type, body, payment_id, created_us, first_intent_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(rusqlite::params![
        Id::from(row.event_id),
        id.state_version,
        lane,
        message.message_type,
        body,
        payment_id,
        step.now_us,
        intent_us.unwrap_or(step.now_us),
    ])?;
    let seq = conn.last_insert_rowid();
    row.state_version = id.state_version;
    for dispatch in to {
        conn.prepare_cached(
            "INSERT INTO dispatches (destination, seq, lane, state, head, due_us, attempts, source, replay_id, resent_us)
             VALUES (?1, ?2, ?3, 'due',
                NOT EXISTS (SELECT 1 FROM dispatches WHERE destination = ?1 AND lane = ?3 AND head = 1), ?4, 0, ?5, ?6, ?4)",
        )?
        .execute((&dispatch.destination, seq, &dispatch.lane, step.now_us, &row.facts.source, Id(step.job_id)))?;
    }
    Ok(true)
}

fn count(counts: &mut std::collections::BTreeMap<String, u64>, what: &str) {
    let n = counts.entry(what.to_owned()).or_default();
    *n = n.saturating_add(1);
}
