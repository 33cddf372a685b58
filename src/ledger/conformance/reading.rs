//! Lists, details and counts.

use super::Rig;
use super::fixtures::*;
use crate::ledger::*;
use crate::model::{Code, EventState, PaymentId};

fn limit(limit: usize) -> Filter {
    Filter { limit, ..Filter::default() }
}

pub(crate) async fn filters_find_what_they_name<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let mut expected = terms("order", "r1", 100);
    expected.payer = Some(address(77));
    put(&*ledger, expected).await;
    let mut referenced = claim("r2", 2, "100");
    (referenced.network, referenced.payer) = ("Mainnet".to_owned(), Some(address(5).to_checksum(None)));
    referenced.payment_reference = Some("0x1122334455667788".parse().expect("a reference"));
    let mut other = event("b", IntakeKind::Claim(referenced));
    other.facts.source = "other".to_owned();
    other.facts.provider_type = "payment.partial".to_owned();
    other.facts.account = Some("acct_1".to_owned());
    other.facts.received_us = T0 + 10 * S;
    log.take(&*ledger, vec![paid("a", "r1", 1), other]).await;
    sent(&*ledger, "a", 1, 100).await;
    let payment = shown(&*ledger, "a").await.event.payment_id.expect("a payment").to_string();
    let some = |text: &str| Some(text.to_owned());
    let tx = |n: u64| hex::encode(word(n)).to_uppercase();
    let wanted = [
        ("a", Filter { source: some("rn"), ..limit(9) }),
        ("b", Filter { source: some("other"), ..limit(9) }),
        ("a", Filter { sources: vec!["rn".to_owned(), "x".to_owned()], ..limit(9) }),
        ("a", Filter { state: Some(EventState::Forwarding), ..limit(9) }),
        ("a", Filter { code: Some(Code::Verified), ..limit(9) }),
        ("b", Filter { provider_type: some("payment.partial"), ..limit(9) }),
        ("b", Filter { request_id: some("r2"), ..limit(9) }),
        ("b", Filter { payment_reference: some("0x1122334455667788"), ..limit(9) }),
        ("a", Filter { tx: Some(tx(1)), ..limit(9) }),
        ("b", Filter { tx: Some(format!("0x{}", tx(2))), ..limit(9) }),
        ("a", Filter { message_type: some("payment.verified"), ..limit(9) }),
        ("b", Filter { account: some("acct_1"), ..limit(9) }),
        ("a", Filter { chain: vec!["8453".to_owned()], ..limit(9) }),
        ("b", Filter { chain: vec!["1".to_owned(), "mainnet".to_owned()], ..limit(9) }),
        ("a", Filter { address: Some(format!("{:#x}", address(1))), ..limit(9) }),
        ("a", Filter { address: Some(format!("{:#x}", address(900))), ..limit(9) }),
        ("a", Filter { address: Some(format!("{:#x}", address(77))), ..limit(9) }),
        ("b", Filter { address: Some(format!("{:#x}", address(5))), ..limit(9) }),
        ("a", Filter { expectation: some("order"), ..limit(9) }),
        ("a", Filter { payment: Some(payment), ..limit(9) }),
        ("b", Filter { since_us: Some(T0 + S), ..limit(9) }),
        ("a", Filter { until_us: Some(T0 + 10 * S), ..limit(9) }),
        ("b", Filter { since_us: Some(T0 + 10 * S), source: some("other"), ..limit(9) }),
    ];
    for (name, filter) in wanted {
        let events = ledger.events(filter.clone()).await.expect("events");
        assert_eq!(events.iter().map(|view| view.event_id).collect::<Vec<_>>(), [id_of(name)], "{filter:?}");
        let deliveries = ledger.deliveries(filter.clone()).await.expect("deliveries");
        assert_eq!(deliveries.iter().map(|view| view.event_id).collect::<Vec<_>>(), [Some(id_of(name))], "{filter:?}");
    }
    let none = Filter { source: some("rn"), request_id: some("r2"), ..limit(9) };
    assert!(ledger.events(none.clone()).await.expect("events").is_empty());
    assert!(ledger.deliveries(none).await.expect("deliveries").is_empty());
    assert_eq!(ledger.events(limit(9)).await.expect("events").len(), 2);
}

pub(crate) async fn one_string_finds_what_is_known_by_it<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    put(&*ledger, terms("order", "r1", 100)).await;
    let mut referenced = claim("r2", 2, "100");
    referenced.payment_reference = Some("0x1122334455667788".parse().expect("a reference"));
    referenced.provider_objects = vec!["ch_2".to_owned()];
    let mut card = event("m", plain("card", &["default"]));
    card.facts.provider_event_id = Some("evt_9".to_owned());
    card.facts.lane = "pi_9".to_owned();
    card.facts.account = Some("acct_9".to_owned());
    log.take(&*ledger, vec![paid("a", "r1", 1), event("b", IntakeKind::Claim(referenced)), card]).await;
    let (webhook, _) = sent(&*ledger, "a", 1, 100).await;
    let detail = shown(&*ledger, "a").await;
    let delivery = detail.deliveries[0].delivery_id.to_string();
    let payment = detail.event.payment_id.expect("a payment").to_string();
    let id = id_of("b").to_string();
    for (name, q) in [
        ("a", delivery.as_str()),
        ("a", &webhook.to_string()),
        ("a", &payment),
        ("a", "order"),
        ("a", " R1 "),
        ("a", &hex::encode(word(1)).to_uppercase()),
        ("a", &address(1).to_checksum(None)),
        ("a", &format!("{:x}", address(900))),
        ("b", &id),
        ("b", id.get(..13).expect("digits")),
        ("b", "1122334455667788"),
        ("b", "0X1122334455667788"),
        ("b", "ch_2"),
        ("m", "evt_9"),
        ("m", "pi_9"),
        ("m", "acct_9"),
    ] {
        let filter = Filter { q: Some(q.to_owned()), ..limit(9) };
        let deliveries = ledger.deliveries(filter.clone()).await.expect("deliveries");
        let ids: Vec<_> = deliveries.iter().map(|view| view.event_id).collect();
        assert_eq!(ids, [Some(id_of(name))], "{q}");
        if q != delivery {
            let events = ledger.events(filter).await.expect("events");
            assert_eq!(events.iter().map(|view| view.event_id).collect::<Vec<_>>(), [id_of(name)], "{q}");
        }
    }
    for nothing in ["r", "%", "evt_", "0x", "payment.confirmed", "rn", "' OR 1"] {
        let filter = Filter { q: Some(nothing.to_owned()), ..limit(9) };
        assert!(ledger.events(filter.clone()).await.expect("events").is_empty(), "{nothing}");
        assert!(ledger.deliveries(filter).await.expect("deliveries").is_empty(), "{nothing}");
    }
    let expected = |q: &str| ledger.expectations_for(Sought::of(q), 9);
    put(&*ledger, terms("open", "0abc", 100)).await;
    for (q, wanted) in [("order", "order"), ("r1", "order"), ("0x0ABC", "open"), (&format!("{}", address(1)), "open")] {
        let found = expected(q).await.expect("expectations");
        assert_eq!(found.iter().map(|view| view.stored.terms.id.as_str()).collect::<Vec<_>>(), [wanted], "{q}");
    }
    assert!(expected("r2").await.expect("expectations").is_empty());
}

pub(crate) async fn rows_that_change_while_a_list_is_paged_are_shown_once<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let at = |n: i64| {
        let mut made = paid(&format!("e{n}"), &format!("r{n}"), n.unsigned_abs());
        made.facts.received_us = T0 + n * S;
        made
    };
    log.take(&*ledger, (0..12).map(at).collect()).await;
    let of_source = Filter { source: Some("rn".to_owned()), ..limit(3) };
    let waiting = Filter { state: Some(EventState::Verifying), ..limit(3) };
    for filter in [of_source, waiting] {
        let still = filter.state.is_some();
        let before: Vec<_> = ledger.events(Filter { limit: 500, ..filter.clone() }).await.expect("events").items;
        let before: Vec<_> = before.iter().map(|view| view.event_id).collect();
        let first = ledger.events(filter.clone()).await.expect("a page");
        let mut seen: Vec<_> = first.iter().map(|view| view.event_id).collect();
        let mut after = first.next.clone();
        // A row of a page that was shown, one of a page to come, one that comes in, and one older than all.
        let (shown_already, to_come) = (before[1], *before.last().expect("rows"));
        for id in [shown_already, to_come] {
            let event = due(&*ledger, T0).await.into_iter().find(|event| event.event_id == id).expect("due");
            let held = verdict(&event, T0, EventState::Held, Code::TxNotFound);
            assert_eq!(ledger.record_verdict(held).await.expect("written"), Committed::Done);
        }
        let fresh = if still { 40 } else { 30 };
        log.take(&*ledger, vec![at(fresh), at(-fresh)]).await;
        while let Some(cursor) = after {
            let page = ledger.events(Filter { after: Some(cursor), ..filter.clone() }).await.expect("a page");
            seen.extend(page.iter().map(|view| view.event_id));
            after = page.next;
        }
        // Of those that fitted all the while none is missing; whoever fits no longer may be.
        let late = id_of(&format!("e-{fresh}"));
        let wanted: Vec<_> = before.iter().copied().filter(|id| !still || *id != to_come).chain([late]).collect();
        assert_eq!(seen, wanted, "{filter:?}");
    }
    let filter = Filter { sources: vec!["rn".to_owned(), "x".to_owned()], ..limit(1) };
    let first = ledger.deliveries(filter.clone()).await.expect("a page");
    log.take(&*ledger, vec![at(60), at(61)]).await;
    let rest = Filter { after: first.next.clone(), limit: 500, ..filter };
    let rest = ledger.deliveries(rest).await.expect("a page");
    assert!(rest.next.is_none() && rest.len() == 15, "{}", rest.len());
}

pub(crate) async fn pages_are_stable_while_rows_come_in<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let at = |n: i64| {
        let mut made = paid(&format!("e{n}"), &format!("r{n}"), 1);
        // Three arrive in the same microsecond.
        made.facts.received_us = T0 + n / 3;
        made
    };
    log.take(&*ledger, (0..10).map(at).collect()).await;
    let (mut after, mut seen, mut next) = (None, Vec::new(), 10);
    loop {
        let page = ledger.events(Filter { after, ..limit(3) }).await.expect("page");
        let Some(last) = page.last() else { break };
        after = Some(last.cursor.clone());
        seen.extend(page.iter().map(|view| view.event_id));
        log.take(&*ledger, vec![at(next)]).await;
        next += 1;
    }
    assert_eq!(seen, (0..10).rev().map(|n| id_of(&format!("e{n}"))).collect::<Vec<_>>());
    let deliveries = ledger.deliveries(limit(4)).await.expect("deliveries");
    let rest = ledger.deliveries(Filter { after: Some(deliveries[3].cursor.clone()), ..limit(500) }).await;
    assert_eq!(deliveries.len() + rest.expect("deliveries").len(), usize::try_from(next).expect("small"));
    assert_eq!(ledger.events(limit(usize::MAX)).await.expect("events").len(), usize::try_from(next).expect("small"));
}

pub(crate) async fn a_cursor_that_is_none_is_refused<R: Rig>(rig: R) {
    let ledger = rig.ledger();
    for bad in ["", "x", "1", "1.", "1.x", "1.2.3", "1;DROP"] {
        let filter = Filter { after: Some(bad.to_owned()), ..limit(9) };
        assert!(matches!(ledger.events(filter.clone()).await, Err(LedgerError::BadCursor(_))), "{bad}");
        assert!(matches!(ledger.deliveries(filter).await, Err(LedgerError::BadCursor(_))), "{bad}");
    }
}

pub(crate) async fn ids_of_a_range_come_with_their_source<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let mut other = paid("b", "r2", 1);
    other.facts.source = "other".to_owned();
    log.take(&*ledger, vec![paid("a", "r1", 1), other]).await;
    let mut all = vec![(id_of("a").0, "rn".to_owned()), (id_of("b").0, "other".to_owned())];
    all.sort();
    let (least, greatest) = (uuid::Uuid::nil(), uuid::Uuid::max());
    let events = |low, high, limit| ledger.ids(IdOf::Event, low, high, limit);
    assert_eq!(events(least, greatest, 9).await.expect("ids"), all);
    assert_eq!(events(least, greatest, 1).await.expect("ids"), all[..1]);
    assert_eq!(events(all[0].0, all[0].0, 9).await.expect("ids"), all[..1], "both ends count");
    assert_eq!(events(all[1].0, greatest, 9).await.expect("ids"), all[1..]);
    let deliveries = ledger.ids(IdOf::Delivery, least, greatest, 9).await.expect("ids");
    let mut known = Vec::new();
    for view in ledger.deliveries(limit(9)).await.expect("deliveries").items {
        known.push((view.delivery_id, view.source));
    }
    known.sort();
    assert_eq!(deliveries, known);
    // A payment and its transaction lead to their event.
    let none: [(uuid::Uuid, String); 0] = [];
    let of = async |of, low, high| ledger.ids(of, low, high, 9).await.expect("ids");
    assert_eq!(of(IdOf::Payment, least, greatest).await, none);
    assert_eq!(of(IdOf::Transaction, least, greatest).await, none);
    let confirmed = confirm(&due_one(&*ledger, T0, "a").await, 1, 11, 100);
    let key = confirmed.slots[0].key;
    ledger.confirm(Confirm { slots: vec![slot(1, 3, 0), slot(1, 7, 100)], ..confirmed }).await.expect("confirmed");
    let payment = PaymentId::of(&slot(1, 3, 0).key);
    let payment = uuid::Uuid::parse_str(payment.as_str().trim_start_matches("pay_")).expect("32 digits");
    let begins = uuid::Uuid::from_slice(&key.tx_hash[..16]).expect("16 bytes");
    let a = [(id_of("a").0, "rn".to_owned())];
    for (kind, id) in [(IdOf::Payment, payment), (IdOf::Transaction, begins)] {
        assert_eq!(of(kind, least, greatest).await, a, "{kind:?}");
        assert_eq!(of(kind, id, id).await, a, "{kind:?}");
        let next = uuid::Uuid::from_u128(id.as_u128() + 1);
        assert_eq!(of(kind, next, greatest).await, none, "{kind:?}");
    }
}

pub(crate) async fn an_event_shows_all_that_happened<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("a", "r1", 1)]).await;
    let (id, _) = sent(&*ledger, "a", 1, 100).await;
    attempt(&*ledger, id, "default", T0, Next::Delivered).await;
    let detail = shown(&*ledger, "a").await;
    assert_eq!((detail.deliveries.len(), detail.deliveries[0].seq, detail.deliveries[1].seq), (2, 1, 2));
    let road: Vec<_> = detail.trace.iter().map(|entry| (entry.from, entry.to)).collect();
    assert_eq!(
        road,
        [
            (None, EventState::Verifying),
            (Some(EventState::Verifying), EventState::Forwarding),
            (Some(EventState::Forwarding), EventState::Forwarded),
        ]
    );
    assert_eq!(detail.event.claim, Some(claim("r1", 1, "100")));
    assert!(ledger.event(id_of("nobody")).await.expect("read").is_none());
    assert!(ledger.delivery(uuid::Uuid::now_v7()).await.expect("read").is_none());
    assert!(ledger.message(first("nobody")).await.expect("read").is_none());
}

pub(crate) async fn counts_follow_the_states<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let n = |stats: &Stats, state| stats.events.iter().find(|(s, _)| *s == state).map_or(0, |(_, n)| *n);
    let stats = ledger.stats(T0).await.expect("stats");
    assert_eq!((stats.oldest_unforwarded_us, stats.oldest_held_us), (None, None));
    log.take(&*ledger, vec![paid("a", "r1", 1), paid("b", "r2", 2)]).await;
    let messages = ["m", "n"].map(|name| event(name, plain("card", &["default", "second"])));
    log.take_at(&*ledger, T0 + S, messages.to_vec()).await;
    let held = verdict(&due_one(&*ledger, T0, "b").await, T0 + 5 * S, EventState::Held, Code::TxNotFound);
    ledger.record_verdict(held).await.expect("written");
    attempt(&*ledger, first("m"), "default", T0 + S, Next::Delivered).await;
    attempt(&*ledger, first("n"), "second", T0 + S, Next::Dead).await;
    let stats = ledger.stats(T0).await.expect("stats");
    let states = [EventState::Verifying, EventState::Held, EventState::Forwarding, EventState::Dead];
    assert_eq!(states.map(|state| n(&stats, state)), [1, 1, 1, 1]);
    assert_eq!(stats.outbox_due, [("default".to_owned(), 1), ("second".to_owned(), 1)]);
    assert_eq!((stats.oldest_unforwarded_us, stats.oldest_held_us), (Some(T0 + S), Some(T0 + 5 * S)));
}
