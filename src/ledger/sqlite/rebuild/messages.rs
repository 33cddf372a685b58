//! Decisions in their order, and events whose message is lost.

use serde_json::json as object;

use super::Draft;
use crate::ledger::sqlite::rows::{EventRow, Id};
use crate::ledger::sqlite::{claims, expectations, intake, outbox};
use crate::ledger::{EventFacts, LedgerError, RenderPlain};
use crate::model::{EventId, EventState};

/// Events on their way to the backend of which no message waits.
const SILENT: &str = "SELECT e.event_id FROM events e WHERE e.state = 'forwarding' AND e.event_id > ?1
        AND NOT EXISTS (SELECT 1 FROM messages m JOIN dispatches d ON d.seq = m.seq
            WHERE m.event_id = e.event_id AND d.state IN ('due', 'sending'))
     ORDER BY e.event_id LIMIT ?2";

impl Draft {
    /// Writes the trace: every decision once, by time, numbered without gaps.
    ///
    /// # Errors
    /// When the draft cannot be written.
    pub fn write_trace(&mut self) -> Result<(), LedgerError> {
        self.conn.execute(
            "INSERT INTO main.trace (event_id, at_us, from_state, to_state, code, detail, event)
             SELECT t.event_id, t.at_us, t.from_state, t.to_state, t.code, t.detail, e.id
             FROM scratch.told t JOIN main.events e ON e.event_id = t.event_id
             WHERE (t.origin <= 1 OR (t.origin = 4
                AND NOT EXISTS (SELECT 1 FROM scratch.told d
                    WHERE d.event_id = t.event_id AND d.origin <= 1 AND d.from_state IS NULL)))
             ORDER BY t.at_us, t.epoch, t.number",
            [],
        )?;
        Ok(())
    }

    /// Events after one that are on their way although nothing waits to be sent, with their facts.
    ///
    /// # Errors
    /// When the draft cannot be read.
    pub fn silent(&self, after: Option<EventId>, limit: u32) -> Result<Vec<(EventId, EventFacts)>, LedgerError> {
        let after = after.map_or(Vec::new(), |event| event.0.as_bytes().to_vec());
        let ids: Vec<EventId> = self
            .conn
            .prepare_cached(SILENT)?
            .query_map((after, limit), |row| row.get::<_, Id>(0).map(|id| EventId(id.0)))?
            .collect::<Result<_, _>>()?;
        ids.into_iter().map(|id| Ok((id, EventRow::load(&self.conn, id)?.facts))).collect()
    }

    /// Whether every destination had the event's newest message; then the event goes on as after its delivery.
    ///
    /// # Errors
    /// When the draft cannot be written.
    pub fn ended(&mut self, event: EventId) -> Result<bool, LedgerError> {
        let mut row = EventRow::load(&self.conn, event)?;
        let (all, delivered): (i64, i64) = self
            .conn
            .prepare_cached(
                "SELECT COUNT(*), COALESCE(SUM(d.state = 'delivered'), 0)
                 FROM messages m JOIN dispatches d ON d.seq = m.seq WHERE m.event_id = ?1 AND m.state_version = ?2",
            )?
            .query_row((Id::from(event), row.state_version), |row| Ok((row.get(0)?, row.get(1)?)))?;
        if all == 0 || all != delivered {
            return Ok(false);
        }
        let to = outbox::after_delivery(&row);
        let code = row.code;
        row.go(&self.conn, to, code, self.now_us, &object!({ "rebuild": "every destination has its message" }))?;
        if to == EventState::Forwarded {
            row.look_anew(self.now_us);
        }
        row.save(&self.conn)?;
        Ok(true)
    }

    /// Makes a provider's event due again, under a number of the new epoch.
    ///
    /// # Errors
    /// When the draft cannot be written.
    pub fn post(&mut self, event: EventId, epoch: u32, render: &RenderPlain, to: &[String]) -> Result<(), LedgerError> {
        let mut row = EventRow::load(&self.conn, event)?;
        row.epoch = epoch;
        intake::post(&self.conn, self.now_us, &mut row, render, to)?;
        row.save(&self.conn)?;
        self.wrote()
    }

    /// Sends an event back to be judged: whether its message was sent is not on record, and it must not be lost.
    ///
    /// # Errors
    /// When the draft cannot be written.
    pub fn judge_again(&mut self, event: EventId) -> Result<(), LedgerError> {
        let mut row = EventRow::load(&self.conn, event)?;
        claims::bury(&self.conn, event)?;
        expectations::take_out(&self.conn, event, self.now_us)?;
        let why = object!({ "rebuild": "no message of it was in the ledger" });
        row.go(&self.conn, EventState::Verifying, None, self.now_us, &why)?;
        row.look_anew(self.now_us);
        (row.anchor, row.anchor_checked_us, row.expectation_id, row.payment_id) = (None, None, None, None);
        row.save(&self.conn)?;
        self.wrote()
    }

    /// The epoch that the new ledger gets, once all of the log is read.
    #[must_use]
    pub const fn next_epoch(&self) -> u32 {
        self.epoch_seen.saturating_add(1)
    }

    /// Events that no delivery in the log belongs to; the first of them, and how many.
    ///
    /// # Errors
    /// When the draft cannot be read.
    pub fn without_delivery(&self, limit: u32) -> Result<(Vec<EventId>, u64), LedgerError> {
        let of = "FROM main.events e WHERE NOT EXISTS (SELECT 1 FROM main.deliveries d
            JOIN scratch.placed p ON p.delivery_id = d.delivery_id WHERE d.event_id = e.event_id)";
        let first = self
            .conn
            .prepare(&format!("SELECT e.event_id {of} ORDER BY e.id LIMIT ?1"))?
            .query_map([limit], |row| row.get::<_, Id>(0).map(|id| EventId(id.0)))?
            .collect::<Result<_, _>>()?;
        let all = self
            .conn
            .query_row(&format!("SELECT COUNT(*) {of}"), [], |row| crate::ledger::sqlite::rows::count(row, 0))?;
        Ok((first, all))
    }
}
