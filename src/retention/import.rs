//! Bringing deliveries back from an archive.

use bytes::Bytes;
use evidence_store::{Delivery, Rehydrated, Stored};
use serde::Serialize;
use uuid::Uuid;

use super::{Retention, RetentionError, blocking, go_on};
use crate::archive::{Archive, Line, Place, RecordKind, find};
use crate::config::{self, ArchiveUrl};
use crate::jobs::Progress;

/// Records of one synced write, and their bytes; a larger record goes alone.
const BATCH: (usize, usize) = (64, 8 << 20);
/// Ids that a report lists.
const LISTED_MAX: usize = 100;

/// What to bring back.
#[derive(Debug, Clone)]
pub struct Import {
    /// The place: one archive or several.
    pub from: ArchiveUrl,
    /// Who asks.
    pub by: String,
}

/// What an import did.
#[derive(Debug, Default, Serialize)]
pub struct Imported {
    /// Archives that were read.
    pub archives: u64,
    /// Deliveries in them.
    pub deliveries: u64,
    /// Pruned ones whose bytes are back where they were.
    pub returned: u64,
    /// Ones that this log never held, stored as new records with their own ids.
    pub added: u64,
    /// Ones that were there.
    pub known: u64,
    /// New ones whose source holds as many copies of the body as it keeps.
    pub repeats: u64,
    /// Erased ones: they stay erased.
    pub erased: u64,
    /// Ones of which the log holds, or held, other bytes: nothing was done with them.
    pub differing: u64,
    /// Their ids, the first hundred.
    pub differing_ids: Vec<Uuid>,
}

impl Retention {
    /// Checks every archive of the place to its last byte, then brings back what it holds. Decisions are passed over:
    /// the log never gave them away.
    ///
    /// # Errors
    /// When an archive is not what its manifest says (then nothing was brought back), or a store does not do its part.
    /// Running again goes on.
    pub async fn import(&self, ask: &Import, progress: &Progress) -> Result<Imported, RetentionError> {
        let archives = self.checked(ask, progress).await?;
        let mut report =
            Imported { archives: u64::try_from(archives.len()).unwrap_or(u64::MAX), ..Imported::default() };
        progress.say("waits for its turn");
        // Nothing is removed while it comes back.
        let _one = self.0.sizes.lock().await;
        progress.say("bringing deliveries back");
        for archive in &archives {
            let reason = format!(
                "imported from {}, manifest sha256 {}",
                archive.shown(),
                hex::encode(archive.manifest_sha256())
            );
            for file in &archive.manifest().files {
                let lines = archive.records(file).await?;
                for batch in batches(lines) {
                    go_on(progress, || format!("{} deliveries were brought back", report.returned + report.added))?;
                    let size = u64::try_from(batch.len()).unwrap_or(u64::MAX);
                    self.bring_back(batch, (&ask.by, &reason), &mut report).await?;
                    progress.advance(size);
                }
            }
        }
        for id in &report.differing_ids {
            tracing::warn!(delivery_id = %id, "an imported delivery has other bytes than the log holds or held; it was left out");
        }
        Ok(report)
    }

    /// The archives of the place; all of them are whole, and every line is the delivery that it says.
    async fn checked(&self, ask: &Import, progress: &Progress) -> Result<Vec<Archive>, RetentionError> {
        if let ArchiveUrl::Directory(folder) = &ask.from
            && !folder.is_dir()
        {
            return Err(RetentionError::NoFolder(folder.display().to_string()));
        }
        let configured = self.0.config.evidence.archive.as_ref();
        let bucket = configured.map_or_else(config::Bucket::default, |archive| archive.bucket.clone());
        let place = Place::open(&config::Archive { url: ask.from.clone(), bucket })?;
        let (mut archives, mut total) = (Vec::new(), 0);
        for name in find(&place).await? {
            progress.say(format!("checking {name}"));
            go_on(progress, || "nothing was brought back".to_owned())?;
            let Some(archive) = Archive::open(place.inside(&name)).await? else { continue };
            let mut misnamed = None;
            archive.verify(|line| misnamed = misnamed.or_else(|| (!is_named(line)).then_some(line.seq))).await?;
            if let Some(seq) = misnamed {
                return Err(RetentionError::Misnamed { place: archive.shown().to_owned(), seq });
            }
            total += archive.manifest().deliveries;
            archives.push(archive);
        }
        progress.set_total(total);
        Ok(archives)
    }

    async fn bring_back(
        &self,
        batch: Vec<Part>,
        (by, reason): (&str, &str),
        report: &mut Imported,
    ) -> Result<(), RetentionError> {
        let (evidence, facts) = (self.0.evidence.clone(), self.facts(by, reason));
        let parts: Vec<(Bytes, Bytes)> = batch.iter().map(|part| (part.meta.clone(), part.body.clone())).collect();
        let answers = blocking(move || Ok(evidence.rehydrate_raw(parts, facts)?)).await?;
        let (mut here, mut new) = (Vec::new(), Vec::new());
        for (part, answer) in batch.into_iter().zip(answers) {
            report.deliveries += 1;
            match answer {
                Rehydrated::Back => {
                    report.returned += 1;
                    here.push(part.id);
                }
                Rehydrated::AlreadyThere => {
                    report.known += 1;
                    // A crash may have come between its return and this note.
                    here.push(part.id);
                }
                Rehydrated::Erased => report.erased += 1,
                Rehydrated::Differs => {
                    report.differing += 1;
                    if report.differing_ids.len() < LISTED_MAX {
                        report.differing_ids.push(part.id);
                    }
                }
                Rehydrated::NoStub => new.push(part),
            }
        }
        self.0.ledger.mark_returned(here).await?;
        for part in new {
            let delivery = Delivery::of_parts(part.meta, part.body).map_err(RetentionError::Defect)?;
            match self.0.evidence.append(delivery).await?.stored {
                Stored::New => report.added += 1,
                Stored::Repeat => report.repeats += 1,
            }
        }
        Ok(())
    }
}

/// A delivery of an archive.
struct Part {
    id: Uuid,
    meta: Bytes,
    body: Bytes,
}

/// The deliveries, in writes of bounded size.
fn batches(lines: Vec<Line>) -> Vec<Vec<Part>> {
    let (mut all, mut batch, mut bytes) = (Vec::new(), Vec::new(), 0_usize);
    for line in lines {
        let RecordKind::Delivery { id, .. } = line.record else { continue };
        let size = line.meta.len().saturating_add(line.body.len());
        if !batch.is_empty() && (BATCH.0 <= batch.len() || BATCH.1 < bytes.saturating_add(size)) {
            all.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        bytes = bytes.saturating_add(size);
        batch.push(Part { id, meta: line.meta, body: line.body });
    }
    if !batch.is_empty() {
        all.push(batch);
    }
    all
}

/// Whether a line's bytes are the delivery that it names. Decisions are not used.
fn is_named(line: &Line) -> bool {
    let RecordKind::Delivery { id, .. } = line.record else { return true };
    Delivery::of_parts(line.meta.clone(), line.body.clone()).is_ok_and(|delivery| delivery.id == id)
}
