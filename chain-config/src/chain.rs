//! One chain as the rest of the gateway sees it: checked, complete, immutable.
//!
//! Made by [`crate::Registry`] only; a value of these types has passed its checks. Lookups by symbol exist for what
//! people type; what a webhook calls a token decides nothing.

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use crate::finality::FinalityPolicy;
use crate::token::Token;

/// A chain: what it is, what it carries and how long to wait on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chain {
    /// Our name for it, as in `[chains.NAME]` and in messages.
    pub name: String,
    /// EIP-155 id; a node that answers another is refused.
    pub chain_id: u64,
    /// Money on it is worth nothing.
    pub testnet: bool,
    /// The chain's own coin.
    pub native: Native,
    /// Block explorer without a trailing slash, such as `https://basescan.org`.
    pub explorer: Option<String>,
    /// Typical time between blocks, in milliseconds.
    pub block_time_ms: u64,
    /// How often to ask for the head while payments wait, in milliseconds.
    pub head_poll_ms: u64,
    /// What providers call it.
    pub names: Names,
    /// Payment contracts whose events are believed.
    pub contracts: Contracts,
    /// Tokens that may carry payments.
    pub tokens: Vec<Token>,
    /// How long to wait, by value.
    pub finality: FinalityPolicy,
    /// How many blocks back to remember hashes; at least what the deepest tier needs.
    pub reorg_window_blocks: u64,
    /// After this many seconds without progress a needed tag counts as stalled.
    pub tag_stall_alert_s: u64,
    /// Hash of block 0, pinned where it is known; the id alone is easily faked.
    pub genesis: Option<B256>,
    /// How a receipt of it is proven.
    pub proof: ProofMode,
    /// Below this height nodes show a receipt for Polygon's state sync that is under no root; none where there are none.
    pub state_sync_until: Option<u64>,
    /// After this many blocks without it, a transaction that was seen before counts as dropped.
    pub drop_after_blocks: u64,
    /// Its nodes are asked for call traces, so that coin which a contract passes on can be found.
    pub trace: bool,
}

/// How it is proven that a receipt is in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofMode {
    /// Header hash and receipts root are computed again from what a node shows.
    Full,
    /// Only that nodes of several operators say the same: the chain has no such roots, or its nodes do not show all
    /// that is under them, or nobody has tried it on a block of the chain yet.
    Quorum,
}

/// A chain's own coin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Native {
    /// Such as `ETH`.
    pub symbol: String,
    /// Digits behind the point of one whole coin.
    pub decimals: u8,
}

/// What providers call a chain, every spelling that is accepted. Empty: the provider does not carry it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Names {
    /// `network` of Request Network's payloads.
    pub request_network: Vec<String>,
    /// `network` of Stripe's crypto charges.
    pub stripe: Vec<String>,
}

/// Payment contracts, the current one first; payments through older ones are still valid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Contracts {
    /// Request Network's `ERC20FeeProxy`.
    pub erc20_fee_proxy: Vec<Address>,
    /// Request Network's `EthereumFeeProxy`.
    pub eth_fee_proxy: Vec<Address>,
    /// Request Network's `ERC20Proxy`, without a fee.
    pub erc20_proxy: Vec<Address>,
    /// Request Network's `EthereumProxy`, without a fee.
    pub eth_proxy: Vec<Address>,
    /// Request Network's `Erc20ConversionProxy`: it runs the fee proxy's code, so the event comes from its own address.
    pub erc20_conversion_proxy: Vec<Address>,
    /// Request Network's `EthConversionProxy`, likewise.
    pub eth_conversion_proxy: Vec<Address>,
    /// Request Network's `ERC20CommerceEscrowWrapper`.
    pub escrow: Vec<Address>,
    /// Request Network's `ERC20TransferableReceivable`: it runs the fee proxy's code and pays who holds the receivable.
    pub transferable_receivable: Vec<Address>,
}

/// Why a symbol names no single token of a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenLookupError {
    /// None of that name.
    #[error(
        "`{chain}` has no token `{symbol}`; known are {known}. Use one of them, its address, or add it under \
             chains.{chain}.tokens"
    )]
    Unknown {
        /// The chain's name.
        chain: String,
        /// What was asked for.
        symbol: String,
        /// The symbols there are, joined.
        known: String,
    },
    /// Several of that name.
    #[error("`{chain}` has several tokens `{symbol}`: {addresses}. Name the one that is meant by its address")]
    Ambiguous {
        /// The chain's name.
        chain: String,
        /// What was asked for.
        symbol: String,
        /// The candidates' addresses, joined.
        addresses: String,
    },
}

impl Chain {
    /// The registered token at that address.
    #[must_use]
    pub fn token(&self, address: &Address) -> Option<&Token> {
        self.tokens.iter().find(|token| token.address == *address)
    }

    /// The one token of that symbol; ASCII case does not matter.
    ///
    /// # Errors
    /// When there is none, and when there are several: a symbol is never resolved by guessing.
    pub fn token_named(&self, symbol: &str) -> Result<&Token, TokenLookupError> {
        let found: Vec<&Token> = self.tokens.iter().filter(|token| token.symbol.eq_ignore_ascii_case(symbol)).collect();
        match found.as_slice() {
            [one] => Ok(one),
            [] => Err(TokenLookupError::Unknown {
                chain: self.name.clone(),
                symbol: symbol.to_owned(),
                known: joined(self.tokens.iter().map(|token| token.symbol.clone())),
            }),
            several => Err(TokenLookupError::Ambiguous {
                chain: self.name.clone(),
                symbol: symbol.to_owned(),
                addresses: joined(several.iter().map(|token| token.address.to_string())),
            }),
        }
    }

    /// Where people look at a transaction.
    #[must_use]
    pub fn tx_url(&self, tx_hash: &B256) -> Option<String> {
        self.explorer.as_ref().map(|explorer| format!("{explorer}/tx/{tx_hash}"))
    }
}

/// A list for a sentence.
fn joined(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}
