//! The built-in chains, and what a configuration makes of them.
//!
//! A built-in file and an override have one shape and pass the same checks. Nothing is repaired or guessed: what does
//! not pass is reported, all of it at once, and no chain comes out.

use std::collections::BTreeMap;

use crate::chain::{Chain, Contracts, Names, Native, ProofMode};
use crate::error::{Problem, RegistryError};
use crate::spec::{ChainOverride, TierSpec};

mod check;
pub(crate) mod limits;

#[cfg(test)]
mod tests;

use check::Checker;

/// The embedded files by chain name.
const BUILT_IN: [(&str, &str); 11] = [
    ("arbitrum", include_str!("../data/arbitrum.toml")),
    ("avalanche", include_str!("../data/avalanche.toml")),
    ("base", include_str!("../data/base.toml")),
    ("bnb", include_str!("../data/bnb.toml")),
    ("celo", include_str!("../data/celo.toml")),
    ("ethereum", include_str!("../data/ethereum.toml")),
    ("gnosis", include_str!("../data/gnosis.toml")),
    ("optimism", include_str!("../data/optimism.toml")),
    ("polygon", include_str!("../data/polygon.toml")),
    ("sepolia", include_str!("../data/sepolia.toml")),
    ("zksync", include_str!("../data/zksync.toml")),
];

/// Blocks remembered beyond the deepest tier, so that a reorganisation at its edge is still seen.
const REORG_MARGIN: u64 = 12;

/// The built-in chains by name.
#[derive(Clone, Debug)]
pub struct Registry {
    chains: BTreeMap<String, Chain>,
}

impl Registry {
    /// Reads and checks the embedded data.
    ///
    /// # Errors
    /// [`Problem::BuiltIn`] when this build's data is broken; it names every problem.
    pub fn builtin() -> Result<Self, RegistryError> {
        Self::from_files(&BUILT_IN)
            .map_err(|problems| RegistryError { key: "chains".to_owned(), problem: Problem::BuiltIn(problems) })
    }

    /// Reads files of one chain each.
    fn from_files(files: &[(&str, &str)]) -> Result<Self, Vec<RegistryError>> {
        let mut problems = Vec::new();
        let mut read = Vec::new();
        for (name, text) in files {
            let over = toml::from_str::<ChainOverride>(text).map_err(|error| {
                let problem = Problem::Unreadable { message: error.to_string() };
                vec![RegistryError { key: format!("chains.{name}"), problem }]
            });
            match over.and_then(|over| finish(Checker::new(name), name, None, &over, "none")) {
                Ok(chain) => read.push(chain),
                Err(found) => problems.extend(found),
            }
        }
        problems.extend(conflicts(&read));
        if problems.is_empty() {
            Ok(Self { chains: read.into_iter().map(|chain| (chain.name.clone(), chain)).collect() })
        } else {
            Err(problems)
        }
    }

    /// The built-in chain of that name.
    #[must_use]
    pub fn chain(&self, name: &str) -> Option<&Chain> {
        self.chains.get(name)
    }

    /// The built-in chain of that EIP-155 id.
    #[must_use]
    pub fn by_id(&self, chain_id: u64) -> Option<&Chain> {
        self.chains.values().find(|chain| chain.chain_id == chain_id)
    }

    /// All built-in chains by name.
    pub fn chains(&self) -> impl Iterator<Item = &Chain> {
        self.chains.values()
    }

    /// What `[chains.NAME]` describes: the built-in chain of that name with `over` merged over it as [`ChainOverride`]
    /// says, or a new chain, which needs an id that is not built in and a finality ladder.
    ///
    /// Compare the chains that are to be active together with [`conflicts`] afterwards.
    ///
    /// # Errors
    /// All problems of the override, each under its key.
    pub fn merge(&self, name: &str, over: &ChainOverride) -> Result<Chain, Vec<RegistryError>> {
        let base = self.chain(name);
        let mut check = Checker::new(name);
        if let (None, Some(chain_id)) = (base, over.chain_id)
            && let Some(taken) = self.by_id(chain_id)
        {
            check.fail("chain_id", Problem::ChainIdTaken { chain_id, by: taken.name.clone() });
        }
        let known = self.chains.keys().cloned().collect::<Vec<_>>().join(", ");
        finish(check, name, base, over, &known)
    }
}

/// The chain with other tiers, which pass the same checks as a configuration's. It remembers as many blocks as they need.
///
/// # Errors
/// All problems of the tiers.
pub fn with_finality(chain: &Chain, tiers: &[TierSpec]) -> Result<Chain, Vec<RegistryError>> {
    let mut check = Checker::new(&chain.name);
    let finality = check.finality(Some(tiers), true);
    let (Some(finality), true) = (finality, check.is_clean()) else { return Err(check.into_problems()) };
    let window = chain.reorg_window_blocks.max(finality.max_confirmations().saturating_add(REORG_MARGIN));
    Ok(Chain { finality, reorg_window_blocks: window, ..chain.clone() })
}

/// What chains may not share when they are used together: a name, an id, and what a provider calls them.
#[must_use]
pub fn conflicts(chains: &[Chain]) -> Vec<RegistryError> {
    let mut problems = Vec::new();
    for (at, chain) in chains.iter().enumerate() {
        for other in chains.iter().take(at) {
            let mut check = Checker::new(&chain.name);
            if chain.name == other.name {
                check.fail("", Problem::ChainTwice);
            }
            if chain.chain_id == other.chain_id {
                let by = other.name.clone();
                check.fail("chain_id", Problem::ChainIdTaken { chain_id: chain.chain_id, by });
            }
            check.shared_names(
                "names.request_network",
                &chain.names.request_network,
                &other.names.request_network,
                other,
            );
            check.shared_names("names.stripe", &chain.names.stripe, &other.names.stripe, other);
            problems.extend(check.into_problems());
        }
    }
    problems
}

/// Checks all of `over`, then puts the chain together; what `check` already holds counts.
fn finish(
    mut check: Checker,
    name: &str,
    base: Option<&Chain>,
    over: &ChainOverride,
    known: &str,
) -> Result<Chain, Vec<RegistryError>> {
    check.chain_name(name);
    let chain_id = check.chain_id(over.chain_id, base.map(|chain| chain.chain_id), known);
    let native = check.native(over.native.as_ref());
    let explorer = check.explorer(over.explorer.as_deref());
    let finality = check.finality(over.finality.as_deref(), base.is_none());
    let tokens = check.tokens(over.tokens.as_deref().unwrap_or(&[]));
    let contracts = check.contracts(over.contracts.as_ref());
    let names = check.names(over.names.as_ref());
    let block_time_ms = check.range("block_time_ms", over.block_time_ms, limits::MAX_INTERVAL_MS);
    let head_poll_ms = check.range("head_poll_ms", over.head_poll_ms, limits::MAX_INTERVAL_MS);
    let window = check.range("reorg_window_blocks", over.reorg_window_blocks, limits::MAX_REORG_WINDOW);
    let tag_stall_alert_s = check.range("tag_stall_alert_s", over.tag_stall_alert_s, limits::MAX_STALL_S);
    let genesis = check.genesis(over.genesis.as_deref());
    let state_sync_until = check.range("state_sync_until", over.state_sync_until, limits::MAX_HEIGHT);
    let drop_after = check.range("drop_after_blocks", over.drop_after_blocks, limits::MAX_DROP_AFTER);

    let native = native.or(base.map(|chain| chain.native.clone())).unwrap_or_else(ether);
    let tokens = check::merged_tokens(base.map_or(&[], |chain| chain.tokens.as_slice()), tokens);
    check.views_of_the_coin(&tokens, &native);
    let finality = finality.or_else(|| base.map(|chain| chain.finality.clone()));
    let (Some(finality), Some(chain_id), true) = (finality, chain_id, check.is_clean()) else {
        return Err(check.into_problems());
    };
    let block_time_ms = block_time_ms.or(base.map(|chain| chain.block_time_ms)).unwrap_or(limits::BLOCK_TIME_MS);
    let head_poll_ms = head_poll_ms.or(base.map(|chain| chain.head_poll_ms));
    let window = window.or(base.map(|chain| chain.reorg_window_blocks)).unwrap_or(limits::REORG_WINDOW);
    Ok(Chain {
        name: name.to_owned(),
        chain_id,
        testnet: over.testnet.or(base.map(|chain| chain.testnet)).unwrap_or(false),
        native,
        explorer: explorer.or_else(|| base.and_then(|chain| chain.explorer.clone())),
        block_time_ms,
        head_poll_ms: head_poll_ms.unwrap_or(block_time_ms.max(limits::MIN_DEFAULT_POLL_MS)),
        names: Names {
            request_network: added(base.map(|chain| &chain.names.request_network), names.request_network),
            stripe: added(base.map(|chain| &chain.names.stripe), names.stripe),
        },
        contracts: merged_contracts(base.map(|chain| &chain.contracts), contracts),
        tokens,
        reorg_window_blocks: window.max(finality.max_confirmations().saturating_add(REORG_MARGIN)),
        finality,
        tag_stall_alert_s: tag_stall_alert_s
            .or(base.map(|chain| chain.tag_stall_alert_s))
            .unwrap_or(limits::TAG_STALL_S),
        genesis: genesis.or_else(|| base.and_then(|chain| chain.genesis)),
        proof: over.proof.or(base.map(|chain| chain.proof)).unwrap_or(ProofMode::Full),
        state_sync_until: state_sync_until.or_else(|| base.and_then(|chain| chain.state_sync_until)),
        drop_after_blocks: drop_after.or(base.map(|chain| chain.drop_after_blocks)).unwrap_or(limits::DROP_AFTER),
        trace: over.trace.or(base.map(|chain| chain.trace)).unwrap_or(false),
    })
}

/// The coin of a new chain that names none.
fn ether() -> Native {
    Native { symbol: "ETH".to_owned(), decimals: 18 }
}

/// `base` with `more` behind it, kind by kind.
fn merged_contracts(base: Option<&Contracts>, more: Contracts) -> Contracts {
    Contracts {
        erc20_fee_proxy: added(base.map(|all| &all.erc20_fee_proxy), more.erc20_fee_proxy),
        eth_fee_proxy: added(base.map(|all| &all.eth_fee_proxy), more.eth_fee_proxy),
        erc20_proxy: added(base.map(|all| &all.erc20_proxy), more.erc20_proxy),
        eth_proxy: added(base.map(|all| &all.eth_proxy), more.eth_proxy),
        erc20_conversion_proxy: added(base.map(|all| &all.erc20_conversion_proxy), more.erc20_conversion_proxy),
        eth_conversion_proxy: added(base.map(|all| &all.eth_conversion_proxy), more.eth_conversion_proxy),
        escrow: added(base.map(|all| &all.escrow), more.escrow),
        transferable_receivable: added(base.map(|all| &all.transferable_receivable), more.transferable_receivable),
    }
}

/// What was there, then what is new.
fn added<T: Clone + PartialEq>(base: Option<&Vec<T>>, more: Vec<T>) -> Vec<T> {
    let mut all = base.cloned().unwrap_or_default();
    for item in more {
        if !all.contains(&item) {
            all.push(item);
        }
    }
    all
}
