//! Looking at a copy of a ledger without changing it, or anything beside it.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::place::{OpenError, SCHEMA_VERSION, refusal};
use super::{intake, meta};
use crate::ledger::{Cursor, LedgerError, LedgerIdentity};

/// What a copy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Examined {
    /// Version of its schema.
    pub schema: i64,
    /// Which ledger it is.
    pub identity: LedgerIdentity,
    /// Where it stands in the log.
    pub cursor: Option<Cursor>,
}

/// Runs SQLite's own check over a copy that nobody uses, and says which ledger it is. Blocks, for as long as reading
/// all of it takes.
///
/// # Errors
/// When it is damaged, no ledger, written by a newer program, or cannot be read.
pub fn examine(path: &Path) -> Result<Examined, OpenError> {
    let failed = |error: rusqlite::Error| refusal(path, error);
    let damaged = |why: String| OpenError::Damaged { path: path.to_owned(), why };
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(failed)?;
    conn.pragma_update(None, "trusted_schema", false).map_err(failed)?;
    let said: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if said != "ok" {
        return Err(damaged(said));
    }
    let schema: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    if SCHEMA_VERSION < schema {
        return Err(OpenError::Newer { path: PathBuf::from(path), found: schema, known: SCHEMA_VERSION });
    }
    let identity = meta::identity(&conn).map_err(failed)?;
    let cursor = intake::cursor(&conn).map_err(|error: LedgerError| damaged(error.to_string()))?;
    Ok(Examined { schema, identity, cursor })
}
