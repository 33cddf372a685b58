//! One event after the other: what the log says of it, and what it gets from that.

use rusqlite::{Connection, OptionalExtension};

use super::Draft;
use super::log::{CLAIM, STUB};
use crate::ledger::sqlite::rows::{Amount, EventRow, Id, Json, Named, int};
use crate::ledger::sqlite::{claims, expectations, scan};
use crate::ledger::sums::{self, Before, Step};
use crate::ledger::{Case, Claimed, LedgerError, LedgerTransfer, Stand, Unread, state};
use crate::model::{Code, EventId, EventState, ExpectationState, PaymentId};

/// The newest statement: of the log alone, or, where the old ledger's row of the event is lost, of its trace too.
const NEWEST: &str = "SELECT to_state, code, at_us FROM scratch.told
     WHERE event_id = ?1 AND (origin IN (1, 2) OR (?2 AND origin = 0))
     ORDER BY at_us DESC, origin, epoch DESC, number DESC LIMIT 1";

/// The last entry of the old ledger's trace.
const TRACED: &str = "SELECT to_state, code, at_us FROM scratch.told
     WHERE event_id = ?1 AND origin = 0 ORDER BY number DESC LIMIT 1";

/// Events that were made, that the log says something about, or whose row says another thing than its trace.
const CASES: &str = "SELECT DISTINCT t.event_id FROM scratch.told t JOIN main.events e ON e.event_id = t.event_id
     WHERE t.event_id > ?1 AND (t.origin > 0 OR t.claimed IS NOT NULL
        OR (t.at_us = e.updated_us AND (t.to_state <> e.state OR t.code IS NOT e.code)))
     ORDER BY t.event_id LIMIT ?2";

fn stand(row: &rusqlite::Row<'_>) -> rusqlite::Result<Stand> {
    Ok(Stand {
        state: row.get::<_, Named<EventState>>(0)?.0,
        code: row.get::<_, Option<Named<Code>>>(1)?.map(|code| code.0),
        at_us: row.get(2)?,
    })
}

impl Draft {
    /// Events after one that may have to be changed, by their ids.
    ///
    /// # Errors
    /// When the draft cannot be read.
    pub fn cases(&self, after: Option<EventId>, limit: u32) -> Result<Vec<Case>, LedgerError> {
        let after = after.map_or(Vec::new(), |event| event.0.as_bytes().to_vec());
        let ids: Vec<EventId> = self
            .conn
            .prepare_cached(CASES)?
            .query_map((after, limit), |row| row.get::<_, Id>(0).map(|id| EventId(id.0)))?
            .collect::<Result<_, _>>()?;
        ids.into_iter().map(|event| self.case(event)).collect()
    }

    fn case(&self, event_id: EventId) -> Result<Case, LedgerError> {
        let row = EventRow::load(&self.conn, event_id)?;
        let id = Id::from(event_id);
        let made: bool = self
            .conn
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM scratch.made WHERE event_id = ?1)")?
            .query_row([id], |row| row.get(0))?;
        let told = self.conn.prepare_cached(NEWEST)?.query_row((Id::from(event_id), made), stand).optional()?;
        let traced = self.conn.prepare_cached(TRACED)?.query_row([Id::from(event_id)], stand).optional()?;
        let claim_us = self
            .conn
            .prepare_cached("SELECT MAX(at_us) FROM scratch.told WHERE event_id = ?1 AND origin = ?2")?
            .query_row((Id::from(event_id), CLAIM), |row| row.get(0))?;
        let stands = Stand { state: row.state, code: row.code, at_us: row.updated_us };
        Ok(Case { event_id, made, row: stands, told, traced, claim_us })
    }

    /// Gives an event its state, and its claims from every confirmation on record. `anew` is none when its row stands.
    /// Says whether it stands confirmed with money of which no claim is on record.
    ///
    /// # Errors
    /// When the draft cannot be written.
    pub fn settle(&mut self, event_id: EventId, anew: Option<Stand>) -> Result<bool, LedgerError> {
        let told = confirmations(&self.conn, event_id)?;
        let mut row = EventRow::load(&self.conn, event_id)?;
        if let Some(stand) = anew {
            self.move_to(&mut row, &stand, told.first())?;
        }
        let stands = state::has_money(row.state);
        let mut newest = true;
        for claimed in &told {
            for slot in &claimed.slots {
                let as_claimed = stands && newest && slot.claimed;
                if let Err(error) = claim(&self.conn, event_id, claimed, slot, as_claimed, anew.is_some() && newest) {
                    let why = format!("a claim of event {event_id} that the log has: {error}");
                    self.unread.push(Unread { table: "transfer_claims".to_owned(), why, rows: Some(1) });
                }
            }
            newest = newest && claimed.slots.is_empty();
        }
        if row.state == EventState::Ignored
            && row.code == Some(Code::Joined)
            && let Some(owner) = self.joined(event_id)?
            && self.has(owner)?
        {
            claims::join(&self.conn, event_id, owner)?;
        }
        if stands && let Some(claimed) = told.first() {
            self.add_to_sum(event_id, claimed)?;
        }
        self.wrote()?;
        Ok(stands && told.is_empty() && row.facts.provider != "unknown" && anew.is_some() && claims_money(&row))
    }

    fn move_to(&mut self, row: &mut EventRow, stand: &Stand, claimed: Option<&Claimed>) -> Result<(), LedgerError> {
        (row.state, row.code, row.updated_us) = (stand.state, stand.code, stand.at_us);
        (row.looks, row.first_look_us, row.anchor_check) = (0, None, false);
        (row.anchor, row.anchor_checked_us, row.payment_id) = (None, None, None);
        if !scan::is_bound(&self.conn, row)? {
            row.expectation_id = None;
        }
        if state::is_confirmed(stand.state) {
            row.state_version = row.state_version.max(1);
            if let Some(claimed) = claimed {
                row.state_version = row.state_version.max(claimed.state_version);
                row.anchor = claimed.anchor;
                row.payment_id = claimed.payment_id.clone().map(PaymentId::from_stored);
                if let Some(lane) = &claimed.lane {
                    row.lane.clone_from(lane);
                }
                if let Some(id) = &claimed.expectation
                    && expectations::load(&self.conn, id)?.is_some()
                {
                    row.expectation_id = Some(id.clone());
                }
            }
        }
        let watched = state::is_watched(stand.state) && stand.state != EventState::Forwarding;
        // A thin event keeps the time that its twin has.
        let waits = row.thin && stand.state == EventState::Received;
        row.due_us = if waits { row.due_us.or(Some(self.now_us)) } else { watched.then_some(self.now_us) };
        if stand.state == EventState::Forwarded && row.anchor.is_none() {
            row.due_us = None;
        }
        if let Err(error) = row.save(&self.conn) {
            // One payment is one event's: another has it in this ledger.
            let why = format!("the payment of event {}: {error}", row.event_id);
            self.unread.push(Unread { table: "events".to_owned(), why, rows: Some(1) });
            (row.payment_id, row.expectation_id) = (None, None);
            row.save(&self.conn)?;
        }
        if stand.state != EventState::Forwarding {
            // The log knows how it went on: what waits here was sent, or must not be.
            self.conn
                .prepare_cached(
                    "UPDATE dispatches SET state = 'superseded', head = 0 WHERE state IN ('due', 'sending')
                        AND seq IN (SELECT seq FROM messages WHERE event_id = ?1)",
                )?
                .execute([Id::from(row.event_id)])?;
        }
        Ok(())
    }

    /// A payment that its expectation's sum lacks is added, where it can be said by which way it was paid.
    fn add_to_sum(&mut self, event: EventId, claimed: &Claimed) -> Result<(), LedgerError> {
        let (Some(id), Some(payment)) = (&claimed.expectation, &claimed.payment_id) else { return Ok(()) };
        let known: bool = self
            .conn
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM expectation_payments WHERE event_id = ?1 OR payment_id = ?2)",
            )?
            .query_row((Id::from(event), payment), |row| row.get(0))?;
        let Some(mut stored) = expectations::load(&self.conn, id)?.filter(|_| !known) else { return Ok(()) };
        let pays = |slot: &&LedgerTransfer, accept: &crate::model::Accept| {
            slot.chain_id == accept.chain_id
                && slot.token == accept.token.map(|token| token.to_vec()).unwrap_or_default()
                && accept.recipients.iter().any(|recipient| recipient.as_slice() == slot.recipient)
        };
        let way = stored.terms.accept.iter().position(|accept| claimed.slots.iter().any(|slot| pays(&slot, accept)));
        let Some((way, accept)) = way.and_then(|way| stored.terms.accept.get(way).map(|accept| (way, accept))) else {
            return Ok(());
        };
        let amounts = claimed.slots.iter().filter(|slot| pays(slot, accept));
        let sum = amounts.fold(alloy_primitives::U256::ZERO, |sum, slot| {
            sum.saturating_add(alloy_primitives::U256::from_be_bytes(slot.amount))
        });
        let standing = if expectations::is_completed(&self.conn, id)? { Before::Complete } else { Before::Incomplete };
        let Some(received) = stored.received.get_mut(way) else { return Ok(()) };
        let sums = sums::add_to(standing, accept.amount, *received, Amount(sum).0, &stored.terms.tolerance)
            .map_err(|error| LedgerError::Damaged(error.to_string()))?;
        *received = sums.received;
        if (stored.state, sums.step) != (ExpectationState::Partial, Step::Partial) {
            stored.state = sums.state;
        }
        let payment = PaymentId::from_stored(payment.clone());
        expectations::add_payment(&self.conn, id, event, &payment, way, sum, sums.step)?;
        expectations::save(&self.conn, &mut stored, self.now_us)
    }
}

/// A claim of money, as its deliveries have it.
fn claims_money(row: &EventRow) -> bool {
    row.code.is_some_and(|code| {
        matches!(code, Code::Verified | Code::VerifiedOverpaid | Code::VerifiedPartial | Code::VerifiedUnmatched)
    })
}

/// What every confirmation of an event claimed, the newest first. A stub says all of it once more.
fn confirmations(conn: &Connection, event: EventId) -> Result<Vec<Claimed>, LedgerError> {
    let mut statement = conn.prepare_cached(
        "SELECT claimed FROM scratch.told WHERE event_id = ?1 AND claimed IS NOT NULL
         ORDER BY at_us DESC, origin = ?2 DESC, epoch DESC, number DESC",
    )?;
    let found = statement.query_map((Id::from(event), STUB), |row| row.get::<_, Json<Claimed>>(0))?;
    Ok(found.map(|claimed| claimed.map(|claimed| claimed.0)).collect::<Result<_, _>>()?)
}

/// Writes a claim or a tombstone that the draft lacks; `over` overwrites the event's own.
fn claim(
    conn: &Connection,
    event: EventId,
    claimed: &Claimed,
    slot: &LedgerTransfer,
    as_claimed: bool,
    over: bool,
) -> Result<(), LedgerError> {
    let Some(payment) = &claimed.payment_id else { return Ok(()) };
    let update = if over {
        "DO UPDATE SET block_hash = excluded.block_hash, block_number = excluded.block_number,
            tx_index = excluded.tx_index, state = excluded.state WHERE event_id = excluded.event_id"
    } else {
        "DO NOTHING"
    };
    conn.prepare_cached(&format!(
        "INSERT INTO transfer_claims (event_id, chain_id, tx_hash, slot, block_hash, block_number, tx_index, amount,
            token, recipient, payment_id, expectation_id, join_realm, join_reference, state, claimed_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,
            (SELECT updated_us FROM events WHERE event_id = ?1))
         ON CONFLICT (chain_id, tx_hash, slot) {update}"
    ))?
    .execute(rusqlite::params![
        Id::from(event),
        int(slot.chain_id)?,
        slot.tx_hash,
        slot.slot,
        slot.block_hash,
        int(slot.block_number)?,
        int(slot.tx_index)?,
        slot.amount,
        slot.token,
        slot.recipient,
        payment,
        claimed.expectation,
        claimed.join.as_ref().map(|join| &join.0),
        claimed.join.as_ref().map(|join| &join.1),
        if as_claimed { "claimed" } else { "tombstone" },
    ])?;
    Ok(())
}
