//! Judges stored bytes: nothing leaves the crate that was not checked here.
//!
//! A record is right when its checksum is, both digests are, and its link follows from the one before.

use bytes::Bytes;

use crate::delivery::Record;
use crate::envelope::{self, Envelope, EnvelopeError, Kind};
use crate::error::ReadError;
use crate::link::{self, Link};
use crate::meta;

/// The delivery at `seq`, which follows a record with the link `previous`.
pub(crate) fn record(seq: u64, previous: &Link, stored: &Bytes) -> Result<Record, ReadError> {
    let Envelope { kind, link, meta, body } = opened(seq, stored)?;
    if kind != Kind::Delivery {
        return Err(damaged(seq, "it is no delivery"));
    }
    let meta_sha256 = link::sha256(&meta);
    let delivery = meta::delivery(meta, body).map_err(|error| damaged(seq, error))?;
    let body_sha256 = link::sha256(&delivery.body);
    if body_sha256 != delivery.body_sha256 {
        return Err(damaged(seq, "its body does not have the digest that was stored with it"));
    }
    if link != link::next(previous, &meta_sha256, &body_sha256) {
        return Err(damaged(seq, "its link does not follow from the record before it"));
    }
    Ok(Record { seq, link, delivery })
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
