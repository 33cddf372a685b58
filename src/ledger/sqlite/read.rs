//! Lists and details for operators: pages (which rows: [`search`]), one event, counts.

use rusqlite::types::{ToSql, Value};
use rusqlite::{Connection, OptionalExtension, Row};
use uuid::Uuid;

use super::claims;
use super::rows::{EVENT_COLUMNS, EventRow, Id, Json, Named, count};
use super::search::{self, LOOKED_AT_MAX, List, cursor};
use crate::ledger::{
    AttemptView, DeliveryView, EventDetail, EventView, Filter, IdOf, LedgerError, MessageView, Page, RemovedHow, Stats,
    TraceEntry,
};
use crate::model::{Claim, Code, EventId, EventState, WebhookId};

/// Most rows of one page.
const PAGE_MAX: usize = 500;

/// Most deliveries, trace entries, messages and attempts shown of one event.
const DETAIL_MAX: i64 = 500;

/// Conditions and their values, in step.
#[derive(Default)]
pub(super) struct Where {
    conditions: Vec<String>,
    values: Vec<Box<dyn ToSql>>,
}

impl Where {
    pub(super) fn and(&mut self, condition: &str, value: impl ToSql + 'static) {
        self.values.push(Box::new(value));
        self.conditions.push(condition.replace('?', &format!("?{}", self.values.len())));
    }

    pub(super) fn and_text(&mut self, condition: &str, value: Option<&String>) {
        if let Some(value) = value {
            self.and(condition, value.clone());
        }
    }

    pub(super) fn sql(&self) -> String {
        if self.conditions.is_empty() { "1".to_owned() } else { self.conditions.join(" AND ") }
    }

    pub(super) fn params(&self) -> Vec<&dyn ToSql> {
        self.values.iter().map(AsRef::as_ref).collect()
    }
}

fn page(limit: usize) -> usize {
    limit.min(PAGE_MAX)
}

const DELIVERY_COLUMNS: &str = "d.delivery_id, d.seq, d.source, d.received_us, d.body_sha256, d.event_id, d.code, d.id, \
     d.removed";

fn delivery_view(row: &Row<'_>) -> rusqlite::Result<DeliveryView> {
    let received_us: i64 = row.get(3)?;
    let id: i64 = row.get(7)?;
    Ok(DeliveryView {
        delivery_id: row.get::<_, Id>(0)?.0,
        seq: count(row, 1)?,
        source: row.get(2)?,
        received_us,
        body_sha256: hex::encode(row.get::<_, [u8; 32]>(4)?),
        event_id: row.get::<_, Option<Id>>(5)?.map(|id| EventId(id.0)),
        code: row.get::<_, Option<Named<Code>>>(6)?.map(|code| code.0),
        removed: row.get::<_, Option<Named<RemovedHow>>>(8)?.map(|how| how.0),
        cursor: cursor((received_us, id)),
    })
}

/// Deliveries, newest first.
pub(super) fn deliveries(conn: &Connection, filter: &Filter) -> Result<Page<DeliveryView>, LedgerError> {
    let found = search::page(conn, List::Deliveries, filter, page(filter.limit), LOOKED_AT_MAX)?;
    let mut statement = conn.prepare_cached(&format!("SELECT {DELIVERY_COLUMNS} FROM deliveries d WHERE d.id = ?1"))?;
    let items = found.rows.iter().map(|(_, id)| statement.query_row([id], delivery_view)).collect::<Result<_, _>>()?;
    Ok(Page { items, next: found.next.map(cursor) })
}

/// One delivery.
pub(super) fn delivery(conn: &Connection, id: Uuid) -> Result<Option<DeliveryView>, LedgerError> {
    let sql = format!("SELECT {DELIVERY_COLUMNS} FROM deliveries d WHERE d.delivery_id = ?1");
    Ok(conn.prepare_cached(&sql)?.query_row([Id(id)], delivery_view).optional()?)
}

/// Ids of a range, in order.
pub(super) fn ids(
    conn: &Connection,
    of: IdOf,
    low: Uuid,
    high: Uuid,
    limit: usize,
) -> Result<Vec<(Uuid, String)>, LedgerError> {
    let sql = match of {
        IdOf::Delivery => {
            "SELECT delivery_id, source FROM deliveries WHERE delivery_id BETWEEN ?1 AND ?2
             ORDER BY delivery_id LIMIT ?3"
        }
        IdOf::Event => {
            "SELECT event_id, source FROM events WHERE event_id BETWEEN ?1 AND ?2 ORDER BY event_id LIMIT ?3"
        }
        IdOf::Payment => {
            "SELECT event_id, source FROM events INDEXED BY event_payment
             WHERE payment_id >= ?1 AND payment_id <= ?2 ORDER BY payment_id LIMIT ?3"
        }
        IdOf::Transaction => {
            "SELECT DISTINCT e.event_id, e.source FROM transfer_claims t INDEXED BY transfer_claim_tx
             CROSS JOIN events e ON e.event_id = t.event_id
             WHERE t.tx_hash BETWEEN ?1 AND ?2 ORDER BY t.tx_hash LIMIT ?3"
        }
    };
    let bound = |id: Uuid, rest: u8| match of {
        IdOf::Delivery | IdOf::Event => Value::Blob(id.as_bytes().to_vec()),
        IdOf::Payment => Value::Text(format!("pay_{}", id.simple())),
        // A hash is longer than what names it here: all that begin so.
        IdOf::Transaction => Value::Blob([*id.as_bytes(), [rest; 16]].concat()),
    };
    let limit = i64::try_from(page(limit)).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(sql)?;
    let found = statement
        .query_map((bound(low, 0), bound(high, u8::MAX), limit), |row| Ok((row.get::<_, Id>(0)?.0, row.get(1)?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// [`EVENT_COLUMNS`], then what a list shows beside the row.
fn event_view(row: &Row<'_>) -> rusqlite::Result<EventView> {
    let claim: Option<Json<Claim>> = row.get(24)?;
    let deliveries = count(row, 25)?;
    let received_us: i64 = row.get(26)?;
    let event = EventRow::read(row)?;
    Ok(EventView {
        event_id: event.event_id,
        state: event.state,
        code: event.code,
        facts: event.facts,
        state_version: event.state_version,
        claim: claim.map(|claim| claim.0),
        payment_id: event.payment_id,
        expectation_id: event.expectation_id,
        anchor: event.anchor,
        due_us: event.due_us,
        updated_us: event.updated_us,
        deliveries,
        cursor: cursor((received_us, event.id)),
    })
}

fn event_sql(condition: &str, rest: &str) -> String {
    format!(
        "SELECT {EVENT_COLUMNS},
            (SELECT c.claim FROM claim_versions c WHERE c.event_id = e.event_id ORDER BY c.id DESC LIMIT 1),
            (SELECT COUNT(*) FROM deliveries n WHERE n.event = e.id), e.received_us
         FROM events e WHERE {condition} {rest}"
    )
}

/// Events, newest first.
pub(super) fn events(conn: &Connection, filter: &Filter) -> Result<Page<EventView>, LedgerError> {
    let found = search::page(conn, List::Events, filter, page(filter.limit), LOOKED_AT_MAX)?;
    let mut statement = conn.prepare_cached(&event_sql("e.id = ?1", ""))?;
    let items = found.rows.iter().map(|(_, id)| statement.query_row([id], event_view)).collect::<Result<_, _>>()?;
    Ok(Page { items, next: found.next.map(cursor) })
}

/// One event with everything that hangs off it.
pub(super) fn event(conn: &Connection, id: EventId) -> Result<Option<EventDetail>, LedgerError> {
    let mut statement = conn.prepare_cached(&event_sql("e.event_id = ?1", ""))?;
    let Some(event) = statement.query_row([Id::from(id)], event_view).optional()? else { return Ok(None) };
    let sql = format!(
        "SELECT {DELIVERY_COLUMNS} FROM deliveries d WHERE d.event = (SELECT id FROM events WHERE event_id = ?1)
         ORDER BY d.id LIMIT ?2"
    );
    let deliveries =
        conn.prepare_cached(&sql)?.query_map((Id::from(id), DETAIL_MAX), delivery_view)?.collect::<Result<_, _>>()?;
    let (trace, messages, claims) = (trace(conn, id)?, messages(conn, id)?, claims::shown(conn, id)?);
    Ok(Some(EventDetail { event, deliveries, trace, messages, claims }))
}

fn trace(conn: &Connection, id: EventId) -> Result<Vec<TraceEntry>, LedgerError> {
    // The newest entries, shown oldest first.
    let mut entries: Vec<TraceEntry> = conn
        .prepare_cached(
            "SELECT at_us, from_state, to_state, code, detail FROM trace
             WHERE event = (SELECT id FROM events WHERE event_id = ?1) ORDER BY id DESC LIMIT ?2",
        )?
        .query_map((Id::from(id), DETAIL_MAX), |row| {
            Ok(TraceEntry {
                at_us: row.get(0)?,
                from: row.get::<_, Option<Named<EventState>>>(1)?.map(|state| state.0),
                to: row.get::<_, Named<EventState>>(2)?.0,
                code: row.get::<_, Option<Named<Code>>>(3)?.map(|code| code.0),
                detail: row.get::<_, Json<serde_json::Value>>(4)?.0,
            })
        })?
        .collect::<Result<_, _>>()?;
    entries.reverse();
    Ok(entries)
}

fn messages(conn: &Connection, id: EventId) -> Result<Vec<MessageView>, LedgerError> {
    let mut found: Vec<(i64, MessageView)> = conn
        .prepare_cached(
            "SELECT m.seq, m.state_version, m.message_type, d.destination, d.state, d.due_us
             FROM messages m JOIN dispatches d ON d.seq = m.seq
             WHERE m.event_id = ?1 ORDER BY m.seq, d.destination LIMIT ?2",
        )?
        .query_map((Id::from(id), DETAIL_MAX), |row| {
            let state: String = row.get(4)?;
            let due_us: i64 = row.get(5)?;
            let due_us = (state == "due").then_some(due_us);
            let view = MessageView {
                webhook_id: WebhookId { event: id, state_version: row.get(1)? }.to_string(),
                message_type: row.get(2)?,
                destination: row.get(3)?,
                state,
                due_us,
                attempts: Vec::new(),
            };
            Ok((row.get(0)?, view))
        })?
        .collect::<Result<_, _>>()?;
    let mut attempts = conn.prepare_cached(
        "SELECT attempt_id, started_us, finished_us, status, outcome, latency_ms, response FROM attempts
         WHERE seq = ?1 AND destination = ?2 ORDER BY started_us, attempt_id LIMIT ?3",
    )?;
    for (seq, view) in &mut found {
        view.attempts = attempts
            .query_map((*seq, &view.destination, DETAIL_MAX), |row| {
                let latency: Option<i64> = row.get(5)?;
                Ok(AttemptView {
                    attempt_id: row.get::<_, Id>(0)?.0,
                    started_us: row.get(1)?,
                    finished_us: row.get(2)?,
                    status: row.get(3)?,
                    outcome: row.get(4)?,
                    latency_ms: latency.and_then(|ms| u64::try_from(ms).ok()),
                    response: row.get(6)?,
                })
            })?
            .collect::<Result<_, _>>()?;
    }
    Ok(found.into_iter().map(|(_, view)| view).collect())
}

/// A stored message's exact bytes.
pub(super) fn message(conn: &Connection, id: WebhookId) -> Result<Option<Vec<u8>>, LedgerError> {
    let mut statement = conn.prepare_cached("SELECT body FROM messages WHERE event_id = ?1 AND state_version = ?2")?;
    Ok(statement.query_row((Id::from(id.event), id.state_version), |row| row.get(0)).optional()?)
}

/// Counts, kept up by triggers: no scan.
pub(super) fn stats(conn: &Connection) -> Result<Stats, LedgerError> {
    let mut stats = Stats::default();
    let mut statement = conn.prepare_cached("SELECT kind, name, n FROM counts ORDER BY kind, name")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let n = count(row, 2)?;
        match row.get_ref(0)?.as_str().map_err(|error| super::rows::damaged(error.to_string()))? {
            "event" => stats.events.push((row.get::<_, Named<EventState>>(1)?.0, n)),
            _ => stats.outbox_due.push((row.get(1)?, n)),
        }
    }
    let oldest = |sql: &str| -> Result<Option<i64>, LedgerError> {
        Ok(conn.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?.flatten())
    };
    stats.oldest_unforwarded_us = oldest(
        "SELECT m.created_us FROM messages m WHERE m.seq =
            (SELECT MIN(seq) FROM dispatches INDEXED BY dispatch_open WHERE state IN ('due', 'sending'))",
    )?;
    stats.oldest_held_us = oldest("SELECT MIN(updated_us) FROM events INDEXED BY event_held WHERE state = 'held'")?;
    Ok(stats)
}
