//! Follows the heads of one chain and wakes what waits for them, or stands on blocks that were replaced.
//!
//! It judges nothing: woken events are looked at, and enough nodes decide. A chain that nobody waits for is polled now
//! and then only, to notice nodes that are gone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::in_force::InForce;
use super::quorum::{self, Policy};
use crate::chain::{Polled, Reader};
use crate::clock::Clock;
use crate::config::ActiveChain;
use crate::ledger::{Ledger, LedgerError, Reached, Who};
use crate::task::{Stop, Wake, Wakes};

/// Between polls of a chain that nothing waits for.
const IDLE: Duration = Duration::from_secs(60);
/// Events are woken in portions; so many calls at a time, the rest with the next poll.
const PORTIONS_MAX: usize = 100;

/// Say to whoever follows a chain that something on it matters.
#[derive(Clone, Default)]
pub(super) struct Hints {
    /// Something begins to wait for it: it is polled at once.
    pub(super) waits: Wake,
    /// Something stands on one of its blocks: polls are not rare any more.
    pub(super) stands: Wake,
}

/// Follows one chain.
pub(super) struct Follower {
    pub(super) name: String,
    pub(super) chain: ActiveChain,
    pub(super) reader: Arc<dyn Reader>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) in_force: InForce,
    pub(super) clock: Clock,
    pub(super) wakes: Wakes,
    pub(super) hints: Hints,
}

impl Follower {
    /// Follows until stop is said.
    pub(super) async fn run(self, stop: Stop) {
        let announced = Wake::default();
        tokio::select! {
            () = self.follow(&announced, stop) => {}
            () = self.reader.listen(&self.name, announced.clone()) => {}
        }
    }

    /// Polls at intervals, and when a block was announced. What stood on blocks when the process ended is looked at once:
    /// what was replaced meanwhile, nobody saw.
    async fn follow(&self, announced: &Wake, mut stop: Stop) {
        let mut lost_from = Some(0);
        while !stop.is_set() {
            let polled = tokio::select! {
                polled = self.reader.poll(&self.name) => polled,
                () = stop.wait() => return,
            };
            let (wait, is_idle) = match self.tell(&polled, lost_from).await {
                Ok(true) => (self.chain.poll, false),
                Ok(false) => (IDLE.max(self.chain.poll), true),
                Err(error) => {
                    tracing::warn!(chain = self.name, %error, "heads could not be told to the ledger");
                    // Lost blocks are told again: forgetting them would leave payments on them unseen.
                    lost_from = [lost_from, polled.lost_from].into_iter().flatten().min();
                    tokio::select! {
                        () = tokio::time::sleep(self.chain.poll) => {}
                        () = stop.wait() => {}
                    }
                    continue;
                }
            };
            lost_from = None;
            tokio::select! {
                () = self.hints.waits.wait(wait) => {}
                () = self.hints.stands.wait(wait), if is_idle => {}
                () = self.next_block(announced), if !is_idle => {}
                () = stop.wait() => {}
            }
        }
    }

    /// A block was announced, half a block's time after the last poll at the earliest: whoever announces more of them
    /// than there are does not make polls.
    async fn next_block(&self, announced: &Wake) {
        let half = Duration::from_millis(self.chain.chain.block_time_ms / 2).min(self.chain.poll);
        tokio::time::sleep(half).await;
        announced.wait(Duration::MAX).await;
    }

    /// Tells the ledger what was seen; whether anything waits for the chain.
    async fn tell(&self, polled: &Polled, missed: Option<u64>) -> Result<bool, LedgerError> {
        let (chain_id, policy) = (self.chain.chain.chain_id, Policy::of(&self.chain));
        let now_us = self.clock.now().as_microsecond();
        if !polled.deep.is_empty() {
            self.stop_on_deep_reorganisation(policy, polled, now_us).await?;
        }
        let mut woken = 0_u64;
        if let Some(from) = [missed, polled.lost_from].into_iter().flatten().min() {
            for _ in 0..PORTIONS_MAX {
                let portion = self.ledger.wake_anchored(chain_id, from, now_us).await?;
                woken = woken.saturating_add(portion);
                if portion == 0 {
                    break;
                }
            }
        }
        if let Some(standing) = quorum::standing_of(policy, &polled.heads) {
            let (head, safe, finalized) = (standing.head, standing.safe, standing.finalized);
            for _ in 0..PORTIONS_MAX {
                let portion = self.ledger.wake_reached(Reached { chain_id, head, safe, finalized }, now_us).await?;
                woken = woken.saturating_add(portion);
                if portion == 0 {
                    break;
                }
            }
        }
        if 0 < woken {
            self.wakes.verify.wake();
        }
        self.ledger.is_watched(chain_id).await
    }

    /// More blocks were replaced than are remembered, at enough nodes: what was called final may not be. Nothing is
    /// confirmed on the chain until an operator has looked.
    async fn stop_on_deep_reorganisation(
        &self,
        policy: Policy,
        polled: &Polled,
        now_us: i64,
    ) -> Result<(), LedgerError> {
        if !policy.is_met_by(polled.deep.iter().map(String::as_str)) {
            return Ok(());
        }
        let owners: BTreeSet<&str> = polled.deep.iter().map(String::as_str).collect();
        let reason =
            format!("CHAIN_DEEP_REORG: more than {} blocks were replaced", self.chain.chain.reorg_window_blocks);
        tracing::error!(
            chain = self.name,
            ?owners,
            reason,
            "nothing is confirmed on this chain until `tollgate chains uncordon`"
        );
        let by = Who { name: "gateway".to_owned(), from: "verify".to_owned(), reason: Some(reason) };
        self.ledger.set_cordon(&self.name, "", true, by, now_us).await?;
        self.in_force.apply(&self.ledger.finality_overrides().await?, &self.ledger.cordons().await?);
        Ok(())
    }
}
