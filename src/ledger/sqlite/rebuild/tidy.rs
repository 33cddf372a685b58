//! The guards of the schema while a draft is made, and what may stay of it at the end.

use rusqlite::Connection;

use crate::ledger::{LedgerError, Unread};

/// Takes away the triggers that forbid changes, and answers how to make them again. Counting goes on.
pub(super) fn lift_guards(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let guards: Vec<(String, String)> = conn
        .prepare("SELECT name, sql FROM main.sqlite_master WHERE type = 'trigger' AND name NOT LIKE 'count_%'")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (name, _) in &guards {
        conn.execute_batch(&format!("DROP TRIGGER main.\"{name}\""))?;
    }
    Ok(guards.into_iter().map(|(_, sql)| sql).collect())
}

/// References to what neither the log nor the old ledger has: the row, and what is done about it.
const ORPHANS: &[(&str, &str, &str)] = &[
    (
        "events",
        "its expectation is lost",
        "UPDATE events SET expectation_id = NULL
         WHERE expectation_id IS NOT NULL AND expectation_id NOT IN (SELECT id FROM expectations)",
    ),
    (
        "transfer_claims",
        "its expectation is lost",
        "UPDATE transfer_claims SET expectation_id = NULL
         WHERE expectation_id IS NOT NULL AND expectation_id NOT IN (SELECT id FROM expectations)",
    ),
    (
        "transfer_claims",
        "its event is lost",
        "DELETE FROM transfer_claims WHERE event_id NOT IN (SELECT event_id FROM events)",
    ),
    ("identities", "its event is lost", "DELETE FROM identities WHERE event_id NOT IN (SELECT event_id FROM events)"),
    (
        "claim_versions",
        "its event is lost",
        "DELETE FROM claim_versions WHERE event_id NOT IN (SELECT event_id FROM events)",
    ),
    (
        "claim_objects",
        "its event is lost",
        "DELETE FROM claim_objects WHERE event_id NOT IN (SELECT event_id FROM events)",
    ),
    (
        "deliveries",
        "its event is lost",
        "DELETE FROM deliveries WHERE event_id IS NOT NULL AND event_id NOT IN (SELECT event_id FROM events)",
    ),
    ("trace", "its event is lost", "DELETE FROM trace WHERE event_id NOT IN (SELECT event_id FROM events)"),
    (
        "expectation_payments",
        "its event or its expectation is lost",
        "DELETE FROM expectation_payments WHERE event_id NOT IN (SELECT event_id FROM events)
            OR expectation_id NOT IN (SELECT id FROM expectations)",
    ),
    ("messages", "its event is lost", "DELETE FROM messages WHERE event_id NOT IN (SELECT event_id FROM events)"),
    ("dispatches", "its message is lost", "DELETE FROM dispatches WHERE seq NOT IN (SELECT seq FROM messages)"),
    (
        "attempts",
        "its message is lost",
        "DELETE FROM attempts WHERE NOT EXISTS
            (SELECT 1 FROM dispatches d WHERE d.destination = attempts.destination AND d.seq = attempts.seq)",
    ),
    (
        "open_recipients",
        "its expectation is lost",
        "DELETE FROM open_recipients WHERE expectation_id NOT IN (SELECT id FROM expectations)",
    ),
];

/// Takes out what refers to nothing, and counts it.
pub(super) fn leave_out_orphans(conn: &Connection, unread: &mut Vec<Unread>) -> Result<(), LedgerError> {
    for (table, why, sql) in ORPHANS {
        let rows = conn.execute(sql, [])?;
        if rows > 0 {
            let rows = u64::try_from(rows).ok();
            unread.push(Unread { table: (*table).to_owned(), why: (*why).to_owned(), rows });
        }
    }
    Ok(())
}

/// What is derived from other rows: rows of events, heads of lanes, sources of dispatches, counts; and what events are found by of the
/// expectations that they were inserted with (the triggers see to the rest).
pub(super) fn recount(conn: &Connection) -> Result<(), LedgerError> {
    conn.execute_batch(
        "UPDATE deliveries SET event = (SELECT e.id FROM events e WHERE e.event_id = deliveries.event_id);
         UPDATE dispatches SET head = 0, state = iif(state = 'sending', 'due', state) WHERE head = 1 OR state = 'sending';
         UPDATE dispatches SET source = COALESCE(
            (SELECT e.source FROM messages m JOIN events e ON e.event_id = m.event_id WHERE m.seq = dispatches.seq), '')
         WHERE source = '';
         CREATE TABLE scratch.heads AS SELECT destination, lane, MIN(seq) AS seq FROM main.dispatches
            WHERE state IN ('due', 'sending') GROUP BY destination, lane;
         UPDATE dispatches SET head = 1
            WHERE (destination, seq) IN (SELECT destination, seq FROM scratch.heads);
         DELETE FROM counts;
         INSERT INTO counts SELECT 'event', state, COUNT(*) FROM events GROUP BY state;
         INSERT INTO counts SELECT 'outbox', destination, SUM(state IN ('due', 'sending'))
            FROM dispatches GROUP BY destination;
         INSERT INTO event_terms
         SELECT 'address', lower(f.term), e.received_us, e.id FROM (
            SELECT id, terms ->> '$.payer' AS term FROM expectations
            UNION SELECT x.id, a.value FROM expectations x, json_tree(x.terms, '$.accept') a
                WHERE a.key = 'token' OR a.path LIKE '%.recipients'
         ) f JOIN events e ON e.expectation_id = f.id WHERE f.term IS NOT NULL ON CONFLICT DO NOTHING;",
    )?;
    Ok(())
}

/// Every reference and every index of the whole file.
pub(super) fn check(conn: &Connection) -> Result<(), LedgerError> {
    let broken: Option<String> =
        conn.prepare("PRAGMA foreign_key_check")?.query_map([], |row| row.get(0))?.next().transpose()?;
    if let Some(table) = broken {
        return Err(LedgerError::Damaged(format!("the new ledger has a row of {table} that refers to nothing")));
    }
    let said: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if said != "ok" {
        return Err(LedgerError::Damaged(format!("the new ledger: {said}")));
    }
    Ok(())
}
