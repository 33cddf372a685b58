//! Verified reads. Nothing beyond the head that the caller passes is ever looked at: what lies there may not be
//! fsynced. All calls block on the disk.

use bytes::Bytes;
use rocksdb::{Direction, IteratorMode, ReadOptions};
use uuid::Uuid;

use crate::check::{self, damaged};
use crate::delivery::{Entry, Head, RawRecord, Record};
use crate::engine::{Engine, Fault, is_damage};
use crate::error::ReadError;
use crate::keys;
use crate::link::{GENESIS, Link};
use crate::stub::Subject;

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

/// The record at `seq`; none at 0 and beyond the head.
pub(crate) fn record(engine: &Engine, head: Head, seq: u64) -> Result<Option<Record>, ReadError> {
    let Some(previous) = before(engine, head, seq)? else { return Ok(None) };
    check::record(seq, &previous, &required(engine, seq)?).map(Some)
}

/// The record at `seq` as it is stored.
pub(crate) fn raw(engine: &Engine, head: Head, seq: u64) -> Result<Option<RawRecord>, ReadError> {
    let Some(previous) = before(engine, head, seq)? else { return Ok(None) };
    check::raw(seq, &previous, &required(engine, seq)?).map(Some)
}

/// The link of the record before `seq`, when there is a record at `seq`.
fn before(engine: &Engine, head: Head, seq: u64) -> Result<Option<Link>, ReadError> {
    match seq.checked_sub(1) {
        Some(before) if seq <= head.seq => required_link(engine, head, before).map(Some),
        _ => Ok(None),
    }
}

/// Where a delivery is.
pub(crate) fn seq_of(engine: &Engine, id: Uuid) -> Result<Option<u64>, ReadError> {
    let found = engine.db().get_cf(engine.family(keys::IDS)?, id.as_bytes()).map_err(Fault::from)?;
    let Some(found) = found else { return Ok(None) };
    match keys::parse_seq(&found) {
        Some(0) | None => Err(damaged(0, format!("the entry of {id} has no number"))),
        Some(seq) => Ok(Some(seq)),
    }
}

/// A delivery by id, or its stub.
pub(crate) fn delivery(engine: &Engine, head: Head, id: Uuid) -> Result<Option<Record>, ReadError> {
    let Some(seq) = seq_of(engine, id)? else { return Ok(None) };
    let Some(record) = record(engine, head, seq)? else { return Ok(None) };
    let found = match &record.entry {
        Entry::Delivery(delivery) => Some(delivery.id),
        Entry::Stub(stub) => Some(stub.delivery_id),
        Entry::Decision(_) => None,
    };
    match found {
        Some(found) if found == id => Ok(Some(record)),
        Some(found) => Err(damaged(seq, format!("the id {id} leads to it and it is {found}"))),
        None => Err(damaged(seq, format!("the id {id} leads to it and it is a decision"))),
    }
}

/// The highest number of a decision whose key begins with `table`.
pub(crate) fn last_decision(engine: &Engine, head: Head, table: &[u8]) -> Result<Option<u64>, ReadError> {
    let from = [table, &[0xff; 8]].concat();
    let mut options = ReadOptions::default();
    options.set_iterate_lower_bound(table);
    let mode = IteratorMode::From(&from, Direction::Reverse);
    for entry in engine.db().iterator_cf_opt(engine.family(keys::DECISIONS)?, options, mode) {
        let (key, value) = entry.map_err(Fault::from)?;
        let (Some(number), Some(seq)) = (keys::number_in(table, &key), keys::parse_seq(&value)) else {
            return Err(damaged(0, "an entry of a decision has no number"));
        };
        // What is not fsynced is not there.
        if seq <= head.seq {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

/// The first decisions about a subject.
pub(crate) fn decisions_of(engine: &Engine, head: Head, subject: Uuid, limit: usize) -> Result<Vec<Record>, ReadError> {
    let mut options = ReadOptions::default();
    options.set_iterate_upper_bound(keys::subject(subject, head.seq.saturating_add(1)));
    let from = keys::subject(subject, 0);
    let mode = IteratorMode::From(&from, Direction::Forward);
    let mut found = Vec::new();
    for entry in engine.db().iterator_cf_opt(engine.family(keys::SUBJECTS)?, options, mode).take(limit) {
        let (key, _) = entry.map_err(Fault::from)?;
        let seq = keys::number_in(subject.as_bytes(), &key).ok_or_else(|| damaged(0, "a subject has no number"))?;
        match record(engine, head, seq)? {
            Some(record) if matches!(record.entry, Entry::Decision(_)) => found.push(record),
            _ => return Err(damaged(seq, format!("{subject} leads to it and it is no decision"))),
        }
    }
    Ok(found)
}

/// Everything that is held, and the number of the decision that says so.
pub(crate) fn holds(engine: &Engine) -> Result<Vec<(Subject, u64)>, ReadError> {
    let mut found = Vec::new();
    for entry in engine.db().iterator_cf(engine.family(keys::HOLDS)?, IteratorMode::Start) {
        let (key, value) = entry.map_err(Fault::from)?;
        let hold = keys::held(&key).zip(keys::parse_seq(&value));
        found.push(hold.ok_or_else(|| damaged(0, "an entry of a hold does not decode"))?);
    }
    Ok(found)
}

/// The decision that holds a subject.
pub(crate) fn hold(engine: &Engine, subject: &Subject) -> Result<Option<u64>, ReadError> {
    let found = engine.db().get_cf(engine.family(keys::HOLDS)?, keys::hold(subject)).map_err(Fault::from)?;
    found.map(|seq| keys::parse_seq(&seq).ok_or_else(|| damaged(0, "an entry of a hold does not decode"))).transpose()
}

/// The records whose former bytes are still in the files.
pub(crate) fn unreclaimed(engine: &Engine) -> Result<Option<[u64; 2]>, ReadError> {
    let found = engine.db().get_cf(engine.family(keys::META)?, keys::RECLAIM_KEY).map_err(Fault::from)?;
    found.map(|range| keys::numbers(&range).ok_or_else(|| damaged(0, "what to reclaim does not decode"))).transpose()
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

/// Up to the head.
pub(crate) fn options(head: Head) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_verify_checksums(true);
    // Read once, in order: not worth the place of the filters.
    options.fill_cache(false);
    options.set_iterate_upper_bound(head.seq.saturating_add(1).to_be_bytes());
    options
}
