//! What goes in and what comes out. Plain data: nothing here reads a disk or judges.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use crate::decision::Decision;
use crate::link::Link;
use crate::stub::Stub;

/// One HTTP request as it arrived, rightly signed. Immutable once stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// UUIDv7, given by the caller, unique in the log.
    pub id: Uuid,
    /// The configured source.
    pub source: String,
    /// The id that the answer carried.
    pub request_id: String,
    /// The client's address.
    pub peer: String,
    /// The HTTP method.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// For example `HTTP/1.1`.
    pub http_version: String,
    /// When the request arrived, microseconds since the Unix epoch.
    pub received_us: i64,
    /// All headers, in order, names and values as bytes.
    pub headers: Vec<(Bytes, Bytes)>,
    /// The exact body.
    pub body: Bytes,
    /// SHA-256 of `body`. The caller has it already, from reading; a debug build checks it before the append, and
    /// every read checks it.
    pub body_sha256: [u8; 32],
    /// How the signature was found right.
    pub signature: SignatureRecord,
    /// The rejected request that an operator admitted as this delivery.
    pub admitted_from: Option<Uuid>,
}

impl Delivery {
    /// The delivery of its stored parts, meta and body as [`crate::Store::raw`] gave them; the body is checked against
    /// the digest in the meta.
    ///
    /// # Errors
    /// Says why these are no parts of a delivery.
    pub fn of_parts(meta: Bytes, body: Bytes) -> Result<Self, String> {
        let delivery = crate::meta::delivery(meta, body).map_err(|error| error.to_string())?;
        if crate::link::sha256(&delivery.body) != delivery.body_sha256 {
            return Err("its body does not hash to the digest in its meta".to_owned());
        }
        Ok(delivery)
    }

    /// Bytes of body and headers, as they came.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        let headers = self.headers.iter().map(|(name, value)| name.len().saturating_add(value.len()));
        let bytes = headers.fold(self.body.len(), usize::saturating_add);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

/// What [`crate::Store::append`] takes: the same shape that is read back.
pub type NewDelivery = Delivery;

/// Which secret matched, never the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureRecord {
    /// The signature scheme.
    pub scheme: String,
    /// The configured name of the secret.
    pub secret_name: String,
    /// The signed time, seconds since the Unix epoch, where the scheme has one.
    pub signed_at: Option<i64>,
}

/// What is stored at one place of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number; the first is 1, and there are no gaps.
    pub seq: u64,
    /// The chain up to and including this record.
    pub link: Link,
    /// What was stored.
    pub entry: Entry,
}

/// The kinds of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// What came from outside.
    Delivery(Delivery),
    /// What was decided about it.
    Decision(Decision),
    /// What is left of a delivery whose bytes were removed.
    Stub(Stub),
}

impl Entry {
    /// The delivery, if it is one with its bytes.
    #[must_use]
    pub fn into_delivery(self) -> Option<Delivery> {
        match self {
            Self::Delivery(delivery) => Some(delivery),
            Self::Decision(_) | Self::Stub(_) => None,
        }
    }
}

/// A record as its bytes lie on disk, verified: for archives and proofs, which must not encode anything again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRecord {
    /// Its number.
    pub seq: u64,
    /// The link of the record before it.
    pub previous: Link,
    /// The chain up to and including this record.
    pub link: Link,
    /// Its kind as stored: 1 delivery, 2 decision, 3 stub.
    pub kind: u8,
    /// The protobuf part.
    pub meta: Bytes,
    /// What follows it: a delivery's body, a decision's JSON, an erased delivery's meta.
    pub body: Bytes,
}

/// How many records of each kind there are; together they are the number of the last record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Deliveries with their bytes.
    pub deliveries: u64,
    /// Decisions.
    pub decisions: u64,
    /// Deliveries that were pruned or erased.
    pub stubs: u64,
}

/// Proof that a delivery, or an equal one before it, is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The stored delivery: the one appended, or the last stored copy of its body.
    pub delivery_id: Uuid,
    /// Its number.
    pub seq: u64,
    /// Which of the two.
    pub stored: Stored,
}

/// Whether an append added a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It did.
    New,
    /// The source holds [`Options::repeats_max`] copies of this body already; nothing was written.
    Repeat,
}

/// The last fsynced record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its number; 0 when the log is empty.
    pub seq: u64,
    /// Its link; zeros when the log is empty.
    pub link: Link,
}

/// Whether the log takes deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Writable,
    /// The disk holds less free space than is kept in reserve. Ends by itself when space is freed.
    BelowReserve {
        /// Free bytes; 0 when the disk does not say.
        free: u64,
        /// Bytes that must stay free.
        reserve: u64,
    },
    /// A write failed. Only a restart ends this.
    Poisoned {
        /// What failed.
        why: String,
    },
}

/// How the log is opened.
#[derive(Clone)]
pub struct Options {
    /// The log's folder; made when missing.
    pub path: PathBuf,
    /// Free bytes below which nothing is taken; 0 turns the check off.
    pub reserve_bytes: u64,
    /// Bytes of rejected requests kept per source, of which one peer fills at most half.
    pub rejected_max_bytes: u64,
    /// Copies of one body kept per source; at least one is.
    pub repeats_max: u32,
    /// Called by the writer thread after each commit and its answers. It must neither block nor panic: a panic
    /// poisons the log.
    pub observer: Option<Arc<dyn Fn(Commit) + Send + Sync>>,
}

/// One synced write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// Deliveries it stored; none when it stored decisions only.
    pub deliveries: usize,
    /// How long the write and its fsync took.
    pub fsync: Duration,
}

/// A refused request, for the ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRejected {
    /// UUIDv7, given by the caller.
    pub id: Uuid,
    /// The configured source.
    pub source: String,
    /// Why it was refused, for example `SIGNATURE_MISMATCH`.
    pub code: String,
    /// The client's address.
    pub peer: String,
    /// The HTTP method.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// When the request arrived, microseconds since the Unix epoch.
    pub received_us: i64,
    /// All headers, in order.
    pub headers: Vec<(Bytes, Bytes)>,
    /// The body, or its start; what is over [`crate::Store::REJECTED_BODY_BYTES_MAX`] is cut off here.
    pub body: Bytes,
    /// Which of the two.
    pub body_complete: BodyComplete,
    /// The id that the answer carried; the first records have none.
    pub request_id: Option<String>,
    /// For example `HTTP/1.1`; the first records have none.
    pub http_version: Option<String>,
}

/// What is read back from the ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRecord {
    /// What was kept.
    pub request: NewRejected,
    /// The delivery it was admitted as, where [`crate::Store::mark_admitted`] noted one.
    pub admitted_as: Option<Uuid>,
}

/// Which rejected requests a read wants. What is not said is not asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RejectedFilter {
    /// Of these sources; empty is all.
    pub sources: Vec<String>,
    /// Refused for this reason.
    pub code: Option<String>,
    /// From this client's address, as it is written in the record.
    pub peer: Option<String>,
    /// Not before this time, microseconds since the Unix epoch.
    pub since_us: Option<i64>,
    /// Before this time.
    pub until_us: Option<i64>,
}

/// Some rejected requests, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RejectedPage {
    /// What was found; may be fewer than asked for, or none, although there is more.
    pub records: Vec<RejectedRecord>,
    /// Where to go on; none at the end.
    pub next: Option<Uuid>,
}

/// How much of a rejected body is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyComplete {
    /// All of it: its signature can be checked again.
    Whole,
    /// Its start.
    Prefix,
}
