//! The loop of each chain: read what is watched, ask for the next blocks, write what was found with the cursor.
//!
//! It keeps nothing that a crash would lose: the cursor moves in the transaction that makes the events, and what is asked
//! twice makes no second event. Blocks that too few nodes answered for are asked for again, fewer at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use self::stretch::{Cursor, Stretch, Taken};
use super::Look;
use super::plan::{self, Blocks, Mark, Watch};
use crate::chain::{NodeAnswer, Stand};
use crate::clock::Clock;
use crate::config::{ActiveChain, Config};
use crate::ledger::{Ledger, LedgerError, ScanBatch, ScanCursor, Scanned};
use crate::task::{self, Stop, Wakes};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::Chain as ChainLabel;
use crate::verify::in_force::InForce;
use crate::verify::quorum::Policy;

mod stretch;

/// Between looks at a chain that is searched up to its end: so many polls of its head. Final blocks come in portions, and
/// each look costs calls.
const POLLS_BETWEEN: u32 = 15;

/// Stretches that have to be answered in a row before more blocks are asked for at once again.
const CALM: u32 = 20;

/// Most expectations watched on one chain. Beyond it the search stands still and says so: whom it left out, nobody knew.
const TARGETS_MAX: usize = 50_000;

/// The stage.
pub struct Worker {
    ledger: Arc<dyn Ledger>,
    reader: Arc<dyn Look>,
    config: Arc<Config>,
    in_force: InForce,
    clock: Clock,
    metrics: Metrics,
    wakes: Wakes,
}

/// What the loop of one chain works with.
struct Chain {
    name: String,
    poll: Duration,
    shared: Arc<Worker>,
}

/// What the loop remembers; a restart may forget it.
struct Memory {
    /// Blocks asked for at once.
    width: u64,
    /// Stretches since that changed.
    calm: u32,
    /// Marks that the blocks behind the cursor were searched for.
    looked_back: BTreeSet<Mark>,
    /// Marks that they are being searched for, and what is left of them.
    looking_back: Option<(BTreeSet<Mark>, Blocks)>,
    /// The cursor moves next, so that new expectations cannot keep it where it is.
    forward_next: bool,
    /// It was said that the search stands still.
    is_told: bool,
}

/// What one step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// There is more.
    More,
    /// It is tried once more, otherwise.
    Again,
    /// Everything that is final is searched.
    Done,
    /// It cannot go on now, for this reason.
    Stuck(&'static str),
}

/// What one step stands on.
struct Ground {
    active: ActiveChain,
    policy: Policy,
    stands: Vec<NodeAnswer<Stand>>,
    agreed: u64,
    now_us: i64,
}

// === impl Worker ===

impl Worker {
    /// A worker; asks nothing before [`Worker::run`].
    #[must_use]
    pub fn new(
        ledger: Arc<dyn Ledger>,
        reader: Arc<dyn Look>,
        config: Arc<Config>,
        in_force: InForce,
        clock: Clock,
        metrics: Metrics,
        wakes: Wakes,
    ) -> Self {
        Self { ledger, reader, config, in_force, clock, metrics, wakes }
    }

    /// Searches every chain until stop is said. What is being asked then is asked again after the next start.
    pub async fn run(self, mut stop: Stop) {
        let (mut chains, shared) = (Vec::new(), Arc::new(self));
        for (name, active) in shared.config.chains.iter().filter(|_| shared.config.verification.scan) {
            let chain = Chain { name: name.clone(), poll: active.poll, shared: Arc::clone(&shared) };
            chains.push(task::spawn("reconcile.chain", chain.run(stop.clone())));
        }
        stop.wait().await;
        for chain in chains {
            drop(chain.await);
        }
    }
}

// === impl Memory ===

impl Memory {
    fn new(width: u64) -> Self {
        let (looked_back, looking_back) = (BTreeSet::new(), None);
        Self { width, calm: 0, looked_back, looking_back, forward_next: false, is_told: false }
    }
}

// === impl Chain ===

impl Chain {
    async fn run(self, mut stop: Stop) {
        let mut memory = Memory::new(self.shared.config.verification.scan_range_blocks);
        let pause = self.poll.saturating_mul(POLLS_BETWEEN);
        while !stop.is_set() {
            let step = tokio::select! {
                step = self.step(&mut memory) => step,
                () = stop.wait() => return,
            };
            let wait = match step {
                Ok(Step::More) => Duration::ZERO,
                Ok(Step::Again) => self.poll,
                Ok(Step::Done) => pause,
                Ok(Step::Stuck(why)) => {
                    self.tell(&mut memory, why);
                    self.poll
                }
                Err(error) => {
                    tracing::warn!(chain = self.name, %error, "the search for unannounced payments waits for the ledger");
                    pause
                }
            };
            if !wait.is_zero() {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = stop.wait() => {}
                }
            }
        }
    }

    /// Once, until it goes on.
    fn tell(&self, memory: &mut Memory, why: &'static str) {
        if !std::mem::replace(&mut memory.is_told, true) {
            tracing::warn!(chain = self.name, why, "the search for unannounced payments stands still");
        }
    }

    async fn step(&self, memory: &mut Memory) -> Result<Step, LedgerError> {
        let Some(ground) = self.ground().await else { return Ok(Step::Stuck("too few nodes show final blocks")) };
        let chain = &ground.active.chain;
        let (chain_id, watched) = (chain.chain_id, self.shared.config.verification.late_watch);
        let since_us = ground.now_us.saturating_sub(i64::try_from(watched.as_micros()).unwrap_or(i64::MAX));
        let targets = self.shared.ledger.scan_targets(chain_id, since_us, TARGETS_MAX.saturating_add(1)).await?;
        if TARGETS_MAX < targets.len() {
            return Ok(Step::Stuck("there are more open expectations than can be watched"));
        }
        let watch = Watch::of(targets);
        let Some(cursor) = self.shared.ledger.scan_cursor(chain_id).await? else {
            let first = plan::first(ground.agreed, watch.oldest_us(), ground.now_us, watched, chain.block_time_ms);
            return self.put_cursor(&ground, None, first).await;
        };
        self.report(&ground, cursor.height);
        if let Some(step) = self.look_back(memory, &ground, &watch, &cursor).await? {
            return Ok(step);
        }
        memory.forward_next = false;
        let Some(blocks) = plan::next(cursor.height, ground.agreed, memory.width) else { return Ok(Step::Done) };
        let stretch = self.stretch(&ground, &watch, &cursor, blocks);
        let taken = stretch.take(&watch.marks(), Cursor::Moves).await?;
        self.after(memory, &ground, &cursor, taken).await
    }

    fn stretch<'a>(
        &'a self,
        ground: &'a Ground,
        watch: &'a Watch,
        cursor: &'a ScanCursor,
        blocks: Blocks,
    ) -> Stretch<'a> {
        Stretch { chain: self, ground, watch, cursor, blocks }
    }

    /// The blocks behind the cursor, for expectations that were not watched when it passed them. None when there is
    /// nothing to look back for, or it is the cursor's turn.
    async fn look_back(
        &self,
        memory: &mut Memory,
        ground: &Ground,
        watch: &Watch,
        cursor: &ScanCursor,
    ) -> Result<Option<Step>, LedgerError> {
        let marks = watch.marks();
        memory.looked_back.retain(|mark| marks.contains(mark));
        if memory.looking_back.is_none() && !memory.forward_next {
            let new: BTreeSet<Mark> = marks.difference(&memory.looked_back).copied().collect();
            let blocks = plan::look_back(cursor.height, ground.active.chain.block_time_ms);
            memory.looking_back = (!new.is_empty()).then_some((new, blocks));
        }
        let Some((new, left)) = memory.looking_back.clone() else { return Ok(None) };
        let until = left.to.min(cursor.height);
        let Some(blocks) = plan::next(left.from.saturating_sub(1), until, memory.width) else {
            memory.looked_back.extend(new);
            (memory.looking_back, memory.forward_next) = (None, true);
            return Ok(Some(Step::More));
        };
        // Block 0 holds no payments, so that nothing is missed by beginning behind the one before.
        let taken = self.stretch(ground, watch, cursor, blocks).take(&new, Cursor::Stays).await?;
        if taken == Taken::Written {
            let from = blocks.to.saturating_add(1);
            memory.looking_back = Some((new, Blocks { from, to: left.to }));
        }
        self.after(memory, ground, cursor, taken).await.map(Some)
    }

    /// What a stretch means for the next one.
    async fn after(
        &self,
        memory: &mut Memory,
        ground: &Ground,
        cursor: &ScanCursor,
        taken: Taken,
    ) -> Result<Step, LedgerError> {
        match taken {
            Taken::Written => {
                memory.is_told = false;
                memory.calm = memory.calm.saturating_add(1);
                if CALM <= memory.calm {
                    memory.width =
                        memory.width.saturating_mul(2).min(self.shared.config.verification.scan_range_blocks);
                    memory.calm = 0;
                }
                Ok(Step::More)
            }
            Taken::TooMuch if 1 < memory.width => {
                (memory.width, memory.calm) = (memory.width / 2, 0);
                tracing::debug!(chain = self.name, width = memory.width, "fewer blocks are asked for at once");
                Ok(Step::Again)
            }
            Taken::TooMuch => Ok(Step::Stuck("too few nodes answer for the logs of a single block")),
            Taken::TooFew => Ok(Step::Stuck("too few nodes have the same final blocks")),
            Taken::Unclear => Ok(Step::Stuck("too few nodes say the same of a transaction")),
            Taken::Stale => Ok(Step::Stuck("another process moved the cursor")),
            Taken::Replaced => {
                tracing::error!(
                    chain = self.name,
                    height = cursor.height,
                    was = %cursor.block_hash,
                    "blocks that were final were replaced: they are searched again"
                );
                let back = plan::rewound(cursor.height, ground.active.chain.reorg_window_blocks);
                memory.looking_back = None;
                self.put_cursor(ground, Some(cursor), back).await
            }
        }
    }

    /// What is so now; none when too few nodes say how far the chain is final, or nothing is confirmed on it.
    async fn ground(&self) -> Option<Ground> {
        let rules = self.shared.in_force.now();
        let active = rules.chains.get(&self.name).filter(|_| !rules.stopped.contains(&self.name))?.clone();
        let policy = Policy::of(&active);
        let stands = self.shared.reader.stands(&self.name).await;
        let known = known(&stands);
        let deepest = active.chain.finality.max_confirmations();
        let agreed = plan::agreed(policy, &known, deepest, active.chain.block_time_ms)?;
        let now_us = self.shared.clock.now().as_microsecond();
        Some(Ground { active, policy, stands, agreed, now_us })
    }

    /// Puts the cursor on a block that enough nodes have, without searching anything.
    async fn put_cursor(&self, ground: &Ground, from: Option<&ScanCursor>, height: u64) -> Result<Step, LedgerError> {
        let answers = self.shared.reader.header_at(&self.name, height).await;
        let hashes: Vec<_> = answers
            .iter()
            .filter_map(|node| Some((node.owner.as_str(), node.answer.as_ref().ok()?.as_ref()?.hash)))
            .collect();
        let agreed = hashes.iter().find(|(_, hash)| {
            ground.policy.is_met_by(hashes.iter().filter(|(_, other)| other == hash).map(|(owner, _)| *owner))
        });
        let Some((_, hash)) = agreed else { return Ok(Step::Stuck("too few nodes have the same final blocks")) };
        let batch = ScanBatch {
            chain_id: ground.active.chain.chain_id,
            from: from.map(|cursor| (cursor.height, cursor.block_hash)),
            to: (height, *hash),
            now_us: ground.now_us,
            finds: Vec::new(),
        };
        match self.shared.ledger.take_scanned(batch).await? {
            Scanned::Taken(_) => {
                tracing::info!(chain = self.name, height, "unannounced payments are searched for from this block on");
                Ok(Step::More)
            }
            Scanned::Stale => Ok(Step::Stuck("another process moved the cursor")),
        }
    }

    fn report(&self, ground: &Ground, height: u64) {
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let label = ChainLabel::of(&self.name);
        self.shared.metrics.scan_height.get_or_create(&label).set(gauge(height));
        self.shared.metrics.scan_lag.get_or_create(&label).set(gauge(ground.agreed.saturating_sub(height)));
    }
}

/// The nodes that said how far they go.
fn known(stands: &[NodeAnswer<Stand>]) -> Vec<(&str, Stand)> {
    stands.iter().filter_map(|node| Some((node.owner.as_str(), *node.answer.as_ref().ok()?))).collect()
}

#[cfg(test)]
mod tests;
