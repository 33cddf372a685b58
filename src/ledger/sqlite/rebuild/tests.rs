use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::ledger::sqlite::Sqlite;
use crate::ledger::{Ledger, Salvaged};

const NOW_US: i64 = 1_795_000_000_000_000;

fn by() -> Who {
    Who { name: "ann".to_owned(), from: "rebuild".to_owned(), reason: Some("a test".to_owned()) }
}

fn head() -> Cursor {
    Cursor { log_id: Uuid::from_u128(7), seq: 9, link: [9; 32] }
}

fn rebuilt(path: &Path) -> (Salvaged, Made, Vec<Unread>) {
    let mut draft = Draft::begin(path, NOW_US).expect("begins");
    let salvaged = draft.salvage(&mut |_, _| {}).expect("reads");
    draft.write_trace().expect("writes");
    let (made, unread) = draft.finish(head(), &by()).expect("finishes");
    draft.swap("now").expect("swaps");
    (salvaged, made, unread)
}

fn one<T: rusqlite::types::FromSql>(path: &Path, sql: &str) -> T {
    Connection::open(path).expect("opens").query_row(sql, [], |row| row.get(0)).expect(sql)
}

#[tokio::test]
async fn a_ledger_of_the_first_release_is_kept_whole() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("ledger.db");
    let conn = Connection::open(&path).expect("made");
    conn.execute_batch(include_str!("../tests/v1.sql")).expect("the fixture");
    conn.execute_batch("DROP TRIGGER messages_keep_their_bytes; UPDATE messages SET body = CAST('{}' AS BLOB)")
        .expect("bodies as they are rendered");
    let tables = [
        "expectations",
        "open_recipients",
        "events",
        "deliveries",
        "identities",
        "claim_versions",
        "claim_objects",
        "transfer_claims",
        "expectation_payments",
        "trace",
        "messages",
        "dispatches",
        "attempts",
    ];
    let rows = |path: &Path| tables.map(|table| one::<i64>(path, &format!("SELECT COUNT(*) FROM {table}")));
    drop(conn);
    let before = rows(&path);
    let ledger_id: Vec<u8> = one(&path, "SELECT ledger_id FROM meta");
    let (salvaged, made, unread) = rebuilt(&path);
    assert_eq!((salvaged.unread, unread), (vec![], vec![]));
    assert_eq!(rows(&path), before);
    assert_eq!((made.ledger_id.as_bytes().as_slice(), made.epoch), (ledger_id.as_slice(), 1));
    assert_eq!(one::<i64>(&path, "SELECT COUNT(*) FROM dispatches WHERE source = ''"), 0);
    assert_eq!(one::<i64>(&folder.path().join("ledger.db.before-rebuild-now"), "PRAGMA user_version"), 1);
    // Guards are back, counts are true, and it opens as any other.
    let conn = Connection::open(&path).expect("opens");
    for (table, why) in [("identities", "never deleted"), ("trace", "never deleted"), ("messages", "never deleted")] {
        let refused = conn.execute(&format!("DELETE FROM {table}"), []).expect_err(table);
        assert!(refused.to_string().contains(why), "{refused}");
    }
    drop(conn);
    let wrong: i64 = one(
        &path,
        "SELECT COUNT(*) FROM counts WHERE kind = 'event' AND n <> (SELECT COUNT(*) FROM events WHERE state = name)",
    );
    assert_eq!(wrong, 0);
    let ledger = Sqlite::open(&path, &Clock::system()).expect("opens");
    assert_eq!(ledger.cursor().await.expect("reads"), Some(head()));
    assert_eq!(ledger.pauses().await.expect("reads").len(), 1);
}

#[test]
fn rows_between_damaged_pages_are_found_and_those_on_them_are_counted() {
    const ROWS: i64 = 20_000;
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("ledger.db");
    drop(Sqlite::open(&path, &Clock::system()).expect("made"));
    {
        let conn = Connection::open(&path).expect("opens");
        conn.execute_batch(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
             INSERT INTO audit (at_us, by_name, by_from, what, subject) SELECT i, 'ann', 'cli', 'test', 's' || i FROM n;"
        ))
        .expect("filled");
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("one file");
    }
    let size: i64 = one(&path, "PRAGMA page_size");
    let mut bytes = std::fs::read(&path).expect("reads");
    let size = usize::try_from(size).expect("small");
    // Leaves of the table: pages that hold these subjects, far from one another.
    let mut damaged = 0;
    for subject in ["s3000", "s9000", "s9500", "s17000"] {
        let at = bytes.windows(subject.len()).position(|found| found == subject.as_bytes()).expect("it is there");
        let page = at / size * size;
        bytes[page..page + size].fill(0x55);
        damaged += 1;
    }
    std::fs::write(&path, &bytes).expect("written");
    let (salvaged, _, _) = rebuilt(&path);
    let unread = salvaged.unread.iter().find(|unread| unread.table == "audit").expect("it says so");
    let kept: i64 = one(&path, "SELECT COUNT(*) FROM audit WHERE what = 'test'");
    assert!(damaged * 300 > ROWS - kept && kept < ROWS, "{kept} kept, {unread:?}");
    for there in [2_500, 6_000, 13_000, 19_000] {
        let found: i64 = one(&path, &format!("SELECT COUNT(*) FROM audit WHERE at_us = {there}"));
        assert_eq!(found, 1, "{there} lies on no damaged page");
    }
    // Numbers are followed without gaps.
    assert_eq!(one::<i64>(&path, "SELECT MAX(number) - COUNT(*) FROM audit"), 0);
}

#[test]
fn a_row_without_its_event_is_left_out_and_counted() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("ledger.db");
    Connection::open(&path).expect("made").execute_batch(include_str!("../tests/v1.sql")).expect("the fixture");
    let conn = Connection::open(&path).expect("opens");
    conn.execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM events").expect("spoiled");
    drop(conn);
    let (_, made, unread) = rebuilt(&path);
    assert_eq!((made.events, made.messages, made.transfer_claims), (0, 0, 0));
    for table in ["transfer_claims", "messages", "dispatches", "attempts", "identities", "deliveries"] {
        let found = unread.iter().find(|unread| unread.table == table);
        assert!(found.is_some_and(|unread| unread.rows > Some(0)), "{table}: {unread:?}");
    }
    assert!(made.expectations > 0, "what needs no event stays");
}

#[test]
fn a_message_whose_bytes_are_damaged_is_not_sent_and_keeps_its_history() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("ledger.db");
    // Bodies of the fixture are no JSON.
    Connection::open(&path).expect("made").execute_batch(include_str!("../tests/v1.sql")).expect("the fixture");
    let count = |of: &str| one::<i64>(&path, &format!("SELECT COUNT(*) FROM {of}"));
    let waiting = "dispatches WHERE state IN ('due', 'sending')";
    let (messages, attempts) = (count("messages"), count("attempts"));
    assert!(count(waiting) > 0);
    let (salvaged, made, _) = rebuilt(&path);
    assert!(salvaged.unread.iter().any(|unread| unread.table == "messages to be sent"), "{salvaged:?}");
    assert_eq!((made.due, count(waiting)), (0, 0));
    assert_eq!((count("messages"), count("attempts")), (messages, attempts));
}

#[test]
fn a_ledger_of_a_newer_program_is_left_alone() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("ledger.db");
    drop(Sqlite::open(&path, &Clock::system()).expect("made"));
    Connection::open(&path).expect("opens").pragma_update(None, "user_version", 99).expect("newer");
    let mut draft = Draft::begin(&path, NOW_US).expect("begins");
    let refused = draft.salvage(&mut |_, _| {}).expect_err("refused");
    assert!(matches!(refused, OpenError::Newer { found: 99, .. }), "{refused}");
}

#[test]
fn another_process_that_has_the_ledger_keeps_a_draft_out() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("ledger.db");
    let open = Sqlite::open(&path, &Clock::system()).expect("made");
    assert!(matches!(Draft::begin(&path, NOW_US), Err(OpenError::Locked { .. })));
    drop(open);
}
