//! What the search for money without a webhook reads and writes: what to look for, how far it came, what it found.

use alloy_primitives::{Address, B256};

use super::intake::EventFacts;
use super::operate::Who;
use crate::model::{Accept, Claim, EventId, ExpectationKey, Rail, TransferKey};

/// How far a chain was searched: everything up to this block was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanCursor {
    /// Height.
    pub height: u64,
    /// Hash of the block there.
    pub block_hash: B256,
    /// When it came here.
    pub at_us: i64,
}

/// An expectation that money may come for: open, or ended not long ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanTarget {
    /// Its id.
    pub expectation_id: String,
    /// Its realm.
    pub realm: String,
    /// What finds it.
    pub key: ExpectationKey,
    /// Its ways to pay on the chain that was asked for; at least one.
    pub accept: Vec<Accept>,
    /// Who must pay, when known.
    pub payer: Option<Address>,
    /// Which evidence may match.
    pub rails: Vec<Rail>,
    /// Whether money is still expected.
    pub is_open: bool,
    /// When it was first put.
    pub created_us: i64,
}

/// A transaction that seems to pay for an expectation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The transaction.
    pub tx_hash: B256,
    /// The expectation.
    pub expectation_id: String,
    /// Its realm.
    pub realm: String,
    /// Its key.
    pub key: ExpectationKey,
}

/// Money that was found in a block.
#[derive(Debug, Clone)]
pub struct ScanFind {
    /// The transaction and what it is for.
    pub sighting: Sighting,
    /// The slots that it would claim, ascending; at least one. The lowest makes the event's id.
    pub slots: Vec<TransferKey>,
    /// The block that it is in.
    pub block_hash: B256,
    /// Its position in the block.
    pub tx_index: u64,
    /// What the event starts with.
    pub facts: EventFacts,
    /// What is to be checked.
    pub claim: Claim,
    /// Whether nothing in the claim finds the expectation: then the event is bound to it by its id.
    pub is_bound: bool,
}

/// A stretch of a chain that was searched.
#[derive(Debug, Clone)]
pub struct ScanBatch {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Where the cursor must stand now: height and hash.
    pub from: Option<(u64, B256)>,
    /// Where it stands afterwards. Lower than before when the chain was replaced below it.
    pub to: (u64, B256),
    /// When.
    pub now_us: i64,
    /// What was found.
    pub finds: Vec<ScanFind>,
}

/// What a stretch came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scanned {
    /// Written; an entry for each find: the event that it made, none when an event is about it already.
    Taken(Vec<Option<EventId>>),
    /// The cursor stands elsewhere: read it again. Nothing was written.
    Stale,
}

/// Money that an operator judged by hand, and has forwarded.
#[derive(Debug, Clone)]
pub struct Submission {
    /// What a search would have found.
    pub find: ScanFind,
    /// Who.
    pub by: Who,
    /// When.
    pub now_us: i64,
}

/// What a submission came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// It made this event.
    Made(EventId),
    /// This event is about it already: nothing was written.
    Known(EventId),
}

/// What does not add up between what is expected, what was announced and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciliation {
    /// Events that a scan made, by the configured name of their chain.
    pub scanned: Vec<(String, u64)>,
    /// Open expectations that no event is about.
    pub silent: u64,
    /// The oldest of them, with when they were first put.
    pub oldest_silent: Vec<(String, i64)>,
}
