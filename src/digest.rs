//! The only place that calls the hash and MAC crates, so that every use is one of these few.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Digest;

/// Incremental SHA-256.
#[derive(Clone, Default)]
pub struct Sha256(sha2::Sha256);

impl Sha256 {
    /// An empty hash.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Ends the hash.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// SHA-256 of one slice.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(bytes).into()
}

/// The MAC algorithms a sender may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC-SHA-256 (RFC 2104, FIPS 180-4).
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
}

/// A key whose schedule is prepared once and cloned for every message.
#[derive(Clone)]
pub enum HmacKey {
    /// For [`Algorithm::Sha256`].
    Sha256(Hmac<sha2::Sha256>),
    /// For [`Algorithm::Sha512`].
    Sha512(Hmac<sha2::Sha512>),
}

impl HmacKey {
    /// Prepares a key. Any length is legal for HMAC; blank secrets are refused by the configuration.
    #[must_use]
    pub fn new(algorithm: Algorithm, key: &[u8]) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(keyed(key)),
            Algorithm::Sha512 => Self::Sha512(keyed(key)),
        }
    }

    /// The tag over the concatenated parts.
    #[must_use]
    pub fn sign(&self, parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Sha256(key) => run(key.clone(), parts).finalize().into_bytes().to_vec(),
            Self::Sha512(key) => run(key.clone(), parts).finalize().into_bytes().to_vec(),
        }
    }

    /// Whether `tag` is the whole tag over the parts; the time taken does not depend on where they differ.
    #[must_use]
    pub fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        match self {
            Self::Sha256(key) => run(key.clone(), parts).verify_slice(tag).is_ok(),
            Self::Sha512(key) => run(key.clone(), parts).verify_slice(tag).is_ok(),
        }
    }
}

fn keyed<M: KeyInit>(key: &[u8]) -> M {
    // HMAC hashes long keys and pads short ones: no length is refused (RFC 2104 section 2).
    match M::new_from_slice(key) {
        Ok(mac) => mac,
        Err(_) => unreachable!("HMAC takes keys of any length"),
    }
}

fn run<M: Mac>(mut mac: M, parts: &[&[u8]]) -> M {
    for part in parts {
        mac.update(part);
    }
    mac
}
