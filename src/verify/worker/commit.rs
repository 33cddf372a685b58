//! Writes a decision: a verdict, or a confirmed payment with the message it makes due.
//!
//! The provider's body is read from the evidence log before the ledger's transaction begins; inside it only pure
//! rendering happens.

use std::collections::BTreeMap;
use std::sync::Arc;

use evidence_store::Store;

use crate::clock::Clock;
use crate::config::Config;
use crate::ledger::sums::{self, Before, Step};
use crate::ledger::{
    Committed, Confirm, Confirmed, DueEvent, Ledger, LedgerError, Proof, Reach, Reanchor, RecordVerdict, Retract,
    Sealed, Wait,
};
use crate::message::{self, Claimed, Head, MessageType, Rendered};
use crate::model::{Code, EventState, ExpectationState};
use crate::task::{self, Wakes};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::SourceCode;
use crate::verify::decide::{Confirmation, Content, Decision, Moved, Recorded, Retracting};
use crate::verify::follow::Hints;
use crate::verify::schedule::{IN_ANY_CASE, Moment};

/// What came of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// Written.
    Written,
    /// Not written: the event is still due and is left alone for a moment.
    Rest,
}

/// Writes decisions.
pub(super) struct Committer {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) evidence: Store,
    pub(super) config: Arc<Config>,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
    pub(super) wakes: Wakes,
    /// For the follower of each chain, by EIP-155 id.
    pub(super) hints: BTreeMap<u64, Hints>,
}

impl Committer {
    pub(super) async fn commit(&self, event: DueEvent, decision: Decision) -> Done {
        let (source, before) = (event.facts.source.clone(), event.code);
        let event_id = event.event_id;
        let chain_id = decision.anchor().map(|anchor| anchor.chain_id);
        let written = match decision {
            Decision::Record(recorded) => self.record(&event, *recorded).await,
            Decision::Confirm(confirmation) => self.confirm(event, *confirmation).await,
            Decision::Retract(retracting) => self.retract(event, *retracting).await,
            Decision::Reanchor(moved) => self.reanchor(&event, *moved).await,
        };
        match written {
            Ok(Some(code)) => {
                if let Some(hints) = chain_id.and_then(|chain_id| self.hints.get(&chain_id)) {
                    hints.stands.wake();
                }
                // A wait that goes on is one verdict, however often it was looked at.
                if before != Some(code) {
                    self.metrics.verdicts.get_or_create(&SourceCode::of(&source, code.as_str())).inc();
                    tracing::info!(%event_id, source, code = code.as_str(), "verdict");
                }
                Done::Written
            }
            Ok(None) => Done::Rest,
            Err(error) => {
                tracing::warn!(%event_id, %error, "verdict could not be written");
                Done::Rest
            }
        }
    }

    async fn record(&self, event: &DueEvent, recorded: Recorded) -> Result<Option<Code>, LedgerError> {
        if recorded.code == Code::Reorged {
            let anchor = event.anchor.or(recorded.anchor).map(|anchor| anchor.block_hash.to_string());
            tracing::warn!(event_id = %event.event_id, anchor, state = %recorded.state, "anchor lost");
        }
        if let Some(hint) =
            recorded.anchor.and_then(|anchor| self.hints.get(&anchor.chain_id)).filter(|_| event.wait.is_none())
        {
            hint.waits.wake();
        }
        let verdict = RecordVerdict {
            event_id: event.event_id,
            version: event.version,
            now_us: self.clock.now().as_microsecond(),
            state: recorded.state,
            code: recorded.code,
            due_us: recorded.due_us,
            wait: recorded.wait,
            anchor: recorded.anchor,
            sender: recorded.sender,
            trace: recorded.seen.to_json(),
        };
        match self.ledger.record_verdict(verdict).await? {
            Committed::Done => Ok(Some(recorded.code)),
            Committed::Stale => Ok(None),
        }
    }

    async fn confirm(&self, event: DueEvent, confirmation: Confirmation) -> Result<Option<Code>, LedgerError> {
        let Some(claimed) = self.claimed(&event).await else { return Ok(None) };
        let now = self.clock.now();
        let waiting = exposed(&event, &confirmation);
        let destinations = self.destinations(&event, &confirmation);
        let trace = confirmation.seen.to_json();
        let thin = matches!(confirmation.content, Content::Thin);
        let head = Head { facts: event.facts, at: now, thin, back: confirmation.back };
        let content = confirmation.content;
        let confirm = Confirm {
            event_id: event.event_id,
            version: event.version,
            now_us: now.as_microsecond(),
            anchor: confirmation.anchor,
            slots: confirmation.slots,
            amount: confirmation.amount,
            expectation: confirmation.expectation,
            joins_by: confirmation.joins_by,
            trace,
            code: confirmation.code,
            sender: confirmation.sender,
            evidence: confirmation.evidence,
            exposure: confirmation.exposure,
            destinations,
            render: Box::new(move |sealed| render(sealed, &head, &content, &claimed)),
        };
        match self.ledger.confirm(confirm).await? {
            Confirmed::Sent { code, .. } => {
                self.wakes.forward.wake();
                Ok(Some(code))
            }
            Confirmed::Joined(_) => Ok(Some(Code::Joined)),
            Confirmed::AlreadyClaimed(_) => Ok(Some(Code::AlreadyClaimed)),
            Confirmed::Exposed => match waiting {
                Some(mut verdict) => {
                    let moment = Moment { now_us: now.as_microsecond(), jitter: 0 };
                    // Only what is due some day is woken by a height.
                    (verdict.now_us, verdict.due_us) = (moment.now_us, Some(moment.after(IN_ANY_CASE)));
                    match self.ledger.record_verdict(verdict).await? {
                        Committed::Done => Ok(Some(Code::ExposureLimit)),
                        Committed::Stale => Ok(None),
                    }
                }
                None => Ok(None),
            },
            Confirmed::Stale => Ok(None),
        }
    }

    async fn retract(&self, event: DueEvent, retracting: Retracting) -> Result<Option<Code>, LedgerError> {
        let Some(claimed) = self.claimed(&event).await else { return Ok(None) };
        let (now, retraction) = (self.clock.now(), retracting.retraction);
        tracing::warn!(
            event_id = %event.event_id,
            reason = retraction.reason.as_str(),
            permanent = retraction.permanent,
            "a forwarded payment left the chain: it is retracted"
        );
        let head = Head { facts: event.facts, at: now, thin: false, back: None };
        let (trace, seen) = (retracting.seen.to_json(), retracting.seen);
        let retract = Retract {
            event_id: event.event_id,
            version: event.version,
            now_us: now.as_microsecond(),
            reason: retraction.reason,
            due_us: retracting.due_us,
            trace,
            render: Box::new(move |recalled| {
                message::retracted(recalled, &head, &retraction, (&seen.votes, &seen.checks), &claimed)
            }),
        };
        match self.ledger.retract(retract).await? {
            Committed::Done => {
                self.wakes.forward.wake();
                Ok(Some(Code::Retracted))
            }
            Committed::Stale => Ok(None),
        }
    }

    async fn reanchor(&self, event: &DueEvent, moved: Moved) -> Result<Option<Code>, LedgerError> {
        let anchor = moved.anchor;
        tracing::info!(event_id = %event.event_id, block = %anchor.block_hash, "a forwarded payment is in another block");
        let wait = Wait { chain_id: anchor.chain_id, reach: Reach::Finalized, height: anchor.block_number };
        let reanchor = Reanchor {
            event_id: event.event_id,
            version: event.version,
            now_us: self.clock.now().as_microsecond(),
            anchor,
            slots: moved.slots,
            joins_by: moved.joins_by,
            due_us: Some(moved.due_us),
            wait: Some(wait),
            trace: moved.seen.to_json(),
            evidence: moved.evidence,
        };
        match self.ledger.reanchor(reanchor).await? {
            Committed::Done => {
                // The message may be retried again.
                self.wakes.forward.wake();
                Ok(Some(Code::Verified))
            }
            Committed::Stale => Ok(None),
        }
    }

    /// The provider's body as the log has it; `None` when the log cannot be read now.
    async fn claimed(&self, event: &DueEvent) -> Option<Claimed> {
        if !self.config.include_claimed || !event.facts.origin.is_delivered() {
            return Some(Claimed::Omitted);
        }
        let (evidence, id) = (self.evidence.clone(), event.facts.delivery_id);
        match task::spawn_blocking(move || evidence.delivery(id)).await {
            Ok(Ok(record)) => {
                // A stub, or nothing: the bytes are gone for good.
                let delivery = record.and_then(|record| record.entry.into_delivery());
                Some(delivery.map_or(Claimed::Erased, |delivery| Claimed::of(&delivery.body)))
            }
            Ok(Err(error)) => {
                tracing::warn!(event_id = %event.event_id, %error, "evidence could not be read");
                None
            }
            Err(_join) => None,
        }
    }

    /// The source's destinations that take this type of message. The type follows from the sums, which cannot change
    /// before the commit: it names the version of the expectation that was read.
    fn destinations(&self, event: &DueEvent, confirmation: &Confirmation) -> Vec<String> {
        let source = self.config.source(&event.facts.source);
        source.map_or_else(Vec::new, |source| self.config.destinations_of(source, message_type(event, confirmation)))
    }
}

/// What is written when the payment would put too much at risk: it waits until its block is final.
fn exposed(event: &DueEvent, confirmation: &Confirmation) -> Option<RecordVerdict> {
    let anchor = confirmation.anchor?;
    confirmation.exposure?;
    Some(RecordVerdict {
        event_id: event.event_id,
        version: event.version,
        now_us: 0,
        state: if event.state == EventState::Retracted { event.state } else { EventState::AwaitingFinality },
        code: Code::ExposureLimit,
        due_us: None,
        wait: Some(Wait { chain_id: anchor.chain_id, reach: Reach::Finalized, height: anchor.block_number }),
        anchor: Some(anchor),
        sender: confirmation.sender,
        trace: confirmation.seen.to_json(),
    })
}

fn message_type(event: &DueEvent, confirmation: &Confirmation) -> MessageType {
    if confirmation.back.is_some() {
        return MessageType::PaymentReinstated;
    }
    match &confirmation.content {
        Content::Checked(_) | Content::Thin => return MessageType::ProviderEvent,
        Content::Payment(..) => {}
    }
    let (Some(stored), Some((_, _, way))) = (&event.expectation, &confirmation.expectation) else {
        return MessageType::PaymentUnmatched;
    };
    let received = stored.received.get(*way).copied().unwrap_or_default();
    let expected = stored.terms.accept.get(*way).map(|accept| accept.amount).unwrap_or_default();
    let before = match stored.state {
        ExpectationState::Paid | ExpectationState::Overpaid => Before::Complete,
        ExpectationState::Open
        | ExpectationState::Partial
        | ExpectationState::Late
        | ExpectationState::Expired
        | ExpectationState::Cancelled => Before::Incomplete,
    };
    let sums = sums::add_to(before, expected, received, confirmation.amount, &stored.terms.tolerance);
    match sums.map(|sums| sums.step) {
        Ok(Step::Partial) => MessageType::PaymentPartial,
        Ok(Step::Completed) => MessageType::PaymentVerified,
        // No chain carries such a sum; the ledger refuses it.
        Ok(Step::Excess) | Err(_) => MessageType::PaymentExcess,
    }
}

fn render(sealed: &Sealed, head: &Head, content: &Content, claimed: &Claimed) -> Rendered {
    let plain = |checked: Option<(Code, &Proof)>| {
        message::provider_event(sealed.webhook_id, &sealed.lane, head, checked, claimed)
    };
    match content {
        Content::Payment(payment, proof) => message::payment(sealed, head, payment, proof, claimed),
        Content::Checked(proof) => plain(Some((sealed.code, proof))),
        Content::Thin => plain(None),
    }
}
