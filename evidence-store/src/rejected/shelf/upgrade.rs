//! From the ring of the first release, which had entries and a row a source and nothing else, to this one: the rows
//! beside the entries are made from them. A crash in the middle begins again.

use std::collections::BTreeMap;

use bytes::Bytes;
use rocksdb::{DB, IteratorMode, WriteBatch};

use super::search::decode;
use super::{family, place};
use crate::engine::Fault;
use crate::rejected::rows::{self, Load, Peer, Row, Usage};

/// Entries of one batch.
const BATCH_ENTRIES: usize = 1000;
/// Above every key.
const END: [u8; 17] = [0xff; 17];

/// Makes what an older release did not write, once.
pub(super) fn to_current(db: &DB) -> Result<(), Fault> {
    let meta = family(db, rows::META)?;
    match db.get_cf(meta, rows::FORMAT_KEY)?.as_deref() {
        Some(rows::FORMAT) => return Ok(()),
        Some(other) => return Err(Fault(format!("the ring has format {other:?}, which this release does not know"))),
        None => {}
    }
    let mut batch = WriteBatch::default();
    for name in [rows::IDS, rows::QUEUES, rows::PEERS] {
        batch.delete_range_cf(family(db, name)?, [].as_slice(), END.as_slice());
    }
    let mut counted = Counted::default();
    for (position, entry) in (1_usize..).zip(db.iterator_cf(family(db, rows::ENTRIES)?, IteratorMode::Start)) {
        let (key, stored) = entry?;
        counted.entry(db, &mut batch, &key, Bytes::from(stored))?;
        if position.is_multiple_of(BATCH_ENTRIES) {
            db.write(std::mem::take(&mut batch))?;
        }
    }
    counted.write(db, &mut batch)?;
    batch.put_cf(meta, rows::FORMAT_KEY, rows::FORMAT);
    Ok(db.write(batch)?)
}

/// What the entries so far add up to.
#[derive(Default)]
struct Counted {
    sources: BTreeMap<String, Usage>,
    peers: BTreeMap<(String, Peer), Load>,
}

impl Counted {
    fn entry(&mut self, db: &DB, batch: &mut WriteBatch, key: &[u8], stored: Bytes) -> Result<(), Fault> {
        let read = decode(&stored).ok().zip(rows::source_of(key)).zip(rows::number_of(key));
        let Some(((rejected, source), number)) = read.filter(|((rejected, source), _)| rejected.source == *source)
        else {
            batch.delete_cf(family(db, rows::ENTRIES)?, key);
            return Ok(());
        };
        let row = Row::of(&rejected, number, rows::charge(&stored));
        let Some(named) = rows::named(source) else { return Ok(()) };
        place(db, batch, &named, rejected.id, &row)?;
        let first = Usage { first: number, ..Usage::default() };
        let usage = self.sources.entry(source.to_owned()).or_insert(first);
        usage.bytes = usage.bytes.saturating_add(row.bytes);
        usage.next = number.saturating_add(1);
        let key = (source.to_owned(), Peer::of(&rejected.peer));
        let load = self.peers.entry(key).or_insert(Load { bytes: 0, first: number });
        load.bytes = load.bytes.saturating_add(row.bytes);
        Ok(())
    }

    /// The heavy peers are noted when they next send: until then the oldest of all make room.
    fn write(&self, db: &DB, batch: &mut WriteBatch) -> Result<(), Fault> {
        for ((source, peer), load) in &self.peers {
            if let Some(named) = rows::named(source) {
                batch.put_cf(family(db, rows::PEERS)?, rows::peer(&named, *peer), load.encode());
            }
        }
        for (source, usage) in &self.sources {
            batch.put_cf(family(db, rows::USAGE)?, source, usage.encode());
        }
        Ok(())
    }
}
