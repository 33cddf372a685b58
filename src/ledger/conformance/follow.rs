//! Which ledger it is, its decisions by number, and the feed.

use std::collections::BTreeSet;

use super::Rig;
use super::fixtures::*;
use crate::ledger::*;
use crate::model::{Code, EventState};
use crate::task;

async fn trace_after(ledger: &dyn Ledger, after: u64, limit: usize) -> Vec<Change> {
    ledger.changes(ChangeTable::Trace, after, limit).await.expect("changes")
}

fn read_feed(after: u64) -> FeedRead {
    FeedRead {
        destination: "default".to_owned(),
        types: Vec::new(),
        sources: Vec::new(),
        after,
        limit: 100,
        now_us: T0,
        anchor_since_us: 0,
    }
}

async fn feed(ledger: &dyn Ledger, read: FeedRead) -> FeedPage {
    ledger.feed(read).await.expect("a page")
}

pub(crate) async fn a_ledger_keeps_its_identity<R: Rig>(rig: R) {
    let before = rig.ledger().identity().await.expect("an identity");
    assert_eq!(before.epoch, 0);
    let rig = rig.restart();
    assert_eq!(rig.ledger().identity().await.expect("an identity"), before);
    assert_ne!(R::open().ledger().identity().await.expect("another").ledger_id, before.ledger_id);
}

pub(crate) async fn rule_28_decisions_have_numbers_without_gaps<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    assert!(trace_after(&*ledger, 0, 10).await.is_empty());
    put(&*ledger, terms("order", "r1", 100)).await;
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r2", 2), event("m", plain("card", &["default"]))]).await;
    // Calls that fail leave no hole behind.
    let mut wrong = confirm(&due_one(&*ledger, T0, "b").await, 2, 12, 100);
    wrong.render = Box::new(|_| panic!("as told"));
    drop(ledger.confirm(wrong).await.expect_err("undone"));
    sent(&*ledger, "a", 1, 100).await;
    let held = verdict(&due_one(&*ledger, T0, "b").await, T0 + S, EventState::Held, Code::TxNotFound);
    ledger.record_verdict(held).await.expect("written");
    let all = trace_after(&*ledger, 0, 100).await;
    assert_eq!(all.iter().map(|change| change.number).collect::<Vec<_>>(), (1..=5).collect::<Vec<_>>());
    let road: Vec<_> = all.iter().map(|change| (change.event_id, change.kind.as_str())).collect();
    let [a, b, m] = ["a", "b", "m"].map(|name| Some(id_of(name)));
    assert_eq!(
        road,
        [(a, "verifying"), (b, "verifying"), (m, "forwarding"), (a, "forwarding"), (b, "held")],
        "in the order of their commits"
    );
    let last: serde_json::Value = serde_json::from_str(&all[4].body).expect("JSON");
    assert_eq!(last["from"], "verifying");
    assert_eq!((&last["to"], &last["code"]), (&"held".into(), &"TX_NOT_FOUND".into()));
    assert_eq!((last["detail"]["at"].as_i64(), all[4].at_us), (Some(T0 + S), T0 + S));
    // A confirmation says what it claimed: it is enough to bring the claim back.
    let sent: serde_json::Value = serde_json::from_str(&all[3].body).expect("JSON");
    assert_eq!(sent["detail"]["claimed"]["slots"][0]["slot"], "log:7");
    assert_eq!(sent["detail"]["claimed"]["expectation"], "order");
    // Paged, and after a restart: the same.
    let mut paged = Vec::new();
    let rig = {
        drop(ledger);
        rig.restart()
    };
    let ledger = rig.ledger();
    while let page = trace_after(&*ledger, paged.last().map_or(0, |last: &Change| last.number), 2).await
        && !page.is_empty()
    {
        assert!(page.len() <= 2);
        paged.extend(page);
    }
    assert_eq!(paged, all);
}

pub(crate) async fn a_follower_beside_writers_misses_no_decision<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let writer = {
        let ledger = rig.ledger();
        task::spawn("test-writer", async move {
            for n in 0..60 {
                log.take(&*ledger, vec![paid(&format!("e{n}"), &format!("r{n}"), n)]).await;
                sent(&*ledger, &format!("e{n}"), n, 100).await;
            }
        })
    };
    let mut seen = 0;
    while seen < 120 {
        for change in trace_after(&*ledger, seen, 7).await {
            assert_eq!(change.number, seen + 1, "every number, in order");
            seen = change.number;
        }
    }
    writer.await.expect("written");
    assert!(trace_after(&*ledger, seen, 7).await.is_empty());
}

pub(crate) async fn rule_25_the_feed_is_in_commit_order_and_repeats_nothing<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let writer = {
        let ledger = rig.ledger();
        task::spawn("test-writer", async move {
            for n in 0..40 {
                let to: &[&str] = if n % 2 == 0 { &["default"] } else { &["default", "second"] };
                log.take(&*ledger, vec![event(&format!("m{n}"), plain("card", to))]).await;
            }
        })
    };
    let (mut after, mut seen) = (0, Vec::new());
    while seen.len() < 40 {
        let page = feed(&*ledger, FeedRead { limit: 3, ..read_feed(after) }).await;
        assert!(page.items.len() <= 3 && page.items.iter().all(|item| item.seq > after && item.seq <= page.next));
        after = page.next;
        seen.extend(page.items);
    }
    writer.await.expect("written");
    let ids: Vec<_> = seen.iter().map(|item| item.webhook_id).collect();
    assert_eq!(ids, (0..40).map(|n| first(&format!("m{n}"))).collect::<Vec<_>>());
    assert!(seen.is_sorted_by(|one, other| one.seq < other.seq));
    for item in &seen {
        let pushed = ledger.message(item.webhook_id).await.expect("read");
        assert_eq!(pushed.as_ref(), Some(&item.body), "the bytes that push sends");
    }
    let end = feed(&*ledger, read_feed(after)).await;
    assert!(end.items.is_empty() && end.next == after);
    for beyond in [after + 1, u64::MAX] {
        let refused = ledger.feed(read_feed(beyond)).await;
        assert!(matches!(refused, Err(LedgerError::BadCursor(_))), "nobody was ever given {beyond}");
    }
    let second = feed(&*ledger, FeedRead { destination: "second".to_owned(), ..read_feed(0) }).await;
    assert_eq!(second.items.len(), 20);
    let of_source = |name: &str| FeedRead { sources: vec![name.to_owned()], ..read_feed(0) };
    assert_eq!(feed(&*ledger, of_source("rn")).await.items.len(), 40);
    assert!(feed(&*ledger, of_source("stripe")).await.items.is_empty(), "a token sees its sources only");
    let other = feed(&*ledger, FeedRead { types: vec!["payment.verified".to_owned()], ..read_feed(0) }).await;
    assert!(other.items.is_empty() && other.next == after, "passed over, not read again");
    let rig = {
        drop(ledger);
        rig.restart()
    };
    let again = feed(&*rig.ledger(), read_feed(0)).await;
    assert_eq!(again.items.iter().map(|item| item.seq).collect::<BTreeSet<_>>().len(), 40);
}

pub(crate) async fn rule_19_what_the_feed_handed_out_counts_as_forwarded<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1), event("m", plain("card", &["default"]))]).await;
    sent(&*ledger, "a", 1, 100).await;
    // The anchor is old: the page ends before the payment, and verification is asked.
    let later = T0 + 3600 * S;
    let careful = FeedRead { now_us: later, anchor_since_us: later - 60 * S, ..read_feed(0) };
    let page = feed(&*ledger, careful.clone()).await;
    assert_eq!(page.items.iter().map(|item| item.webhook_id).collect::<Vec<_>>(), [first("m")]);
    assert!(page.anchor_stale);
    let asked = due_one(&*ledger, later, "a").await;
    assert!(asked.anchor_check);
    let mut seen = verdict(&asked, later, EventState::Forwarding, Code::VerifiedUnmatched);
    seen.anchor = asked.anchor;
    ledger.record_verdict(seen).await.expect("written");
    let page = feed(&*ledger, FeedRead { after: page.next, ..careful.clone() }).await;
    assert_eq!(page.items.iter().map(|item| item.webhook_id).collect::<Vec<_>>(), [first("a")]);
    // From now on a backend has it, however old the anchor: it is neither asked again nor silently taken back.
    let old = FeedRead { now_us: later * 2, anchor_since_us: later * 2, ..read_feed(0) };
    assert_eq!(feed(&*ledger, old).await.items.len(), 2);
    let mut pushed = intent(first("a"), "default", later);
    pushed.anchor_since_us = later * 2;
    assert_eq!(ledger.record_intent(pushed).await.expect("answered"), Intent::Go);
}

pub(crate) async fn a_superseded_message_is_not_in_the_feed<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    sent(&*ledger, "a", 1, 100).await;
    let mut asking = intent(first("a"), "default", T0 + 90 * S);
    asking.anchor_since_us = T0 + 30 * S;
    assert_eq!(ledger.record_intent(asking).await.expect("answered"), Intent::AnchorStale);
    let asked = due_one(&*ledger, T0 + 90 * S, "a").await;
    let lost = verdict(&asked, T0 + 90 * S, EventState::Verifying, Code::Reorged);
    assert_eq!(ledger.record_verdict(lost).await.expect("written"), Committed::Done);
    let page = feed(&*ledger, read_feed(0)).await;
    assert!(page.items.is_empty() && page.next > 0);
    sent(&*ledger, "a", 1, 100).await;
    let page = feed(&*ledger, read_feed(page.next)).await;
    assert_eq!(page.items.iter().map(|item| item.webhook_id.state_version).collect::<Vec<_>>(), [2]);
}

pub(crate) async fn rule_25_an_acknowledgement_delivers_what_was_handed_out<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let both = || plain("card", &["default", "second"]);
    let mut later = event("m2", plain("card", &["default"]));
    later.facts.lane = event("m1", both()).facts.lane;
    log.take(&*ledger, vec![event("m1", both()), later]).await;
    let ack = |names: &[&str], destination: &str| FeedAck {
        destination: destination.to_owned(),
        webhook_ids: names.iter().map(|name| first(name)).collect(),
        sources: Vec::new(),
        now_us: T0 + S,
    };
    let unread = ledger.acknowledge(ack(&["m1", "none"], "default")).await.expect("answered");
    assert_eq!(unread.refused, [first("m1"), first("none")], "nobody was handed it");
    assert_eq!(feed(&*ledger, read_feed(0)).await.items.len(), 2);
    let foreign = FeedAck { sources: vec!["stripe".to_owned()], ..ack(&["m1"], "default") };
    assert_eq!(ledger.acknowledge(foreign).await.expect("answered").refused, [first("m1")], "a token's limit");
    let acked = ledger.acknowledge(ack(&["m1"], "default")).await.expect("answered");
    assert_eq!(acked, FeedAcked { delivered: vec![first("m1")], ..FeedAcked::default() });
    let again = ledger.acknowledge(ack(&["m1"], "default")).await.expect("answered");
    assert_eq!(again, FeedAcked { repeated: vec![first("m1")], ..FeedAcked::default() });
    let state = async |name: &str| ledger.event(id_of(name)).await.expect("read").expect("there").event.state;
    assert_eq!(state("m1").await, EventState::Forwarding, "the other destination has it not");
    let due: Vec<_> = messages(&*ledger, "default", T0 + S).await.into_iter().map(|one| one.webhook_id).collect();
    assert_eq!(due, [first("m2")], "its lane goes on, and it is not pushed");
    attempt(&*ledger, first("m1"), "second", T0 + S, Next::Delivered).await;
    assert_eq!(state("m1").await, EventState::Settled);
    // Acknowledged while an attempt is out: its result changes nothing.
    let pushed = intent(first("m2"), "default", T0 + S);
    assert_eq!(ledger.record_intent(pushed.clone()).await.expect("answered"), Intent::Go);
    assert_eq!(ledger.acknowledge(ack(&["m2"], "default")).await.expect("answered").delivered, [first("m2")]);
    ledger.record_attempt(result(&pushed, Next::Retry { due_us: T0 })).await.expect("written");
    assert_eq!(state("m2").await, EventState::Settled);
    assert!(messages(&*ledger, "default", T0 + 3600 * S).await.is_empty());
}
