//! What is removed leaves a whole chain, a reason, and no byte on the disk.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::decision::{Decision, DecisionId, Named};
use crate::delivery::{Counts, Options};
use crate::testing::{decision, delivery, event, facts, open, options, stub_event, with_body};

/// A log with `count` deliveries, each followed by a decision about event `n % 3`.
async fn filled(count: u32) -> (TempDir, Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    for n in 1..=count {
        store.append(with_body(n, body(n))).await.expect("stored");
        store.append_decisions(vec![decision(n)]).await.expect("stored");
    }
    (folder, store)
}

/// Large enough for a blob file, and not compressible: its bytes can be looked for.
fn body(n: u32) -> Bytes {
    let mut word = u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::repeat_with(move || {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        word.to_be_bytes()
    });
    words.take(256).flatten().collect::<Vec<u8>>().into()
}

fn id(n: u32) -> Uuid {
    delivery(n).id
}

fn all(store: &Store) -> Vec<Record> {
    store.read_after(0, usize::MAX, usize::MAX).expect("a whole chain")
}

fn stub(store: &Store, n: u32) -> Stub {
    match store.delivery(id(n)).expect("reads").expect("is there").entry {
        Entry::Stub(stub) => stub,
        other => panic!("{other:?} is no stub"),
    }
}

/// Files under the folder that hold these bytes.
fn files_with(folder: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files_with(&path, bytes));
        } else if fs::read(&path).expect("reads").windows(bytes.len()).any(|window| window == bytes) {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn pruning_leaves_the_chain_and_what_a_ledger_must_know() {
    let (folder, store) = filled(5).await;
    let before = all(&store);
    let asked = vec![(id(2), Some(stub_event(2))), (id(4), None), (id(2), None), (id(99), None)];
    let pruned = store.prune(asked, facts("older than a year")).expect("prunes");
    assert_eq!((pruned.removed, pruned.gone, pruned.held), (vec![id(2), id(4)], vec![id(99)], vec![]));
    assert!(2 * 2048 <= pruned.bytes, "{}", pruned.bytes);
    let decision_seq = pruned.decision_seq.expect("a decision");
    assert_eq!((decision_seq, store.head().seq), (11, 11));
    assert_eq!(store.counts(), Counts { deliveries: 3, decisions: 6, stubs: 2 });

    let after = all(&store);
    let links = |records: &[Record]| records.iter().map(|record| (record.seq, record.link)).collect::<Vec<_>>();
    assert_eq!(links(&after[..10]), links(&before), "no link and no number changes");
    let expected = Stub {
        delivery_id: id(2),
        source: "rn-main".to_owned(),
        received_us: delivery(2).received_us,
        meta_sha256: link::sha256(&meta::of_delivery(with_body(2, body(2))).0),
        body_sha256: link::sha256(&body(2)),
        body_bytes: 2048,
        why: Why {
            what: Removed::Pruned,
            at_us: facts("").at_us,
            by: "ann".to_owned(),
            reason: "older than a year".to_owned(),
            decision_seq,
        },
        event: Some(stub_event(2)),
        meta: None,
    };
    assert_eq!(stub(&store, 2), expected);
    assert_eq!(stub(&store, 4).event, None);

    // The decision names each stub by its digest, so the chain covers what the stubs say.
    let Entry::Decision(decision) = after[10].entry.clone() else { panic!("no decision") };
    assert_eq!((decision.kind.as_str(), decision.id.ledger_id), (Decision::PRUNE, store.log_id()));
    assert_eq!((decision.id.table, decision.id.number), (DecisionId::LOG, decision_seq));
    let said = decision.of_log().expect("of the log");
    assert_eq!((said.by.as_str(), said.reason.as_str()), ("ann", "older than a year"));
    let digest = |seq| {
        let meta = store.raw(seq).expect("reads").expect("is there").meta;
        let hex = link::sha256(&meta).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Some(hex)
    };
    assert_eq!(
        said.records,
        [
            Named { seq: 3, delivery_id: id(2), stub_sha256: digest(3) },
            Named { seq: 7, delivery_id: id(4), stub_sha256: digest(7) },
        ]
    );
    let about = |subject| -> Vec<u64> {
        store.decisions_of(subject, 10).expect("reads").iter().map(|record| record.seq).collect()
    };
    assert_eq!((about(event(2)), about(id(4))), (vec![4, 10, 11], vec![11]));

    // Again changes nothing, and a restart finds it all.
    let again = store.prune(vec![(id(2), None)], facts("again")).expect("answers");
    assert_eq!((again.gone, again.decision_seq, store.head().seq), (vec![id(2)], None, 11));
    drop(store);
    let store = open(folder.path());
    assert_eq!((all(&store), store.counts().stubs), (after, 2));
}

#[tokio::test]
async fn erasing_keeps_the_headers_and_takes_the_body_off_the_disk() {
    let (folder, store) = filled(6).await;
    // What one event left is in the files, the write-ahead log, or both.
    store.0.engine.db().flush_cf(store.0.engine.family("records").expect("is there")).expect("flushes");
    store.append(with_body(50, body(50))).await.expect("stored");
    for n in [3, 50] {
        assert!(!files_with(folder.path(), &body(n)[100..200]).is_empty());
        let Erased::Now(erased) = store.erase(id(n), facts("asked"), Some(stub_event(n % 3))).expect("erases") else {
            panic!("was gone")
        };
        assert_eq!(erased, stub(&store, n));
        assert_eq!(erased.why.what, Removed::Erased);
        let meta = erased.meta.expect("the meta");
        assert_eq!(meta::delivery(meta, body(n)), Ok(with_body(n, body(n))), "headers and all");
        assert_eq!(files_with(folder.path(), &body(n)[100..200]), Vec::<PathBuf>::new());
    }
    assert_eq!(all(&store).len(), 15);
    for n in [1, 2, 4, 5, 6] {
        let read = store.delivery(id(n)).expect("reads").expect("is there");
        assert_eq!(read.entry, Entry::Delivery(with_body(n, body(n))), "the neighbours are whole");
    }
    assert!(matches!(store.erase(id(3), facts("again"), None), Ok(Erased::Before(stub)) if stub.why.reason == "asked"));
    assert_eq!(store.erase(id(77), facts("asked"), None), Err(ChangeError::Unknown(id(77))));
    drop(store);
    assert_eq!(all(&open(folder.path())).len(), 15);
    assert_eq!(files_with(folder.path(), &body(3)[100..200]), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn what_pruning_left_in_the_files_is_reclaimed_also_after_a_restart() {
    let (folder, store) = filled(8).await;
    store.0.engine.db().flush_cf(store.0.engine.family("records").expect("is there")).expect("flushes");
    store.prune((1..=3).map(|n| (id(n), None)).collect(), facts("old")).expect("prunes");
    store.prune(vec![(id(7), None)], facts("old")).expect("prunes");
    drop(store);
    let store = open(folder.path());
    for n in [1, 2, 3, 7] {
        assert!(!files_with(folder.path(), &body(n)[100..200]).is_empty());
    }
    assert_eq!(store.reclaim(), Ok(true));
    for n in [1, 2, 3, 7] {
        assert_eq!(files_with(folder.path(), &body(n)[100..200]), Vec::<PathBuf>::new(), "delivery {n}");
    }
    assert_eq!(store.reclaim(), Ok(false), "nothing is left to do");
    assert_eq!((all(&store).len(), store.counts().deliveries), (18, 4));
}

#[tokio::test]
async fn a_hold_keeps_what_it_names() {
    let (folder, store) = filled(4).await;
    let subjects = [Subject::Delivery(id(1)), Subject::Event(event(2)), Subject::Source("other".to_owned())];
    for subject in &subjects {
        let hold = store.hold(subject.clone(), facts("a lawsuit")).expect("holds");
        assert_eq!(store.hold(subject.clone(), facts("later")), Ok(hold), "the first hold stays");
        assert_eq!(store.is_held(subject), Ok(true));
    }
    let held = store.holds().expect("reads");
    assert_eq!(held.iter().map(|hold| hold.subject.clone()).collect::<Vec<_>>(), subjects);
    assert_eq!(held[0].facts, facts("a lawsuit"));
    assert_eq!(store.hold(Subject::Delivery(id(9)), facts("typo")), Err(ChangeError::Unknown(id(9))));

    let asked = vec![(id(1), None), (id(2), Some(stub_event(2))), (id(3), None)];
    let pruned = store.prune(asked, facts("old")).expect("answers");
    assert_eq!((pruned.held, pruned.removed), (vec![id(1), id(2)], vec![id(3)]));
    assert_eq!(store.erase(id(1), facts("asked"), None), Err(ChangeError::Held(subjects[0].clone())));
    let source = Subject::Source("rn-main".to_owned());
    store.hold(source.clone(), facts("all of it")).expect("holds");
    assert_eq!(store.erase(id(4), facts("asked"), None), Err(ChangeError::Held(source.clone())));

    drop(store);
    let store = open(folder.path());
    assert_eq!(store.holds().expect("reads").len(), 4);
    for subject in subjects.iter().chain([&source]) {
        assert_eq!(store.release(subject, facts("settled")), Ok(true));
        assert_eq!(store.release(subject, facts("settled")), Ok(false));
    }
    assert!(store.holds().expect("reads").is_empty());
    assert!(matches!(store.erase(id(1), facts("asked"), None), Ok(Erased::Now(_))));
    let kinds: Vec<String> = store
        .decisions_of(id(1), 10)
        .expect("reads")
        .into_iter()
        .filter_map(|record| match record.entry {
            Entry::Decision(decision) => Some(decision.kind),
            Entry::Delivery(_) | Entry::Stub(_) => None,
        })
        .collect();
    assert_eq!(kinds, [Decision::HOLD, Decision::RELEASE, Decision::ERASE]);
    assert_eq!(all(&store).len(), usize::try_from(store.head().seq).expect("small"));
}

#[tokio::test]
async fn an_archive_brings_back_what_was_pruned_and_nothing_else() {
    let (folder, store) = filled(4).await;
    let raw = store.raw(3).expect("reads").expect("is there");
    store.prune(vec![(id(1), Some(stub_event(1))), (id(2), None)], facts("old")).expect("prunes");
    store.erase(id(3), facts("asked"), None).expect("erases");
    let changed = with_body(1, body(9));
    let asked = [
        with_body(1, body(1)),
        changed,
        with_body(3, body(3)),
        with_body(4, body(4)),
        delivery(77),
        with_body(1, body(1)),
    ];
    let answers = store.rehydrate(asked.to_vec(), facts("an archive")).expect("answers");
    use Rehydrated::{AlreadyThere, Back, Differs, Erased as Gone, NoStub};
    assert_eq!(answers, [Back, Differs, Gone, AlreadyThere, NoStub, Back]);
    let answers = store.rehydrate_raw(vec![(raw.meta.clone(), raw.body.clone())], facts("an archive"));
    assert_eq!(answers, Ok(vec![Back]));
    assert_eq!(store.raw(3), Ok(Some(raw)), "byte for byte where it was");
    assert_eq!(store.counts(), Counts { deliveries: 3, decisions: 8, stubs: 1 });
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.delivery(id(1)).expect("reads").expect("is there").entry, Entry::Delivery(with_body(1, body(1))));
    assert_eq!(all(&store).len(), 12);
}

#[tokio::test]
async fn changes_work_below_the_reserve_and_are_bounded() {
    let (folder, store) = filled(2).await;
    drop(store);
    let store = Store::open(Options { reserve_bytes: u64::MAX, ..options(folder.path()) }).expect("opens");
    assert!(matches!(store.append_decisions(vec![decision(9)]).await, Err(AppendError::BelowReserve { .. })));
    assert_eq!(store.prune(vec![(id(1), None)], facts("full")).expect("prunes").removed, [id(1)]);
    assert_eq!(store.reclaim(), Ok(true));
    assert!(matches!(
        store.rehydrate(vec![with_body(1, body(1))], facts("too early")),
        Err(ChangeError::Append(AppendError::BelowReserve { .. }))
    ));
    let many = vec![(id(1), None); Store::CHANGE_RECORDS_MAX + 1];
    assert_eq!(store.prune(many, facts("all")), Err(ChangeError::TooMany { given: 1001, limit: 1000 }));
    store.close();
    assert_eq!(store.prune(vec![(id(2), None)], facts("x")), Err(ChangeError::Append(AppendError::Closed)));
}

#[tokio::test]
async fn a_snapshot_opens_as_the_log_it_was_and_goes_on_under_a_new_id() {
    let (_folder, store) = filled(5).await;
    let copy = tempfile::tempdir().expect("a folder");
    let head = store.snapshot(copy.path()).expect("copies");
    assert_eq!(head, store.head());
    assert!(matches!(store.snapshot(copy.path()), Err(SnapshotError::Engine(_))), "it holds one already");
    store.append(delivery(60)).await.expect("stored");
    let again = open(copy.path());
    assert_eq!((again.head(), again.log_id(), all(&again)), (head, store.log_id(), all(&store)[..10].to_vec()));
    drop(again);

    let renewed = crate::renew(copy.path(), facts("restored from a backup")).expect("renews");
    assert_eq!((renewed.before, renewed.head.seq), (store.log_id(), 11));
    let again = open(copy.path());
    assert_eq!((again.log_id(), again.head()), (renewed.log_id, renewed.head));
    assert_ne!(again.log_id(), store.log_id());
    let Some(Record { entry: Entry::Decision(said), .. }) = again.record(11).expect("reads") else { panic!("none") };
    assert_eq!((said.kind.as_str(), said.of_log().expect("of the log").log_id_before), ("renew", Some(store.log_id())));
    assert!(matches!(crate::renew(copy.path(), facts("in use")), Err(crate::RenewError::Open(_))));
}
