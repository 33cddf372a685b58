//! Which ledger a file holds: its id, made with it, and its epoch, raised by every rebuild and restore.

use rusqlite::Connection;
use uuid::Uuid;

use super::rows::Id;
use crate::ledger::LedgerIdentity;

/// Which one.
pub(super) fn identity(conn: &Connection) -> rusqlite::Result<LedgerIdentity> {
    conn.query_row("SELECT ledger_id, epoch FROM meta", [], |row| {
        Ok(LedgerIdentity { ledger_id: row.get::<_, Id>(0)?.0, epoch: row.get(1)? })
    })
}

/// Makes a new ledger's row.
pub(super) fn create(conn: &Connection, now_us: i64) -> rusqlite::Result<LedgerIdentity> {
    let made = LedgerIdentity { ledger_id: Uuid::now_v7(), epoch: 0 };
    conn.execute(
        "INSERT INTO meta (only_row, ledger_id, created_us, epoch) VALUES (1, ?1, ?2, 0)",
        (Id(made.ledger_id), now_us),
    )?;
    Ok(made)
}

/// The epoch alone.
pub(super) fn epoch(conn: &Connection) -> rusqlite::Result<u32> {
    conn.prepare_cached("SELECT epoch FROM meta")?.query_row([], |row| row.get(0))
}
