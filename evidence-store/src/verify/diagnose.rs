//! What is wrong with a record that is not right: as much as its bytes still tell.

use bytes::Bytes;
use rocksdb::IteratorMode;
use uuid::Uuid;

use super::{Finding, Wrong};
use crate::engine::{Engine, Fault};
use crate::envelope::{self, Envelope, Kind};
use crate::error::ReadError;
use crate::link::{self, Link};
use crate::{keys, meta};

/// Says what is wrong with the record at `seq`, which `error` refused.
pub(super) fn diagnose(
    engine: &Engine,
    seq: u64,
    previous: &Link,
    stored: &Bytes,
    error: &ReadError,
) -> Result<Finding, ReadError> {
    let refused = match error {
        ReadError::Newer { what, .. } => {
            let detail = format!("a later release wrote it, or its first bytes were changed: {what}");
            return Ok(Finding { seq, delivery_id: id_at(engine, seq)?, wrong: Wrong::Newer, detail });
        }
        ReadError::Damaged { what, .. } => what.clone(),
        ReadError::Engine(_) => return Err(error.clone()),
    };
    let id = id_at(engine, seq)?;
    let said = |wrong, detail: String| Finding { seq, delivery_id: id, wrong, detail };
    let changed = |part: &str| said(Wrong::MetaChanged, format!("{part} of record {seq} was changed: {refused}"));
    let Some(Envelope { kind, link, meta, body }) = envelope::apart(stored) else {
        return Ok(changed("a part"));
    };
    // Its checksum was made for what it is now: it was written so, here or elsewhere in the log.
    let whole = envelope::decode(stored).is_ok();
    let follows = |meta: &[u8; 32], body: &[u8; 32]| link == link::next(previous, meta, body);
    Ok(match kind {
        Kind::Delivery => {
            let Ok(delivery) = meta::delivery(meta.clone(), body.clone()) else {
                return Ok(changed("the meta"));
            };
            let body_sha256 = link::sha256(&body);
            if body_sha256 != delivery.body_sha256 {
                let detail =
                    format!("the body of delivery {} was changed: it has another digest", id.unwrap_or(delivery.id));
                return Ok(said(Wrong::BodyChanged, detail));
            }
            match place_of(engine, keys::IDS, delivery.id.as_bytes())? {
                Some(place) if whole && place != seq => moved(seq, place, Some(delivery.id)),
                _ if follows(&link::sha256(&meta), &body_sha256) => changed("the fixed part"),
                _ => chain(seq, id.or(Some(delivery.id)), whole, &refused),
            }
        }
        Kind::Decision => {
            let Ok(decision) = meta::decision(meta.clone(), body.clone()) else {
                return Ok(changed("the meta"));
            };
            match place_of(engine, keys::DECISIONS, &keys::decision(&decision.id))? {
                Some(place) if whole && place != seq => moved(seq, place, None),
                _ if follows(&link::sha256(&meta), &link::sha256(&body)) => changed("the fixed part"),
                _ => chain(seq, None, whole, &refused),
            }
        }
        Kind::Stub => {
            let Ok(stub) = meta::stub(meta, body) else {
                return Ok(changed("the stub"));
            };
            match place_of(engine, keys::IDS, stub.delivery_id.as_bytes())? {
                Some(place) if whole && place != seq => moved(seq, place, Some(stub.delivery_id)),
                _ if follows(&stub.meta_sha256, &stub.body_sha256) => changed("the stub"),
                _ => chain(seq, id.or(Some(stub.delivery_id)), whole, &refused),
            }
        }
        Kind::Rejected => changed("the kind"),
    })
}

fn moved(seq: u64, place: u64, delivery_id: Option<Uuid>) -> Finding {
    let detail = format!("what belongs at {place} stands at {seq}: records were reordered");
    Finding { seq, delivery_id, wrong: Wrong::Reordered, detail }
}

/// A record whose parts agree with each other, not with the link.
fn chain(seq: u64, delivery_id: Option<Uuid>, whole: bool, refused: &str) -> Finding {
    if whole {
        let before = seq.saturating_sub(1);
        let detail = format!("it does not follow from record {before}: one of the two was rewritten ({refused})");
        Finding { seq, delivery_id, wrong: Wrong::ChainBroken, detail }
    } else {
        let detail = format!("the headers or other facts of record {seq}, or its link, were changed ({refused})");
        Finding { seq, delivery_id, wrong: Wrong::MetaChanged, detail }
    }
}

/// A record that the engine does not give out.
pub(super) fn unreadable(engine: &Engine, seq: u64, why: &str) -> Result<Finding, ReadError> {
    let delivery_id = id_at(engine, seq)?;
    let what = delivery_id.map_or_else(|| "it".to_owned(), |id| format!("delivery {id}"));
    let detail = format!("{what} was changed on the disk: {why}");
    Ok(Finding { seq, delivery_id, wrong: Wrong::Unreadable, detail })
}

fn place_of(engine: &Engine, family: &str, key: &[u8]) -> Result<Option<u64>, ReadError> {
    let found = engine.db().get_cf(engine.family(family)?, key).map_err(Fault::from)?;
    Ok(found.as_deref().and_then(keys::parse_seq))
}

/// The delivery that the index of ids knows at `seq`. Reads all of the index, once: the record itself does not say.
fn id_at(engine: &Engine, seq: u64) -> Result<Option<Uuid>, ReadError> {
    for entry in engine.db().iterator_cf(engine.family(keys::IDS)?, IteratorMode::Start) {
        let (key, value) = entry.map_err(Fault::from)?;
        if keys::parse_seq(&value) == Some(seq) {
            return Ok(Uuid::from_slice(&key).ok());
        }
    }
    Ok(None)
}
