//! A ledger in memory for the calls that forwarding makes, so that a test can make it fail at a chosen one. The rules
//! it keeps are the interface's: a lane's oldest unfinished message only, nothing twice in flight.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use chain_config::TierSpec;

use crate::ledger::{
    Answer, AuditEntry, AuditFilter, AuditRecord, CancelOutcome, ChainEvidence, Change, ChangeTable, Committed,
    Confirm, Confirmed, Cordon, Cursor, DeliveryView, DueEvent, DueMessage, EventDetail, EventView, ExpectationView,
    FeedAck, FeedAcked, FeedPage, FeedRead, Filter, FinalityOverride, HASTENED_MAX, IdOf, IntakeBatch, Intent,
    KnownDelivery, Ledger, LedgerError, LedgerIdentity, Next, Outage, Page, Pause, PauseTarget, PruneLimit, PrunePage,
    PutExpectation, PutOutcome, Reached, Reanchor, Reconciliation, RecordAttempt, RecordIntent, RecordVerdict,
    RemovedHow, Retract, ScanBatch, ScanCursor, ScanTarget, Scanned, Sighting, Snapshot, Sought, Stats, Submission,
    Submitted, Taken, Who,
};
use crate::model::{EventId, WebhookId};

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    Due { due_us: i64 },
    Sending,
    Delivered,
    Dead,
}

/// Messages that are made due at once.
const HASTENED_AT_ONCE: u64 = 1;

/// Failures to come, counted down.
#[derive(Default)]
pub(super) struct Failures {
    pub(super) looks: u32,
    pub(super) intents: u32,
    pub(super) results: u32,
    pub(super) recovers: u32,
}

#[derive(Default)]
struct State {
    messages: Vec<DueMessage>,
    /// Where a message is in the list.
    places: HashMap<WebhookId, usize>,
    stands: HashMap<WebhookId, Stands>,
    stale: HashSet<WebhookId>,
    failures: Failures,
    intents: Vec<RecordIntent>,
    results: Vec<RecordAttempt>,
    results_tried: u64,
    looks: u64,
    checks_asked: u64,
    pauses: Vec<(PauseTarget, bool)>,
    outages: HashMap<String, Vec<Outage>>,
}

/// See the module. A lane `x@second` goes to the destination `second`, any other to `default`.
#[derive(Default)]
pub(super) struct Script(Mutex<State>);

impl Script {
    pub(super) fn add(&self, messages: impl IntoIterator<Item = DueMessage>) {
        let mut state = self.state();
        for message in messages {
            state.stands.insert(message.webhook_id, Stands::Due { due_us: message.created_us });
            let place = state.messages.len();
            state.places.insert(message.webhook_id, place);
            state.messages.push(message);
        }
    }

    pub(super) fn stands(&self, id: WebhookId) -> Stands {
        self.state().stands[&id]
    }

    pub(super) fn leave_open(&self, id: WebhookId) {
        self.state().stands.insert(id, Stands::Sending);
    }

    pub(super) fn make_stale(&self, id: WebhookId) {
        self.state().stale.insert(id);
    }

    pub(super) fn confirm_anchor(&self, id: WebhookId) {
        self.state().stale.remove(&id);
    }

    pub(super) fn fail(&self, failures: Failures) {
        self.state().failures = failures;
    }

    pub(super) fn intents(&self) -> Vec<RecordIntent> {
        self.state().intents.clone()
    }

    pub(super) fn results(&self) -> Vec<RecordAttempt> {
        self.state().results.clone()
    }

    /// What its last attempt came to.
    pub(super) fn last(&self, id: WebhookId) -> Option<Next> {
        self.state().results.iter().rev().find(|result| result.webhook_id == id).map(|result| result.next)
    }

    pub(super) fn results_tried(&self) -> u64 {
        self.state().results_tried
    }

    pub(super) fn looks(&self) -> u64 {
        self.state().looks
    }

    pub(super) fn pauses(&self) -> Vec<(PauseTarget, bool)> {
        self.state().pauses.clone()
    }

    pub(super) fn checks_asked(&self) -> u64 {
        self.state().checks_asked
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn answer<T: Send + 'static>(&self, work: impl FnOnce(&mut State) -> Result<T, LedgerError>) -> Answer<'_, T> {
        let answer = work(&mut self.state());
        Box::pin(std::future::ready(answer))
    }
}

fn fail(left: &mut u32) -> Result<(), LedgerError> {
    match left.checked_sub(1) {
        None => Ok(()),
        Some(fewer) => {
            *left = fewer;
            Err(LedgerError::Unavailable("as scripted".into()))
        }
    }
}

pub(super) fn not_here<T: Send + 'static>() -> Answer<'static, T> {
    Box::pin(std::future::ready(Err(LedgerError::Damaged("forwarding does not ask for this".into()))))
}

impl Ledger for Script {
    fn due_messages(&self, destination: &str, now_us: i64, limit: usize) -> Answer<'_, Vec<DueMessage>> {
        self.answer(|state| {
            state.looks += 1;
            fail(&mut state.failures.looks)?;
            let (mut lanes, mut due) = (HashSet::new(), Vec::new());
            for message in &state.messages {
                let stands = state.stands[&message.webhook_id];
                let to = message.lane.split_once('@').map_or("default", |(_, to)| to);
                let finished = matches!(stands, Stands::Delivered | Stands::Dead);
                if due.len() == limit || finished || to != destination {
                    continue;
                }
                let first_of_lane = lanes.insert(&message.lane);
                if first_of_lane && matches!(stands, Stands::Due { due_us } if due_us <= now_us) {
                    due.push(message.clone());
                }
            }
            Ok(due)
        })
    }

    fn record_intent(&self, intent: RecordIntent) -> Answer<'_, Intent> {
        self.answer(|state| {
            fail(&mut state.failures.intents)?;
            if state.stale.contains(&intent.webhook_id) {
                state.checks_asked += 1;
                return Ok(Intent::AnchorStale);
            }
            match state.stands.get_mut(&intent.webhook_id) {
                Some(stands @ Stands::Due { .. }) => *stands = Stands::Sending,
                _ => return Ok(Intent::Gone),
            }
            state.intents.push(intent);
            Ok(Intent::Go)
        })
    }

    fn record_attempt(&self, result: RecordAttempt) -> Answer<'_, ()> {
        self.answer(|state| {
            state.results_tried += 1;
            fail(&mut state.failures.results)?;
            let stands = match result.next {
                Next::Delivered => Stands::Delivered,
                Next::Retry { due_us } => Stands::Due { due_us },
                Next::Dead => Stands::Dead,
            };
            assert_eq!(
                state.stands.insert(result.webhook_id, stands),
                Some(Stands::Sending),
                "a result without intent"
            );
            let place = state.places[&result.webhook_id];
            state.messages[place].attempts += 1;
            state.results.push(result);
            Ok(())
        })
    }

    fn hasten(&self, destination: &str, now_us: i64) -> Answer<'_, u64> {
        self.answer(|state| {
            let State { messages, stands, results, .. } = state;
            let mut hastened = 0;
            // Fewer a call than the interface has, so that tests see what is done about a full one.
            for message in
                messages.iter().filter(|one| one.lane.split_once('@').map_or("default", |(_, to)| to) == destination)
            {
                let last = results.iter().rev().find(|result| result.webhook_id == message.webhook_id);
                if last.is_some_and(|last| last.outcome != "retry_after")
                    && let Some(Stands::Due { due_us }) = stands.get_mut(&message.webhook_id)
                    && *due_us > now_us
                {
                    if hastened == HASTENED_AT_ONCE {
                        return Ok(HASTENED_MAX);
                    }
                    *due_us = now_us;
                    hastened += 1;
                }
            }
            Ok(hastened)
        })
    }

    fn outages(&self, destination: &str) -> Answer<'_, Vec<Outage>> {
        self.answer(|state| Ok(state.outages.get(destination).cloned().unwrap_or_default()))
    }

    fn put_outages(&self, destination: &str, outages: Vec<Outage>) -> Answer<'_, ()> {
        self.answer(|state| {
            state.outages.insert(destination.to_owned(), outages);
            Ok(())
        })
    }

    fn acknowledge(&self, _: FeedAck) -> Answer<'_, FeedAcked> {
        not_here()
    }

    fn set_pause(&self, target: PauseTarget, paused: bool, _: Who, _: i64) -> Answer<'_, bool> {
        self.answer(|state| {
            state.pauses.push((target, paused));
            Ok(true)
        })
    }

    fn recover_attempts(&self, now_us: i64) -> Answer<'_, u64> {
        self.answer(|state| {
            fail(&mut state.failures.recovers)?;
            let open = state.stands.values_mut().filter(|stands| **stands == Stands::Sending);
            Ok(open.map(|stands| *stands = Stands::Due { due_us: now_us }).count().try_into().unwrap())
        })
    }

    fn cursor(&self) -> Answer<'_, Option<Cursor>> {
        not_here()
    }

    fn intake(&self, _: IntakeBatch) -> Answer<'_, Vec<Taken>> {
        not_here()
    }

    fn due_events(&self, _: i64, _: usize) -> Answer<'_, Vec<DueEvent>> {
        not_here()
    }

    fn record_verdict(&self, _: RecordVerdict) -> Answer<'_, Committed> {
        not_here()
    }

    fn confirm(&self, _: Confirm) -> Answer<'_, Confirmed> {
        not_here()
    }

    fn put_expectation(&self, _: PutExpectation) -> Answer<'_, PutOutcome> {
        not_here()
    }

    fn cancel_expectation(&self, _: &str, _: Who, _: i64) -> Answer<'_, CancelOutcome> {
        not_here()
    }

    fn expire_expectations(&self, _: i64) -> Answer<'_, u64> {
        not_here()
    }

    fn expectation(&self, _: &str) -> Answer<'_, Option<ExpectationView>> {
        not_here()
    }

    fn expectations(&self, _: Option<String>, _: usize) -> Answer<'_, Vec<ExpectationView>> {
        not_here()
    }

    fn deliveries(&self, _: Filter) -> Answer<'_, Page<DeliveryView>> {
        not_here()
    }

    fn delivery(&self, _: uuid::Uuid) -> Answer<'_, Option<DeliveryView>> {
        not_here()
    }

    fn ids(&self, _: IdOf, _: uuid::Uuid, _: uuid::Uuid, _: usize) -> Answer<'_, Vec<(uuid::Uuid, String)>> {
        not_here()
    }

    fn events(&self, _: Filter) -> Answer<'_, Page<EventView>> {
        not_here()
    }

    fn expectations_for(&self, _: Sought, _: usize) -> Answer<'_, Vec<ExpectationView>> {
        not_here()
    }

    fn event(&self, _: EventId) -> Answer<'_, Option<EventDetail>> {
        not_here()
    }

    fn message(&self, _: WebhookId) -> Answer<'_, Option<Vec<u8>>> {
        not_here()
    }

    fn stats(&self, _: i64) -> Answer<'_, Stats> {
        not_here()
    }

    fn identity(&self) -> Answer<'_, LedgerIdentity> {
        not_here()
    }

    fn changes(&self, _: ChangeTable, _: u64, _: usize) -> Answer<'_, Vec<Change>> {
        not_here()
    }

    fn feed(&self, _: FeedRead) -> Answer<'_, FeedPage> {
        not_here()
    }

    fn pauses(&self) -> Answer<'_, Vec<Pause>> {
        not_here()
    }

    fn audit_add(&self, _: AuditEntry) -> Answer<'_, u64> {
        not_here()
    }

    fn audit(&self, _: AuditFilter) -> Answer<'_, Page<AuditRecord>> {
        not_here()
    }

    fn prunable(&self, _: &str, _: PruneLimit, _: u64, _: usize) -> Answer<'_, PrunePage> {
        not_here()
    }

    fn mark_returned(&self, _: Vec<uuid::Uuid>) -> Answer<'_, u64> {
        not_here()
    }

    fn mark_removed(&self, _: Vec<(uuid::Uuid, RemovedHow)>, _: i64) -> Answer<'_, u64> {
        not_here()
    }

    fn stub_of(&self, _: uuid::Uuid) -> Answer<'_, KnownDelivery> {
        not_here()
    }

    fn snapshot(&self, _: &std::path::Path) -> Answer<'_, Snapshot> {
        not_here()
    }

    fn retract(&self, _: Retract) -> Answer<'_, Committed> {
        not_here()
    }

    fn reanchor(&self, _: Reanchor) -> Answer<'_, Committed> {
        not_here()
    }

    fn wake_reached(&self, _: Reached, _: i64) -> Answer<'_, u64> {
        not_here()
    }

    fn wake_anchored(&self, _: u64, _: u64, _: i64) -> Answer<'_, u64> {
        not_here()
    }

    fn wake_eased(&self, _: u64, _: chain_config::Need, _: i64) -> Answer<'_, u64> {
        not_here()
    }

    fn is_watched(&self, _: u64) -> Answer<'_, bool> {
        not_here()
    }

    fn scan_targets(&self, _: u64, _: i64, _: usize) -> Answer<'_, Vec<ScanTarget>> {
        not_here()
    }

    fn scan_cursor(&self, _: u64) -> Answer<'_, Option<ScanCursor>> {
        not_here()
    }

    fn unannounced(&self, _: Vec<Sighting>) -> Answer<'_, Vec<Sighting>> {
        not_here()
    }

    fn take_scanned(&self, _: ScanBatch) -> Answer<'_, Scanned> {
        not_here()
    }

    fn submit(&self, _: Submission) -> Answer<'_, Submitted> {
        not_here()
    }

    fn reconciliation(&self, _: i64, _: usize) -> Answer<'_, Reconciliation> {
        not_here()
    }

    fn chain_evidence(&self, _: EventId) -> Answer<'_, Vec<ChainEvidence>> {
        not_here()
    }

    fn set_finality(&self, _: &str, _: Option<Vec<TierSpec>>, _: Who, _: i64) -> Answer<'_, bool> {
        not_here()
    }

    fn finality_overrides(&self) -> Answer<'_, Vec<FinalityOverride>> {
        not_here()
    }

    fn set_cordon(&self, _: &str, _: &str, _: bool, _: Who, _: i64) -> Answer<'_, bool> {
        not_here()
    }

    fn cordons(&self) -> Answer<'_, Vec<Cordon>> {
        not_here()
    }
}
