//! Changes to what is stored: checked and made ready here, written by the writer thread. All of them block, and one is
//! made at a time, so that what was read still holds when it is written.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc::error::TrySendError;
use uuid::Uuid;

use super::{QUEUE_WAIT, Store};
use crate::delivery::{Delivery, Entry, Head, RawRecord, Record};
use crate::envelope::PAYLOAD_BYTES_MAX;
use crate::error::{AppendError, ChangeError, ReadError, SnapshotError};
use crate::link;
use crate::recovery::LOG_FOLDER;
use crate::stub::{Erased, Facts, Hold, Pruned, Rehydrated, Removal as Why, Removed, Stub, StubEvent, Subject};
use crate::upkeep::{Act, Change, Removal, Returning};
use crate::writer::Job;
use crate::{check, meta, reader};

/// Between looks at a full queue.
const QUEUE_POLL: Duration = Duration::from_millis(5);

impl Store {
    /// Most deliveries that one change prunes or brings back.
    pub const CHANGE_RECORDS_MAX: usize = 1000;

    /// Puts stubs in the place of deliveries, in one commit with a decision of the log's own that names them. What is
    /// held, gone already or was never stored is left alone and told. Pass what a ledger has to know of the event that
    /// a delivery made. The bytes leave the disk with [`Store::reclaim`]. Works below the reserve too. Blocks.
    ///
    /// # Errors
    /// When a record cannot be read, the writer does not take it, or it is over [`Store::CHANGE_RECORDS_MAX`].
    pub fn prune(&self, deliveries: Vec<(Uuid, Option<StubEvent>)>, facts: Facts) -> Result<Pruned, ChangeError> {
        at_most(deliveries.len())?;
        let _one = self.only()?;
        let mut pruned = Pruned::default();
        let (mut removals, mut seen) = (Vec::new(), HashSet::new());
        for (id, event) in deliveries {
            if !seen.insert(id) {
                continue;
            }
            let Some((raw, delivery)) = self.stored(id)? else {
                pruned.gone.push(id);
                continue;
            };
            if self.holder(id, &delivery.source, event.as_ref())?.is_some() {
                pruned.held.push(id);
                continue;
            }
            let bytes = raw.meta.len().saturating_add(raw.body.len());
            pruned.bytes = pruned.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
            pruned.removed.push(id);
            removals.push(removal(&raw, delivery, event, Removed::Pruned, &facts));
        }
        if !removals.is_empty() {
            pruned.decision_seq = Some(self.change(facts, Act::Remove(Removed::Pruned, removals))?);
        }
        Ok(pruned)
    }

    /// Takes the body of one delivery away for ever, leaves its headers and a stub that says who, when and why, and
    /// takes the bytes off the disk before it answers. Works below the reserve too. Blocks, for as long as the files
    /// around the record take to be rewritten.
    ///
    /// # Errors
    /// When a hold covers it, the log never stored it, it cannot be read, or the writer does not take it. After
    /// [`ChangeError::Reclaim`] run it again.
    pub fn erase(&self, id: Uuid, facts: Facts, event: Option<StubEvent>) -> Result<Erased, ChangeError> {
        let erased = self.erase_from_log(id, facts, event)?;
        self.reclaim()?;
        Ok(erased)
    }

    fn erase_from_log(&self, id: Uuid, facts: Facts, event: Option<StubEvent>) -> Result<Erased, ChangeError> {
        let _one = self.only()?;
        let Some((raw, delivery)) = self.stored(id)? else {
            return match self.delivery(id)?.map(|record| record.entry) {
                Some(Entry::Stub(stub)) => Ok(Erased::Before(stub)),
                _ => Err(ChangeError::Unknown(id)),
            };
        };
        if let Some(subject) = self.holder(id, &delivery.source, event.as_ref())? {
            return Err(ChangeError::Held(subject));
        }
        let mut removal = removal(&raw, delivery, event, Removed::Erased, &facts);
        removal.stub.meta = Some(raw.meta);
        let mut stub = removal.stub.clone();
        stub.why.decision_seq = self.change(facts, Act::Remove(Removed::Erased, vec![removal]))?;
        Ok(Erased::Now(stub))
    }

    /// Brings pruned deliveries back, in one commit with a decision that names them; an answer for each, in order. As
    /// [`Store::rehydrate_raw`], for deliveries of this release.
    ///
    /// # Errors
    /// As [`Store::rehydrate_raw`].
    pub fn rehydrate(&self, deliveries: Vec<Delivery>, facts: Facts) -> Result<Vec<Rehydrated>, ChangeError> {
        let parts = deliveries.into_iter().map(meta::of_delivery);
        self.rehydrate_raw(parts.map(|(meta, body)| (Bytes::from(meta), body)).collect(), facts)
    }

    /// Brings pruned deliveries back from their stored parts, meta and body as [`Store::raw`] gave them. Only the bytes
    /// that were there come back: both digests must be the stub's. What was erased stays so. Blocks.
    ///
    /// # Errors
    /// When a record cannot be read, the writer does not take it, or it is over [`Store::CHANGE_RECORDS_MAX`].
    pub fn rehydrate_raw(&self, parts: Vec<(Bytes, Bytes)>, facts: Facts) -> Result<Vec<Rehydrated>, ChangeError> {
        at_most(parts.len())?;
        let bytes =
            parts.iter().fold(0_usize, |sum, (meta, body)| sum.saturating_add(meta.len()).saturating_add(body.len()));
        if PAYLOAD_BYTES_MAX < bytes {
            return Err(AppendError::TooLarge { bytes, limit: PAYLOAD_BYTES_MAX }.into());
        }
        let _one = self.only()?;
        self.0.takes()?;
        let (mut answers, mut returning, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
        for (meta, body) in parts {
            let (answer, back) = self.returning(meta, body)?;
            match back {
                Some(back) if seen.insert(back.seq) => returning.push(back),
                _ => {}
            }
            answers.push(answer);
        }
        if !returning.is_empty() {
            self.change(facts, Act::Rehydrate(returning))?;
        }
        Ok(answers)
    }

    fn returning(&self, meta: Bytes, body: Bytes) -> Result<(Rehydrated, Option<Returning>), ChangeError> {
        let Ok(delivery) = meta::delivery(meta.clone(), Bytes::new()) else {
            return Ok((Rehydrated::Differs, None));
        };
        let Some(Record { seq, link, entry }) = self.delivery(delivery.id)? else {
            return Ok((Rehydrated::NoStub, None));
        };
        let digests = (link::sha256(&meta), link::sha256(&body));
        Ok(match entry {
            Entry::Stub(stub) if digests != (stub.meta_sha256, stub.body_sha256) => (Rehydrated::Differs, None),
            Entry::Stub(stub) if stub.why.what == Removed::Erased => (Rehydrated::Erased, None),
            Entry::Stub(_) => (Rehydrated::Back, Some(Returning { seq, link, id: delivery.id, meta, body })),
            Entry::Delivery(there) if digests.1 == there.body_sha256 => (Rehydrated::AlreadyThere, None),
            Entry::Delivery(_) => (Rehydrated::Differs, None),
            Entry::Decision(_) => (Rehydrated::NoStub, None),
        })
    }

    /// Says that something may not be pruned or erased until it is released; a hold that is there already is
    /// answered as it is. Blocks.
    ///
    /// # Errors
    /// When it is a delivery that the log never stored, the log cannot be read, or the writer does not take it.
    pub fn hold(&self, subject: Subject, facts: Facts) -> Result<Hold, ChangeError> {
        let _one = self.only()?;
        if let Some(decision_seq) = reader::hold(&self.0.engine, &subject)? {
            return Ok(self.hold_of(subject, decision_seq)?);
        }
        if let Subject::Delivery(id) = subject
            && self.delivery(id)?.is_none()
        {
            return Err(ChangeError::Unknown(id));
        }
        let decision_seq = self.change(facts.clone(), Act::Hold(subject.clone()))?;
        Ok(Hold { subject, facts, decision_seq })
    }

    /// Takes a hold away; false when there was none. Blocks.
    ///
    /// # Errors
    /// When the log cannot be read or the writer does not take it.
    pub fn release(&self, subject: &Subject, facts: Facts) -> Result<bool, ChangeError> {
        let _one = self.only()?;
        if reader::hold(&self.0.engine, subject)?.is_none() {
            return Ok(false);
        }
        self.change(facts, Act::Release(subject.clone()))?;
        Ok(true)
    }

    /// All holds. Blocks.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn holds(&self) -> Result<Vec<Hold>, ReadError> {
        let _one = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let found = reader::holds(&self.0.engine)?;
        found.into_iter().map(|(subject, decision_seq)| self.hold_of(subject, decision_seq)).collect()
    }

    /// Whether a hold names exactly this. Blocks.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn is_held(&self, subject: &Subject) -> Result<bool, ReadError> {
        Ok(reader::hold(&self.0.engine, subject)?.is_some())
    }

    /// Takes the bytes of everything pruned or erased before off the disk; false when there was nothing to take. Where
    /// it stopped is kept, so a crash in between loses nothing: call it after pruning, and at the start. What other
    /// copies hold (backups, snapshots) is not touched. Blocks, for as long as the files take to be rewritten;
    /// deliveries are stored meanwhile.
    ///
    /// # Errors
    /// When the files could not be rewritten.
    pub fn reclaim(&self) -> Result<bool, ChangeError> {
        let _one = self.0.reclaiming.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.lives()?;
        let Some([first, last]) = reader::unreclaimed(&self.0.engine)? else {
            return Ok(false);
        };
        self.0.engine.reclaim(first, last).map_err(|fault| ChangeError::Reclaim(fault.0))?;
        let nobody = Facts { at_us: 0, by: String::new(), reason: String::new() };
        self.change(nobody, Act::Reclaimed(first, last))?;
        Ok(true)
    }

    /// Makes a copy of the log while it goes on, by hard links where the disk allows: `folder/log`, in a folder that is
    /// made and must not hold one. The copy ends at the answered record or after it, and opens as a log of the same id
    /// (see [`crate::renew`]). Blocks.
    ///
    /// # Errors
    /// When the folder cannot be used or the engine does not make the copy.
    pub fn snapshot(&self, folder: &Path) -> Result<Head, SnapshotError> {
        let io = |source| SnapshotError::Io { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(io)?;
        let head = self.head();
        self.0.engine.checkpoint(&folder.join(LOG_FOLDER)).map_err(|fault| SnapshotError::Engine(fault.0))?;
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
        Ok(head)
    }

    /// Begins a change: nothing else changes until the guard is gone, and the writer works. What a failed write may
    /// have left is not taken for done.
    fn only(&self) -> Result<MutexGuard<'_, ()>, AppendError> {
        let one = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.lives()?;
        Ok(one)
    }

    /// The delivery of this id with its bytes; none when it is a stub or was never stored.
    fn stored(&self, id: Uuid) -> Result<Option<(RawRecord, Delivery)>, ReadError> {
        let Some(Record { seq, entry, .. }) = self.delivery(id)? else { return Ok(None) };
        Ok(self.raw(seq)?.zip(entry.into_delivery()))
    }

    /// The hold that covers a delivery.
    fn holder(&self, id: Uuid, source: &str, event: Option<&StubEvent>) -> Result<Option<Subject>, ReadError> {
        let event = event.map(|event| Subject::Event(event.event_id));
        for subject in [Subject::Delivery(id), Subject::Source(source.to_owned())].into_iter().chain(event) {
            if self.is_held(&subject)? {
                return Ok(Some(subject));
            }
        }
        Ok(None)
    }

    fn hold_of(&self, subject: Subject, decision_seq: u64) -> Result<Hold, ReadError> {
        let wrong = || check::damaged(decision_seq, format!("it does not say that {subject} is held"));
        let Some(Record { entry: Entry::Decision(decision), .. }) = self.record(decision_seq)? else {
            return Err(wrong());
        };
        let said = decision.of_log().filter(|said| said.subject.as_deref() == Some(&subject.to_string()));
        let said = said.ok_or_else(wrong)?;
        Ok(Hold { subject, facts: Facts { at_us: decision.at_us, by: said.by, reason: said.reason }, decision_seq })
    }

    /// Hands a change to the writer and waits for its fsync.
    pub(super) fn change(&self, facts: Facts, act: Act) -> Result<u64, AppendError> {
        self.0.lives()?;
        let (answer, answered) = sync_channel(1);
        let mut job = Job::Change(Box::new(Change { log_id: self.0.log_id, facts, act }), answer);
        let began = Instant::now();
        loop {
            let queue = self.0.queue().ok_or(AppendError::Closed)?;
            match queue.try_send(job) {
                Ok(()) => break,
                Err(TrySendError::Closed(_)) => return Err(self.0.stopped()),
                Err(TrySendError::Full(_)) if QUEUE_WAIT <= began.elapsed() => return Err(AppendError::Busy),
                Err(TrySendError::Full(full)) => job = full,
            }
            std::thread::sleep(QUEUE_POLL);
        }
        answered.recv().unwrap_or_else(|_| Err(self.0.stopped()))
    }
}

fn at_most(given: usize) -> Result<(), ChangeError> {
    let limit = Store::CHANGE_RECORDS_MAX;
    if limit < given { Err(ChangeError::TooMany { given, limit }) } else { Ok(()) }
}

fn removal(raw: &RawRecord, delivery: Delivery, event: Option<StubEvent>, what: Removed, facts: &Facts) -> Removal {
    let stub = Stub {
        delivery_id: delivery.id,
        source: delivery.source,
        received_us: delivery.received_us,
        meta_sha256: link::sha256(&raw.meta),
        body_sha256: delivery.body_sha256,
        body_bytes: u64::try_from(raw.body.len()).unwrap_or(u64::MAX),
        why: Why {
            what,
            at_us: facts.at_us,
            by: facts.by.clone(),
            reason: facts.reason.clone(),
            // Known when the writer numbers the decision.
            decision_seq: 0,
        },
        event,
        meta: None,
    };
    Removal { seq: raw.seq, link: raw.link, stub }
}

#[cfg(test)]
mod tests;
