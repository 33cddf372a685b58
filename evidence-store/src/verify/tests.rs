//! Each way to change a log, and what is said of it.

use rocksdb::WriteBatch;
use tempfile::TempDir;

use super::*;
use crate::checkpoint::Checkpoint;
use crate::delivery::Entry;
use crate::envelope::{self, Envelope, Kind};
use crate::link::{self, GENESIS};
use crate::merkle::Range;
use crate::seal;
use crate::store::Sealed;
use crate::testing::{decision, delivery, facts, open, seal_key};
use crate::{keys, meta};

const TIME: &str = "2026-11-21T03:00:00Z";

/// Deliveries 1 to 5, decisions to 300, then sealed; then 301 a delivery, 302 and 303 an erasure and a pruning, sealed.
async fn filled() -> (TempDir, Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    for n in 1..=5 {
        store.append(delivery(n)).await.expect("stored");
    }
    store.append_decisions((6..=300).map(decision).collect()).await.expect("stored");
    seal(&store);
    store.append(delivery(301)).await.expect("stored");
    store.erase(delivery(2).id, facts("asked"), None).expect("erases");
    store.prune(vec![(delivery(4).id, None), (delivery(5).id, None)], facts("old")).expect("prunes");
    seal(&store);
    (folder, store)
}

fn seal(store: &Store) -> Signed {
    match store.seal(&seal_key(1), TIME).expect("seals") {
        Sealed::New(signed) => signed,
        other => panic!("{other:?}"),
    }
}

fn whole(store: &Store) -> Scope {
    let key = seal_key(1).verifier(&crate::origin(store.log_id())).expect("a name");
    Scope { key: Some(key), ..Scope::default() }
}

fn verify(store: &Store, scope: &Scope) -> Report {
    store.verify(scope, &mut |_| ControlFlow::Continue(())).expect("reads")
}

fn finding(store: &Store) -> Finding {
    verify(store, &whole(store)).finding.expect("something is wrong")
}

fn stored(store: &Store, seq: u64) -> Vec<u8> {
    let family = store.engine().family(keys::RECORDS).expect("is there");
    store.engine().db().get_cf(family, seq.to_be_bytes()).expect("reads").expect("is there")
}

fn put(store: &Store, family: &str, key: &[u8], value: Option<&[u8]>) {
    let mut batch = WriteBatch::default();
    let family = store.engine().family(family).expect("is there");
    match value {
        Some(value) => batch.put_cf(family, key, value),
        None => batch.delete_cf(family, key),
    }
    store.engine().write_unsynced(batch).expect("writes");
}

fn put_record(store: &Store, seq: u64, value: &[u8]) {
    put(store, keys::RECORDS, &seq.to_be_bytes(), Some(value));
}

#[tokio::test]
async fn a_log_as_it_was_written_is_right() {
    let (_folder, store) = filled().await;
    let mut told = Vec::new();
    let report = store.verify(&whole(&store), &mut |done| {
        told.push(done);
        ControlFlow::Continue(())
    });
    let report = report.expect("reads");
    assert_eq!(report.finding, None);
    assert_eq!((report.from, report.to, report.verified_to, report.cancelled), (1, 303, 303, false));
    assert_eq!(report.counts, Counts { deliveries: 3, decisions: 297, stubs: 3 });
    assert_eq!((report.tiles, report.checkpoints, report.signatures), (1, 2, 2));
    assert!(told.is_sorted() && told.last() == Some(&303));

    for (from, to) in [(2, None), (257, None), (258, Some(300)), (300, Some(300)), (1, Some(1)), (304, None)] {
        let report = verify(&store, &Scope { from, to, ..whole(&store) });
        assert_eq!((report.finding, report.verified_to), (None, to.unwrap_or(303)), "{from} to {to:?}");
    }
    let report = store.verify(&whole(&store), &mut |_| ControlFlow::Break(())).expect("reads");
    assert_eq!((report.cancelled, report.finding, report.verified_to), (true, None, 64));
}

#[tokio::test]
async fn one_changed_byte_anywhere_in_a_record_is_named() {
    let (_folder, store) = filled().await;
    let right = stored(&store, 3);
    let Envelope { meta, body, .. } = envelope::apart(&right.clone().into()).expect("a record");
    let body_at = right.len() - body.len();
    for at in 0..right.len() {
        let mut bytes = right.clone();
        bytes[at] ^= 0x01;
        put_record(&store, 3, &bytes);
        let found = finding(&store);
        assert_eq!((found.seq, found.delivery_id), (3, Some(delivery(3).id)), "byte {at}: {found:?}");
        if body_at <= at {
            assert_eq!(found.wrong, Wrong::BodyChanged, "byte {at}");
            assert!(found.detail.contains(&delivery(3).id.to_string()), "{}", found.detail);
        } else if body_at - meta.len() <= at {
            assert!(
                matches!(found.wrong, Wrong::MetaChanged | Wrong::BodyChanged | Wrong::Reordered),
                "byte {at}: {found:?}"
            );
        }
    }
    put_record(&store, 3, &right);
    assert_eq!(verify(&store, &whole(&store)).finding, None);
}

#[tokio::test]
async fn a_removed_record_is_said_so() {
    let (_folder, store) = filled().await;
    let right = stored(&store, 3);
    put(&store, keys::RECORDS, &3_u64.to_be_bytes(), None);
    let found = finding(&store);
    assert_eq!((found.seq, found.wrong), (3, Wrong::Missing));
    assert!(found.detail.contains("record 3 is missing"), "{}", found.detail);
    put(&store, keys::RECORDS, &4_u64.to_be_bytes(), None);
    assert!(finding(&store).detail.contains("3 to 4"));
    put_record(&store, 3, &right);
    assert_eq!((finding(&store).seq, finding(&store).wrong), (4, Wrong::Missing));
}

#[tokio::test]
async fn records_in_each_others_place_are_named() {
    let (_folder, store) = filled().await;
    let (three, three_hundred_one) = (stored(&store, 3), stored(&store, 301));
    put_record(&store, 3, &three_hundred_one);
    put_record(&store, 301, &three);
    let found = finding(&store);
    assert_eq!((found.seq, found.wrong, found.delivery_id), (3, Wrong::Reordered, Some(delivery(301).id)));
    put_record(&store, 3, &three);
    let (a, b) = (stored(&store, 10), stored(&store, 11));
    put_record(&store, 10, &b);
    put_record(&store, 11, &a);
    assert_eq!((finding(&store).seq, finding(&store).wrong), (10, Wrong::Reordered));
}

/// Puts another body into a record, with right digests and checksum, and a link that follows.
fn rewrite(store: &Store, seq: u64, n: u32) -> crate::Link {
    let previous = store.link_at(seq - 1).expect("reads").expect("is there");
    let mut other = delivery(n);
    other.peer = "192.0.2.1".to_owned();
    let (meta, body) = meta::of_delivery(other);
    let link = link::next(&previous, &link::sha256(&meta), &link::sha256(&body));
    let mut bytes = Vec::new();
    envelope::encode(&mut bytes, Kind::Delivery, &link, &meta, &body).expect("fits");
    put_record(store, seq, &bytes);
    link
}

#[tokio::test]
async fn a_record_that_was_rewritten_breaks_the_chain() {
    let (_folder, store) = filled().await;
    rewrite(&store, 3, 3);
    let found = finding(&store);
    assert_eq!((found.seq, found.wrong), (4, Wrong::ChainBroken));
    assert!(found.detail.contains("record 3"), "{}", found.detail);
}

#[tokio::test]
async fn a_history_that_was_rewritten_to_its_end_is_told_by_its_checkpoints() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    for n in 1..=6 {
        store.append(delivery(n)).await.expect("stored");
        if n % 2 == 0 {
            seal(&store);
        }
    }
    let kept: Vec<Signed> = store.checkpoints(0, 10).expect("reads");
    for seq in 3..=6 {
        rewrite(&store, seq, u32::try_from(seq).expect("small"));
    }
    let found = finding(&store);
    assert_eq!((found.seq, found.wrong), (3, Wrong::Rewritten), "{}", found.detail);

    // Whoever has the key signs the new history as well: only what was kept elsewhere tells.
    let mut range = Range::default();
    for record in store.read_after(0, 10, usize::MAX).expect("reads") {
        range.push(seal::leaf_of(&record)).expect("fits");
        let said = &kept[0].checkpoint;
        let forged = Checkpoint { size: record.seq, root: range.root(), link: Some(record.link), ..said.clone() };
        let note = forged.sign(&seal_key(1)).expect("signs").note;
        put(&store, keys::CHECKPOINTS, &record.seq.to_be_bytes(), Some(note.as_bytes()));
    }
    assert_eq!(verify(&store, &whole(&store)).finding, None);
    let against = |outside: &Signed| verify(&store, &Scope { outside: Some(outside.clone()), ..whole(&store) });
    assert_eq!((against(&kept[0]).finding, against(&kept[0]).outside), (None, Some(2)), "it began there");
    for later in &kept[1..] {
        let found = against(later).finding.expect("another history");
        assert_eq!(found.wrong, Wrong::Rewritten);
    }
}

#[tokio::test]
async fn an_older_checkpoint_from_elsewhere_still_fits_and_a_newer_one_tells_of_a_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    store.append(delivery(1)).await.expect("stored");
    let older = seal(&store);
    store.append_decisions((2..=600).map(decision).collect()).await.expect("stored");
    let newer = seal(&store);
    for (from, to) in [(1, None), (300, None), (300, Some(400)), (1, Some(1))] {
        let scope = Scope { from, to, outside: Some(older.clone()), ..whole(&store) };
        let report = verify(&store, &scope);
        assert_eq!((report.finding, report.outside), (None, Some(1)), "{from} to {to:?}");
    }
    let before = Scope { outside: Some(newer.clone()), to: Some(300), ..whole(&store) };
    assert_eq!(verify(&store, &before).outside, None, "it is beyond the range");

    let longer = Checkpoint { size: 601, ..newer.checkpoint }.sign(&seal_key(1)).expect("signs");
    let found = verify(&store, &Scope { outside: Some(longer.clone()), ..whole(&store) }).finding.expect("a cut");
    assert_eq!((found.seq, found.wrong), (601, Wrong::CutOff));
    assert!(found.detail.contains("601 records") && found.detail.contains("ends at 600"), "{}", found.detail);
    put(&store, keys::CHECKPOINTS, &601_u64.to_be_bytes(), Some(longer.note.as_bytes()));
    assert_eq!(finding(&store).wrong, Wrong::CutOff, "one of its own tells as well");
}

#[tokio::test]
async fn a_wrong_tile_is_told_from_wrong_records() {
    let (_folder, store) = filled().await;
    put(&store, keys::TILES, &0_u64.to_be_bytes(), Some(&[7; 32]));
    let found = finding(&store);
    assert_eq!((found.seq, found.wrong), (1, Wrong::Tile));
    assert!(found.detail.contains("records 1 to 256"), "{}", found.detail);
}

#[tokio::test]
async fn a_checkpoint_that_is_not_the_keys_is_named() {
    let (_folder, store) = filled().await;
    let right = store.checkpoints(0, 1).expect("reads").remove(0);
    let key = 300_u64.to_be_bytes();
    let forged = right.note.replace(TIME, "2026-11-21T03:00:01Z");
    for note in [forged.as_str(), "nothing", ""] {
        put(&store, keys::CHECKPOINTS, &key, Some(note.as_bytes()));
        assert_eq!((finding(&store).seq, finding(&store).wrong), (300, Wrong::Checkpoint), "{note}");
    }
    // By another key: its root is compared, its signature cannot be.
    let other = right.checkpoint.sign(&seal_key(2)).expect("signs");
    put(&store, keys::CHECKPOINTS, &key, Some(other.note.as_bytes()));
    let report = verify(&store, &whole(&store));
    assert_eq!((report.finding, report.checkpoints, report.signatures), (None, 2, 1));
}

#[tokio::test]
async fn an_index_that_leads_elsewhere_is_named() {
    let (_folder, store) = filled().await;
    let id = *delivery(3).id.as_bytes();
    for (wrong, value) in [("elsewhere", Some(7_u64.to_be_bytes())), ("nowhere", None)] {
        put(&store, keys::IDS, &id, value.as_ref().map(|value| &value[..]));
        let found = finding(&store);
        assert_eq!((found.seq, found.wrong, found.delivery_id), (3, Wrong::Index, Some(delivery(3).id)), "{wrong}");
    }
    put(&store, keys::IDS, &id, Some(&3_u64.to_be_bytes()));
    put(&store, keys::IDS, &[9; 16], Some(&3_u64.to_be_bytes()));
    assert_eq!(finding(&store).wrong, Wrong::Index, "one more than there are deliveries");
    put(&store, keys::IDS, &[9; 16], None);
    put(&store, keys::DECISIONS, &keys::decision(&decision(20).id), None);
    assert_eq!((finding(&store).seq, finding(&store).wrong), (20, Wrong::Index));
}

#[tokio::test]
async fn a_delivery_that_nobody_removed_does_not_vanish_behind_a_stub() {
    let (_folder, store) = filled().await;
    let (right, pruned) = (stored(&store, 4), store.record(4).expect("reads").expect("is there"));
    let Entry::Stub(stub) = pruned.entry else { panic!("it was pruned") };
    let write = |seq: u64, link: &crate::Link, stub: &crate::Stub| {
        let (meta, body) = meta::of_stub(stub);
        let mut bytes = Vec::new();
        envelope::encode(&mut bytes, Kind::Stub, link, &meta, &body).expect("fits");
        put_record(&store, seq, &bytes);
    };
    let mut told = stub.clone();
    told.why.reason = "it was never there".to_owned();
    write(4, &pruned.link, &told);
    assert_eq!((finding(&store).seq, finding(&store).wrong), (4, Wrong::Stub), "another reason");
    let mut told = stub.clone();
    told.why.decision_seq = 10;
    write(4, &pruned.link, &told);
    assert_eq!((finding(&store).seq, finding(&store).wrong), (4, Wrong::Stub), "another decision");
    let mut told = stub.clone();
    told.received_us += 1;
    write(4, &pruned.link, &told);
    assert_eq!((finding(&store).seq, finding(&store).wrong), (4, Wrong::Stub), "another time");
    put_record(&store, 4, &right);
    assert_eq!(verify(&store, &whole(&store)).finding, None);

    // A stub in the place of a delivery that is still due to be there.
    let raw = store.raw(3).expect("reads").expect("is there");
    let mut made = stub;
    made.delivery_id = delivery(3).id;
    (made.meta_sha256, made.body_sha256) = (link::sha256(&raw.meta), link::sha256(&raw.body));
    write(3, &raw.link, &made);
    assert_eq!((finding(&store).seq, finding(&store).wrong), (3, Wrong::Stub));
}

#[test]
fn an_empty_log_is_right() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = verify(&open(folder.path()), &Scope::default());
    assert_eq!((report.from, report.to, report.verified_to, report.finding), (1, 0, 0, None));
    assert_eq!(GENESIS, [0; 32]);
}
