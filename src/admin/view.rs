//! What lists and details look like: the contract's field names, RFC 3339 UTC times.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::ledger::{ClaimView, DeliveryView, EventDetail, EventView, ExpectationView, MessageView, TraceEntry};
use crate::model::{Accept, Code, ExpectationKey};

/// RFC 3339 with microseconds as stored.
pub(super) fn time(us: i64) -> String {
    Timestamp::from_microsecond(us).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// RFC 3339 of whole seconds, as blocks and providers count.
pub(super) fn time_of_seconds(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

pub(super) fn delivery(view: &DeliveryView) -> Value {
    json!({
        "delivery_id": view.delivery_id,
        "seq": view.seq,
        "source": view.source,
        "received_at": time(view.received_us),
        "body_sha256": view.body_sha256,
        "event_id": view.event_id,
        "state": if view.code.is_some() { "ignored" } else { "taken" },
        "code": view.code,
        "removed": view.removed,
    })
}

pub(super) fn event(view: &EventView) -> Value {
    let anchor = view.anchor.as_ref().map(|anchor| {
        json!({
            "chain_id": anchor.chain_id,
            "tx_hash": anchor.tx_hash,
            "block_number": anchor.block_number,
            "block_hash": anchor.block_hash,
            "block_timestamp": time_of_seconds(i64::try_from(anchor.block_timestamp).unwrap_or_default()),
        })
    });
    json!({
        "event_id": view.event_id,
        "state": view.state,
        "code": view.code,
        "source": view.facts.source,
        "provider": view.facts.provider,
        "provider_type": view.facts.provider_type,
        "provider_event_id": view.facts.provider_event_id,
        "account": view.facts.account,
        "client_id": view.facts.client_id,
        "livemode": view.facts.livemode,
        "origin": view.facts.origin,
        "lane": view.facts.lane,
        "state_version": view.state_version,
        "payment_id": view.payment_id,
        "expectation": view.expectation_id,
        "claim": view.claim,
        "anchor": anchor,
        "deliveries": view.deliveries,
        "received_at": time(view.facts.received_us),
        "updated_at": time(view.updated_us),
        "due_at": view.due_us.map(time),
    })
}

pub(super) fn detail(detail: &EventDetail) -> Value {
    let mut value = event(&detail.event);
    if let Value::Object(fields) = &mut value {
        fields.insert("meaning".into(), json!(detail.event.code.map(Code::meaning)));
        fields.insert("trace".into(), detail.trace.iter().map(trace).collect());
        fields.insert("delivery_list".into(), detail.deliveries.iter().map(delivery).collect());
        fields.insert("messages".into(), detail.messages.iter().map(message).collect());
        fields.insert("claims".into(), detail.claims.iter().map(claim).collect());
    }
    value
}

fn trace(entry: &TraceEntry) -> Value {
    json!({"at": time(entry.at_us), "from": entry.from, "to": entry.to, "code": entry.code, "detail": entry.detail})
}

/// A transfer that was claimed. The proxy's event that goes with the money is one too, of amount zero.
fn claim(view: &ClaimView) -> Value {
    let slot = &view.slot;
    json!({
        "chain_id": slot.key.chain_id,
        "tx_hash": slot.key.tx_hash,
        "slot": slot.key.slot.to_string(),
        "state": if view.is_tombstone { "tombstone" } else { "claimed" },
        "amount_base_units": slot.amount.to_string(),
        "token": slot.token.map(|token| token.to_checksum(None)),
        "recipient": slot.recipient.to_checksum(None),
    })
}

fn message(view: &MessageView) -> Value {
    let attempts: Vec<Value> = view
        .attempts
        .iter()
        .map(|attempt| {
            json!({
                "attempt_id": attempt.attempt_id,
                "started_at": time(attempt.started_us),
                "finished_at": attempt.finished_us.map(time),
                "status": attempt.status,
                "outcome": attempt.outcome,
                "latency_ms": attempt.latency_ms,
                "response": attempt.response,
            })
        })
        .collect();
    json!({
        "webhook_id": view.webhook_id,
        "type": view.message_type,
        "destination": view.destination,
        "state": view.state,
        "due_at": view.due_us.map(time),
        "attempts": attempts,
    })
}

pub(super) fn expectation(view: &ExpectationView) -> Value {
    let terms = &view.stored.terms;
    let (request_id, payment_reference, provider_object) = match &terms.key {
        ExpectationKey::RequestId(id) => (Some(id.clone()), None, None),
        ExpectationKey::PaymentReference(reference) => (None, Some(reference.to_string()), None),
        ExpectationKey::ProviderObject(object) => (None, None, Some(object.clone())),
        ExpectationKey::Direct => (None, None, None),
    };
    let received = |index: usize| view.stored.received.get(index).copied().unwrap_or_default();
    let accept: Vec<Value> = terms.accept.iter().enumerate().map(|(i, way)| self::accept(way, received(i))).collect();
    json!({
        "id": terms.id,
        "status": view.stored.state,
        "realm": terms.realm,
        "request_id": request_id,
        "payment_reference": payment_reference,
        "provider_object": provider_object,
        "accept": accept,
        "payer": terms.payer.map(|payer| payer.to_checksum(None)),
        "not_before": terms.not_before,
        "deadline": terms.deadline,
        "grace_seconds": terms.grace_seconds,
        "tolerance": {"abs_base_units": terms.tolerance.abs.to_string(), "bps": terms.tolerance.bps},
        "rails": terms.rails,
        "min_assurance": terms.min_assurance,
        "metadata": terms.metadata,
        "payment_ids": view.stored.payment_ids,
        "events": view.events,
        "created_at": time(view.created_us),
    })
}

fn accept(way: &Accept, received: alloy_primitives::U256) -> Value {
    let decimal = |amount| chain_config::amount::format(amount, way.decimals);
    let recipients: Vec<String> = way.recipients.iter().map(|recipient| recipient.to_checksum(None)).collect();
    json!({
        "chain": way.chain,
        "chain_id": way.chain_id,
        "token": {
            "symbol": way.symbol,
            "address": way.token.map(|token| token.to_checksum(None)),
            "decimals": way.decimals,
        },
        "recipients": recipients,
        "amount": decimal(way.amount),
        "amount_base_units": way.amount.to_string(),
        "received": decimal(received),
        "received_base_units": received.to_string(),
    })
}
