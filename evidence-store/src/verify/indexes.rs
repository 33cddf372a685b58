//! What leads to records, and what accounts for the removed ones.

use std::collections::HashMap;

use bytes::Bytes;
use rocksdb::IteratorMode;
use uuid::Uuid;

use super::{Finding, Halt, Wrong};
use crate::check;
use crate::checkpoint;
use crate::decision::Decision;
use crate::delivery::{Counts, Entry, Head, Record};
use crate::engine::{Engine, Fault};
use crate::envelope;
use crate::error::ReadError;
use crate::keys::{self, Copies};
use crate::link;
use crate::meta;
use crate::store::Store;
use crate::stub::{Removed, Stub};

/// Checks entries as records come by.
pub(super) struct Indexes<'a> {
    engine: &'a Engine,
    /// The last decision that removed something: many stubs in a row share one.
    decision: Option<Removals>,
}

struct Removals {
    seq: u64,
    kind: String,
    by: String,
    reason: String,
    /// Digests of stubs by their number.
    stubs: HashMap<u64, (Uuid, Option<String>)>,
}

impl<'a> Indexes<'a> {
    pub(super) const fn new(engine: &'a Engine) -> Self {
        Self { engine, decision: None }
    }

    pub(super) fn record(&mut self, record: &Record, stored: &Bytes) -> Result<(), Halt> {
        let seq = record.seq;
        match &record.entry {
            Entry::Delivery(delivery) => self.leads(keys::IDS, delivery.id.as_bytes(), seq, Some(delivery.id)),
            Entry::Stub(stub) => {
                self.leads(keys::IDS, stub.delivery_id.as_bytes(), seq, Some(stub.delivery_id))?;
                let meta = envelope::decode(stored).map(|envelope| envelope.meta).unwrap_or_default();
                self.accounted(seq, stub, &link::sha256(&meta))
            }
            Entry::Decision(decision) => {
                self.leads(keys::DECISIONS, &keys::decision(&decision.id), seq, None)?;
                match decision.event_id {
                    Some(event) if !self.has(keys::SUBJECTS, &keys::subject(event, seq))? => {
                        let detail = format!("the index of event {event} does not lead to record {seq}");
                        Err(Finding::new(seq, Wrong::Index, detail).into())
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    fn leads(&self, family: &str, key: &[u8], seq: u64, delivery_id: Option<Uuid>) -> Result<(), Halt> {
        let found = self.engine.db().get_cf(self.engine.family(family)?, key).map_err(Fault::from)?;
        let detail = match found.as_deref().map(keys::parse_seq) {
            Some(Some(found)) if found == seq => return Ok(()),
            Some(Some(found)) => format!("the index {family} leads to record {found} instead of {seq}"),
            Some(None) => format!("the index {family} has no number for record {seq}"),
            None => format!("the index {family} does not lead to record {seq}"),
        };
        Err(Finding { seq, delivery_id, wrong: Wrong::Index, detail }.into())
    }

    fn has(&self, family: &str, key: &[u8]) -> Result<bool, Halt> {
        let found = self.engine.db().get_cf(self.engine.family(family)?, key).map_err(Fault::from)?;
        Ok(found.is_some())
    }

    /// A stub is what the decision that it names says was left of that delivery.
    fn accounted(&mut self, seq: u64, stub: &Stub, sha256: &[u8; 32]) -> Result<(), Halt> {
        let wrong = |detail: String| Finding { seq, delivery_id: Some(stub.delivery_id), wrong: Wrong::Stub, detail };
        let at = stub.why.decision_seq;
        if self.decision.as_ref().is_none_or(|known| known.seq != at) {
            self.decision = removals(self.engine, at)?;
        }
        let Some(known) = &self.decision else {
            return Err(
                wrong(format!("record {at} ought to say that delivery {} was removed", stub.delivery_id)).into()
            );
        };
        let kind = match stub.why.what {
            Removed::Erased => Decision::ERASE,
            Removed::Pruned => Decision::PRUNE,
        };
        let digest = known.stubs.get(&seq).filter(|(id, _)| *id == stub.delivery_id);
        let Some((_, digest)) = digest.filter(|_| known.kind == kind) else {
            return Err(wrong(format!("record {at} does not name delivery {} as removed", stub.delivery_id)).into());
        };
        let same = digest.as_deref() == Some(checkpoint::hex(sha256).as_str());
        if !same || (&known.by, &known.reason) != (&stub.why.by, &stub.why.reason) {
            return Err(wrong(format!("what is left of the delivery is not what record {at} says")).into());
        }
        Ok(())
    }
}

/// What a decision of the log's own removed. Read without its link: it is verified when the walk comes to it.
fn removals(engine: &Engine, seq: u64) -> Result<Option<Removals>, ReadError> {
    let stored = engine.db().get_cf(engine.family(keys::RECORDS)?, seq.to_be_bytes()).map_err(Fault::from)?;
    let Some(envelope) = stored.and_then(|stored| envelope::decode(&Bytes::from(stored)).ok()) else { return Ok(None) };
    if envelope.kind != envelope::Kind::Decision {
        return Ok(None);
    }
    let Ok(decision) = meta::decision(envelope.meta, envelope.body) else { return Ok(None) };
    let Some(said) = decision.of_log() else { return Ok(None) };
    let stubs = said.records.into_iter().map(|named| (named.seq, (named.delivery_id, named.stub_sha256))).collect();
    Ok(Some(Removals { seq, kind: decision.kind, by: said.by, reason: said.reason, stubs }))
}

/// What can only be said of the whole log: nothing leads to deliveries that are not there. Compared only when nothing was
/// stored meanwhile; the next run will do.
pub(super) fn whole_log(
    engine: &Engine,
    store: &Store,
    head: Head,
    counts: Counts,
    walked: Counts,
) -> Result<(), Halt> {
    let deliveries = walked.deliveries.saturating_add(walked.stubs);
    if counts.decisions != walked.decisions || counts.total() != deliveries.checked_add(walked.decisions) {
        return Err(index(format!("the counts of records are {counts:?} where there are {walked:?}")).into());
    }
    let ids = entries(engine, keys::IDS, |_| Some(1))?;
    let copies = entries(engine, keys::BODIES, |value| {
        let copies = Copies::decode(value)?;
        (copies.last_seq <= store.head().seq).then(|| u64::from(copies.count))
    })?;
    let decisions = entries(engine, keys::DECISIONS, |_| Some(1))?;
    if store.head() != head {
        return Ok(());
    }
    for (what, found, due) in [
        ("index of ids", ids, deliveries),
        ("counts of copies", copies, deliveries),
        ("index of decisions", decisions, walked.decisions),
    ] {
        if found != due {
            return Err(index(format!("the {what} knows {found} records where there are {due}")).into());
        }
    }
    Ok(())
}

fn entries(engine: &Engine, family: &str, count: impl Fn(&[u8]) -> Option<u64>) -> Result<u64, Halt> {
    let mut sum = 0_u64;
    for entry in engine.db().iterator_cf(engine.family(family)?, IteratorMode::Start) {
        let (_, value) = entry.map_err(|error| check::damaged(0, error.into_string()))?;
        let counted = count(&value).ok_or_else(|| index(format!("an entry of {family} is not one")))?;
        sum = sum.saturating_add(counted);
    }
    Ok(sum)
}

fn index(detail: String) -> Finding {
    Finding::new(0, Wrong::Index, detail)
}
