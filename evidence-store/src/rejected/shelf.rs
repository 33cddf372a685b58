//! Where rejected requests lie: numbered entries a source, and what has to go when its bytes run out.
//!
//! A source's bytes are its own, and inside a source a peer holds at most half of them. When the source is full, the
//! peer that holds most gives up its oldest entry, as long as it holds more than a sixty-fourth; only when nobody
//! does, which takes 64 peers, the oldest of all goes. So one peer, or a few dozen, never push out what another sent.
//!
//! Nothing is counted in memory but one row a source: whatever else is needed lies beside the entries and is written
//! with them, in one batch, so a start scans nothing and a flood of peers costs what it may store and no more.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rocksdb::{
    ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode, Direction, IteratorMode, LogLevel,
    Options, ReadOptions, WriteBatch,
};
use uuid::Uuid;

use super::rows::{self, Load, Peer, Queue, Row, Usage};
use crate::delivery::NewRejected;
use crate::engine::Fault;
use crate::envelope::{self, Kind};
use crate::link::GENESIS;
use crate::meta;

mod search;
mod upgrade;

const MEMTABLE_BYTES: usize = 4 * 1024 * 1024;
const MEMTABLES_BYTES: usize = 12 * 1024 * 1024;
const WAL_BYTES_MAX: u64 = 16 * 1024 * 1024;
const OPEN_FILES_MAX: i32 = 64;
const TEXT_LOG_BYTES_MAX: usize = 1024 * 1024;
const TEXT_LOGS_MAX: usize = 2;

/// The part of a source's bytes that one peer may hold.
const PEER_SHARE: u64 = 2;
/// A peer that holds more than this part of a source's bytes makes room for others.
const HEAVY_SHARE: u64 = 64;

/// Whether an entry was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    Yes,
    /// Larger than all that its peer may hold.
    TooLarge,
}

/// The database of the ring.
pub(super) struct Shelf {
    db: DB,
    source_bytes_max: u64,
    usage: Mutex<BTreeMap<String, Usage>>,
}

impl Shelf {
    pub(super) fn open(path: &Path, source_bytes_max: u64) -> Result<Self, Fault> {
        let families = rows::FAMILIES.map(|name| ColumnFamilyDescriptor::new(name, settings()));
        let db = DB::open_cf_descriptors(&settings(), path, families)?;
        upgrade::to_current(&db)?;
        let mut usage = BTreeMap::new();
        for row in db.iterator_cf(family(&db, rows::USAGE)?, IteratorMode::Start) {
            let (source, value) = row?;
            let source = String::from_utf8(source.into_vec()).map_err(|error| Fault(error.to_string()))?;
            usage.insert(source, Usage::decode(&value).ok_or_else(|| Fault("a usage does not decode".to_owned()))?);
        }
        Ok(Self { db, source_bytes_max, usage: Mutex::new(usage) })
    }

    /// Keeps an entry; others make room as described above.
    pub(super) fn keep(&self, rejected: NewRejected) -> Result<Kept, Fault> {
        let (source, id, peer) = (rejected.source.clone(), rejected.id, Peer::of(&rejected.peer));
        let mut row = Row::of(&rejected, 0, 0);
        let (meta, body) = meta::of_rejected(rejected);
        let mut stored = Vec::new();
        if envelope::encode(&mut stored, Kind::Rejected, &GENESIS, &meta, &body).is_err() {
            return Ok(Kept::TooLarge);
        }
        row.bytes = rows::charge(&stored);
        let Some(named) = rows::named(&source).filter(|_| row.bytes <= self.peer_bytes_max()) else {
            return Ok(Kept::TooLarge);
        };
        let mut all = self.locked();
        let mut usage = all.get(&source).cloned().unwrap_or_default();
        while let Some(queue) = self.crowded(&named, &usage, peer, row.bytes)? {
            self.evict(&source, &named, &mut usage, queue)?;
            all.insert(source.clone(), usage.clone());
        }
        row.number = usage.next;
        let mut load = self.load(&named, peer)?.unwrap_or(Load { bytes: 0, first: usage.next });
        load.bytes = load.bytes.saturating_add(row.bytes);
        usage.bytes = usage.bytes.saturating_add(row.bytes);
        usage.next = usage.next.saturating_add(1);
        usage.weigh(peer, load.bytes, self.heavy_bytes());
        let mut batch = WriteBatch::default();
        place(&self.db, &mut batch, &named, id, &row)?;
        batch.put_cf(family(&self.db, rows::ENTRIES)?, rows::numbered(&named, row.number), &stored);
        batch.put_cf(family(&self.db, rows::PEERS)?, rows::peer(&named, peer), load.encode());
        batch.put_cf(family(&self.db, rows::USAGE)?, &source, usage.encode());
        self.db.write(batch)?;
        all.insert(source, usage);
        Ok(Kept::Yes)
    }

    /// Notes what an entry was admitted as; false when it is gone.
    pub(super) fn admitted(&self, id: Uuid, delivery: Uuid) -> Result<bool, Fault> {
        // Locked, so that it is not evicted meanwhile.
        let _all = self.locked();
        let Some(row) = self.row(id)? else { return Ok(false) };
        let row = prost::Message::encode_to_vec(&row.admitted(delivery));
        self.db.put_cf(family(&self.db, rows::IDS)?, id.as_bytes(), row)?;
        Ok(true)
    }

    #[cfg(test)]
    pub(super) const fn db(&self) -> &DB {
        &self.db
    }

    #[cfg(test)]
    pub(super) fn family(&self, name: &str) -> &ColumnFamily {
        self.db.cf_handle(name).expect("a family")
    }

    const fn peer_bytes_max(&self) -> u64 {
        self.source_bytes_max / PEER_SHARE
    }

    const fn heavy_bytes(&self) -> u64 {
        self.source_bytes_max / HEAVY_SHARE
    }

    pub(super) fn locked(&self) -> MutexGuard<'_, BTreeMap<String, Usage>> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where an entry has to go before one of `bytes` from `peer` fits.
    fn crowded(&self, named: &[u8], usage: &Usage, peer: Peer, bytes: u64) -> Result<Option<Queue>, Fault> {
        let held = self.load(named, peer)?.map_or(0, |load| load.bytes);
        if self.peer_bytes_max() < held.saturating_add(bytes) {
            return Ok(Some(Queue::Peer(peer)));
        }
        if usage.bytes.saturating_add(bytes) <= self.source_bytes_max {
            return Ok(None);
        }
        Ok(Some(usage.heaviest().map_or(Queue::Source, Queue::Peer)))
    }

    /// Takes the oldest entry of a queue away. An empty queue is counted as empty, whatever its rows said before:
    /// damage to the write-ahead log can part them.
    fn evict(&self, source: &str, named: &[u8], usage: &mut Usage, queue: Queue) -> Result<(), Fault> {
        let (peers, queues) = (family(&self.db, rows::PEERS)?, family(&self.db, rows::QUEUES)?);
        let mut batch = WriteBatch::default();
        match self.oldest(named, usage, queue)? {
            Some((number, id)) => {
                let row = self.row(id)?.filter(|row| row.source == source && row.number == number);
                let bytes = row.as_ref().map_or(0, |row| row.bytes);
                usage.bytes = usage.bytes.saturating_sub(bytes);
                batch.delete_cf(family(&self.db, rows::ENTRIES)?, rows::numbered(named, number));
                batch.delete_cf(queues, rows::numbered(&rows::queue(named, Queue::Source), number));
                if row.is_some() {
                    batch.delete_cf(family(&self.db, rows::IDS)?, id.as_bytes());
                }
                let known = row.map(|row| Queue::Peer(Peer::of(&row.peer))).unwrap_or(queue);
                if let Queue::Peer(peer) = known {
                    batch.delete_cf(queues, rows::numbered(&rows::queue(named, known), number));
                    let mut load = self.load(named, peer)?.unwrap_or(Load { bytes: 0, first: number });
                    load.bytes = load.bytes.saturating_sub(bytes);
                    load.first = load.first.max(number.saturating_add(1));
                    usage.weigh(peer, load.bytes, self.heavy_bytes());
                    match load.bytes {
                        0 => batch.delete_cf(peers, rows::peer(named, peer)),
                        _ => batch.put_cf(peers, rows::peer(named, peer), load.encode()),
                    }
                }
                if queue == Queue::Source {
                    usage.first = number.saturating_add(1);
                }
            }
            None => match queue {
                Queue::Source => {
                    let entries = family(&self.db, rows::ENTRIES)?;
                    batch.delete_range_cf(entries, rows::numbered(named, 0), rows::numbered(named, usage.next));
                    (usage.bytes, usage.first, usage.heavy) = (0, usage.next, BTreeMap::new());
                }
                Queue::Peer(peer) => {
                    let held = self.load(named, peer)?.map_or(0, |load| load.bytes);
                    usage.bytes = usage.bytes.saturating_sub(held);
                    usage.heavy.remove(&peer);
                    batch.delete_cf(peers, rows::peer(named, peer));
                }
            },
        }
        batch.put_cf(family(&self.db, rows::USAGE)?, source, usage.encode());
        Ok(self.db.write(batch)?)
    }

    /// Number and id of the oldest entry of a queue.
    fn oldest(&self, named: &[u8], usage: &Usage, queue: Queue) -> Result<Option<(u64, Uuid)>, Fault> {
        let first = match queue {
            Queue::Source => usage.first,
            Queue::Peer(peer) => self.load(named, peer)?.map_or(usage.first, |load| load.first),
        };
        let prefix = rows::queue(named, queue);
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(rows::numbered(&prefix, usage.next));
        let from = rows::numbered(&prefix, first);
        let mode = IteratorMode::From(&from, Direction::Forward);
        let Some(place) = self.db.iterator_cf_opt(family(&self.db, rows::QUEUES)?, options, mode).next() else {
            return Ok(None);
        };
        let (key, id) = place?;
        let id = Uuid::from_slice(&id).map_err(|error| Fault(error.to_string()))?;
        Ok(rows::number_of(&key).map(|number| (number, id)))
    }

    fn load(&self, named: &[u8], peer: Peer) -> Result<Option<Load>, Fault> {
        let found = self.db.get_cf(family(&self.db, rows::PEERS)?, rows::peer(named, peer))?;
        // One that does not decode is counted anew.
        Ok(found.and_then(|row| Load::decode(&row)))
    }

    fn row(&self, id: Uuid) -> Result<Option<Row>, Fault> {
        self.db.get_cf(family(&self.db, rows::IDS)?, id.as_bytes())?.map(|row| Row::read(&row)).transpose()
    }
}

/// Puts the rows that lead to an entry.
fn place(db: &DB, batch: &mut WriteBatch, named: &[u8], id: Uuid, row: &Row) -> Result<(), Fault> {
    let queues = family(db, rows::QUEUES)?;
    for queue in [Queue::Source, Queue::Peer(Peer::of(&row.peer))] {
        batch.put_cf(queues, rows::numbered(&rows::queue(named, queue), row.number), id.as_bytes());
    }
    batch.put_cf(family(db, rows::IDS)?, id.as_bytes(), prost::Message::encode_to_vec(row));
    Ok(())
}

/// Removes the database.
pub(super) fn destroy(path: &Path) -> Result<(), Fault> {
    Ok(DB::destroy(&settings(), path)?)
}

fn family<'a>(db: &'a DB, name: &str) -> Result<&'a ColumnFamily, Fault> {
    db.cf_handle(name).ok_or_else(|| Fault(format!("the column family {name} is gone")))
}

fn settings() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    // Unsynced, so its end may be torn anywhere; what can be read is kept.
    options.set_wal_recovery_mode(DBRecoveryMode::SkipAnyCorruptedRecord);
    options.set_write_buffer_size(MEMTABLE_BYTES);
    options.set_db_write_buffer_size(MEMTABLES_BYTES);
    options.set_max_total_wal_size(WAL_BYTES_MAX);
    options.set_max_open_files(OPEN_FILES_MAX);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_stats_dump_period_sec(0);
    options.set_log_level(LogLevel::Warn);
    options.set_max_log_file_size(TEXT_LOG_BYTES_MAX);
    options.set_keep_log_file_num(TEXT_LOGS_MAX);
    options
}
