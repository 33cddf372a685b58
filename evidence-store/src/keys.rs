//! Column families, their keys, and the small values. All integers are big-endian, so that byte order is the order.
//!
//! ```text
//! family   key                                  value
//! meta     "format"                             1 byte
//! meta     "log_id"                             16 bytes, UUIDv7
//! meta     "counts"                             deliveries (8), decisions (8), stubs (8)
//! meta     "reclaim"                            first seq (8), last seq (8)
//! records  seq (8)                              envelope
//! ids      delivery id (16)                     seq (8)
//! bodies   SHA-256 of the body (32), source     copies (4), last seq (8), last delivery id (16)
//! decisions ledger (16), epoch (4), table (1), number (8)   seq (8)
//! subjects event or delivery id (16), seq (8)   nothing
//! holds    1, delivery id | 2, event id | 3, source   seq of the decision (8)
//! ```
//!
//! `tiles` and `checkpoints` belong to the seal.
//!
//! The digest stands before the source in `bodies`: it has a fixed size, so no name can run into it.

use uuid::Uuid;

use crate::decision::DecisionId;
use crate::delivery::Counts;
use crate::stub::Subject;

/// Facts about the log itself.
pub(crate) const META: &str = "meta";
/// The records.
pub(crate) const RECORDS: &str = "records";
/// Where a delivery is.
pub(crate) const IDS: &str = "ids";
/// How often a source sent a body.
pub(crate) const BODIES: &str = "bodies";
/// Where a decision is.
pub(crate) const DECISIONS: &str = "decisions";
/// The decisions about an event, or of the log's own about a delivery.
pub(crate) const SUBJECTS: &str = "subjects";
/// What may not be removed.
pub(crate) const HOLDS: &str = "holds";
/// Roots of 256 leaves each.
pub(crate) const TILES: &str = "tiles";
/// Signed checkpoints.
pub(crate) const CHECKPOINTS: &str = "checkpoints";
/// RocksDB makes it; it stays empty.
pub(crate) const DEFAULT: &str = "default";
/// All of them.
pub(crate) const FAMILIES: [&str; 10] =
    [DEFAULT, META, RECORDS, IDS, BODIES, DECISIONS, SUBJECTS, HOLDS, TILES, CHECKPOINTS];

/// The format of a log with these families.
pub(crate) const FORMAT: u8 = 2;
/// The format of the first release: deliveries only, and no family after [`BODIES`].
pub(crate) const FORMAT_OF_DELIVERIES: u8 = 1;

/// Key in [`META`].
pub(crate) const FORMAT_KEY: &[u8] = b"format";
/// Key in [`META`].
pub(crate) const LOG_ID_KEY: &[u8] = b"log_id";
/// Key in [`META`].
pub(crate) const COUNTS_KEY: &[u8] = b"counts";
/// Key in [`META`]: the records whose former bytes are still in the files.
pub(crate) const RECLAIM_KEY: &[u8] = b"reclaim";

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

/// The key in [`DECISIONS`].
pub(crate) fn decision(id: &DecisionId) -> Vec<u8> {
    [&table(id.ledger_id, id.epoch, id.table)[..], &id.number.to_be_bytes()].concat()
}

/// What the keys of all decisions of one table begin with.
pub(crate) fn table(ledger_id: Uuid, epoch: u32, table: u8) -> Vec<u8> {
    [&ledger_id.as_bytes()[..], &epoch.to_be_bytes(), &[table]].concat()
}

/// The number of the decision whose key this is, if it begins with `table`.
pub(crate) fn number_in(table: &[u8], key: &[u8]) -> Option<u64> {
    parse_seq(key.strip_prefix(table)?)
}

/// The key in [`SUBJECTS`].
pub(crate) fn subject(id: Uuid, seq: u64) -> Vec<u8> {
    [&id.as_bytes()[..], &seq.to_be_bytes()].concat()
}

/// The key in [`HOLDS`].
pub(crate) fn hold(subject: &Subject) -> Vec<u8> {
    match subject {
        Subject::Delivery(id) => [&[1], &id.as_bytes()[..]].concat(),
        Subject::Event(id) => [&[2], &id.as_bytes()[..]].concat(),
        Subject::Source(name) => [&[3], name.as_bytes()].concat(),
    }
}

/// What a key in [`HOLDS`] holds.
pub(crate) fn held(key: &[u8]) -> Option<Subject> {
    match key.split_first()? {
        (1, id) => Some(Subject::Delivery(Uuid::from_slice(id).ok()?)),
        (2, id) => Some(Subject::Event(Uuid::from_slice(id).ok()?)),
        (3, name) => Some(Subject::Source(std::str::from_utf8(name).ok()?.to_owned())),
        _ => None,
    }
}

/// Numbers of eight bytes, one after the other.
pub(crate) fn numbers<const COUNT: usize>(bytes: &[u8]) -> Option<[u64; COUNT]> {
    let (numbers, []) = bytes.as_chunks::<8>() else { return None };
    let numbers: Vec<u64> = numbers.iter().map(|number| u64::from_be_bytes(*number)).collect();
    numbers.try_into().ok()
}

impl Counts {
    pub(crate) fn encode(self) -> Vec<u8> {
        [self.deliveries, self.decisions, self.stubs].map(u64::to_be_bytes).concat()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let [deliveries, decisions, stubs] = numbers(bytes)?;
        Some(Self { deliveries, decisions, stubs })
    }

    /// The number of the last record.
    pub(crate) fn total(self) -> Option<u64> {
        self.deliveries.checked_add(self.decisions)?.checked_add(self.stubs)
    }
}

#[cfg(test)]
mod tests;
