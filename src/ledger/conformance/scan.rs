//! Money that no webhook announced: what is looked for, how the cursor moves, and that one transfer makes one event.

use alloy_primitives::B256;

use super::Rig;
use super::fixtures::*;
use crate::ledger::*;
use crate::model::*;

const REFERENCE: &str = "0x2c3366941274c34c";

fn referenced(id: &str, amount: u64) -> Expectation {
    Expectation { key: ExpectationKey::PaymentReference(REFERENCE.parse().unwrap()), ..terms(id, "", amount) }
}

fn direct(id: &str, amount: u64) -> Expectation {
    Expectation { key: ExpectationKey::Direct, rails: vec![Rail::Direct], ..terms(id, "", amount) }
}

/// Transaction `tx`, found for an expectation, with its event at log 7.
fn find(terms: &Expectation, tx: u64) -> ScanFind {
    let reference = match &terms.key {
        ExpectationKey::PaymentReference(reference) => Some(reference.clone()),
        ExpectationKey::RequestId(_) | ExpectationKey::ProviderObject(_) | ExpectationKey::Direct => None,
    };
    ScanFind {
        sighting: sighting(terms, tx),
        slots: vec![slot(tx, 9, 0).key, slot(tx, 7, 0).key],
        block_hash: anchor(tx, 50).block_hash,
        tx_index: tx,
        facts: EventFacts {
            provider_type: String::new(),
            origin: Origin::Scan,
            delivery_id: uuid::Uuid::nil(),
            lane: format!("expectation:{}", terms.id),
            ..facts("")
        },
        claim: Claim {
            payment_reference: reference,
            request_id: None,
            amount: None,
            currency: None,
            ..claim("", tx, "")
        },
        is_bound: terms.key == ExpectationKey::Direct,
    }
}

fn sighting(terms: &Expectation, tx: u64) -> Sighting {
    Sighting {
        chain_id: 8453,
        tx_hash: B256::from(word(tx)),
        expectation_id: terms.id.clone(),
        realm: terms.realm.clone(),
        key: terms.key.clone(),
    }
}

fn at(height: u64) -> (u64, B256) {
    (height, B256::from(word(height)))
}

/// Takes a stretch in, wherever the cursor stands.
async fn scanned(ledger: &dyn Ledger, to: u64, finds: Vec<ScanFind>) -> Vec<Option<EventId>> {
    let from = ledger.scan_cursor(8453).await.expect("read").map(|at| (at.height, at.block_hash));
    let batch = ScanBatch { chain_id: 8453, from, to: at(to), now_us: T0 + to.cast_signed(), finds };
    match ledger.take_scanned(batch).await.expect("answered") {
        Scanned::Taken(made) => made,
        Scanned::Stale => panic!("stale"),
    }
}

fn of_transfer(tx: u64) -> EventId {
    EventId::of_transfer(&slot(tx, 7, 0).key)
}

async fn event_of(ledger: &dyn Ledger, tx: u64) -> EventDetail {
    ledger.event(of_transfer(tx)).await.expect("read").expect("known")
}

async fn due_of(ledger: &dyn Ledger, tx: u64) -> DueEvent {
    let found = due(ledger, T0 + 3600 * S).await.into_iter().find(|event| event.event_id == of_transfer(tx));
    found.expect("it is due")
}

pub(crate) async fn what_is_open_or_ended_lately_is_watched<R: Rig>(rig: R) {
    let ledger = rig.ledger();
    put(&*ledger, referenced("a-open", 100)).await;
    put(&*ledger, direct("b-direct", 100)).await;
    let mut elsewhere = terms("c-elsewhere", "r3", 100);
    elsewhere.accept[0].chain_id = 1;
    put(&*ledger, elsewhere.clone()).await;
    put(&*ledger, terms("d-cancelled", "r4", 100)).await;
    ledger.cancel_expectation("d-cancelled", backend(), T0).await.expect("cancelled");
    let mut both = terms("e-both", "r5", 100);
    both.accept.push(elsewhere.accept[0].clone());
    both.deadline = jiff::Timestamp::from_microsecond(T0 + 10 * S).ok();
    put(&*ledger, both).await;
    let ids = async |chain_id, since_us, limit| {
        let found = ledger.scan_targets(chain_id, since_us, limit).await.expect("targets");
        found.into_iter().map(|target| (target.expectation_id, target.is_open, target.accept.len())).collect::<Vec<_>>()
    };
    let known = |list: &[(&str, bool)]| list.iter().map(|(id, open)| ((*id).to_owned(), *open, 1)).collect::<Vec<_>>();
    assert_eq!(ids(8453, T0, 9).await, known(&[("a-open", true), ("b-direct", true), ("e-both", true)]));
    assert_eq!(ids(1, T0, 9).await, known(&[("c-elsewhere", true), ("e-both", true)]));
    assert_eq!(ids(10, T0, 9).await, []);
    assert_eq!(ids(8453, T0, 2).await.len(), 2);
    // It ends: watched from then on for as long as is asked.
    ledger.expire_expectations(T0 + 20 * S).await.expect("expired");
    assert_eq!(ids(1, T0 + 20 * S, 9).await, known(&[("c-elsewhere", true), ("e-both", false)]));
    assert_eq!(ids(1, T0 + 21 * S, 9).await, known(&[("c-elsewhere", true)]));
}

pub(crate) async fn a_cursor_moves_only_from_where_it_stands<R: Rig>(rig: R) {
    let ledger = rig.ledger();
    assert_eq!(ledger.scan_cursor(8453).await.expect("read"), None);
    put(&*ledger, referenced("order", 100)).await;
    scanned(&*ledger, 100, Vec::new()).await;
    let cursor = ScanCursor { height: 100, block_hash: at(100).1, at_us: T0 + 100 };
    assert_eq!(ledger.scan_cursor(8453).await.expect("read"), Some(cursor));
    for from in [None, Some(at(99)), Some((100, at(99).1))] {
        let finds = vec![find(&referenced("order", 100), 1)];
        let batch = ScanBatch { chain_id: 8453, from, to: at(200), now_us: T0, finds };
        assert_eq!(ledger.take_scanned(batch).await.expect("answered"), Scanned::Stale, "{from:?}");
    }
    assert!(due(&*ledger, T0 + S).await.is_empty(), "what is stale writes nothing");
    assert_eq!(ledger.scan_cursor(1).await.expect("read"), None, "another chain's");
    // Back, when the chain was replaced there; and on again, after a restart.
    scanned(&*ledger, 40, Vec::new()).await;
    drop(ledger);
    let ledger = rig.restart();
    let ledger = ledger.ledger();
    assert_eq!(ledger.scan_cursor(8453).await.expect("read").expect("a cursor").height, 40);
}

pub(crate) async fn rule_6_a_find_makes_one_event_with_the_transfers_id<R: Rig>(rig: R) {
    let ledger = rig.ledger();
    let order = referenced("order", 100);
    put(&*ledger, order.clone()).await;
    assert_eq!(scanned(&*ledger, 60, vec![find(&order, 1)]).await, [Some(of_transfer(1))]);
    let detail = event_of(&*ledger, 1).await;
    let event = &detail.event;
    assert_eq!((event.state, event.code, event.due_us), (EventState::Verifying, None, Some(T0 + 60)));
    assert_eq!((event.facts.origin, event.deliveries, event.state_version), (Origin::Scan, 0, 0));
    assert_eq!(detail.trace[0].detail["found"]["slot"], "log:7");
    // The same blocks again, and the same find twice in one batch.
    assert_eq!(scanned(&*ledger, 60, vec![find(&order, 1)]).await, [None]);
    assert_eq!(scanned(&*ledger, 61, vec![find(&order, 2), find(&order, 2)]).await, [Some(of_transfer(2)), None]);
    assert_eq!(due(&*ledger, T0 + S).await.len(), 2);
    // It is found, judged, sent and counted like any other.
    let event = due_of(&*ledger, 1).await;
    assert_eq!(event.expectation.as_ref().expect("named by its reference").terms.id, "order");
    let sent = ledger.confirm(confirm(&event, 1, 50, 100)).await.expect("confirmed");
    assert!(matches!(sent, Confirmed::Sent { code: Code::Verified, .. }), "{sent:?}");
    assert_eq!(messages(&*ledger, "default", T0 + S).await[0].lane, "expectation:order");
}

pub(crate) async fn rule_5_a_late_webhook_joins_what_a_scan_found<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let order = referenced("order", 100);
    put(&*ledger, order.clone()).await;
    scanned(&*ledger, 60, vec![find(&order, 1)]).await;
    let event = due_of(&*ledger, 1).await;
    ledger.confirm(confirm(&event, 1, 50, 100)).await.expect("confirmed");
    let mut late = paid("late", "r1", 1);
    let IntakeKind::Claim(claim) = &mut late.kind else { panic!("a claim") };
    claim.payment_reference = Some(REFERENCE.parse().unwrap());
    log.take(&*ledger, vec![late.clone()]).await;
    let event = due_one(&*ledger, T0 + 3600 * S, "late").await;
    let answer = ledger.confirm(confirm(&event, 1, 50, 100)).await.expect("confirmed");
    assert_eq!(answer, Confirmed::Joined(of_transfer(1)));
    assert_eq!(messages(&*ledger, "default", T0 + 3600 * S).await.len(), 1, "nothing is sent again");
    // A further copy of it finds the scan's event.
    late.facts.delivery_id = uuid::Uuid::now_v7();
    let taken = log.take(&*ledger, vec![late]).await;
    assert_eq!((taken[0].event_id, taken[0].new_event), (Some(of_transfer(1)), false));
}

pub(crate) async fn rule_5_what_a_webhook_announced_is_not_found_again<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let order = referenced("order", 100);
    put(&*ledger, order.clone()).await;
    let claims = |name: &str, tx: u64, reference: &str| {
        let mut event = paid(name, "r1", tx);
        if let IntakeKind::Claim(claim) = &mut event.kind {
            // As people write hashes.
            claim.tx_hash = claim.tx_hash.to_uppercase().replace("0X", "0x");
            claim.payment_reference = Some(reference.parse().unwrap());
        }
        event
    };
    let mut stranger = claims("stranger", 4, REFERENCE);
    stranger.facts.realm = "elsewhere".to_owned();
    log.take(&*ledger, vec![claims("a", 1, REFERENCE), claims("b", 2, "0x00"), stranger]).await;
    let unannounced = async |txs: &[u64]| {
        let sightings = txs.iter().map(|tx| sighting(&order, *tx)).collect();
        ledger.unannounced(sightings).await.expect("read").into_iter().map(|one| one.tx_hash).collect::<Vec<_>>()
    };
    let known = |txs: &[u64]| txs.iter().map(|tx| B256::from(word(*tx))).collect::<Vec<_>>();
    assert_eq!(unannounced(&[1, 2, 3, 4]).await, known(&[2, 3, 4]));
    assert_eq!(scanned(&*ledger, 60, vec![find(&order, 1)]).await, [None]);
    // Confirmed, and then by the transfer itself: under another reference, and by its place in the block.
    sent(&*ledger, "a", 1, 40).await;
    assert!(unannounced(&[1]).await.is_empty());
    let other = Expectation { key: ExpectationKey::Direct, ..referenced("other", 5) };
    put(&*ledger, other.clone()).await;
    let by_place = ScanFind {
        slots: vec![slot(8, 7, 0).key],
        tx_index: 1,
        block_hash: anchor(1, 11).block_hash,
        ..find(&other, 8)
    };
    assert_eq!(scanned(&*ledger, 61, vec![find(&other, 1), by_place]).await, [None, None]);
    assert_eq!(
        scanned(&*ledger, 62, vec![find(&order, 3), find(&order, 4)]).await,
        [3, 4].map(|tx| Some(of_transfer(tx)))
    );
}

pub(crate) async fn rule_33_a_copy_that_a_filter_left_out_hides_no_money<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let order = referenced("order", 100);
    put(&*ledger, order.clone()).await;
    let mut claimed = paid("a", "r1", 1);
    if let IntakeKind::Claim(claim) = &mut claimed.kind {
        claim.payment_reference = Some(REFERENCE.parse().unwrap());
    }
    log.take(&*ledger, vec![claimed]).await;
    let event = due_one(&*ledger, T0 + S, "a").await;
    ledger.record_verdict(verdict(&event, T0, EventState::Ignored, Code::TypeIgnored)).await.expect("written");
    assert_eq!(scanned(&*ledger, 60, vec![find(&order, 1)]).await, [Some(of_transfer(1))]);
}

pub(crate) async fn rule_11_a_direct_find_stays_with_its_expectation<R: Rig>(rig: R) {
    let ledger = rig.ledger();
    let order = direct("order", 100);
    put(&*ledger, order.clone()).await;
    assert_eq!(scanned(&*ledger, 60, vec![find(&order, 1)]).await, [Some(of_transfer(1))]);
    let event = due_of(&*ledger, 1).await;
    assert_eq!(event.expectation.as_ref().map(|stored| stored.terms.id.as_str()), Some("order"));
    let by_expectation = Filter { expectation: Some("order".to_owned()), limit: 9, ..Filter::default() };
    assert_eq!(ledger.events(by_expectation).await.expect("listed").len(), 1);
    // Its block is lost before anything was sent: what it is for is not forgotten, for nothing else says so.
    ledger.confirm(confirm(&event, 1, 50, 40)).await.expect("confirmed");
    ledger.wake_anchored(8453, 0, T0 + S).await.expect("woken");
    let event = due_of(&*ledger, 1).await;
    let lost = verdict(&event, T0 + 2 * S, EventState::Verifying, Code::Reorged);
    ledger.record_verdict(lost).await.expect("written");
    let event = due_of(&*ledger, 1).await;
    assert_eq!(event.expectation.as_ref().map(|stored| stored.received[0].is_zero()), Some(true));
    assert_eq!(scanned(&*ledger, 61, vec![find(&order, 1)]).await, [None], "its tombstone still holds the transfer");
    // Held, and freed by other terms; cancelled, and named by nobody.
    let event = due_of(&*ledger, 1).await;
    ledger.record_verdict(verdict(&event, T0 + 3 * S, EventState::Held, Code::Late)).await.expect("written");
    assert_eq!(ledger.expectation("order").await.expect("read").expect("known").stored.state, ExpectationState::Late);
    put(&*ledger, direct("order", 40)).await;
    let event = due_of(&*ledger, 1).await;
    assert_eq!(event.state, EventState::Verifying);
    ledger.cancel_expectation("order", backend(), T0 + 4 * S).await.expect("cancelled");
    assert!(due_of(&*ledger, 1).await.expectation.is_none());
}

pub(crate) async fn what_does_not_add_up_is_told<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let order = referenced("found", 100);
    put(&*ledger, order.clone()).await;
    for id in ["silent-2", "silent-1"] {
        put(&*ledger, terms(id, id, 100)).await;
    }
    put(&*ledger, terms("announced", "r9", 100)).await;
    let told = ledger.reconciliation(T0, 9).await.expect("read");
    assert_eq!((told.silent, told.scanned.len()), (4, 0));
    log.take(&*ledger, vec![paid("a", "r9", 9)]).await;
    scanned(&*ledger, 60, vec![find(&order, 1), find(&order, 2)]).await;
    let told = ledger.reconciliation(T0, 1).await.expect("read");
    assert_eq!(told.scanned, [("base".to_owned(), 2)]);
    assert_eq!((told.silent, told.oldest_silent), (2, vec![("silent-1".to_owned(), T0)]));
    assert!(ledger.reconciliation(T0 + S, 9).await.expect("read").scanned.is_empty(), "before that time");
}

pub(crate) async fn rule_6_a_submission_and_a_find_of_one_transfer_are_one_event<R: Rig>(rig: R) {
    let ledger = rig.ledger();
    let terms = direct("order", 100);
    put(&*ledger, terms.clone()).await;
    let submission = |tx| {
        let found = find(&terms, tx);
        let find = ScanFind { facts: EventFacts { origin: Origin::Operator, ..found.facts.clone() }, ..found };
        Submission { find, by: backend(), now_us: T0 }
    };
    assert_eq!(ledger.submit(submission(1)).await.expect("answered"), Submitted::Made(of_transfer(1)));
    assert_eq!(ledger.submit(submission(1)).await.expect("answered"), Submitted::Known(of_transfer(1)));
    assert_eq!(scanned(&*ledger, 100, vec![find(&terms, 1)]).await, [None], "the search comes later");
    let due = due_of(&*ledger, 1).await;
    assert_eq!(due.facts.origin, Origin::Operator);
    assert_eq!(due.expectation.expect("bound").terms.id, "order", "nothing that it claims finds it");
    // The other way round: what a search found is known.
    assert_eq!(scanned(&*ledger, 200, vec![find(&terms, 2)]).await, [Some(of_transfer(2))]);
    assert_eq!(ledger.submit(submission(2)).await.expect("answered"), Submitted::Known(of_transfer(2)));
    let audit = AuditFilter { what: Some("payment.submit".to_owned()), limit: 9, ..AuditFilter::default() };
    let entries = ledger.audit(audit).await.expect("read").items;
    assert_eq!(entries.iter().map(|record| record.entry.event_id).collect::<Vec<_>>(), [Some(of_transfer(1))]);
}
