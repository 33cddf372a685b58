//! The ring keeps the newest within its bytes, and forgets rather than waits.

use std::path::Path;

use super::*;
use crate::testing::rejected;

fn ring(folder: &Path, source_bytes_max: u64) -> Ring {
    Ring::open(folder, source_bytes_max, Arc::new(Space::new(folder, 0))).expect("opens")
}

fn numbers(ring: &Ring, source: Option<&str>, limit: usize) -> Vec<i64> {
    ring.read(source, limit).expect("reads").iter().map(|rejected| rejected.received_us).collect()
}

#[test]
fn requests_come_back_newest_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let ring = ring(folder.path(), 1024 * 1024);
    for n in 1..=6 {
        let source = if n % 2 == 0 { "even" } else { "odd" };
        ring.push(rejected(n, source, Bytes::from_static(b"{}")));
    }
    ring.close();
    assert_eq!(numbers(&ring, None, 100), [6, 5, 4, 3, 2, 1]);
    assert_eq!(numbers(&ring, None, 2), [6, 5]);
    assert_eq!(numbers(&ring, Some("even"), 100), [6, 4, 2]);
    assert!(numbers(&ring, Some("none"), 100).is_empty());
    assert_eq!(ring.read(Some("odd"), 1).expect("reads"), [rejected(5, "odd", Bytes::from_static(b"{}"))]);
    assert_eq!(ring.dropped(), 0);
}

#[test]
fn the_oldest_of_a_source_make_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let body = Bytes::from(vec![b'x'; 10_000]);
    // Three bodies and what is stored with them fit, four do not.
    let shelf = shelf_in(folder.path().join(FOLDER), 35_000).expect("opens");
    assert_eq!(shelf.keep(rejected(1, "quiet", body.clone())), Ok(Kept::Yes));
    for n in 2..=50 {
        assert_eq!(shelf.keep(rejected(n, "loud", body.clone())), Ok(Kept::Yes));
    }
    let kept = |source: &str| -> Vec<i64> {
        shelf.latest(source, 100).expect("reads").iter().map(|rejected| rejected.received_us).collect()
    };
    assert_eq!(kept("loud"), [50, 49, 48]);
    assert_eq!(kept("quiet"), [1], "a loud source takes nothing from a quiet one");
    assert_eq!(shelf.keep(rejected(51, "loud", Bytes::from(vec![b'x'; 35_000]))), Ok(Kept::TooLarge));
    drop(shelf);

    // The count goes on after a restart.
    let shelf = shelf_in(folder.path().join(FOLDER), 35_000).expect("opens");
    assert_eq!(shelf.keep(rejected(52, "loud", body)), Ok(Kept::Yes));
    let kept: Vec<i64> = shelf.latest("loud", 100).expect("reads").iter().map(|one| one.received_us).collect();
    assert_eq!(kept, [52, 50, 49]);
    assert_eq!(shelf.sources(), ["loud", "quiet"]);
}

#[test]
fn a_long_body_is_kept_as_its_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let ring = ring(folder.path(), 10 * 1024 * 1024);
    let body: Bytes = (0..=255).cycle().take(BODY_BYTES_MAX + 1).collect::<Vec<u8>>().into();
    ring.push(rejected(1, "a", body.clone()));
    ring.push(rejected(2, "a", body.slice(..BODY_BYTES_MAX)));
    ring.close();
    let kept = ring.read(None, 10).expect("reads");
    assert_eq!(kept[1].body, body.slice(..BODY_BYTES_MAX));
    assert_eq!(kept[1].body_complete, BodyComplete::Prefix);
    assert_eq!(kept[0].body_complete, BodyComplete::Whole);
}

#[test]
fn what_cannot_be_kept_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let small = ring(folder.path(), 1_000);
    small.push(rejected(1, "a", Bytes::from(vec![0; 1_000])));
    small.close();
    assert_eq!((small.dropped(), numbers(&small, None, 10)), (1, vec![]));
    small.push(rejected(2, "a", Bytes::new()));
    assert_eq!(small.dropped(), 2, "a closed ring keeps nothing");
    drop(small);

    let full_disk = Arc::new(Space::new(folder.path(), u64::MAX));
    let ring = Ring::open(folder.path(), 1_000_000, full_disk).expect("opens");
    ring.push(rejected(3, "a", Bytes::new()));
    ring.close();
    assert_eq!((ring.dropped(), numbers(&ring, None, 10)), (1, vec![]), "the reserve is for the log");
}

#[test]
fn a_ring_that_cannot_be_read_is_begun_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(FOLDER);
    {
        let ring = ring(folder.path(), 1_000_000);
        ring.push(rejected(1, "a", Bytes::new()));
        ring.close();
    }
    std::fs::write(path.join("CURRENT"), "MANIFEST-000999\n").expect("writes");
    let ring = ring(folder.path(), 1_000_000);
    assert!(numbers(&ring, None, 10).is_empty());
    ring.push(rejected(2, "a", Bytes::new()));
    ring.close();
    assert_eq!(numbers(&ring, None, 10), [2]);
}
