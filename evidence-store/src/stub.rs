//! What is left of a delivery when its bytes are gone: enough to check the chain, to know its event for ever, and to
//! say who removed it and why.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use uuid::Uuid;

/// A removed delivery. It keeps the number and the link of the record it replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stub {
    /// The delivery.
    pub delivery_id: Uuid,
    /// Its source.
    pub source: String,
    /// When it arrived, microseconds since the Unix epoch.
    pub received_us: i64,
    /// SHA-256 of the meta that was stored.
    pub meta_sha256: [u8; 32],
    /// SHA-256 of the body that was stored.
    pub body_sha256: [u8; 32],
    /// How long the body was.
    pub body_bytes: u64,
    /// What was done, by whom and why.
    pub why: Removal,
    /// What a ledger has to know of its event, when it made one.
    pub event: Option<StubEvent>,
    /// The stored meta, byte for byte, of an erased delivery; none of a pruned one.
    pub meta: Option<Bytes>,
}

/// Why a delivery's bytes are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Which of the two ways.
    pub what: Removed,
    /// When, microseconds since the Unix epoch.
    pub at_us: i64,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The record of the log that says so too.
    pub decision_seq: u64,
}

/// Two ways to remove a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// The body only, because somebody asked for it; an import never brings it back.
    Erased,
    /// Body and headers, because they were old; an import of an archive may bring them back.
    Pruned,
}

/// Who does something to the log, when and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// When, microseconds since the Unix epoch.
    pub at_us: i64,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// An event as a ledger must know it again after it was rebuilt without the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StubEvent {
    /// The event.
    pub event_id: Uuid,
    /// All of its identities.
    pub identities: Vec<[u8; 32]>,
    /// How many messages of it there were.
    pub state_version: u32,
    /// Its state.
    pub state: String,
    /// Why it is in that state.
    pub code: Option<String>,
    /// The payment it became.
    pub payment_id: Option<String>,
    /// The transfers it claimed, now or before.
    pub transfers: Vec<StubTransfer>,
    /// What is known about the event without its body, JSON as the ledger holds it.
    pub facts: Option<Bytes>,
    /// The expectation it belongs to.
    pub expectation_id: Option<String>,
    /// What other events may join it by: realm and reference.
    pub join: Option<(String, String)>,
}

/// A transfer that an event claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StubTransfer {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The transaction.
    pub tx_hash: [u8; 32],
    /// Where in it.
    pub slot: String,
    /// The block it was proved in.
    pub block_hash: [u8; 32],
    /// Its height.
    pub block_number: u64,
    /// The transaction's place in the block.
    pub tx_index: u64,
    /// Big-endian.
    pub amount: [u8; 32],
    /// The token as the ledger writes it.
    pub token: Vec<u8>,
    /// Who got it.
    pub recipient: [u8; 20],
    /// Claimed still; a tombstone otherwise.
    pub claimed: bool,
}

/// What may not be removed while it is held.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// One delivery.
    Delivery(Uuid),
    /// All deliveries of an event.
    Event(Uuid),
    /// All deliveries of a source.
    Source(String),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivery(id) => write!(f, "delivery:{id}"),
            Self::Event(id) => write!(f, "event:{id}"),
            Self::Source(name) => write!(f, "source:{name}"),
        }
    }
}

/// Text that names no subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write delivery:ID, event:ID or source:NAME")]
pub struct BadSubject;

impl FromStr for Subject {
    type Err = BadSubject;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = |id: &str| id.parse().map_err(|_| BadSubject);
        match text.split_once(':') {
            Some(("delivery", rest)) => id(rest).map(Self::Delivery),
            Some(("event", rest)) => id(rest).map(Self::Event),
            Some(("source", name)) if !name.is_empty() => Ok(Self::Source(name.to_owned())),
            _ => Err(BadSubject),
        }
    }
}

/// A hold, and who laid it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// On what.
    pub subject: Subject,
    /// Who, when and why.
    pub facts: Facts,
    /// The record that says so.
    pub decision_seq: u64,
}

/// What [`crate::Store::prune`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The deliveries that are stubs now.
    pub removed: Vec<Uuid>,
    /// Left alone: a hold covers them.
    pub held: Vec<Uuid>,
    /// Left alone: pruned or erased before, or never stored.
    pub gone: Vec<Uuid>,
    /// Stored bytes that the removed ones had.
    pub bytes: u64,
    /// The record that names what was removed; none when nothing was.
    pub decision_seq: Option<u64>,
}

/// What [`crate::Store::erase`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Erased {
    /// The body is gone now; the stub says so.
    Now(Stub),
    /// It was gone before; the stub says since when.
    Before(Stub),
}

/// What [`crate::Store::rehydrate`] did with one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rehydrated {
    /// Its bytes are back where they were.
    Back,
    /// They had never gone.
    AlreadyThere,
    /// The log never held this delivery.
    NoStub,
    /// These are not the bytes that were pruned.
    Differs,
    /// It was erased, and stays so.
    Erased,
}
