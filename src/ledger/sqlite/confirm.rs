//! The confirming transaction: transfers claimed, sums made, message rendered and due, or none of it.
//!
//! The writer is the lock on the expectation: no two confirmations read the same sum. Everything the judgement
//! stood on is compared again here by version, so that a judgement of yesterday's facts writes nothing.

use rusqlite::Connection;
use serde_json::json as object;

use super::rows::{CLAIMED, EventRow, count, damaged, int, newest_claim, trace};
use super::{chains, claims, due, expectations, outbox};
use crate::ledger::sums::{self, Before, Step, Sums};
use crate::ledger::{
    ClaimedSlot, Confirm, Confirmed, Exposure, JoinKey, LedgerError, Sealed, StoredExpectation, state,
};
use crate::model::{Anchor, Code, EventId, EventState, ExpectationState, PaymentId};

/// Confirms, joins or refuses.
pub(super) fn confirm(conn: &Connection, confirm: Confirm) -> Result<Confirmed, LedgerError> {
    let mut row = EventRow::load(conn, confirm.event_id)?;
    if row.version != confirm.version || !state::may_follow(row.state, EventState::Forwarding) {
        return Ok(Confirmed::Stale);
    }
    // What was retracted has no money any more: it may be confirmed again, where it is now.
    if state::has_money(row.state) {
        return Err(damaged(format!("event {}: {} is confirmed already", row.event_id, row.state)));
    }
    if confirm.slots.is_empty() {
        // Claims no transfer: a twin that did not come, or a charge that was checked as far as it goes.
        if confirm.expectation.is_some() {
            return Err(damaged(format!("event {}: an expectation is met by transfers only", row.event_id)));
        }
        return send(conn, &mut row, confirm, None, None);
    }
    let anchor = confirm.anchor.ok_or_else(|| damaged(format!("event {}: transfers without a block", row.event_id)))?;
    if confirm.slots.iter().any(|slot| (slot.key.chain_id, slot.key.tx_hash) != (anchor.chain_id, anchor.tx_hash)) {
        return Err(damaged(format!("event {}: transfers of another transaction than the anchor's", row.event_id)));
    }
    let Some(expectation) = judged_against(conn, &row, &confirm)? else { return Ok(Confirmed::Stale) };
    match claims::holder(conn, &row, &taking(&confirm), &anchor)? {
        Some(claims::Holder::Ours(owner)) => joined(conn, &mut row, &confirm, owner),
        Some(claims::Holder::Theirs(owner)) => refused(conn, &mut row, &confirm, owner),
        None if is_over_the_cap(conn, &confirm, &anchor)? => Ok(Confirmed::Exposed),
        None => send(conn, &mut row, confirm, Some(anchor), expectation),
    }
}

fn taking(confirm: &Confirm) -> claims::Taking<'_> {
    claims::Taking {
        slots: &confirm.slots,
        expectation: confirm.expectation.as_ref().map(|(id, _, _)| id.as_str()),
        joins_by: confirm.joins_by.as_ref(),
        now_us: confirm.now_us,
    }
}

/// Whether this payment would put more at risk on its chain than is allowed. What is at risk already is added under
/// the writer's lock.
fn is_over_the_cap(conn: &Connection, confirm: &Confirm, anchor: &Anchor) -> Result<bool, LedgerError> {
    let Some(Exposure { usd_micros, cap_usd_micros: Some(cap) }) = confirm.exposure else { return Ok(false) };
    let mut statement = conn.prepare_cached(
        "SELECT exposed_usd_micros FROM events INDEXED BY event_exposed
         WHERE anchor ->> '$.chain_id' = ?1 AND exposed_usd_micros IS NOT NULL",
    )?;
    let mut rows = statement.query([int(anchor.chain_id)?])?;
    let mut sum = usd_micros;
    while let Some(row) = rows.next()? {
        sum = sum.saturating_add(count(row, 0)?);
    }
    Ok(cap < sum)
}

/// The expectation as it is now, if it still is the one judged against. `None`: look again.
fn judged_against(
    conn: &Connection,
    row: &EventRow,
    confirm: &Confirm,
) -> Result<Option<Option<StoredExpectation>>, LedgerError> {
    let Some((id, version, _)) = &confirm.expectation else {
        // Judged without one: none may have come meanwhile.
        let claim = newest_claim(conn, row.event_id)?;
        let came = match &claim {
            Some(claim) => due::expectation_naming(conn, &row.facts.realm, claim)?,
            None => None,
        };
        let open = came.is_some_and(|found| expectations::is_open(found.state));
        return Ok(if open { None } else { Some(None) });
    };
    let found = expectations::load(conn, id)?;
    let same = found.filter(|found| found.version == *version && found.state != ExpectationState::Cancelled);
    Ok(same.map(Some))
}

fn joined(conn: &Connection, row: &mut EventRow, confirm: &Confirm, owner: EventId) -> Result<Confirmed, LedgerError> {
    claims::join(conn, row.event_id, owner)?;
    let detail = object!({ "joined": owner, "seen": confirm.trace });
    row.go(conn, EventState::Ignored, Some(Code::Joined), confirm.now_us, &detail)?;
    row.save(conn)?;
    let held = EventRow::load(conn, owner)?;
    let detail = object!({ "joined_by": row.event_id });
    trace(conn, owner, confirm.now_us, Some(held.state), held.state, Some(Code::Joined), &detail)?;
    Ok(Confirmed::Joined(owner))
}

fn refused(conn: &Connection, row: &mut EventRow, confirm: &Confirm, owner: EventId) -> Result<Confirmed, LedgerError> {
    let detail = object!({ "claimed_by": owner, "seen": confirm.trace });
    row.looked(confirm.now_us);
    row.go(conn, EventState::Refuted, Some(Code::AlreadyClaimed), confirm.now_us, &detail)?;
    row.save(conn)?;
    Ok(Confirmed::AlreadyClaimed(owner))
}

fn send(
    conn: &Connection,
    row: &mut EventRow,
    confirm: Confirm,
    anchor: Option<Anchor>,
    expectation: Option<StoredExpectation>,
) -> Result<Confirmed, LedgerError> {
    // A payment keeps its id for ever, also where it is mined again at another place.
    let lowest = confirm.slots.iter().map(|slot| slot.key).min();
    let payment = lowest.map(|lowest| row.payment_id.clone().unwrap_or_else(|| PaymentId::of(&lowest)));
    if let (Some(anchor), Some(payment)) = (&anchor, &payment) {
        claims::insert(conn, row.event_id, &taking(&confirm), anchor, payment)?;
        if let Some(bundle) = &confirm.evidence {
            chains::keep_evidence(conn, row.event_id, anchor, bundle, confirm.now_us)?;
        }
    }
    let summed = match (expectation, &confirm.expectation, &payment) {
        (Some(stored), Some((_, _, way)), Some(payment)) => Some(add(conn, row, &confirm, stored, *way, payment)?),
        _ => None,
    };
    let code = summed.as_ref().map_or(confirm.code, |(_, sums)| outcome(sums));
    let webhook_id = row.next_message();
    if row.state_version == 0
        && let Some((stored, _)) = &summed
    {
        row.lane = format!("expectation:{}", stored.terms.id);
    }
    row.expectation_id = summed.as_ref().map(|(stored, _)| stored.terms.id.clone());
    let sealed = Sealed { webhook_id, payment_id: payment.clone(), lane: row.lane.clone(), expectation: summed, code };
    let rendered = (confirm.render)(&sealed);
    row.looked(confirm.now_us);
    outbox::add(conn, row, payment.as_ref(), &rendered, &confirm.destinations, confirm.now_us)?;
    row.payment_id = payment;
    row.anchor = anchor;
    row.anchor_checked_us = anchor.map(|_| confirm.now_us);
    row.anchor_check = false;
    (row.due_us, row.wait) = (None, None);
    row.sender = confirm.sender.or(row.sender);
    let version = webhook_id.state_version;
    let detail = with_claims(&confirm.trace, &confirm.slots, confirm.joins_by.as_ref(), row, version);
    row.go(conn, EventState::Forwarding, Some(code), confirm.now_us, &detail)?;
    row.exposed = confirm.exposure.map(|exposure| exposure.usd_micros);
    outbox::skip_unaddressed(conn, row, &confirm.destinations, confirm.now_us)?;
    row.save(conn)?;
    Ok(Confirmed::Sent { webhook_id, code })
}

/// What was seen, and what was made of it: the log's copy of this decision brings the claims back when the ledger
/// is gone.
pub(super) fn with_claims(
    seen: &serde_json::Value,
    slots: &[ClaimedSlot],
    join: Option<&JoinKey>,
    row: &EventRow,
    state_version: u32,
) -> serde_json::Value {
    let slot = |slot: &ClaimedSlot| {
        object!({
            "chain_id": slot.key.chain_id,
            "tx_hash": slot.key.tx_hash,
            "slot": slot.key.slot.to_string(),
            "amount": slot.amount.to_string(),
            "token": slot.token,
            "recipient": slot.recipient,
        })
    };
    let claimed = object!({
        "state_version": state_version,
        "payment_id": row.payment_id,
        "lane": row.lane,
        "anchor": row.anchor,
        "slots": slots.iter().map(slot).collect::<Vec<_>>(),
        "expectation": row.expectation_id,
        "join": join.map(|join| [&join.realm, &join.reference]),
    });
    let mut detail = match seen {
        serde_json::Value::Object(seen) => seen.clone(),
        other => std::iter::once(("seen".to_owned(), other.clone())).collect(),
    };
    detail.insert(CLAIMED.to_owned(), claimed);
    serde_json::Value::Object(detail)
}

/// Adds the payment to its expectation.
fn add(
    conn: &Connection,
    row: &EventRow,
    confirm: &Confirm,
    mut stored: StoredExpectation,
    way: usize,
    payment: &PaymentId,
) -> Result<(StoredExpectation, Sums), LedgerError> {
    let standing =
        if expectations::is_completed(conn, &stored.terms.id)? { Before::Complete } else { Before::Incomplete };
    let (accept, received) = stored
        .terms
        .accept
        .get(way)
        .zip(stored.received.get_mut(way))
        .ok_or_else(|| damaged(format!("expectation {} has no way to pay {way}", stored.terms.id)))?;
    let sums = sums::add_to(standing, accept.amount, *received, confirm.amount, &stored.terms.tolerance)
        .map_err(|error| damaged(format!("expectation {}: {error}", stored.terms.id)))?;
    *received = sums.received;
    // An ended expectation is opened by completion only: another may be open under its key by now. Dust of one way to
    // pay does not undo what came in another.
    stored.state = match (stored.state, sums.step) {
        (kept @ (ExpectationState::Late | ExpectationState::Expired | ExpectationState::Partial), Step::Partial) => {
            kept
        }
        _ => sums.state,
    };
    stored.payment_ids.push(payment.clone());
    expectations::add_payment(conn, &stored.terms.id, row.event_id, payment, way, confirm.amount, sums.step)?;
    expectations::save(conn, &mut stored, confirm.now_us)?;
    Ok((stored, sums))
}

/// What the sum makes of a verified transfer.
fn outcome(sums: &Sums) -> Code {
    match sums.step {
        Step::Partial => Code::VerifiedPartial,
        Step::Completed | Step::Excess if sums.excess.is_zero() => Code::Verified,
        Step::Completed | Step::Excess => Code::VerifiedOverpaid,
    }
}
