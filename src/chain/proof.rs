//! Proving what a node says of a block by what the block commits to: one node's JSON goes in, proven values come out.
//!
//! A header is held against its own hash, receipts against the header's root, transactions against theirs. Nothing here
//! says that a block is the chain's: a block that fits in itself costs nothing to make up, so votes of several operators
//! on its hash carry that. It must never take a value from JSON that is not under a root (a receipt's transaction hash
//! and sender are not: the sender comes from the transaction's signature), and never call a lie what it only does not
//! know: that is [`ProofError::Unsupported`].

use alloy_primitives::{B256, keccak256};

use super::types::Malformed;

pub mod bundle;
mod header;
mod leaf;
mod receipts;
mod rlp;
mod transactions;

pub use header::{ProvenHeader, header};
pub use receipts::{ProvenBlock, block_receipts};
pub use transactions::{Call, ProvenTransactions, SentBy, Transaction, transaction_hashes, transactions};

/// Receipts or transactions of one block. The fullest blocks of the built-in chains stay in the thousands.
pub const RECEIPTS_MAX: usize = 20_000;
/// Logs of one receipt. At 375 gas a log, a transaction of 16.7 million gas (EIP-7825) stays below.
pub const LOGS_MAX: usize = 50_000;
/// Data of one log, bytes. At 8 gas a byte, a transaction of 16.7 million gas (EIP-7825) stays below.
pub const LOG_DATA_MAX: usize = 4 << 20;
/// A header as RLP, bytes. Ethereum's has some 600; chains that write their validators into it have some thousands.
pub const HEADER_MAX: usize = 1 << 20;

/// Why something is not proven. The kinds call for different answers, so they are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Not what the method answers, or contradicting itself or the header: this node is at fault.
    #[error("malformed answer: {0}; the node is at fault, ask another")]
    Malformed(&'static str),
    /// A lie, or a fork that added a field this build does not know.
    #[error(
        "the header hashes to {computed}, not to its own hash {stated}: the node is at fault, or the chain has \
             forked and this build is too old"
    )]
    HeaderMismatch {
        /// The header's `hash`.
        stated: B256,
        /// What its fields hash to.
        computed: B256,
    },
    /// A lie, or a chain whose answers leave out what it commits to.
    #[error(
        "the {what} make the root {computed}, the header says {stated}: the node is at fault, or the chain's \
             answers do not hold all it commits to"
    )]
    RootMismatch {
        /// Which root.
        what: Root,
        /// The header's.
        stated: B256,
        /// What was given makes this one.
        computed: B256,
    },
    /// Nobody's fault: compare several operators' answers instead.
    #[error("not provable here: {0}; compare several nodes' receipts instead")]
    Unsupported(Unsupported),
}

/// A root of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// `receiptsRoot`
    Receipts,
    /// `transactionsRoot`
    Transactions,
}

/// What this build cannot prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// A receipt of a type whose encoding is not known.
    #[error("a receipt of type {0:#x}")]
    Receipt(u64),
    /// A transaction of a type whose encoding is not known, or whose JSON does not hold all of it.
    #[error("a transaction of type {0:#x}")]
    Transaction(u64),
    /// Before Byzantium (EIP-658) a receipt says nothing of success.
    #[error("a receipt without a status")]
    NoStatus,
    /// Over a limit of this module.
    #[error("too large: {0}")]
    TooLarge(&'static str),
}

/// What differs between chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProofRules {
    /// Below this height nodes show a receipt for Polygon's state sync that is under no root: it is dropped.
    pub state_sync_until: Option<u64>,
}

// === impl Root ===

impl std::fmt::Display for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Receipts => "receipts",
            Self::Transactions => "transactions",
        })
    }
}

// === impl ProofError ===

impl From<Malformed> for ProofError {
    fn from(Malformed(what): Malformed) -> Self {
        Self::Malformed(what)
    }
}

impl From<Unsupported> for ProofError {
    fn from(what: Unsupported) -> Self {
        Self::Unsupported(what)
    }
}

// === impl ProofRules ===

impl From<&chain_config::Chain> for ProofRules {
    fn from(chain: &chain_config::Chain) -> Self {
        Self { state_sync_until: chain.state_sync_until }
    }
}

impl ProofRules {
    /// Whether the transaction of that hash is a state sync that this block does not commit to (Bor; PIP-74 ended it).
    pub(in crate::chain) fn drops(&self, header: &ProvenHeader, tx_hash: B256) -> bool {
        self.state_sync_until.is_some_and(|until| header.number < until) && tx_hash == state_sync_hash(header)
    }
}

/// The hash that Bor gives the state sync of a block: it has no transaction to hash.
fn state_sync_hash(header: &ProvenHeader) -> B256 {
    keccak256([b"matic-bor-receipt-", header.number.to_be_bytes().as_slice(), header.hash.as_slice()].concat())
}

#[cfg(test)]
mod tests;
