//! Decisions and stubs of the log as statements about events. Pure.

use evidence_store::{Decision, Stub, StubEvent};
use serde::Deserialize;
use serde_json::Value;

use crate::ledger::{AuditEntry, Claimed, EventFacts, LedgerTransfer, StubFacts, Teller, Told, Who};
use crate::model::{Code, EventId, EventState, Origin};

/// A decision of the trace as `Ledger::changes` writes it.
#[derive(Deserialize)]
struct TraceBody {
    from: Option<EventState>,
    to: EventState,
    code: Option<Code>,
    #[serde(default)]
    detail: Value,
}

/// An entry of the audit likewise.
#[derive(Deserialize)]
struct AuditBody {
    by: String,
    from: String,
    reason: Option<String>,
    what: String,
    subject: Option<String>,
    before: Option<Value>,
    after: Option<Value>,
}

/// What became of an event; none when this program cannot read it.
pub(super) fn of_trace(decision: &Decision) -> Option<Told> {
    let body: TraceBody = serde_json::from_slice(&decision.body).ok()?;
    Some(Told {
        event_id: EventId(decision.event_id?),
        at_us: decision.at_us,
        from: body.from,
        to: body.to,
        code: body.code,
        claimed: Claimed::of(&body.detail),
        detail: body.detail,
        by: Teller::Decision { ledger_id: decision.id.ledger_id, epoch: decision.id.epoch, number: decision.id.number },
    })
}

/// What an operator did.
pub(super) fn of_audit(decision: &Decision) -> Option<AuditEntry> {
    let body: AuditBody = serde_json::from_slice(&decision.body).ok()?;
    Some(AuditEntry {
        at_us: decision.at_us,
        by: Who { name: body.by, from: body.from, reason: body.reason },
        what: body.what,
        subject: body.subject,
        event_id: decision.event_id.map(EventId),
        before: body.before,
        after: body.after,
    })
}

/// Where the event of a stub stood when its delivery went; none when this program cannot read it.
pub(super) fn of_stub(stub: &Stub, left: &StubEvent) -> Option<Told> {
    let to: EventState = left.state.parse().ok()?;
    let code = left.code.as_deref().map(str::parse::<Code>).transpose().ok()?;
    let facts = facts_of(stub, left);
    let slots: Vec<LedgerTransfer> = left
        .transfers
        .iter()
        .map(|transfer| LedgerTransfer {
            chain_id: transfer.chain_id,
            tx_hash: transfer.tx_hash,
            slot: transfer.slot.clone(),
            block_hash: transfer.block_hash,
            block_number: transfer.block_number,
            tx_index: transfer.tx_index,
            amount: transfer.amount,
            token: transfer.token.clone(),
            recipient: transfer.recipient,
            claimed: transfer.claimed,
        })
        .collect();
    let claimed = Claimed {
        state_version: left.state_version,
        payment_id: left.payment_id.clone().or_else(|| lowest(&slots)),
        lane: Some(facts.lane),
        anchor: facts.anchor,
        slots,
        expectation: left.expectation_id.clone(),
        join: left.join.clone(),
    };
    Some(Told {
        event_id: EventId(left.event_id),
        at_us: stub.why.at_us,
        from: None,
        to,
        code,
        detail: Value::Null,
        claimed: (left.state_version > 0 || !claimed.slots.is_empty()).then_some(claimed),
        by: Teller::Stub,
    })
}

/// Tombstones of an event that has no payment now still name one: that of their lowest slot.
fn lowest(slots: &[LedgerTransfer]) -> Option<String> {
    let key = |slot: &LedgerTransfer| {
        let parsed = slot.slot.parse().ok()?;
        Some(crate::model::TransferKey { chain_id: slot.chain_id, tx_hash: slot.tx_hash.into(), slot: parsed })
    };
    let lowest = slots.iter().filter_map(key).min()?;
    Some(crate::model::PaymentId::of(&lowest).as_str().to_owned())
}

/// What a stub keeps beside the log's own columns; what it says of its event without them.
pub(super) fn facts_of(stub: &Stub, left: &StubEvent) -> StubFacts {
    let read = left.facts.as_ref().and_then(|facts| serde_json::from_slice::<StubFacts>(facts).ok());
    read.unwrap_or_else(|| {
        let lane = EventId(left.event_id).to_string();
        StubFacts {
            facts: EventFacts {
                source: stub.source.clone(),
                realm: stub.source.clone(),
                provider: "unknown".to_owned(),
                provider_type: "unknown".to_owned(),
                provider_event_id: None,
                account: None,
                client_id: None,
                api_version: None,
                livemode: true,
                lane: lane.clone(),
                origin: Origin::Webhook,
                delivery_id: stub.delivery_id,
                received_us: stub.received_us,
            },
            lane,
            claims: Vec::new(),
            anchor: None,
        }
    })
}
