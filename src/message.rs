//! What a backend receives. A message is rendered once, in the transaction that makes it due, and stored: retries,
//! the feed and forced replays send those bytes.
//!
//! Pure; a leaf that verification and intake use, so that forwarding only ever sends bytes. [`payment`] and
//! [`provider_event`] are the two renderers; the field order is the contract's and pinned by golden tests, because a
//! receiver that keeps what it got may compare bytes.

mod body;
mod claimed;
mod render;
mod retracted;
mod revised;
mod trial;

pub use render::{payment, provider_event};
pub use retracted::retracted;
pub use revised::revised;
pub use trial::gateway_test;

use alloy_primitives::{Address, B256, U256};
use jiff::Timestamp;

use crate::ledger::EventFacts;
use crate::model::event::{UnknownName, named};
use crate::model::{Anchor, Code, PaymentReference, Slot};

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

named! {
    /// Types that are sent.
    MessageType {
        /// Verified money; the expectation is complete now.
        PaymentVerified = "payment.verified",
        /// Verified money, still incomplete.
        PaymentPartial = "payment.partial",
        /// Verified money after completion.
        PaymentExcess = "payment.excess",
        /// Proven money, compared with no expectation.
        PaymentUnmatched = "payment.unmatched",
        /// A forwarded payment left the chain.
        PaymentRetracted = "payment.retracted",
        /// A retracted payment is back.
        PaymentReinstated = "payment.reinstated",
        /// A signed event that claims no transfer.
        ProviderEvent = "provider.event",
    }
}

/// A message's exact bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Its type.
    pub message_type: MessageType,
    /// The body as posted.
    pub body: Vec<u8>,
}

/// What every message says about its event.
#[derive(Debug, Clone)]
pub struct Head {
    /// From the event's first delivery.
    pub facts: EventFacts,
    /// The message's own time.
    pub at: Timestamp,
    /// A thin event whose snapshot did not come.
    pub thin: bool,
    /// A payment that was retracted and is back.
    pub back: Option<Retraction>,
}

/// The provider's body inside the message, unverified, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// UTF-8 JSON: spliced in unparsed.
    Json(String),
    /// Anything else, as base64.
    Bytes(Vec<u8>),
    /// Erased from the log.
    Erased,
    /// Switched off by configuration.
    Omitted,
}

/// The money of one transaction.
#[derive(Debug, Clone)]
pub struct Payment {
    /// Configured chain name.
    pub chain: String,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Play money.
    pub testnet: bool,
    /// Transaction.
    pub tx_hash: B256,
    /// Slots claimed, ascending.
    pub slots: Vec<Slot>,
    /// Height.
    pub block_number: u64,
    /// Block.
    pub block_hash: B256,
    /// Block time, Unix seconds.
    pub block_timestamp: u64,
    /// A page for people.
    pub explorer_url: Option<String>,
    /// Token symbol.
    pub token_symbol: String,
    /// Token contract; none is native.
    pub token_address: Option<Address>,
    /// Token decimals.
    pub token_decimals: u8,
    /// Who received.
    pub recipient: Address,
    /// Who paid, from the transfer itself.
    pub payer: Option<Address>,
    /// Who sent the transaction.
    pub tx_from: Option<Address>,
    /// Base units.
    pub amount: U256,
    /// The proxy's fee on top, base units; informative.
    pub fee: U256,
    /// Payment reference.
    pub payment_reference: Option<PaymentReference>,
    /// Provider's request id.
    pub request_id: Option<String>,
}

/// What a forwarded payment lost, and whether it has it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retraction {
    /// Why: `REORGED`, `TX_REVERTED`, `TX_REPLACED`, or what no longer matches; `REINSTATED` when it is back.
    pub reason: Code,
    /// The block that the payment stood on.
    pub previous: Anchor,
    /// The block that it is in now, when it is in one.
    pub now: Option<Anchor>,
    /// It can never come back.
    pub permanent: bool,
}

#[cfg(test)]
mod tests;
