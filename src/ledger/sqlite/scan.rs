//! Money that no webhook announced: what to look for, how far the search came, and the events that it makes.
//!
//! A scan decides nothing about money: what it makes is an event to be judged like any other. It must never make a
//! second one about the same transfer, and never move a cursor that has moved meanwhile.

use alloy_primitives::B256;
use rusqlite::{Connection, OptionalExtension};
use serde_json::json as object;

use super::expectations::is_open;
use super::intake::add_claim;
use super::rows::{EventRow, Id, Json, Named, count, int, json, newest_claim, plain_tx, trace};
use crate::ledger::{
    EventFacts, LedgerError, Reconciliation, ScanBatch, ScanCursor, ScanFind, ScanTarget, Scanned, Sighting,
};
use crate::model::{EventId, EventState, Expectation, ExpectationKey, ExpectationState, Identity, Origin, TransferKey};

/// Most expectations of one answer.
const TARGETS_MAX: usize = 100_000;

/// Most silent expectations counted.
const SILENT_MAX: i64 = 10_000;

/// Open ones by their recipients, ended ones by the time of their end. Indexes are named: without them this reads
/// every expectation that ever was.
pub(super) const TARGETS: &str = "SELECT x.terms, x.state, x.created_us FROM expectations x
     WHERE x.id IN (
        SELECT o.expectation_id FROM open_recipients o WHERE o.chain_id = ?1
        UNION SELECT n.id FROM expectations n INDEXED BY expectation_ended
        WHERE n.updated_us >= ?2 AND n.state IN ('paid', 'overpaid', 'late', 'expired')
            AND EXISTS (SELECT 1 FROM json_each(n.terms, '$.accept') a WHERE a.value ->> '$.chain_id' = ?1))
     ORDER BY x.id LIMIT ?3";

/// Events that scans made, by when. A provider's event has a type; these have none.
pub(super) const BY_SCAN: &str = "SELECT e.event_id FROM events e INDEXED BY event_provider_type
     WHERE e.provider_type = '' AND e.received_us >= ?1 AND e.facts ->> '$.origin' = 'scan'";

/// Open expectations that no event is about, by its row or by what it claims.
pub(super) const SILENT: &str = "SELECT x.id, x.created_us FROM expectations x
     WHERE x.id IN (SELECT o.expectation_id FROM open_recipients o)
        AND NOT EXISTS (SELECT 1 FROM events e INDEXED BY event_expectation WHERE e.expectation_id = x.id)
        AND NOT EXISTS (SELECT 1 FROM claim_versions c WHERE x.key_kind = 'request_id' AND c.request_id = x.key_text)
        AND NOT EXISTS (SELECT 1 FROM claim_versions c
            WHERE x.key_kind = 'payment_reference' AND c.payment_reference = x.key_text)
        AND NOT EXISTS (SELECT 1 FROM claim_objects c WHERE x.key_kind = 'provider_object' AND c.object = x.key_text)
     LIMIT ?1";

/// What money on a chain may come for.
pub(super) fn targets(
    conn: &Connection,
    chain_id: u64,
    since_us: i64,
    limit: usize,
) -> Result<Vec<ScanTarget>, LedgerError> {
    let limit = i64::try_from(limit.min(TARGETS_MAX)).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(TARGETS)?;
    let found = statement.query_map((int(chain_id)?, since_us, limit), |row| {
        let terms = row.get::<_, Json<Expectation>>(0)?.0;
        let state = row.get::<_, Named<ExpectationState>>(1)?.0;
        Ok(ScanTarget {
            expectation_id: terms.id,
            realm: terms.realm,
            key: terms.key,
            accept: terms.accept.into_iter().filter(|way| way.chain_id == chain_id).collect(),
            payer: terms.payer,
            rails: terms.rails,
            is_open: is_open(state),
            created_us: row.get(2)?,
        })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// How far a chain was searched.
pub(super) fn cursor(conn: &Connection, chain_id: u64) -> Result<Option<ScanCursor>, LedgerError> {
    let mut statement =
        conn.prepare_cached("SELECT height, block_hash, at_us FROM scan_cursors WHERE chain_id = ?1")?;
    let found = statement.query_row([int(chain_id)?], |row| {
        let block_hash = B256::from(row.get::<_, [u8; 32]>(1)?);
        Ok(ScanCursor { height: count(row, 0)?, block_hash, at_us: row.get(2)? })
    });
    Ok(found.optional()?)
}

/// Which of these no event is about.
pub(super) fn unannounced(conn: &Connection, sightings: Vec<Sighting>) -> Result<Vec<Sighting>, LedgerError> {
    let mut new = Vec::new();
    for sighting in sightings {
        if announcing(conn, &sighting)?.is_none() {
            new.push(sighting);
        }
    }
    Ok(new)
}

/// The event of the expectation, or of its key, that holds or claims the transaction. What a filter left out judges
/// nothing: whoever can sign could silence money with it.
fn announcing(conn: &Connection, sighting: &Sighting) -> Result<Option<EventId>, LedgerError> {
    let (reference, request, provider_object) = match &sighting.key {
        ExpectationKey::PaymentReference(reference) => (Some(reference.to_string()), None, None),
        ExpectationKey::RequestId(id) => (None, Some(id), None),
        ExpectationKey::ProviderObject(id) => (None, None, Some(id)),
        ExpectationKey::Direct => (None, None, None),
    };
    let held: Option<Id> = conn
        .prepare_cached(
            "SELECT event_id FROM transfer_claims INDEXED BY transfer_claim_tx
                WHERE tx_hash = ?1 AND chain_id = ?2
                    AND (expectation_id = ?3 OR (join_realm = ?4 AND join_reference = ?5)) LIMIT 1",
        )?
        .query_row(
            (
                sighting.tx_hash.as_slice(),
                int(sighting.chain_id)?,
                &sighting.expectation_id,
                &sighting.realm,
                &reference,
            ),
            |row| row.get(0),
        )
        .optional()?;
    if let Some(Id(event)) = held {
        return Ok(Some(EventId(event)));
    }
    let mut statement = conn.prepare_cached(
        "SELECT c.event_id FROM claim_versions c INDEXED BY claim_tx JOIN events e ON e.event_id = c.event_id
            WHERE c.tx = ?1 AND e.realm = ?2 AND e.state <> 'ignored'
                AND (e.expectation_id = ?3 OR c.payment_reference = ?4 OR c.request_id = ?5
                    OR EXISTS (SELECT 1 FROM claim_objects o WHERE o.event_id = c.event_id AND o.object = ?6)) LIMIT 1",
    )?;
    let tx = plain_tx(&sighting.tx_hash.to_string());
    let params = (tx, &sighting.realm, &sighting.expectation_id, &reference, &request, &provider_object);
    let claimed: Option<Id> = statement.query_row(params, |row| row.get(0)).optional()?;
    Ok(claimed.map(|Id(event)| EventId(event)))
}

/// Takes a stretch.
pub(super) fn take(conn: &Connection, batch: &ScanBatch) -> Result<Scanned, LedgerError> {
    let stands = cursor(conn, batch.chain_id)?.map(|at| (at.height, at.block_hash));
    if stands != batch.from {
        return Ok(Scanned::Stale);
    }
    let (height, hash) = batch.to;
    conn.prepare_cached(
        "INSERT INTO scan_cursors (chain_id, height, block_hash, at_us) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (chain_id) DO UPDATE SET height = excluded.height, block_hash = excluded.block_hash,
            at_us = excluded.at_us",
    )?
    .execute((int(batch.chain_id)?, int(height)?, hash.as_slice(), batch.now_us))?;
    let made = batch.finds.iter().map(|find| take_one(conn, batch.now_us, find)).collect::<Result<_, _>>()?;
    Ok(Scanned::Taken(made))
}

/// Makes the event of a find; none when one is about it.
pub(super) fn take_one(conn: &Connection, now_us: i64, find: &ScanFind) -> Result<Option<EventId>, LedgerError> {
    let Some(lowest) = find.slots.iter().min() else { return Ok(None) };
    let id = EventId::of_transfer(lowest);
    if EventRow::find(conn, id)?.is_some() || about(conn, find)?.is_some() {
        return Ok(None);
    }
    create(conn, now_us, id, lowest, find)?;
    Ok(Some(id))
}

/// The event that holds one of the transfers, or held it, or is about the transaction.
pub(super) fn about(conn: &Connection, find: &ScanFind) -> Result<Option<EventId>, LedgerError> {
    match holding(conn, find)? {
        Some(event) => Ok(Some(event)),
        None => announcing(conn, &find.sighting),
    }
}

/// The event that holds one of the transfers, by either of their keys; a tombstone is one that did.
fn holding(conn: &Connection, find: &ScanFind) -> Result<Option<EventId>, LedgerError> {
    let mut statement = conn.prepare_cached(
        "SELECT event_id FROM transfer_claims WHERE chain_id = ?1 AND tx_hash = ?2 AND slot = ?3
            UNION ALL SELECT event_id FROM transfer_claims
                WHERE chain_id = ?1 AND block_hash = ?4 AND tx_index = ?5 AND slot = ?3
            LIMIT 1",
    )?;
    for TransferKey { chain_id, tx_hash, slot } in &find.slots {
        let key =
            (int(*chain_id)?, tx_hash.as_slice(), slot.to_string(), find.block_hash.as_slice(), int(find.tx_index)?);
        let held: Option<Id> = statement.query_row(key, |row| row.get(0)).optional()?;
        if let Some(Id(event)) = held {
            return Ok(Some(EventId(event)));
        }
    }
    Ok(None)
}

fn create(
    conn: &Connection,
    now_us: i64,
    id: EventId,
    lowest: &TransferKey,
    find: &ScanFind,
) -> Result<(), LedgerError> {
    let facts = &find.facts;
    insert(conn, now_us, id, facts)?;
    let identity = Identity::of_transfer(&facts.provider, &facts.realm, lowest);
    conn.prepare_cached("INSERT INTO identities (identity, event_id) VALUES (?1, ?2)")?
        .execute((identity.as_bytes(), Id::from(id)))?;
    let expectation = find.is_bound.then_some(&find.sighting.expectation_id);
    if expectation.is_some() {
        // Its own statement: what the event is found by follows from the change.
        conn.prepare_cached("UPDATE events SET expectation_id = ?2 WHERE event_id = ?1")?
            .execute((Id::from(id), expectation))?;
    }
    let detail = object!({
        "found": { "chain_id": lowest.chain_id, "tx_hash": lowest.tx_hash, "slot": lowest.slot.to_string(),
            "block_hash": find.block_hash },
        "expectation": find.sighting.expectation_id,
    });
    trace(conn, id, now_us, None, EventState::Verifying, None, &detail)?;
    add_claim(conn, now_us, id, facts, &find.claim)
}

/// The event's row: to be judged, from now on.
fn insert(conn: &Connection, now_us: i64, id: EventId, facts: &EventFacts) -> Result<(), LedgerError> {
    conn.prepare_cached(
        "INSERT INTO events (event_id, source, realm, provider_type, received_us, facts, thin, lane, state, code,
            version, state_version, due_us, looks, anchor_check, updated_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8, NULL, 1, 0, ?9, 0, 0, ?9)",
    )?
    .execute(rusqlite::params![
        Id::from(id),
        facts.source,
        facts.realm,
        facts.provider_type,
        facts.received_us,
        json(facts)?,
        facts.lane,
        EventState::Verifying.as_str(),
        now_us,
    ])?;
    Ok(())
}

/// Whether only who made an event without a delivery knows what it is for: nothing that it claims says so.
pub(super) fn is_bound(conn: &Connection, row: &EventRow) -> Result<bool, LedgerError> {
    match row.facts.origin {
        Origin::Scan | Origin::Operator => {}
        Origin::Webhook | Origin::Backend => return Ok(false),
    }
    let names_nothing = newest_claim(conn, row.event_id)?.is_none_or(|claim| {
        claim.payment_reference.is_none() && claim.request_id.is_none() && claim.provider_objects.is_empty()
    });
    Ok(names_nothing)
}

/// What does not add up.
pub(super) fn reconciliation(conn: &Connection, since_us: i64, limit: usize) -> Result<Reconciliation, LedgerError> {
    let scanned = conn
        .prepare_cached(&format!(
            "SELECT c.claim ->> '$.network', COUNT(*) FROM claim_versions c
             WHERE c.id IN (SELECT MIN(f.id) FROM claim_versions f WHERE f.event_id IN ({BY_SCAN}) GROUP BY f.event_id)
             GROUP BY 1 ORDER BY 1"
        ))?
        .query_map([since_us], |row| Ok((row.get(0)?, count(row, 1)?)))?
        .collect::<Result<_, _>>()?;
    let mut silent: Vec<(String, i64)> = conn
        .prepare_cached(SILENT)?
        .query_map([SILENT_MAX], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    silent.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    let all = u64::try_from(silent.len()).unwrap_or(u64::MAX);
    silent.truncate(limit);
    Ok(Reconciliation { scanned, silent: all, oldest_silent: silent })
}
