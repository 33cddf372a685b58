//! How many bytes each source has in the log. Only a limit on bytes asks; then the log is read once after a start, and
//! from there on only what is new.

use std::collections::BTreeMap;
use std::time::Duration;

use evidence_store::{Entry, Store};

use super::{RetentionError, blocking, go_on};
use crate::jobs::Progress;

/// Records read at once, and about how many bytes.
const CHUNK: (usize, usize) = (512, 8 << 20);
/// Between two chunks: acks read from the same disk.
const PAUSE: Duration = Duration::from_millis(2);

/// Bytes of bodies and headers as they came, by source.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    /// Everything up to this record is counted.
    through: u64,
    /// Stubs there should be; another number means that somebody else removed or brought back.
    stubs: u64,
    of: BTreeMap<String, u64>,
}

impl Sizes {
    /// Bytes of a source, up to date.
    pub(super) async fn of(
        &mut self,
        evidence: &Store,
        source: &str,
        progress: &Progress,
    ) -> Result<u64, RetentionError> {
        if evidence.counts().stubs != self.stubs {
            *self = Self { stubs: evidence.counts().stubs, ..Self::default() };
        }
        let head = evidence.head().seq;
        if self.through < head {
            progress.say("counting bytes");
        }
        while self.through < head {
            go_on(progress, || "nothing was removed while bytes were counted".to_owned())?;
            let (store, after) = (evidence.clone(), self.through);
            let records = blocking(move || Ok(store.read_after(after, CHUNK.0, CHUNK.1)?)).await?;
            let Some(last) = records.last().map(|record| record.seq) else { break };
            for record in records {
                if let Entry::Delivery(delivery) = record.entry {
                    let bytes = self.of.entry(delivery.source.clone()).or_default();
                    *bytes = bytes.saturating_add(delivery.size_bytes());
                }
            }
            self.through = last;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(self.of.get(source).copied().unwrap_or(0))
    }

    /// A delivery was removed.
    pub(super) fn removed(&mut self, source: &str, seq: u64, bytes: u64) {
        self.stubs = self.stubs.saturating_add(1);
        if let Some(left) = self.of.get_mut(source).filter(|_| seq <= self.through) {
            *left = left.saturating_sub(bytes);
        }
    }
}
