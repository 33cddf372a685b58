//! What a rebuild of the ledger reads, compares and reports.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::operate::{LedgerTransfer, RemovedHow};
use crate::model::{Anchor, Claim, Code, EventId, EventState};

/// What the log says about where an event stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Which event.
    pub event_id: EventId,
    /// When.
    pub at_us: i64,
    /// From which state; none when it began.
    pub from: Option<EventState>,
    /// To which.
    pub to: EventState,
    /// Why.
    pub code: Option<Code>,
    /// What was asked and seen.
    pub detail: serde_json::Value,
    /// What it claimed, when it did.
    pub claimed: Option<Claimed>,
    /// Who says so.
    pub by: Teller,
}

/// Where a statement about an event comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Teller {
    /// A copied decision: the ledger, its epoch and the number in its trace.
    Decision {
        /// Which ledger.
        ledger_id: Uuid,
        /// Its epoch then.
        epoch: u32,
        /// Number in the trace.
        number: u64,
    },
    /// What was left of a delivery when it went.
    Stub,
    /// A delivery, which begins an event.
    Begin,
    /// A delivery that says something new about an event.
    Claim,
}

/// What a confirmation claimed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claimed {
    /// Number of the message that it made.
    pub state_version: u32,
    /// Its payment.
    pub payment_id: Option<String>,
    /// What orders its messages.
    pub lane: Option<String>,
    /// The block it stands on.
    pub anchor: Option<Anchor>,
    /// Every transfer it consumed.
    pub slots: Vec<LedgerTransfer>,
    /// The expectation it was summed under.
    pub expectation: Option<String>,
    /// Realm and reference by which others join it.
    pub join: Option<(String, String)>,
}

/// A row of a delivery as the new ledger has it so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownRow {
    /// Its event.
    pub event_id: Option<EventId>,
    /// Why it has none.
    pub code: Option<Code>,
}

/// A delivery's row as it shall be.
#[derive(Debug, Clone)]
pub struct RowOf {
    /// Which.
    pub delivery_id: Uuid,
    /// Its record.
    pub seq: u64,
    /// Its source.
    pub source: String,
    /// When it arrived.
    pub received_us: i64,
    /// SHA-256 of its body.
    pub body_sha256: [u8; 32],
    /// Its event, or why it has none.
    pub event: Result<EventId, Code>,
    /// How and when it left the log.
    pub removed: Option<(RemovedHow, i64)>,
}

/// An event that is left of its deliveries.
#[derive(Debug, Clone)]
pub struct Left {
    /// Which.
    pub event_id: EventId,
    /// From its first delivery.
    pub facts: super::EventFacts,
    /// What orders its messages.
    pub lane: String,
    /// What its deliveries claimed.
    pub claims: Vec<Claim>,
}

/// An event of the new ledger and what the log says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Which.
    pub event_id: EventId,
    /// The old ledger had no readable row of it.
    pub made: bool,
    /// Where its row stands.
    pub row: Stand,
    /// The newest thing that the log says and the row's ledger did not.
    pub told: Option<Stand>,
    /// The last entry of the old ledger's own trace, which is written with the row.
    pub traced: Option<Stand>,
    /// When the newest delivery with a new statement arrived.
    pub claim_us: Option<i64>,
}

/// A state, why and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stand {
    /// The state.
    pub state: EventState,
    /// Why.
    pub code: Option<Code>,
    /// Since when.
    pub at_us: i64,
}

/// What could not be kept of one table of the old ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// The table.
    pub table: String,
    /// What is wrong.
    pub why: String,
    /// How many rows; none when nobody can say.
    pub rows: Option<u64>,
}

/// What the old ledger was, as far as it can be read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Salvaged {
    /// There was a file.
    pub found: bool,
    /// Rows kept, table by table.
    pub kept: Vec<(String, u64)>,
    /// What was not.
    pub unread: Vec<Unread>,
}

/// How the new ledger ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Made {
    /// The ledger's id.
    pub ledger_id: Uuid,
    /// Its new epoch.
    pub epoch: u32,
    /// Deliveries.
    pub deliveries: u64,
    /// Events.
    pub events: u64,
    /// Expectations.
    pub expectations: u64,
    /// Transfer claims and tombstones.
    pub transfer_claims: u64,
    /// Messages.
    pub messages: u64,
    /// Messages to a destination that wait behind the pause.
    pub due: u64,
}

impl Claimed {
    /// What a confirmation's trace entry says that it claimed. None of any other entry, and of one that does not read.
    #[must_use]
    pub fn of(detail: &serde_json::Value) -> Option<Self> {
        let claimed: Written = serde_json::from_value(detail.get("claimed")?.clone()).ok()?;
        let slots = match claimed.anchor {
            Some(anchor) => claimed.slots.into_iter().map(|slot| slot.at(&anchor)).collect::<Option<_>>()?,
            None => Vec::new(),
        };
        Some(Self {
            state_version: claimed.state_version,
            payment_id: claimed.payment_id,
            lane: claimed.lane,
            anchor: claimed.anchor,
            slots,
            expectation: claimed.expectation,
            join: claimed.join,
        })
    }
}

/// `claimed` as the confirming transaction writes it.
#[derive(Deserialize)]
struct Written {
    state_version: u32,
    payment_id: Option<String>,
    lane: Option<String>,
    anchor: Option<Anchor>,
    slots: Vec<WrittenSlot>,
    expectation: Option<String>,
    join: Option<(String, String)>,
}

#[derive(Deserialize)]
struct WrittenSlot {
    chain_id: u64,
    tx_hash: alloy_primitives::B256,
    slot: String,
    /// Decimal.
    amount: String,
    token: Option<alloy_primitives::Address>,
    recipient: alloy_primitives::Address,
}

impl WrittenSlot {
    fn at(self, anchor: &Anchor) -> Option<LedgerTransfer> {
        let amount: alloy_primitives::U256 = self.amount.parse().ok()?;
        Some(LedgerTransfer {
            chain_id: self.chain_id,
            tx_hash: self.tx_hash.0,
            slot: self.slot,
            block_hash: anchor.block_hash.0,
            block_number: anchor.block_number,
            tx_index: anchor.tx_index,
            amount: amount.to_be_bytes(),
            token: self.token.map(|token| token.to_vec()).unwrap_or_default(),
            recipient: self.recipient.into_array(),
            claimed: true,
        })
    }
}
