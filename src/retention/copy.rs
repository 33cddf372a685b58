//! Copies of records for somewhere else: nothing is removed.

use evidence_store::Entry;
use serde::Serialize;
use uuid::Uuid;

use super::keep::{self, Wanted};
use super::prune::Kept;
use super::{Retention, RetentionError, blocking, go_on};
use crate::jobs::Progress;

/// Records read at once, and about how many bytes.
const CHUNK: (usize, usize) = (512, 8 << 20);
/// Records of one archive, and their bytes.
const ARCHIVE_RECORDS: usize = 20_000;
const ARCHIVE_BYTES: u64 = 1 << 30;

/// Which records; microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, Default)]
pub struct Range {
    /// Received, or decided, at or after.
    pub since_us: Option<i64>,
    /// Before.
    pub until_us: Option<i64>,
}

impl Range {
    fn has(self, at_us: i64) -> bool {
        self.since_us.is_none_or(|since| since <= at_us) && self.until_us.is_none_or(|until| at_us < until)
    }
}

/// What was copied.
#[derive(Debug, Default, Serialize)]
pub struct Copied {
    /// Deliveries.
    pub deliveries: u64,
    /// Decisions.
    pub decisions: u64,
    /// Deliveries of the range whose bytes are gone.
    pub removed: u64,
    /// Where they are.
    pub archives: Vec<Kept>,
}

/// Records on their way into an archive.
#[derive(Default)]
struct Gathered {
    wanted: Vec<Wanted>,
    bytes: u64,
}

impl Retention {
    /// Writes every record of the range that the log has now to the configured archive. Of the same records the same
    /// archives come out: what is there already, whole, is not written again.
    ///
    /// # Errors
    /// When no archive is configured, or it or a store does not do its part.
    pub async fn copy(&self, range: Range, progress: &Progress) -> Result<Copied, RetentionError> {
        let place = self.place()?.ok_or(RetentionError::NoArchive)?;
        let head = self.0.evidence.head().seq;
        progress.set_total(head);
        let (mut report, mut gathered, mut seq) = (Copied::default(), Gathered::default(), 0);
        while seq < head {
            go_on(progress, || format!("{} archives were written", report.archives.len()))?;
            let (evidence, after) = (self.0.evidence.clone(), seq);
            let records = blocking(move || Ok(evidence.read_after(after, CHUNK.0, CHUNK.1)?)).await?;
            let Some(last) = records.last().map(|record| record.seq) else { break };
            for record in records.into_iter().filter(|record| record.seq <= head) {
                match record.entry {
                    Entry::Delivery(delivery) if range.has(delivery.received_us) => {
                        let known = self.0.ledger.delivery(delivery.id).await?;
                        let event_id = known.and_then(|known| known.event_id).map(|event| event.0);
                        gathered.push(Wanted { seq: record.seq, id: delivery.id, event_id }, delivery.size_bytes());
                        self.0.metrics.archived(&delivery.source).inc();
                    }
                    Entry::Decision(decision) if range.has(decision.at_us) => {
                        let bytes = u64::try_from(decision.body.len()).unwrap_or(u64::MAX);
                        gathered.push(Wanted { seq: record.seq, id: Uuid::nil(), event_id: None }, bytes);
                    }
                    Entry::Stub(stub) if range.has(stub.received_us) => report.removed += 1,
                    Entry::Delivery(_) | Entry::Decision(_) | Entry::Stub(_) => {}
                }
                if ARCHIVE_RECORDS <= gathered.wanted.len() || ARCHIVE_BYTES <= gathered.bytes {
                    self.put_away(&place, std::mem::take(&mut gathered), &mut report, progress).await?;
                }
            }
            progress.advance(last.min(head).saturating_sub(seq));
            seq = last;
        }
        self.put_away(&place, gathered, &mut report, progress).await?;
        Ok(report)
    }

    async fn put_away(
        &self,
        place: &crate::archive::Place,
        gathered: Gathered,
        report: &mut Copied,
        progress: &Progress,
    ) -> Result<(), RetentionError> {
        let Some(name) = keep::name(self.0.evidence.log_id(), &gathered.wanted) else { return Ok(()) };
        if let Some(written) = self.write(place, &name, &gathered.wanted, progress).await? {
            report.deliveries += written.manifest.deliveries;
            report.decisions += written.manifest.decisions;
            report.archives.push(Kept::of(&written));
        }
        Ok(())
    }
}

impl Gathered {
    fn push(&mut self, wanted: Wanted, bytes: u64) {
        self.wanted.push(wanted);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}
