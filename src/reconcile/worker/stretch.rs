//! One stretch of blocks: asked of every node, judged, and written with what was found.

use std::collections::BTreeSet;

use super::{Chain, Ground, known};
use crate::chain::{Header, NodeAnswer};
use crate::ledger::{LedgerError, ScanBatch, ScanCursor, ScanFind, Scanned};
use crate::model::EventId;
use crate::reconcile::find::{self, Hit, Known};
use crate::reconcile::plan::{self, Blocks, Mark, Watch};
use crate::reconcile::sweep::{self, Said, Swept};
use crate::telemetry::metrics::Chain as ChainLabel;

/// Hits of one stretch; more are asked for in fewer blocks.
const HITS_MAX: usize = 5_000;

/// A stretch, and all that it stands on.
pub(super) struct Stretch<'a> {
    pub(super) chain: &'a Chain,
    pub(super) ground: &'a Ground,
    pub(super) watch: &'a Watch,
    pub(super) cursor: &'a ScanCursor,
    pub(super) blocks: Blocks,
}

/// What becomes of the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cursor {
    /// It moves to the end of the stretch.
    Moves,
    /// It stays where it is.
    Stays,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// Written.
    Written,
    /// Enough nodes have the blocks and too few gave the logs.
    TooMuch,
    /// Too few nodes have the blocks.
    TooFew,
    /// A transaction is in doubt.
    Unclear,
    /// The cursor stands on a block that enough nodes do not have.
    Replaced,
    /// The cursor has moved.
    Stale,
}

impl Stretch<'_> {
    /// Searches the stretch for these marks, and writes what was found together with the cursor.
    pub(super) async fn take(&self, marks: &BTreeSet<Mark>, moves: Cursor) -> Result<Taken, LedgerError> {
        let (end, logs, nodes) = match self.sweep(marks).await {
            Swept::Counted { end, logs, nodes } => (end, logs, nodes),
            Swept::Replaced => return Ok(Taken::Replaced),
            Swept::TooMuch => return Ok(Taken::TooMuch),
            Swept::TooFew => return Ok(Taken::TooFew),
        };
        let contracts = &self.ground.active.chain.contracts;
        let hits = find::hits(&logs, |log| self.watch.mark(contracts, log).filter(|mark| marks.contains(mark)));
        if HITS_MAX < hits.len() && self.blocks.from < self.blocks.to {
            return Ok(Taken::TooMuch);
        }
        let Some(finds) = self.finds(&hits, &nodes).await? else { return Ok(Taken::Unclear) };
        let stands = (self.cursor.height, self.cursor.block_hash);
        let told: Vec<(String, String)> = finds
            .iter()
            .map(|find| (find.sighting.tx_hash.to_string(), find.sighting.expectation_id.clone()))
            .collect();
        let batch = ScanBatch {
            chain_id: self.ground.active.chain.chain_id,
            from: Some(stands),
            to: match moves {
                Cursor::Moves => (self.blocks.to, end),
                Cursor::Stays => stands,
            },
            now_us: self.ground.now_us,
            finds,
        };
        match self.chain.shared.ledger.take_scanned(batch).await? {
            Scanned::Taken(made) => {
                self.tell(&made, &told);
                Ok(Taken::Written)
            }
            Scanned::Stale => Ok(Taken::Stale),
        }
    }

    /// Asks every node.
    async fn sweep(&self, marks: &BTreeSet<Mark>) -> Swept {
        let (chain, ground) = (self.chain, self.ground);
        let at_cursor = chain.shared.reader.header_at(&chain.name, self.cursor.height).await;
        let mut logs: Vec<Option<Vec<_>>> = vec![Some(Vec::new()); ground.stands.len()];
        for filter in plan::filters(marks, &ground.active.chain.contracts) {
            let answers = chain.shared.reader.logs(&chain.name, &filter, self.blocks).await;
            for (kept, answer) in logs.iter_mut().zip(answers) {
                match (kept.as_mut(), answer.answer) {
                    (Some(kept), Ok(more)) => kept.extend(more),
                    (Some(_), Err(_)) | (None, _) => *kept = None,
                }
            }
        }
        // After the logs: who has the block now had its logs a moment ago.
        let at_end = chain.shared.reader.header_at(&chain.name, self.blocks.to).await;
        let covers = plan::covers(&known(&ground.stands), ground.active.chain.finality.max_confirmations());
        let mut covers = covers.into_iter();
        let hash = |answer: &NodeAnswer<Option<Header>>| Some(answer.answer.as_ref().ok()?.as_ref()?.hash);
        let nodes = ground.stands.iter().zip(logs).zip(at_cursor.iter().zip(&at_end));
        let said = nodes.map(|((stand, logs), (at_cursor, at_end))| Said {
            node: stand.node.clone(),
            owner: stand.owner.clone(),
            covers: stand.answer.as_ref().ok().and_then(|_| covers.next().flatten()),
            at_cursor: hash(at_cursor),
            at_end: hash(at_end),
            logs,
        });
        sweep::judge(ground.policy, (self.cursor.height, self.cursor.block_hash), self.blocks.to, said.collect())
    }

    /// What the hits are that no event is about; none when the nodes that saw them do not say the same of one.
    async fn finds(&self, hits: &[Hit], nodes: &BTreeSet<String>) -> Result<Option<Vec<ScanFind>>, LedgerError> {
        let (chain, active) = (self.chain, &self.ground.active.chain);
        let mut finds = Vec::new();
        for hit in hits {
            let candidates = find::candidates(hit, self.watch.paid_by(&hit.mark));
            let sightings: Vec<_> = candidates.iter().map(|target| find::sighting(active, hit, target)).collect();
            let all = sightings.len();
            if all == 0 || chain.shared.ledger.unannounced(sightings).await?.len() < all {
                continue;
            }
            let mut answers = chain.shared.reader.receipt(&chain.name, hit.tx_hash).await;
            answers.retain(|node| nodes.contains(&node.node));
            let receipt = match find::known(self.ground.policy, &answers) {
                Known::Receipt(receipt) => receipt,
                Known::Unclear => return Ok(None),
                // Their final blocks do not have it: one node made it up, and verification would never find it.
                Known::Unknown => {
                    tracing::warn!(chain = chain.name, tx_hash = %hit.tx_hash, "a node shows logs of a transaction that enough nodes do not know");
                    continue;
                }
            };
            let facts = |target: &_| find::facts(&chain.shared.config.sources, target, self.ground.now_us);
            finds.extend(find::find(active, &receipt, hit, &candidates, facts));
        }
        Ok(Some(finds))
    }

    /// Whoever runs this has to hear of it: a webhook was lost.
    fn tell(&self, made: &[Option<EventId>], told: &[(String, String)]) {
        let chain = self.chain;
        for (event_id, (tx_hash, expectation)) in made.iter().zip(told) {
            let Some(event_id) = event_id else { continue };
            tracing::warn!(chain = chain.name, %event_id, tx_hash, expectation, "found money that no webhook announced");
            chain.shared.metrics.scanned_payments.get_or_create(&ChainLabel::of(&chain.name)).inc();
        }
        if made.iter().any(Option::is_some) {
            chain.shared.wakes.verify.wake();
        }
    }
}
