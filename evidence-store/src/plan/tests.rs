//! Copies of one body, inside a batch and across batches.

use tempfile::TempDir;

use super::*;
use crate::testing::{delivery, with_body};
use crate::{meta, recovery};

const EMPTY: Head = Head { seq: 0, link: link::GENESIS };

fn engine() -> (TempDir, Engine) {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = recovery::open(folder.path()).expect("opens").engine;
    (folder, engine)
}

fn entry(n: u32, source: &str, body: &'static str) -> Entry {
    let mut delivery = with_body(n, body.into());
    source.clone_into(&mut delivery.source);
    let (id, body_sha256) = (delivery.id, delivery.body_sha256);
    let (meta, body) = meta::of_delivery(delivery);
    let body_key = keys::body(source, &body_sha256, None);
    Entry { id, body_key, body_sha256, meta_sha256: link::sha256(&meta), meta, body }
}

fn outcomes(plan: &Plan) -> Vec<(Uuid, u64, Stored)> {
    plan.receipts.iter().map(|receipt| (receipt.delivery_id, receipt.seq, receipt.stored)).collect()
}

#[test]
fn copies_inside_one_batch_count() {
    let (_folder, engine) = engine();
    let entries = [entry(1, "a", "x"), entry(2, "a", "x"), entry(3, "a", "x"), entry(4, "a", "y"), entry(5, "b", "x")];
    let plan = plan(&engine, entries.iter(), EMPTY, 2).expect("plans");
    let id = |n| delivery(n).id;
    assert_eq!(
        outcomes(&plan),
        [
            (id(1), 1, Stored::New),
            (id(2), 2, Stored::New),
            // The third copy of one source's body; another body and another source are not copies of it.
            (id(2), 2, Stored::Repeat),
            (id(4), 3, Stored::New),
            (id(5), 4, Stored::New),
        ]
    );
    assert_eq!((plan.new, plan.head.seq), (4, 4));
}

#[test]
fn copies_of_earlier_batches_count() {
    let (_folder, engine) = engine();
    let first = [entry(1, "a", "x")];
    let plan_1 = plan(&engine, first.iter(), EMPTY, 2).expect("plans");
    engine.write_synced(plan_1.batch).expect("writes");
    let second = [entry(2, "a", "x"), entry(3, "a", "x")];
    let plan_2 = plan(&engine, second.iter(), plan_1.head, 2).expect("plans");
    let id = |n| delivery(n).id;
    assert_eq!(outcomes(&plan_2), [(id(2), 2, Stored::New), (id(2), 2, Stored::Repeat)]);
    engine.write_synced(plan_2.batch).expect("writes");
    let third = [entry(4, "a", "x")];
    let plan_3 = plan(&engine, third.iter(), plan_2.head, 2).expect("plans");
    assert_eq!(outcomes(&plan_3), [(id(2), 2, Stored::Repeat)]);
    assert_eq!((plan_3.new, plan_3.head), (0, plan_2.head));
    assert!(plan_3.batch.is_empty(), "beyond the limit nothing is written");
}
