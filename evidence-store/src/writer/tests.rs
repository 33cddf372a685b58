//! Group commit, and what must never happen after a failure.

use std::sync::Mutex;

use tempfile::TempDir;
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

use super::*;
use crate::delivery::{Entry, Health, Options, Stored};
use crate::error::ChangeError;
use crate::store::Store;
use crate::testing::{Fate, Gate, LEDGER, PATIENCE, decision, delivery, event, facts, gated, open, options};

type Answers = JoinSet<Result<Receipt, AppendError>>;

fn setup() -> (TempDir, Store, Gate) {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, gate) = gated(options(folder.path()));
    (folder, store, gate)
}

/// Starts appends and lets each come as far as its place in the queue.
async fn start(store: &Store, answers: &mut Answers, numbers: std::ops::RangeInclusive<u32>) {
    for n in numbers.clone() {
        let store = store.clone();
        answers.spawn(async move { store.append(delivery(n)).await });
    }
    // The runtime polls at least one of them a turn.
    for _ in numbers {
        yield_now().await;
    }
}

async fn all(answers: &mut Answers) -> Vec<Result<Receipt, AppendError>> {
    let mut all = Vec::new();
    while let Some(answer) = timeout(PATIENCE, answers.join_next()).await.expect("an answer") {
        all.push(answer.expect("no panic"));
    }
    all
}

#[tokio::test]
async fn all_that_wait_share_one_fsync() {
    let folder = tempfile::tempdir().expect("a folder");
    let commits = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&commits);
    let observer = Arc::new(move |commit: Commit| seen.lock().expect("no panic").push(commit.deliveries));
    let (store, gate) = gated(Options { observer: Some(observer), ..options(folder.path()) });
    let mut answers = Answers::new();
    start(&store, &mut answers, 1..=1).await;
    gate.wait();
    // While the first commit runs, two hundred more queue up.
    start(&store, &mut answers, 2..=201).await;
    gate.decide(Fate::Commit);
    gate.wait();
    gate.decide(Fate::Commit);
    let mut seqs: Vec<u64> = all(&mut answers).await.into_iter().map(|answer| answer.expect("stored").seq).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=201).collect::<Vec<u64>>());
    store.close();
    assert_eq!(*commits.lock().expect("no panic"), [1, 200]);
}

#[tokio::test]
async fn nothing_is_visible_or_answered_before_the_fsync() {
    let (_folder, store, gate) = setup();
    let mut follower = store.subscribe();
    let mut answers = Answers::new();
    start(&store, &mut answers, 1..=1).await;
    gate.wait();
    assert_eq!(store.head().seq, 0);
    assert_eq!(*follower.borrow_and_update(), 0);
    assert_eq!(store.read_after(0, 10, 1_000_000), Ok(Vec::new()));
    assert_eq!(store.delivery(delivery(1).id), Ok(None));
    assert!(answers.try_join_next().is_none());

    gate.decide(Fate::Commit);
    let receipt = all(&mut answers).await.remove(0).expect("stored");
    assert_eq!((receipt.delivery_id, receipt.seq, receipt.stored), (delivery(1).id, 1, Stored::New));
    assert_eq!(store.head().seq, 1);
    assert!(follower.has_changed().expect("open"));
    assert_eq!(*follower.borrow_and_update(), 1);
}

#[tokio::test]
async fn a_large_queue_is_cut_into_bounded_batches() {
    let (_folder, store, gate) = setup();
    let mut answers = Answers::new();
    start(&store, &mut answers, 1..=1).await;
    gate.wait();
    let body = bytes::Bytes::from(vec![b'x'; BATCH_BYTES_MAX / 2]);
    for n in 2..=4 {
        let (store, body) = (store.clone(), body.clone());
        answers.spawn(async move { store.append(crate::testing::with_body(n, body)).await });
    }
    for _ in 2..=4 {
        yield_now().await;
    }
    // Two bodies of half the limit and their metas are over it: three commits for three deliveries.
    for _ in 0..3 {
        gate.decide(Fate::Commit);
        gate.wait();
    }
    assert_eq!(store.head().seq, 3);
    gate.decide(Fate::Commit);
    assert!(all(&mut answers).await.iter().all(Result::is_ok));
    assert_eq!(store.head().seq, 4);
}

async fn poisons(fate: Fate, says: &str) {
    let (folder, store, gate) = setup();
    let mut answers = Answers::new();
    start(&store, &mut answers, 1..=1).await;
    gate.wait();
    gate.decide(Fate::Commit);
    assert!(all(&mut answers).await.remove(0).is_ok());

    let id = delivery(2).id;
    start(&store, &mut answers, 2..=2).await;
    gate.wait();
    start(&store, &mut answers, 3..=9).await;
    gate.decide(fate);
    for answer in all(&mut answers).await {
        let Err(AppendError::Poisoned(why)) = answer else { panic!("{fate:?} was answered with {answer:?}") };
        assert!(why.contains(says), "{why}");
    }
    let why = timeout(PATIENCE, store.poisoned()).await.expect("resolves");
    assert!(why.contains(says), "{why}");
    assert_eq!(store.health(), Health::Poisoned { why: why.clone() });
    // Nothing is acknowledged ever after, nor does anything reach the disk.
    assert_eq!(store.append(delivery(10)).await, Err(AppendError::Poisoned(why.clone())));
    assert!(gate.reached.try_recv().is_err());
    // What may be on disk and was not fsynced is not shown.
    assert_eq!((store.head().seq, store.delivery(id)), (1, Ok(None)));
    store.close();
    assert_eq!(store.append(delivery(11)).await, Err(AppendError::Poisoned(why)));
    drop(store);

    // Recovery decides: what was acknowledged is there, and the chain goes on.
    let store = open(folder.path());
    assert!(store.delivery(delivery(1).id).expect("reads").is_some());
    let seq = store.append(delivery(12)).await.expect("stored").seq;
    assert_eq!(store.read_after(0, 100, 1_000_000).expect("a whole chain").len(), usize::try_from(seq).expect("small"));
}

#[tokio::test]
async fn a_failed_write_poisons() {
    poisons(Fate::FailWrite, "No space left on device").await;
}

#[tokio::test]
async fn a_failed_fsync_poisons() {
    poisons(Fate::FailSync, "fdatasync: Input/output error").await;
}

#[tokio::test]
async fn a_panic_of_the_writer_poisons() {
    poisons(Fate::Panic, "told to").await;
}

#[tokio::test]
async fn a_panic_of_the_observer_poisons_after_the_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let observer = Arc::new(|_: Commit| panic!("observed"));
    let store = Store::open(Options { observer: Some(observer), ..options(folder.path()) }).expect("opens");
    assert!(store.append(delivery(1)).await.is_ok());
    assert!(timeout(PATIENCE, store.poisoned()).await.expect("resolves").contains("observed"));
    assert!(matches!(store.append(delivery(2)).await, Err(AppendError::Poisoned(_))));
}

#[tokio::test]
async fn a_full_queue_is_waited_on_and_then_refused() {
    let (_folder, store, gate) = setup();
    let mut answers = Answers::new();
    start(&store, &mut answers, 1..=1).await;
    gate.wait();
    // The writer holds one; the queue takes 4096.
    start(&store, &mut answers, 2..=4097).await;
    let began = Instant::now();
    assert_eq!(store.append(delivery(5000)).await, Err(AppendError::Busy));
    assert!(std::time::Duration::from_secs(2) <= began.elapsed());
    assert_eq!(store.health(), Health::Writable);
    for _ in 0..5 {
        gate.decide(Fate::Commit);
    }
    let answered = all(&mut answers).await;
    assert_eq!((answered.len(), answered.iter().filter(|answer| answer.is_ok()).count()), (4097, 4097));
}

#[tokio::test]
async fn closing_writes_what_is_queued_and_takes_no_more() {
    let (_folder, store, gate) = setup();
    let mut answers = Answers::new();
    start(&store, &mut answers, 1..=1).await;
    gate.wait();
    start(&store, &mut answers, 2..=20).await;
    gate.decide(Fate::Commit);
    gate.decide(Fate::Commit);
    store.close();
    assert!(all(&mut answers).await.iter().all(Result::is_ok));
    assert_eq!(store.append(delivery(21)).await, Err(AppendError::Closed));
    assert_eq!(store.head().seq, 20);
    // Reads go on, and closing again changes nothing.
    store.close();
    assert_eq!(store.read_after(0, 100, 1_000_000).expect("reads").len(), 20);
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_nothing_back() {
    let (_folder, store, gate) = setup();
    let mut answers = Answers::new();
    start(&store, &mut answers, 1..=1).await;
    gate.wait();
    answers.abort_all();
    while answers.join_next().await.is_some() {}
    gate.decide(Fate::Commit);
    store.close();
    assert!(store.delivery(delivery(1).id).expect("reads").is_some());
}

#[tokio::test]
async fn decisions_share_the_commit_of_deliveries_and_are_stored_once() {
    let (_folder, store, gate) = setup();
    let mut answers = Answers::new();
    start(&store, &mut answers, 1..=1).await;
    gate.wait();
    start(&store, &mut answers, 2..=3).await;
    let mut both = JoinSet::new();
    both.spawn({
        let store = store.clone();
        async move { store.append_decisions(vec![decision(1), decision(2), decision(1)]).await }
    });
    yield_now().await;
    gate.decide(Fate::Commit);
    gate.wait();
    assert_eq!((store.head().seq, store.counts().decisions), (1, 0), "nothing before the fsync");
    assert_eq!(store.last_decision(LEDGER, 1, 1), Ok(None));
    gate.decide(Fate::Commit);
    // The last of the list is the first one again.
    assert_eq!(both.join_next().await.expect("one").expect("no panic"), Ok(4));
    assert!(all(&mut answers).await.iter().all(Result::is_ok));
    assert_eq!((store.head().seq, store.counts().decisions), (5, 2));
    assert_eq!(store.last_decision(LEDGER, 1, 1), Ok(Some(2)));
    assert_eq!((store.last_decision(LEDGER, 1, 2), store.last_decision(LEDGER, 2, 1)), (Ok(None), Ok(None)));

    // Known ones need no commit: the gate is not reached.
    assert_eq!(store.append_decisions(vec![decision(2), decision(1)]).await, Ok(4));
    assert_eq!(store.append_decisions(Vec::new()).await, Ok(5));
    let about: Vec<u64> = store.decisions_of(event(1), 10).expect("reads").iter().map(|record| record.seq).collect();
    assert_eq!(about, [4]);
    assert_eq!(store.record(4).expect("reads").expect("is there").entry, Entry::Decision(decision(1)));
}

/// A failed commit of decisions or of a change poisons as one of deliveries does, and recovery finds it whole or not
/// at all.
async fn poisons_with(fate: Fate, work: fn(&Store) -> Result<(), AppendError>) {
    let (folder, store, gate) = setup();
    let mut answers = Answers::new();
    start(&store, &mut answers, 1..=1).await;
    gate.wait();
    gate.decide(Fate::Commit);
    assert!(all(&mut answers).await.remove(0).is_ok());
    let before = store.read_after(0, 10, usize::MAX).expect("reads");
    let failed = std::thread::spawn({
        let store = store.clone();
        move || work(&store)
    });
    gate.wait();
    gate.decide(fate);
    assert!(matches!(failed.join().expect("no panic"), Err(AppendError::Poisoned(_))), "{fate:?}");
    assert_eq!(store.head().seq, 1, "what was not fsynced is not shown");
    assert!(matches!(store.append(delivery(2)).await, Err(AppendError::Poisoned(_))));
    assert!(matches!(work(&store), Err(AppendError::Poisoned(_))), "nothing goes on after a failure");
    store.close();
    drop(store);

    let store = open(folder.path());
    let (records, counts) = (store.read_after(0, 10, usize::MAX).expect("a whole chain"), store.counts());
    match fate {
        Fate::FailSync => assert_eq!((records.len(), counts.decisions), (2, 1)),
        Fate::Commit | Fate::FailWrite | Fate::Panic => assert_eq!(records, before),
    }
    assert_eq!(work(&store), Ok(()), "it can be done again");
    assert_eq!((store.head().seq, store.counts().decisions), (2, 1), "and is done once");
}

fn decide(store: &Store) -> Result<(), AppendError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let store = store.clone();
    let decided = std::thread::spawn(move || runtime.block_on(store.append_decisions(vec![decision(1)])));
    decided.join().expect("no panic").map(drop)
}

fn prune(store: &Store) -> Result<(), AppendError> {
    match store.prune(vec![(delivery(1).id, None)], facts("old")) {
        Ok(_) => Ok(()),
        Err(ChangeError::Append(error)) => Err(error),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_failed_commit_of_decisions_poisons() {
    for fate in [Fate::FailWrite, Fate::FailSync, Fate::Panic] {
        poisons_with(fate, decide).await;
    }
}

#[tokio::test]
async fn a_failed_commit_of_a_change_poisons() {
    for fate in [Fate::FailWrite, Fate::FailSync, Fate::Panic] {
        poisons_with(fate, prune).await;
    }
}

#[tokio::test]
async fn a_change_is_a_commit_of_its_own() {
    let (_folder, store, gate) = setup();
    let mut answers = Answers::new();
    start(&store, &mut answers, 1..=1).await;
    gate.wait();
    gate.decide(Fate::Commit);
    assert!(all(&mut answers).await.remove(0).is_ok());
    start(&store, &mut answers, 2..=2).await;
    gate.wait();
    let change = std::thread::spawn({
        let store = store.clone();
        move || prune(&store)
    });
    // It has been queued, between two deliveries, once a place in the queue is taken.
    while store.queued() == 0 {
        yield_now().await;
    }
    start(&store, &mut answers, 3..=4).await;
    for head in [1, 2, 3] {
        assert_eq!(store.head().seq, head);
        gate.decide(Fate::Commit);
        if head < 3 {
            gate.wait();
        }
    }
    assert_eq!(change.join().expect("no panic"), Ok(()));
    assert!(all(&mut answers).await.iter().all(Result::is_ok));
    assert_eq!((store.head().seq, store.counts().stubs), (5, 1));
}
