//! From a record of the log to what the ledger takes in. Pure, but for reading today's configuration of its source.

use std::sync::Arc;

use evidence_store::Delivery;
use jiff::Timestamp;

use crate::config::{Config, Source};
use crate::digest;
use crate::ledger::{EventFacts, IntakeDelivery, IntakeEvent, IntakeKind, PlainRenderer};
use crate::message::{self, Claimed, Head, MessageType, Rendered};
use crate::model::{Code, EventId, Identity, Origin, WebhookId};
use crate::provider::{self, Interpretation, Kind};

/// Interprets one record. A source that the configuration no longer has makes a held event: the delivery was acked,
/// so someone has to look.
#[must_use]
pub fn delivery(config: &Config, seq: u64, stored: Delivery, now: Timestamp) -> IntakeDelivery {
    let event = match config.source(&stored.source) {
        None => Ok(Box::new(unknown_source(&stored.source, stored.id, stored.received_us, &stored.body))),
        Some(source) => provider::interpret(source, &stored.headers, &stored.body).map(|read| {
            let facts = facts(source, &read, stored.id, stored.received_us);
            let kind = kind(config, source, &read, &facts, &stored.body, now);
            Box::new(IntakeEvent { identity: read.identity, facts, kind })
        }),
    };
    IntakeDelivery {
        delivery_id: stored.id,
        seq,
        source: stored.source,
        received_us: stored.received_us,
        body_sha256: stored.body_sha256,
        event,
    }
}

fn facts(source: &Source, read: &Interpretation, delivery_id: uuid::Uuid, received_us: i64) -> EventFacts {
    EventFacts {
        source: source.name.clone(),
        realm: source.realm.clone(),
        provider: source.provider.name().to_owned(),
        provider_type: read.provider_type.clone(),
        provider_event_id: read.provider_event_id.clone(),
        account: read.account.clone(),
        client_id: read.client_id.clone(),
        api_version: read.api_version.clone(),
        livemode: read.livemode,
        lane: read.lane.clone(),
        origin: Origin::Webhook,
        delivery_id,
        received_us,
    }
}

fn kind(
    config: &Config,
    source: &Source,
    read: &Interpretation,
    facts: &EventFacts,
    body: &[u8],
    now: Timestamp,
) -> IntakeKind {
    match &read.kind {
        Kind::Claim(claim) => IntakeKind::Claim(claim.clone()),
        Kind::Thin => {
            let grace = i64::try_from(config.verification.twin_grace.as_micros()).unwrap_or(i64::MAX);
            IntakeKind::Thin { until_us: facts.received_us.saturating_add(grace) }
        }
        Kind::Ended(code) => IntakeKind::Ended(*code),
        Kind::Plain => {
            let destinations = config.destinations_of(source, MessageType::ProviderEvent);
            if destinations.is_empty() {
                return IntakeKind::Ended(Code::TypeIgnored);
            }
            let render = Arc::new(Plain {
                head: Head { facts: facts.clone(), at: now, thin: false, back: None },
                claimed: if config.include_claimed { Claimed::of(body) } else { Claimed::Omitted },
            });
            IntakeKind::Message { render, destinations }
        }
    }
}

/// A signed event that claims nothing, ready to be rendered for the version the ledger gives it.
#[derive(Debug)]
struct Plain {
    head: Head,
    claimed: Claimed,
}

impl PlainRenderer for Plain {
    fn render(&self, id: WebhookId) -> Rendered {
        message::provider_event(id, &self.head.facts.lane, &self.head, None, &self.claimed)
    }
}

fn unknown_source(source: &str, delivery_id: uuid::Uuid, received_us: i64, body: &[u8]) -> IntakeEvent {
    let identity = Identity::of_body("unknown", source, "source", body);
    let facts = EventFacts {
        source: source.to_owned(),
        realm: source.to_owned(),
        provider: "unknown".to_owned(),
        provider_type: "unknown".to_owned(),
        provider_event_id: None,
        account: None,
        client_id: None,
        api_version: None,
        livemode: true,
        lane: EventId::of_identity(&identity).to_string(),
        origin: Origin::Webhook,
        delivery_id,
        received_us,
    };
    tracing::warn!(
        source,
        body_sha256 = hex::encode(digest::sha256(body)),
        "a stored delivery names a source that is not configured; its event is held"
    );
    IntakeEvent { identity, facts, kind: IntakeKind::Ended(Code::Uninterpretable) }
}
