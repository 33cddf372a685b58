//! Taking in a batch of the log: deliveries find or make their events, and the cursor moves with them.
//!
//! It decides nothing about money. A delivery that says something new about an event nothing was sent for sends
//! it back to be judged; about one that was sent, it leaves a mismatch in the trace for an operator.

use rusqlite::{Connection, OptionalExtension};
use serde_json::json as object;

use super::rows::{EventRow, Id, Json, damaged, int, json, plain_tx, trace};
use super::{meta, outbox, verdict};
use crate::digest;
use crate::ledger::{
    Cursor, EventFacts, IntakeBatch, IntakeDelivery, IntakeEvent, IntakeKind, LedgerError, RenderPlain, Taken, state,
};
use crate::model::{Claim, Class, Code, EventId, EventState, Identity};

/// Different statements kept about one event: a captured secret must not make one grow without end.
pub(super) const CLAIM_VERSIONS_MAX: i64 = 64;

/// The event that an identity was pointed at, or else the one that it derives.
const FIND: &str = "SELECT event_id FROM identities WHERE identity = ?1
     UNION ALL SELECT event_id FROM events WHERE event_id = ?2 AND identity = ?1 LIMIT 1";

/// The last record taken in, of the log that moved last.
pub(super) fn cursor(conn: &Connection) -> Result<Option<Cursor>, LedgerError> {
    let mut statement = conn.prepare_cached("SELECT log_id, seq, link FROM cursor ORDER BY turn DESC LIMIT 1")?;
    Ok(statement.query_row([], read_cursor).optional()?)
}

fn read_cursor(row: &rusqlite::Row<'_>) -> rusqlite::Result<Cursor> {
    Ok(Cursor { log_id: row.get::<_, Id>(0)?.0, seq: super::rows::count(row, 1)?, link: row.get(2)? })
}

/// Takes in a batch.
pub(super) fn take(conn: &Connection, batch: &IntakeBatch) -> Result<Vec<Taken>, LedgerError> {
    let mut statement = conn.prepare_cached("SELECT log_id, seq, link FROM cursor WHERE log_id = ?1")?;
    let stands = statement.query_row([Id(batch.to.log_id)], read_cursor).optional()?;
    if stands != batch.from {
        return match stands {
            Some(at) if at.seq > batch.to.seq || at == batch.to => Ok(Vec::new()),
            _ => Err(rewound(stands, batch)),
        };
    }
    if stands.is_some_and(|at| batch.to.seq <= at.seq) {
        return if stands == Some(batch.to) { Ok(Vec::new()) } else { Err(rewound(stands, batch)) };
    }
    let mut taken = Vec::with_capacity(batch.deliveries.len());
    for delivery in &batch.deliveries {
        taken.push(take_one(conn, batch, delivery)?);
    }
    set_cursor(conn, batch.to)?;
    Ok(taken)
}

/// Notes how far a log was read, as the one that moved last.
pub(super) fn set_cursor(conn: &Connection, to: Cursor) -> Result<(), LedgerError> {
    conn.prepare_cached(
        "INSERT INTO cursor (log_id, seq, link, turn)
         VALUES (?1, ?2, ?3, (SELECT COALESCE(MAX(turn), 0) + 1 FROM cursor))
         ON CONFLICT (log_id) DO UPDATE SET seq = excluded.seq, link = excluded.link, turn = excluded.turn",
    )?
    .execute((Id(to.log_id), int(to.seq)?, to.link))?;
    Ok(())
}

fn rewound(stands: Option<Cursor>, batch: &IntakeBatch) -> LedgerError {
    let seq = |cursor: Option<Cursor>| cursor.map_or(0, |cursor| cursor.seq);
    LedgerError::EvidenceRewound(format!(
        "log {}: the ledger stands at record {}, the batch goes on from {} to {} or carries another link. \
         Restore the log that belongs to this ledger, or rebuild the ledger from the log",
        batch.to.log_id,
        seq(stands),
        seq(batch.from),
        batch.to.seq,
    ))
}

fn take_one(conn: &Connection, batch: &IntakeBatch, delivery: &IntakeDelivery) -> Result<Taken, LedgerError> {
    let known: Option<(Option<Id>, Id)> = conn
        .prepare_cached("SELECT event_id, log_id FROM deliveries WHERE delivery_id = ?1")?
        .query_row([Id(delivery.delivery_id)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let mut taken = Taken { delivery_id: delivery.delivery_id, event_id: None, new_event: false, mismatch: false };
    if let Some((event, log)) = known {
        // A restored log is read from its start: what was taken in once changes nothing but where it lies.
        if log.0 != batch.to.log_id {
            conn.prepare_cached("UPDATE deliveries SET log_id = ?2, seq = ?3 WHERE delivery_id = ?1")?.execute((
                Id(delivery.delivery_id),
                Id(batch.to.log_id),
                int(delivery.seq)?,
            ))?;
        }
        taken.event_id = event.map(|id| EventId(id.0));
        return Ok(taken);
    }
    let code = match &delivery.event {
        Err(code) => Some(*code),
        Ok(event) => {
            match find(conn, &event.identity)? {
                None => {
                    taken.event_id = Some(create(conn, batch.now_us, event)?);
                    taken.new_event = true;
                }
                Some(id) => {
                    taken.event_id = Some(id);
                    taken.mismatch = meet(conn, batch.now_us, EventRow::load(conn, id)?, event)?;
                }
            }
            None
        }
    };
    conn.prepare_cached(
        "INSERT INTO deliveries (delivery_id, log_id, seq, source, received_us, body_sha256, event_id, code, event)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, (SELECT id FROM events WHERE event_id = ?7))",
    )?
    .execute(rusqlite::params![
        Id(delivery.delivery_id),
        Id(batch.to.log_id),
        int(delivery.seq)?,
        delivery.source,
        delivery.received_us,
        delivery.body_sha256,
        taken.event_id.map(Id::from),
        code.map(Code::as_str),
    ])?;
    Ok(taken)
}

/// The event that an identity finds.
pub(super) fn find(conn: &Connection, identity: &Identity) -> Result<Option<EventId>, LedgerError> {
    let mut statement = conn.prepare_cached(FIND)?;
    let own = EventId::of_identity(identity);
    let found: Option<Id> = statement.query_row((identity.as_bytes(), Id::from(own)), |row| row.get(0)).optional()?;
    Ok(found.map(|id| EventId(id.0)))
}

/// Where a new event begins: state, outcome, when due.
pub(super) fn beginning(kind: &IntakeKind, now_us: i64) -> (EventState, Option<Code>, Option<i64>) {
    match kind {
        IntakeKind::Claim(_) => (EventState::Verifying, None, Some(now_us)),
        IntakeKind::Thin { until_us } => (EventState::Received, Some(Code::WaitingTwin), Some(*until_us)),
        IntakeKind::Message { .. } => (EventState::Forwarding, Some(Code::ProviderEvent), None),
        IntakeKind::Ended(code) => match code.class() {
            Class::Ignore => (EventState::Ignored, Some(*code), None),
            // Whatever else ends an event before it was judged waits for a person.
            Class::Ok | Class::Wait | Class::Hold | Class::Terminal => (EventState::Held, Some(*code), None),
        },
    }
}

fn create(conn: &Connection, now_us: i64, event: &IntakeEvent) -> Result<EventId, LedgerError> {
    let id = EventId::of_identity(&event.identity);
    let (begins, code, due_us) = beginning(&event.kind, now_us);
    if !state::FIRST.contains(&begins) {
        return Err(damaged(format!("event {id} cannot begin as {begins}")));
    }
    let facts = &event.facts;
    // A message made here is written with its event, which saves the busiest road a second write of the row.
    let epoch = meta::epoch(conn)?;
    let mut row = EventRow::new(0, id, facts, begins, epoch, now_us);
    let messages = match event.kind {
        IntakeKind::Message { .. } => row.next_message().state_version,
        IntakeKind::Claim(_) | IntakeKind::Thin { .. } | IntakeKind::Ended(_) => 0,
    };
    conn.prepare_cached(
        "INSERT INTO events (event_id, source, realm, provider_type, received_us, facts, thin, lane, state, code,
            version, state_version, due_us, looks, anchor_check, updated_us, identity)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 1, ?11, ?12, 0, 0, ?13, ?14)",
    )?
    .execute(rusqlite::params![
        Id::from(id),
        facts.source,
        facts.realm,
        facts.provider_type,
        facts.received_us,
        json(facts)?,
        matches!(event.kind, IntakeKind::Thin { .. }),
        facts.lane,
        begins.as_str(),
        code.map(Code::as_str),
        messages,
        due_us,
        now_us,
        event.identity.as_bytes(),
    ])?;
    (row.id, row.code) = (conn.last_insert_rowid(), code);
    trace(conn, id, now_us, None, begins, code, &object!({ "delivery_id": facts.delivery_id }))?;
    match &event.kind {
        IntakeKind::Claim(claim) => add_claim(conn, now_us, id, facts, claim)?,
        IntakeKind::Message { render, destinations } => {
            post(conn, now_us, &mut row, render, destinations)?;
            if destinations.is_empty() {
                row.save(conn)?;
            }
        }
        IntakeKind::Thin { .. } | IntakeKind::Ended(_) => {}
    }
    Ok(id)
}

pub(super) fn post(
    conn: &Connection,
    now_us: i64,
    row: &mut EventRow,
    render: &RenderPlain,
    destinations: &[String],
) -> Result<(), LedgerError> {
    let id = row.next_message();
    outbox::add(conn, row, None, &render.render(id), destinations, now_us)?;
    outbox::skip_unaddressed(conn, row, destinations, now_us)
}

/// A delivery of a known event. Answers whether it contradicts what was sent.
fn meet(conn: &Connection, now_us: i64, mut row: EventRow, event: &IntakeEvent) -> Result<bool, LedgerError> {
    match &event.kind {
        IntakeKind::Thin { .. } | IntakeKind::Ended(_) => Ok(false),
        IntakeKind::Message { render, destinations } => {
            if row.thin {
                take_over(conn, &mut row, &event.facts, now_us)?;
                let detail = object!({ "snapshot": event.facts.delivery_id });
                row.due_us = None;
                row.go(conn, EventState::Forwarding, Some(Code::ProviderEvent), now_us, &detail)?;
                post(conn, now_us, &mut row, render, destinations)?;
                row.save(conn)?;
            }
            Ok(false)
        }
        IntakeKind::Claim(claim) => meet_claim(conn, now_us, row, &event.facts, claim),
    }
}

fn meet_claim(
    conn: &Connection,
    now_us: i64,
    mut row: EventRow,
    facts: &EventFacts,
    claim: &Claim,
) -> Result<bool, LedgerError> {
    let known: Vec<Json<Claim>> = conn
        .prepare_cached("SELECT claim FROM claim_versions WHERE event_id = ?1")?
        .query_map([Id::from(row.event_id)], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    if known.iter().any(|version| version.0.asserts_the_same(claim)) {
        return Ok(false);
    }
    let room = i64::try_from(known.len()).is_ok_and(|versions| versions < CLAIM_VERSIONS_MAX);
    if !room {
        if state::is_confirmed(row.state) && !row.thin {
            return Ok(false);
        }
        // Whoever fills the room first must not have the last word: the newest statement gives way to this one.
        conn.prepare_cached(
            "DELETE FROM claim_versions WHERE id = (SELECT MAX(id) FROM claim_versions WHERE event_id = ?1)",
        )?
        .execute([Id::from(row.event_id)])?;
    }
    let detail = object!({ "claim_of": facts.delivery_id });
    if row.thin {
        add_claim(conn, now_us, row.event_id, facts, claim)?;
        take_over(conn, &mut row, facts, now_us)?;
    } else if row.state == EventState::Ignored {
        // The filters read fields outside the identity: a copy that they leave out must not silence the genuine one.
        if row.code != Some(Code::TypeIgnored) {
            return Ok(false);
        }
        add_claim(conn, now_us, row.event_id, facts, claim)?;
        take_over(conn, &mut row, facts, now_us)?;
    } else if state::is_confirmed(row.state) {
        add_claim(conn, now_us, row.event_id, facts, claim)?;
        trace(conn, row.event_id, now_us, Some(row.state), row.state, Some(Code::ClaimMismatch), &detail)?;
        return Ok(true);
    } else {
        add_claim(conn, now_us, row.event_id, facts, claim)?;
    }
    row.go(conn, EventState::Verifying, None, now_us, &detail)?;
    row.look_anew(now_us);
    row.save(conn)?;
    Ok(false)
}

/// The snapshot's body becomes the event's body; a thin message that nobody was sent is not sent any more.
pub(super) fn take_over(
    conn: &Connection,
    row: &mut EventRow,
    facts: &EventFacts,
    now_us: i64,
) -> Result<(), LedgerError> {
    row.thin = false;
    verdict::supersede_unsent(conn, row.event_id, now_us)?;
    if row.state_version == 0 {
        row.lane.clone_from(&facts.lane);
    }
    row.facts.clone_from(facts);
    conn.prepare_cached("UPDATE events SET facts = ?2, provider_type = ?3 WHERE id = ?1")?.execute((
        row.id,
        json(facts)?,
        &facts.provider_type,
    ))?;
    Ok(())
}

pub(super) fn add_claim(
    conn: &Connection,
    now_us: i64,
    event: EventId,
    facts: &EventFacts,
    claim: &Claim,
) -> Result<(), LedgerError> {
    let text = json(claim)?;
    conn.prepare_cached(
        "INSERT INTO claim_versions (event_id, fingerprint, claim, request_id, payment_reference, tx, delivery_id,
            at_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (event_id, fingerprint) DO NOTHING",
    )?
    .execute(rusqlite::params![
        Id::from(event),
        digest::sha256(text.as_bytes()),
        text,
        claim.request_id,
        claim.payment_reference.as_ref().map(ToString::to_string),
        plain_tx(&claim.tx_hash),
        Id(facts.delivery_id),
        now_us,
    ])?;
    for object in &claim.provider_objects {
        conn.prepare_cached("INSERT INTO claim_objects (object, event_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
            .execute((object, Id::from(event)))?;
    }
    Ok(())
}
