//! The two renderers. Pure: the same facts give the same bytes, whoever asks and whenever.
//!
//! Conventions of the contract: times are RFC 3339 UTC with milliseconds, addresses carry the EIP-55 checksum, hashes
//! are lower-case `0x…`, amounts are decimal strings beside their base units.

use alloy_primitives::{Address, B256, U256};
use chain_config::amount;
use jiff::Timestamp;

use super::body::{
    AnchorBlock, Data, ExpectationBlock, Message, OverrideBlock, PaymentBlock, ProviderBlock, RetractionBlock, Shown,
    TokenBlock, VerificationBlock,
};
use super::{Claimed, Head, MessageType, Payment, Rendered, Retraction};
use crate::ledger::sums::{Step, Sums};
use crate::ledger::{Proof, Sealed, StoredExpectation};
use crate::model::{Anchor, Code, WebhookId};

/// Version of the message's shape. Fields may be added under the same number; a changed meaning raises it.
pub(super) const SCHEMA: u32 = 1;

/// What stands for an assurance when only the sender is known.
const SIGNATURE_ONLY: &str = "signature";

/// Renders proven money. The sums decide the type: `payment.partial`, `payment.verified` or `payment.excess`;
/// `payment.unmatched` when it was compared with no expectation.
#[must_use]
pub fn payment(sealed: &Sealed, head: &Head, payment: &Payment, proof: &Proof, claimed: &Claimed) -> Rendered {
    let message_type = match (&head.back, &sealed.expectation) {
        (Some(_), _) => MessageType::PaymentReinstated,
        (None, None) => MessageType::PaymentUnmatched,
        (None, Some((_, sums))) => match sums.step {
            Step::Partial => MessageType::PaymentPartial,
            Step::Completed => MessageType::PaymentVerified,
            Step::Excess => MessageType::PaymentExcess,
        },
    };
    let data = Data {
        payment_id: sealed.payment_id.as_ref().map(crate::model::PaymentId::as_str),
        payment: Some(Shown::Now(Box::new(payment_block(payment)))),
        expectation: sealed
            .expectation
            .as_ref()
            .map(|(stored, sums)| expectation_block(stored, sums, payment.token_decimals)),
        retraction: head.back.as_ref().map(|back| retraction_block(back, U256::ZERO)),
        ..data(sealed.webhook_id, &sealed.lane, head, proven("confirmed", sealed.code, proof))
    };
    finish(message_type, head, data, claimed)
}

/// Renders a signed event that claims no transfer. `checked` is a charge that was held against the chain, with how far
/// that went; its recipient is unknown, so its verdict is `undetermined` at best and never `confirmed`. Without it
/// nothing was judged and the verdict is null. Either way only a `payment.*` message says that money is ours.
#[must_use]
pub fn provider_event(
    id: WebhookId,
    lane: &str,
    head: &Head,
    checked: Option<(Code, &Proof)>,
    claimed: &Claimed,
) -> Rendered {
    let verification = match checked {
        None => signed_only(None, Code::ProviderEvent, None),
        Some((code @ Code::ChargeConsistent, proof)) => proven("undetermined", code, proof),
        // Nothing a chain could answer, so there is no assurance to state; what was tried is still shown.
        Some((code, proof)) => signed_only(Some("undetermined"), code, Some(proof)),
    };
    finish(MessageType::ProviderEvent, head, data(id, lane, head, verification), claimed)
}

pub(super) fn finish(message_type: MessageType, head: &Head, data: Data<'_>, claimed: &Claimed) -> Rendered {
    let message = Message { message_type: message_type.as_str(), timestamp: millis(head.at), schema: SCHEMA, data };
    let mut open = match serde_json::to_vec(&message) {
        Ok(bytes) => bytes,
        // Structs, strings, integers and maps keyed by strings: serde_json has no error for these.
        Err(_) => unreachable!("a message of strings and integers serializes"),
    };
    // Two objects end here. They are opened again so that the body becomes the last field of `data` untouched;
    // `RawValue` would trim the white space around it.
    open.truncate(open.len().saturating_sub(2));
    Rendered { message_type, body: claimed.splice(open) }
}

pub(super) fn data<'a>(id: WebhookId, lane: &'a str, head: &'a Head, verification: VerificationBlock<'a>) -> Data<'a> {
    let facts = &head.facts;
    let came = facts.origin.is_delivered().then_some(facts);
    Data {
        event_id: id.event.to_string(),
        state_version: id.state_version,
        lane,
        source: &facts.source,
        origin: facts.origin.as_str(),
        livemode: facts.livemode,
        thin: head.thin.then_some(true),
        provider: ProviderBlock {
            name: &facts.provider,
            event_type: &facts.provider_type,
            event_id: facts.provider_event_id.as_deref(),
            account: facts.account.as_deref(),
            client_id: facts.client_id.as_deref(),
            api_version: facts.api_version.as_deref(),
            delivery_id: came.map(|facts| facts.delivery_id.to_string()),
            received_at: came.and_then(|facts| Timestamp::from_microsecond(facts.received_us).ok()).map(millis),
        },
        payment_id: None,
        payment: None,
        expectation: None,
        verification,
        retraction: None,
    }
}

pub(super) fn retraction_block(retraction: &Retraction, debit: U256) -> RetractionBlock {
    let anchor = |anchor: &Anchor| AnchorBlock {
        block_number: anchor.block_number,
        block_hash: hash(&anchor.block_hash),
        block_timestamp: seconds(anchor.block_timestamp),
    };
    RetractionBlock {
        reason: retraction.reason.as_str(),
        previous_anchor: anchor(&retraction.previous),
        new_anchor: retraction.now.as_ref().map(anchor),
        permanent: retraction.permanent,
        debit_base_units: debit.to_string(),
    }
}

fn payment_block(payment: &Payment) -> PaymentBlock<'_> {
    PaymentBlock {
        chain: &payment.chain,
        chain_id: payment.chain_id,
        testnet: payment.testnet,
        tx_hash: hash(&payment.tx_hash),
        slots: payment.slots.iter().map(ToString::to_string).collect(),
        block_number: payment.block_number,
        block_hash: hash(&payment.block_hash),
        block_timestamp: seconds(payment.block_timestamp),
        explorer_url: payment.explorer_url.as_deref(),
        token: TokenBlock {
            symbol: &payment.token_symbol,
            address: payment.token_address.as_ref().map(address),
            decimals: payment.token_decimals,
        },
        recipient: address(&payment.recipient),
        payer: payment.payer.as_ref().map(address),
        tx_from: payment.tx_from.as_ref().map(address),
        amount: amount::format(payment.amount, payment.token_decimals),
        amount_base_units: payment.amount.to_string(),
        fee_base_units: payment.fee.to_string(),
        payment_reference: payment.payment_reference.as_ref().map(ToString::to_string),
        request_id: payment.request_id.as_deref(),
    }
}

/// `decimals` are those of the payment's token: the sums are in the token of the way to pay that matched.
pub(super) fn expectation_block<'a>(stored: &'a StoredExpectation, sums: &Sums, decimals: u8) -> ExpectationBlock<'a> {
    let tokens = |units: U256| amount::format(units, decimals);
    ExpectationBlock {
        id: &stored.terms.id,
        status: sums.state.as_str(),
        complete: match sums.step {
            Step::Partial => false,
            Step::Completed | Step::Excess => true,
        },
        expected: tokens(sums.expected),
        received: tokens(sums.received),
        remaining: tokens(sums.remaining),
        excess: tokens(sums.excess),
        expected_base_units: sums.expected.to_string(),
        received_base_units: sums.received.to_string(),
        remaining_base_units: sums.remaining.to_string(),
        excess_base_units: sums.excess.to_string(),
        payment_ids: stored.payment_ids.iter().map(crate::model::PaymentId::as_str).collect(),
        deadline: stored.terms.deadline.map(millis),
        metadata: &stored.terms.metadata,
    }
}

fn proven<'a>(verdict: &'static str, code: Code, proof: &'a Proof) -> VerificationBlock<'a> {
    VerificationBlock {
        verdict: Some(verdict),
        code: code.as_str(),
        assurance: proof.assurance.as_str(),
        proof: Some(proof.method),
        tier: Some(&proof.tier),
        finality: Some(proof.finality.as_str()),
        confirmations: Some(proof.confirmations),
        overridden: proof.accepted.as_ref().map(|word| OverrideBlock { by: &word.by, reason: &word.reason }),
        votes: &proof.votes,
        checks: &proof.checks,
    }
}

fn signed_only<'a>(verdict: Option<&'static str>, code: Code, tried: Option<&'a Proof>) -> VerificationBlock<'a> {
    VerificationBlock {
        verdict,
        code: code.as_str(),
        assurance: SIGNATURE_ONLY,
        proof: None,
        tier: None,
        finality: None,
        confirmations: None,
        overridden: None,
        votes: tried.map_or(&[], |proof| &proof.votes),
        checks: tried.map_or(&[], |proof| &proof.checks),
    }
}

/// A block's own time.
fn seconds(seconds: u64) -> Option<String> {
    let seconds = i64::try_from(seconds).ok()?;
    Timestamp::from_second(seconds).ok().map(millis)
}

/// RFC 3339, UTC, milliseconds; finer digits are cut, never rounded up into the future.
pub(super) fn millis(at: Timestamp) -> String {
    format!("{at:.3}")
}

fn hash(hash: &B256) -> String {
    format!("0x{}", hex::encode(hash))
}

fn address(address: &Address) -> String {
    address.to_checksum(None)
}
