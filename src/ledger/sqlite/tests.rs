//! The conformance suite on this engine, and what only this engine promises.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;
use tempfile::TempDir;

use super::{OpenError, Sqlite};
use crate::clock::Clock;
use crate::ledger::conformance::fixtures::*;
use crate::ledger::conformance::{Rig, suite};
use crate::ledger::*;
use crate::model::{EventState, ExpectationState};

mod speed;
mod versions;

pub(in crate::ledger::sqlite) struct Bench {
    engine: Option<Arc<Sqlite>>,
    folder: TempDir,
}

impl Bench {
    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("ledger.db")
    }

    pub(in crate::ledger::sqlite) fn raw(&self) -> Connection {
        Connection::open(self.path()).expect("a second connection")
    }
}

fn clock() -> Clock {
    Clock::manual(Timestamp::from_microsecond(T0).expect("a time"))
}

impl Rig for Bench {
    fn open() -> Self {
        let folder = TempDir::new().expect("a folder");
        let engine = Sqlite::open(&folder.path().join("ledger.db"), &clock()).expect("opens");
        Self { engine: Some(Arc::new(engine)), folder }
    }

    fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::<Sqlite>::clone(self.engine.as_ref().expect("open"))
    }

    fn restart(mut self) -> Self {
        let engine = Arc::into_inner(self.engine.take().expect("open")).expect("nobody else holds it");
        drop(engine);
        self.engine = Some(Arc::new(Sqlite::open(&self.path(), &clock()).expect("opens again")));
        self
    }
}

suite!(Bench);

#[test]
fn a_second_engine_is_told_who_holds_the_file() {
    let bench = Bench::open();
    let Err(OpenError::Locked { holder, .. }) = Sqlite::open(&bench.path(), &clock()) else { panic!("must be locked") };
    assert_eq!(holder, format!("process {}", std::process::id()));
    drop(bench.restart());
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let mut bench = Bench::open();
    bench.engine = None;
    bench.raw().pragma_update(None, "user_version", 99).expect("set");
    let Err(OpenError::Newer { found, known, .. }) = Sqlite::open(&bench.path(), &clock()) else { panic!("newer") };
    assert_eq!((found, known), (99, 6));
    let found: i64 = bench.raw().query_row("PRAGMA user_version", [], |row| row.get(0)).expect("read");
    assert_eq!(found, 99);
}

#[test]
fn what_is_no_ledger_is_refused() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("ledger.db");
    std::fs::write(&path, b"this is no database, and long enough not to be an empty one").expect("written");
    assert!(matches!(Sqlite::open(&path, &clock()), Err(OpenError::Damaged { .. })));
    let taken = folder.path().join("other.db");
    Connection::open(&taken).and_then(|conn| conn.execute_batch("CREATE TABLE events (id)")).expect("made");
    assert!(matches!(Sqlite::open(&taken, &clock()), Err(OpenError::Damaged { .. })));
}

#[tokio::test]
async fn a_locked_database_is_unavailable_until_it_is_free() {
    let bench = Bench::open();
    let (ledger, mut log) = (bench.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let other = bench.raw();
    other.execute_batch("BEGIN EXCLUSIVE").expect("locked");
    let batch = log.batch(T0, vec![Ok(paid("b", "r2", 2))]);
    assert!(matches!(ledger.intake(batch.clone()).await, Err(LedgerError::Unavailable(_))));
    // Reading goes on.
    assert_eq!(due(&*ledger, T0).await.len(), 1);
    other.execute_batch("ROLLBACK").expect("free");
    assert_eq!(ledger.intake(batch).await.expect("taken").len(), 1);
    assert_eq!(due(&*ledger, T0).await.len(), 2);
}

#[tokio::test]
async fn a_missing_database_is_unavailable_until_it_is_back() {
    let bench = Bench::open();
    let (ledger, mut log) = (bench.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let names = ["ledger.db", "ledger.db-wal", "ledger.db-shm"];
    let away = bench.folder.path().join("away");
    std::fs::create_dir(&away).expect("made");
    let shift = |from: &std::path::Path, to: &std::path::Path| {
        for name in names {
            if from.join(name).exists() {
                std::fs::rename(from.join(name), to.join(name)).expect("moved");
            }
        }
    };
    shift(bench.folder.path(), &away);
    let batch = log.batch(T0, vec![Ok(paid("b", "r2", 2))]);
    assert!(matches!(ledger.intake(batch.clone()).await, Err(LedgerError::Unavailable(_))));
    assert!(matches!(ledger.cursor().await, Err(LedgerError::Unavailable(_))));
    // Another ledger in its place is not taken for it.
    drop(Sqlite::open(&away.join("other.db"), &clock()).expect("another"));
    std::fs::copy(away.join("other.db"), bench.path()).expect("put there");
    assert!(matches!(ledger.intake(batch.clone()).await, Err(LedgerError::Unavailable(_))));
    std::fs::remove_file(bench.path()).expect("removed");
    shift(&away, bench.folder.path());
    assert_eq!(ledger.intake(batch).await.expect("taken").len(), 1);
    assert_eq!(ledger.cursor().await.expect("cursor").map(|at| at.seq), Some(2));
}

#[tokio::test]
async fn a_full_disk_is_unavailable_until_there_is_room() {
    let bench = Bench::open();
    let (ledger, mut log) = (bench.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    // SQLite answers "full" at this bound exactly as it does at the disk's.
    let pages: i64 = bench.raw().query_row("PRAGMA page_count", [], |row| row.get(0)).expect("read");
    let engine = bench.engine.as_ref().expect("open");
    let bound = |pages: i64| {
        engine.write(move |conn| {
            let now: i64 = conn.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get(0))?;
            Ok(now)
        })
    };
    bound(pages).await.expect("bound");
    let big = (0..400).map(|n| Ok(paid(&format!("e{n}"), &format!("r{n}"), n))).collect();
    let batch = log.batch(T0, big);
    assert!(matches!(ledger.intake(batch.clone()).await, Err(LedgerError::Unavailable(_))));
    // The bound is the connection's: a fresh one is what recovery takes.
    assert_eq!(ledger.intake(batch).await.expect("taken").len(), 400);
    assert_eq!(due(&*ledger, T0).await.len(), 401);
}

#[tokio::test]
async fn what_the_promises_rest_on_cannot_be_deleted_or_changed() {
    let bench = Bench::open();
    let (ledger, mut log) = (bench.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    sent(&*ledger, "a", 1, 100).await;
    ledger.audit_add(an_entry()).await.expect("added");
    let raw = bench.raw();
    raw.execute("INSERT INTO identities SELECT identity, event_id FROM events", []).expect("one as a join leaves it");
    for table in ["identities", "transfer_claims", "messages", "trace", "audit"] {
        let refused = bench.raw().execute(&format!("DELETE FROM {table}"), []).expect_err("a trigger");
        assert!(refused.to_string().contains("never deleted"), "{refused}");
    }
    let changes = [
        "messages SET body = x'00'",
        "messages SET payment_id = NULL",
        "transfer_claims SET event_id = zeroblob(16)",
        "transfer_claims SET slot = 'log:8'",
        "trace SET code = 'HELD'",
        "trace SET to_state = 'held'",
        "audit SET reason = 'another'",
        "audit SET after = NULL",
    ];
    for change in changes {
        let refused = bench.raw().execute(&format!("UPDATE {change}"), []).expect_err("a trigger");
        assert!(refused.to_string().contains("never changes"), "{change}: {refused}");
    }
}

fn an_entry() -> AuditEntry {
    AuditEntry {
        at_us: T0,
        by: Who { name: "ada".to_owned(), from: "cli".to_owned(), reason: None },
        what: "pause".to_owned(),
        subject: None,
        event_id: None,
        before: None,
        after: None,
    }
}

#[tokio::test]
async fn the_database_itself_refuses_a_payment_of_two_events() {
    let bench = Bench::open();
    let (ledger, mut log) = (bench.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r2", 2)]).await;
    sent(&*ledger, "a", 1, 100).await;
    let change = "UPDATE events SET payment_id = (SELECT MAX(payment_id) FROM events)";
    let refused = bench.raw().execute(change, []).expect_err("one payment, one event");
    assert!(refused.to_string().contains("UNIQUE"), "{refused}");
}

#[tokio::test]
async fn the_database_itself_refuses_a_second_claim() {
    let bench = Bench::open();
    let (ledger, mut log) = (bench.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    sent(&*ledger, "a", 1, 100).await;
    let copy = |change: &str| {
        let columns = "event_id, chain_id, tx_hash, slot, block_hash, block_number, tx_index, amount, token, recipient, \
             payment_id, expectation_id, join_realm, join_reference, state, claimed_us";
        let values = columns.replace(change.split(" AS ").last().unwrap_or_default(), change);
        bench
            .raw()
            .execute(&format!("INSERT INTO transfer_claims ({columns}) SELECT {values} FROM transfer_claims"), [])
    };
    let refused = |change: &str| copy(change).expect_err("refused").to_string();
    assert!(refused("zeroblob(32) AS block_hash").contains("UNIQUE"));
    assert!(refused("zeroblob(32) AS tx_hash").contains("UNIQUE"));
    assert!(refused("NULL AS slot").contains("NOT NULL"));
    assert!(refused("'gone' AS state").contains("CHECK"));
}

#[test]
fn the_schema_spells_out_the_states_of_the_program() {
    let schema = include_str!("schema.sql");
    let listed = |table: &str| {
        let part = schema.split(&format!("CREATE TABLE {table} ")).nth(1).expect("a table");
        let set = part.split("CHECK (state IN (").nth(1).and_then(|rest| rest.split("))").next()).expect("a set");
        let mut names: Vec<_> = set.split(',').map(|name| name.trim().trim_matches('\'').to_owned()).collect();
        names.sort();
        names
    };
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    let of = |state: &EventState| state.to_string();
    assert_eq!(listed("events"), sorted(EventState::ALL.iter().map(of).collect()));
    let of = |state: &ExpectationState| state.to_string();
    assert_eq!(listed("expectations"), sorted(ExpectationState::ALL.iter().map(of).collect()));
}

#[tokio::test]
async fn what_was_answered_survives_a_copy_of_the_files() {
    // What a power cut leaves: the files as they are after the answer, without anything the engine still holds.
    let bench = Bench::open();
    let (ledger, mut log) = (bench.ledger(), Log::new());
    put(&*ledger, terms("order", "r1", 100)).await;
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    sent(&*ledger, "a", 1, 100).await;
    let copy = TempDir::new().expect("a folder");
    for name in ["ledger.db", "ledger.db-wal"] {
        std::fs::copy(bench.folder.path().join(name), copy.path().join(name)).expect("copied");
    }
    let after = Sqlite::open(&copy.path().join("ledger.db"), &clock()).expect("opens");
    assert_eq!(after.cursor().await.expect("cursor"), log.at);
    assert_eq!(messages(&after, "default", T0).await.len(), 1);
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_undo_its_command() {
    let bench = Bench::open();
    let (ledger, log) = (bench.ledger(), Log::new());
    let other = bench.raw();
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let batch = log.batch(T0, vec![Ok(paid("a", "r1", 1))]);
    let patience = Duration::from_millis(50);
    assert!(tokio::time::timeout(patience, ledger.intake(batch.clone())).await.is_err());
    other.execute_batch("ROLLBACK").expect("free");
    // Whether the abandoned call or this one took it in: once.
    ledger.intake(batch).await.expect("taken");
    assert_eq!(due(&*ledger, T0).await.len(), 1);
}
