//! The old ledger, as far as it can be read: table by table, row by row, and never written to.

use std::collections::VecDeque;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, params_from_iter};

use super::{Draft, log};
use crate::digest;
use crate::ledger::sqlite::expectations;
use crate::ledger::sqlite::meta;
use crate::ledger::sqlite::place::{OpenError, SCHEMA_VERSION};
use crate::ledger::sqlite::rows::{EVENT_COLUMNS, EventRow, Id, Json};
use crate::ledger::{LedgerError, Salvaged, Unread};
use crate::model::Claim;

/// Probes inside a damaged stretch of one table before the rest of it is given up.
const PROBES_MAX: u32 = 4_096;

/// A table to keep and the number that its rows are found by; none for a table without one.
const TABLES: &[(&str, Option<&str>)] = &[
    ("expectations", Some("rowid")),
    ("events", Some("id")),
    ("deliveries", Some("id")),
    ("identities", None),
    ("claim_versions", Some("id")),
    ("claim_objects", None),
    ("transfer_claims", Some("id")),
    ("expectation_payments", Some("id")),
    ("messages", Some("seq")),
    ("dispatches", None),
    ("attempts", Some("rowid")),
    ("pauses", None),
    ("outages", None),
    ("chain_evidence", None),
    ("acceptances", None),
    ("finality_overrides", None),
    ("cordons", None),
    ("scan_cursors", Some("chain_id")),
    ("jobs", Some("number")),
    ("audit", Some("number")),
    ("trace", Some("id")),
];

/// Between which numbers nothing could be read, and why.
type Gap = ((i64, i64), rusqlite::Error);

/// Takes one row.
type Put<'a> = dyn FnMut(&mut Draft, Vec<Value>) -> Result<(), LedgerError> + 'a;

/// What a table's reading came to.
#[derive(Default)]
struct Reading {
    kept: u64,
    refused: u64,
    why: Vec<String>,
}

impl Draft {
    /// Copies what can be read of the old ledger. `say` hears the table and the rows so far.
    ///
    /// # Errors
    /// When a newer program wrote the old ledger, or the draft cannot be written. A damaged old ledger is no error.
    pub fn salvage(&mut self, say: &mut dyn FnMut(&str, u64)) -> Result<Salvaged, OpenError> {
        let mut salvaged = Salvaged::default();
        let path = self.path.clone();
        if std::fs::metadata(&path).map_or(0, |facts| facts.len()) == 0 {
            return Ok(salvaged);
        }
        salvaged.found = true;
        let unusable = |why: String| Unread { table: "all".to_owned(), why, rows: None };
        let old = match open(&path) {
            Ok(old) => old,
            Err(error) => {
                salvaged.unread.push(unusable(error.to_string()));
                return Ok(salvaged);
            }
        };
        let version = old.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
        match version {
            Ok(found) if found > SCHEMA_VERSION => {
                return Err(OpenError::Newer { path, found, known: SCHEMA_VERSION });
            }
            Ok(_) => {}
            Err(error) => salvaged.unread.push(unusable(error.to_string())),
        }
        self.know(&old, &mut salvaged);
        for (table, key) in TABLES {
            say(table, 0);
            let reading = self
                .keep(&old, table, *key, say)
                .map_err(|error| OpenError::Io { path: path.clone(), why: error.to_string() })?;
            self.tell_of(&old, table, reading, &mut salvaged);
        }
        self.validate(&mut salvaged)
            .map_err(|error| OpenError::Damaged { path, why: format!("what was kept of it: {error}") })?;
        Ok(salvaged)
    }

    /// Which ledger it is. A ledger of schema 1 had no epochs.
    fn know(&mut self, old: &Connection, salvaged: &mut Salvaged) {
        let first = |row: &rusqlite::Row<'_>| Ok(row.get::<_, Id>(0)?.0);
        let found = meta::identity(old).or_else(|_| {
            let ledger_id = old.query_row("SELECT ledger_id FROM meta", [], first)?;
            Ok(crate::ledger::LedgerIdentity { ledger_id, epoch: 0 })
        });
        match found {
            Ok(identity) => {
                self.before = Some(identity);
                self.epoch_seen = self.epoch_seen.max(identity.epoch);
            }
            Err(error) => {
                let error: rusqlite::Error = error;
                salvaged.unread.push(Unread { table: "meta".to_owned(), why: error.to_string(), rows: Some(1) });
            }
        }
    }

    fn tell_of(&self, old: &Connection, table: &str, reading: Reading, salvaged: &mut Salvaged) {
        // Counting reads the smallest index only: it may still know what the table does not.
        let there = old.query_row(&format!("SELECT COUNT(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).ok();
        let there = there.and_then(|rows| u64::try_from(rows).ok());
        let lost = there.map(|there| there.saturating_sub(reading.kept).saturating_sub(reading.refused));
        if !reading.why.is_empty() {
            let why = reading.why.join("; ");
            salvaged.unread.push(Unread { table: table.to_owned(), why, rows: lost });
        }
        if reading.refused > 0 {
            let why = "rows that break a rule of the schema, or say the same twice".to_owned();
            salvaged.unread.push(Unread { table: table.to_owned(), why, rows: Some(reading.refused) });
        }
        salvaged.kept.push((table.to_owned(), reading.kept));
    }

    /// Copies one table; stops only when the draft cannot be written.
    fn keep(
        &mut self,
        old: &Connection,
        table: &str,
        key: Option<&str>,
        say: &mut dyn FnMut(&str, u64),
    ) -> Result<Reading, LedgerError> {
        let mut reading = Reading::default();
        let columns = match shared_columns(old, &self.conn, table) {
            Ok(columns) if !columns.is_empty() => columns,
            // A ledger of schema 1 has no such table.
            Ok(_) => return Ok(reading),
            Err(error) => {
                reading.why.push(error.to_string());
                return Ok(reading);
            }
        };
        let read = format!("SELECT {} FROM {table}", columns.join(", "));
        let write = writing(table, &columns);
        let mut put = |draft: &mut Self, row: Vec<Value>| -> Result<(), LedgerError> {
            match draft.put(table, &columns, &write, row) {
                Ok(()) => reading.kept += 1,
                Err(LedgerError::Damaged(_)) => reading.refused += 1,
                Err(other) => return Err(other),
            }
            if reading.kept.is_multiple_of(1_000) {
                say(table, reading.kept);
            }
            draft.wrote()
        };
        let mut why = Vec::new();
        match key {
            Some(key) => {
                let mut ranges = VecDeque::from([(i64::MIN, i64::MAX)]);
                let mut probes = 0;
                while let Some((low, high)) = ranges.pop_front() {
                    probes += 1;
                    if probes > PROBES_MAX {
                        break;
                    }
                    let Some((gap, error)) = self.keep_span(old, &read, &Span { key, low, high }, &mut put)? else {
                        continue;
                    };
                    if (low, high) == (i64::MIN, i64::MAX) {
                        why.push(format!("damaged between {key} {} and {}: {error}", gap.0, gap.1));
                    }
                    // What lies between two damaged pages is looked for in halves.
                    if gap.0 < gap.1 {
                        let middle = gap.0.midpoint(gap.1);
                        ranges.extend([(gap.0, middle), (middle.saturating_add(1), gap.1)]);
                    }
                }
            }
            None => {
                if let Err(error) = self.keep_all(old, &read, &mut put)? {
                    why.push(error.to_string());
                }
            }
        }
        reading.why = why;
        Ok(reading)
    }

    /// Reads a span upwards, and downwards when that ends early. Answers the gap between the two.
    fn keep_span(
        &mut self,
        old: &Connection,
        read: &str,
        span: &Span<'_>,
        put: &mut Put<'_>,
    ) -> Result<Option<Gap>, LedgerError> {
        let Span { key, low, high } = *span;
        let (mut up, mut down) = (low, high);
        let sql = |order: &str| {
            let keyed = read.replacen("SELECT ", &format!("SELECT {key}, "), 1);
            format!("{keyed} WHERE {key} >= ?1 AND {key} <= ?2 ORDER BY {key} {order}")
        };
        let first = self.walk(old, &sql("ASC"), (low, high), &mut up, put)?;
        let Some(error) = first else { return Ok(None) };
        let from = up.saturating_add(i64::from(up != low));
        if self.walk(old, &sql("DESC"), (from, high), &mut down, put)?.is_none() {
            // Going down met no damage: everything above was read.
            return Ok(None);
        }
        Ok(Some(((from, down.saturating_sub(i64::from(down != high))), error)))
    }

    /// Puts rows until the end or the first damage; `at` is the last one put.
    fn walk(
        &mut self,
        old: &Connection,
        sql: &str,
        range: (i64, i64),
        at: &mut i64,
        put: &mut Put<'_>,
    ) -> Result<Option<rusqlite::Error>, LedgerError> {
        let mut statement = match old.prepare(sql) {
            Ok(statement) => statement,
            Err(error) => return Ok(Some(error)),
        };
        let columns = statement.column_count();
        let mut rows = match statement.query(range) {
            Ok(rows) => rows,
            Err(error) => return Ok(Some(error)),
        };
        loop {
            match rows.next() {
                Ok(None) => return Ok(None),
                Err(error) => return Ok(Some(error)),
                Ok(Some(row)) => {
                    let values = (0..columns).map(|column| row.get::<_, Value>(column)).collect::<Result<Vec<_>, _>>();
                    match values {
                        Ok(mut values) => {
                            if let Value::Integer(key) = values.remove(0) {
                                *at = key;
                            }
                            put(self, values)?;
                        }
                        // Text that is no UTF-8: this row only. One without values is refused and counted.
                        Err(_) => put(self, Vec::new())?,
                    }
                }
            }
        }
    }

    /// Reads a table without numbers to its end or its first damage.
    fn keep_all(
        &mut self,
        old: &Connection,
        read: &str,
        put: &mut Put<'_>,
    ) -> Result<Result<(), rusqlite::Error>, LedgerError> {
        let mut at = 0;
        // The number is a constant: such a table is read once, in its own order.
        let sql = format!("{} WHERE ?1 <= ?2", read.replacen("SELECT ", "SELECT 0, ", 1));
        Ok(self.walk(old, &sql, (0, 1), &mut at, put)?.map_or(Ok(()), Err))
    }

    fn put(&mut self, table: &str, columns: &[String], write: &str, mut row: Vec<Value>) -> Result<(), LedgerError> {
        if table == "trace" {
            return self.put_trace(columns, row);
        }
        if table == "deliveries" {
            // It lies in no log until the log says where.
            for (column, value) in columns.iter().zip(&mut row) {
                if let ("log_id", Value::Blob(bytes)) = (column.as_str(), &mut *value) {
                    bytes.fill(0);
                }
            }
            let id = columns.iter().position(|column| column == "id").and_then(|at| row.get(at)).cloned();
            if let Some((id, seq)) = id.zip(columns.iter().position(|column| column == "seq"))
                && let Some(value) = row.get_mut(seq)
            {
                *value = id;
            }
        }
        if table == "dispatches" {
            // One head a lane is a rule of the schema; heads are marked at the end.
            let head = columns.iter().position(|column| column == "head");
            if let Some(value) = head.and_then(|at| row.get_mut(at)) {
                *value = Value::Integer(0);
            }
        }
        self.conn.prepare_cached(write)?.execute(params_from_iter(row))?;
        Ok(())
    }

    fn put_trace(&mut self, columns: &[String], row: Vec<Value>) -> Result<(), LedgerError> {
        let ledger_id = self.before.map(|before| before.ledger_id).unwrap_or_default();
        let epoch = self.before.map_or(0, |before| before.epoch);
        let told = log::from_row(columns, &row).map_err(LedgerError::Damaged)?;
        log::stage(&self.conn, &told.with_id(ledger_id, epoch), log::OLD)
    }

    /// What was kept must be what this program reads: a damaged value would stop the gateway later.
    fn validate(&mut self, salvaged: &mut Salvaged) -> Result<(), LedgerError> {
        let mut note = |table: &str, rows: usize| {
            if rows > 0 {
                let why = "values that do not parse".to_owned();
                salvaged.unread.push(Unread { table: table.to_owned(), why, rows: u64::try_from(rows).ok() });
            }
        };
        let conn = &self.conn;
        let bad =
            bad_rows(conn, &format!("SELECT {EVENT_COLUMNS} FROM events e"), |row| EventRow::read(row).map(drop))?;
        note("events", leave_out(conn, "events", "id", &bad)?);
        let claims = "SELECT id, claim FROM claim_versions";
        let bad = bad_rows(conn, claims, |row| row.get::<_, Json<Claim>>(1).map(drop))?;
        note("claim_versions", leave_out(conn, "claim_versions", "id", &bad)?);
        let waiting = "SELECT seq, body FROM messages WHERE seq IN
            (SELECT seq FROM dispatches WHERE state IN ('due', 'sending'))";
        let bad = bad_rows(conn, waiting, |row| {
            let body: Vec<u8> = row.get(1)?;
            let json: Result<serde::de::IgnoredAny, _> = serde_json::from_slice(&body);
            json.map(drop).map_err(|_| rusqlite::Error::InvalidQuery)
        })?;
        // Its history stays; the bytes would be signed and sent as they are.
        for seq in &bad {
            conn.execute(
                "UPDATE dispatches SET state = 'superseded' WHERE seq = ?1 AND state IN ('due', 'sending')",
                [seq],
            )?;
        }
        note("messages to be sent", bad.len());
        let ids: Vec<(i64, String)> = conn
            .prepare("SELECT rowid, id FROM expectations")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let mut bad = Vec::new();
        for (row, id) in ids {
            match expectations::load(conn, &id) {
                // Recipients of open expectations are derived.
                Ok(Some(stored)) => expectations::watch_recipients(conn, &stored.terms, stored.state)?,
                Ok(None) | Err(_) => bad.push(row),
            }
        }
        note("expectations", leave_out(conn, "expectations", "rowid", &bad)?);
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Span<'a> {
    key: &'a str,
    low: i64,
    high: i64,
}

fn bad_rows(
    conn: &Connection,
    sql: &str,
    read: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<()>,
) -> Result<Vec<i64>, LedgerError> {
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut bad = Vec::new();
    while let Some(row) = rows.next()? {
        if read(row).is_err() {
            bad.push(row.get(0)?);
        }
    }
    Ok(bad)
}

fn leave_out(conn: &Connection, table: &str, key: &str, rows: &[i64]) -> Result<usize, LedgerError> {
    let mut statement = conn.prepare(&format!("DELETE FROM {table} WHERE {key} = ?1"))?;
    rows.iter().try_for_each(|row| statement.execute([row]).map(drop))?;
    Ok(rows.len())
}

/// Opens the old ledger so that nothing of it changes: what its write-ahead log holds is read, not written back.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    conn.execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;")?;
    Ok(conn)
}

/// Columns that both have, in the new one's order.
fn shared_columns(old: &Connection, new: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let columns = |conn: &Connection| -> rusqlite::Result<Vec<String>> {
        conn.prepare(&format!("PRAGMA main.table_info({table})"))?.query_map([], |row| row.get(1))?.collect()
    };
    let had = columns(old)?;
    Ok(columns(new)?.into_iter().filter(|column| had.contains(column)).collect())
}

fn writing(table: &str, columns: &[String]) -> String {
    // Numbers of the audit are followed without gaps: its rows get new ones, in their order.
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let slots: Vec<String> = (1..=columns.len())
        .map(|at| if table == "audit" && at == 1 { "NULLIF(?1, ?1)".to_owned() } else { format!("?{at}") })
        .collect();
    format!("INSERT INTO main.{table} ({}) VALUES ({})", columns.join(", "), slots.join(", "))
}

/// What makes two copies of a decision the same.
pub(super) fn fingerprint(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = digest::Sha256::new();
    for part in parts {
        hash.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finish()
}
