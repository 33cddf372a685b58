//! Column families, their keys, and the small values. All integers are big-endian, so that byte order is the order.
//!
//! ```text
//! family   key                                  value
//! meta     "format"                             1 byte
//! meta     "log_id"                             16 bytes, UUIDv7
//! records  seq (8)                              envelope
//! ids      delivery id (16)                     seq (8)
//! bodies   SHA-256 of the body (32), source     copies (4), last seq (8), last delivery id (16)
//! ```
//!
//! The digest stands before the source in `bodies`: it has a fixed size, so no name can run into it.

use uuid::Uuid;

/// Facts about the log itself.
pub(crate) const META: &str = "meta";
/// The records.
pub(crate) const RECORDS: &str = "records";
/// Where a delivery is.
pub(crate) const IDS: &str = "ids";
/// How often a source sent a body.
pub(crate) const BODIES: &str = "bodies";
/// RocksDB makes it; it stays empty.
pub(crate) const DEFAULT: &str = "default";
/// All of them.
pub(crate) const FAMILIES: [&str; 5] = [DEFAULT, META, RECORDS, IDS, BODIES];

/// Key in [`META`].
pub(crate) const FORMAT_KEY: &[u8] = b"format";
/// Key in [`META`].
pub(crate) const LOG_ID_KEY: &[u8] = b"log_id";

/// The number in a key or value of eight bytes.
pub(crate) fn parse_seq(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

/// The key in [`BODIES`]. `apart` keeps equal bodies that say different things apart; a source's name has no zero byte.
pub(crate) fn body(source: &str, body_sha256: &[u8; 32], apart: Option<&[u8]>) -> Vec<u8> {
    let plain = [body_sha256, source.as_bytes()].concat();
    match apart {
        None => plain,
        Some(apart) => [&plain, &[0][..], apart].concat(),
    }
}

/// How many copies of a body a source has stored, and which was the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Copies {
    pub(crate) count: u32,
    pub(crate) last_seq: u64,
    pub(crate) last_id: Uuid,
}

impl Copies {
    const BYTES: usize = 28;

    pub(crate) fn encode(&self) -> [u8; Self::BYTES] {
        let mut out = [0; Self::BYTES];
        let fields = self.count.to_be_bytes().into_iter().chain(self.last_seq.to_be_bytes());
        for (to, from) in out.iter_mut().zip(fields.chain(self.last_id.into_bytes())) {
            *to = from;
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (count, rest) = bytes.split_first_chunk::<4>()?;
        let (last_seq, last_id) = rest.split_first_chunk::<8>()?;
        Some(Self {
            count: u32::from_be_bytes(*count),
            last_seq: u64::from_be_bytes(*last_seq),
            last_id: Uuid::from_slice(last_id).ok()?,
        })
    }
}

#[cfg(test)]
mod tests;
