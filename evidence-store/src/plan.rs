//! What one commit will write: numbers, links, copies. Reads the counts of copies, writes nothing.

use std::collections::HashMap;

use rocksdb::WriteBatch;
use uuid::Uuid;

use crate::delivery::{Head, Receipt, Stored};
use crate::engine::{Engine, Fault};
use crate::envelope::{self, Kind};
use crate::keys::{self, Copies};
use crate::link;

/// A delivery on its way to the log; whatever could be computed outside the writer thread was.
pub(crate) struct Entry {
    pub(crate) id: Uuid,
    pub(crate) body_key: Vec<u8>,
    pub(crate) body_sha256: [u8; 32],
    pub(crate) meta: Vec<u8>,
    pub(crate) meta_sha256: [u8; 32],
    pub(crate) body: bytes::Bytes,
}

impl Entry {
    /// What it adds to a batch, about.
    pub(crate) fn size_bytes(&self) -> usize {
        self.meta.len().saturating_add(self.body.len())
    }
}

/// A batch, and what is true once it is fsynced.
pub(crate) struct Plan {
    pub(crate) batch: WriteBatch,
    /// One per entry, in order.
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) head: Head,
    /// Records in the batch; without any there is nothing to commit.
    pub(crate) new: usize,
}

/// Plans a batch that follows `head`.
pub(crate) fn plan<'a>(
    engine: &Engine,
    entries: impl Iterator<Item = &'a Entry> + Clone,
    head: Head,
    repeats_max: u32,
) -> Result<Plan, Fault> {
    let mut copies = counted(engine, entries.clone())?;
    let (records, ids) = (engine.family(keys::RECORDS)?, engine.family(keys::IDS)?);
    let mut plan = Plan { batch: WriteBatch::default(), receipts: Vec::new(), head, new: 0 };
    let mut stored = Vec::new();
    for entry in entries {
        let slot = copies.entry(&entry.body_key).or_default();
        if let Some(last) = slot.copies.filter(|last| repeats_max <= last.count) {
            plan.receipts.push(Receipt { delivery_id: last.last_id, seq: last.last_seq, stored: Stored::Repeat });
            continue;
        }
        let seq = plan.head.seq.checked_add(1).ok_or_else(|| Fault("the numbers are used up".to_owned()))?;
        let link = link::next(&plan.head.link, &entry.meta_sha256, &entry.body_sha256);
        envelope::encode(&mut stored, Kind::Delivery, &link, &entry.meta, &entry.body)
            .map_err(|too_large| Fault(format!("a record of {} bytes got past the check", too_large.0)))?;
        plan.batch.put_cf(records, seq.to_be_bytes(), &stored);
        plan.batch.put_cf(ids, entry.id.as_bytes(), seq.to_be_bytes());
        let count = slot.copies.map_or(0, |last| last.count).saturating_add(1);
        *slot = Slot { copies: Some(Copies { count, last_seq: seq, last_id: entry.id }), changed: Changed::Yes };
        plan.receipts.push(Receipt { delivery_id: entry.id, seq, stored: Stored::New });
        plan.head = Head { seq, link };
        plan.new = plan.new.saturating_add(1);
    }
    let bodies = engine.family(keys::BODIES)?;
    for (key, slot) in copies {
        if let (Some(copies), Changed::Yes) = (slot.copies, slot.changed) {
            plan.batch.put_cf(bodies, key, copies.encode());
        }
    }
    Ok(plan)
}

/// The copies of one body, in the log and in the batch so far.
#[derive(Default)]
struct Slot {
    copies: Option<Copies>,
    changed: Changed,
}

#[derive(Default)]
enum Changed {
    #[default]
    No,
    Yes,
}

fn counted<'a>(engine: &Engine, entries: impl Iterator<Item = &'a Entry>) -> Result<HashMap<&'a Vec<u8>, Slot>, Fault> {
    let mut copies: HashMap<&Vec<u8>, Slot> = HashMap::new();
    for entry in entries {
        copies.entry(&entry.body_key).or_default();
    }
    let keys: Vec<&Vec<u8>> = copies.keys().copied().collect();
    let found = engine.db().batched_multi_get_cf(engine.family(keys::BODIES)?, keys.iter().copied(), false);
    for (key, value) in keys.into_iter().zip(found) {
        if let Some(value) = value? {
            let known = Copies::decode(&value).ok_or_else(|| Fault("a count of copies does not decode".to_owned()))?;
            copies.insert(key, Slot { copies: Some(known), changed: Changed::No });
        }
    }
    Ok(copies)
}

#[cfg(test)]
mod tests;
