//! What operators do to the ledger, and the record of who did what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::follow::LedgerIdentity;
use super::intake::{Cursor, EventFacts};
use crate::model::event::{UnknownName, named};
use crate::model::{Anchor, Claim, Code, EventId, EventState};

/// Who did something, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Who {
    /// Name of the token, or of the operating system's user.
    pub name: String,
    /// `api 127.0.0.1`, `cli`, `rebuild`.
    pub from: String,
    /// Why, in the operator's words.
    pub reason: Option<String>,
}

/// What can be paused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PauseTarget {
    /// Everything that is sent.
    Forwarding,
    /// What is sent to one destination.
    Destination(String),
    /// What is sent about events of one source.
    Source(String),
}

impl PauseTarget {
    /// `forwarding`, `destination` or `source`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Forwarding => "forwarding",
            Self::Destination(_) => "destination",
            Self::Source(_) => "source",
        }
    }

    /// The destination's or source's name; empty for everything.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Forwarding => "",
            Self::Destination(name) | Self::Source(name) => name,
        }
    }
}

impl fmt::Display for PauseTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forwarding => f.write_str("forwarding"),
            Self::Destination(name) | Self::Source(name) => write!(f, "{} {name}", self.kind()),
        }
    }
}

/// Something that is paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// What.
    pub target: PauseTarget,
    /// Who paused it.
    pub by: Who,
    /// Since when.
    pub since_us: i64,
}

/// Something that an operator or the backend did.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// When.
    pub at_us: i64,
    /// Who.
    pub by: Who,
    /// What was done: a stable word such as `pause` or `evidence.erase`, 1 to 64 bytes.
    pub what: String,
    /// What it was done to.
    pub subject: Option<String>,
    /// The event it was done to.
    pub event_id: Option<EventId>,
    /// How that was before.
    pub before: Option<serde_json::Value>,
    /// How it is now.
    pub after: Option<serde_json::Value>,
}

/// An entry of the audit as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRecord {
    /// Its number, from 1.
    pub number: u64,
    /// What was recorded.
    pub entry: AuditEntry,
}

/// What a list of the audit shows, newest first. Absent fields do not filter.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Who.
    pub by: Option<String>,
    /// What was done.
    pub what: Option<String>,
    /// To what.
    pub subject: Option<String>,
    /// To which event.
    pub event_id: Option<EventId>,
    /// At or after.
    pub since_us: Option<i64>,
    /// Before.
    pub until_us: Option<i64>,
    /// Entries older than this number.
    pub before: Option<u64>,
    /// At most so many; the engine caps at 500.
    pub limit: usize,
}

/// A copy of the ledger that was made while it served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Which ledger was copied.
    pub identity: LedgerIdentity,
    /// Where the copy stands in the log.
    pub cursor: Option<Cursor>,
    /// Size of the copy.
    pub bytes: u64,
}

named! {
    /// How a delivery was taken out of the log.
    RemovedHow {
        /// By retention.
        Pruned = "pruned",
        /// For privacy.
        Erased = "erased",
    }
}

/// Which deliveries retention may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PruneLimit {
    /// Received before this.
    ReceivedBefore(i64),
    /// However young: whoever asks counts bytes.
    AnyAge,
}

/// Deliveries that may go.
#[derive(Debug, Clone, Default)]
pub struct PrunePage {
    /// The oldest first.
    pub items: Vec<Prunable>,
    /// Where to go on; none at the end. It moves past deliveries that may not go, also while `items` is empty.
    pub next_seq: Option<u64>,
}

/// A delivery that may go, and what has to stay of it.
#[derive(Debug, Clone)]
pub struct Prunable {
    /// Which.
    pub delivery_id: Uuid,
    /// Its record.
    pub seq: u64,
    /// When it arrived.
    pub received_us: i64,
    /// What its event is; none when it made no event.
    pub stub: Option<LedgerStub>,
}

/// What the ledger knows of a delivery that shall go.
#[derive(Debug, Clone)]
pub enum KnownDelivery {
    /// Nothing: intake has not reached it. It must not be removed yet, or its identity would be lost.
    Unknown,
    /// It made no event (a test header).
    NoEvent,
    /// Its event.
    Event(Box<LedgerStub>),
}

/// What has to survive of an event when its deliveries go: enough that a rebuild from stubs alone makes the same
/// event again, refuses its transfers to others and never sends it a second time (rule 7).
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerStub {
    /// Which event.
    pub event_id: EventId,
    /// Every identity that finds it. Of an event that joined another: its own.
    pub identities: Vec<[u8; 32]>,
    /// Number of its last message.
    pub state_version: u32,
    /// Where it stands.
    pub state: EventState,
    /// Why.
    pub code: Option<Code>,
    /// Its payment.
    pub payment_id: Option<String>,
    /// Its transfer claims.
    pub transfers: Vec<LedgerTransfer>,
    /// [`StubFacts`] as JSON; the log keeps it unread.
    pub facts: String,
    /// The expectation that matched.
    pub expectation_id: Option<String>,
    /// Realm and reference by which others join its payment.
    pub join: Option<(String, String)>,
}

/// A transfer claim as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerTransfer {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Transaction.
    pub tx_hash: [u8; 32],
    /// `log:7`, `value`.
    pub slot: String,
    /// Its block.
    pub block_hash: [u8; 32],
    /// Height of its block.
    pub block_number: u64,
    /// Position in the block.
    pub tx_index: u64,
    /// Base units, 32 big-endian bytes.
    pub amount: [u8; 32],
    /// Token; empty is the chain's native coin.
    pub token: Vec<u8>,
    /// Who received.
    pub recipient: [u8; 20],
    /// False is a tombstone.
    pub claimed: bool,
}

/// What a stub carries beside the log's own columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StubFacts {
    /// From its first delivery.
    pub facts: EventFacts,
    /// What orders its messages.
    pub lane: String,
    /// What its deliveries claimed, in order: a further copy of one of them says nothing new.
    pub claims: Vec<Claim>,
    /// The block it stands on.
    pub anchor: Option<Anchor>,
}
