//! The outbox: messages, where they go, and the attempts to get them there.
//!
//! A message's bytes are written once. Its dispatches are ordered by lane: `head` marks the oldest unfinished
//! one of each, and finishing it passes the mark on. A delivered, dead or superseded one blocks nothing.

use rusqlite::{Connection, OptionalExtension};

use super::pauses;
use super::rows::{EventRow, Id, damaged, webhook_id};
use crate::ledger::{DueMessage, LedgerError, Reach, Wait};
use crate::message::Rendered;
use crate::model::{EventId, EventState, PaymentId, WebhookId};

/// Bodies read at once: a batch of large messages must not fill the memory.
const DUE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Most messages of one answer.
const DUE_MAX: usize = 2_000;

/// Heads of lanes that are due. The index is named: without it this reads the whole backlog.
pub(super) const DUE: &str = "SELECT m.event_id, m.state_version, d.lane, m.message_type, m.body, d.attempts,
        m.created_us, d.source, d.due_us, d.seq, d.replay_id, d.resent_us
     FROM dispatches d INDEXED BY dispatch_ready JOIN messages m ON m.seq = d.seq
     WHERE d.destination = ?1 AND d.state = 'due' AND d.head = 1 AND d.due_us <= ?2
     ORDER BY d.due_us, d.seq LIMIT ?3";

/// The same of one source: what is paused beside it may be long and is not read.
pub(super) const DUE_OF_SOURCE: &str =
    "SELECT m.event_id, m.state_version, d.lane, m.message_type, m.body, d.attempts, m.created_us, d.source, d.due_us,
        d.seq, d.replay_id, d.resent_us
     FROM dispatches d INDEXED BY dispatch_of_source JOIN messages m ON m.seq = d.seq
     WHERE d.destination = ?1 AND d.source = ?4 AND d.state = 'due' AND d.head = 1 AND d.due_us <= ?2
     ORDER BY d.due_us, d.seq LIMIT ?3";

/// The next source, by name, that has something to send; one step of an index whatever lies between.
const NEXT_SOURCE: &str = "SELECT MIN(source) FROM dispatches INDEXED BY dispatch_of_source
     WHERE destination = ?1 AND source > ?2 AND state = 'due' AND head = 1";

/// Marks the oldest message behind the head that a lane had. The index is named: without it this reads all that was ever sent.
pub(super) const PROMOTE: &str = "UPDATE dispatches SET head = 1, due_us = MAX(due_us, ?3)
     WHERE destination = ?1 AND seq = (SELECT MIN(seq) FROM dispatches INDEXED BY dispatch_behind
        WHERE destination = ?1 AND lane = ?2 AND state = 'due' AND head = 0)";

/// Adds the event's next message and makes it due everywhere.
pub(super) fn add(
    conn: &Connection,
    row: &mut EventRow,
    payment: Option<&PaymentId>,
    rendered: &Rendered,
    destinations: &[String],
    now_us: i64,
) -> Result<(), LedgerError> {
    let id = row.next_message();
    conn.prepare_cached(
        "INSERT INTO messages (event_id, state_version, lane, message_type, body, payment_id, created_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(rusqlite::params![
        Id::from(row.event_id),
        id.state_version,
        row.lane,
        rendered.message_type.as_str(),
        rendered.body,
        payment.map(PaymentId::as_str),
        now_us,
    ])?;
    let seq = conn.last_insert_rowid();
    row.state_version = id.state_version;
    for destination in destinations {
        conn.prepare_cached(
            "INSERT INTO dispatches (destination, seq, lane, state, head, due_us, attempts, source)
             VALUES (?1, ?2, ?3, 'due',
                NOT EXISTS (SELECT 1 FROM dispatches WHERE destination = ?1 AND lane = ?3 AND head = 1), ?4, 0, ?5)
             ON CONFLICT (destination, seq) DO NOTHING",
        )?
        .execute((destination, seq, &row.lane, now_us, &row.facts.source))?;
    }
    Ok(())
}

/// A message that no destination takes has nothing to wait for: the event goes on as if it were delivered.
pub(super) fn skip_unaddressed(
    conn: &Connection,
    row: &mut EventRow,
    destinations: &[String],
    now_us: i64,
) -> Result<(), LedgerError> {
    if !destinations.is_empty() {
        return Ok(());
    }
    let to = after_delivery(row);
    row.go(conn, to, row.code, now_us, &serde_json::json!({ "destinations": destinations }))?;
    watch_on(row, now_us);
    Ok(())
}

/// A payment that was forwarded, or was tried to be, is watched until its block is final. What became due on its way was
/// woken, because its block may be gone: it is looked at, and not only waited for.
pub(super) fn watch_on(row: &mut EventRow, now_us: i64) {
    let is_forwarded = match row.state {
        EventState::Forwarded | EventState::Dead => row.payment_id.is_some(),
        EventState::Received
        | EventState::Verifying
        | EventState::AwaitingFinality
        | EventState::Forwarding
        | EventState::Settled
        | EventState::Refuted
        | EventState::Undetermined
        | EventState::Held
        | EventState::Ignored
        | EventState::Retracted => false,
    };
    if let Some(anchor) = row.anchor.filter(|_| is_forwarded) {
        let is_woken = row.due_us.is_some();
        row.look_anew(now_us);
        let wait = Wait { chain_id: anchor.chain_id, reach: Reach::Finalized, height: anchor.block_number };
        row.wait = (!is_woken).then_some(wait);
    }
}

/// Money is watched until its block is final; a provider's own event has nothing to watch.
pub(super) const fn after_delivery(row: &EventRow) -> EventState {
    if row.payment_id.is_some() { EventState::Forwarded } else { EventState::Settled }
}

/// Messages due to a destination: heads of lanes only, in the order they fell due, none that a pause holds.
pub(super) fn due(
    conn: &Connection,
    destination: &str,
    now_us: i64,
    limit: usize,
) -> Result<Vec<DueMessage>, LedgerError> {
    let limit = limit.min(DUE_MAX);
    let held = pauses::of(conn, destination)?;
    if held.all {
        return Ok(Vec::new());
    }
    if held.sources.is_empty() {
        let found = heads(conn, DUE, (destination, now_us, row_limit(limit)), &held)?;
        return Ok(found.into_iter().map(|head| head.message).collect());
    }
    let mut found = Vec::new();
    let mut source = String::new();
    loop {
        let next: Option<String> =
            conn.prepare_cached(NEXT_SOURCE)?.query_row((destination, &source), |row| row.get(0))?;
        let Some(next) = next else { break };
        source = next;
        if !held.sources.contains(&source) {
            found.extend(heads(conn, DUE_OF_SOURCE, (destination, now_us, row_limit(limit), &source), &held)?);
        }
    }
    found.sort_by_key(|head| (head.due_us, head.seq));
    found.truncate(limit);
    Ok(found.into_iter().map(|head| head.message).collect())
}

fn row_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A due message and its place in the order.
struct Head {
    due_us: i64,
    seq: i64,
    message: DueMessage,
}

fn heads(
    conn: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    held: &pauses::Held,
) -> Result<Vec<Head>, LedgerError> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let (mut heads, mut bytes) = (Vec::new(), 0_usize);
    while let Some(row) = rows.next()? {
        let body: Vec<u8> = row.get(4)?;
        bytes = bytes.saturating_add(body.len());
        if bytes > DUE_BYTES_MAX && !heads.is_empty() {
            break;
        }
        let (created_us, source): (i64, String) = (row.get(6)?, row.get(7)?);
        let asked_us = row.get::<_, Option<i64>>(11)?.map_or(created_us, |resent| resent.max(created_us));
        let message = DueMessage {
            webhook_id: webhook_id(row, 0)?,
            lane: row.get(2)?,
            message_type: row.get(3)?,
            body,
            attempts: row.get(5)?,
            created_us,
            patient_since_us: held.resumed_us(&source).map_or(asked_us, |resumed| resumed.max(asked_us)),
            replay_id: row.get::<_, Option<Id>>(10)?.map(|id| id.0),
        };
        heads.push(Head { due_us: row.get(8)?, seq: row.get(9)?, message });
    }
    Ok(heads)
}

/// A message's place in its lane at one destination.
pub(super) struct Turn {
    pub(super) seq: i64,
    pub(super) lane: String,
    pub(super) head: bool,
}

/// A message at one destination, as an attempt sees it.
pub(super) struct Dispatch {
    pub(super) turn: Turn,
    pub(super) state: String,
    pub(super) due_us: i64,
    pub(super) first_intent_us: Option<i64>,
    pub(super) is_payment: bool,
    pub(super) source: String,
}

/// Finds a message's dispatch.
pub(super) fn dispatch(
    conn: &Connection,
    message: WebhookId,
    destination: &str,
) -> Result<Option<Dispatch>, LedgerError> {
    let mut statement = conn.prepare_cached(
        "SELECT d.seq, d.lane, d.head, d.state, d.due_us, m.first_intent_us, m.payment_id IS NOT NULL, d.source
         FROM messages m JOIN dispatches d ON d.seq = m.seq AND d.destination = ?3
         WHERE m.event_id = ?1 AND m.state_version = ?2",
    )?;
    let found = statement.query_row((Id::from(message.event), message.state_version, destination), |row| {
        Ok(Dispatch {
            turn: read_turn(row)?,
            state: row.get(3)?,
            due_us: row.get(4)?,
            first_intent_us: row.get(5)?,
            is_payment: row.get(6)?,
            source: row.get(7)?,
        })
    });
    Ok(found.optional()?)
}

/// Finds a message's turn at a destination and the state of its dispatch, without reading the message.
pub(super) fn turn(
    conn: &Connection,
    message: WebhookId,
    destination: &str,
) -> Result<Option<(Turn, String)>, LedgerError> {
    let mut statement = conn.prepare_cached(
        "SELECT d.seq, d.lane, d.head, d.state
         FROM messages m JOIN dispatches d ON d.seq = m.seq AND d.destination = ?3
         WHERE m.event_id = ?1 AND m.state_version = ?2",
    )?;
    let found = statement.query_row((Id::from(message.event), message.state_version, destination), |row| {
        Ok((read_turn(row)?, row.get(3)?))
    });
    Ok(found.optional()?)
}

/// The first three columns, as [`Turn`] has them.
fn read_turn(row: &rusqlite::Row<'_>) -> rusqlite::Result<Turn> {
    Ok(Turn { seq: row.get(0)?, lane: row.get(1)?, head: row.get(2)? })
}

/// Ends one of several dispatches: one that ended before it may have made it the head of its lane.
pub(super) fn finish_any(
    conn: &Connection,
    destination: &str,
    seq: i64,
    state: &'static str,
    now_us: i64,
) -> Result<(), LedgerError> {
    let turn = conn
        .prepare_cached("SELECT seq, lane, head FROM dispatches WHERE destination = ?1 AND seq = ?2")?
        .query_row((destination, seq), read_turn)?;
    finish(conn, destination, &turn, state, now_us)
}

/// Ends a dispatch and lets the next one of its lane go; that one is due now.
pub(super) fn finish(
    conn: &Connection,
    destination: &str,
    turn: &Turn,
    state: &'static str,
    now_us: i64,
) -> Result<(), LedgerError> {
    let seq = turn.seq;
    let ended = conn
        .prepare_cached(
            "UPDATE dispatches SET state = ?3, head = 0
             WHERE destination = ?1 AND seq = ?2 AND state IN ('due', 'sending')",
        )?
        .execute((destination, seq, state))?;
    if ended != 1 {
        return Err(damaged(format!("message {seq} to {destination} had ended already")));
    }
    if turn.head {
        conn.prepare_cached(PROMOTE)?.execute((destination, &turn.lane, now_us))?;
    }
    Ok(())
}

/// Everybody who was to be told of an event: who heard of a payment has to hear that it is gone, whatever types it takes.
pub(super) fn destinations_of(conn: &Connection, event: EventId) -> Result<Vec<String>, LedgerError> {
    let mut statement = conn.prepare_cached(
        "SELECT DISTINCT d.destination FROM messages m JOIN dispatches d ON d.seq = m.seq
         WHERE m.event_id = ?1 ORDER BY d.destination",
    )?;
    let found = statement.query_map([Id::from(event)], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Whether an attempt was ever begun for the event's newest message.
pub(super) fn newest_has_intent(conn: &Connection, row: &EventRow) -> Result<bool, LedgerError> {
    let intent: Option<Option<i64>> = conn
        .prepare_cached("SELECT first_intent_us FROM messages WHERE event_id = ?1 AND state_version = ?2")?
        .query_row((Id::from(row.event_id), row.state_version), |row| row.get(0))
        .optional()?;
    Ok(intent.flatten().is_some())
}
