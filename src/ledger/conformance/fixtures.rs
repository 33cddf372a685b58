//! What scenarios are made of: a log that numbers its records, claims, blocks, and short names for long calls.

use alloy_primitives::{Address, B256, U256};
use uuid::Uuid;

use crate::ledger::*;
use crate::message::{MessageType, Rendered};
use crate::model::*;

/// The instant scenarios begin at, microseconds.
pub(crate) const T0: i64 = 1_790_000_000_000_000;
/// One second.
pub(crate) const S: i64 = 1_000_000;

pub(crate) fn word(n: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&n.to_be_bytes());
    bytes
}

pub(crate) fn address(n: u64) -> Address {
    Address::from_word(B256::from(word(n)))
}

/// A stretch of an evidence log.
pub(crate) struct Log {
    pub(crate) at: Option<Cursor>,
    pub(crate) id: Uuid,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self { at: None, id: Uuid::now_v7() }
    }

    pub(crate) fn batch(&self, now_us: i64, events: Vec<Result<IntakeEvent, Code>>) -> IntakeBatch {
        let start = self.at.map_or(0, |at| at.seq);
        let seqs = start + 1..;
        let deliveries: Vec<_> = seqs
            .zip(events)
            .map(|(seq, event)| IntakeDelivery {
                delivery_id: event.as_ref().map_or_else(|_| Uuid::now_v7(), |event| event.facts.delivery_id),
                seq,
                source: event.as_ref().map_or("rn".to_owned(), |event| event.facts.source.clone()),
                received_us: event.as_ref().map_or(now_us, |event| event.facts.received_us),
                body_sha256: word(seq),
                event: event.map(Box::new),
            })
            .collect();
        let seq = deliveries.last().map_or(start, |delivery| delivery.seq);
        IntakeBatch { from: self.at, to: Cursor { log_id: self.id, seq, link: word(seq + 1000) }, now_us, deliveries }
    }

    /// Takes events in, one delivery each.
    pub(crate) async fn take(&mut self, ledger: &dyn Ledger, events: Vec<IntakeEvent>) -> Vec<Taken> {
        self.take_at(ledger, T0, events).await
    }

    pub(crate) async fn take_at(&mut self, ledger: &dyn Ledger, now_us: i64, events: Vec<IntakeEvent>) -> Vec<Taken> {
        let batch = self.batch(now_us, events.into_iter().map(Ok).collect());
        let to = batch.to;
        let taken = ledger.intake(batch).await.expect("taken in");
        self.at = Some(to);
        taken
    }
}

pub(crate) fn facts(lane: &str) -> EventFacts {
    EventFacts {
        source: "rn".to_owned(),
        realm: "request-network".to_owned(),
        provider: "request-network".to_owned(),
        provider_type: "payment.confirmed".to_owned(),
        provider_event_id: None,
        account: None,
        client_id: None,
        api_version: None,
        livemode: true,
        lane: lane.to_owned(),
        origin: Origin::Webhook,
        delivery_id: Uuid::now_v7(),
        received_us: T0,
    }
}

pub(crate) fn identity(name: &str) -> Identity {
    Identity::derive("request-network", "request-network", "paid", &[Part::Text(name)])
}

/// A claim of transaction `tx` for request `request`, of `amount`.
pub(crate) fn claim(request: &str, tx: u64, amount: &str) -> Claim {
    Claim {
        basis: Basis::Reference,
        network: "base".to_owned(),
        tx_hash: format!("0x{}", hex::encode(word(tx))),
        payment_reference: None,
        request_id: Some(request.to_owned()),
        provider_objects: Vec::new(),
        amount: Some(amount.to_owned()),
        currency: Some("USDC".to_owned()),
        payer: None,
    }
}

pub(crate) fn event(name: &str, kind: IntakeKind) -> IntakeEvent {
    IntakeEvent { identity: identity(name), facts: facts(&format!("lane:{name}")), kind }
}

/// An event that claims transaction `tx` for request `request`.
pub(crate) fn paid(name: &str, request: &str, tx: u64) -> IntakeEvent {
    event(name, IntakeKind::Claim(claim(request, tx, "100")))
}

#[derive(Debug)]
struct Plain(&'static str);

impl PlainRenderer for Plain {
    fn render(&self, id: WebhookId) -> Rendered {
        let body = format!("{} {id}", self.0).into_bytes();
        Rendered { message_type: MessageType::ProviderEvent, body }
    }
}

pub(crate) fn plain(text: &'static str, destinations: &[&str]) -> IntakeKind {
    let destinations = destinations.iter().map(|name| (*name).to_owned()).collect();
    IntakeKind::Message { render: std::sync::Arc::new(Plain(text)), destinations }
}

pub(crate) fn id_of(name: &str) -> EventId {
    EventId::of_identity(&identity(name))
}

pub(crate) async fn due(ledger: &dyn Ledger, now_us: i64) -> Vec<DueEvent> {
    ledger.due_events(now_us, 1000).await.expect("due events")
}

/// The due event of that name.
pub(crate) async fn due_one(ledger: &dyn Ledger, now_us: i64, name: &str) -> DueEvent {
    let found = due(ledger, now_us).await.into_iter().find(|event| event.event_id == id_of(name));
    found.unwrap_or_else(|| panic!("{name} is not due"))
}

pub(crate) async fn shown(ledger: &dyn Ledger, name: &str) -> EventDetail {
    ledger.event(id_of(name)).await.expect("read").unwrap_or_else(|| panic!("{name} is unknown"))
}

pub(crate) async fn stands(ledger: &dyn Ledger, name: &str) -> (EventState, Option<Code>) {
    let detail = shown(ledger, name).await;
    (detail.event.state, detail.event.code)
}

/// Transaction `tx` in block `block`, the first of its block.
pub(crate) fn anchor(tx: u64, block: u64) -> Anchor {
    Anchor {
        chain_id: 8453,
        tx_hash: B256::from(word(tx)),
        block_number: block,
        block_hash: B256::from(word(block + 1_000_000)),
        tx_index: tx,
        block_timestamp: 1_790_000_000,
    }
}

pub(crate) fn slot(tx: u64, position: u32, amount: u64) -> ClaimedSlot {
    ClaimedSlot {
        key: TransferKey { chain_id: 8453, tx_hash: B256::from(word(tx)), slot: Slot::Log(position) },
        amount: U256::from(amount),
        token: Some(address(900)),
        recipient: address(1),
    }
}

/// Renders what the transaction saw as text that scenarios read back.
pub(crate) fn render(sealed: &Sealed) -> Rendered {
    let (message_type, sums) = match &sealed.expectation {
        None if sealed.payment_id.is_none() => (MessageType::ProviderEvent, String::new()),
        None => (MessageType::PaymentUnmatched, String::new()),
        Some((stored, sums)) => {
            let message_type = match sums.step {
                sums::Step::Partial => MessageType::PaymentPartial,
                sums::Step::Completed => MessageType::PaymentVerified,
                sums::Step::Excess => MessageType::PaymentExcess,
            };
            (message_type, format!("{} of {} in {}", sums.received, sums.expected, stored.payment_ids.len()))
        }
    };
    let body = format!("{} {} {} {sums}", sealed.webhook_id, sealed.lane, sealed.code).into_bytes();
    Rendered { message_type, body }
}

/// Confirms what is due with transaction `tx` in block `block`, log 7, to destination `default`.
pub(crate) fn confirm(due: &DueEvent, tx: u64, block: u64, amount: u64) -> Confirm {
    Confirm {
        event_id: due.event_id,
        version: due.version,
        now_us: T0,
        anchor: Some(anchor(tx, block)),
        slots: vec![slot(tx, 7, amount)],
        amount: U256::from(amount),
        expectation: due.expectation.as_ref().map(|stored| (stored.terms.id.clone(), stored.version, 0)),
        joins_by: None,
        trace: serde_json::json!({ "seen": tx }),
        code: if due.expectation.is_some() { Code::Verified } else { Code::VerifiedUnmatched },
        sender: None,
        evidence: None,
        exposure: None,
        destinations: vec!["default".to_owned()],
        render: Box::new(render),
    }
}

/// Confirms the named due event and expects it sent.
pub(crate) async fn sent(ledger: &dyn Ledger, name: &str, tx: u64, amount: u64) -> (WebhookId, Code) {
    let event = due_one(ledger, T0 + 3600 * S, name).await;
    match ledger.confirm(confirm(&event, tx, 10 + tx, amount)).await.expect("confirmed") {
        Confirmed::Sent { webhook_id, code } => (webhook_id, code),
        other => panic!("{name}: {other:?}"),
    }
}

pub(crate) fn verdict(due: &DueEvent, now_us: i64, state: EventState, code: Code) -> RecordVerdict {
    let trace = serde_json::json!({ "at": now_us });
    RecordVerdict {
        event_id: due.event_id,
        version: due.version,
        now_us,
        state,
        code,
        due_us: None,
        wait: None,
        anchor: None,
        sender: None,
        trace,
    }
}

/// Terms that expect `amount` for a request id.
pub(crate) fn terms(id: &str, request: &str, amount: u64) -> Expectation {
    Expectation {
        id: id.to_owned(),
        realm: "request-network".to_owned(),
        key: ExpectationKey::RequestId(request.to_owned()),
        accept: vec![Accept {
            chain: "base".to_owned(),
            chain_id: 8453,
            token: Some(address(900)),
            symbol: "USDC".to_owned(),
            decimals: 6,
            recipients: vec![address(1)],
            amount: U256::from(amount),
        }],
        payer: None,
        not_before: None,
        deadline: None,
        grace_seconds: 0,
        tolerance: Tolerance::default(),
        rails: vec![Rail::Reference],
        min_assurance: None,
        metadata: serde_json::Map::new(),
    }
}

/// Who puts expectations.
pub(crate) fn backend() -> Who {
    Who { name: "shop".to_owned(), from: "api 192.0.2.7".to_owned(), reason: None }
}

pub(crate) async fn put(ledger: &dyn Ledger, terms: Expectation) -> PutOutcome {
    ledger.put_expectation(PutExpectation { terms, by: backend(), now_us: T0 }).await.expect("put")
}

pub(crate) async fn messages(ledger: &dyn Ledger, destination: &str, now_us: i64) -> Vec<DueMessage> {
    ledger.due_messages(destination, now_us, 1000).await.expect("due messages")
}

/// An intent for a payment whose anchor may be as old as the ledger.
pub(crate) fn intent(id: WebhookId, destination: &str, now_us: i64) -> RecordIntent {
    RecordIntent {
        webhook_id: id,
        destination: destination.to_owned(),
        attempt_id: Uuid::now_v7(),
        now_us,
        anchor_since_us: 0,
    }
}

pub(crate) fn result(intent: &RecordIntent, next: Next) -> RecordAttempt {
    RecordAttempt {
        webhook_id: intent.webhook_id,
        destination: intent.destination.clone(),
        attempt_id: intent.attempt_id,
        now_us: intent.now_us,
        status: Some(if next == Next::Delivered { 200 } else { 500 }),
        outcome: if next == Next::Delivered { "ok" } else { "status" },
        latency_ms: 12,
        response: "thanks".to_owned(),
        next,
    }
}

/// One whole attempt that ends in `next`.
pub(crate) async fn attempt(ledger: &dyn Ledger, id: WebhookId, destination: &str, now_us: i64, next: Next) {
    let intent = intent(id, destination, now_us);
    let answer = ledger.record_intent(intent.clone()).await.expect("intent");
    assert_eq!(answer, Intent::Go, "{id} to {destination}");
    ledger.record_attempt(result(&intent, next)).await.expect("result");
}

pub(crate) fn first(name: &str) -> WebhookId {
    WebhookId { event: id_of(name), state_version: 1 }
}
