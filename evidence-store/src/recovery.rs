//! Opening: what is there is believed only as far as it proves itself.
//!
//! Never repairs and never drops a record: the one thing let go is a torn end of the write-ahead log that no fsync
//! covered, by RocksDB where it ends early, by [`torn`] where pages of it are missing. Work is bounded whatever the size of the log: the families, the facts about the log, and
//! its last [`TAIL_RECORDS_MAX`] records. The rest is verified as it is read.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use rocksdb::{ErrorKind, IteratorMode, WriteBatch};
use uuid::Uuid;

use crate::check;
use crate::delivery::{Counts, Entry, Head};
use crate::engine::{Engine, Fault, is_damage};
use crate::error::{OpenError, ReadError};
use crate::folder;
use crate::holder::Holder;
use crate::keys;
use crate::link::GENESIS;
use crate::plan::State;
use crate::reader::engine_error;
use crate::torn;

/// The log's database inside its folder.
pub(crate) const LOG_FOLDER: &str = "log";
/// RocksDB's file that names the manifest; the last one that a new log gets.
const CURRENT: &str = "CURRENT";
/// Records verified from the end.
const TAIL_RECORDS_MAX: usize = 64;
/// Stored bytes read for that, beyond the last record.
const TAIL_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A log that proved itself.
pub(crate) struct Opened {
    pub(crate) engine: Engine,
    pub(crate) log_id: Uuid,
    pub(crate) state: State,
}

/// Opens the log in `place`, or makes a new one.
pub(crate) fn open(place: &Path) -> Result<Opened, OpenError> {
    let path = place.join(LOG_FOLDER);
    let io = |source: std::io::Error| OpenError::Io { path: path.clone(), source };
    if !path.join(CURRENT).try_exists().map_err(io)? {
        folder::make_durable(&path).map_err(io)?;
    }
    let holder = Holder::take(place)?;
    let fate = before(&path)?;
    if fate == Fate::Existing {
        let damaged = |damage: torn::Damage| OpenError::Damaged { path: path.clone(), what: damage.0 };
        torn::look(&path, place).map_err(io)?.map_err(damaged)?;
    }
    let engine = Engine::open(&path, holder).map_err(|error| refused(&path, fate, error))?;
    let (log_id, format) = identify(&engine, &path)?;
    let head = tail(&engine).map_err(|error| unread(&path, error))?;
    let counts = match format {
        keys::FORMAT_OF_DELIVERIES => migrate(&engine, head).map_err(|fault| unread(&path, fault.into()))?,
        _ => counted(&engine, head).map_err(|error| unread(&path, error))?,
    };
    tracing::info!(path = %place.display(), %log_id, seq = head.seq, "opened the evidence log");
    Ok(Opened { engine, log_id, state: State { head, counts } })
}

/// Turns a log of format 1 into one of format 2, in one synced write: the families were made with the opening, and all
/// of its records are deliveries. A crash before it leaves a log of format 1 with empty families, which is opened the
/// same way.
fn migrate(engine: &Engine, head: Head) -> Result<Counts, Fault> {
    let counts = Counts { deliveries: head.seq, ..Counts::default() };
    let facts = engine.family(keys::META)?;
    let mut batch = WriteBatch::default();
    batch.put_cf(facts, keys::FORMAT_KEY, [keys::FORMAT]);
    batch.put_cf(facts, keys::COUNTS_KEY, counts.encode());
    engine.write_synced(batch)?;
    tracing::info!(from = keys::FORMAT_OF_DELIVERIES, to = keys::FORMAT, "the evidence log has a new format");
    Ok(counts)
}

/// The counts are written with the records that they count: others are damage.
fn counted(engine: &Engine, head: Head) -> Result<Counts, ReadError> {
    let found = engine.db().get_cf(engine.family(keys::META)?, keys::COUNTS_KEY).map_err(Fault::from)?;
    let counts = found.as_deref().and_then(Counts::decode);
    counts
        .filter(|counts| counts.total() == Some(head.seq))
        .ok_or_else(|| check::damaged(head.seq, "the counts of the records do not add up to its number"))
}

/// Whether a log was there before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Existing,
    New,
}

/// Looks before RocksDB may write. Without its file `CURRENT` it would start an empty log over the old one's files, and
/// without any write-ahead log it would open and know nothing of what was in there.
fn before(path: &Path) -> Result<Fate, OpenError> {
    let io = |source: std::io::Error| OpenError::Io { path: path.to_owned(), source };
    let mut written: Option<String> = None;
    for entry in fs::read_dir(path).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        let extension = Path::new(&name).extension().and_then(|extension| extension.to_str());
        if matches!(extension, Some("sst" | "blob" | "log")) {
            written = Some(Path::new(&name).display().to_string());
        }
    }
    let damaged = |what: String| OpenError::Damaged { path: path.to_owned(), what };
    let current = path.join(CURRENT).try_exists().map_err(io)?;
    match written {
        None if !current => return Ok(Fate::New),
        Some(file) if !current => return Err(damaged(format!("{file} is there and the file CURRENT is not"))),
        Some(file) if torn::write_ahead_logs(path).map_err(io)?.is_empty() => {
            return Err(damaged(format!("{file} is there and no write-ahead log is")));
        }
        _ => {}
    }
    let families = Engine::families(path).map_err(|error| refused(path, Fate::Existing, error))?;
    match families.into_iter().find(|name| !keys::FAMILIES.contains(&name.as_str())) {
        None => Ok(Fate::Existing),
        Some(name) => Err(OpenError::Newer { path: path.to_owned(), what: format!("column family {name}") }),
    }
}

fn refused(path: &Path, fate: Fate, error: rocksdb::Error) -> OpenError {
    let kind = error.kind();
    let damage = is_damage(&error);
    let what = error.into_string();
    // A lock that only RocksDB knows, for example of its command line tool. Its binding has no kind for it.
    if kind == ErrorKind::IOError && (what.contains("lock hold by current process") || what.contains("While lock file"))
    {
        return OpenError::Locked { path: path.to_owned(), holder: None };
    }
    // In a new folder nothing can be lost yet.
    if kind == ErrorKind::IOError && !(damage && fate == Fate::Existing) {
        return OpenError::Io { path: path.to_owned(), source: std::io::Error::other(what) };
    }
    OpenError::Damaged { path: path.to_owned(), what }
}

fn unread(path: &Path, error: ReadError) -> OpenError {
    let path = path.to_owned();
    match error {
        ReadError::Damaged { seq, what } => OpenError::Damaged { path, what: format!("record {seq}: {what}") },
        ReadError::Newer { seq, what } => OpenError::Newer { path, what: format!("record {seq}: {what}") },
        // An index that RocksDB cannot read; a fault keeps only the text.
        ReadError::Engine(what) if what.starts_with("Corruption") => OpenError::Damaged { path, what },
        ReadError::Engine(what) => OpenError::Io { path, source: std::io::Error::other(what) },
    }
}

/// The id and the format of the log; a new log gets them, durable before anything else is written.
fn identify(engine: &Engine, path: &Path) -> Result<(Uuid, u8), OpenError> {
    let damaged = |what: &str| OpenError::Damaged { path: path.to_owned(), what: what.to_owned() };
    let engine_error = |fault: Fault| unread(path, fault.into());
    let facts = engine.family(keys::META).map_err(engine_error)?;
    let get = |key| engine.db().get_cf(facts, key).map_err(|error| refused(path, Fate::Existing, error));
    match (get(keys::FORMAT_KEY)?.as_deref(), get(keys::LOG_ID_KEY)?) {
        (Some([format @ (keys::FORMAT_OF_DELIVERIES | keys::FORMAT)]), Some(id)) => {
            Ok((Uuid::from_slice(&id).map_err(|_| damaged("the id of the log is no UUID"))?, *format))
        }
        (Some([format]), _) if keys::FORMAT < *format => {
            Err(OpenError::Newer { path: path.to_owned(), what: format!("format {format}") })
        }
        (None, None) if last(engine).map_err(|error| unread(path, error))?.is_none() => {
            let log_id = Uuid::now_v7();
            let mut batch = WriteBatch::default();
            batch.put_cf(facts, keys::FORMAT_KEY, [keys::FORMAT]);
            batch.put_cf(facts, keys::LOG_ID_KEY, log_id.as_bytes());
            batch.put_cf(facts, keys::COUNTS_KEY, Counts::default().encode());
            engine.write_synced(batch).map_err(engine_error)?;
            Ok((log_id, keys::FORMAT))
        }
        _ => Err(damaged("there are records, and the format or the id of the log is missing")),
    }
}

fn last(engine: &Engine) -> Result<Option<(u64, Bytes)>, ReadError> {
    backwards(engine)?.next().transpose()
}

/// The records from the last one backwards.
fn backwards(engine: &Engine) -> Result<impl Iterator<Item = Result<(u64, Bytes), ReadError>>, ReadError> {
    let entries = engine.db().iterator_cf(engine.family(keys::RECORDS)?, IteratorMode::End);
    Ok(entries.map(|entry| {
        let (key, value) = entry.map_err(|error| engine_error(0, error))?;
        let seq = keys::parse_seq(&key).filter(|seq| *seq != 0);
        Ok((seq.ok_or_else(|| check::damaged(0, "a record has no number"))?, Bytes::from(value)))
    }))
}

/// Verifies the end of the log and answers its head.
fn tail(engine: &Engine) -> Result<Head, ReadError> {
    let records = tail_records(engine)?;
    let mut head = Head { seq: 0, link: GENESIS };
    for (position, (seq, stored)) in records.iter().rev().enumerate() {
        if position == 0 && *seq != 1 {
            head = Head { seq: *seq, link: check::link_of(*seq, stored)? };
            continue;
        }
        let record = check::record(*seq, &head.link, stored)?;
        match &record.entry {
            Entry::Delivery(delivery) => indexed(engine, *seq, keys::IDS, delivery.id.as_bytes())?,
            Entry::Stub(stub) => indexed(engine, *seq, keys::IDS, stub.delivery_id.as_bytes())?,
            Entry::Decision(decision) => indexed(engine, *seq, keys::DECISIONS, &keys::decision(&decision.id))?,
        }
        head = Head { seq: *seq, link: record.link };
    }
    Ok(head)
}

/// The last records, the last one first, without gaps; one more than is verified, because the chain needs the link
/// before the first.
fn tail_records(engine: &Engine) -> Result<Vec<(u64, Bytes)>, ReadError> {
    let mut records: Vec<(u64, Bytes)> = Vec::new();
    let mut room = TAIL_BYTES_MAX;
    for entry in backwards(engine)? {
        let (seq, stored) = entry?;
        if let Some((after, _)) = records.last()
            && seq.checked_add(1) != Some(*after)
        {
            return Err(check::damaged(after.saturating_sub(1), "it is missing"));
        }
        let enough = TAIL_RECORDS_MAX < records.len() || room < stored.len();
        room = room.saturating_sub(stored.len());
        records.push((seq, stored));
        if enough && 1 < records.len() {
            return Ok(records);
        }
    }
    match records.last() {
        Some((first, _)) if *first != 1 => Err(check::damaged(first.saturating_sub(1), "it is missing")),
        _ => Ok(records),
    }
}

/// A record and its entry by id were written in one batch: one without the other is damage.
fn indexed(engine: &Engine, seq: u64, family: &str, id: &[u8]) -> Result<(), ReadError> {
    let found = engine.db().get_cf(engine.family(family)?, id).map_err(Fault::from)?;
    if found.as_deref().and_then(keys::parse_seq) == Some(seq) {
        Ok(())
    } else {
        Err(check::damaged(seq, "its id does not lead to it"))
    }
}

#[cfg(test)]
mod tests;
