//! What verification has to look at, and which expectation names a claim.

use rusqlite::{Connection, OptionalExtension};

use super::rows::{EVENT_COLUMNS, EventRow, claimed_networks, int, newest_claim};
use super::{claims, expectations, handle, outbox};
use crate::ledger::{DueEvent, LedgerError, StoredExpectation, state};
use crate::model::{Claim, EventState, Expectation, ExpectationKey, ExpectationState, Rail};

/// Most events of one answer.
const DUE_MAX: usize = 1_000;

/// Events whose time has come, the longest due first.
pub(super) fn events(conn: &Connection, now_us: i64, limit: usize) -> Result<Vec<DueEvent>, LedgerError> {
    // `due_us` is set only while an event is watched (see `ledger::state`), so the index holds nothing else.
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {EVENT_COLUMNS} FROM events e INDEXED BY event_due WHERE e.due_us IS NOT NULL AND e.due_us <= ?1
         ORDER BY e.due_us, e.id LIMIT ?2"
    ))?;
    let limit = i64::try_from(limit.min(DUE_MAX)).unwrap_or(i64::MAX);
    let rows: Vec<EventRow> = statement.query_map((now_us, limit), EventRow::read)?.collect::<Result<_, _>>()?;
    rows.into_iter().map(|row| complete(conn, row, now_us)).collect()
}

pub(super) fn complete(conn: &Connection, row: EventRow, now_us: i64) -> Result<DueEvent, LedgerError> {
    let claim = newest_claim(conn, row.event_id)?;
    let expectation = match (&row.expectation_id, &claim) {
        // Bound to it, and cancelled before it was paid: it names nothing any more.
        (Some(id), _) => expectations::load(conn, id)?
            .filter(|found| state::is_confirmed(row.state) || found.state != ExpectationState::Cancelled),
        (None, Some(claim)) => expectation_naming(conn, &row.facts.realm, claim)?,
        (None, None) => None,
    };
    let networks = claimed_networks(conn, row.event_id)?;
    let recipient_shared = match &expectation {
        Some(stored) if stored.terms.rails.contains(&Rail::Direct) => shares_recipient(conn, &stored.terms)?,
        _ => false,
    };
    let sent = match row.state {
        EventState::Forwarding => outbox::newest_has_intent(conn, &row)?,
        other => state::has_money(other),
    };
    let claimed = if state::has_money(row.state) { claims::of_event(conn, row.event_id)? } else { Vec::new() };
    Ok(DueEvent {
        event_id: row.event_id,
        version: row.version,
        state: row.state,
        code: row.code,
        progress: row.progress(now_us),
        facts: row.facts,
        claim,
        networks,
        expectation,
        recipient_shared,
        anchor: row.anchor,
        anchor_check: row.anchor_check,
        wait: row.wait,
        sent,
        claimed,
        sender: row.sender,
        accepted: handle::accepted(conn, row.event_id)?,
    })
}

/// The expectation that names a claim: by reference, then by request, then by the provider's objects in their order.
/// An open one comes before an ended one; a cancelled one names nothing.
///
/// The reference is on chain, the request id is only the provider's word. So where an expectation has the claim's
/// reference, it alone counts: otherwise whoever can sign could pair his own request id with another's payment.
pub(super) fn expectation_naming(
    conn: &Connection,
    realm: &str,
    claim: &Claim,
) -> Result<Option<StoredExpectation>, LedgerError> {
    if let Some(reference) = &claim.payment_reference {
        let key = ExpectationKey::PaymentReference(reference.clone());
        if let Some(id) = expectations::id_by_key(conn, realm, &key)? {
            return expectations::load(conn, &id);
        }
    }
    let keys = claim
        .request_id
        .iter()
        .map(|id| ExpectationKey::RequestId(id.clone()))
        .chain(claim.provider_objects.iter().map(|object| ExpectationKey::ProviderObject(object.clone())));
    let mut ended = None;
    for key in keys {
        let Some(id) = expectations::id_by_key(conn, realm, &key)? else { continue };
        let Some(found) = expectations::load(conn, &id)? else { continue };
        if expectations::is_open(found.state) {
            return Ok(Some(found));
        }
        ended = ended.or(Some(found));
    }
    Ok(ended)
}

/// Whether another open expectation could be paid at one of this one's recipients: then money there says
/// nothing about which of them it is for.
fn shares_recipient(conn: &Connection, terms: &Expectation) -> Result<bool, LedgerError> {
    let mut statement = conn.prepare_cached(
        "SELECT 1 FROM open_recipients WHERE chain_id = ?1 AND recipient = ?2 AND expectation_id <> ?3 LIMIT 1",
    )?;
    for accept in &terms.accept {
        for recipient in &accept.recipients {
            let other: Option<i64> = statement
                .query_row((int(accept.chain_id)?, recipient.as_slice(), &terms.id), |row| row.get(0))
                .optional()?;
            if other.is_some() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
