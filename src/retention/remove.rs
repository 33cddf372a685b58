//! Stubs take the place of deliveries, a small batch at a time: each is one synced write that acks wait behind.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use evidence_store::{Facts, StubEvent, StubTransfer};
use uuid::Uuid;

use super::plan::Rule;
use super::select::Chosen;
use super::sizes::Sizes;
use super::{Retention, RetentionError, blocking, go_on};
use crate::jobs::Progress;
use crate::ledger::{LedgerStub, RemovedHow};

/// Deliveries of one synced write.
const BATCH: usize = 64;
/// The log rests for so many times as long as a batch took, so that acks have the disk most of the time.
const REST: u32 = 4;
/// And at least this long.
const REST_MIN: Duration = Duration::from_millis(20);

/// What went.
#[derive(Debug, Default)]
pub(super) struct Removed {
    pub(super) deliveries: u64,
    pub(super) bytes: u64,
    /// Kept by a hold that came meanwhile.
    pub(super) held: u64,
}

impl Retention {
    /// Removes those of the chosen ones that may still go: what has to stay of each is asked for again, as an archive
    /// may have taken its time.
    pub(super) async fn remove(
        &self,
        rule: &Rule,
        chosen: &[Chosen],
        (by, reason): (&str, &str),
        sizes: &mut Sizes,
        progress: &Progress,
    ) -> Result<Removed, RetentionError> {
        let mut gone = Removed::default();
        let (Some(first), Some(last)) = (chosen.first(), chosen.last()) else { return Ok(gone) };
        let wanted: HashMap<Uuid, (u64, u64)> = chosen.iter().map(|one| (one.id, (one.seq, one.bytes))).collect();
        let mut after = Some(first.seq.saturating_sub(1));
        while let Some(from) = after.filter(|from| *from < last.seq) {
            go_on(progress, || format!("{} deliveries of {} were removed", gone.deliveries, rule.source))?;
            let page = self.0.ledger.prunable(&rule.source, rule.limit(), from, BATCH).await?;
            after = page.next_seq;
            let batch: Vec<(Uuid, Option<StubEvent>)> = page
                .items
                .into_iter()
                .filter(|item| wanted.contains_key(&item.delivery_id))
                .map(|item| (item.delivery_id, item.stub.map(stub)))
                .collect();
            if batch.is_empty() {
                continue;
            }
            let began = Instant::now();
            let (evidence, facts) = (self.0.evidence.clone(), self.facts(by, reason));
            let pruned = blocking(move || Ok(evidence.prune(batch, facts)?)).await?;
            let deliveries = u64::try_from(pruned.removed.len()).unwrap_or(u64::MAX);
            let mut bytes = 0;
            for (seq, size) in pruned.removed.iter().filter_map(|id| wanted.get(id)) {
                sizes.removed(&rule.source, *seq, *size);
                bytes += size;
            }
            gone.deliveries += deliveries;
            gone.bytes += bytes;
            gone.held += u64::try_from(pruned.held.len()).unwrap_or(u64::MAX);
            self.0.metrics.pruned(&rule.source, deliveries, bytes);
            progress.advance(deliveries);
            let noted = pruned.removed.into_iter().map(|id| (id, RemovedHow::Pruned)).collect();
            self.0.ledger.mark_removed(noted, self.now_us()).await?;
            tokio::time::sleep((began.elapsed() * REST).max(REST_MIN)).await;
        }
        Ok(gone)
    }

    pub(super) fn facts(&self, by: &str, reason: &str) -> Facts {
        Facts { at_us: self.now_us(), by: by.to_owned(), reason: reason.to_owned() }
    }
}

/// What the ledger says has to stay, as the log keeps it.
#[must_use]
pub fn stub(known: LedgerStub) -> StubEvent {
    let transfers = known.transfers.into_iter().map(|transfer| StubTransfer {
        chain_id: transfer.chain_id,
        tx_hash: transfer.tx_hash,
        slot: transfer.slot,
        block_hash: transfer.block_hash,
        block_number: transfer.block_number,
        tx_index: transfer.tx_index,
        amount: transfer.amount,
        token: transfer.token,
        recipient: transfer.recipient,
        claimed: transfer.claimed,
    });
    StubEvent {
        event_id: known.event_id.0,
        identities: known.identities,
        state_version: known.state_version,
        state: known.state.as_str().to_owned(),
        code: known.code.map(|code| code.as_str().to_owned()),
        payment_id: known.payment_id,
        transfers: transfers.collect(),
        facts: Some(Bytes::from(known.facts)),
        expectation_id: known.expectation_id,
        join: known.join,
    }
}
