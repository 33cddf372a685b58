//! What one commit will write: numbers, links, indexes, counts. Reads what is stored, writes nothing.

use std::collections::HashMap;

use bytes::Bytes;
use rocksdb::WriteBatch;
use uuid::Uuid;

use crate::decision::Decision;
use crate::delivery::{Counts, Delivery, Head, Receipt, Stored};
use crate::engine::{Engine, Fault};
use crate::envelope::{self, Kind, PAYLOAD_BYTES_MAX};
use crate::error::AppendError;
use crate::keys::{self, Copies};
use crate::{link, meta};

/// The two parts of a record on its way to the log, with their digests.
pub(crate) struct Parts {
    pub(crate) meta: Vec<u8>,
    pub(crate) meta_sha256: [u8; 32],
    pub(crate) body: Bytes,
    pub(crate) body_sha256: [u8; 32],
}

impl Parts {
    fn new(meta: Vec<u8>, body: Bytes, body_sha256: [u8; 32]) -> Result<Self, AppendError> {
        let parts = Self { meta_sha256: link::sha256(&meta), meta, body, body_sha256 };
        let bytes = parts.size_bytes();
        if PAYLOAD_BYTES_MAX < bytes {
            return Err(AppendError::TooLarge { bytes, limit: PAYLOAD_BYTES_MAX });
        }
        Ok(parts)
    }

    /// What it adds to a batch, about.
    pub(crate) fn size_bytes(&self) -> usize {
        self.meta.len().saturating_add(self.body.len())
    }
}

/// A delivery for the log; whatever could be computed outside the writer thread was.
pub(crate) struct DeliveryEntry {
    pub(crate) id: Uuid,
    pub(crate) body_key: Vec<u8>,
    pub(crate) parts: Parts,
}

impl DeliveryEntry {
    pub(crate) fn new(delivery: Delivery, apart: Option<&[u8]>) -> Result<Self, AppendError> {
        debug_assert_eq!(link::sha256(&delivery.body), delivery.body_sha256, "the caller's digest is not of this body");
        let (id, body_sha256) = (delivery.id, delivery.body_sha256);
        let body_key = keys::body(&delivery.source, &body_sha256, apart);
        let (meta, body) = meta::of_delivery(delivery);
        Ok(Self { id, body_key, parts: Parts::new(meta, body, body_sha256)? })
    }
}

/// A decision for the log.
pub(crate) struct DecisionEntry {
    pub(crate) key: Vec<u8>,
    /// What it is about: each finds it in the family `subjects`.
    pub(crate) subjects: Vec<Uuid>,
    pub(crate) parts: Parts,
}

impl DecisionEntry {
    /// `more` are what it is about beside its event.
    pub(crate) fn new(decision: Decision, more: impl IntoIterator<Item = Uuid>) -> Result<Self, AppendError> {
        let key = keys::decision(&decision.id);
        let mut subjects: Vec<Uuid> = decision.event_id.into_iter().chain(more).collect();
        subjects.sort_unstable();
        subjects.dedup();
        let (meta, body) = meta::of_decision(decision);
        let body_sha256 = link::sha256(&body);
        Ok(Self { key, subjects, parts: Parts::new(meta, body, body_sha256)? })
    }
}

/// Where the log ends and what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) head: Head,
    pub(crate) counts: Counts,
}

/// A batch, and what is true once it is fsynced.
pub(crate) struct Plan<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) batch: WriteBatch,
    pub(crate) state: State,
    /// Deliveries in the batch.
    pub(crate) deliveries: usize,
    repeats_max: u32,
    copies: HashMap<&'a [u8], Slot>,
    decisions: HashMap<Vec<u8>, u64>,
    stored: Vec<u8>,
}

impl<'a> Plan<'a> {
    /// Begins a batch that follows `state` and may store these deliveries.
    pub(crate) fn begin(
        engine: &'a Engine,
        state: State,
        repeats_max: u32,
        deliveries: impl Iterator<Item = &'a DeliveryEntry>,
    ) -> Result<Self, Fault> {
        Ok(Self {
            engine,
            batch: WriteBatch::default(),
            state,
            deliveries: 0,
            repeats_max,
            copies: counted(engine, deliveries)?,
            decisions: HashMap::new(),
            stored: Vec::new(),
        })
    }

    /// Adds a delivery, unless its source has enough copies of its body.
    pub(crate) fn delivery(&mut self, entry: &'a DeliveryEntry) -> Result<Receipt, Fault> {
        let known = self.copies.get(entry.body_key.as_slice()).and_then(|slot| slot.copies);
        if let Some(last) = known.filter(|last| self.repeats_max <= last.count) {
            return Ok(Receipt { delivery_id: last.last_id, seq: last.last_seq, stored: Stored::Repeat });
        }
        let seq = self.record(Kind::Delivery, &entry.parts)?;
        self.batch.put_cf(self.engine.family(keys::IDS)?, entry.id.as_bytes(), seq.to_be_bytes());
        let count = known.map_or(0, |last| last.count).saturating_add(1);
        let copies = Some(Copies { count, last_seq: seq, last_id: entry.id });
        self.copies.insert(&entry.body_key, Slot { copies, changed: Changed::Yes });
        self.state.counts.deliveries = self.state.counts.deliveries.saturating_add(1);
        self.deliveries = self.deliveries.saturating_add(1);
        Ok(Receipt { delivery_id: entry.id, seq, stored: Stored::New })
    }

    /// Adds a decision, unless the log has it; answers its number.
    pub(crate) fn decision(&mut self, entry: &DecisionEntry) -> Result<u64, Fault> {
        if let Some(seq) = self.decisions.get(&entry.key) {
            return Ok(*seq);
        }
        let decisions = self.engine.family(keys::DECISIONS)?;
        if let Some(known) = self.engine.db().get_pinned_cf(decisions, &entry.key)? {
            return keys::parse_seq(&known).ok_or_else(|| Fault("an entry of a decision has no number".to_owned()));
        }
        let seq = self.record(Kind::Decision, &entry.parts)?;
        self.batch.put_cf(decisions, &entry.key, seq.to_be_bytes());
        for subject in &entry.subjects {
            self.batch.put_cf(self.engine.family(keys::SUBJECTS)?, keys::subject(*subject, seq), []);
        }
        self.decisions.insert(entry.key.clone(), seq);
        self.state.counts.decisions = self.state.counts.decisions.saturating_add(1);
        Ok(seq)
    }

    /// The number that the next record gets.
    pub(crate) fn next_seq(&self) -> Result<u64, Fault> {
        self.state.head.seq.checked_add(1).ok_or_else(|| Fault("the numbers are used up".to_owned()))
    }

    /// Adds a record to the end.
    fn record(&mut self, kind: Kind, parts: &Parts) -> Result<u64, Fault> {
        let seq = self.next_seq()?;
        let link = link::next(&self.state.head.link, &parts.meta_sha256, &parts.body_sha256);
        self.put(seq, kind, &link, &parts.meta, &parts.body)?;
        self.state.head = Head { seq, link };
        Ok(seq)
    }

    /// Writes what stands at a number.
    pub(crate) fn put(&mut self, seq: u64, kind: Kind, link: &[u8; 32], meta: &[u8], body: &[u8]) -> Result<(), Fault> {
        envelope::encode(&mut self.stored, kind, link, meta, body)
            .map_err(|too_large| Fault(format!("a record of {} bytes got past the check", too_large.0)))?;
        self.batch.put_cf(self.engine.family(keys::RECORDS)?, seq.to_be_bytes(), &self.stored);
        Ok(())
    }

    /// The batch, and what it leads to. An empty batch needs no commit.
    pub(crate) fn finish(mut self) -> Result<(WriteBatch, State), Fault> {
        let bodies = self.engine.family(keys::BODIES)?;
        for (key, slot) in self.copies {
            if let (Some(copies), Changed::Yes) = (slot.copies, slot.changed) {
                self.batch.put_cf(bodies, key, copies.encode());
            }
        }
        if !self.batch.is_empty() {
            self.batch.put_cf(self.engine.family(keys::META)?, keys::COUNTS_KEY, self.state.counts.encode());
        }
        Ok((self.batch, self.state))
    }
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

fn counted<'a>(
    engine: &Engine,
    deliveries: impl Iterator<Item = &'a DeliveryEntry>,
) -> Result<HashMap<&'a [u8], Slot>, Fault> {
    let mut copies: HashMap<&[u8], Slot> = HashMap::new();
    for entry in deliveries {
        copies.entry(&entry.body_key).or_default();
    }
    let keys: Vec<&[u8]> = copies.keys().copied().collect();
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
