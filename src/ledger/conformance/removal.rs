//! What retention may take, what stays of it, epochs and copies.

use super::Rig;
use super::fixtures::*;
use crate::ledger::*;
use crate::model::{Code, EventState};
use crate::task;

async fn may_go(ledger: &dyn Ledger, source: &str, limit: PruneLimit) -> Vec<Prunable> {
    let (mut after, mut found) = (0, Vec::new());
    loop {
        let page = ledger.prunable(source, limit, after, 2).await.expect("a page");
        assert!(page.items.len() <= 2);
        found.extend(page.items);
        match page.next_seq {
            Some(next) => {
                assert!(next > after, "it goes on");
                after = next;
            }
            None => return found,
        }
    }
}

fn seqs(found: &[Prunable]) -> Vec<u64> {
    found.iter().map(|item| item.seq).collect()
}

/// Sends, delivers and settles the named payment.
async fn settle(ledger: &dyn Ledger, name: &str, tx: u64) {
    let (id, _) = sent(ledger, name, tx, 100).await;
    attempt(ledger, id, "default", T0, Next::Delivered).await;
    let watched = due_one(ledger, T0 + 3600 * S, name).await;
    let settled = verdict(&watched, T0, EventState::Settled, Code::VerifiedUnmatched);
    ledger.record_verdict(settled).await.expect("written");
}

pub(crate) async fn rule_7_only_what_is_at_its_end_may_go<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    assert!(may_go(&*ledger, "rn", PruneLimit::AnyAge).await.is_empty(), "nothing was read yet");
    let names = ["settled", "due", "flying", "held", "refuted", "waiting"];
    let made = (1..).zip(names).map(|(n, name)| paid(name, &format!("r{n}"), n)).collect();
    log.take(&*ledger, made).await;
    let ended = log.batch(T0, vec![Ok(event("ended", IntakeKind::Ended(Code::TypeIgnored))), Err(Code::TestHeader)]);
    log.at = Some(ended.to);
    ledger.intake(ended).await.expect("taken");
    let mut other = event("other", IntakeKind::Ended(Code::TypeIgnored));
    other.facts.source = "other".to_owned();
    log.take(&*ledger, vec![other]).await;
    settle(&*ledger, "settled", 1).await;
    sent(&*ledger, "due", 2, 100).await;
    let (id, _) = sent(&*ledger, "flying", 3, 100).await;
    attempt(&*ledger, id, "default", T0, Next::Delivered).await;
    for (name, state) in [("held", EventState::Held), ("refuted", EventState::Refuted)] {
        let judged = verdict(&due_one(&*ledger, T0, name).await, T0, state, Code::TxNotFound);
        ledger.record_verdict(judged).await.expect("written");
    }
    let found = may_go(&*ledger, "rn", PruneLimit::AnyAge).await;
    assert_eq!(seqs(&found), [1, 5, 7, 8]);
    assert!(found[3].stub.is_none(), "it made no event");
    assert_eq!(seqs(&may_go(&*ledger, "other", PruneLimit::AnyAge).await), [9]);
    assert!(may_go(&*ledger, "nobody", PruneLimit::AnyAge).await.is_empty());
    assert!(may_go(&*ledger, "rn", PruneLimit::ReceivedBefore(T0)).await.is_empty());
    assert_eq!(may_go(&*ledger, "rn", PruneLimit::ReceivedBefore(T0 + 1)).await.len(), 4);
}

pub(crate) async fn rule_7_a_stub_says_all_that_must_stay<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    put(&*ledger, terms("order", "r1", 100)).await;
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("copy", "r1", 1)]).await;
    settle(&*ledger, "a", 1).await;
    let copy = due_one(&*ledger, T0, "copy").await;
    let joined = ledger.confirm(confirm(&copy, 1, 11, 100)).await.expect("joined");
    assert_eq!(joined, Confirmed::Joined(id_of("a")));
    let found = may_go(&*ledger, "rn", PruneLimit::AnyAge).await;
    assert_eq!(seqs(&found), [1, 2]);
    let stub = found[0].stub.as_ref().expect("an event");
    let shown = shown(&*ledger, "a").await.event;
    assert_eq!((stub.event_id, stub.state, stub.code), (id_of("a"), EventState::Settled, shown.code));
    let mut identities = vec![*identity("a").as_bytes(), *identity("copy").as_bytes()];
    identities.sort_unstable();
    assert_eq!(stub.identities, identities, "with those that joined");
    assert_eq!((stub.state_version, stub.expectation_id.as_deref()), (1, Some("order")));
    assert_eq!(stub.payment_id, shown.payment_id.map(|id| id.to_string()));
    let [transfer] = &stub.transfers[..] else { panic!("{:?}", stub.transfers) };
    assert_eq!((transfer.chain_id, transfer.tx_hash, transfer.slot.as_str()), (8453, word(1), "log:7"));
    assert_eq!((transfer.block_number, transfer.tx_index, transfer.amount), (11, 1, word(100)));
    assert!(transfer.claimed && transfer.token.len() == 20);
    let facts: StubFacts = serde_json::from_str(&stub.facts).expect("facts");
    assert_eq!((facts.facts, facts.lane.as_str()), (shown.facts, "expectation:order"));
    assert_eq!((facts.claims, facts.anchor), (vec![claim("r1", 1, "100")], Some(anchor(1, 11))));
    // The one that joined keeps its own identity, although it finds the other by now.
    let stub = found[1].stub.as_ref().expect("an event");
    assert_eq!((stub.event_id, stub.code), (id_of("copy"), Some(Code::Joined)));
    assert_eq!(stub.identities, [*identity("copy").as_bytes()]);
}

pub(crate) async fn what_left_the_log_stays_known<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let settled = event("m", IntakeKind::Ended(Code::TypeIgnored));
    log.take(&*ledger, vec![settled.clone(), paid("b", "r2", 2)]).await;
    let test = log.batch(T0, vec![Err(Code::TestHeader)]);
    let test_id = test.deliveries[0].delivery_id;
    log.at = Some(test.to);
    ledger.intake(test).await.expect("taken");
    let id = settled.facts.delivery_id;
    let stranger = uuid::Uuid::now_v7();
    let KnownDelivery::Event(stub) = ledger.stub_of(id).await.expect("read") else { panic!("it has an event") };
    assert_eq!((stub.event_id, &stub.identities), (id_of("m"), &vec![*identity("m").as_bytes()]));
    assert!(matches!(ledger.stub_of(test_id).await.expect("read"), KnownDelivery::NoEvent));
    assert!(matches!(ledger.stub_of(stranger).await.expect("read"), KnownDelivery::Unknown));
    let gone = vec![(id, RemovedHow::Pruned), (stranger, RemovedHow::Pruned), (test_id, RemovedHow::Erased)];
    for _ in 0..2 {
        assert_eq!(ledger.mark_removed(gone.clone(), T0 + S).await.expect("marked"), 2);
    }
    assert_eq!(ledger.mark_removed(vec![(test_id, RemovedHow::Pruned)], T0 + 2 * S).await.expect("marked"), 1);
    let removed = |id| {
        let ledger = rig.ledger();
        async move { ledger.delivery(id).await.expect("read").expect("still known").removed }
    };
    assert_eq!((removed(id).await, removed(test_id).await), (Some(RemovedHow::Pruned), Some(RemovedHow::Erased)));
    assert!(may_go(&*ledger, "rn", PruneLimit::AnyAge).await.is_empty(), "it is gone already");
    // An import brings the pruned one back, and never an erased one.
    let returned = vec![id, test_id, stranger];
    assert_eq!(ledger.mark_returned(returned.clone()).await.expect("marked"), 1);
    assert_eq!(ledger.mark_returned(returned).await.expect("again"), 0);
    assert_eq!((removed(id).await, removed(test_id).await), (None, Some(RemovedHow::Erased)));
    assert_eq!(seqs(&may_go(&*ledger, "rn", PruneLimit::AnyAge).await), [1], "it may go again");
    assert_eq!(ledger.mark_removed(gone, T0 + 3 * S).await.expect("marked"), 2);
    // The same body under a new delivery id: no new event.
    let mut again = settled;
    again.facts.delivery_id = uuid::Uuid::now_v7();
    let taken = log.take(&*ledger, vec![again]).await;
    assert_eq!((taken[0].event_id, taken[0].new_event), (Some(id_of("m")), false));
}

pub(crate) async fn rule_26_retention_follows_the_log_that_is_read<R: Rig>(rig: R) {
    let (ledger, log) = (rig.ledger(), Log::new());
    let made: Vec<_> = ["m", "n"].map(|name| event(name, IntakeKind::Ended(Code::TypeIgnored))).into();
    let batch = log.batch(T0, made.into_iter().map(Ok).collect());
    ledger.intake(batch.clone()).await.expect("taken");
    // The log was restored: another id, read from its start, and so far only its first record.
    let restored = uuid::Uuid::now_v7();
    let start = Cursor { log_id: restored, seq: 0, link: word(0) };
    let step = IntakeBatch { from: None, to: start, deliveries: Vec::new(), ..batch.clone() };
    ledger.intake(step).await.expect("adopted");
    assert!(may_go(&*ledger, "rn", PruneLimit::AnyAge).await.is_empty(), "nothing of it was read");
    let to = Cursor { log_id: restored, seq: 1, link: word(1001) };
    let first = IntakeBatch { from: Some(start), to, deliveries: batch.deliveries[..1].to_vec(), ..batch };
    let taken = ledger.intake(first).await.expect("taken");
    assert!(!taken[0].new_event);
    assert_eq!(seqs(&may_go(&*ledger, "rn", PruneLimit::AnyAge).await), [1]);
}

pub(crate) async fn a_snapshot_is_one_moment_while_writers_go_on<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let writer = {
        let ledger = rig.ledger();
        task::spawn("test-writer", async move {
            for n in 10..60 {
                log.take(&*ledger, vec![event(&format!("m{n}"), plain("card", &["default"]))]).await;
            }
        })
    };
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = folder.path().join("copy.db");
    let snapshot = ledger.snapshot(&path).await.expect("copied");
    assert_eq!(snapshot.identity, ledger.identity().await.expect("an identity"));
    assert!(snapshot.cursor.is_some_and(|cursor| cursor.seq >= 1));
    assert_eq!(snapshot.bytes, std::fs::metadata(&path).expect("a file").len());
    // Never over something else, and nothing is left of a copy that failed.
    assert!(matches!(ledger.snapshot(&path).await, Err(LedgerError::Unavailable(_))));
    let nowhere = folder.path().join("no/such/folder/copy.db");
    assert!(matches!(ledger.snapshot(&nowhere).await, Err(LedgerError::Unavailable(_))));
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
    writer.await.expect("written");
}
