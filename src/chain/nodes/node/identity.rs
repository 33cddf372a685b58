//! Which chain a node serves: asked before anything else, once an hour, and after every lost connection, because the next
//! answer may come from another machine. It must never let an answer count before the chain is known to be right.

use std::time::Duration;

use serde_json::json;

use super::Node;
use crate::chain::nodes::health::bucket::Purpose;
use crate::chain::rpc::Method;
use crate::chain::{NodeError, types};

/// A node's chain id is asked again after this.
const IDENTITY_MAX_AGE: Duration = Duration::from_secs(3600);

/// What is known of it.
pub(super) struct Identity {
    /// Uptime at which the chain was last seen to be right.
    seen: Option<Duration>,
    /// What it said of its chain when that was not the configured one.
    pub(super) other: String,
    /// Looks so far, and what the last one brought: those who waited for it share it.
    looks: u64,
    looked: Result<(), NodeError>,
}

// === impl Identity ===

impl Default for Identity {
    fn default() -> Self {
        Self { seen: None, other: String::new(), looks: 0, looked: Ok(()) }
    }
}

impl Identity {
    /// It has to be asked again.
    pub(super) const fn forget(&mut self) {
        self.seen = None;
    }

    fn holds(&self, now: Duration) -> bool {
        self.seen.is_some_and(|at| now.saturating_sub(at) < IDENTITY_MAX_AGE)
    }
}

// === impl Node ===

impl Node {
    /// Chain id, and the genesis block where one is pinned, once an hour and after every lost connection. A node that has
    /// pruned its genesis is believed by its chain id.
    ///
    /// # Errors
    /// When it serves another chain, or as [`Node::call_for`].
    pub async fn identify(&self) -> Result<(), NodeError> {
        let looks = {
            let (now, known) = (self.clock.uptime(), self.known());
            if known.identity.holds(now) {
                return Ok(());
            }
            known.identity.looks
        };
        // No deadline of its own: whoever looks has one, and all who wait take what it brings.
        let _turn = self.identifying.lock().await;
        {
            let known = self.known();
            if known.identity.looks != looks {
                return known.identity.looked.clone();
            }
        }
        let found = self.mismatch().await;
        let looked = self.note_chain(found);
        self.show();
        looked
    }

    /// What it says of its chain, where that is not the configured one.
    async fn mismatch(&self) -> Result<Option<String>, NodeError> {
        let raw = self.guarded(Purpose::PreForward, Method::ChainId, json!([])).await?;
        let chain_id = types::chain_id(&raw).map_err(|malformed| self.fault(malformed.0))?;
        if chain_id != self.chain_id {
            return Ok(Some(format!("chain id {chain_id}, configured {}", self.chain_id)));
        }
        let Some(pinned) = self.genesis else { return Ok(None) };
        let raw = self.guarded(Purpose::PreForward, Method::Block, json!(["0x0", false])).await?;
        let genesis = types::header(&raw).map_err(|malformed| self.fault(malformed.0))?;
        let other = genesis.filter(|genesis| genesis.hash != pinned);
        Ok(other.map(|genesis| format!("genesis {}, configured {pinned}", genesis.hash)))
    }

    fn note_chain(&self, found: Result<Option<String>, NodeError>) -> Result<(), NodeError> {
        let (now, mut known) = (self.clock.uptime(), self.known());
        let looked = match found {
            Ok(None) => {
                known.health.right_chain();
                known.identity.seen = Some(now);
                Ok(())
            }
            Ok(Some(other)) => {
                known.health.wrong_chain(now);
                known.identity.other.clone_from(&other);
                Err(NodeError::WrongChain(other))
            }
            Err(error) => Err(error),
        };
        known.identity.looks = known.identity.looks.wrapping_add(1);
        known.identity.looked.clone_from(&looked);
        looked
    }
}
