//! What intake writes: records of the log, interpreted, and what became of them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::message::Rendered;
use crate::model::{Claim, Code, EventId, Identity, Origin, WebhookId};

/// How far intake has read: the record at `seq` of the log `log_id` carries `link`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The log's own id.
    pub log_id: Uuid,
    /// Sequence number of the last record taken in; 0 when the log was empty.
    pub seq: u64,
    /// Its link.
    pub link: [u8; 32],
}

/// Records of the log, interpreted.
#[derive(Debug, Clone)]
pub struct IntakeBatch {
    /// Where the ledger must stand now.
    pub from: Option<Cursor>,
    /// Where it stands afterwards.
    pub to: Cursor,
    /// When.
    pub now_us: i64,
    /// In log order. Records that are no deliveries move the cursor only.
    pub deliveries: Vec<IntakeDelivery>,
}

/// One delivery, interpreted.
#[derive(Debug, Clone)]
pub struct IntakeDelivery {
    /// UUIDv7 given at receipt.
    pub delivery_id: Uuid,
    /// Its record in the log.
    pub seq: u64,
    /// Configured source name.
    pub source: String,
    /// When the request arrived.
    pub received_us: i64,
    /// SHA-256 of the body.
    pub body_sha256: [u8; 32],
    /// The event it belongs to; `Err` is a delivery that makes no event (a test header) and why.
    pub event: Result<Box<IntakeEvent>, Code>,
}

/// What a delivery says about its event.
#[derive(Debug, Clone)]
pub struct IntakeEvent {
    /// Finds or makes the event.
    pub identity: Identity,
    /// What the event starts with when it is new.
    pub facts: EventFacts,
    /// What to do with it.
    pub kind: IntakeKind,
}

/// What a new event needs done.
#[derive(Debug, Clone)]
pub enum IntakeKind {
    /// A claim to check, from now on.
    Claim(Claim),
    /// A thin event: becomes a message by itself at `until_us` unless its snapshot comes first.
    Thin {
        /// End of the twin's grace.
        until_us: i64,
    },
    /// A signed event that claims nothing: the message is rendered already, for state version 1 and for what
    /// follows when a thin twin was sent before.
    Message {
        /// Renders `data` for a state version.
        render: RenderPlain,
        /// Where it goes.
        destinations: Vec<String>,
    },
    /// Held or ignored from the start.
    Ended(Code),
}

/// Renders a provider's event for a given state version. Pure.
pub type RenderPlain = std::sync::Arc<dyn PlainRenderer>;

/// See [`RenderPlain`]; a trait so that a batch can be printed.
pub trait PlainRenderer: Send + Sync + std::fmt::Debug {
    /// The message's bytes.
    fn render(&self, id: WebhookId) -> Rendered;
}

/// What is known of an event from its first delivery; never changes, but for a thin event's upgrade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFacts {
    /// Configured source name.
    pub source: String,
    /// Realm of the source.
    pub realm: String,
    /// Provider name.
    pub provider: String,
    /// The provider's type of event, as sent.
    pub provider_type: String,
    /// The provider's event id, when it signs one.
    pub provider_event_id: Option<String>,
    /// Stripe account.
    pub account: Option<String>,
    /// Request Network client id.
    pub client_id: Option<String>,
    /// Version the provider rendered the body by.
    pub api_version: Option<String>,
    /// The provider's live or test flag; true where there is none.
    pub livemode: bool,
    /// What orders messages. An expectation's id takes its place when one matches.
    pub lane: String,
    /// What made us look.
    pub origin: Origin,
    /// The delivery whose body is the event's body; nil where none began it (see [`Origin::is_delivered`]).
    pub delivery_id: Uuid,
    /// When that delivery arrived, or the event was made without one.
    pub received_us: i64,
}

/// What became of one delivery of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The delivery.
    pub delivery_id: Uuid,
    /// Its event, when it has one.
    pub event_id: Option<EventId>,
    /// New, or a repeat of a known event.
    pub new_event: bool,
    /// It said something else about the money than what was confirmed.
    pub mismatch: bool,
}
