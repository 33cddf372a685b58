//! What the log says, put into the draft: rows of deliveries, identities, new events, and statements about events.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension};
use uuid::Uuid;

use super::Draft;
use super::old::fingerprint;
use crate::ledger::sqlite::rows::{EventRow, Id, Json, Named, damaged, int, json};
use crate::ledger::sqlite::{audit, intake};
use crate::ledger::{
    AuditEntry, EventFacts, IntakeEvent, IntakeKind, KnownRow, LedgerError, Left, RowOf, Teller, Told,
};
use crate::model::{Claim, Code, EventId, EventState, Identity};

/// Origins of a statement: the old ledger's own trace, a decision in the log, a stub, a delivery.
pub(super) const OLD: i64 = 0;
pub(super) const LOG: i64 = 1;
pub(super) const STUB: i64 = 2;
pub(super) const CLAIM: i64 = 3;
pub(super) const BEGIN: i64 = 4;

/// Events that joined events that joined events.
const JOINS_MAX: usize = 16;

impl Draft {
    /// The draft's row of a delivery.
    ///
    /// # Errors
    /// As every call of the draft: when it cannot be read or written.
    pub fn row(&self, delivery: Uuid) -> Result<Option<KnownRow>, LedgerError> {
        let mut statement = self.conn.prepare_cached("SELECT event_id, code FROM deliveries WHERE delivery_id = ?1")?;
        let found = statement.query_row([Id(delivery)], |row| {
            Ok(KnownRow {
                event_id: row.get::<_, Option<Id>>(0)?.map(|id| EventId(id.0)),
                code: row.get::<_, Option<Named<Code>>>(1)?.map(|code| code.0),
            })
        });
        Ok(found.optional()?)
    }

    /// The event that an identity finds, if the draft has that event.
    ///
    /// # Errors
    /// See [`Self::row`].
    pub fn owner(&self, identity: &Identity) -> Result<Option<EventId>, LedgerError> {
        match intake::find(&self.conn, identity)? {
            Some(event) if self.has(event)? => Ok(Some(event)),
            _ => Ok(None),
        }
    }

    /// Whether the draft has an event.
    ///
    /// # Errors
    /// See [`Self::row`].
    pub fn has(&self, event: EventId) -> Result<bool, LedgerError> {
        let mut statement = self.conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM events WHERE event_id = ?1)")?;
        Ok(statement.query_row([Id::from(event)], |row| row.get(0))?)
    }

    /// An event and those that it joined, one after the other, as decisions have it.
    ///
    /// # Errors
    /// See [`Self::row`].
    pub fn chain(&self, own: EventId) -> Result<Vec<EventId>, LedgerError> {
        let mut chain = vec![own];
        let mut at = own;
        while let Some(next) = self.joined(at)? {
            if chain.len() >= JOINS_MAX || chain.contains(&next) {
                break;
            }
            chain.push(next);
            at = next;
        }
        Ok(chain)
    }

    /// The event that another one joined last.
    pub(super) fn joined(&self, event: EventId) -> Result<Option<EventId>, LedgerError> {
        let detail: Option<Json<serde_json::Value>> = self
            .conn
            .prepare_cached(
                "SELECT detail FROM scratch.told WHERE event_id = ?1 AND origin <= 1
                    AND to_state = 'ignored' AND code = 'JOINED'
                 ORDER BY at_us DESC, epoch DESC, number DESC LIMIT 1",
            )?
            .query_row([Id::from(event)], |row| row.get(0))
            .optional()?;
        let name = detail.as_ref().and_then(|detail| detail.0.get("joined")).and_then(serde_json::Value::as_str);
        Ok(name.and_then(|name| name.parse().ok()))
    }

    /// Whether the row of an event says that it joined another.
    ///
    /// # Errors
    /// See [`Self::row`].
    pub fn says_joined(&self, event: EventId) -> Result<bool, LedgerError> {
        let row = EventRow::find(&self.conn, event)?;
        Ok(row.is_some_and(|row| row.state == EventState::Ignored && row.code == Some(Code::Joined)))
    }

    /// Writes a delivery's row as the log has it. An old row keeps its place in the order of receipt.
    ///
    /// # Errors
    /// See [`Self::row`].
    pub fn place_row(&mut self, log_id: Uuid, row: &RowOf) -> Result<(), LedgerError> {
        let (event, code) = match row.event {
            Ok(event) => (Some(Id::from(event)), None),
            Err(code) => (None, Some(code.as_str())),
        };
        self.conn
            .prepare_cached(
                "INSERT INTO deliveries (delivery_id, log_id, seq, source, received_us, body_sha256, event_id, code,
                    removed, removed_us)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
                 ON CONFLICT (delivery_id) DO UPDATE SET log_id = excluded.log_id, seq = excluded.seq,
                    source = excluded.source, received_us = excluded.received_us, body_sha256 = excluded.body_sha256,
                    event_id = excluded.event_id, code = excluded.code, removed = excluded.removed,
                    removed_us = excluded.removed_us",
            )?
            .execute(rusqlite::params![
                Id(row.delivery_id),
                Id(log_id),
                int(row.seq)?,
                row.source,
                row.received_us,
                row.body_sha256,
                event,
                code,
                row.removed.map(|(how, _)| how.as_str()),
                row.removed.map(|(_, at_us)| at_us),
            ])?;
        self.conn
            .prepare_cached("INSERT OR IGNORE INTO scratch.placed (delivery_id) VALUES (?1)")?
            .execute([Id(row.delivery_id)])?;
        self.wrote()
    }

    /// Points an identity at an event.
    ///
    /// # Errors
    /// See [`Self::row`].
    pub fn point(&mut self, identity: &Identity, event: EventId) -> Result<(), LedgerError> {
        self.conn
            .prepare_cached(
                "INSERT INTO identities (identity, event_id) VALUES (?1, ?2)
                 ON CONFLICT (identity) DO UPDATE SET event_id = excluded.event_id",
            )?
            .execute((identity.as_bytes(), Id::from(event)))?;
        self.wrote()
    }

    /// Makes an event as its first delivery has it. It gets its state, and its message, when everything is read.
    ///
    /// # Errors
    /// See [`Self::row`].
    pub fn make(&mut self, id: EventId, event: &IntakeEvent) -> Result<(), LedgerError> {
        let facts = &event.facts;
        let (state, code, due_us) = intake::beginning(&event.kind, facts.received_us);
        self.insert(id, facts, &facts.lane, matches!(event.kind, IntakeKind::Thin { .. }))?;
        let mut row = EventRow::load(&self.conn, id)?;
        (row.state, row.code, row.due_us) = (state, code, due_us);
        row.save(&self.conn)?;
        if let IntakeKind::Claim(claim) = &event.kind {
            intake::add_claim(&self.conn, facts.received_us, id, facts, claim)?;
        }
        let told = Told {
            event_id: id,
            at_us: facts.received_us,
            from: None,
            to: state,
            code,
            detail: serde_json::json!({ "delivery_id": facts.delivery_id }),
            claimed: None,
            by: Teller::Begin,
        };
        self.tell(&told).map(drop)
    }

    /// Makes an event of which only a stub is left.
    ///
    /// # Errors
    /// See [`Self::row`].
    pub fn make_left(&mut self, left: &Left) -> Result<(), LedgerError> {
        self.insert(left.event_id, &left.facts, &left.lane, false)?;
        for claim in &left.claims {
            intake::add_claim(&self.conn, left.facts.received_us, left.event_id, &left.facts, claim)?;
        }
        Ok(())
    }

    fn insert(&mut self, id: EventId, facts: &EventFacts, lane: &str, thin: bool) -> Result<(), LedgerError> {
        self.conn
            .prepare_cached(
                "INSERT INTO events (event_id, source, realm, provider_type, received_us, facts, thin, lane, state,
                    code, version, state_version, looks, anchor_check, updated_us)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'verifying', NULL, 1, 0, 0, 0, ?5)",
            )?
            .execute(rusqlite::params![
                Id::from(id),
                facts.source,
                facts.realm,
                facts.provider_type,
                facts.received_us,
                json(facts)?,
                thin,
                lane,
            ])?;
        self.conn
            .prepare_cached("INSERT OR IGNORE INTO scratch.made (event_id) VALUES (?1)")?
            .execute([Id::from(id)])?;
        self.wrote()
    }

    /// A further delivery of an event that the draft has: what it says that is new is kept, as at intake.
    ///
    /// # Errors
    /// See [`Self::row`].
    pub fn meet(&mut self, id: EventId, event: &IntakeEvent) -> Result<(), LedgerError> {
        let mut row = EventRow::load(&self.conn, id)?;
        let said_anew = match &event.kind {
            IntakeKind::Thin { .. } | IntakeKind::Ended(_) => false,
            IntakeKind::Message { .. } => {
                if row.thin {
                    intake::take_over(&self.conn, &mut row, &event.facts, self.now_us)?;
                    row.save(&self.conn)?;
                }
                false
            }
            IntakeKind::Claim(claim) => {
                let known: Vec<Json<Claim>> = self
                    .conn
                    .prepare_cached("SELECT claim FROM claim_versions WHERE event_id = ?1")?
                    .query_map([Id::from(id)], |row| row.get(0))?
                    .collect::<Result<_, _>>()?;
                let is_new = !known.iter().any(|version| version.0.asserts_the_same(claim));
                let room = i64::try_from(known.len()).is_ok_and(|known| known < intake::CLAIM_VERSIONS_MAX);
                if is_new && room {
                    intake::add_claim(&self.conn, event.facts.received_us, id, &event.facts, claim)?;
                    if row.thin {
                        intake::take_over(&self.conn, &mut row, &event.facts, self.now_us)?;
                        row.save(&self.conn)?;
                    }
                }
                is_new
            }
        };
        if said_anew {
            self.tell(&Told {
                event_id: id,
                at_us: event.facts.received_us,
                from: Some(row.state),
                to: EventState::Verifying,
                code: None,
                detail: serde_json::json!({ "claim_of": event.facts.delivery_id }),
                claimed: None,
                by: Teller::Claim,
            })?;
        }
        self.wrote()
    }

    /// Keeps a statement about an event, once, whoever repeats it. Says whether it is new to the draft.
    ///
    /// # Errors
    /// See [`Self::row`].
    pub fn tell(&mut self, told: &Told) -> Result<bool, LedgerError> {
        let origin = match told.by {
            Teller::Decision { ledger_id, epoch, .. } => {
                self.epoch_seen = self.epoch_seen.max(epoch);
                if self.named.is_none_or(|(at_us, _)| at_us <= told.at_us) {
                    self.named = Some((told.at_us, ledger_id));
                }
                LOG
            }
            Teller::Stub => STUB,
            Teller::Claim => CLAIM,
            Teller::Begin => BEGIN,
        };
        let new = stage(&self.conn, &Staged::of(told)?, origin);
        self.wrote()?;
        new.map(|()| self.conn.changes() > 0)
    }

    /// Keeps an entry of the audit that the log has and the old ledger did not. Says whether it is new.
    ///
    /// # Errors
    /// See [`Self::row`].
    pub fn tell_audit(&mut self, epoch: u32, entry: &AuditEntry) -> Result<bool, LedgerError> {
        self.epoch_seen = self.epoch_seen.max(epoch);
        let known: bool = self
            .conn
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM audit WHERE at_us = ?1 AND what = ?2 AND by_name = ?3 AND subject IS ?4)",
            )?
            .query_row((entry.at_us, &entry.what, &entry.by.name, &entry.subject), |row| row.get(0))?;
        if !known {
            audit::add(&self.conn, entry)?;
        }
        self.wrote()?;
        Ok(!known)
    }
}

/// A statement as the scratch file holds it.
pub(super) struct Staged {
    event: Uuid,
    at_us: i64,
    ledger_id: Uuid,
    epoch: u32,
    number: i64,
    from: Option<String>,
    to: String,
    code: Option<String>,
    detail: String,
    claimed: Option<String>,
}

impl Staged {
    fn of(told: &Told) -> Result<Self, LedgerError> {
        let (ledger_id, epoch, number) = match told.by {
            Teller::Decision { ledger_id, epoch, number } => (ledger_id, epoch, int(number)?),
            Teller::Stub | Teller::Begin | Teller::Claim => (Uuid::nil(), 0, 0),
        };
        Ok(Self {
            event: told.event_id.0,
            at_us: told.at_us,
            ledger_id,
            epoch,
            number,
            from: told.from.map(|state| state.as_str().to_owned()),
            to: told.to.as_str().to_owned(),
            code: told.code.map(|code| code.as_str().to_owned()),
            detail: json(&told.detail)?,
            claimed: told.claimed.as_ref().map(json).transpose()?,
        })
    }

    /// As a row of the ledger's own trace.
    pub(super) fn with_id(self, ledger_id: Uuid, epoch: u32) -> Self {
        Self { ledger_id, epoch, ..self }
    }
}

/// A row of the old trace.
pub(super) fn from_row(columns: &[String], row: &[Value]) -> Result<Staged, String> {
    let value = |name: &str| columns.iter().position(|column| column == name).and_then(|at| row.get(at));
    let text = |name: &str| match value(name) {
        Some(Value::Text(text)) => Ok(Some(text.clone())),
        Some(Value::Null) | None => Ok(None),
        Some(_) => Err(format!("{name} is no text")),
    };
    let number = |name: &str| match value(name) {
        Some(Value::Integer(number)) => Ok(*number),
        _ => Err(format!("{name} is no number")),
    };
    let Some(Value::Blob(event)) = value("event_id") else { return Err("no event".to_owned()) };
    let detail: serde_json::Value =
        serde_json::from_str(&text("detail")?.unwrap_or_default()).map_err(|error| error.to_string())?;
    let to = text("to_state")?.unwrap_or_default();
    to.parse::<EventState>().map_err(|error| error.to_string())?;
    let code = text("code")?;
    code.as_deref().map(str::parse::<Code>).transpose().map_err(|error| error.to_string())?;
    Ok(Staged {
        event: Uuid::from_slice(event).map_err(|error| error.to_string())?,
        at_us: number("at_us")?,
        ledger_id: Uuid::nil(),
        epoch: 0,
        number: number("id")?,
        from: text("from_state")?,
        to,
        code,
        claimed: crate::ledger::Claimed::of(&detail)
            .map(|claimed| json(&claimed))
            .transpose()
            .map_err(|e| e.to_string())?,
        detail: detail.to_string(),
    })
}

/// Writes a statement, unless it is there: by its id, or by all that it says.
pub(super) fn stage(conn: &Connection, told: &Staged, origin: i64) -> Result<(), LedgerError> {
    let none = String::new();
    let at_us = told.at_us.to_be_bytes();
    // What a delivery or a stub says is no decision, even if one says the same.
    let kind = [u8::try_from(origin.max(LOG)).unwrap_or(u8::MAX)];
    let fingerprint = fingerprint(&[
        &kind,
        told.event.as_bytes(),
        &at_us,
        told.from.as_ref().unwrap_or(&none).as_bytes(),
        told.to.as_bytes(),
        told.code.as_ref().unwrap_or(&none).as_bytes(),
        told.detail.as_bytes(),
    ]);
    conn.prepare_cached(
        "INSERT OR IGNORE INTO scratch.told (event_id, at_us, origin, ledger_id, epoch, number, from_state, to_state,
            code, detail, claimed, fingerprint)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(rusqlite::params![
        Id(told.event),
        told.at_us,
        origin,
        Id(told.ledger_id),
        told.epoch,
        told.number,
        told.from,
        told.to,
        told.code,
        told.detail,
        told.claimed,
        fingerprint,
    ])
    .map_err(damaged)?;
    Ok(())
}
