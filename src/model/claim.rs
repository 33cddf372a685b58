//! A claim: the part of an event that says money moved on a chain. A hint, never a fact.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How far a claim can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// A Request Network partial or confirmed: must be proven, with its reference, before anything is sent.
    Reference,
    /// A Stripe crypto charge: verified like any transfer when an expectation knows the deposit address,
    /// otherwise checked for consistency only and sent as `provider.event`.
    Charge,
}

/// A Request Network payment reference: 8 bytes on every real payment (up to 32 are kept as sent, so that a
/// test delivery with 20 stays what it was).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PaymentReference(Vec<u8>);

impl PaymentReference {
    /// The raw bytes; the proxy's event carries keccak-256 of them as a topic.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Text that is no payment reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a payment reference is 1 to 32 bytes in hexadecimal, with or without 0x")]
pub struct BadReference;

impl FromStr for PaymentReference {
    type Err = BadReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
        match hex::decode(digits) {
            Ok(bytes) if !bytes.is_empty() && bytes.len() <= 32 => Ok(Self(bytes)),
            _ => Err(BadReference),
        }
    }
}

impl TryFrom<String> for PaymentReference {
    type Error = BadReference;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PaymentReference> for String {
    fn from(reference: PaymentReference) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for PaymentReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(&self.0))
    }
}

impl fmt::Debug for PaymentReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PaymentReference({self})")
    }
}

/// What one delivery claims. All text is as the provider sent it; nothing here selects a recipient, a token
/// contract or a rail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// How far it can carry.
    pub basis: Basis,
    /// The provider's name of the network (`mainnet`, `base`): looked up in the configured chains.
    pub network: String,
    /// The transaction hash as sent; parsed by verification, so that a malformed one is an outcome.
    pub tx_hash: String,
    /// The payment reference, when the provider has one.
    pub payment_reference: Option<PaymentReference>,
    /// The provider's request id, lower-cased hexadecimal where it is hexadecimal.
    pub request_id: Option<String>,
    /// Ids of the provider's objects this is about, the most specific first (`ch_…`, `pi_…`): an expectation
    /// may be keyed by one of them.
    pub provider_objects: Vec<String>,
    /// Amount as a decimal string, when stated in token units.
    pub amount: Option<String>,
    /// Token symbol as sent.
    pub currency: Option<String>,
    /// Payer as sent.
    pub payer: Option<String>,
}

impl Claim {
    /// Whether the fields a provider asserts about the money are the same. Identity fields are equal already
    /// when two deliveries meet in one event.
    #[must_use]
    pub fn asserts_the_same(&self, other: &Self) -> bool {
        let money = |c: &Self| (c.amount.clone(), lower(&c.currency), lower(&c.payer), c.network.to_ascii_lowercase());
        money(self) == money(other)
    }
}

fn lower(text: &Option<String>) -> Option<String> {
    text.as_ref().map(|text| text.to_ascii_lowercase())
}
