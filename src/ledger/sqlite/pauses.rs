//! What operators paused. A pause is a row that everything which may send asks in its own transaction.

use rusqlite::{Connection, OptionalExtension};

use super::audit;
use super::rows::damaged;
use crate::ledger::{AuditEntry, LedgerError, Pause, PauseTarget, Who};

/// Most pauses shown: there are as many as destinations and sources were ever paused.
const SHOWN_MAX: i64 = 1_000;

/// Longest name of a destination or source.
const NAME_MAX: usize = 256;

/// Pauses or resumes; false when it was so.
pub(super) fn set(
    conn: &Connection,
    target: &PauseTarget,
    paused: bool,
    by: &Who,
    now_us: i64,
) -> Result<bool, LedgerError> {
    if target.name().len() > NAME_MAX || (target.name().is_empty() && *target != PauseTarget::Forwarding) {
        return Err(damaged(format!("a {} to pause needs a name of 1 to {NAME_MAX} bytes", target.kind())));
    }
    let stands: Option<Option<i64>> = conn
        .prepare_cached("SELECT resumed_us FROM pauses WHERE kind = ?1 AND name = ?2")?
        .query_row((target.kind(), target.name()), |row| row.get(0))
        .optional()?;
    let is_paused = stands.is_some_and(|resumed| resumed.is_none());
    if is_paused == paused {
        return Ok(false);
    }
    if paused {
        let by = audit::cut(by);
        conn.prepare_cached(
            "INSERT INTO pauses (kind, name, by_name, by_from, reason, since_us, resumed_us)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL)
             ON CONFLICT (kind, name) DO UPDATE SET by_name = excluded.by_name, by_from = excluded.by_from,
                reason = excluded.reason, since_us = excluded.since_us, resumed_us = NULL",
        )?
        .execute((target.kind(), target.name(), by.name, by.from, by.reason, now_us))?;
    } else {
        conn.prepare_cached("UPDATE pauses SET resumed_us = ?3 WHERE kind = ?1 AND name = ?2")?.execute((
            target.kind(),
            target.name(),
            now_us,
        ))?;
    }
    let entry = AuditEntry {
        at_us: now_us,
        by: by.clone(),
        what: if paused { "pause" } else { "resume" }.to_owned(),
        subject: Some(target.to_string()),
        event_id: None,
        before: Some(serde_json::json!({ "paused": is_paused })),
        after: Some(serde_json::json!({ "paused": paused })),
    };
    audit::add(conn, &entry)?;
    Ok(true)
}

/// What is paused now.
pub(super) fn list(conn: &Connection) -> Result<Vec<Pause>, LedgerError> {
    let mut statement = conn.prepare_cached(
        "SELECT kind, name, by_name, by_from, reason, since_us FROM pauses WHERE resumed_us IS NULL
         ORDER BY kind, name LIMIT ?1",
    )?;
    let mut rows = statement.query([SHOWN_MAX])?;
    let mut pauses = Vec::new();
    while let Some(row) = rows.next()? {
        let (kind, name): (String, String) = (row.get(0)?, row.get(1)?);
        let target = match kind.as_str() {
            "forwarding" => PauseTarget::Forwarding,
            "destination" => PauseTarget::Destination(name),
            "source" => PauseTarget::Source(name),
            other => return Err(damaged(format!("{other:?} cannot be paused"))),
        };
        let by = Who { name: row.get(2)?, from: row.get(3)?, reason: row.get(4)? };
        pauses.push(Pause { target, by, since_us: row.get(5)? });
    }
    Ok(pauses)
}

/// Whether nothing about this source may go to this destination now.
pub(super) fn holds(conn: &Connection, destination: &str, source: &str) -> Result<bool, LedgerError> {
    let mut statement = conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM pauses WHERE kind = 'forwarding' AND resumed_us IS NULL)
            OR EXISTS (SELECT 1 FROM pauses WHERE kind = 'destination' AND name = ?1 AND resumed_us IS NULL)
            OR EXISTS (SELECT 1 FROM pauses WHERE kind = 'source' AND name = ?2 AND resumed_us IS NULL)",
    )?;
    Ok(statement.query_row((destination, source), |row| row.get(0))?)
}

/// What the pauses mean for one destination.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Nothing goes there.
    pub(super) all: bool,
    /// Sources that wait.
    pub(super) sources: Vec<String>,
    /// When the last pause of the destination or of everything ended.
    resumed_us: Option<i64>,
    resumed_sources: Vec<(String, i64)>,
}

impl Held {
    /// When the last pause that held a message ended.
    pub(super) fn resumed_us(&self, source: &str) -> Option<i64> {
        let of_source = self.resumed_sources.iter().find(|(name, _)| name == source).map(|(_, at)| *at);
        self.resumed_us.max(of_source)
    }
}

/// The pauses that matter to a destination.
pub(super) fn of(conn: &Connection, destination: &str) -> Result<Held, LedgerError> {
    let mut statement =
        conn.prepare_cached("SELECT kind, name, resumed_us FROM pauses WHERE kind <> 'destination' OR name = ?1")?;
    let mut rows = statement.query([destination])?;
    let mut held = Held::default();
    while let Some(row) = rows.next()? {
        let (kind, name, resumed_us): (String, String, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        match (kind.as_str(), resumed_us) {
            ("source", None) => held.sources.push(name),
            ("source", Some(at)) => held.resumed_sources.push((name, at)),
            (_, None) => held.all = true,
            (_, Some(at)) => held.resumed_us = held.resumed_us.max(Some(at)),
        }
    }
    Ok(held)
}
