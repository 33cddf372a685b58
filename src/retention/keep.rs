//! Archives of records: written once, read back, and found again after a crash.

use evidence_store::{Delivery, Entry, Store};
use uuid::Uuid;

use super::pending::{self, Pending};
use super::plan::Rule;
use super::select::Chosen;
use super::{Retention, RetentionError, blocking, go_on};
use crate::archive::{self, Line, Packed, Packer, Place, RecordKind, Upload, Written};
use crate::jobs::Progress;

/// Records read and packed at once.
const LINES: usize = 16;
/// How the log stores a delivery, and a decision.
const DELIVERY: u8 = 1;
const DECISION: u8 = 2;

/// A record for an archive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) seq: u64,
    /// Of the delivery; nil of a decision.
    pub(super) id: Uuid,
    pub(super) event_id: Option<Uuid>,
}

impl Retention {
    /// The archive of a chunk, and which of the chunk it holds: all of it, or the beginning that an interrupted run
    /// had archived.
    pub(super) async fn keep(
        &self,
        rule: &Rule,
        place: &Place,
        mut chosen: Vec<Chosen>,
        progress: &Progress,
    ) -> Result<(Vec<Chosen>, Option<Written>), RetentionError> {
        let folder = self.0.config.evidence.path.clone();
        let noted = pending::read(&folder).filter(|noted| noted.source == rule.source);
        if let Some(noted) = noted
            && let Some(written) = Upload::existing(place, &noted.name).await?
        {
            let held = chosen.iter().take_while(|one| holds(&written, one)).count();
            if 0 < held {
                tracing::info!(archive = noted.name, "goes on with the archive of an interrupted run");
                chosen.truncate(held);
                return Ok((chosen, Some(written)));
            }
        }
        let wanted: Vec<Wanted> =
            chosen.iter().map(|one| Wanted { seq: one.seq, id: one.id, event_id: one.event_id }).collect();
        let Some(name) = name(self.0.evidence.log_id(), &wanted) else { return Ok((Vec::new(), None)) };
        let pending = Pending { source: rule.source.clone(), name: name.clone() };
        blocking(move || pending::write(&folder, &pending)).await?;
        let written = self.write(place, &name, &wanted, progress).await?;
        if let Some(written) = &written {
            chosen.retain(|one| holds(written, one));
            let archived = u64::try_from(chosen.len()).unwrap_or(u64::MAX);
            self.0.metrics.archived(&rule.source).inc_by(archived);
        }
        Ok((chosen, written))
    }

    /// Writes an archive unless it is there. None when nothing is left to write.
    pub(super) async fn write(
        &self,
        place: &Place,
        name: &str,
        wanted: &[Wanted],
        progress: &Progress,
    ) -> Result<Option<Written>, RetentionError> {
        if let Some(written) = Upload::existing(place, name).await? {
            return Ok(Some(written));
        }
        progress.say(format!("writing the archive {name}"));
        let mut upload = Upload::begin(place, name, self.0.evidence.log_id());
        let (mut packer, mut files) = (Packer::default(), 0_u64);
        for part in wanted.chunks(LINES) {
            go_on(progress, || format!("the archive {name} was not finished and is none"))?;
            let (evidence, part) = (self.0.evidence.clone(), part.to_vec());
            let (back, packed) = blocking(move || pack(&evidence, &part, packer)).await?;
            packer = back;
            for packed in packed {
                upload.put(packed).await?;
                files += 1;
            }
        }
        if let Some(packed) = blocking(move || Ok(packer.close()?)).await? {
            upload.put(packed).await?;
            files += 1;
        }
        if files == 0 {
            return Ok(None);
        }
        let evidence = self.0.evidence.clone();
        let sealed = blocking(move || Ok(evidence.latest_checkpoint()?)).await?;
        let written = upload.finish(self.now_us(), sealed.map(|signed| signed.note)).await?;
        tracing::info!(
            archive = name,
            place = place.shown(),
            deliveries = written.manifest.deliveries,
            manifest_sha256 = hex::encode(written.manifest_sha256),
            "an archive was written and read back"
        );
        Ok(Some(written))
    }
}

/// The name of the archive of these records.
pub(super) fn name(log_id: Uuid, wanted: &[Wanted]) -> Option<String> {
    archive::name(log_id, &wanted.iter().map(|one| (one.seq, one.id)).collect::<Vec<_>>())
}

/// Whether the archive holds exactly the record that the log has.
fn holds(written: &Written, one: &Chosen) -> bool {
    written.deliveries.get(&one.id) == Some(&one.link)
}

fn pack(evidence: &Store, wanted: &[Wanted], mut packer: Packer) -> Result<(Packer, Vec<Packed>), RetentionError> {
    let mut packed = Vec::new();
    for one in wanted {
        if let Some(line) = line(evidence, one)? {
            packed.extend(packer.push(&line)?);
        }
    }
    Ok((packer, packed))
}

/// A record as a line; none of one that was removed meanwhile.
fn line(evidence: &Store, one: &Wanted) -> Result<Option<Line>, RetentionError> {
    let missing = || RetentionError::Mismatch { seq: one.seq, id: one.id };
    let raw = evidence.raw(one.seq)?.ok_or_else(missing)?;
    let record = match raw.kind {
        DELIVERY => {
            let delivery = Delivery::of_parts(raw.meta.clone(), raw.body.clone()).map_err(|_| missing())?;
            if delivery.id != one.id {
                return Err(missing());
            }
            let event_id = one.event_id;
            let (id, source, received_us) = (delivery.id, delivery.source, delivery.received_us);
            RecordKind::Delivery { id, source, received_us, event_id }
        }
        DECISION => {
            let record = evidence.record(one.seq)?.ok_or_else(missing)?;
            let Entry::Decision(decision) = record.entry else { return Err(missing()) };
            RecordKind::Decision {
                ledger_id: decision.id.ledger_id,
                epoch: decision.id.epoch,
                table: decision.id.table,
                number: decision.id.number,
                at_us: decision.at_us,
                event_id: decision.event_id,
                kind: decision.kind,
            }
        }
        _ => return Ok(None),
    };
    let (link, previous_link) = (raw.link, raw.previous);
    Ok(Some(Line { seq: raw.seq, link, previous_link, record, meta: raw.meta, body: raw.body }))
}
