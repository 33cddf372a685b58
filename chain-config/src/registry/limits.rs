//! Bounds and defaults of chain data. Bounds are far above any real chain and stop typing errors, not users.

/// Characters of a chain or network name.
pub(crate) const MAX_NAME: usize = 32;
/// Characters of a token symbol.
pub(crate) const MAX_SYMBOL: usize = 32;
/// Characters of an explorer's address.
pub(crate) const MAX_EXPLORER: usize = 256;
/// Decimals of a token or coin; real ones have up to 24, and sums stay far from 256 bits.
pub(crate) const MAX_DECIMALS: u8 = 36;
/// Tiers of a ladder.
pub(crate) const MAX_TIERS: usize = 8;
/// Confirmations of a tier.
pub(crate) const MAX_CONFIRMATIONS: u64 = 100_000;
/// Tokens in one list.
pub(crate) const MAX_TOKENS: usize = 1_000;
/// Contracts of one kind in one list.
pub(crate) const MAX_CONTRACTS: usize = 32;
/// Names of one provider in one list.
pub(crate) const MAX_NAMES: usize = 32;
/// Block time and poll interval: one hour.
pub(crate) const MAX_INTERVAL_MS: u64 = 3_600_000;
/// Remembered blocks; a hash and a number each, so some megabytes at most.
pub(crate) const MAX_REORG_WINDOW: u64 = 100_000;
/// Blocks until a transaction counts as dropped; hours even on the fastest chains.
pub(crate) const MAX_DROP_AFTER: u64 = 100_000;
/// Heights: numbers that JSON tools keep exact (2^53 - 1).
pub(crate) const MAX_HEIGHT: u64 = 9_007_199_254_740_991;
/// A tag that may stand still for longer than a week protects nothing.
pub(crate) const MAX_STALL_S: u64 = 7 * 86_400;

/// Block time of a new chain.
pub(crate) const BLOCK_TIME_MS: u64 = 2_000;
/// Shortest poll interval that is chosen without being asked for.
pub(crate) const MIN_DEFAULT_POLL_MS: u64 = 1_000;
/// Remembered blocks of a new chain.
pub(crate) const REORG_WINDOW: u64 = 256;
/// Stall alert of a new chain: L2s publish to their parent every few minutes, and an hour is late for all.
pub(crate) const TAG_STALL_S: u64 = 3_600;
/// Blocks until a transaction of a new chain counts as dropped: ten minutes of Ethereum.
pub(crate) const DROP_AFTER: u64 = 50;
