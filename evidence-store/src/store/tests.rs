//! What goes in comes out, and nothing that was changed comes out at all.

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rocksdb::WriteBatch;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::*;
use crate::delivery::{Entry, SignatureRecord, Stored};
use crate::envelope::{self, Kind};
use crate::testing::{delivery, open, options, with_body};
use crate::{keys, link, meta};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

async fn filled(folder: &TempDir, count: u32) -> Store {
    let store = open(folder.path());
    for n in 1..=count {
        assert_eq!(store.append(delivery(n)).await.expect("stored").seq, u64::from(n));
    }
    store
}

fn any_delivery() -> impl Strategy<Value = NewDelivery> {
    let bytes = |max| proptest::collection::vec(any::<u8>(), 0..max).prop_map(Bytes::from);
    let headers = proptest::collection::vec((bytes(20), bytes(80)), 0..12);
    let texts = proptest::collection::vec(any::<String>(), 8);
    (headers, bytes(5000), texts, any::<i64>(), any::<Option<i64>>(), any::<u128>(), any::<Option<u128>>()).prop_map(
        |(headers, body, texts, received_us, signed_at, id, admitted)| NewDelivery {
            id: Uuid::from_u128(id),
            source: texts[0].clone(),
            request_id: texts[1].clone(),
            peer: texts[2].clone(),
            method: texts[3].clone(),
            target: texts[4].clone(),
            http_version: texts[5].clone(),
            received_us,
            headers,
            body_sha256: link::sha256(&body),
            body,
            signature: SignatureRecord { scheme: texts[6].clone(), secret_name: texts[7].clone(), signed_at },
            admitted_from: admitted.map(Uuid::from_u128),
        },
    )
}

#[test]
fn every_delivery_comes_back_byte_for_byte() {
    let folder = folder();
    let runtime = Runtime::new().expect("a runtime");
    let store = open(folder.path());
    let sent = Mutex::new(Vec::new());
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) });
    let outcome = runner.run(&any_delivery(), |delivery| {
        let receipt = runtime.block_on(store.append(delivery.clone())).expect("stored");
        prop_assert_eq!(receipt.delivery_id, delivery.id);
        let read = store.delivery(delivery.id).expect("reads").expect("is there");
        prop_assert_eq!(&read.entry, &Entry::Delivery(delivery.clone()));
        prop_assert_eq!((read.seq, Some(read.link)), (receipt.seq, store.link_at(receipt.seq).expect("reads")));
        sent.lock().expect("no panic").push(delivery);
        Ok(())
    });
    outcome.expect("holds");
    drop(store);
    let read = open(folder.path()).read_after(0, usize::MAX, usize::MAX).expect("reads");
    let read: Vec<NewDelivery> = read.into_iter().filter_map(|record| record.entry.into_delivery()).collect();
    assert_eq!(read, *sent.lock().expect("no panic"));
}

#[tokio::test]
async fn empty_and_large_bodies_come_back() {
    let folder = folder();
    let store = open(folder.path());
    let large: Bytes = (0..=255).cycle().take(1024 * 1024).collect::<Vec<u8>>().into();
    for (n, body) in [(1, Bytes::new()), (2, large)] {
        store.append(with_body(n, body.clone())).await.expect("stored");
        assert_eq!(
            store.delivery(delivery(n).id).expect("reads").expect("is there").entry,
            Entry::Delivery(with_body(n, body))
        );
    }
}

#[tokio::test]
async fn reads_stop_at_their_limits_and_go_on_from_there() {
    let folder = folder();
    let store = filled(&folder, 10).await;
    let seqs = |after, records, bytes| -> Vec<u64> {
        store.read_after(after, records, bytes).expect("reads").iter().map(|record| record.seq).collect()
    };
    assert_eq!(seqs(0, 3, usize::MAX), [1, 2, 3]);
    assert_eq!(seqs(3, 100, usize::MAX), [4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(seqs(4, 100, 1), [5], "one record at least");
    assert!(seqs(10, 100, usize::MAX).is_empty());
    assert!(seqs(11, 100, usize::MAX).is_empty());
    assert_eq!(store.delivery(delivery(11).id), Ok(None));
}

#[tokio::test]
async fn links_follow_from_each_other() {
    let folder = folder();
    let store = filled(&folder, 3).await;
    assert_eq!(store.link_at(0), Ok(Some([0; 32])));
    assert_eq!(store.link_at(4), Ok(None));
    assert_eq!(store.link_at(3), Ok(Some(store.head().link)));
    let records = store.read_after(0, 10, usize::MAX).expect("reads");
    let links: Vec<Option<Link>> = (1..=3).map(|seq| store.link_at(seq).expect("reads")).collect();
    assert_eq!(links, records.iter().map(|record| Some(record.link)).collect::<Vec<_>>());
    assert_ne!(links[0], links[1]);
}

fn stored(store: &Store, seq: u64) -> Vec<u8> {
    let family = store.0.engine.family(keys::RECORDS).expect("is there");
    store.0.engine.db().get_cf(family, seq.to_be_bytes()).expect("reads").expect("is there")
}

fn overwrite(store: &Store, seq: u64, value: &[u8]) {
    let mut batch = WriteBatch::default();
    batch.put_cf(store.0.engine.family(keys::RECORDS).expect("is there"), seq.to_be_bytes(), value);
    store.0.engine.write_unsynced(batch).expect("writes");
}

fn damaged_at<T: std::fmt::Debug>(result: Result<T, ReadError>) -> u64 {
    match result {
        Err(ReadError::Damaged { seq, .. }) => seq,
        other => panic!("damage was read as {other:?}"),
    }
}

#[tokio::test]
async fn a_flipped_bit_is_found_on_every_way_of_reading() {
    let folder = folder();
    let store = filled(&folder, 3).await;
    let whole = stored(&store, 2);
    for at in [0, 5, 9, 15, 20, 60, whole.len() - 1] {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        overwrite(&store, 2, &flipped);
        assert_eq!(damaged_at(store.delivery(delivery(2).id)), 2, "byte {at}");
        assert_eq!(damaged_at(store.read_after(0, 10, usize::MAX)), 2, "byte {at}");
        assert_eq!(damaged_at(store.link_at(2)), 2, "byte {at}");
    }
    overwrite(&store, 2, &whole);
    assert_eq!(store.read_after(0, 10, usize::MAX).expect("reads").len(), 3);
}

#[tokio::test]
async fn a_rewritten_record_is_found_by_the_chain() {
    let folder = folder();
    let store = filled(&folder, 3).await;
    let envelope = envelope::decode(&Bytes::from(stored(&store, 2))).expect("a record");

    // Another body with a right checksum: the digest in the meta says no.
    let mut rewritten = Vec::new();
    envelope::encode(&mut rewritten, Kind::Delivery, &envelope.link, &envelope.meta, b"{\"n\":3}").expect("fits");
    overwrite(&store, 2, &rewritten);
    assert_eq!(damaged_at(store.delivery(delivery(2).id)), 2);

    // Another meta that agrees with its body: the link says no.
    let (meta, body) = meta::of_delivery(NewDelivery { peer: "forged".to_owned(), ..delivery(2) });
    envelope::encode(&mut rewritten, Kind::Delivery, &envelope.link, &meta, &body).expect("fits");
    overwrite(&store, 2, &rewritten);
    assert_eq!(damaged_at(store.delivery(delivery(2).id)), 2);

    // With its own link made right, the record after it says no.
    let first = store.link_at(1).expect("reads").expect("is there");
    let forged = link::next(&first, &link::sha256(&meta), &link::sha256(&body));
    envelope::encode(&mut rewritten, Kind::Delivery, &forged, &meta, &body).expect("fits");
    overwrite(&store, 2, &rewritten);
    assert_eq!(damaged_at(store.read_after(0, 10, usize::MAX)), 3);
}

#[tokio::test]
async fn records_that_changed_places_or_are_gone_are_found() {
    let folder = folder();
    let store = filled(&folder, 3).await;
    let (first, second) = (stored(&store, 1), stored(&store, 2));
    overwrite(&store, 1, &second);
    overwrite(&store, 2, &first);
    assert_eq!(damaged_at(store.read_after(0, 10, usize::MAX)), 1);
    assert_eq!(damaged_at(store.delivery(delivery(2).id)), 2);
    overwrite(&store, 1, &first);

    let mut batch = WriteBatch::default();
    batch.delete_cf(store.0.engine.family(keys::RECORDS).expect("is there"), 2_u64.to_be_bytes());
    store.0.engine.write_unsynced(batch).expect("writes");
    assert_eq!(damaged_at(store.read_after(0, 10, usize::MAX)), 2);
    assert_eq!(damaged_at(store.read_after(1, 10, usize::MAX)), 2);
    assert_eq!(damaged_at(store.delivery(delivery(2).id)), 2);
    assert_eq!(damaged_at(store.link_at(2)), 2);
}

#[tokio::test]
async fn a_record_of_a_later_release_is_not_called_damaged() {
    let folder = folder();
    let store = filled(&folder, 2).await;
    let mut later = stored(&store, 2);
    later[4] = 2;
    overwrite(&store, 2, &later);
    let newer = |result: Result<Vec<Record>, ReadError>| matches!(result, Err(ReadError::Newer { seq: 2, .. }));
    assert!(newer(store.read_after(0, 10, usize::MAX)));
}

#[tokio::test]
async fn copies_beyond_the_limit_are_answered_with_the_last_one() {
    let folder = folder();
    let limited = || Store::open(Options { repeats_max: 2, ..options(folder.path()) }).expect("opens");
    let copy = |n| with_body(n, Bytes::from_static(b"captured"));
    let store = limited();
    for n in 1..=2 {
        assert_eq!(store.append(copy(n)).await.expect("stored").stored, Stored::New);
    }
    let size = store.head();
    drop(store);
    // The count survives a restart.
    let store = limited();
    for n in 3..=5 {
        let receipt = store.append(copy(n)).await.expect("answered");
        assert_eq!(receipt, Receipt { delivery_id: copy(2).id, seq: 2, stored: Stored::Repeat });
        assert_eq!(store.delivery(copy(n).id), Ok(None));
    }
    assert_eq!(store.head(), size);
    let apart = store.append_apart(copy(7), Some(b"msg_2")).await.expect("stored");
    assert_eq!(apart.stored, Stored::New, "the same bytes in another message");
    let elsewhere = NewDelivery { source: "other".to_owned(), ..copy(6) };
    assert_eq!(store.append(elsewhere).await.expect("stored").stored, Stored::New);
}

#[tokio::test]
async fn below_the_reserve_the_log_is_not_touched() {
    let folder = folder();
    let store = Store::open(Options { reserve_bytes: u64::MAX, ..options(folder.path()) }).expect("opens");
    let Err(AppendError::BelowReserve { free, reserve }) = store.append(delivery(1)).await else {
        panic!("the reserve was not kept");
    };
    assert!(0 < free && free < reserve);
    assert_eq!((reserve, store.head().seq), (u64::MAX, 0));
    assert!(matches!(store.health(), Health::BelowReserve { .. }));
    drop(store);
    // Not poison: with room again, it goes on.
    let store = Store::open(Options { reserve_bytes: 1, ..options(folder.path()) }).expect("opens");
    assert_eq!(store.health(), Health::Writable);
    assert!(store.append(delivery(1)).await.is_ok());
}

#[tokio::test]
async fn every_commit_is_one_sync_of_the_write_ahead_log() {
    let folder = folder();
    let store = open(folder.path());
    let before = store.0.engine.syncs();
    for n in 1..=5 {
        store.append(delivery(n)).await.expect("stored");
        assert_eq!(store.0.engine.syncs(), before + u64::from(n));
    }
}

#[tokio::test]
async fn sizes_are_told() {
    let folder = folder();
    let store = filled(&folder, 1).await;
    assert!(0 < store.disk_free().expect("known"));
    let before = store.size_bytes().expect("known");
    store.append(with_body(2, Bytes::from(vec![b'x'; 100_000]))).await.expect("stored");
    assert!(before + 100_000 <= store.size_bytes().expect("known"));
}

#[tokio::test]
async fn rejected_requests_are_not_in_the_log() {
    let folder = folder();
    let store = filled(&folder, 1).await;
    store.reject(crate::testing::rejected(9, "rn-main", Bytes::from_static(b"{}")));
    store.close();
    assert_eq!(store.rejected(&RejectedFilter::default(), None, 10).expect("reads").records.len(), 1);
    assert_eq!((store.head().seq, store.rejected_dropped()), (1, 0));
}
