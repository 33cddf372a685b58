//! What retention may take, and what has to stay of it. Nothing is deleted here: a delivery that left the log keeps
//! its row, its event and every identity and claim.

use rusqlite::{Connection, OptionalExtension};
use uuid::Uuid;

use super::intake;
use super::rows::{EventRow, Id, Json, count, int, json};
use crate::ledger::{
    KnownDelivery, LedgerError, LedgerStub, LedgerTransfer, Prunable, PruneLimit, PrunePage, RemovedHow, StubFacts,
};
use crate::model::{Claim, Code, EventId, EventState, Identity, PaymentId};

/// Most deliveries of one page.
const PAGE_MAX: usize = 1_000;

/// Rows that one page may look at: what may not go is passed over, in bounded steps.
const LOOKED_AT_MAX: usize = 5_000;

/// Events that joined events that joined events.
const JOINS_MAX: usize = 16;

/// Deliveries of a source that are still in the log, oldest first, up to the cursor.
pub(super) const KEPT: &str = "SELECT d.delivery_id, d.seq, d.received_us, d.event_id
     FROM deliveries d INDEXED BY delivery_kept
     WHERE d.log_id = ?1 AND d.source = ?2 AND d.seq > ?3 AND d.seq <= ?4 AND d.removed IS NULL
     ORDER BY d.seq LIMIT ?5";

/// A page of what may go.
pub(super) fn prunable(
    conn: &Connection,
    source: &str,
    limit: PruneLimit,
    after_seq: u64,
    wanted: usize,
) -> Result<PrunePage, LedgerError> {
    let mut page = PrunePage::default();
    let Some(cursor) = intake::cursor(conn)? else { return Ok(page) };
    let wanted = wanted.clamp(1, PAGE_MAX);
    let mut statement = conn.prepare_cached(KEPT)?;
    let most = i64::try_from(LOOKED_AT_MAX).unwrap_or(i64::MAX);
    let mut rows = statement.query((Id(cursor.log_id), source, int(after_seq)?, int(cursor.seq)?, most))?;
    let mut looked_at = 0_usize;
    while let Some(row) = rows.next()? {
        let (seq, received_us): (u64, i64) = (count(row, 1)?, row.get(2)?);
        looked_at += 1;
        let old_enough = match limit {
            PruneLimit::ReceivedBefore(bound) => received_us < bound,
            PruneLimit::AnyAge => true,
        };
        if old_enough {
            let delivery_id = row.get::<_, Id>(0)?.0;
            match row.get::<_, Option<Id>>(3)? {
                None => page.items.push(Prunable { delivery_id, seq, received_us, stub: None }),
                Some(event) => {
                    let event = EventRow::load(conn, EventId(event.0))?;
                    if may_go(conn, &event)? {
                        let stub = Some(stub(conn, event)?);
                        page.items.push(Prunable { delivery_id, seq, received_us, stub });
                    }
                }
            }
        }
        page.next_seq = Some(seq);
        if page.items.len() >= wanted {
            return Ok(page);
        }
    }
    if looked_at < LOOKED_AT_MAX {
        page.next_seq = None;
    }
    Ok(page)
}

/// Nothing can still want the body: the event is at its end and every message of it is.
fn may_go(conn: &Connection, event: &EventRow) -> Result<bool, LedgerError> {
    match event.state {
        EventState::Settled | EventState::Refuted | EventState::Ignored | EventState::Retracted => {}
        EventState::Received
        | EventState::Verifying
        | EventState::AwaitingFinality
        | EventState::Forwarding
        | EventState::Forwarded
        | EventState::Undetermined
        | EventState::Held
        | EventState::Dead => return Ok(false),
    }
    let mut statement = conn.prepare_cached(
        "SELECT NOT EXISTS (SELECT 1 FROM messages m JOIN dispatches d ON d.seq = m.seq
            WHERE m.event_id = ?1 AND d.state IN ('due', 'sending'))",
    )?;
    Ok(statement.query_row([Id::from(event.event_id)], |row| row.get(0))?)
}

/// Notes that deliveries left the log.
pub(super) fn mark(conn: &Connection, removed: &[(Uuid, RemovedHow)], now_us: i64) -> Result<u64, LedgerError> {
    let mut known = 0;
    for (delivery, how) in removed {
        let rows = conn
            .prepare_cached(
                "UPDATE deliveries SET
                    removed_us = CASE WHEN removed = ?2 OR removed = 'erased' THEN removed_us ELSE ?3 END,
                    removed = CASE WHEN removed = 'erased' THEN removed ELSE ?2 END
                 WHERE delivery_id = ?1",
            )?
            .execute((Id(*delivery), how.as_str(), now_us))?;
        known += u64::try_from(rows).unwrap_or(0);
    }
    Ok(known)
}

/// Notes that pruned deliveries are in the log again.
pub(super) fn unmark(conn: &Connection, returned: &[Uuid]) -> Result<u64, LedgerError> {
    let mut known = 0;
    for delivery in returned {
        let rows = conn
            .prepare_cached(
                "UPDATE deliveries SET removed = NULL, removed_us = NULL
                 WHERE delivery_id = ?1 AND removed = 'pruned'",
            )?
            .execute([Id(*delivery)])?;
        known += u64::try_from(rows).unwrap_or(0);
    }
    Ok(known)
}

/// What has to stay of a delivery.
pub(super) fn of_delivery(conn: &Connection, delivery: Uuid) -> Result<KnownDelivery, LedgerError> {
    let known: Option<Option<Id>> = conn
        .prepare_cached("SELECT event_id FROM deliveries WHERE delivery_id = ?1")?
        .query_row([Id(delivery)], |row| row.get(0))
        .optional()?;
    match known {
        None => Ok(KnownDelivery::Unknown),
        Some(None) => Ok(KnownDelivery::NoEvent),
        Some(Some(id)) => {
            let event = EventRow::load(conn, EventId(id.0))?;
            Ok(KnownDelivery::Event(Box::new(stub(conn, event)?)))
        }
    }
}

fn stub(conn: &Connection, event: EventRow) -> Result<LedgerStub, LedgerError> {
    let id = event.event_id;
    let claims: Vec<Json<Claim>> = conn
        .prepare_cached("SELECT claim FROM claim_versions WHERE event_id = ?1 ORDER BY id")?
        .query_map([Id::from(id)], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let facts = StubFacts {
        facts: event.facts.clone(),
        lane: event.lane.clone(),
        claims: claims.into_iter().map(|claim| claim.0).collect(),
        anchor: event.anchor,
    };
    let (transfers, join) = transfers(conn, id)?;
    Ok(LedgerStub {
        event_id: id,
        identities: identities(conn, &event)?,
        state_version: event.state_version,
        state: event.state,
        code: event.code,
        payment_id: event.payment_id.as_ref().map(|payment| PaymentId::as_str(payment).to_owned()),
        transfers,
        facts: json(&facts)?,
        expectation_id: event.expectation_id,
        join,
    })
}

/// The identities that find an event. Those of one that joined another find the other: its own is among those.
fn identities(conn: &Connection, event: &EventRow) -> Result<Vec<[u8; 32]>, LedgerError> {
    let mut statement = conn.prepare_cached("SELECT identity FROM identities WHERE event_id = ?1 ORDER BY identity")?;
    let mut of = |id: EventId| -> Result<Vec<[u8; 32]>, LedgerError> {
        Ok(statement.query_map([Id::from(id)], |row| row.get(0))?.collect::<Result<_, _>>()?)
    };
    let own: Option<[u8; 32]> =
        conn.prepare_cached("SELECT identity FROM events WHERE id = ?1")?.query_row([event.id], |row| row.get(0))?;
    if let Some(own) = own {
        let mut found = of(event.event_id)?;
        if found.is_empty() || intake::find(conn, &Identity::from_bytes(own))? == Some(event.event_id) {
            found.push(own);
            found.sort_unstable();
            found.dedup();
        }
        return Ok(found);
    }
    // A row from before it was kept there.
    let mut at = event.event_id;
    let mut code = event.code;
    for _ in 0..JOINS_MAX {
        let found = of(at)?;
        if at == event.event_id && !found.is_empty() {
            return Ok(found);
        }
        let own = found.into_iter().find(|raw| EventId::of_identity(&Identity::from_bytes(*raw)) == event.event_id);
        if let Some(own) = own {
            return Ok(vec![own]);
        }
        if code != Some(Code::Joined) && at == event.event_id {
            break;
        }
        let Some(next) = joined_to(conn, at)? else { break };
        (at, code) = (next, None);
    }
    Ok(Vec::new())
}

/// The event that another one joined last, as its trace has it.
fn joined_to(conn: &Connection, event: EventId) -> Result<Option<EventId>, LedgerError> {
    let detail: Option<Json<serde_json::Value>> = conn
        .prepare_cached(
            "SELECT detail FROM trace WHERE event = (SELECT id FROM events WHERE event_id = ?1) AND to_state = 'ignored' AND code = 'JOINED'
             ORDER BY id DESC LIMIT 1",
        )?
        .query_row([Id::from(event)], |row| row.get(0))
        .optional()?;
    let name = detail.as_ref().and_then(|detail| detail.0.get("joined")).and_then(serde_json::Value::as_str);
    Ok(name.and_then(|name| name.parse().ok()))
}

type Join = Option<(String, String)>;

fn transfers(conn: &Connection, event: EventId) -> Result<(Vec<LedgerTransfer>, Join), LedgerError> {
    let mut statement = conn.prepare_cached(
        "SELECT chain_id, tx_hash, slot, block_hash, block_number, tx_index, amount, token, recipient,
            state = 'claimed', join_realm, join_reference
         FROM transfer_claims WHERE event_id = ?1 ORDER BY id",
    )?;
    let mut rows = statement.query([Id::from(event)])?;
    let (mut found, mut join) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        let realm: Option<String> = row.get(10)?;
        join = join.or(realm.zip(row.get(11)?));
        found.push(LedgerTransfer {
            chain_id: count(row, 0)?,
            tx_hash: row.get(1)?,
            slot: row.get(2)?,
            block_hash: row.get(3)?,
            block_number: count(row, 4)?,
            tx_index: count(row, 5)?,
            amount: row.get(6)?,
            token: row.get(7)?,
            recipient: row.get(8)?,
            claimed: row.get(9)?,
        });
    }
    Ok((found, join))
}
