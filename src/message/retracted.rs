//! `payment.retracted`: repeats the payment as the backend was told it, and says what has become of it.
//!
//! The payment is taken from the stored message byte for byte, so that a backend can compare it with what it holds, and
//! a retraction needs nothing that a chain or a configuration may have forgotten.

use alloy_primitives::U256;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::body::{Data, Shown, VerificationBlock};
use super::render::{data, expectation_block, finish, retraction_block};
use super::{Claimed, Head, MessageType, Rendered, Retraction};
use crate::ledger::Recalled;
use crate::ledger::sums::Sums;
use crate::model::{Assurance, Check, ExpectationState, Vote};

/// What is read back of a stored message.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    data: SaidData<'a>,
}

#[derive(Deserialize)]
struct SaidData<'a> {
    #[serde(borrow)]
    payment: &'a RawValue,
    verification: SaidVerification,
}

#[derive(Deserialize)]
struct SaidVerification {
    assurance: Assurance,
}

#[derive(Deserialize)]
struct SaidPayment {
    amount_base_units: String,
    token: SaidToken,
}

#[derive(Deserialize)]
struct SaidToken {
    decimals: u8,
}

/// Renders a retraction. `None` when the stored message is not one of ours: nothing may be made up about money.
#[must_use]
pub fn retracted(
    recalled: &Recalled,
    head: &Head,
    retraction: &Retraction,
    seen: (&[Vote], &[Check]),
    claimed: &Claimed,
) -> Option<Rendered> {
    let Said { data: said } = serde_json::from_slice(&recalled.said).ok()?;
    let payment: SaidPayment = serde_json::from_str(said.payment.get()).ok()?;
    let debit: U256 = payment.amount_base_units.parse().ok()?;
    let decimals = payment.token.decimals;
    let sums = recalled.expectation.as_ref().map(|(stored, way)| {
        let expected = stored.terms.accept.get(*way).map(|accept| accept.amount).unwrap_or_default();
        let received = stored.received.get(*way).copied().unwrap_or_default();
        without(stored.state, expected, received)
    });
    let expectation = recalled.expectation.as_ref().zip(sums.as_ref());
    let verification = VerificationBlock {
        verdict: Some(if retraction.permanent { "refuted" } else { "undetermined" }),
        code: retraction.reason.as_str(),
        assurance: said.verification.assurance.as_str(),
        proof: None,
        tier: None,
        finality: None,
        confirmations: None,
        overridden: None,
        votes: seen.0,
        checks: seen.1,
    };
    let data = Data {
        payment_id: Some(recalled.payment_id.as_str()),
        payment: Some(Shown::Said(said.payment)),
        expectation: expectation.map(|((stored, _), sums)| expectation_block(stored, sums, decimals)),
        retraction: Some(retraction_block(retraction, debit)),
        ..data(recalled.webhook_id, &recalled.lane, head, verification)
    };
    Some(finish(MessageType::PaymentRetracted, head, data, claimed))
}

/// An expectation's amounts when a payment has been taken out of them.
fn without(state: ExpectationState, expected: U256, received: U256) -> Sums {
    use crate::ledger::sums::Step;
    let is_complete = match state {
        ExpectationState::Paid | ExpectationState::Overpaid => true,
        ExpectationState::Open
        | ExpectationState::Partial
        | ExpectationState::Late
        | ExpectationState::Expired
        | ExpectationState::Cancelled => false,
    };
    let (step, remaining) =
        if is_complete { (Step::Completed, U256::ZERO) } else { (Step::Partial, expected.saturating_sub(received)) };
    let excess = if state == ExpectationState::Overpaid { received.saturating_sub(expected) } else { U256::ZERO };
    Sums { expected, received, remaining, excess, state, step }
}
