//! Values in and out of columns, and the event row that every command works on.
//!
//! A value that does not parse is damage and says so; it is never replaced by a default.

use std::str::FromStr;

use alloy_primitives::U256;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::ledger::{EPOCH_VERSIONS, EventFacts, LedgerError, Progress, Reach, Wait, state};
use crate::model::{Anchor, Claim, Code, EventId, EventState, PaymentId, Sender, WebhookId};

/// Most bytes of one trace entry; a longer one is replaced by a note.
const TRACE_BYTES_MAX: usize = 64 * 1024;

/// Where a confirmation's trace entry says what it claimed; stays when the rest is too long.
pub(super) const CLAIMED: &str = "claimed";

/// A column of text that names a value.
pub(super) struct Named<T>(pub(super) T);

impl<T> FromSql for Named<T>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map(Self).map_err(FromSqlError::other)
    }
}

/// A column of JSON.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(FromSqlError::other)
    }
}

/// A column of 16 bytes.
pub(super) struct Id(pub(super) Uuid);

impl FromSql for Id {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 16]>::column_result(value).map(|bytes| Self(Uuid::from_bytes(bytes)))
    }
}

impl ToSql for Id {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.as_bytes().as_slice()))
    }
}

impl From<EventId> for Id {
    fn from(id: EventId) -> Self {
        Self(id.0)
    }
}

/// A column of 32 big-endian bytes.
pub(super) struct Amount(pub(super) U256);

impl FromSql for Amount {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 32]>::column_result(value).map(|bytes| Self(U256::from_be_bytes(bytes)))
    }
}

/// A count or height as SQLite holds it.
pub(super) fn int(value: u64) -> Result<i64, LedgerError> {
    i64::try_from(value).map_err(|_| LedgerError::Damaged(format!("{value} is beyond what a column holds")))
}

/// A count or height that was stored by [`int`].
pub(super) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

/// Serialises what a column holds.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<String, LedgerError> {
    serde_json::to_string(value).map_err(|error| LedgerError::Damaged(format!("does not serialise: {error}")))
}

/// What a broken rule of this program reads like.
pub(super) fn damaged(what: impl std::fmt::Display) -> LedgerError {
    LedgerError::Damaged(what.to_string())
}

/// An event as stored, without what hangs off it.
#[derive(Debug, Clone)]
pub(super) struct EventRow {
    pub(super) id: i64,
    pub(super) event_id: EventId,
    pub(super) facts: EventFacts,
    pub(super) thin: bool,
    pub(super) lane: String,
    pub(super) state: EventState,
    pub(super) code: Option<Code>,
    pub(super) version: u64,
    pub(super) state_version: u32,
    pub(super) due_us: Option<i64>,
    pub(super) looks: u32,
    pub(super) first_look_us: Option<i64>,
    pub(super) anchor: Option<Anchor>,
    pub(super) anchor_checked_us: Option<i64>,
    pub(super) anchor_check: bool,
    pub(super) expectation_id: Option<String>,
    pub(super) payment_id: Option<PaymentId>,
    pub(super) updated_us: i64,
    pub(super) wait: Option<Wait>,
    pub(super) sender: Option<Sender>,
    /// Dollars at risk, micros.
    pub(super) exposed: Option<u64>,
    /// The ledger's epoch, which its next message is numbered in.
    pub(super) epoch: u32,
}

/// Columns of [`EventRow::read`], in its order; the table goes by `e`.
pub(super) const EVENT_COLUMNS: &str = "e.id, e.event_id, e.facts, e.thin, e.lane, e.state, e.code, e.version, \
     e.state_version, e.due_us, e.looks, e.first_look_us, e.anchor, e.anchor_checked_us, e.anchor_check, \
     e.expectation_id, e.payment_id, e.updated_us, (SELECT epoch FROM meta), e.wait_chain, e.wait_reach, \
     e.wait_height, e.sender, e.exposed_usd_micros";

impl EventRow {
    /// A row as it was just inserted, in its first version.
    pub(super) fn new(
        id: i64,
        event_id: EventId,
        facts: &EventFacts,
        state: EventState,
        epoch: u32,
        now_us: i64,
    ) -> Self {
        Self {
            id,
            event_id,
            facts: facts.clone(),
            thin: false,
            lane: facts.lane.clone(),
            state,
            code: None,
            version: 1,
            state_version: 0,
            due_us: None,
            looks: 0,
            first_look_us: None,
            anchor: None,
            anchor_checked_us: None,
            anchor_check: false,
            expectation_id: None,
            payment_id: None,
            updated_us: now_us,
            wait: None,
            sender: None,
            exposed: None,
            epoch,
        }
    }

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            event_id: EventId(row.get::<_, Id>(1)?.0),
            facts: row.get::<_, Json<EventFacts>>(2)?.0,
            thin: row.get(3)?,
            lane: row.get(4)?,
            state: row.get::<_, Named<EventState>>(5)?.0,
            code: row.get::<_, Option<Named<Code>>>(6)?.map(|code| code.0),
            version: count(row, 7)?,
            state_version: row.get(8)?,
            due_us: row.get(9)?,
            looks: row.get(10)?,
            first_look_us: row.get(11)?,
            anchor: row.get::<_, Option<Json<Anchor>>>(12)?.map(|anchor| anchor.0),
            anchor_checked_us: row.get(13)?,
            anchor_check: row.get(14)?,
            expectation_id: row.get(15)?,
            payment_id: row.get::<_, Option<String>>(16)?.map(PaymentId::from_stored),
            updated_us: row.get(17)?,
            epoch: row.get(18)?,
            wait: read_wait(row)?,
            sender: row.get::<_, Option<Json<Sender>>>(22)?.map(|sender| sender.0),
            exposed: row.get::<_, Option<i64>>(23)?.map(|_| count(row, 23)).transpose()?,
        })
    }

    pub(super) fn find(conn: &Connection, id: EventId) -> Result<Option<Self>, LedgerError> {
        let mut statement =
            conn.prepare_cached(&format!("SELECT {EVENT_COLUMNS} FROM events e WHERE e.event_id = ?1"))?;
        Ok(statement.query_row([Id::from(id)], Self::read).optional()?)
    }

    /// The event of a command, which must exist.
    pub(super) fn load(conn: &Connection, id: EventId) -> Result<Self, LedgerError> {
        Self::find(conn, id)?.ok_or_else(|| damaged(format!("event {id} is not in the ledger")))
    }

    /// Moves to a state the table allows, appends to the trace and drops what belongs to the old state.
    /// The row itself is written by [`Self::save`].
    pub(super) fn go(
        &mut self,
        conn: &Connection,
        to: EventState,
        code: Option<Code>,
        now_us: i64,
        detail: &serde_json::Value,
    ) -> Result<(), LedgerError> {
        if !state::may_follow(self.state, to) {
            return Err(damaged(format!("event {}: {to} cannot follow {}", self.event_id, self.state)));
        }
        let from = self.state;
        if from == to && self.code == code {
            retrace(conn, self.event_id, now_us, to, code, detail)?;
        } else {
            trace(conn, self.event_id, now_us, Some(from), to, code, detail)?;
        }
        (self.state, self.code, self.updated_us) = (to, code, now_us);
        if to != EventState::Forwarding {
            self.anchor_check = false;
        }
        if !state::is_watched(to) {
            (self.due_us, self.wait) = (None, None);
        }
        if !state::has_money(to) || to == EventState::Settled {
            self.exposed = None;
        }
        Ok(())
    }

    /// Due for verification from the start: as if it had never been looked at.
    pub(super) fn look_anew(&mut self, now_us: i64) {
        (self.due_us, self.looks, self.first_look_us, self.wait) = (Some(now_us), 0, None, None);
    }

    /// Counts a look.
    pub(super) fn looked(&mut self, now_us: i64) {
        self.looks = self.looks.saturating_add(1);
        self.first_look_us.get_or_insert(now_us);
    }

    /// Where verification stands; an event never looked at begins now.
    pub(super) fn progress(&self, now_us: i64) -> Progress {
        Progress { first_us: self.first_look_us.unwrap_or(now_us), looks: self.looks }
    }

    /// The id of the message to come: above every one of an earlier epoch, whether or not the ledger remembers it.
    pub(super) fn next_message(&self) -> WebhookId {
        let before = self.state_version.max(self.epoch.saturating_mul(EPOCH_VERSIONS));
        WebhookId { event: self.event_id, state_version: before.saturating_add(1) }
    }

    /// Writes the row as a new version of the event: whoever judged the old one has to look again.
    pub(super) fn save(&mut self, conn: &Connection) -> Result<(), LedgerError> {
        self.version = self.version.saturating_add(1);
        let mut statement = conn.prepare_cached(
            "UPDATE events SET thin = ?2, lane = ?3, state = ?4, code = ?5, version = ?6, state_version = ?7,
                due_us = ?8, looks = ?9, first_look_us = ?10, anchor = ?11, anchor_checked_us = ?12,
                anchor_check = ?13, expectation_id = ?14, payment_id = ?15, updated_us = ?16, wait_chain = ?17,
                wait_reach = ?18, wait_height = ?19, sender = ?20, exposed_usd_micros = ?21 WHERE id = ?1",
        )?;
        let anchor = self.anchor.as_ref().map(json).transpose()?;
        statement.execute(rusqlite::params![
            self.id,
            self.thin,
            self.lane,
            self.state.as_str(),
            self.code.map(Code::as_str),
            int(self.version)?,
            self.state_version,
            self.due_us,
            self.looks,
            self.first_look_us,
            anchor,
            self.anchor_checked_us,
            self.anchor_check,
            self.expectation_id,
            self.payment_id.as_ref().map(PaymentId::as_str),
            self.updated_us,
            self.wait.map(|wait| int(wait.chain_id)).transpose()?,
            self.wait.map(|wait| wait.reach.as_str()),
            self.wait.map(|wait| int(wait.height)).transpose()?,
            self.sender.as_ref().map(json).transpose()?,
            self.exposed.map(int).transpose()?,
        ])?;
        Ok(())
    }
}

fn read_wait(row: &Row<'_>) -> rusqlite::Result<Option<Wait>> {
    let Some(reach) = row.get::<_, Option<Named<Reach>>>(20)? else { return Ok(None) };
    Ok(Some(Wait { chain_id: count(row, 19)?, reach: reach.0, height: count(row, 21)? }))
}

/// The id of a message, in two columns: its event's id and its version.
pub(super) fn webhook_id(row: &Row<'_>, first: usize) -> rusqlite::Result<WebhookId> {
    let second = first.saturating_add(1);
    Ok(WebhookId { event: EventId(row.get::<_, Id>(first)?.0), state_version: row.get(second)? })
}

/// Appends to an event's trace.
pub(super) fn trace(
    conn: &Connection,
    event: EventId,
    at_us: i64,
    from: Option<EventState>,
    to: EventState,
    code: Option<Code>,
    detail: &serde_json::Value,
) -> Result<(), LedgerError> {
    conn.prepare_cached(
        "INSERT INTO trace (event_id, at_us, from_state, to_state, code, detail, event)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, (SELECT id FROM events WHERE event_id = ?1))",
    )?
    .execute((
        Id::from(event),
        at_us,
        from.map(EventState::as_str),
        to.as_str(),
        code.map(Code::as_str),
        detail_text(detail)?,
    ))?;
    Ok(())
}

/// The same outcome again takes the place of the last look: an event may wait for days without a trace that
/// grows with every try.
fn retrace(
    conn: &Connection,
    event: EventId,
    at_us: i64,
    to: EventState,
    code: Option<Code>,
    detail: &serde_json::Value,
) -> Result<(), LedgerError> {
    let replaced = conn
        .prepare_cached(
            "UPDATE trace SET at_us = ?2, detail = ?5
             WHERE id = (SELECT MAX(id) FROM trace WHERE event = (SELECT id FROM events WHERE event_id = ?1))
               AND from_state = ?3 AND to_state = ?3 AND code IS ?4",
        )?
        .execute((Id::from(event), at_us, to.as_str(), code.map(Code::as_str), detail_text(detail)?))?;
    if replaced == 0 {
        trace(conn, event, at_us, Some(to), to, code, detail)?;
    }
    Ok(())
}

fn detail_text(detail: &serde_json::Value) -> Result<String, LedgerError> {
    let text = json(detail)?;
    if text.len() <= TRACE_BYTES_MAX {
        return Ok(text);
    }
    let what = "the detail is over the limit of a trace entry";
    json(&serde_json::json!({ "left_out": what, "bytes": text.len(), CLAIMED: detail.get(CLAIMED) }))
}

/// Claims of an event that are about what its first one is about: one that joined it may name another request.
const OWN_CLAIMS: &str = "FROM claim_versions c JOIN claim_versions first
        ON first.id = (SELECT MIN(id) FROM claim_versions WHERE event_id = ?1)
     WHERE c.event_id = ?1 AND c.request_id IS first.request_id AND c.payment_reference IS first.payment_reference
     ORDER BY c.id DESC";

/// The newest claim of an event.
pub(super) fn newest_claim(conn: &Connection, event: EventId) -> Result<Option<Claim>, LedgerError> {
    let mut statement = conn.prepare_cached(&format!("SELECT c.claim {OWN_CLAIMS} LIMIT 1"))?;
    let found = statement.query_row([Id::from(event)], |row| row.get::<_, Json<Claim>>(0)).optional()?;
    Ok(found.map(|claim| claim.0))
}

/// Every network that an event's claims name, once, the newest first.
pub(super) fn claimed_networks(conn: &Connection, event: EventId) -> Result<Vec<String>, LedgerError> {
    let mut statement = conn.prepare_cached(&format!("SELECT c.claim {OWN_CLAIMS}"))?;
    let mut networks = Vec::new();
    for claim in statement.query_map([Id::from(event)], |row| row.get::<_, Json<Claim>>(0))? {
        let network = claim?.0.network;
        if !networks.contains(&network) {
            networks.push(network);
        }
    }
    Ok(networks)
}

/// `0x` and lower case, as filters and joins compare transaction hashes.
pub(super) fn plain_tx(text: &str) -> String {
    let lower = text.trim().to_ascii_lowercase();
    if lower.len() == 64 && lower.bytes().all(|byte| byte.is_ascii_hexdigit()) { format!("0x{lower}") } else { lower }
}
