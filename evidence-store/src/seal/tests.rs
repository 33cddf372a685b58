//! What is signed is what is stored, across restarts and removals.

use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::checkpoint::origin;
use crate::error::AppendError;
use crate::key::KeyError;
use crate::store::{SealError, Sealed, Store};
use crate::testing::{Fate, decision, delivery, facts, gated, open, options, seal_key};

const TIME: &str = "2026-11-21T03:00:00Z";

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Stores so many decisions in one commit, after one delivery.
async fn grow(store: &Store, n: u32, decisions: u32) {
    store.append(delivery(n)).await.expect("stored");
    let from = n * 10_000;
    store.append_decisions((from..from + decisions).map(decision).collect()).await.expect("stored");
}

fn sealed(store: &Store) -> Signed {
    loop {
        match store.seal(&seal_key(1), TIME).expect("seals") {
            Sealed::New(signed) => return signed,
            Sealed::Behind { done, head } => assert!(done < head),
            Sealed::Current => panic!("nothing to seal"),
        }
    }
}

/// The root by the definition, over what readers see.
fn root(store: &Store, size: u64) -> Hash {
    let mut range = Range::default();
    for record in store.read_after(0, usize::MAX, usize::MAX).expect("reads") {
        if record.seq <= size {
            range.push(leaf_of(&record)).expect("fits");
        }
    }
    range.root()
}

fn assert_proved(store: &Store, signed: &Signed, seqs: &[u64]) {
    let said = &signed.checkpoint;
    let paths = store.prove(seqs, said.size).expect("proves");
    for (seq, path) in seqs.iter().zip(&paths) {
        let leaf = leaf_of(&store.record(*seq).expect("reads").expect("is there"));
        assert!(merkle::verify_inclusion(&leaf, seq - 1, said.size, path, &said.root), "record {seq} of {}", said.size);
    }
}

#[tokio::test]
async fn a_checkpoint_is_signed_over_what_is_stored() {
    let folder = folder();
    let store = open(folder.path());
    assert_eq!(store.seal(&seal_key(1), TIME).expect("seals"), Sealed::Current, "nothing is not signed");
    assert_eq!(store.latest_checkpoint(), Ok(None));
    let mut all = Vec::new();
    for (n, decisions) in [(1, 0), (2, 254), (3, 0), (4, 300), (5, 20)] {
        grow(&store, n, decisions).await;
        let signed = sealed(&store);
        let said = &signed.checkpoint;
        assert_eq!((said.size, said.link), (store.head().seq, Some(store.head().link)));
        assert_eq!((said.root, said.time.as_deref()), (root(&store, said.size), Some(TIME)));
        assert_eq!(said.origin, origin(store.log_id()));
        let key = seal_key(1).verifier(&said.origin).expect("a name");
        assert_eq!(Checkpoint::open(signed.note.as_bytes(), &key).as_ref(), Ok(&signed));
        assert_eq!(store.seal(&seal_key(1), TIME).expect("seals"), Sealed::Current);
        assert_eq!(store.latest_checkpoint(), Ok(Some(signed.clone())));
        all.push(signed);
    }
    assert_eq!(tiles_stored(store.engine()), Ok(2));
    let last = all.last().expect("some").checkpoint.clone();
    for older in &all {
        let seqs: Vec<u64> = (1..=older.checkpoint.size).step_by(37).chain([older.checkpoint.size]).collect();
        assert_proved(&store, older, &seqs);
        let said = &older.checkpoint;
        let proof = store.consistency(said.size, last.size).expect("reads").expect("is older");
        assert!(merkle::verify_consistency(said.size, last.size, &proof, &said.root, &last.root), "{}", said.size);
        assert_eq!(store.root_at(said.size), Ok(Some(said.root)));
    }
    assert_eq!(store.consistency(last.size + 1, last.size), Ok(None));
    assert!(store.prove(&[last.size + 1], last.size).is_err() && store.prove(&[0], last.size).is_err());
    assert_eq!(store.root_at(last.size + 1), Ok(None));
}

#[tokio::test]
async fn sealing_goes_on_after_a_restart_and_over_many_calls() {
    let folder = folder();
    let store = open(folder.path());
    grow(&store, 1, 900).await;
    // As of a log of an earlier release, which was never sealed.
    let first = store.seal(&seal_key(1), TIME).expect("seals");
    assert_eq!(first, Sealed::Behind { done: 700, head: 901 });
    assert_eq!((store.latest_checkpoint(), tiles_stored(store.engine())), (Ok(None), Ok(2)));
    drop(store);
    let store = open(folder.path());
    let signed = sealed(&store);
    assert_eq!(signed.checkpoint.root, root(&store, 901));
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.seal(&seal_key(1), TIME).expect("seals"), Sealed::Current);
    grow(&store, 2, 200).await;
    let signed = sealed(&store);
    assert_eq!(signed.checkpoint.root, root(&store, 1102));
    assert_proved(&store, &signed, &[1, 256, 257, 700, 901, 902, 1024, 1025, 1102]);
}

#[tokio::test]
async fn removing_bytes_changes_no_root_and_no_proof() {
    let folder = folder();
    let store = open(folder.path());
    for n in 1..=5 {
        store.append(delivery(n)).await.expect("stored");
    }
    let before = sealed(&store);
    store.erase(delivery(2).id, facts("asked"), None).expect("erases");
    store.prune(vec![(delivery(4).id, None)], facts("old")).expect("prunes");
    assert_eq!(store.root_at(5), Ok(Some(before.checkpoint.root)));
    assert_proved(&store, &before, &[1, 2, 3, 4, 5]);
    let after = sealed(&store);
    assert_eq!(after.checkpoint.size, 7, "what was removed is said");
    assert_proved(&store, &after, &[2, 4, 6, 7]);
    drop(store);
    assert_eq!(open(folder.path()).seal(&seal_key(1), TIME).expect("seals"), Sealed::Current);
}

/// Writes past the writer, as somebody with access to the folder could.
pub(crate) fn put(store: &Store, family: &str, key: &[u8], value: &[u8]) {
    let mut batch = rocksdb::WriteBatch::default();
    batch.put_cf(store.engine().family(family).expect("is there"), key, value);
    store.engine().write_unsynced(batch).expect("writes");
}

#[tokio::test]
async fn nothing_is_signed_over_another_history() {
    let folder = folder();
    let store = open(folder.path());
    grow(&store, 1, 3).await;
    let signed = sealed(&store);
    // The same size, as another log would have signed it.
    let other = Checkpoint { root: [9; 32], ..signed.checkpoint.clone() }.sign(&seal_key(1)).expect("signs");
    put(&store, keys::CHECKPOINTS, &4_u64.to_be_bytes(), other.note.as_bytes());
    drop(store);
    let store = open(folder.path());
    grow(&store, 2, 1).await;
    let refused = store.seal(&seal_key(1), TIME);
    assert!(matches!(refused, Err(SealError::Differs { size: 4 })), "{refused:?}");
    assert_eq!(store.latest_checkpoint().expect("reads").expect("is there").checkpoint.size, 4);

    // One over more records than there are.
    let more = Checkpoint { size: 1000, ..signed.checkpoint }.sign(&seal_key(1)).expect("signs");
    put(&store, keys::CHECKPOINTS, &1000_u64.to_be_bytes(), more.note.as_bytes());
    assert!(matches!(store.seal(&seal_key(1), TIME), Err(SealError::Differs { size: 1000 })));
}

#[tokio::test]
async fn a_checkpoint_that_was_not_fsynced_was_not_made() {
    let folder = folder();
    let (store, gate) = gated(options(folder.path()));
    let sealing = {
        let store = store.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(store.append(delivery(1))).expect("stored");
            store.seal(&seal_key(1), TIME)
        })
    };
    gate.wait();
    gate.decide(Fate::Commit);
    gate.wait();
    gate.decide(Fate::FailWrite);
    let refused = sealing.join().expect("no panic");
    assert!(matches!(refused, Err(SealError::Write(AppendError::Poisoned(_)))), "{refused:?}");
    assert_eq!(store.latest_checkpoint(), Ok(None));
}

#[tokio::test]
async fn of_old_checkpoints_the_last_of_each_hour_stays() {
    let folder = folder();
    let store = open(folder.path());
    let times = ["T01:10", "T01:20", "T01:30", "T02:10", "T02:20", "T03:10", "T03:20", "T03:30", "T03:40", "T03:50"];
    for (n, time) in (1_u32..).zip(times) {
        store.append(delivery(n)).await.expect("stored");
        store.seal(&seal_key(1), &format!("2026-11-21{time}:00Z")).expect("seals");
    }
    let kept = |after, limit| -> Vec<u64> {
        store.checkpoints(after, limit).expect("reads").iter().map(|signed| signed.checkpoint.size).collect()
    };
    assert_eq!(kept(0, 100), [3, 5, 6, 7, 8, 9, 10]);
    assert_eq!(kept(5, 2), [6, 7]);
}

#[tokio::test]
async fn a_key_that_signed_is_not_made_again() {
    let folder = folder();
    let path = folder.path().join("seal.key");
    let store = open(folder.path());
    let key = store.seal_key(&path).expect("makes it");
    grow(&store, 1, 1).await;
    store.seal(&key, TIME).expect("seals");
    let moved = |to: &Path| std::fs::rename(&path, to).expect("moves");
    moved(&folder.path().join("elsewhere"));
    let refused = store.seal_key(&path).expect_err("refused");
    assert!(matches!(&refused, KeyError::Lost { .. }) && refused.to_string().contains("put it back"), "{refused}");
    assert!(!path.exists());
}
