//! An expectation: what the backend told us ought to be paid.

use std::fmt;
use std::str::FromStr;

use alloy_primitives::{Address, U256};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::{UnknownName, named};
use super::{Assurance, PaymentReference};

/// What finds the expectation. Unique among the open ones of a realm.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpectationKey {
    /// The provider's request id, normalised like a claim's.
    RequestId(String),
    /// The payment reference on chain.
    PaymentReference(PaymentReference),
    /// An id of the provider's object (`pi_…`, `ch_…`).
    ProviderObject(String),
    /// None: money is matched by recipient or payer alone.
    Direct,
}

named! {
    /// Where an expectation stands.
    ExpectationState {
        /// Nothing arrived yet.
        Open = "open",
        /// Some arrived, less than expected.
        Partial = "partial",
        /// Complete.
        Paid = "paid",
        /// Complete, and more than expected.
        Overpaid = "overpaid",
        /// Money arrived after the deadline.
        Late = "late",
        /// The deadline passed without completion.
        Expired = "expired",
        /// Taken back by the backend before anything was claimed.
        Cancelled = "cancelled",
    }
}

named! {
    /// Which kinds of evidence may match.
    Rail {
        /// Request Network's proxies, bound by the payment reference (R1 to R4).
        Reference = "reference",
        /// A plain token or native transfer (R5, R6).
        Direct = "direct",
    }
}

/// How far an amount may be off and still be what was expected. The larger of the two counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tolerance {
    /// Base units.
    pub abs: U256,
    /// Basis points of the expected amount.
    pub bps: u16,
}

/// One way to pay: any of these recipients, this token, this amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accept {
    /// Configured chain name.
    pub chain: String,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Token contract; `None` is the chain's native coin.
    pub token: Option<Address>,
    /// Symbol for people.
    pub symbol: String,
    /// Decimals from the registry, never from the contract.
    pub decimals: u8,
    /// Who may receive.
    pub recipients: Vec<Address>,
    /// Base units.
    pub amount: U256,
}

/// What ought to be paid, as validated from the backend's PUT.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    /// The backend's id.
    pub id: String,
    /// Keeps equal references of different accounts apart.
    pub realm: String,
    /// What finds it.
    pub key: ExpectationKey,
    /// Ways to pay; at least one.
    pub accept: Vec<Accept>,
    /// Who must pay, when known.
    pub payer: Option<Address>,
    /// The only lower time bound. On direct rails the ledger sets it when nobody did.
    pub not_before: Option<Timestamp>,
    /// Block times after this plus `grace_seconds` are late.
    pub deadline: Option<Timestamp>,
    /// Seconds.
    pub grace_seconds: u64,
    /// Allowed deviation.
    pub tolerance: Tolerance,
    /// Which evidence may match.
    pub rails: Vec<Rail>,
    /// Overrides the source's minimum.
    pub min_assurance: Option<Assurance>,
    /// Echoed to the backend; at most 4 KiB of JSON.
    pub metadata: serde_json::Map<String, serde_json::Value>,
}
