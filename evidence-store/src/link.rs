//! The chain of links, and the only hashing here.
//!
//! `link = SHA-256(previous link ‖ SHA-256(meta) ‖ SHA-256(body))`, over the bytes as stored, never over a
//! re-encoding. It catches what checksums of the engine cannot: a record that is whole and in the wrong place, a
//! missing one, a rewritten one.

use sha2::{Digest, Sha256};

/// A link: the digest of the log up to and including one record.
pub type Link = [u8; 32];

/// What the first record follows.
pub(crate) const GENESIS: Link = [0; 32];

/// SHA-256 of one slice.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The link after `previous`.
pub(crate) fn next(previous: &Link, meta_sha256: &[u8; 32], body_sha256: &[u8; 32]) -> Link {
    Sha256::new().chain_update(previous).chain_update(meta_sha256).chain_update(body_sha256).finalize().into()
}
