//! What the indexes must give, measured by the plan and by counts instead of by a clock.

use super::*;
use crate::ledger::sqlite::rows::EVENT_COLUMNS;
use crate::ledger::sqlite::{follow, outbox, removal, scan};

fn plan(conn: &Connection, sql: &str) -> String {
    let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("a statement");
    let blanks = vec![rusqlite::types::Null; statement.parameter_count()];
    let lines = statement.query_map(rusqlite::params_from_iter(blanks), |row| row.get::<_, String>(3)).expect("a plan");
    lines.collect::<Result<Vec<_>, _>>().expect("lines").join("; ")
}

#[test]
fn finding_due_work_reads_an_index_in_its_order() {
    let bench = Bench::open();
    let conn = bench.raw();
    let due = plan(&conn, outbox::DUE);
    assert!(due.contains("dispatch_ready") && !due.contains("TEMP B-TREE") && !due.contains("SCAN"), "{due}");
    let of_source = plan(&conn, outbox::DUE_OF_SOURCE);
    assert!(of_source.contains("dispatch_of_source (destination=? AND source=?"), "{of_source}");
    assert!(!of_source.contains("TEMP B-TREE"), "{of_source}");
    let feed = plan(&conn, follow::FEED);
    assert!(feed.contains("PRIMARY KEY (destination=? AND seq>?)") && !feed.contains("TEMP B-TREE"), "{feed}");
    let kept = plan(&conn, removal::KEPT);
    assert!(kept.contains("delivery_kept (log_id=? AND source=? AND seq>?") && !kept.contains("TEMP B-TREE"), "{kept}");
    let targets = plan(&conn, scan::TARGETS);
    assert!(targets.contains("expectation_ended (updated_us>?)") && targets.contains("(chain_id=?)"), "{targets}");
    assert!(!targets.contains("SCAN x") && !targets.contains("SCAN n"), "{targets}");
    let by_scan = plan(&conn, scan::BY_SCAN);
    assert!(by_scan.contains("event_provider_type (provider_type=? AND received_us>?)"), "{by_scan}");
    let silent = plan(&conn, scan::SILENT);
    assert!(["SCAN x", "SCAN e", "SCAN c"].iter().all(|scan| !silent.contains(scan)), "{silent}");
    let promote = plan(&conn, outbox::PROMOTE);
    assert!(promote.contains("dispatch_behind (destination=? AND lane=?") && !promote.contains("SCAN d"), "{promote}");
    let events = plan(
        &conn,
        &format!(
            "SELECT {EVENT_COLUMNS} FROM events e WHERE e.due_us IS NOT NULL AND e.due_us <= 5
             ORDER BY e.due_us, e.id LIMIT 10"
        ),
    );
    assert!(events.contains("event_due") && !events.contains("TEMP B-TREE"), "{events}");
    let list = plan(&conn, "SELECT e.id FROM events e WHERE 1 ORDER BY e.received_us DESC, e.id DESC LIMIT 5");
    assert!(list.contains("event_received") && !list.contains("TEMP B-TREE"), "{list}");
}

#[tokio::test]
async fn a_long_backlog_in_few_lanes_gives_only_its_heads() {
    let bench = Bench::open();
    let (ledger, mut log) = (bench.ledger(), Log::new());
    let made = (0..3_000).map(|n| {
        let mut made = event(&format!("m{n}"), plain("card", &["default"]));
        made.facts.lane = format!("lane-{}", n % 7);
        made
    });
    log.take(&*ledger, made.collect()).await;
    let mut left = 3_000;
    for _ in 0..3 {
        let heads = messages(&*ledger, "default", T0).await;
        assert_eq!(heads.len(), 7);
        for head in heads {
            attempt(&*ledger, head.webhook_id, "default", T0, Next::Delivered).await;
            left -= 1;
        }
    }
    assert_eq!(ledger.stats(T0).await.expect("stats").outbox_due, [("default".to_owned(), left)]);
}

#[tokio::test]
async fn an_event_is_in_no_index_that_finds_it_by_another_way() {
    let bench = Bench::open();
    let (ledger, mut log) = (bench.ledger(), Log::new());
    let names = ["a", "b", "c"];
    log.take(&*ledger, names.map(|name| event(name, plain("card", &["default"]))).into()).await;
    let count = |of: &str| -> i64 {
        bench.raw().query_row(&format!("SELECT COUNT(*) FROM {of}"), [], |row| row.get(0)).expect("counted")
    };
    // Its own identity derives its id, and its id and version name its message.
    assert_eq!(count("identities"), 0);
    assert_eq!(count("messages WHERE webhook_id IS NOT NULL"), 0);
    // Alone in its lane.
    assert_eq!(count("dispatches INDEXED BY dispatch_behind WHERE state = 'due' AND head = 0"), 0);
    let again = log.take(&*ledger, names.map(|name| event(name, plain("card", &["default"]))).into()).await;
    assert!(again.iter().all(|taken| !taken.new_event && taken.event_id.is_some()), "{again:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_wait_share_a_commit() {
    let bench = Bench::open();
    let (ledger, mut log) = (bench.ledger(), Log::new());
    let names: Vec<_> = (0..200).map(|n| format!("m{n}")).collect();
    log.take(&*ledger, names.iter().map(|name| event(name, plain("card", &["default"]))).collect()).await;
    let before = changes(&bench);
    let mut tasks = tokio::task::JoinSet::new();
    for name in names {
        let ledger = Arc::clone(&ledger);
        tasks.spawn(async move { ledger.record_intent(intent(first(&name), "default", T0)).await.expect("intent") });
    }
    assert!(tasks.join_all().await.into_iter().all(|answer| answer == Intent::Go));
    let commits = changes(&bench) - before;
    assert!(commits < 200, "{commits} commits for 200 commands");
}

/// Commit frames of the write-ahead log: the database size is not zero in the last frame of a transaction.
fn changes(bench: &Bench) -> usize {
    let wal = std::fs::read(bench.folder.path().join("ledger.db-wal")).expect("a log");
    wal.get(32..)
        .unwrap_or_default()
        .chunks(24 + 4096)
        .filter(|frame| frame.get(4..8).is_some_and(|size| size != [0; 4]))
        .count()
}
