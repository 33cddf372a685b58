//! Chains as people write them: the keys of `[chains.NAME]` that describe a chain, and the shape of the built-in files.
//!
//! Nothing in here is checked but types and unknown keys; addresses and prices stay text so that the registry can
//! report every mistake of a file at once, each under its key. Built-in chains are written in the same shape: a
//! built-in file is an override of nothing.

use serde::{Deserialize, Serialize};

use crate::chain::ProofMode;
use crate::finality::Tag;
use crate::token::TokenClass;

/// What a configuration says about a chain, all of it optional.
///
/// Merged over the built-in chain of that name: single values replace; `tokens`, `contracts` and `names` add (a token
/// of an address that is already there replaces that token); `finality` replaces the whole ladder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainOverride {
    /// EIP-155 id. Needed for a chain that is not built in; for a built-in one it must be the same.
    pub chain_id: Option<u64>,
    /// Money on it is worth nothing. A new chain: false.
    pub testnet: Option<bool>,
    /// The chain's coin. A new chain: ETH with 18 decimals.
    pub native: Option<NativeSpec>,
    /// Block explorer, `https://…`; transactions are shown under `/tx/`.
    pub explorer: Option<String>,
    /// The whole ladder, weakest tier first; a new chain needs it.
    pub finality: Option<Vec<TierSpec>>,
    /// Further tokens, or other terms for known ones.
    pub tokens: Option<Vec<TokenSpec>>,
    /// Further payment contracts.
    pub contracts: Option<ContractsSpec>,
    /// Further names used by providers.
    pub names: Option<NamesSpec>,
    /// Typical time between blocks in milliseconds. A new chain: 2000.
    pub block_time_ms: Option<u64>,
    /// Time between two questions for the head in milliseconds. A new chain: its block time, but at least 1000.
    pub head_poll_ms: Option<u64>,
    /// Blocks of hashes to remember. A new chain: 256. Raised when a tier needs more.
    pub reorg_window_blocks: Option<u64>,
    /// Seconds without progress after which a tag counts as stalled. A new chain: 3600.
    pub tag_stall_alert_s: Option<u64>,
    /// Hash of block 0, `0x` and 64 hexadecimal digits. A new chain: not pinned.
    pub genesis: Option<String>,
    /// How a receipt is proven. A new chain: full.
    pub proof: Option<ProofMode>,
    /// First block whose state sync is under its receipts root (PIP-74). A new chain: none, there are no such receipts.
    pub state_sync_until: Option<u64>,
    /// Blocks without a transaction after which it counts as dropped. A new chain: 50.
    pub drop_after_blocks: Option<u64>,
    /// Ask nodes for call traces, to find coin that a contract passes on; not every node offers them. A new chain: false.
    pub trace: Option<bool>,
}

/// The coin of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NativeSpec {
    /// Such as `ETH`.
    pub symbol: String,
    /// Digits behind the point, usually 18.
    pub decimals: u8,
}

/// One tier of `finality`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TierSpec {
    /// Highest value in whole dollars, inclusive; only the last tier has none.
    pub up_to_usd: Option<u64>,
    /// Blocks from the payment's to the head, both counted.
    pub confirmations: u64,
    /// `safe` or `finalized`, when the node's tag must have reached the block as well.
    pub tag: Option<Tag>,
}

/// One of `tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSpec {
    /// What people call it.
    pub symbol: String,
    /// The contract, `0x…`; mixed case must satisfy EIP-55.
    pub address: String,
    /// Digits behind the point.
    pub decimals: u8,
    /// Dollars per whole token as a decimal string, such as `"1"`; without it payments take the last tier.
    pub usd: Option<String>,
    /// What is unusual about it; nothing when absent.
    pub class: Option<TokenClass>,
    /// Of class `fee_on_transfer` only: what arrived is credited when it is less than the proxy says. Absent: held.
    pub credit_received: Option<bool>,
}

/// `contracts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContractsSpec {
    /// Request Network's `ERC20FeeProxy`, `0x…`.
    pub erc20_fee_proxy: Vec<String>,
    /// Request Network's `EthereumFeeProxy`, `0x…`.
    pub eth_fee_proxy: Vec<String>,
    /// Request Network's `ERC20Proxy`, without a fee, `0x…`.
    pub erc20_proxy: Vec<String>,
    /// Request Network's `EthereumProxy`, without a fee, `0x…`.
    pub eth_proxy: Vec<String>,
    /// Request Network's `Erc20ConversionProxy`, `0x…`.
    pub erc20_conversion_proxy: Vec<String>,
    /// Request Network's `EthConversionProxy`, `0x…`.
    pub eth_conversion_proxy: Vec<String>,
    /// Request Network's `ERC20CommerceEscrowWrapper`, `0x…`.
    pub escrow: Vec<String>,
    /// Request Network's `ERC20TransferableReceivable`, `0x…`.
    pub transferable_receivable: Vec<String>,
}

/// `names`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NamesSpec {
    /// Spellings of Request Network's `network`.
    pub request_network: Vec<String>,
    /// Spellings of Stripe's `network`.
    pub stripe: Vec<String>,
}
