//! Torn is let go; damaged is not. The logs are RocksDB's own.

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::error::OpenError;
use crate::recovery::LOG_FOLDER;
use crate::store::Store;
use crate::testing::{open, options, with_body};

/// Bodies without a zero, one of them longer than a block of RocksDB's log.
fn body(n: u32) -> Bytes {
    Bytes::from(vec![b'a' + u8::try_from(n).expect("small"); 100_000])
}

/// Three writes, and where the newest write-ahead log holds the last one: its beginning and the file's end.
async fn written() -> (TempDir, PathBuf, usize, usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    for n in 1..=2 {
        store.append(with_body(n, body(n))).await.expect("stored");
    }
    let wal = write_ahead_logs(&folder.path().join(LOG_FOLDER)).expect("reads").pop().expect("a log");
    let begins = fs::read(&wal).expect("reads").len();
    store.append(with_body(3, body(3))).await.expect("stored");
    drop(store);
    let ends = fs::read(&wal).expect("reads").len();
    (folder, wal, begins, ends)
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = fs::read(path).expect("reads");
    change(&mut bytes);
    fs::write(path, &bytes).expect("writes");
    bytes
}

fn page(n: usize) -> std::ops::Range<usize> {
    n * 4096..(n + 1) * 4096
}

fn refused(folder: &Path) {
    match Store::open(options(folder)) {
        Ok(store) => panic!("opened with {:?}", store.head()),
        Err(error) => assert!(matches!(error, OpenError::Damaged { .. }), "{error}"),
    }
}

#[tokio::test]
async fn any_missing_page_of_the_last_write_is_let_go_and_its_bytes_are_kept() {
    let (folder, wal, begins, ends) = written().await;
    let whole = fs::read(&wal).expect("reads");
    for missing in begins.div_ceil(4096)..ends / 4096 {
        let torn = change(&wal, |bytes| {
            bytes.clone_from(&whole);
            bytes[page(missing)].fill(0);
        });
        assert_eq!(state(&torn), State::InPieces(begins), "page {missing}");
    }
    let torn = change(&wal, |bytes| bytes[page(begins / 4096 + 3)].fill(0));
    let store = open(folder.path());
    assert_eq!(store.head().seq, 2);
    assert_eq!(store.read_after(0, 10, usize::MAX).expect("whole").len(), 2);
    let name = wal.file_name().expect("a name").to_str().expect("a name");
    let kept = fs::read(folder.path().join(format!("torn-{name}-{begins}"))).expect("it is kept");
    assert_eq!(kept, torn[begins..]);
    let seq = store.append(with_body(4, body(4))).await.expect("stored").seq;
    assert_eq!(seq, 3);
}

#[tokio::test]
async fn a_flipped_bit_of_the_last_write_is_damage() {
    let (folder, wal, begins, ends) = written().await;
    for at in [begins + 10, usize::midpoint(begins, ends), ends - 10] {
        let before = fs::read(&wal).expect("reads");
        change(&wal, |bytes| bytes[at] ^= 1);
        refused(folder.path());
        assert!(
            fs::read_dir(folder.path())
                .expect("reads")
                .all(|entry| { !entry.expect("an entry").file_name().to_string_lossy().starts_with("torn") })
        );
        fs::write(&wal, before).expect("writes");
    }
}

#[tokio::test]
async fn a_missing_page_before_the_last_write_is_damage() {
    let (folder, wal, begins, _) = written().await;
    let whole = fs::read(&wal).expect("reads");
    for missing in 2..begins / 4096 {
        let torn = change(&wal, |bytes| {
            bytes.clone_from(&whole);
            bytes[page(missing)].fill(0);
        });
        assert!(matches!(state(&torn), State::Damaged(_)), "page {missing}");
    }
    refused(folder.path());
}

#[tokio::test]
async fn a_log_that_is_whole_or_ends_early_is_left_to_rocksdb() {
    let (_folder, wal, begins, ends) = written().await;
    let whole = fs::read(&wal).expect("reads");
    for end in [0, begins, begins + 3, usize::midpoint(begins, ends), ends] {
        assert_eq!(state(&whole[..end]), State::Sound, "{end}");
    }
}
