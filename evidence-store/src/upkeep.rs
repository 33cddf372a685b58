//! Changes to what is stored already: prune, erase, bring back, hold, release, renew. Each is one commit of the writer
//! thread, with a decision of the log's own that says who did what and why.
//!
//! A stub stands where the delivery stood, under the same number and with the same link; the digests in it keep the
//! chain whole. What a stub says is covered by the chain as well: the decision that names it carries its digest.

use bytes::Bytes;
use uuid::Uuid;

use crate::decision::{Decision, DecisionId, LogDecision, Named};
use crate::engine::Fault;
use crate::envelope::Kind;
use crate::link::{self, Link};
use crate::merkle::Hash;
use crate::plan::{DecisionEntry, Plan};
use crate::stub::{Facts, Removed, Stub, Subject};
use crate::{keys, meta};

/// What the writer thread is to change. Whoever made it held the lock on changes, so that what it was made from is
/// still so.
pub(crate) struct Change {
    pub(crate) log_id: Uuid,
    pub(crate) facts: Facts,
    pub(crate) act: Act,
}

pub(crate) enum Act {
    /// Puts stubs in the place of deliveries. The number of the decision is filled in here.
    Remove(Removed, Vec<Removal>),
    /// Puts deliveries in the place of stubs.
    Rehydrate(Vec<Returning>),
    Hold(Subject),
    Release(Subject),
    /// The log goes on under [`Change::log_id`]; it had this id before.
    Renew(Uuid),
    /// The former bytes of these records are off the disk.
    Reclaimed(u64, u64),
    /// The tree grew.
    Seal(SealWrite),
}

/// What sealing stores; no record says so, the checkpoint itself does.
pub(crate) struct SealWrite {
    /// Roots of 256 leaves, by index.
    pub(crate) tiles: Vec<(u64, Hash)>,
    /// A checkpoint and its size.
    pub(crate) note: Option<(u64, String)>,
    /// The size of a checkpoint that goes.
    pub(crate) drop: Option<u64>,
}

/// A delivery that becomes a stub.
pub(crate) struct Removal {
    pub(crate) seq: u64,
    pub(crate) link: Link,
    pub(crate) stub: Stub,
}

/// A stub that becomes a delivery again.
pub(crate) struct Returning {
    pub(crate) seq: u64,
    pub(crate) link: Link,
    pub(crate) id: Uuid,
    pub(crate) meta: Bytes,
    pub(crate) body: Bytes,
}

impl Change {
    /// Adds the change to a batch; the number of its decision, or of the last record when it makes none.
    pub(crate) fn plan(&self, plan: &mut Plan<'_>) -> Result<u64, Fault> {
        match &self.act {
            Act::Remove(what, removals) => self.remove(plan, *what, removals),
            Act::Rehydrate(returning) => self.rehydrate(plan, returning),
            Act::Hold(subject) => {
                let seq = self.decide(plan, Decision::HOLD, self.about(subject), named(subject))?;
                plan.batch.put_cf(plan.engine.family(keys::HOLDS)?, keys::hold(subject), seq.to_be_bytes());
                Ok(seq)
            }
            Act::Release(subject) => {
                plan.batch.delete_cf(plan.engine.family(keys::HOLDS)?, keys::hold(subject));
                self.decide(plan, Decision::RELEASE, self.about(subject), named(subject))
            }
            Act::Renew(before) => {
                plan.batch.put_cf(plan.engine.family(keys::META)?, keys::LOG_ID_KEY, self.log_id.as_bytes());
                let body = LogDecision { log_id_before: Some(*before), ..self.body() };
                self.decide(plan, Decision::RENEW, body, [])
            }
            Act::Reclaimed(first, last) => {
                let facts = plan.engine.family(keys::META)?;
                // What was removed meanwhile keeps its entry.
                let pending = plan.engine.db().get_cf(facts, keys::RECLAIM_KEY)?;
                if pending.as_deref().and_then(keys::numbers) == Some([*first, *last]) {
                    plan.batch.delete_cf(facts, keys::RECLAIM_KEY);
                }
                Ok(plan.state.head.seq)
            }
            Act::Seal(write) => {
                let (tiles, notes) = (plan.engine.family(keys::TILES)?, plan.engine.family(keys::CHECKPOINTS)?);
                write.tiles.iter().for_each(|(index, root)| plan.batch.put_cf(tiles, index.to_be_bytes(), root));
                if let Some((size, note)) = &write.note {
                    plan.batch.put_cf(notes, size.to_be_bytes(), note);
                }
                if let Some(size) = write.drop {
                    plan.batch.delete_cf(notes, size.to_be_bytes());
                }
                Ok(plan.state.head.seq)
            }
        }
    }

    fn remove(&self, plan: &mut Plan<'_>, what: Removed, removals: &[Removal]) -> Result<u64, Fault> {
        let decision_seq = plan.next_seq()?;
        let (mut records, mut subjects) = (Vec::new(), Vec::new());
        for removal in removals {
            let mut stub = removal.stub.clone();
            stub.why.decision_seq = decision_seq;
            subjects.extend([stub.delivery_id].into_iter().chain(stub.event.as_ref().map(|event| event.event_id)));
            let (meta, body) = meta::of_stub(&stub);
            let stub_sha256 = Some(hex(&link::sha256(&meta)));
            records.push(Named { seq: removal.seq, delivery_id: stub.delivery_id, stub_sha256 });
            plan.put(removal.seq, Kind::Stub, &removal.link, &meta, &body)?;
        }
        let count = u64::try_from(removals.len()).unwrap_or(u64::MAX);
        plan.state.counts.deliveries = plan.state.counts.deliveries.saturating_sub(count);
        plan.state.counts.stubs = plan.state.counts.stubs.saturating_add(count);
        reclaim_later(plan, &records)?;
        let kind = match what {
            Removed::Erased => Decision::ERASE,
            Removed::Pruned => Decision::PRUNE,
        };
        self.decide(plan, kind, LogDecision { records, ..self.body() }, subjects)
    }

    fn rehydrate(&self, plan: &mut Plan<'_>, returning: &[Returning]) -> Result<u64, Fault> {
        let mut records = Vec::new();
        for back in returning {
            plan.put(back.seq, Kind::Delivery, &back.link, &back.meta, &back.body)?;
            records.push(Named { seq: back.seq, delivery_id: back.id, stub_sha256: None });
        }
        let count = u64::try_from(returning.len()).unwrap_or(u64::MAX);
        plan.state.counts.stubs = plan.state.counts.stubs.saturating_sub(count);
        plan.state.counts.deliveries = plan.state.counts.deliveries.saturating_add(count);
        let subjects: Vec<Uuid> = returning.iter().map(|back| back.id).collect();
        self.decide(plan, Decision::REHYDRATE, LogDecision { records, ..self.body() }, subjects)
    }

    fn decide(
        &self,
        plan: &mut Plan<'_>,
        kind: &str,
        body: LogDecision,
        subjects: impl IntoIterator<Item = Uuid>,
    ) -> Result<u64, Fault> {
        let fault = |error: &dyn ToString| Fault(format!("a decision of the log's own: {}", error.to_string()));
        let id = DecisionId { ledger_id: self.log_id, epoch: 0, table: DecisionId::LOG, number: plan.next_seq()? };
        let body = serde_json::to_vec(&body).map_err(|error| fault(&error))?.into();
        let decision = Decision { id, at_us: self.facts.at_us, event_id: None, kind: kind.to_owned(), body };
        let entry = DecisionEntry::new(decision, subjects).map_err(|error| fault(&error))?;
        plan.decision(&entry)
    }

    fn about(&self, subject: &Subject) -> LogDecision {
        LogDecision { subject: Some(subject.to_string()), ..self.body() }
    }

    fn body(&self) -> LogDecision {
        LogDecision {
            by: self.facts.by.clone(),
            reason: self.facts.reason.clone(),
            records: Vec::new(),
            subject: None,
            log_id_before: None,
        }
    }
}

fn named(subject: &Subject) -> Option<Uuid> {
    match subject {
        Subject::Delivery(id) | Subject::Event(id) => Some(*id),
        Subject::Source(_) => None,
    }
}

/// Notes, in the batch that removes them, that the former bytes of the records are still in the files.
fn reclaim_later(plan: &mut Plan<'_>, records: &[Named]) -> Result<(), Fault> {
    let facts = plan.engine.family(keys::META)?;
    let pending = plan.engine.db().get_cf(facts, keys::RECLAIM_KEY)?;
    let pending: Option<[u64; 2]> = pending.as_deref().and_then(keys::numbers);
    let all = || records.iter().map(|record| record.seq).chain(pending.into_iter().flatten());
    if let (Some(first), Some(last)) = (all().min(), all().max()) {
        plan.batch.put_cf(facts, keys::RECLAIM_KEY, [first, last].map(u64::to_be_bytes).concat());
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
