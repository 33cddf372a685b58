//! Schemas of every version, and the copies that a restore makes.

use super::*;
use crate::ledger::sqlite::place::MIGRATIONS;
use crate::ledger::sqlite::renew;
use crate::model::{Code, EventState, WebhookId};

/// A ledger of the first release, with a row of every kind.
const V1: &str = include_str!("v1.sql");

fn v1() -> (TempDir, std::path::PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("ledger.db");
    let conn = Connection::open(&path).expect("made");
    conn.execute_batch("PRAGMA journal_mode = WAL").expect("as it was");
    conn.execute_batch(V1).expect("the fixture");
    drop(conn);
    (folder, path)
}

fn version(conn: &Connection) -> i64 {
    conn.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("a version")
}

/// Every row of the tables of version 1, in that version's columns.
fn rows_of_v1(conn: &Connection) -> Vec<String> {
    let original = Connection::open_in_memory().expect("made");
    original.execute_batch(V1).expect("the fixture");
    let names = |conn: &Connection, sql: &str| -> Vec<String> {
        let mut statement = conn.prepare(sql).expect("a statement");
        statement.query_map([], |row| row.get(0)).expect("names").collect::<Result<_, _>>().expect("names")
    };
    let mut rows = Vec::new();
    for table in names(&original, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name") {
        let columns = names(&original, &format!("SELECT name FROM pragma_table_info('{table}')"));
        let quoted = columns.iter().map(|column| format!("quote({column})")).collect::<Vec<_>>().join(" || ',' || ");
        rows.extend(names(conn, &format!("SELECT '{table}: ' || {quoted} FROM {table} ORDER BY 1")));
    }
    rows
}

#[tokio::test]
async fn a_ledger_of_version_1_migrates_and_keeps_everything() {
    let (_folder, path) = v1();
    let before = rows_of_v1(&Connection::open(&path).expect("opens"));
    assert!(before.len() > 60, "the fixture has rows: {}", before.len());
    let ledger = Sqlite::open(&path, &clock()).expect("migrates");
    let raw = Connection::open(&path).expect("opens");
    assert_eq!((version(&raw), rows_of_v1(&raw)), (6, before));
    assert_eq!(ledger.identity().await.expect("an identity").epoch, 0);
    let strays =
        "SELECT (SELECT COUNT(*) FROM trace t LEFT JOIN events e ON e.id = t.event WHERE e.event_id IS NOT t.event_id)
        + (SELECT COUNT(*) FROM deliveries d LEFT JOIN events e ON e.id = d.event WHERE e.event_id IS NOT d.event_id)";
    assert_eq!(raw.query_row(strays, [], |row| row.get::<_, i64>(0)).expect("counted"), 0, "each row finds its event");
    // It works where it stood: what was due is due, and what a pause holds is known by its source.
    assert_eq!(messages(&ledger, "default", T0 + 99 * S).await[0].webhook_id, first("b"));
    assert_eq!(messages(&ledger, "second", T0 + 99 * S).await[0].webhook_id, first("card"));
    let by = Who { name: "ada".to_owned(), from: "cli".to_owned(), reason: None };
    ledger.set_pause(PauseTarget::Source("stripe".to_owned()), true, by, T0).await.expect("paused");
    assert!(messages(&ledger, "second", T0 + 99 * S).await.is_empty());
    assert_eq!(messages(&ledger, "default", T0 + 99 * S).await.len(), 1);
    assert_eq!(stands(&ledger, "copy").await, (EventState::Ignored, Some(Code::Joined)));
    assert_eq!(ledger.changes(ChangeTable::Trace, 0, 99).await.expect("changes").len(), 13);
    let cursor = ledger.cursor().await.expect("read").expect("a cursor");
    let again = IntakeDelivery {
        delivery_id: uuid::Uuid::now_v7(),
        seq: 10,
        source: "rn".to_owned(),
        received_us: T0,
        body_sha256: word(1),
        event: Ok(Box::new(paid("a", "r1", 1))),
    };
    let to = Cursor { seq: 10, link: word(1010), ..cursor };
    let batch = IntakeBatch { from: Some(cursor), to, now_us: T0, deliveries: vec![again] };
    let taken = ledger.intake(batch).await.expect("taken");
    assert_eq!((taken[0].event_id, taken[0].new_event), (Some(id_of("a")), false));
    drop(ledger);
    drop(Sqlite::open(&path, &clock()).expect("opens again"));
}

#[test]
fn a_crash_while_migrating_leaves_the_old_version_or_the_new_one() {
    let (folder, path) = v1();
    let before = rows_of_v1(&Connection::open(&path).expect("opens"));
    let conn = Connection::open(&path).expect("opens");
    // Pages reach the file's log before the commit, as they do when a migration is larger than the cache.
    conn.execute_batch("PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN IMMEDIATE").expect("begun");
    let steps = MIGRATIONS.get(1..).expect("steps").join("\n");
    let statements = statements(&steps);
    assert!(statements.len() > 10, "{statements:?}");
    for next in statements.iter().map(Some).chain([None]) {
        let left = TempDir::new().expect("a folder");
        for name in ["ledger.db", "ledger.db-wal"] {
            std::fs::copy(folder.path().join(name), left.path().join(name)).expect("copied");
        }
        let after = left.path().join("ledger.db");
        let raw = Connection::open(&after).expect("opens");
        assert_eq!((version(&raw), rows_of_v1(&raw)), (1, before.clone()));
        drop(raw);
        drop(Sqlite::open(&after, &clock()).expect("migrates at the next start"));
        let raw = Connection::open(&after).expect("opens");
        assert_eq!((version(&raw), rows_of_v1(&raw)), (6, before.clone()));
        if let Some(statement) = next {
            conn.execute_batch(statement).expect("the next statement");
        }
    }
}

#[test]
fn a_state_is_checked_without_building_a_table_at_each_write() {
    let ((_folder, migrated), fresh) = (v1(), Bench::open());
    drop(Sqlite::open(&migrated, &clock()).expect("migrates"));
    for path in [migrated, fresh.path()] {
        let raw = Connection::open(&path).expect("opens");
        let tables = |sql: &str| {
            let mut plan = raw.prepare(&format!("EXPLAIN {sql}")).expect("a plan");
            let bound = vec![1; plan.parameter_count()];
            let steps =
                plan.query_map(rusqlite::params_from_iter(bound), |row| row.get::<_, String>(1)).expect("steps");
            steps.filter(|step| step.as_ref().is_ok_and(|step| step == "OpenEphemeral")).count()
        };
        assert_eq!(tables("UPDATE dispatches SET state = ?1 WHERE seq = ?2 AND destination = 'default'"), 0);
        // The index of anchors, for the row as it was and as it is; without an anchor neither is made.
        assert_eq!(tables("UPDATE events SET state = ?1, wait_reach = ?1 WHERE id = ?2"), 2);
        // Where there is a row to refuse it for.
        let all_refused = |sql: &str| match raw.execute(sql, []) {
            Ok(changed) => changed == 0 && path == fresh.path(),
            Err(error) => error.to_string().contains("CHECK constraint failed"),
        };
        assert!(all_refused("UPDATE events SET state = 'sent'"));
        assert!(all_refused("UPDATE events SET wait_reach = 'far'"));
        assert!(all_refused("UPDATE dispatches SET state = 'gone'"));
    }
}

/// A script's statements; a trigger's body ends with `END`.
fn statements(script: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut open = String::new();
    for line in script.lines().filter(|line| !line.trim_start().starts_with("--")) {
        open = format!("{open}{line}\n");
        let is_trigger = open.contains("CREATE TRIGGER");
        if line.ends_with(';') && (!is_trigger || line.ends_with("END;")) {
            found.push(std::mem::take(&mut open));
        }
    }
    found
}

#[tokio::test]
async fn rule_6_a_renewed_copy_numbers_its_messages_above_all_that_were() {
    let bench = Bench::open();
    let (ledger, mut log) = (bench.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1), event("thin", IntakeKind::Thin { until_us: T0 })]).await;
    sent(&*ledger, "a", 1, 100).await;
    let copy = bench.folder.path().join("copy.db");
    let identity = ledger.snapshot(&copy).await.expect("copied").identity;
    let restored = uuid::Uuid::now_v7();
    let start = Cursor { log_id: restored, seq: 0, link: word(0) };
    let by = Who { name: "ada".to_owned(), from: "cli".to_owned(), reason: Some("disk lost".to_owned()) };
    let renewed = renew(&copy, start, &by, T0 + S).expect("renewed");
    assert_eq!(renewed, LedgerIdentity { epoch: 1, ..identity });

    let ledger = Sqlite::open(&copy, &clock()).expect("opens");
    assert_eq!(ledger.identity().await.expect("an identity"), renewed);
    assert_eq!(ledger.cursor().await.expect("read"), Some(start));
    assert_eq!(ledger.pauses().await.expect("pauses")[0].target, PauseTarget::Forwarding);
    let told = ledger.audit(AuditFilter { limit: 9, ..AuditFilter::default() }).await.expect("audit");
    let what: Vec<_> = told.iter().map(|record| record.entry.what.as_str()).collect();
    assert_eq!(what, ["ledger.renew", "pause"]);
    // The log is read again from its start: nothing changes. What comes new is numbered in the new epoch.
    let mut log = Log { at: Some(start), id: restored };
    log.take(&ledger, vec![paid("a", "r1", 1), event("m", plain("card", &["default"]))]).await;
    let versions = [shown(&ledger, "a").await.event.state_version, shown(&ledger, "m").await.event.state_version];
    assert_eq!(versions, [1, 1_000_001]);
    let thin = due_one(&ledger, T0, "thin").await;
    let mut judged = confirm(&thin, 0, 0, 0);
    (judged.slots, judged.anchor) = (Vec::new(), None);
    let Confirmed::Sent { webhook_id, .. } = ledger.confirm(judged).await.expect("confirmed") else { panic!("sent") };
    assert_eq!(webhook_id, WebhookId { event: id_of("thin"), state_version: 1_000_001 });
    assert!(messages(&ledger, "default", T0 + 99 * S).await.is_empty(), "an operator chooses what to send");
    let by = Who { name: "ada".to_owned(), from: "cli".to_owned(), reason: None };
    ledger.set_pause(PauseTarget::Forwarding, false, by, T0 + S).await.expect("resumed");
    assert_eq!(messages(&ledger, "default", T0 + 99 * S).await.len(), 3);
    drop(ledger);
    assert_eq!(renew(&copy, start, &told[0].entry.by, T0).expect("again").epoch, 2);
    let nothing = renew(&bench.folder.path().join("nothing.db"), start, &told[0].entry.by, T0);
    assert!(matches!(nothing, Err(OpenError::Io { .. })), "it makes no ledger");
}

#[tokio::test]
async fn a_copy_is_for_the_owners_eyes_and_alone_in_its_folder() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::open();
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("copy.db");
    bench.ledger().snapshot(&path).await.expect("copied");
    assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
    let check: String = Connection::open(&path)
        .and_then(|conn| conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)))
        .expect("checked");
    assert_eq!(check, "ok");
    drop(Sqlite::open(&path, &clock()).expect("a ledger"));
}
