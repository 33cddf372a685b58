//! A new ledger from the evidence log, and from what can be read of the old one (rules 7 and 27).
//!
//! The old ledger is read first, the log from its start second, and where the two differ the log is right about what
//! came and what was decided; what only a ledger knows (expectations, messages, attempts, the audit) is kept. Deliveries
//! go through intake's own interpretation, so ids are the same. Nothing here is SQL: that is [`Draft`].

use std::path::PathBuf;

use evidence_store::{Decision, DecisionId, Delivery, Entry, ReadError, Removed, Store, Stub};
use jiff::Timestamp;
use serde::Serialize;

use crate::config::Config;
use crate::intake::interpret;
use crate::ledger::sqlite::{Draft, OpenError};
use crate::ledger::{
    Cursor, IntakeDelivery, IntakeEvent, IntakeKind, LedgerError, Left, Made, RemovedHow, RowOf, Salvaged, Who,
};
use crate::model::{Code, EventId, Identity};

mod compare;
mod differ;
mod statement;

pub use differ::{Differences, Found, List};

/// Records read at once, and their bytes.
const BATCH_RECORDS_MAX: usize = 512;
const BATCH_BYTES_MAX: usize = 16 << 20;
/// Events settled at once.
const PAGE: u32 = 500;

/// Why there is no new ledger. The old one is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The ledger's files.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The new ledger.
    #[error("the new ledger could not be made: {0}; the old one is as it was")]
    Ledger(#[from] LedgerError),
    /// The log.
    #[error("the evidence log cannot be read: {0}; the old ledger is as it was")]
    Evidence(#[from] ReadError),
}

/// What a rebuild is told.
pub struct Plan<'a> {
    /// Today's configuration: its sources interpret the log.
    pub config: &'a Config,
    /// The log of a stopped gateway.
    pub evidence: &'a Store,
    /// Who asked.
    pub by: Who,
    /// When.
    pub now: Timestamp,
    /// Compare only.
    pub dry_run: bool,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Nothing was changed.
    pub dry_run: bool,
    /// A rebuild that a crash interrupted at its last step was ended; this is all that was done.
    pub resumed: bool,
    /// Records read.
    pub records: u64,
    /// The new ledger.
    pub ledger: Made,
    /// What was kept of the old one.
    pub old: Salvaged,
    /// Where the old one lies now.
    pub old_kept_as: Option<PathBuf>,
    /// Where log and old ledger differed.
    pub differences: Differences,
}

/// Makes the new ledger and puts it in the old one's place. Blocks. `say` hears how far it is: done, of how many, doing
/// what.
///
/// # Errors
/// See [`RebuildError`].
pub fn run(plan: &Plan<'_>, say: &mut dyn FnMut(u64, Option<u64>, &str)) -> Result<Report, RebuildError> {
    let path = &plan.config.ledger.path;
    let mut report = Report {
        dry_run: plan.dry_run,
        resumed: false,
        records: 0,
        ledger: Made::default(),
        old: Salvaged::default(),
        old_kept_as: None,
        differences: Differences::default(),
    };
    if !plan.dry_run && Draft::resume(path)? {
        report.resumed = true;
        return Ok(report);
    }
    let mut draft = Draft::begin(path, plan.now.as_microsecond())?;
    let made = fill(plan, &mut draft, &mut report, say);
    if let Err(error) = made {
        // The error matters more than files that the next rebuild removes anyway.
        if let Err(left) = draft.discard() {
            tracing::warn!(%left, "an unfinished ledger could not be removed");
        }
        return Err(error);
    }
    if plan.dry_run {
        draft.discard()?;
    } else {
        let stamp = plan.now.strftime("%Y%m%dT%H%M%SZ").to_string();
        report.old_kept_as = draft.swap(&stamp)?;
    }
    Ok(report)
}

fn fill(
    plan: &Plan<'_>,
    draft: &mut Draft,
    report: &mut Report,
    say: &mut dyn FnMut(u64, Option<u64>, &str),
) -> Result<(), RebuildError> {
    report.old = draft.salvage(&mut |table, rows| say(rows, None, &format!("reading {table} of the old ledger")))?;
    let head = plan.evidence.head();
    let mut filling = Filling { plan, draft, differences: &mut report.differences };
    let mut seq = 0;
    while seq < head.seq {
        let records = plan.evidence.read_after(seq, BATCH_RECORDS_MAX, BATCH_BYTES_MAX)?;
        let Some(last) = records.last() else { break };
        seq = last.seq;
        for record in records {
            filling.record(record.seq, record.entry)?;
        }
        say(seq, Some(head.seq), "reading the log");
    }
    report.records = seq;
    filling.settle(&mut |done| say(done, None, "settling events"))?;
    filling.revive()?;
    let (first, all) = draft.without_delivery(differ::KEPT_MAX)?;
    report.differences.events_without_delivery = List::of(first, all);
    let to = Cursor { log_id: plan.evidence.log_id(), seq: head.seq, link: head.link };
    let (made, unread) = draft.finish(to, &plan.by)?;
    (report.ledger, report.old.unread) = (made, [std::mem::take(&mut report.old.unread), unread].concat());
    Ok(())
}

/// The draft and what was found so far.
struct Filling<'a> {
    plan: &'a Plan<'a>,
    draft: &'a mut Draft,
    differences: &'a mut Differences,
}

impl Filling<'_> {
    fn record(&mut self, seq: u64, entry: Entry) -> Result<(), RebuildError> {
        match entry {
            Entry::Delivery(delivery) => self.delivery(seq, delivery),
            Entry::Stub(stub) => self.stub(seq, &stub),
            Entry::Decision(decision) => self.decision(&decision),
        }
    }

    fn delivery(&mut self, seq: u64, delivery: Delivery) -> Result<(), RebuildError> {
        let read: IntakeDelivery = interpret::delivery(self.plan.config, seq, delivery, self.plan.now);
        let event = match read.event {
            Err(code) => Err(code),
            Ok(event) => {
                let id = self.find(read.delivery_id, &event.identity)?;
                if self.draft.has(id)? {
                    self.draft.meet(id, &event)?;
                } else {
                    self.differences.events_lacked.add(id);
                    self.draft.make(id, &event)?;
                }
                Ok(id)
            }
        };
        self.place(&RowOf {
            delivery_id: read.delivery_id,
            seq,
            source: read.source,
            received_us: read.received_us,
            body_sha256: read.body_sha256,
            event,
            removed: None,
        })
    }

    /// The event of a delivery; its identity finds that event from now on.
    fn find(&mut self, delivery: uuid::Uuid, identity: &Identity) -> Result<EventId, RebuildError> {
        let own = EventId::of_identity(identity);
        let owner = self.draft.owner(identity)?;
        let mut chain = Vec::new();
        for event in self.draft.chain(own)? {
            if event == own || self.draft.has(event)? {
                chain.push(event);
            }
        }
        let known = self.draft.row(delivery)?.and_then(|row| row.event_id);
        let known = match known {
            Some(event) if self.draft.has(event)? => Some(event),
            _ => None,
        };
        let joined = self.draft.says_joined(own)?;
        let found = compare::identity(own, &chain, owner, known, joined);
        if owner != Some(found.owner) {
            if let Some(before) = owner {
                self.differences.identities_repointed.add(Found {
                    of: hex::encode(identity.as_bytes()),
                    was: before.to_string(),
                    is: found.owner.to_string(),
                });
            }
            self.draft.point(identity, found.owner)?;
        }
        Ok(found.event)
    }

    /// Writes a delivery's row and says how it was.
    fn place(&mut self, row: &RowOf) -> Result<(), RebuildError> {
        let name = |event: Option<EventId>, code: Option<Code>| match (event, code) {
            (Some(event), _) => event.to_string(),
            (None, Some(code)) => code.to_string(),
            (None, None) => "nothing".to_owned(),
        };
        match self.draft.row(row.delivery_id)? {
            None => self.differences.deliveries_lacked.add(row.delivery_id),
            Some(known) if known.event_id != row.event.ok() => {
                self.differences.deliveries_repointed.add(Found {
                    of: row.delivery_id.to_string(),
                    was: name(known.event_id, known.code),
                    is: name(row.event.ok(), row.event.err()),
                });
            }
            Some(_) => {}
        }
        Ok(self.draft.place_row(self.plan.evidence.log_id(), row)?)
    }

    fn stub(&mut self, seq: u64, stub: &Stub) -> Result<(), RebuildError> {
        let event = match &stub.event {
            // Only a test header makes no event.
            None => Err(Code::TestHeader),
            Some(left) => Ok(self.left(stub, left)?),
        };
        // A delivery that was taken in under an event that is known keeps it.
        let known = self.draft.row(stub.delivery_id)?;
        let event = match known.and_then(|row| row.event_id) {
            Some(before) if event.is_ok() && self.draft.has(before)? => Ok(before),
            _ => event,
        };
        let how = match stub.why.what {
            Removed::Pruned => RemovedHow::Pruned,
            Removed::Erased => RemovedHow::Erased,
        };
        self.place(&RowOf {
            delivery_id: stub.delivery_id,
            seq,
            source: stub.source.clone(),
            received_us: stub.received_us,
            body_sha256: stub.body_sha256,
            event,
            removed: Some((how, stub.why.at_us)),
        })
    }

    /// The event that a stub is left of.
    fn left(&mut self, stub: &Stub, left: &evidence_store::StubEvent) -> Result<EventId, RebuildError> {
        let id = EventId(left.event_id);
        if !self.draft.has(id)? {
            let facts = statement::facts_of(stub, left);
            self.differences.events_lacked.add(id);
            self.draft.make_left(&Left { event_id: id, facts: facts.facts, lane: facts.lane, claims: facts.claims })?;
        }
        for raw in &left.identities {
            let identity = Identity::from_bytes(*raw);
            // One that joined another keeps finding that one.
            if self.draft.owner(&identity)?.is_none() {
                self.draft.point(&identity, id)?;
            }
        }
        if let Some(told) = statement::of_stub(stub, left) {
            self.draft.tell(&told)?;
        }
        Ok(id)
    }

    fn decision(&mut self, decision: &Decision) -> Result<(), RebuildError> {
        match decision.id.table {
            DecisionId::TRACE => match statement::of_trace(decision) {
                Some(told) => {
                    if self.draft.tell(&told)? {
                        self.differences.decisions_lacked += 1;
                    }
                }
                None => self.differences.decisions_unread += 1,
            },
            DecisionId::AUDIT => match statement::of_audit(decision) {
                Some(entry) => {
                    if self.draft.tell_audit(decision.id.epoch, &entry)? {
                        self.differences.audit_lacked += 1;
                    }
                }
                None => self.differences.decisions_unread += 1,
            },
            // What was done to the log itself: stubs and holds say so too.
            _ => {}
        }
        Ok(())
    }

    /// Gives every event that the log says something about its state and its claims, then writes the trace.
    fn settle(&mut self, say: &mut dyn FnMut(u64)) -> Result<(), RebuildError> {
        let (mut after, mut done) = (None, 0);
        loop {
            let cases = self.draft.cases(after, PAGE)?;
            let Some(last) = cases.last() else { break };
            after = Some(last.event_id);
            for case in cases {
                let anew = compare::stand(&case);
                if let Some(stand) = anew.filter(|_| !case.made) {
                    let list = match compare::contradiction(&case) {
                        Some(_) => &mut self.differences.states_contradicted,
                        None => &mut self.differences.states_behind,
                    };
                    list.add(Found {
                        of: case.event_id.to_string(),
                        was: differ::words(&case.row),
                        is: differ::words(&stand),
                    });
                }
                if self.draft.settle(case.event_id, anew)? {
                    self.differences.claims_unknown.add(case.event_id);
                }
                done += 1;
            }
            say(done);
        }
        Ok(self.draft.write_trace()?)
    }

    /// Events on their way of which no message waits: it was lost with the old ledger, and is made again.
    fn revive(&mut self) -> Result<(), RebuildError> {
        let mut after = None;
        loop {
            let silent = self.draft.silent(after, PAGE)?;
            let Some((last, _)) = silent.last() else { return Ok(()) };
            after = Some(*last);
            for (event, facts) in silent {
                if self.draft.ended(event)? {
                    continue;
                }
                self.differences.messages_made_again.add(event);
                match self.plain(facts.delivery_id)? {
                    Some((render, destinations)) => {
                        let epoch = self.draft.next_epoch();
                        self.draft.post(event, epoch, &render, &destinations)?;
                    }
                    None => self.draft.judge_again(event)?,
                }
            }
        }
    }

    /// How a provider's own event is rendered, from its delivery.
    fn plain(&self, delivery: uuid::Uuid) -> Result<Option<(crate::ledger::RenderPlain, Vec<String>)>, RebuildError> {
        let Some(record) = self.plan.evidence.delivery(delivery)? else { return Ok(None) };
        let Some(stored) = record.entry.into_delivery() else { return Ok(None) };
        let read = interpret::delivery(self.plan.config, record.seq, stored, self.plan.now);
        Ok(match read.event.map(|event| *event) {
            Ok(IntakeEvent { kind: IntakeKind::Message { render, destinations }, .. }) => Some((render, destinations)),
            _ => None,
        })
    }
}
