//! Verified reads. Nothing beyond the head that the caller passes is ever looked at: what lies there may not be
//! fsynced. All calls block on the disk.

use bytes::Bytes;
use rocksdb::{Direction, IteratorMode, ReadOptions};
use uuid::Uuid;

use crate::check::{self, damaged};
use crate::delivery::{Head, Record};
use crate::engine::{Engine, Fault, is_damage};
use crate::error::ReadError;
use crate::keys;
use crate::link::{GENESIS, Link};

impl From<Fault> for ReadError {
    fn from(fault: Fault) -> Self {
        Self::Engine(fault.0)
    }
}

/// Records after `seq`, in order and without gaps: at most `max_records`, and at most `max_bytes` stored bytes, but
/// at least one record when there is one.
pub(crate) fn after(
    engine: &Engine,
    head: Head,
    seq: u64,
    max_records: usize,
    max_bytes: usize,
) -> Result<Vec<Record>, ReadError> {
    if head.seq <= seq {
        return Ok(Vec::new());
    }
    let mut previous = required_link(engine, head, seq)?;
    let mut due = seq.saturating_add(1);
    let mut room = max_bytes;
    let mut records = Vec::new();
    let from = due.to_be_bytes();
    let mode = IteratorMode::From(&from, Direction::Forward);
    for entry in engine.db().iterator_cf_opt(engine.family(keys::RECORDS)?, options(head), mode) {
        let (key, value) = entry.map_err(|error| engine_error(due, error))?;
        if keys::parse_seq(&key) != Some(due) {
            return Err(damaged(due, "it is missing"));
        }
        let stored = Bytes::from(value);
        if !records.is_empty() && room < stored.len() {
            break;
        }
        room = room.saturating_sub(stored.len());
        let record = check::record(due, &previous, &stored)?;
        previous = record.link;
        due = due.saturating_add(1);
        records.push(record);
        if max_records <= records.len() || head.seq < due {
            return Ok(records);
        }
    }
    if records.is_empty() {
        return Err(damaged(due, "it is missing"));
    }
    Ok(records)
}

/// The link at `seq`: zeros at 0, none beyond the head.
pub(crate) fn link_at(engine: &Engine, head: Head, seq: u64) -> Result<Option<Link>, ReadError> {
    if seq == 0 {
        return Ok(Some(GENESIS));
    }
    if head.seq < seq {
        return Ok(None);
    }
    Ok(Some(check::link_of(seq, &required(engine, seq)?)?))
}

/// A delivery by id.
pub(crate) fn delivery(engine: &Engine, head: Head, id: Uuid) -> Result<Option<Record>, ReadError> {
    let found = engine.db().get_cf(engine.family(keys::IDS)?, id.as_bytes()).map_err(Fault::from)?;
    let Some(found) = found else {
        return Ok(None);
    };
    let seq = keys::parse_seq(&found).ok_or_else(|| ReadError::Engine(format!("the entry of {id} has no number")))?;
    if head.seq < seq {
        return Ok(None);
    }
    let before = seq.checked_sub(1).ok_or_else(|| damaged(seq, "no record has the number 0"))?;
    let previous = required_link(engine, head, before)?;
    let record = check::record(seq, &previous, &required(engine, seq)?)?;
    if record.delivery.id != id {
        return Err(damaged(seq, format!("the id {id} leads to it and it is {}", record.delivery.id)));
    }
    Ok(Some(record))
}

fn required_link(engine: &Engine, head: Head, seq: u64) -> Result<Link, ReadError> {
    link_at(engine, head, seq)?.ok_or_else(|| damaged(seq, "it is missing"))
}

fn required(engine: &Engine, seq: u64) -> Result<Bytes, ReadError> {
    let stored = engine
        .db()
        .get_cf(engine.family(keys::RECORDS)?, seq.to_be_bytes())
        .map_err(|error| engine_error(seq, error))?;
    stored.map(Bytes::from).ok_or_else(|| damaged(seq, "it is missing"))
}

/// What RocksDB said about the record at `seq`.
pub(crate) fn engine_error(seq: u64, error: rocksdb::Error) -> ReadError {
    if is_damage(&error) { damaged(seq, error.into_string()) } else { ReadError::Engine(error.into_string()) }
}

fn options(head: Head) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_verify_checksums(true);
    // Read once, in order: not worth the place of the filters.
    options.fill_cache(false);
    options.set_iterate_upper_bound(head.seq.saturating_add(1).to_be_bytes());
    options
}
