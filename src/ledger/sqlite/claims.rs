//! Transfer claims: one transfer on chain settles one payment, for ever.
//!
//! Rows are only ever added, buried and revived by their own event; a trigger refuses to delete them.

use alloy_primitives::{Address, B256};
use rusqlite::{Connection, OptionalExtension};

use super::rows::{Amount, EventRow, Id, Named, count, damaged, int};
use crate::ledger::{ClaimView, ClaimedSlot, JoinKey, LedgerError};
use crate::model::{Anchor, EventId, PaymentId, Slot, TransferKey};

/// Who holds a transfer that an event asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holder {
    /// The event of the same expectation, or of the same realm and reference.
    Ours(EventId),
    /// Another payment.
    Theirs(EventId),
}

/// Transfers that an event asks for, and what makes them another event's business too.
pub(super) struct Taking<'a> {
    pub(super) slots: &'a [ClaimedSlot],
    pub(super) expectation: Option<&'a str>,
    pub(super) joins_by: Option<&'a JoinKey>,
    pub(super) now_us: i64,
}

struct Held {
    event: EventId,
    same_transfer: bool,
    expectation: Option<String>,
    join: Option<(String, String)>,
}

/// The first holder that stands in the way; a stranger before a companion.
pub(super) fn holder(
    conn: &Connection,
    row: &EventRow,
    taking: &Taking<'_>,
    anchor: &Anchor,
) -> Result<Option<Holder>, LedgerError> {
    let mut companion = None;
    for slot in taking.slots {
        for held in holders(conn, slot, anchor)? {
            if held.event == row.event_id && held.same_transfer {
                continue;
            }
            if held.event != row.event_id && is_ours(conn, row, taking, &held)? {
                companion.get_or_insert(Holder::Ours(held.event));
            } else {
                return Ok(Some(Holder::Theirs(held.event)));
            }
        }
    }
    Ok(companion)
}

/// Both unique keys are asked: a node that shows one proven receipt under two hashes meets the second one.
fn holders(conn: &Connection, slot: &ClaimedSlot, anchor: &Anchor) -> Result<Vec<Held>, LedgerError> {
    let key = slot.key.slot.to_string();
    let mut statement = conn.prepare_cached(
        "SELECT event_id, tx_hash = ?2, expectation_id, join_realm, join_reference FROM transfer_claims
         WHERE chain_id = ?1 AND tx_hash = ?2 AND slot = ?3
         UNION
         SELECT event_id, tx_hash = ?2, expectation_id, join_realm, join_reference FROM transfer_claims
         WHERE chain_id = ?1 AND block_hash = ?4 AND tx_index = ?5 AND slot = ?3",
    )?;
    let found = statement
        .query_map(
            (
                int(slot.key.chain_id)?,
                slot.key.tx_hash.as_slice(),
                key,
                anchor.block_hash.as_slice(),
                int(anchor.tx_index)?,
            ),
            |row| {
                let realm: Option<String> = row.get(3)?;
                let reference: Option<String> = row.get(4)?;
                Ok(Held {
                    event: EventId(row.get::<_, Id>(0)?.0),
                    same_transfer: row.get(1)?,
                    expectation: row.get(2)?,
                    join: realm.zip(reference),
                })
            },
        )?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

fn is_ours(conn: &Connection, row: &EventRow, taking: &Taking<'_>, held: &Held) -> Result<bool, LedgerError> {
    if taking.expectation.is_some() && taking.expectation == held.expectation.as_deref() {
        return Ok(true);
    }
    if let (Some(ours), Some((realm, reference))) = (taking.joins_by, &held.join)
        && ours.realm == *realm
        && ours.reference == *reference
    {
        return Ok(true);
    }
    // The same request or reference in the same realm, as the claims of both events have it.
    let shared: Option<i64> = conn
        .prepare_cached(
            "SELECT 1 FROM claim_versions ours JOIN claim_versions theirs ON theirs.event_id = ?2
             JOIN events e ON e.event_id = theirs.event_id AND e.realm = ?3
             WHERE ours.event_id = ?1
               AND (ours.request_id = theirs.request_id OR ours.payment_reference = theirs.payment_reference)
             LIMIT 1",
        )?
        .query_row((Id::from(row.event_id), Id::from(held.event), &row.facts.realm), |row| row.get(0))
        .optional()?;
    Ok(shared.is_some())
}

/// Claims every slot for the event: new ones are inserted, its own buried ones come back where they are now.
pub(super) fn insert(
    conn: &Connection,
    event: EventId,
    taking: &Taking<'_>,
    anchor: &Anchor,
    payment: &PaymentId,
) -> Result<(), LedgerError> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO transfer_claims (event_id, chain_id, tx_hash, slot, block_hash, block_number, tx_index, amount,
            token, recipient, payment_id, expectation_id, join_realm, join_reference, state, claimed_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 'claimed', ?15)
         ON CONFLICT (chain_id, tx_hash, slot) DO UPDATE SET
            block_hash = excluded.block_hash, block_number = excluded.block_number, tx_index = excluded.tx_index,
            amount = excluded.amount, token = excluded.token, recipient = excluded.recipient,
            payment_id = excluded.payment_id, expectation_id = excluded.expectation_id,
            join_realm = excluded.join_realm, join_reference = excluded.join_reference, state = 'claimed',
            claimed_us = excluded.claimed_us
         WHERE event_id = excluded.event_id",
    )?;
    for slot in taking.slots {
        let written = statement.execute(rusqlite::params![
            Id::from(event),
            int(slot.key.chain_id)?,
            slot.key.tx_hash.as_slice(),
            slot.key.slot.to_string(),
            anchor.block_hash.as_slice(),
            int(anchor.block_number)?,
            int(anchor.tx_index)?,
            Amount(slot.amount).0.to_be_bytes::<32>(),
            slot.token.as_ref().map_or(&[][..], |token| token.as_slice()),
            slot.recipient.as_slice(),
            payment.as_str(),
            taking.expectation,
            taking.joins_by.map(|join| &join.realm),
            taking.joins_by.map(|join| &join.reference),
            taking.now_us,
        ])?;
        if written != 1 {
            return Err(damaged(format!("event {event}: {:?} is another event's", slot.key)));
        }
    }
    Ok(())
}

/// The slots that an event holds, in order.
pub(super) fn of_event(conn: &Connection, event: EventId) -> Result<Vec<ClaimedSlot>, LedgerError> {
    let claims = shown(conn, event)?.into_iter();
    Ok(claims.filter(|claim| !claim.is_tombstone).map(|claim| claim.slot).collect())
}

/// The slots that an event holds or held, in order.
pub(super) fn shown(conn: &Connection, event: EventId) -> Result<Vec<ClaimView>, LedgerError> {
    let mut statement = conn.prepare_cached(
        "SELECT chain_id, tx_hash, slot, amount, token, recipient, state = 'tombstone' FROM transfer_claims
         WHERE event_id = ?1 ORDER BY id",
    )?;
    let found = statement.query_map([Id::from(event)], |row| {
        let token: Vec<u8> = row.get(4)?;
        let key = TransferKey {
            chain_id: count(row, 0)?,
            tx_hash: B256::from(row.get::<_, [u8; 32]>(1)?),
            slot: row.get::<_, Named<Slot>>(2)?.0,
        };
        let slot = ClaimedSlot {
            key,
            amount: row.get::<_, Amount>(3)?.0,
            token: Address::try_from(token.as_slice()).ok(),
            recipient: Address::from(row.get::<_, [u8; 20]>(5)?),
        };
        Ok(ClaimView { slot, is_tombstone: row.get(6)? })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Turns the event's claims into tombstones. They go on blocking others, and not the event itself.
pub(super) fn bury(conn: &Connection, event: EventId) -> Result<(), LedgerError> {
    conn.prepare_cached("UPDATE transfer_claims SET state = 'tombstone' WHERE event_id = ?1")?
        .execute([Id::from(event)])?;
    Ok(())
}

/// Points every identity of `from` at `to`, with what its deliveries claimed, so that a further copy of them
/// says nothing new.
pub(super) fn join(conn: &Connection, from: EventId, to: EventId) -> Result<(), LedgerError> {
    let pair = (Id::from(from), Id::from(to));
    conn.prepare_cached("UPDATE identities SET event_id = ?2 WHERE event_id = ?1")?.execute(pair)?;
    conn.prepare_cached(
        "INSERT INTO identities (identity, event_id) SELECT identity, ?2 FROM events
         WHERE event_id = ?1 AND identity IS NOT NULL ON CONFLICT DO NOTHING",
    )?
    .execute((Id::from(from), Id::from(to)))?;
    conn.prepare_cached(
        "INSERT INTO claim_versions (event_id, fingerprint, claim, request_id, payment_reference, tx, delivery_id,
            at_us)
         SELECT ?2, fingerprint, claim, request_id, payment_reference, tx, delivery_id, at_us
         FROM claim_versions WHERE event_id = ?1 ON CONFLICT (event_id, fingerprint) DO NOTHING",
    )?
    .execute((Id::from(from), Id::from(to)))?;
    Ok(())
}
