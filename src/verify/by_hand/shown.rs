//! A judgement by hand as JSON: verdict, what it stands on, and what would be sent.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Asked;
use crate::ledger::sums::{self, Before, Step, Sums};
use crate::ledger::{DueEvent, EventView, Sealed, StoredExpectation, Wait};
use crate::message::{self, Claimed, Head, MessageType};
use crate::model::{
    Anchor, CheckName, CheckOutcome, Code, EventId, EventState, ExpectationState, PaymentId, WebhookId,
};
use crate::verify::decide::{Confirmation, Content, Decision, Seen};
use crate::verify::diagnosis::check;

/// What was decided of a transaction, and what the ledger knows of it.
pub(super) struct Judged<'a> {
    pub(super) event: &'a DueEvent,
    pub(super) decision: &'a Decision,
    /// The event that holds a transfer of it already.
    pub(super) holder: Option<&'a EventView>,
    /// Stored events of the transaction.
    pub(super) known: &'a [EventView],
    pub(super) at: Timestamp,
}

/// What a decision says, whatever it does.
struct Said<'a> {
    verdict: &'static str,
    code: Code,
    anchor: Option<Anchor>,
    wait: Option<Wait>,
    seen: &'a Seen,
}

impl Judged<'_> {
    /// `destinations` says who takes a type of message.
    pub(super) fn to_json(&self, asked: &Asked, destinations: impl Fn(MessageType) -> Vec<String>) -> Value {
        let mut said = said(self.decision);
        let would_send = match (self.decision, self.holder) {
            (Decision::Confirm(confirmation), None) => {
                let (code, message) = self.message(confirmation, destinations);
                said.code = code;
                message
            }
            (Decision::Confirm(_), Some(holder)) => {
                (said.verdict, said.code) = claimed(holder, self.event);
                Value::Null
            }
            (Decision::Record(_) | Decision::Retract(_) | Decision::Reanchor(_), _) => Value::Null,
        };
        let mut checks = said.seen.checks.clone();
        if let Decision::Confirm(_) = self.decision {
            let (outcome, actual) = match self.holder {
                None => (CheckOutcome::Pass, "nobody".to_owned()),
                Some(holder) => (CheckOutcome::Fail, holder.event_id.to_string()),
            };
            checks.push(check(CheckName::Uniqueness, outcome, "nobody", actual));
        }
        json!({
            "chain": asked.chain,
            "tx_hash": asked.tx_hash,
            "source": asked.source,
            "expectation": asked.expectation.as_ref().map(|stored| &stored.terms.id),
            "verdict": said.verdict,
            "code": said.code,
            "meaning": said.code.meaning(),
            "block": said.anchor.as_ref().map(block),
            "tier": said.seen.depth.as_ref().map(|(tier, _)| tier),
            "confirmations": said.seen.depth.as_ref().map(|(_, confirmations)| confirmations),
            "waits_for": said.wait.map(|wait| json!({"reach": wait.reach, "height": wait.height})),
            "checks": checks,
            "votes": said.seen.votes,
            "claimed_by": self.holder.map(brief),
            "would_send": would_send,
            "events": self.known.iter().map(brief).collect::<Vec<_>>(),
        })
    }

    /// The message as it would be rendered, without what only a stored event has; and the outcome after the sums.
    pub(super) fn message(
        &self,
        confirmation: &Confirmation,
        destinations: impl Fn(MessageType) -> Vec<String>,
    ) -> (Code, Value) {
        let Content::Payment(payment, proof) = &confirmation.content else { return (confirmation.code, Value::Null) };
        let Some(lowest) = confirmation.slots.iter().map(|slot| slot.key).min() else {
            return (confirmation.code, Value::Null);
        };
        let payment_id = PaymentId::of(&lowest);
        let summed = summed(self.event.expectation.as_ref(), confirmation, &payment_id);
        let code = summed.as_ref().map_or(confirmation.code, |(_, sums)| outcome(sums));
        let webhook_id = WebhookId { event: EventId::of_transfer(&lowest), state_version: 1 };
        let sealed =
            Sealed { webhook_id, payment_id: Some(payment_id), lane: String::new(), expectation: summed, code };
        let head = Head { facts: self.event.facts.clone(), at: self.at, thin: false, back: None };
        let rendered = message::payment(&sealed, &head, payment, proof, &Claimed::Omitted);
        let message: Value = serde_json::from_slice(&rendered.body).unwrap_or_default();
        let part = |pointer: &str| message.pointer(pointer).cloned().unwrap_or_default();
        let shown = json!({
            "type": rendered.message_type.as_str(),
            "destinations": destinations(rendered.message_type),
            "payment_id": part("/data/payment_id"),
            "payment": part("/data/payment"),
            "expectation": part("/data/expectation"),
            "assurance": part("/data/verification/assurance"),
            "finality": part("/data/verification/finality"),
        });
        (code, shown)
    }
}

fn said(decision: &Decision) -> Said<'_> {
    match decision {
        Decision::Confirm(sent) => {
            Said { verdict: "confirmed", code: sent.code, anchor: sent.anchor, wait: None, seen: &sent.seen }
        }
        Decision::Record(recorded) => {
            let verdict = match recorded.state {
                EventState::Refuted => "refuted",
                EventState::Held => "held",
                EventState::Received
                | EventState::Verifying
                | EventState::AwaitingFinality
                | EventState::Forwarding
                | EventState::Forwarded
                | EventState::Settled
                | EventState::Undetermined
                | EventState::Ignored
                | EventState::Dead
                | EventState::Retracted => "undetermined",
            };
            let (code, anchor, wait) = (recorded.code, recorded.anchor, recorded.wait);
            Said { verdict, code, anchor, wait, seen: &recorded.seen }
        }
        // Only what was sent is taken back or moved.
        Decision::Retract(taken) => {
            Said { verdict: "undetermined", code: Code::Retracted, anchor: None, wait: None, seen: &taken.seen }
        }
        Decision::Reanchor(moved) => {
            let anchor = Some(moved.anchor);
            Said { verdict: "undetermined", code: Code::Verified, anchor, wait: None, seen: &moved.seen }
        }
    }
}

/// What a webhook about a claimed transfer comes to: it joins the event of the same expectation, or of the same
/// reference or request in the same realm; all others are refused.
pub(super) fn claimed(holder: &EventView, event: &DueEvent) -> (&'static str, Code) {
    let expectation = event.expectation.as_ref().map(|stored| stored.terms.id.as_str());
    let is_same = expectation.is_some() && expectation == holder.expectation_id.as_deref();
    let shares = |field: fn(&crate::model::Claim) -> Option<String>| {
        let ours = event.claim.as_ref().and_then(field);
        ours.is_some() && ours == holder.claim.as_ref().and_then(field)
    };
    let is_shared = holder.facts.realm == event.facts.realm
        && (shares(|claim| claim.request_id.clone())
            || shares(|claim| claim.payment_reference.as_ref().map(ToString::to_string)));
    if is_same || is_shared { ("confirmed", Code::Joined) } else { ("refuted", Code::AlreadyClaimed) }
}

/// The expectation after this payment.
fn summed(
    expectation: Option<&StoredExpectation>,
    confirmation: &Confirmation,
    payment: &PaymentId,
) -> Option<(StoredExpectation, Sums)> {
    let mut stored = expectation?.clone();
    let (_, _, way) = confirmation.expectation.as_ref()?;
    let before = match stored.state {
        ExpectationState::Paid | ExpectationState::Overpaid => Before::Complete,
        ExpectationState::Open
        | ExpectationState::Partial
        | ExpectationState::Late
        | ExpectationState::Expired
        | ExpectationState::Cancelled => Before::Incomplete,
    };
    let expected = stored.terms.accept.get(*way)?.amount;
    let received = stored.received.get_mut(*way)?;
    let sums = sums::add_to(before, expected, *received, confirmation.amount, &stored.terms.tolerance).ok()?;
    *received = sums.received;
    stored.payment_ids.push(payment.clone());
    Some((stored, sums))
}

fn outcome(sums: &Sums) -> Code {
    match sums.step {
        Step::Partial => Code::VerifiedPartial,
        Step::Completed | Step::Excess if sums.excess.is_zero() => Code::Verified,
        Step::Completed | Step::Excess => Code::VerifiedOverpaid,
    }
}

fn block(anchor: &Anchor) -> Value {
    let seconds = i64::try_from(anchor.block_timestamp).unwrap_or_default();
    json!({
        "number": anchor.block_number,
        "hash": anchor.block_hash,
        "at": Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH).to_string(),
    })
}

fn brief(view: &EventView) -> Value {
    json!({
        "event_id": view.event_id,
        "source": view.facts.source,
        "state": view.state,
        "code": view.code,
        "payment_id": view.payment_id,
        "expectation": view.expectation_id,
    })
}
