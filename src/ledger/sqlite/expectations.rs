//! Expectations: what the backend puts and takes back, and the rows behind them.
//!
//! Sums are made by `ledger::sums`; here they are read, written and undone.

use alloy_primitives::U256;
use rusqlite::{Connection, OptionalExtension, Row};

use super::rows::{Amount, Id, Json, Named, count, damaged, int, json};
use crate::ledger::sums::{self, Before, Step};
use crate::ledger::{ExpectationView, LedgerError, Sought, StoredExpectation};
use crate::model::{EventId, Expectation, ExpectationKey, ExpectationState, PaymentId};

/// Most expectations of one page.
const PAGE_MAX: usize = 500;

/// Most events shown of one expectation.
const EVENTS_MAX: i64 = 500;

/// Expectations ended in one transaction.
const EXPIRE_MAX: i64 = 500;

/// Whether money is still expected.
pub(super) const fn is_open(state: ExpectationState) -> bool {
    match state {
        ExpectationState::Open | ExpectationState::Partial => true,
        ExpectationState::Paid
        | ExpectationState::Overpaid
        | ExpectationState::Late
        | ExpectationState::Expired
        | ExpectationState::Cancelled => false,
    }
}

/// A key as its two columns.
fn key_columns(key: &ExpectationKey) -> (&'static str, Option<String>) {
    match key {
        ExpectationKey::RequestId(id) => ("request_id", Some(id.clone())),
        ExpectationKey::PaymentReference(reference) => ("payment_reference", Some(reference.to_string())),
        ExpectationKey::ProviderObject(id) => ("provider_object", Some(id.clone())),
        ExpectationKey::Direct => ("direct", None),
    }
}

/// The expectation a key finds now: the open one, else the one put last.
pub(super) fn id_by_key(conn: &Connection, realm: &str, key: &ExpectationKey) -> Result<Option<String>, LedgerError> {
    let (kind, Some(text)) = key_columns(key) else { return Ok(None) };
    let mut statement = conn.prepare_cached(
        "SELECT id FROM expectations WHERE realm = ?1 AND key_kind = ?2 AND key_text = ?3 AND state <> 'cancelled'
         ORDER BY state IN ('open', 'partial') DESC, created_us DESC, id LIMIT 1",
    )?;
    Ok(statement.query_row((realm, kind, text), |row| row.get(0)).optional()?)
}

/// Another open expectation with the key of these terms.
pub(super) fn open_rival(conn: &Connection, terms: &Expectation) -> Result<Option<String>, LedgerError> {
    let (kind, Some(text)) = key_columns(&terms.key) else { return Ok(None) };
    let mut statement = conn.prepare_cached(
        "SELECT id FROM expectations WHERE realm = ?1 AND key_kind = ?2 AND key_text = ?3
            AND state IN ('open', 'partial') AND id <> ?4",
    )?;
    Ok(statement.query_row((&terms.realm, kind, text, &terms.id), |row| row.get(0)).optional()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<(StoredExpectation, Vec<u8>, i64)> {
    let stored = StoredExpectation {
        terms: row.get::<_, Json<Expectation>>(0)?.0,
        version: count(row, 1)?,
        state: row.get::<_, Named<ExpectationState>>(2)?.0,
        received: Vec::new(),
        payment_ids: Vec::new(),
    };
    Ok((stored, row.get(3)?, row.get(4)?))
}

fn find(conn: &Connection, id: &str) -> Result<Option<(StoredExpectation, i64)>, LedgerError> {
    let row = conn
        .prepare_cached("SELECT terms, version, state, received, created_us FROM expectations WHERE id = ?1")?
        .query_row([id], read)
        .optional()?;
    let Some((mut stored, received, created_us)) = row else { return Ok(None) };
    stored.received = received.chunks(32).map(U256::from_be_slice).collect();
    if stored.received.len() != stored.terms.accept.len() {
        return Err(damaged(format!("expectation {id} has sums for other ways to pay than its own")));
    }
    stored.payment_ids = conn
        .prepare_cached("SELECT payment_id FROM expectation_payments WHERE expectation_id = ?1 ORDER BY id")?
        .query_map([id], |row| row.get(0).map(PaymentId::from_stored))?
        .collect::<Result<_, _>>()?;
    Ok(Some((stored, created_us)))
}

/// One expectation as it stands.
pub(super) fn load(conn: &Connection, id: &str) -> Result<Option<StoredExpectation>, LedgerError> {
    Ok(find(conn, id)?.map(|(stored, _)| stored))
}

/// One expectation with its events.
pub(super) fn view(conn: &Connection, id: &str) -> Result<Option<ExpectationView>, LedgerError> {
    let Some((stored, created_us)) = find(conn, id)? else { return Ok(None) };
    let events = conn
        .prepare_cached("SELECT event_id FROM expectation_payments WHERE expectation_id = ?1 ORDER BY id LIMIT ?2")?
        .query_map((id, EVENTS_MAX), |row| row.get::<_, Id>(0).map(|id| EventId(id.0)))?
        .collect::<Result<_, _>>()?;
    Ok(Some(ExpectationView { stored, created_us, events }))
}

/// A page of expectations by id.
pub(super) fn list(conn: &Connection, after: Option<&str>, limit: usize) -> Result<Vec<ExpectationView>, LedgerError> {
    let limit = i64::try_from(limit.min(PAGE_MAX)).unwrap_or(i64::MAX);
    let ids: Vec<String> = conn
        .prepare_cached("SELECT id FROM expectations WHERE id > ?1 ORDER BY id LIMIT ?2")?
        .query_map((after.unwrap_or_default(), limit), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    ids.iter().filter_map(|id| view(conn, id).transpose()).collect()
}

/// Ids by which an expectation is known, in three ways; the list is a JSON array.
pub(super) const KNOWN_BY: &str = "SELECT x.id FROM json_each(?1) w CROSS JOIN expectations x ON x.id = w.value
     UNION SELECT x.id FROM json_each(?1) w CROSS JOIN expectations x INDEXED BY expectation_text
        ON x.key_text = w.value
     UNION SELECT o.expectation_id FROM open_recipients o INDEXED BY open_recipient WHERE o.recipient = ?2
     LIMIT ?3";

/// Expectations by id, key or recipient.
pub(super) fn known_by(conn: &Connection, sought: &Sought, limit: usize) -> Result<Vec<ExpectationView>, LedgerError> {
    let limit = i64::try_from(limit.min(PAGE_MAX)).unwrap_or(i64::MAX);
    let ids: Vec<String> = conn
        .prepare_cached(KNOWN_BY)?
        .query_map((json(&sought.texts)?, sought.address, limit), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    ids.iter().filter_map(|id| view(conn, id).transpose()).collect()
}

fn received_blob(received: &[U256]) -> Vec<u8> {
    received.iter().flat_map(U256::to_be_bytes::<32>).collect()
}

/// Writes a new expectation.
pub(super) fn insert(conn: &Connection, terms: &Expectation, now_us: i64) -> Result<(), LedgerError> {
    let (kind, text) = key_columns(&terms.key);
    conn.prepare_cached(
        "INSERT INTO expectations (id, realm, key_kind, key_text, terms, version, state, received, created_us,
            updated_us, ends_us) VALUES (?1, ?2, ?3, ?4, ?5, 1, 'open', ?6, ?7, ?7, ?8)",
    )?
    .execute(rusqlite::params![
        terms.id,
        terms.realm,
        kind,
        text,
        json(terms)?,
        received_blob(&vec![U256::ZERO; terms.accept.len()]),
        now_us,
        ends_us(terms),
    ])?;
    watch_recipients(conn, terms, ExpectationState::Open)
}

/// Writes what changed, as a new version.
pub(super) fn save(conn: &Connection, stored: &mut StoredExpectation, now_us: i64) -> Result<(), LedgerError> {
    stored.version = stored.version.saturating_add(1);
    let (kind, text) = key_columns(&stored.terms.key);
    conn.prepare_cached(
        "UPDATE expectations SET realm = ?2, key_kind = ?3, key_text = ?4, terms = ?5, version = ?6, state = ?7,
            received = ?8, updated_us = ?9, ends_us = ?10 WHERE id = ?1",
    )?
    .execute(rusqlite::params![
        stored.terms.id,
        stored.terms.realm,
        kind,
        text,
        json(&stored.terms)?,
        int(stored.version)?,
        stored.state.as_str(),
        received_blob(&stored.received),
        now_us,
        ends_us(&stored.terms),
    ])?;
    watch_recipients(conn, &stored.terms, stored.state)
}

/// When the deadline and its grace are over.
fn ends_us(terms: &Expectation) -> Option<i64> {
    let grace = i64::try_from(terms.grace_seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    terms.deadline.map(|deadline| deadline.as_microsecond().saturating_add(grace))
}

/// Ends open expectations whose time is over; says how many. What was mined in time still completes them.
pub(super) fn expire(conn: &Connection, now_us: i64) -> Result<u64, LedgerError> {
    let mut statement = conn.prepare_cached(
        "SELECT id FROM expectations WHERE ends_us < ?1 AND ends_us IS NOT NULL AND state IN ('open', 'partial')
         ORDER BY ends_us LIMIT ?2",
    )?;
    let ids: Vec<String> = statement.query_map((now_us, EXPIRE_MAX), |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut ended = 0;
    for id in ids {
        if let Some(mut stored) = load(conn, &id)? {
            stored.state = ExpectationState::Expired;
            save(conn, &mut stored, now_us)?;
            ended += 1;
        }
    }
    Ok(ended)
}

/// Money came for it after its time: shown as `late` unless it is complete.
pub(super) fn mark_late(conn: &Connection, mut stored: StoredExpectation, now_us: i64) -> Result<(), LedgerError> {
    match stored.state {
        ExpectationState::Open | ExpectationState::Partial | ExpectationState::Expired => {
            stored.state = ExpectationState::Late;
            save(conn, &mut stored, now_us)
        }
        ExpectationState::Paid | ExpectationState::Overpaid | ExpectationState::Late | ExpectationState::Cancelled => {
            Ok(())
        }
    }
}

/// Keeps the recipients of open expectations, and of no others.
pub(super) fn watch_recipients(
    conn: &Connection,
    terms: &Expectation,
    state: ExpectationState,
) -> Result<(), LedgerError> {
    conn.prepare_cached("DELETE FROM open_recipients WHERE expectation_id = ?1")?.execute([&terms.id])?;
    if !is_open(state) {
        return Ok(());
    }
    let mut statement = conn.prepare_cached(
        "INSERT INTO open_recipients (chain_id, recipient, expectation_id) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?;
    for accept in &terms.accept {
        for recipient in &accept.recipients {
            statement.execute((int(accept.chain_id)?, recipient.as_slice(), &terms.id))?;
        }
    }
    Ok(())
}

/// Whether a standing payment completed it.
pub(super) fn is_completed(conn: &Connection, id: &str) -> Result<bool, LedgerError> {
    let mut statement = conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM expectation_payments WHERE expectation_id = ?1 AND step = 'completed')",
    )?;
    Ok(statement.query_row([id], |row| row.get(0))?)
}

/// Whether any payment stands.
pub(super) fn is_claimed(conn: &Connection, id: &str) -> Result<bool, LedgerError> {
    let mut statement =
        conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM expectation_payments WHERE expectation_id = ?1)")?;
    Ok(statement.query_row([id], |row| row.get(0))?)
}

/// Records a payment as part of the sum.
pub(super) fn add_payment(
    conn: &Connection,
    id: &str,
    event: EventId,
    payment: &PaymentId,
    way: usize,
    amount: U256,
    step: Step,
) -> Result<(), LedgerError> {
    let step = match step {
        Step::Partial => "partial",
        Step::Completed => "completed",
        Step::Excess => "excess",
    };
    conn.prepare_cached(
        "INSERT INTO expectation_payments (expectation_id, event_id, payment_id, accept_index, amount, step)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(rusqlite::params![
        id,
        Id::from(event),
        payment.as_str(),
        i64::try_from(way).unwrap_or(i64::MAX),
        amount.to_be_bytes::<32>(),
        step,
    ])?;
    Ok(())
}

/// Which way to pay the event's payment took, while it stands in a sum.
pub(super) fn way_of(conn: &Connection, event: EventId) -> Result<Option<usize>, LedgerError> {
    let way: Option<i64> = conn
        .prepare_cached("SELECT accept_index FROM expectation_payments WHERE event_id = ?1")?
        .query_row([Id::from(event)], |row| row.get(0))
        .optional()?;
    Ok(way.and_then(|way| usize::try_from(way).ok()))
}

/// When the payment that completed an expectation is taken out, what came after it may complete it all the same: the
/// first one that does is marked so, and nothing is sent about it, for its receiver holds the sums already.
fn resettle(conn: &Connection, stored: &StoredExpectation) -> Result<(), LedgerError> {
    if is_completed(conn, &stored.terms.id)? {
        return Ok(());
    }
    let rows: Vec<(i64, i64, Amount)> = conn
        .prepare_cached(
            "SELECT id, accept_index, amount FROM expectation_payments WHERE expectation_id = ?1 ORDER BY id",
        )?
        .query_map([&stored.terms.id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let mut received = vec![U256::ZERO; stored.terms.accept.len()];
    for (id, way, amount) in rows {
        let way = usize::try_from(way).unwrap_or(usize::MAX);
        let (Some(accept), Some(sum)) = (stored.terms.accept.get(way), received.get_mut(way)) else { continue };
        let sums = sums::add_to(Before::Incomplete, accept.amount, *sum, amount.0, &stored.terms.tolerance)
            .map_err(damaged)?;
        *sum = sums.received;
        if sums.step == Step::Completed {
            conn.prepare_cached("UPDATE expectation_payments SET step = 'completed' WHERE id = ?1")?.execute([id])?;
            return Ok(());
        }
    }
    Ok(())
}

/// Events that were summed up after this one and of whose newest message no attempt was made.
pub(super) fn later_unsent(conn: &Connection, event: EventId) -> Result<Vec<EventId>, LedgerError> {
    let mut statement = conn.prepare_cached(
        "SELECT later.event_id FROM expectation_payments this
         JOIN expectation_payments later ON later.expectation_id = this.expectation_id AND later.id > this.id
         JOIN events e ON e.event_id = later.event_id AND e.state = 'forwarding'
         JOIN messages m ON m.event_id = e.event_id AND m.state_version = e.state_version
            AND m.first_intent_us IS NULL
         WHERE this.event_id = ?1 ORDER BY later.id",
    )?;
    let found = statement.query_map([Id::from(event)], |row| row.get::<_, Id>(0).map(|id| EventId(id.0)))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Takes the event's payment out of the sum of its expectation.
pub(super) fn take_out(conn: &Connection, event: EventId, now_us: i64) -> Result<(), LedgerError> {
    let id: Option<String> = conn
        .prepare_cached("DELETE FROM expectation_payments WHERE event_id = ?1 RETURNING expectation_id")?
        .query_row([Id::from(event)], |row| row.get(0))
        .optional()?;
    let Some(id) = id else { return Ok(()) };
    let mut stored = load(conn, &id)?.ok_or_else(|| damaged(format!("expectation {id} is not in the ledger")))?;
    let left: Vec<(i64, Amount)> = conn
        .prepare_cached("SELECT accept_index, amount FROM expectation_payments WHERE expectation_id = ?1")?
        .query_map([&id], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    resettle(conn, &stored)?;
    stored.received.fill(U256::ZERO);
    for (way, amount) in left {
        let sum = usize::try_from(way).ok().and_then(|way| stored.received.get_mut(way));
        let sum = sum.ok_or_else(|| damaged(format!("expectation {id} has no way to pay {way}")))?;
        *sum = sum.checked_add(amount.0).ok_or_else(|| damaged(sums::SumOverflow))?;
    }
    let standing = if is_completed(conn, &id)? { Before::Complete } else { Before::Incomplete };
    let ways: Vec<_> = stored.terms.accept.iter().map(|way| way.amount).zip(stored.received.iter().copied()).collect();
    let state = sums::standing(standing, &ways, &stored.terms.tolerance);
    let had_ended =
        matches!(stored.state, ExpectationState::Late | ExpectationState::Expired | ExpectationState::Cancelled);
    stored.state = if is_open(state) && had_ended {
        stored.state
    } else if is_open(state) && open_rival(conn, &stored.terms)?.is_some() {
        // Its key has been put again since: only one of the two can be open.
        ExpectationState::Expired
    } else {
        state
    };
    save(conn, &mut stored, now_us)
}
