//! The ring keeps the newest within its bytes, shares them between peers, and forgets rather than waits.

use std::path::Path;

use proptest::prelude::*;
use rocksdb::{IteratorMode, WriteBatch};

use super::rows::{Queue, Row, Usage};
use super::*;
use crate::testing::rejected;

fn ring(folder: &Path, source_bytes_max: u64) -> Ring {
    Ring::open(folder, source_bytes_max, Arc::new(Space::new(folder, 0))).expect("opens")
}

fn numbers(ring: &Ring, filter: &RejectedFilter, limit: usize) -> Vec<i64> {
    let page = ring.read(filter, None, limit).expect("reads");
    page.records.iter().map(|record| record.request.received_us).collect()
}

fn all() -> RejectedFilter {
    RejectedFilter::default()
}

fn of(source: &str) -> RejectedFilter {
    RejectedFilter { sources: vec![source.to_owned()], ..all() }
}

fn from(peer: &str) -> RejectedFilter {
    RejectedFilter { peer: Some(peer.to_owned()), ..all() }
}

fn shelf(folder: &Path, source_bytes_max: u64) -> Shelf {
    shelf_in(folder.join(FOLDER), source_bytes_max).expect("opens")
}

/// A body that counts for 10 000 bytes with what is stored beside it.
fn body() -> Bytes {
    Bytes::from(vec![b'x'; 9_500])
}

fn keep(shelf: &Shelf, n: u32, source: &str, peer: &str) {
    let one = NewRejected { peer: peer.to_owned(), ..rejected(n, source, body()) };
    assert_eq!(shelf.keep(one), Ok(Kept::Yes), "{n}");
}

fn kept(shelf: &Shelf, filter: &RejectedFilter) -> Vec<i64> {
    let page = shelf.search(filter, None, 1000).expect("reads");
    page.records.iter().map(|record| record.request.received_us).collect()
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
    assert_eq!(numbers(&ring, &all(), 100), [6, 5, 4, 3, 2, 1]);
    assert_eq!(numbers(&ring, &all(), 2), [6, 5]);
    assert_eq!(numbers(&ring, &of("even"), 100), [6, 4, 2]);
    assert!(numbers(&ring, &of("none"), 100).is_empty());
    let odd = ring.read(&of("odd"), None, 1).expect("reads");
    assert_eq!(odd.records[0].request, rejected(5, "odd", Bytes::from_static(b"{}")));
    assert_eq!((odd.records[0].admitted_as, ring.dropped()), (None, 0));
}

#[test]
fn pages_follow_each_other_whatever_comes_meanwhile() {
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = shelf(folder.path(), 1024 * 1024);
    for n in 1..=5 {
        keep(&shelf, n, "a", "198.51.100.9");
    }
    let first = shelf.search(&all(), None, 2).expect("reads");
    assert_eq!(first.next, Some(Uuid::from_u128(4)));
    keep(&shelf, 6, "a", "198.51.100.9");
    let second = shelf.search(&all(), first.next, 2).expect("reads");
    let third = shelf.search(&all(), second.next, 2).expect("reads");
    let ids = |page: &RejectedPage| page.records.iter().map(|one| one.request.received_us).collect::<Vec<_>>();
    assert_eq!((ids(&first), ids(&second), ids(&third)), (vec![5, 4], vec![3, 2], vec![1]));
    assert_eq!(third.next, None);
}

#[test]
fn every_filter_leaves_out_what_it_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = shelf(folder.path(), 1024 * 1024);
    // One a second, ids as they are made from the time.
    let at = |n: u32| i64::from(n) * 1_000_000 + 500;
    for n in 1..=6_u32 {
        let one = NewRejected {
            id: Uuid::from_u128((u128::from(n) * 1000) << 80 | u128::from(n)),
            received_us: at(n),
            code: if n == 3 { "FORBIDDEN" } else { "SIGNATURE_MISMATCH" }.to_owned(),
            peer: if n == 4 { "2001:db8::1" } else { "198.51.100.9" }.to_owned(),
            ..rejected(n, if n < 3 { "a" } else { "b" }, Bytes::new())
        };
        assert_eq!(shelf.keep(one), Ok(Kept::Yes));
    }
    let found = |filter: RejectedFilter| -> Vec<i64> {
        kept(&shelf, &filter).into_iter().map(|received_us| received_us / 1_000_000).collect()
    };
    assert_eq!(found(all()), [6, 5, 4, 3, 2, 1]);
    assert_eq!(found(of("a")), [2, 1]);
    assert_eq!(found(RejectedFilter { sources: vec!["a".to_owned(), "b".to_owned()], ..all() }).len(), 6);
    assert_eq!(found(RejectedFilter { code: Some("FORBIDDEN".to_owned()), ..all() }), [3]);
    assert_eq!(found(from("2001:db8::1")), [4]);
    assert_eq!(found(RejectedFilter { since_us: Some(at(5)), ..all() }), [6, 5]);
    assert_eq!(found(RejectedFilter { since_us: Some(at(5) + 1), ..all() }), [6]);
    assert_eq!(found(RejectedFilter { until_us: Some(at(2)), ..all() }), [1]);
    assert_eq!(found(RejectedFilter { until_us: Some(at(2) + 1), ..all() }), [2, 1]);
    assert_eq!(found(RejectedFilter { since_us: Some(-1), until_us: Some(i64::MAX), ..all() }).len(), 6);
    assert_eq!(found(RejectedFilter { since_us: Some(at(3)), until_us: Some(at(5)), ..from("2001:db8::1") }), [4]);
}

#[test]
fn ids_are_found_by_their_range() {
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = shelf(folder.path(), 1024 * 1024);
    for n in 1..=5 {
        keep(&shelf, n, if n == 3 { "b" } else { "a" }, "198.51.100.9");
    }
    let ids = |low, high, limit| -> Vec<(u128, String)> {
        let found = shelf.ids(Uuid::from_u128(low), Uuid::from_u128(high), limit).expect("reads");
        found.into_iter().map(|(id, source)| (id.as_u128(), source)).collect()
    };
    assert_eq!(ids(2, 3, 9), [(2, "a".to_owned()), (3, "b".to_owned())]);
    assert_eq!(ids(4, u128::MAX, 1), [(4, "a".to_owned())]);
    assert!(ids(6, 9, 9).is_empty());
}

#[test]
fn a_request_is_found_by_its_id_and_marked_until_it_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (id, delivery) = (Uuid::from_u128(1), Uuid::from_u128(77));
    {
        let shelf = shelf(folder.path(), 25_000);
        keep(&shelf, 1, "a", "198.51.100.9");
        assert_eq!(shelf.find(id).expect("reads").expect("is there").admitted_as, None);
        assert_eq!(shelf.admitted(id, delivery), Ok(true));
        assert_eq!(shelf.admitted(Uuid::from_u128(2), delivery), Ok(false), "no such request");
    }
    let shelf = shelf(folder.path(), 25_000);
    let found = shelf.find(id).expect("reads").expect("is there");
    assert_eq!((found.request.received_us, found.admitted_as), (1, Some(delivery)), "the mark outlives a restart");
    assert_eq!(shelf.search(&all(), None, 9).expect("reads").records[0].admitted_as, Some(delivery));
    keep(&shelf, 2, "a", "198.51.100.9");
    assert_eq!(shelf.find(id), Ok(None));
    assert_eq!(shelf.admitted(id, delivery), Ok(false));
}

#[test]
fn the_oldest_of_a_source_make_room_and_other_sources_keep_theirs() {
    let folder = tempfile::tempdir().expect("a folder");
    // Six fit; three of one peer.
    let one = shelf(folder.path(), 65_000);
    keep(&one, 1, "quiet", "198.51.100.9");
    for n in 2..=50 {
        keep(&one, n, "loud", "198.51.100.9");
    }
    assert_eq!(kept(&one, &of("loud")), [50, 49, 48], "one peer holds at most half");
    assert_eq!(kept(&one, &of("quiet")), [1], "a loud source takes nothing from a quiet one");
    let large = rejected(51, "loud", Bytes::from(vec![b'x'; 32_500]));
    assert_eq!(one.keep(large), Ok(Kept::TooLarge));
    drop(one);

    // The count goes on after a restart.
    let one = shelf(folder.path(), 65_000);
    keep(&one, 52, "loud", "198.51.100.9");
    assert_eq!(kept(&one, &of("loud")), [52, 50, 49]);
}

/// A client by number; every fourth one is a /64 that changes its address with each request.
fn client(number: u32, n: u32) -> String {
    match number % 4 {
        0 => format!("2001:db8:0:{number:x}::{n:x}"),
        1 => format!("::ffff:198.51.100.{number}"),
        _ => format!("198.51.100.{number}"),
    }
}

#[test]
fn a_flood_from_some_peers_never_pushes_out_what_another_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    // A hundred fit.
    let mut shelf = shelf(folder.path(), 1_000_000);
    keep(&shelf, 1, "a", "203.0.113.7");
    for n in 2..=2_000 {
        keep(&shelf, n, "a", &client(n % 40, n));
        if n % 500 == 0 {
            drop(shelf);
            shelf = super::tests::shelf(folder.path(), 1_000_000);
        }
    }
    assert_eq!(kept(&shelf, &from("203.0.113.7")), [1]);
    let there = kept(&shelf, &of("a"));
    assert!((95..=100).contains(&there.len()), "{} entries", there.len());
    assert!(there[..60].iter().all(|n| 1_900 < *n), "of the flood the newest stay: {there:?}");
}

#[test]
fn one_peer_is_an_ipv4_address_or_an_ipv6_64() {
    let folder = tempfile::tempdir().expect("a folder");
    // Five fit; two of one peer.
    let shelf = shelf(folder.path(), 50_000);
    let mut n = 0;
    let mut send = |peer: &str| {
        n += 1;
        keep(&shelf, n, "a", peer);
    };
    for peer in ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::3"] {
        send(peer);
    }
    assert_eq!(kept(&shelf, &all()), [3, 2], "the third of one /64 takes the first's place");
    send("2001:db8:0:1::1");
    assert_eq!(kept(&shelf, &all()), [4, 3, 2], "another /64 does not");
    send("192.0.2.1");
    send("::ffff:192.0.2.1");
    assert_eq!(kept(&shelf, &all()), [6, 5, 4, 3, 2], "full");
    send("no address");
    send("no address");
    assert_eq!(kept(&shelf, &all()), [8, 7, 6, 4, 3], "those that hold two give up one, the mapped address among them");
    send("no address");
    assert_eq!(kept(&shelf, &all()), [9, 8, 6, 4, 3], "what is no address is a peer too");
}

#[test]
fn when_nobody_holds_much_the_oldest_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = shelf(folder.path(), 1_000_000);
    for n in 1..=400 {
        keep(&shelf, n, "a", &format!("198.51.{}.{}", n / 200, n % 200));
    }
    let there = kept(&shelf, &all());
    let newest: Vec<i64> = (1..=400).rev().collect();
    assert!(newest.starts_with(&there) && 95 <= there.len(), "{there:?}");
}

#[test]
fn nothing_is_left_behind_by_what_went() {
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = shelf(folder.path(), 300_000);
    for n in 1..=500 {
        keep(&shelf, n, if n % 3 == 0 { "a" } else { "b" }, &client(n % 7, n));
    }
    let there = u64::try_from(kept(&shelf, &all()).len()).expect("few");
    let rows = |name: &str| shelf.rows(name);
    assert_eq!((rows(rows::ENTRIES), rows(rows::IDS), rows(rows::QUEUES)), (there, there, 2 * there));
    assert!(rows(rows::PEERS) <= 14);
    for source in ["a", "b"] {
        let counted: u64 = shelf.charges(source);
        assert_eq!(shelf.usage(source).bytes, counted);
    }
}

#[test]
fn a_long_body_is_kept_as_its_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let ring = ring(folder.path(), 10 * 1024 * 1024);
    let body: Bytes = (0..=255).cycle().take(BODY_BYTES_MAX + 1).collect::<Vec<u8>>().into();
    ring.push(rejected(1, "a", body.clone()));
    ring.push(rejected(2, "a", body.slice(..BODY_BYTES_MAX)));
    ring.close();
    let kept = ring.read(&all(), None, 10).expect("reads").records;
    assert_eq!(kept[1].request.body, body.slice(..BODY_BYTES_MAX));
    assert_eq!(kept[1].request.body_complete, BodyComplete::Prefix);
    assert_eq!(kept[0].request.body_complete, BodyComplete::Whole);
}

#[test]
fn the_longest_request_fits_the_smallest_ring() {
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = shelf(folder.path(), 1024 * 1024);
    let headers = vec![(Bytes::from_static(b"x"), Bytes::from(vec![b'x'; 64 * 1024]))];
    let body = Bytes::from(vec![b'x'; BODY_BYTES_MAX]);
    for n in 1..=9 {
        let one = NewRejected { headers: headers.clone(), ..rejected(n, "a", body.clone()) };
        assert_eq!(shelf.keep(one), Ok(Kept::Yes));
    }
    assert_eq!(kept(&shelf, &all()), [9]);
}

#[test]
fn what_cannot_be_kept_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let small = ring(folder.path(), 1_000);
    small.push(rejected(1, "a", Bytes::from(vec![0; 1_000])));
    small.close();
    assert_eq!((small.dropped(), numbers(&small, &all(), 10)), (1, vec![]));
    small.push(rejected(2, "a", Bytes::new()));
    assert_eq!(small.dropped(), 2, "a closed ring keeps nothing");
    drop(small);

    let full_disk = Arc::new(Space::new(folder.path(), u64::MAX));
    let ring = Ring::open(folder.path(), 1_000_000, full_disk).expect("opens");
    ring.push(rejected(3, "a", Bytes::new()));
    ring.close();
    assert_eq!((ring.dropped(), numbers(&ring, &all(), 10)), (1, vec![]), "the reserve is for the log");
}

#[test]
fn a_ring_that_cannot_be_read_is_begun_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(FOLDER);
    for damage in ["CURRENT", "a later format"] {
        {
            let ring = ring(folder.path(), 1_000_000);
            ring.push(rejected(1, "a", Bytes::new()));
            ring.close();
            if damage != "CURRENT" {
                ring.shelf.set_format(&[200]);
            }
        }
        if damage == "CURRENT" {
            std::fs::write(path.join("CURRENT"), "MANIFEST-000999\n").expect("writes");
        }
        let ring = ring(folder.path(), 1_000_000);
        assert!(numbers(&ring, &all(), 10).is_empty(), "{damage}");
        ring.push(rejected(2, "a", Bytes::new()));
        ring.close();
        assert_eq!(numbers(&ring, &all(), 10), [2], "{damage}");
    }
}

/// A copy of the ring as the first release left it.
fn ring_of_the_first_release(folder: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ring-v1");
    let to = folder.join(FOLDER);
    std::fs::create_dir(&to).expect("a folder");
    for file in ["000004.log", "CURRENT", "IDENTITY", "MANIFEST-000005"] {
        std::fs::copy(from.join(file), to.join(file)).expect("copies");
    }
}

#[test]
fn the_ring_of_the_first_release_is_opened_and_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    ring_of_the_first_release(folder.path());
    for _ in 0..2 {
        let shelf = shelf(folder.path(), 1_000_000);
        let page = shelf.search(&all(), None, 10).expect("reads");
        let found: Vec<_> = page.records.iter().map(|one| (one.request.source.as_str(), &*one.request.peer)).collect();
        assert_eq!(found, [("rn-main", "198.51.100.10"), ("stripe-eu", "2001:db8::1"), ("rn-main", "198.51.100.9")]);
        assert!(page.records.iter().all(|one| one.request.http_version.is_none() && one.admitted_as.is_none()));
        let id = page.records[2].request.id;
        assert_eq!(shelf.find(id).expect("reads").expect("is there").request.body, "{\"n\":1}");
        assert_eq!((shelf.usage("rn-main").first, shelf.usage("rn-main").next), (0, 2));
        assert_eq!(shelf.usage("rn-main").bytes, shelf.charges("rn-main"));
    }
    // What was there before makes room like everything else.
    let shelf = shelf(folder.path(), 60_000);
    for n in 1..=5 {
        keep(&shelf, 1 << 20 | n, "rn-main", "198.51.100.9");
    }
    let peers = kept(&shelf, &from("198.51.100.9"));
    assert_eq!(peers.len(), 3, "half of the source's bytes");
    assert_eq!(kept(&shelf, &from("198.51.100.10")).len(), 1);
}

#[test]
fn an_upgrade_that_was_cut_short_is_done_again() {
    let folder = tempfile::tempdir().expect("a folder");
    {
        let shelf = shelf(folder.path(), 1_000_000);
        for n in 1..=5 {
            keep(&shelf, n, "a", &client(n, n));
        }
        shelf.cut_upgrade_short();
    }
    let shelf = shelf(folder.path(), 1_000_000);
    assert_eq!(kept(&shelf, &all()), [5, 4, 3, 2, 1]);
    assert_eq!((shelf.rows(rows::IDS), shelf.rows(rows::QUEUES), shelf.rows(rows::PEERS)), (5, 10, 5));
    assert_eq!(shelf.usage("a").bytes, shelf.charges("a"));
}

#[test]
fn rows_that_damage_has_parted_are_counted_anew_and_never_loop() {
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = shelf(folder.path(), 100_000);
    for n in 1..=8 {
        keep(&shelf, n, "a", if n % 2 == 0 { "192.0.2.1" } else { "192.0.2.2" });
    }
    for family in [rows::IDS, rows::QUEUES] {
        shelf.clear(family);
    }
    for n in 11..=40 {
        keep(&shelf, n, "a", if n % 2 == 0 { "192.0.2.1" } else { "192.0.2.3" });
    }
    let there = kept(&shelf, &all());
    // The peer that sends no more still counts for what is gone, until it holds most.
    assert_eq!(there[0], 40);
    assert!((6..=10).contains(&there.len()), "{there:?}");
}

impl Shelf {
    fn usage(&self, source: &str) -> Usage {
        self.locked().get(source).cloned().unwrap_or_default()
    }

    fn rows(&self, family: &str) -> u64 {
        let rows = self.db().iterator_cf(self.family(family), IteratorMode::Start);
        rows.filter_map(Result::ok).count().try_into().expect("few")
    }

    /// What the entries of a source count for, by their rows.
    fn charges(&self, source: &str) -> u64 {
        let rows = self.db().iterator_cf(self.family(rows::IDS), IteratorMode::Start);
        let rows = rows.map(|row| Row::read(&row.expect("reads").1).expect("a row"));
        rows.filter(|row| row.source == source).map(|row| row.bytes).sum()
    }

    fn clear(&self, family: &str) {
        let mut batch = WriteBatch::default();
        for row in self.db().iterator_cf(self.family(family), IteratorMode::Start) {
            batch.delete_cf(self.family(family), row.expect("reads").0);
        }
        self.db().write(batch).expect("writes");
    }

    fn set_format(&self, format: &[u8]) {
        self.db().put_cf(self.family(rows::META), rows::FORMAT_KEY, format).expect("writes");
    }

    /// As if the upgrade had come as far as some rows, one of them for an entry that is gone.
    fn cut_upgrade_short(&self) {
        self.db().delete_cf(self.family(rows::META), rows::FORMAT_KEY).expect("writes");
        self.clear(rows::PEERS);
        let stray = rows::numbered(&rows::queue(b"\0\x01a", Queue::Source), 900);
        self.db().put_cf(self.family(rows::QUEUES), stray, [0; 16]).expect("writes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Against a plain model: whatever is sent, nothing is over its limit, and who holds little loses nothing to who
    /// holds much.
    #[test]
    fn limits_hold_for_any_mix_of_peers(sends in prop::collection::vec((0..6_u32, 200..9_000_usize), 1..200)) {
        let folder = tempfile::tempdir().expect("a folder");
        let shelf = shelf(folder.path(), 60_000);
        for (n, (peer, size)) in (1..).zip(sends) {
            let one = NewRejected { peer: client(peer, n), ..rejected(n, "a", Bytes::from(vec![b'x'; size])) };
            prop_assert_eq!(shelf.keep(one), Ok(Kept::Yes));
            prop_assert!(shelf.charges("a") <= 60_000);
            prop_assert_eq!(shelf.usage("a").bytes, shelf.charges("a"));
            prop_assert!(shelf.usage("a").heavy.values().all(|bytes| *bytes <= 30_000));
            prop_assert_eq!(shelf.usage("a").heavy.values().sum::<u64>() <= shelf.usage("a").bytes, true);
        }
    }
}
