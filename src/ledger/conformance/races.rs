//! Many at once: exactly one wins, whatever the order.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use tokio::task::JoinSet;

use super::Rig;
use super::fixtures::*;
use crate::ledger::*;
use crate::model::{Code, EventState, ExpectationState};

const MANY: u64 = 100;

async fn all(ledger: &Arc<dyn Ledger>, judged: Vec<Confirm>) -> Vec<Confirmed> {
    let mut tasks = JoinSet::new();
    for confirm in judged {
        let ledger = Arc::clone(ledger);
        tasks.spawn(async move { ledger.confirm(confirm).await.expect("answered") });
    }
    tasks.join_all().await
}

fn count(answers: &[Confirmed], wanted: fn(&Confirmed) -> bool) -> usize {
    answers.iter().filter(|answer| wanted(answer)).count()
}

pub(crate) async fn a_hundred_events_for_one_transfer_send_once<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, (0..MANY).map(|n| paid(&format!("e{n}"), &format!("r{n}"), 1)).collect()).await;
    let judged = due(&*ledger, T0).await.iter().map(|event| confirm(event, 1, 11, 100)).collect();
    let answers = all(&ledger, judged).await;
    assert_eq!(count(&answers, |answer| matches!(answer, Confirmed::Sent { .. })), 1);
    assert_eq!(count(&answers, |answer| matches!(answer, Confirmed::AlreadyClaimed(_))), 99);
    assert_eq!(messages(&*ledger, "default", T0).await.len(), 1);
}

pub(crate) async fn a_hundred_events_of_one_expectation_send_once<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    put(&*ledger, terms("order", "r1", 100)).await;
    log.take(&*ledger, (0..MANY).map(|n| paid(&format!("e{n}"), "r1", 1)).collect()).await;
    let (mut sent, mut joined) = (0, 0);
    // A judgement of the sum before is stale and is made again, as verification does.
    for _ in 0..3 {
        let judged: Vec<_> = due(&*ledger, T0).await.iter().map(|event| confirm(event, 1, 11, 100)).collect();
        let answers = all(&ledger, judged).await;
        sent += count(&answers, |answer| matches!(answer, Confirmed::Sent { .. }));
        joined += count(&answers, |answer| matches!(answer, Confirmed::Joined(_)));
    }
    assert_eq!((sent, joined), (1, 99));
    let view = ledger.expectation("order").await.expect("read").expect("known");
    assert_eq!((view.stored.state, view.events.len()), (ExpectationState::Paid, 1));
}

pub(crate) async fn a_hundred_judgements_of_one_event_send_once<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    put(&*ledger, terms("order", "r1", 100)).await;
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let event = due_one(&*ledger, T0, "a").await;
    let answers = all(&ledger, (0..MANY).map(|_| confirm(&event, 1, 11, 100)).collect()).await;
    assert_eq!(count(&answers, |answer| matches!(answer, Confirmed::Sent { .. })), 1);
    assert_eq!(count(&answers, |answer| *answer == Confirmed::Stale), 99);
    assert_eq!(stands(&*ledger, "a").await, (EventState::Forwarding, Some(Code::Verified)));
}

pub(crate) async fn random_partials_complete_exactly_once<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let parts = prop::collection::vec(1_u64..1_000, 1..8);
    for case in 0..24_u64 {
        let mut parts = parts.new_tree(&mut runner).expect("a value").current();
        let expected: u64 = parts.iter().sum();
        parts.push(7);
        let order = format!("order-{case}");
        put(&*ledger, terms(&order, &format!("r{case}"), expected)).await;
        let names: Vec<_> = (0..parts.len()).map(|n| format!("{case}-{n}")).collect();
        let txs: Vec<_> = (1_000 * (case + 1)..).take(parts.len()).collect();
        let request = format!("r{case}");
        log.take(&*ledger, names.iter().zip(&txs).map(|(name, tx)| paid(name, &request, *tx)).collect()).await;
        let (mut completed, mut left) = (0, true);
        while left {
            // All at once against the same sum: one is written, the others look again.
            let events = due(&*ledger, T0).await;
            left = !events.is_empty();
            let judged = events.iter().map(|event| {
                let index = names.iter().position(|name| id_of(name) == event.event_id).expect("ours");
                confirm(event, txs[index], txs[index], parts[index])
            });
            completed += count(&all(&ledger, judged.collect()).await, |answer| {
                matches!(answer, Confirmed::Sent { code: Code::Verified, .. })
            });
        }
        let stored = ledger.expectation(&order).await.expect("read").expect("known").stored;
        assert_eq!(stored.received[0].to::<u64>(), expected + 7, "{parts:?}");
        assert_eq!(stored.state, ExpectationState::Overpaid, "{parts:?}");
        assert!(completed <= 1, "{parts:?}");
        let completions = message_types(&*ledger, &names).await;
        assert_eq!(completions, 1, "{parts:?}");
    }
}

async fn message_types(ledger: &dyn Ledger, names: &[String]) -> usize {
    let mut completions = 0;
    for name in names {
        let types = shown(ledger, name).await.messages;
        completions += types.iter().filter(|view| view.message_type == "payment.verified").count();
    }
    completions
}

pub(crate) async fn intake_is_idempotent_under_concurrent_copies<R: Rig>(rig: R) {
    let (ledger, log) = (rig.ledger(), Log::new());
    let batch = log.batch(T0, (0..50).map(|n| Ok(paid(&format!("e{n}"), &format!("r{n}"), n))).collect());
    let copies = [(); 8].map(|()| ledger.intake(batch.clone()));
    let [a, b, c, d, e, f, g, h] = copies;
    let answers = tokio::join!(a, b, c, d, e, f, g, h);
    let lens = [answers.0, answers.1, answers.2, answers.3, answers.4, answers.5, answers.6, answers.7]
        .map(|answer| answer.expect("taken").len());
    assert_eq!((lens.iter().sum::<usize>(), lens.iter().filter(|len| **len == 50).count()), (50, 1));
    assert_eq!(due(&*ledger, T0).await.len(), 50);
}
