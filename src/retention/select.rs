//! The oldest deliveries that a rule may take, a chunk at a time.

use std::collections::BTreeSet;

use evidence_store::{Delivery, Entry, Link, Store, Subject};
use uuid::Uuid;

use super::plan::Rule;
use super::{Retention, RetentionError, blocking};
use crate::ledger::{Prunable, RemovedHow};

/// Deliveries asked of the ledger at once.
const PAGE: usize = 128;
/// Deliveries of one chunk, which is one archive.
const CHUNK_DELIVERIES: usize = 5_000;
/// Their bytes; one more delivery may be over it.
const CHUNK_BYTES: u64 = 256 << 20;

/// A delivery that goes.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) id: Uuid,
    pub(super) seq: u64,
    pub(super) link: Link,
    pub(super) received_us: i64,
    pub(super) event_id: Option<Uuid>,
    /// Of its body and headers.
    pub(super) bytes: u64,
}

/// A chunk.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// The oldest first.
    pub(super) chosen: Vec<Chosen>,
    /// Their bytes.
    pub(super) bytes: u64,
    /// Deliveries that would go but for a hold.
    pub(super) held: u64,
    /// Deliveries that the log has removed and the ledger does not know about.
    pub(super) unnoted: Vec<(Uuid, RemovedHow)>,
    /// The record to go on behind; none at the end.
    pub(super) next: Option<u64>,
}

/// What the log has where the ledger saw a delivery.
enum Found {
    Here(Chosen),
    Gone(Uuid, RemovedHow),
}

impl Retention {
    /// The next chunk behind a record: up to so many bytes and deliveries, and one more at most.
    pub(super) async fn select(
        &self,
        rule: &Rule,
        after: u64,
        bytes_max: u64,
        deliveries_max: usize,
    ) -> Result<Chunk, RetentionError> {
        let holds = self.holds().await?;
        let (bytes_max, deliveries_max) = (bytes_max.min(CHUNK_BYTES), deliveries_max.min(CHUNK_DELIVERIES));
        let mut chunk = Chunk::default();
        let mut after = after;
        loop {
            let page = self.0.ledger.prunable(&rule.source, rule.limit(), after, PAGE).await?;
            let evidence = self.0.evidence.clone();
            let from_us = rule.from_us.unwrap_or(i64::MIN);
            let items: Vec<Prunable> = page.items.into_iter().filter(|item| from_us <= item.received_us).collect();
            let found = blocking(move || items.iter().map(|item| look(&evidence, item)).collect::<Result<Vec<_>, _>>());
            for found in found.await? {
                match found {
                    Found::Gone(id, how) => chunk.unnoted.push((id, how)),
                    Found::Here(chosen) if is_held(&holds, &rule.source, &chosen) => chunk.held += 1,
                    Found::Here(chosen) => {
                        if bytes_max <= chunk.bytes || deliveries_max <= chunk.chosen.len() {
                            chunk.next = Some(chosen.seq.saturating_sub(1));
                            return Ok(chunk);
                        }
                        chunk.bytes = chunk.bytes.saturating_add(chosen.bytes);
                        chunk.chosen.push(chosen);
                    }
                }
            }
            match page.next_seq {
                Some(next) => after = next,
                None => return Ok(chunk),
            }
        }
    }

    async fn holds(&self) -> Result<BTreeSet<Subject>, RetentionError> {
        let evidence = self.0.evidence.clone();
        blocking(move || Ok(evidence.holds()?.into_iter().map(|hold| hold.subject).collect())).await
    }
}

fn look(evidence: &Store, item: &Prunable) -> Result<Found, RetentionError> {
    let mismatch = || RetentionError::Mismatch { seq: item.seq, id: item.delivery_id };
    let record = evidence.record(item.seq)?.ok_or_else(mismatch)?;
    let named = |id| if id == item.delivery_id { Ok(()) } else { Err(mismatch()) };
    match record.entry {
        Entry::Delivery(delivery) => {
            named(delivery.id)?;
            Ok(Found::Here(chosen(item, record.link, &delivery)))
        }
        Entry::Stub(stub) => {
            named(stub.delivery_id)?;
            Ok(Found::Gone(stub.delivery_id, how(stub.why.what)))
        }
        Entry::Decision(_) => Err(mismatch()),
    }
}

fn chosen(item: &Prunable, link: Link, delivery: &Delivery) -> Chosen {
    Chosen {
        id: item.delivery_id,
        seq: item.seq,
        link,
        received_us: item.received_us,
        event_id: item.stub.as_ref().map(|stub| stub.event_id.0),
        bytes: delivery.size_bytes(),
    }
}

const fn how(removed: evidence_store::Removed) -> RemovedHow {
    match removed {
        evidence_store::Removed::Pruned => RemovedHow::Pruned,
        evidence_store::Removed::Erased => RemovedHow::Erased,
    }
}

/// The log decides in the end; this only spares the archive what would stay anyway.
fn is_held(holds: &BTreeSet<Subject>, source: &str, chosen: &Chosen) -> bool {
    let event = chosen.event_id.map(Subject::Event);
    let subjects = [Subject::Delivery(chosen.id), Subject::Source(source.to_owned())];
    subjects.into_iter().chain(event).any(|subject| holds.contains(&subject))
}
