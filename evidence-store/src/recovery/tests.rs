//! Opening again, and refusing to.

use std::path::PathBuf;

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::link::Link;
use crate::store::Store;
use crate::testing::{
    GOLDEN_LINKS, LEDGER, decision, delivery, facts, golden_1, golden_2, open as open_store, options, unhex, with_body,
};

async fn filled(count: u32) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open_store(folder.path());
    for n in 1..=count {
        store.append(with_body(n, body(n))).await.expect("stored");
    }
    folder
}

fn body(n: u32) -> Bytes {
    Bytes::from(format!("{n}-").repeat(400))
}

fn refusal(folder: &Path) -> OpenError {
    match Store::open(options(folder)) {
        Ok(store) => panic!("opened with {:?}", store.head()),
        Err(error) => error,
    }
}

fn file(folder: &Path, extension: &str) -> PathBuf {
    let entries = fs::read_dir(folder.join(LOG_FOLDER)).expect("a folder");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| {
        path.extension().is_some_and(|found| found == extension) && 0 < path.metadata().expect("facts").len()
    });
    files.sort();
    files.pop().expect("a file")
}

fn engine(folder: &Path) -> Engine {
    open(folder).expect("opens").engine
}

#[tokio::test]
async fn a_log_goes_on_where_it_ended() {
    let folder = filled(0).await;
    let store = open_store(folder.path());
    assert_eq!(store.head(), Head { seq: 0, link: GENESIS });
    let log_id = store.log_id();
    assert_eq!(log_id.get_version_num(), 7);
    store.append(golden_1()).await.expect("stored");
    drop(store);

    let store = open_store(folder.path());
    assert_eq!((store.log_id(), store.head()), (log_id, Head { seq: 1, link: unhex(GOLDEN_LINKS[0]) }));
    assert_eq!(*store.subscribe().borrow(), 1);
    store.append(golden_2()).await.expect("stored");
    drop(store);

    let store = open_store(folder.path());
    assert_eq!((store.log_id(), store.head()), (log_id, Head { seq: 2, link: unhex(GOLDEN_LINKS[1]) }));
    assert_ne!(open_store(tempfile::tempdir().expect("a folder").path()).log_id(), log_id);
}

#[tokio::test]
async fn more_records_than_are_checked_at_the_start_open_too() {
    let folder = filled(u32::try_from(TAIL_RECORDS_MAX).expect("small") * 2).await;
    let store = open_store(folder.path());
    assert_eq!(store.read_after(0, 1000, usize::MAX).expect("reads").len(), TAIL_RECORDS_MAX * 2);
}

#[tokio::test]
async fn a_log_in_use_names_its_holder() {
    let folder = filled(1).await;
    let store = open_store(folder.path());
    let error = refusal(folder.path());
    assert!(matches!(error, OpenError::Locked { holder: Some(pid), .. } if pid == std::process::id()), "{error}");
    assert!(error.to_string().contains(&format!("process {}", std::process::id())));
    drop(store);
    assert_eq!(open_store(folder.path()).head().seq, 1);
}

#[tokio::test]
async fn a_lock_that_only_rocksdb_knows_is_a_lock() {
    let folder = filled(1).await;
    let path = folder.path().join(LOG_FOLDER);
    let elsewhere = tempfile::tempdir().expect("a folder");
    let _held = Engine::open(&path, Holder::take(elsewhere.path()).expect("free")).expect("opens");
    assert!(matches!(refusal(folder.path()), OpenError::Locked { holder: None, .. }));
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a file");
    fs::write(&path, "x").expect("writes");
    let error = refusal(&path);
    assert!(matches!(error, OpenError::Io { .. }), "{error}");
    assert!(error.to_string().contains("a file"), "{error}");
}

/// Recovery writes what the write-ahead log holds to its final place, which takes room.
#[test]
fn a_disk_without_room_to_open_says_how_much_to_free() {
    let rocksdb = std::io::Error::other("IO error: No space left on device: While appending to file: 000011.blob");
    for source in [std::io::Error::from(std::io::ErrorKind::StorageFull), rocksdb] {
        let error = OpenError::Io { path: "/data/evidence/log".into(), source }.to_string();
        assert!(error.contains("/data/evidence/log") && error.contains("Free 256 MiB"), "{error}");
    }
}

#[tokio::test]
async fn later_formats_and_families_are_newer() {
    let folder = filled(1).await;
    {
        let engine = engine(folder.path());
        let mut batch = WriteBatch::default();
        batch.put_cf(engine.family(keys::META).expect("is there"), keys::FORMAT_KEY, [keys::FORMAT + 1]);
        engine.write_synced(batch).expect("writes");
    }
    assert!(matches!(refusal(folder.path()), OpenError::Newer { what, .. } if what == "format 3"));

    let folder = filled(1).await;
    {
        let path = folder.path().join(LOG_FOLDER);
        let mut options = rocksdb::Options::default();
        options.create_missing_column_families(true);
        let families = keys::FAMILIES.into_iter().chain(["later"]);
        drop(rocksdb::DB::open_cf(&options, path, families).expect("opens"));
    }
    assert!(matches!(refusal(folder.path()), OpenError::Newer { what, .. } if what.contains("later")));
}

#[tokio::test]
async fn a_log_without_its_id_is_damaged() {
    let folder = filled(1).await;
    {
        let engine = engine(folder.path());
        let mut batch = WriteBatch::default();
        batch.delete_cf(engine.family(keys::META).expect("is there"), keys::LOG_ID_KEY);
        engine.write_synced(batch).expect("writes");
    }
    assert!(matches!(refusal(folder.path()), OpenError::Damaged { .. }));
}

#[tokio::test]
async fn a_gap_a_wrong_link_and_a_lost_id_near_the_end_are_damage() {
    let damages: [fn(&Engine, &mut WriteBatch); 4] = [
        |engine, batch| batch.delete_cf(engine.family(keys::RECORDS).expect("is there"), 4_u64.to_be_bytes()),
        |engine, batch| batch.delete_cf(engine.family(keys::RECORDS).expect("is there"), 1_u64.to_be_bytes()),
        |engine, batch| {
            let records = engine.family(keys::RECORDS).expect("is there");
            let third = engine.db().get_cf(records, 3_u64.to_be_bytes()).expect("reads").expect("is there");
            batch.put_cf(records, 4_u64.to_be_bytes(), third);
        },
        |engine, batch| batch.delete_cf(engine.family(keys::IDS).expect("is there"), delivery(5).id.as_bytes()),
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let folder = filled(5).await;
        {
            let engine = engine(folder.path());
            let mut batch = WriteBatch::default();
            damage(&engine, &mut batch);
            engine.write_synced(batch).expect("writes");
        }
        let error = refusal(folder.path());
        assert!(matches!(error, OpenError::Damaged { .. }), "damage {number}: {error}");
    }
}

#[tokio::test]
async fn a_torn_end_of_the_write_ahead_log_is_let_go() {
    let folder = filled(5).await;
    let wal = file(folder.path(), "log");
    let length = wal.metadata().expect("facts").len();
    fs::OpenOptions::new().write(true).open(&wal).and_then(|file| file.set_len(length - 10)).expect("truncates");
    let store = open_store(folder.path());
    assert_eq!(store.head().seq, 4);
    assert_eq!(store.read_after(0, 10, usize::MAX).expect("reads").len(), 4);
    assert_eq!(store.append(with_body(6, body(6))).await.expect("stored").seq, 5);
    drop(store);
    assert_eq!(open_store(folder.path()).head().seq, 5);
}

#[tokio::test]
async fn damage_inside_the_write_ahead_log_is_refused_and_changes_nothing() {
    let folder = filled(5).await;
    let wal = file(folder.path(), "log");
    let whole = fs::read(&wal).expect("reads");
    for at in [whole.len() / 4, whole.len() / 2, whole.len() * 3 / 4] {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        fs::write(&wal, &flipped).expect("writes");
        for _ in 0..2 {
            let error = refusal(folder.path());
            assert!(matches!(error, OpenError::Damaged { .. }), "byte {at}: {error}");
        }
    }
    fs::write(&wal, &whole).expect("writes");
    assert_eq!(open_store(folder.path()).head().seq, 5);
}

#[tokio::test]
async fn damaged_and_lost_files_are_refused() {
    let flushed = async || {
        let folder = filled(5).await;
        {
            let engine = engine(folder.path());
            engine.db().flush_cf(engine.family(keys::RECORDS).expect("is there")).expect("flushes");
        }
        folder
    };
    let folder = flushed().await;
    let blob = file(folder.path(), "blob");
    let mut bytes = fs::read(&blob).expect("reads");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&blob, bytes).expect("writes");
    let error = refusal(folder.path());
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");

    for extension in ["sst", "blob"] {
        let folder = flushed().await;
        fs::remove_file(file(folder.path(), extension)).expect("removes");
        let error = refusal(folder.path());
        assert!(matches!(error, OpenError::Damaged { .. }), "{extension}: {error}");
    }

    // Without CURRENT, RocksDB alone would begin an empty log here.
    let folder = flushed().await;
    fs::remove_file(folder.path().join(LOG_FOLDER).join("CURRENT")).expect("removes");
    let error = refusal(folder.path());
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

/// A copy of a kept folder; `tests/fixtures/*/README.md` says how they were made.
fn fixture(format: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join(LOG_FOLDER);
    fs::create_dir(&log).expect("makes");
    for entry in fs::read_dir(Path::new("tests/fixtures").join(format).join("log")).expect("the fixture") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), log.join(entry.file_name())).expect("copies");
    }
    folder
}

fn format_of(engine: &Engine) -> Vec<u8> {
    let facts = engine.family(keys::META).expect("is there");
    engine.db().get_cf(facts, keys::FORMAT_KEY).expect("reads").expect("is there")
}

#[tokio::test]
async fn a_log_of_format_1_is_migrated_and_goes_on() {
    let folder = fixture("v1");
    let store = open_store(folder.path());
    assert_eq!(store.log_id().to_string(), LOG_ID);
    assert_eq!(store.head(), Head { seq: 2, link: unhex(GOLDEN_LINKS[1]) });
    assert_eq!(store.counts(), Counts { deliveries: 2, decisions: 0, stubs: 0 });
    let records = store.read_after(0, 10, usize::MAX).expect("reads");
    let entries: Vec<Entry> = records.into_iter().map(|record| record.entry).collect();
    assert_eq!(entries, [golden_1(), golden_2()].map(Entry::Delivery));
    assert_eq!(store.delivery(golden_2().id).expect("reads").expect("is there").seq, 2);
    assert_eq!(store.append(delivery(1)).await.expect("stored").seq, 3);
    assert_eq!(store.append_decisions(vec![decision(1)]).await, Ok(4));
    drop(store);
    assert_eq!(format_of(&engine(folder.path())), [2]);
    let store = open_store(folder.path());
    assert_eq!((store.head().seq, store.counts().deliveries), (4, 3));
}

#[test]
fn a_crash_between_the_families_and_the_format_is_no_harm() {
    let folder = fixture("v1");
    {
        // As far as RocksDB's opening goes: the families are made, nothing else is written.
        let path = folder.path().join(LOG_FOLDER);
        assert_eq!(Engine::families(&path).expect("reads").len(), 5);
        let engine = Engine::open(&path, Holder::take(folder.path()).expect("free")).expect("opens");
        assert_eq!(format_of(&engine), [1]);
    }
    for _ in 0..2 {
        let store = open_store(folder.path());
        assert_eq!((store.head().seq, store.counts().deliveries), (2, 2));
    }
}

#[test]
fn a_damaged_log_of_format_1_is_refused_and_not_migrated() {
    let folder = fixture("v1");
    {
        let path = folder.path().join(LOG_FOLDER);
        let engine = Engine::open(&path, Holder::take(folder.path()).expect("free")).expect("opens");
        let mut batch = WriteBatch::default();
        batch.delete_cf(engine.family(keys::RECORDS).expect("is there"), 1_u64.to_be_bytes());
        engine.write_synced(batch).expect("writes");
    }
    assert!(matches!(refusal(folder.path()), OpenError::Damaged { .. }));
    let path = folder.path().join(LOG_FOLDER);
    let engine = Engine::open(&path, Holder::take(folder.path()).expect("free")).expect("opens");
    assert_eq!(format_of(&engine), [1]);
}

/// A folder as the first release with format 2 left it.
#[tokio::test]
async fn a_log_of_format_2_is_opened() {
    let folder = fixture("v2");
    let store = open_store(folder.path());
    assert_eq!((store.log_id().to_string(), store.head().seq), (LOG_ID.to_owned(), 7));
    assert_eq!(store.counts(), Counts { deliveries: 0, decisions: 5, stubs: 2 });
    let records = store.read_after(0, 10, usize::MAX).expect("reads");
    let links: Vec<Link> = records.iter().take(2).map(|record| record.link).collect();
    assert_eq!(links, GOLDEN_LINKS.map(unhex), "no removal changed a link");
    let kinds: Vec<String> = records
        .iter()
        .map(|record| match &record.entry {
            Entry::Delivery(_) => "delivery".to_owned(),
            Entry::Decision(decision) => decision.kind.clone(),
            Entry::Stub(stub) => format!("{:?}", stub.why.what),
        })
        .collect();
    assert_eq!(kinds, ["Pruned", "Erased", "confirmed", "confirmed", "prune", "erase", "hold"]);
    assert_eq!(store.last_decision(LEDGER, 1, 1), Ok(Some(2)));
    let held: Vec<String> = store.holds().expect("reads").iter().map(|hold| hold.subject.to_string()).collect();
    assert_eq!(held, ["source:rn-main"]);
    assert_eq!(store.append(delivery(1)).await.expect("stored").seq, 8);
}

#[tokio::test]
async fn decisions_and_stubs_near_the_end_are_checked_as_deliveries_are() {
    let damages: [fn(&Engine, &mut WriteBatch); 4] = [
        |engine, batch| {
            batch.delete_cf(engine.family(keys::DECISIONS).expect("is there"), keys::decision(&decision(2).id));
        },
        |engine, batch| batch.delete_cf(engine.family(keys::IDS).expect("is there"), delivery(1).id.as_bytes()),
        |engine, batch| {
            let counts = Counts { deliveries: 2, decisions: 2, stubs: 0 }.encode();
            batch.put_cf(engine.family(keys::META).expect("is there"), keys::COUNTS_KEY, counts);
        },
        |engine, batch| batch.delete_cf(engine.family(keys::META).expect("is there"), keys::COUNTS_KEY),
    ];
    for damage in [None].into_iter().chain(damages.into_iter().map(Some)) {
        let folder = filled(2).await;
        let store = open_store(folder.path());
        store.append_decisions(vec![decision(1), decision(2)]).await.expect("stored");
        store.prune(vec![(delivery(1).id, None)], facts("old")).expect("prunes");
        drop(store);
        let Some(damage) = damage else {
            assert_eq!(open_store(folder.path()).head().seq, 5);
            continue;
        };
        {
            let engine = engine(folder.path());
            let mut batch = WriteBatch::default();
            damage(&engine, &mut batch);
            engine.write_synced(batch).expect("writes");
        }
        let error = refusal(folder.path());
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    }
}

const LOG_ID: &str = "01a1fb77-806c-70e9-81e9-32b42f62887a";
