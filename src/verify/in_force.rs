//! The active chains with the rules in force: the configuration's, or the finality that an operator set at run time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use crate::config::ActiveChain;
use crate::ledger::{Cordon, FinalityOverride};

/// Shared by everything that judges; cheap to clone.
#[derive(Clone)]
pub struct InForce {
    configured: Arc<BTreeMap<String, ActiveChain>>,
    now: Arc<RwLock<Arc<Rules>>>,
}

/// What is in force at one moment.
#[derive(Clone)]
pub struct Rules {
    /// Active chains by configured name, each with its finality as it is now.
    pub chains: BTreeMap<String, ActiveChain>,
    /// Chains on which nothing is confirmed, by configured name.
    pub stopped: BTreeSet<String>,
}

impl InForce {
    /// The configuration's rules.
    #[must_use]
    pub fn new(configured: &BTreeMap<String, ActiveChain>) -> Self {
        let rules = Rules { chains: configured.clone(), stopped: BTreeSet::new() };
        Self { configured: Arc::new(configured.clone()), now: Arc::new(RwLock::new(Arc::new(rules))) }
    }

    /// What is in force now; holds for one judgement.
    #[must_use]
    pub fn now(&self) -> Arc<Rules> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts what operators set in force. Tiers that do not fit their chain any more, because its configuration has
    /// changed, are left out and named: the configuration's hold then.
    pub fn apply(&self, overrides: &[FinalityOverride], cordons: &[Cordon]) {
        let mut chains = (*self.configured).clone();
        for set in overrides {
            let Some(active) = chains.get_mut(&set.chain) else { continue };
            match chain_config::with_finality(&active.chain, &set.tiers) {
                Ok(chain) => active.chain = chain,
                Err(problems) => {
                    let why = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                    tracing::error!(chain = set.chain, why, "the finality set at run time does not fit: not in force");
                }
            }
        }
        let whole = cordons.iter().filter(|cordon| cordon.node.is_empty());
        let stopped = whole.map(|cordon| cordon.chain.clone()).collect();
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Rules { chains, stopped });
    }
}
