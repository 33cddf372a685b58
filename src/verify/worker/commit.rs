//! Writes a decision: a verdict, or a confirmed payment with the message it makes due.
//!
//! The provider's body is read from the evidence log before the ledger's transaction begins; inside it only pure
//! rendering happens.

use std::sync::Arc;

use evidence_store::Store;

use crate::clock::Clock;
use crate::config::Config;
use crate::ledger::sums::{self, Before, Step};
use crate::ledger::{Committed, Confirm, Confirmed, DueEvent, Ledger, LedgerError, Proof, RecordVerdict, Sealed};
use crate::message::{self, Claimed, Head, MessageType, Rendered};
use crate::model::{Code, ExpectationState};
use crate::task::{self, Wakes};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::SourceCode;
use crate::verify::decide::{Confirmation, Content, Decision, Recorded};

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
}

impl Committer {
    pub(super) async fn commit(&self, event: DueEvent, decision: Decision) -> Done {
        let (source, before) = (event.facts.source.clone(), event.code);
        let event_id = event.event_id;
        let written = match decision {
            Decision::Record(recorded) => self.record(&event, *recorded).await,
            Decision::Confirm(confirmation) => self.confirm(event, *confirmation).await,
        };
        match written {
            Ok(Some(code)) => {
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
        let verdict = RecordVerdict {
            event_id: event.event_id,
            version: event.version,
            now_us: self.clock.now().as_microsecond(),
            state: recorded.state,
            code: recorded.code,
            due_us: recorded.due_us,
            anchor: recorded.anchor,
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
        let destinations = self.destinations(&event, &confirmation);
        let trace = confirmation.seen.to_json();
        let thin = matches!(confirmation.content, Content::Thin);
        let head = Head { facts: event.facts, at: now, thin };
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
            Confirmed::Stale => Ok(None),
        }
    }

    /// The provider's body as the log has it; `None` when the log cannot be read now.
    async fn claimed(&self, event: &DueEvent) -> Option<Claimed> {
        if !self.config.include_claimed {
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

fn message_type(event: &DueEvent, confirmation: &Confirmation) -> MessageType {
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
