//! When destinations were left alone.

use rusqlite::Connection;

use crate::ledger::{LedgerError, Outage};

/// Outages of one destination that are kept: more than a dispatcher tells apart.
const KEPT_MAX: usize = 1_000;

/// Those of a destination, the oldest first.
pub(super) fn of(conn: &Connection, destination: &str) -> Result<Vec<Outage>, LedgerError> {
    let mut statement =
        conn.prepare_cached("SELECT began_us, ended_us FROM outages WHERE destination = ?1 ORDER BY place")?;
    let found =
        statement.query_map([destination], |row| Ok(Outage { began_us: row.get(0)?, ended_us: row.get(1)? }))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Puts these in place of those before.
pub(super) fn put(conn: &Connection, destination: &str, outages: &[Outage]) -> Result<(), LedgerError> {
    conn.prepare_cached("DELETE FROM outages WHERE destination = ?1")?.execute([destination])?;
    let newest = outages.iter().skip(outages.len().saturating_sub(KEPT_MAX));
    let mut statement =
        conn.prepare_cached("INSERT INTO outages (destination, place, began_us, ended_us) VALUES (?1, ?2, ?3, ?4)")?;
    for (place, outage) in (0_i64..).zip(newest) {
        // A clock that was set back ends none before it began.
        let ended_us = outage.ended_us.map(|ended| ended.max(outage.began_us));
        statement.execute((destination, place, outage.began_us, ended_us))?;
    }
    Ok(())
}
