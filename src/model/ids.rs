//! Derived ids. Replicas, rebuilds and restores compute the same ones from the same facts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Identity, TransferKey};
use crate::digest;

const EVENT_FROM_IDENTITY: &[u8] = b"tollgate.event.identity.v1";
const EVENT_FROM_TRANSFER: &[u8] = b"tollgate.event.transfer.v1";

/// An event's id: a UUIDv8 (RFC 9562) over its first identity, or over the transfer when a scan found the money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub Uuid);

impl EventId {
    /// The id of the event that this identity finds first.
    #[must_use]
    pub fn of_identity(identity: &Identity) -> Self {
        Self::hashed(EVENT_FROM_IDENTITY, identity.as_bytes())
    }

    /// The id of an event that began with money on chain.
    #[must_use]
    pub fn of_transfer(key: &TransferKey) -> Self {
        Self::hashed(EVENT_FROM_TRANSFER, &key.encode())
    }

    fn hashed(domain: &[u8], bytes: &[u8]) -> Self {
        let mut hash = digest::Sha256::new();
        hash.update(domain);
        hash.update(bytes);
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = hash.finish();
        Self(uuid::Builder::from_custom_bytes([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]).into_uuid())
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for EventId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}

/// What the backend credits by: `pay_` and 32 hex digits. The same by webhook, scan, replay, restore or replica.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PaymentId(String);

impl PaymentId {
    /// `pay_` and the first 16 bytes of SHA-256(chain id as 8 big-endian bytes ‖ 32 bytes of transaction hash ‖
    /// the slot's text), where the slot is the lowest that the payment claims.
    #[must_use]
    pub fn of(lowest: &TransferKey) -> Self {
        let hash = digest::sha256(&lowest.encode());
        let mut text = hex::encode(hash);
        text.truncate(32);
        Self(format!("pay_{text}"))
    }

    /// An id read back from the ledger.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `{event_id}_{state_version}`: one message of one event, the same on every retry of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WebhookId {
    /// The event the message is about.
    pub event: EventId,
    /// Counts the messages of the event, from 1.
    pub state_version: u32,
}

impl fmt::Display for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.event, self.state_version)
    }
}

/// Text that is no webhook id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a webhook id reads {{event_id}}_{{state_version}}")]
pub struct BadWebhookId;

impl FromStr for WebhookId {
    type Err = BadWebhookId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (event, version) = text.rsplit_once('_').ok_or(BadWebhookId)?;
        Ok(Self {
            event: event.parse().map_err(|_| BadWebhookId)?,
            state_version: version.parse().map_err(|_| BadWebhookId)?,
        })
    }
}

#[cfg(test)]
mod tests;
