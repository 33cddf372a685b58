//! Attempts: the intent before a byte leaves, the result after, and what a crash left between the two.

use rusqlite::{Connection, OptionalExtension};
use serde_json::{Value, json as object};

use super::rows::{EventRow, Id, Named, damaged, trace};
use super::{outbox, pauses};
use crate::ledger::{FeedAck, FeedAcked, HASTENED_MAX, Intent, LedgerError, Next, RecordAttempt, RecordIntent, state};
use crate::model::{Code, EventId, EventState, WebhookId};

/// Messages that one call acknowledges.
const ACKS_MAX: usize = 500;

/// Bytes kept of a response.
const RESPONSE_MAX: usize = 1024;

/// The newest attempt is the one with the highest id of its time; times of one message never repeat.
const HASTEN: &str = "UPDATE dispatches SET due_us = ?2 WHERE destination = ?1 AND seq IN (
        SELECT d.seq FROM dispatches d INDEXED BY dispatch_ready
        WHERE d.destination = ?1 AND d.state = 'due' AND d.head = 1 AND d.due_us > ?2
            AND (SELECT a.outcome FROM attempts a WHERE a.seq = d.seq AND a.destination = d.destination
                ORDER BY a.started_us DESC LIMIT 1) <> 'retry_after'
        ORDER BY d.due_us LIMIT ?3)";

/// Records an intent, if the message may be sent now.
pub(super) fn intend(conn: &Connection, intent: &RecordIntent) -> Result<Intent, LedgerError> {
    let Some(found) = outbox::dispatch(conn, intent.webhook_id, &intent.destination)? else {
        return Ok(Intent::Gone);
    };
    if found.state != "due" || !found.turn.head || found.due_us > intent.now_us {
        return Ok(Intent::Gone);
    }
    if pauses::holds(conn, &intent.destination, &found.source)? {
        return Ok(Intent::Paused);
    }
    if found.first_intent_us.is_none() {
        let (event, since_us) = (intent.webhook_id.event, intent.anchor_since_us);
        if found.is_payment && !anchor_is_fresh(conn, event, since_us, intent.now_us)? {
            return Ok(Intent::AnchorStale);
        }
        conn.prepare_cached("UPDATE messages SET first_intent_us = ?2 WHERE seq = ?1")?
            .execute((found.turn.seq, intent.now_us))?;
    } else if found.is_payment && is_missed(conn, intent.webhook_id)? {
        // Its block is gone: it is retried no more until it is found again or taken back.
        return Ok(Intent::AnchorStale);
    }
    conn.prepare_cached(
        "UPDATE dispatches SET state = 'sending', attempts = attempts + 1 WHERE destination = ?1 AND seq = ?2",
    )?
    .execute((&intent.destination, found.turn.seq))?;
    conn.prepare_cached("INSERT INTO attempts (attempt_id, seq, destination, started_us) VALUES (?1, ?2, ?3, ?4)")?
        .execute((Id(intent.attempt_id), found.turn.seq, &intent.destination, intent.now_us))?;
    Ok(Intent::Go)
}

/// Whether the block under this message is being searched for.
fn is_missed(conn: &Connection, message: WebhookId) -> Result<bool, LedgerError> {
    let row = EventRow::load(conn, message.event)?;
    let is_newest = row.state_version == message.state_version;
    // One that is sent again may be forwarded already.
    Ok(is_newest && state::has_money(row.state) && row.code == Some(Code::Reorged))
}

/// Whether the payment's block was seen recently. When not, verification is asked to look, and the version
/// changes with the question, so that only an answer to it counts.
pub(super) fn anchor_is_fresh(
    conn: &Connection,
    event: EventId,
    since_us: i64,
    now_us: i64,
) -> Result<bool, LedgerError> {
    let mut row = EventRow::load(conn, event)?;
    let fresh = row.anchor_checked_us.is_some_and(|checked| checked >= since_us);
    if fresh {
        if row.anchor_check {
            // Another destination's question: what leaves now cannot be superseded any more.
            (row.anchor_check, row.due_us) = (false, None);
            row.save(conn)?;
        }
        return Ok(true);
    }
    if !row.anchor_check {
        row.anchor_check = true;
        row.due_us = Some(now_us);
        row.save(conn)?;
    }
    Ok(false)
}

/// Records a result. A result recorded twice counts once.
pub(super) fn record(conn: &Connection, result: &RecordAttempt) -> Result<(), LedgerError> {
    let (turn, state) = outbox::turn(conn, result.webhook_id, &result.destination)?
        .ok_or_else(|| damaged(format!("{} has no dispatch to {}", result.webhook_id, result.destination)))?;
    let finished = conn
        .prepare_cached(
            "UPDATE attempts SET finished_us = ?2, status = ?3, outcome = ?4, latency_ms = ?5, response = ?6
             WHERE attempt_id = ?1 AND finished_us IS NULL",
        )?
        .execute((
            Id(result.attempt_id),
            result.now_us,
            result.status,
            result.outcome,
            i64::try_from(result.latency_ms).unwrap_or(i64::MAX),
            start_of(&result.response),
        ))?;
    if finished == 0 {
        let known: Option<i64> = conn
            .prepare_cached("SELECT 1 FROM attempts WHERE attempt_id = ?1")?
            .query_row([Id(result.attempt_id)], |row| row.get(0))
            .optional()?;
        return match known {
            Some(_) => Ok(()),
            None => Err(damaged(format!("attempt {} has no intent on record", result.attempt_id))),
        };
    }
    if state != "sending" {
        return Ok(());
    }
    match result.next {
        Next::Retry { due_us } => {
            conn.prepare_cached(
                "UPDATE dispatches SET state = 'due', due_us = ?3 WHERE destination = ?1 AND seq = ?2",
            )?
            .execute((&result.destination, turn.seq, due_us))?;
            Ok(())
        }
        Next::Delivered => {
            outbox::finish(conn, &result.destination, &turn, "delivered", result.now_us)?;
            move_event(conn, result.webhook_id, EventState::Forwarded, &detail_of(result), turn.seq, result.now_us)
        }
        Next::Dead => {
            outbox::finish(conn, &result.destination, &turn, "dead", result.now_us)?;
            move_event(conn, result.webhook_id, EventState::Dead, &detail_of(result), turn.seq, result.now_us)
        }
    }
}

fn detail_of(result: &RecordAttempt) -> Value {
    object!({
        "webhook_id": result.webhook_id.to_string(),
        "destination": result.destination,
        "attempt_id": result.attempt_id,
        "status": result.status,
    })
}

/// The event follows its newest message: dead with its first dead dispatch, on its way once all are delivered.
fn move_event(
    conn: &Connection,
    message: WebhookId,
    end: EventState,
    detail: &Value,
    seq: i64,
    now_us: i64,
) -> Result<(), LedgerError> {
    let is_dead = end == EventState::Dead;
    if !is_dead {
        let missing: i64 = conn
            .prepare_cached("SELECT COUNT(*) FROM dispatches WHERE seq = ?1 AND state <> 'delivered'")?
            .query_row([seq], |row| row.get(0))?;
        if missing > 0 || settle(conn, message, detail, now_us)? {
            return Ok(());
        }
    }
    let mut row = EventRow::load(conn, message.event)?;
    if row.state != EventState::Forwarding || row.state_version != message.state_version {
        return Ok(());
    }
    let to = if is_dead { EventState::Dead } else { outbox::after_delivery(&row) };
    row.go(conn, to, row.code, now_us, detail)?;
    outbox::watch_on(&mut row, now_us);
    row.save(conn)
}

/// Settles a provider's own event that everybody has, by its columns that change: most messages are of such a one, and to
/// read and write the whole row is a fifth of what recording a result costs. False for anything that is more than that.
fn settle(conn: &Connection, message: WebhookId, detail: &Value, now_us: i64) -> Result<bool, LedgerError> {
    let settled: Option<Option<Named<Code>>> = conn
        .prepare_cached(
            "UPDATE events SET state = 'settled', version = version + 1, updated_us = ?3
             WHERE event_id = ?1 AND state = 'forwarding' AND state_version = ?2
                AND payment_id IS NULL AND anchor IS NULL AND due_us IS NULL AND wait_chain IS NULL
             RETURNING code",
        )?
        .query_row((Id::from(message.event), message.state_version, now_us), |row| row.get(0))
        .optional()?;
    let Some(code) = settled else { return Ok(false) };
    let (from, to) = (EventState::Forwarding, EventState::Settled);
    trace(conn, message.event, now_us, Some(from), to, code.map(|code| code.0), detail)?;
    Ok(true)
}

/// Ends what the backend has by the feed. One in flight ends too: its attempt's result changes nothing any more.
pub(super) fn acknowledge(conn: &Connection, ack: &FeedAck) -> Result<FeedAcked, LedgerError> {
    let mut acked = FeedAcked::default();
    for id in ack.webhook_ids.iter().take(ACKS_MAX) {
        let found = outbox::dispatch(conn, *id, &ack.destination)?;
        let found = found.filter(|found| ack.sources.is_empty() || ack.sources.contains(&found.source));
        match found {
            Some(found) if found.state == "delivered" => acked.repeated.push(*id),
            Some(found) if found.first_intent_us.is_some() && matches!(found.state.as_str(), "due" | "sending") => {
                outbox::finish(conn, &ack.destination, &found.turn, "delivered", ack.now_us)?;
                let detail = object!({
                    "webhook_id": id.to_string(),
                    "destination": ack.destination,
                    "acknowledged": true,
                });
                move_event(conn, *id, EventState::Forwarded, &detail, found.turn.seq, ack.now_us)?;
                acked.delivered.push(*id);
            }
            Some(_) | None => acked.refused.push(*id),
        }
    }
    Ok(acked)
}

/// Makes what waits out a backoff due, those that would wait the shortest first.
pub(super) fn hasten(conn: &Connection, destination: &str, now_us: i64) -> Result<u64, LedgerError> {
    let most = i64::try_from(HASTENED_MAX).unwrap_or(i64::MAX);
    let hastened = conn.prepare_cached(HASTEN)?.execute((destination, now_us, most))?;
    Ok(u64::try_from(hastened).unwrap_or(u64::MAX))
}

/// Makes attempts that a crash left open due again.
pub(super) fn recover(conn: &Connection, now_us: i64) -> Result<u64, LedgerError> {
    let reopened = conn
        .prepare_cached(
            "UPDATE dispatches SET state = 'due', due_us = ?1 WHERE state = 'sending'
                AND (destination, seq) IN (SELECT destination, seq FROM attempts WHERE finished_us IS NULL)",
        )?
        .execute([now_us])?;
    conn.prepare_cached("UPDATE attempts SET finished_us = ?1, outcome = 'lost' WHERE finished_us IS NULL")?
        .execute([now_us])?;
    Ok(u64::try_from(reopened).unwrap_or(u64::MAX))
}

fn start_of(response: &str) -> &str {
    let end = response.floor_char_boundary(RESPONSE_MAX);
    response.get(..end).unwrap_or_default()
}
