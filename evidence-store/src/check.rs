//! Judges stored bytes: nothing leaves the crate that was not checked here.
//!
//! A record is right when its checksum is, its digests are, and its link follows from the one before. A stub carries
//! the digests of what was removed, so the link is checked without the bytes.

use bytes::Bytes;

use crate::delivery::{Entry, RawRecord, Record};
use crate::envelope::{self, Envelope, EnvelopeError, Kind};
use crate::error::ReadError;
use crate::link::{self, Link};
use crate::meta::{self, MetaError};
use crate::stub::Stub;

/// The record at `seq`, which follows one with the link `previous`.
pub(crate) fn record(seq: u64, previous: &Link, stored: &Bytes) -> Result<Record, ReadError> {
    judge(seq, previous, opened(seq, stored)?)
}

/// The record at `seq` as it is stored, after the same checks.
pub(crate) fn raw(seq: u64, previous: &Link, stored: &Bytes) -> Result<RawRecord, ReadError> {
    let envelope = opened(seq, stored)?;
    judge(seq, previous, envelope.clone())?;
    let Envelope { kind, link, meta, body } = envelope;
    Ok(RawRecord { seq, previous: *previous, link, kind: kind.byte(), meta, body })
}

/// A record of parts that came from elsewhere: they are what the link says.
pub(crate) fn parts(raw: &RawRecord) -> Result<Record, ReadError> {
    let kind = Kind::from_byte(raw.kind).ok_or_else(|| damaged(raw.seq, "its kind is not known"))?;
    let envelope = Envelope { kind, link: raw.link, meta: raw.meta.clone(), body: raw.body.clone() };
    judge(raw.seq, &raw.previous, envelope)
}

fn judge(seq: u64, previous: &Link, envelope: Envelope) -> Result<Record, ReadError> {
    let Envelope { kind, link, meta, body } = envelope;
    let wrong = |error: MetaError| damaged(seq, error);
    let (entry, meta_sha256, body_sha256) = match kind {
        Kind::Delivery => {
            let meta_sha256 = link::sha256(&meta);
            let delivery = meta::delivery(meta, body).map_err(wrong)?;
            let body_sha256 = link::sha256(&delivery.body);
            if body_sha256 != delivery.body_sha256 {
                return Err(damaged(seq, "its body does not have the digest that was stored with it"));
            }
            (Entry::Delivery(delivery), meta_sha256, body_sha256)
        }
        Kind::Decision => {
            let digests = (link::sha256(&meta), link::sha256(&body));
            (Entry::Decision(meta::decision(meta, body).map_err(wrong)?), digests.0, digests.1)
        }
        Kind::Stub => {
            let stub = meta::stub(meta, body).map_err(wrong)?;
            kept_meta(seq, &stub)?;
            let digests = (stub.meta_sha256, stub.body_sha256);
            (Entry::Stub(stub), digests.0, digests.1)
        }
        Kind::Rejected => return Err(damaged(seq, "a rejected request is no record of the log")),
    };
    if link != link::next(previous, &meta_sha256, &body_sha256) {
        return Err(damaged(seq, "its link does not follow from the record before it"));
    }
    Ok(Record { seq, link, entry })
}

/// The meta that an erased delivery left is the one that was stored, and of this delivery.
fn kept_meta(seq: u64, stub: &Stub) -> Result<(), ReadError> {
    let Some(kept) = &stub.meta else {
        return Ok(());
    };
    if link::sha256(kept) != stub.meta_sha256 {
        return Err(damaged(seq, "the meta that was kept does not have the digest that was stored with it"));
    }
    let before = meta::delivery(kept.clone(), Bytes::new()).map_err(|error| damaged(seq, error))?;
    let told = (stub.delivery_id, &stub.source, stub.received_us, stub.body_sha256);
    if told != (before.id, &before.source, before.received_us, before.body_sha256) {
        return Err(damaged(seq, "the stub and the meta that was kept are of two deliveries"));
    }
    Ok(())
}

/// The kind of the record at `seq` and the link that it carries; the chain is not followed.
pub(crate) fn place(seq: u64, stored: &Bytes) -> Result<(Kind, Link), ReadError> {
    let envelope = opened(seq, stored)?;
    Ok((envelope.kind, envelope.link))
}

/// The link that the record at `seq` carries; the chain is not followed.
pub(crate) fn link_of(seq: u64, stored: &Bytes) -> Result<Link, ReadError> {
    Ok(opened(seq, stored)?.link)
}

fn opened(seq: u64, stored: &Bytes) -> Result<Envelope, ReadError> {
    envelope::decode(stored).map_err(|error: EnvelopeError| {
        if error.is_newer() { ReadError::Newer { seq, what: error.to_string() } } else { damaged(seq, error) }
    })
}

/// Something that contradicts itself, at `seq`.
pub(crate) fn damaged(seq: u64, what: impl ToString) -> ReadError {
    ReadError::Damaged { seq, what: what.to_string() }
}

#[cfg(test)]
mod tests;
