//! Identity: what makes two deliveries the same event.
//!
//! It finds an event and judges nothing. Only signed bytes go in, never a header. The encoding below is
//! stored for ever: changing it would give known payments new ids, so a golden test pins it.

use std::fmt;

use super::TransferKey;
use crate::digest;

/// Separates identities from every other hash this product makes.
const DOMAIN: &[u8] = b"tollgate.identity.v1";

/// One typed part of an identity. Absent is a value of its own, so that "missing" never equals "empty".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// An optional part the signed bytes do not carry.
    None,
    /// Decoded bytes (a hash, a reference): case and `0x` of the original do not matter.
    Bytes(&'a [u8]),
    /// Text exactly as signed.
    Text(&'a str),
    /// A boolean.
    Flag(bool),
}

/// SHA-256 over the domain, the provider, the realm, the kind and the typed, length-prefixed parts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity([u8; 32]);

impl Identity {
    /// Derives an identity. `provider` and `realm` keep equal ids of different senders apart; `kind` keeps
    /// the families of one sender apart (`paid`, `event`, `body`).
    #[must_use]
    pub fn derive(provider: &str, realm: &str, kind: &str, parts: &[Part<'_>]) -> Self {
        let mut hash = digest::Sha256::new();
        hash.update(DOMAIN);
        for head in [provider, realm, kind] {
            Self::feed(&mut hash, Part::Text(head));
        }
        for part in parts {
            Self::feed(&mut hash, *part);
        }
        Self(hash.finish())
    }

    /// The identity of an event whose required parts are missing: the hash of the signed body.
    #[must_use]
    pub fn of_body(provider: &str, realm: &str, family: &str, body: &[u8]) -> Self {
        Self::derive(provider, realm, "body", &[Part::Text(family), Part::Bytes(&digest::sha256(body))])
    }

    /// The identity of money that no delivery announced: the transfer itself, by its lowest slot.
    #[must_use]
    pub fn of_transfer(provider: &str, realm: &str, lowest: &TransferKey) -> Self {
        let (chain_id, slot) = (lowest.chain_id.to_be_bytes(), lowest.slot.to_string());
        let parts = [Part::Bytes(&chain_id), Part::Bytes(lowest.tx_hash.as_slice()), Part::Text(&slot)];
        Self::derive(provider, realm, "transfer", &parts)
    }

    /// An identity read back from the ledger.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes as stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Tag byte, big-endian length, bytes: no two lists of parts share an encoding.
    fn feed(hash: &mut digest::Sha256, part: Part<'_>) {
        let (tag, bytes): (u8, &[u8]) = match part {
            Part::None => (0, &[]),
            Part::Bytes(bytes) => (1, bytes),
            Part::Text(text) => (2, text.as_bytes()),
            Part::Flag(false) => (3, &[0]),
            Part::Flag(true) => (3, &[1]),
        };
        hash.update(&[tag]);
        hash.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(bytes);
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests;
