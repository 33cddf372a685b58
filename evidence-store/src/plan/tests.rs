//! Copies of one body, inside a batch and across batches.

use tempfile::TempDir;

use super::*;
use crate::recovery;
use crate::testing::{decision, delivery, with_body};

const EMPTY: State =
    State { head: Head { seq: 0, link: link::GENESIS }, counts: Counts { deliveries: 0, decisions: 0, stubs: 0 } };

fn engine() -> (TempDir, Engine) {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = recovery::open(folder.path()).expect("opens").engine;
    (folder, engine)
}

fn entry(n: u32, source: &str, body: &'static str) -> DeliveryEntry {
    let mut delivery = with_body(n, body.into());
    source.clone_into(&mut delivery.source);
    DeliveryEntry::new(delivery, None).expect("fits")
}

struct Planned {
    outcomes: Vec<(Uuid, u64, Stored)>,
    batch: WriteBatch,
    state: State,
}

fn plan(engine: &Engine, entries: &[DeliveryEntry], state: State, repeats_max: u32) -> Planned {
    let mut plan = Plan::begin(engine, state, repeats_max, entries.iter()).expect("begins");
    let receipts = entries.iter().map(|entry| plan.delivery(entry).expect("plans"));
    let outcomes = receipts.map(|receipt| (receipt.delivery_id, receipt.seq, receipt.stored)).collect();
    let (batch, state) = plan.finish().expect("ends");
    Planned { outcomes, batch, state }
}

#[test]
fn copies_inside_one_batch_count() {
    let (_folder, engine) = engine();
    let entries = [entry(1, "a", "x"), entry(2, "a", "x"), entry(3, "a", "x"), entry(4, "a", "y"), entry(5, "b", "x")];
    let plan = plan(&engine, &entries, EMPTY, 2);
    let id = |n| delivery(n).id;
    assert_eq!(
        plan.outcomes,
        [
            (id(1), 1, Stored::New),
            (id(2), 2, Stored::New),
            // The third copy of one source's body; another body and another source are not copies of it.
            (id(2), 2, Stored::Repeat),
            (id(4), 3, Stored::New),
            (id(5), 4, Stored::New),
        ]
    );
    assert_eq!((plan.state.head.seq, plan.state.counts.deliveries), (4, 4));
}

#[test]
fn copies_of_earlier_batches_count() {
    let (_folder, engine) = engine();
    let first = [entry(1, "a", "x")];
    let plan_1 = plan(&engine, &first, EMPTY, 2);
    engine.write_synced(plan_1.batch).expect("writes");
    let second = [entry(2, "a", "x"), entry(3, "a", "x")];
    let plan_2 = plan(&engine, &second, plan_1.state, 2);
    let id = |n| delivery(n).id;
    assert_eq!(plan_2.outcomes, [(id(2), 2, Stored::New), (id(2), 2, Stored::Repeat)]);
    engine.write_synced(plan_2.batch).expect("writes");
    let third = [entry(4, "a", "x")];
    let plan_3 = plan(&engine, &third, plan_2.state, 2);
    assert_eq!(plan_3.outcomes, [(id(2), 2, Stored::Repeat)]);
    assert_eq!(plan_3.state, plan_2.state);
    assert!(plan_3.batch.is_empty(), "beyond the limit nothing is written");
}

#[test]
fn a_decision_is_stored_once_inside_a_batch_and_across_batches() {
    let (_folder, engine) = engine();
    let entries: Vec<DecisionEntry> =
        [1, 2, 1].into_iter().map(|n| DecisionEntry::new(decision(n), []).expect("fits")).collect();
    let planned = |state| {
        let mut plan = Plan::begin(&engine, state, 2, std::iter::empty()).expect("begins");
        let seqs: Vec<u64> = entries.iter().map(|entry| plan.decision(entry).expect("plans")).collect();
        let (batch, state) = plan.finish().expect("ends");
        (seqs, batch, state)
    };
    let (seqs, batch, state) = planned(EMPTY);
    assert_eq!((seqs, state.head.seq, state.counts.decisions), (vec![1, 2, 1], 2, 2));
    engine.write_synced(batch).expect("writes");
    let (seqs, batch, after) = planned(state);
    assert_eq!((seqs, after), (vec![1, 2, 1], state));
    assert!(batch.is_empty(), "nothing is new");
}
