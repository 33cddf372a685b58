//! What can be wrong with chain data, each with the key, what was found, and the way out.
//!
//! Problems are collected, not thrown: a file with five mistakes gets five messages. Values shown here are addresses,
//! names and numbers of the public configuration, never secrets.

use alloy_primitives::Address;

use crate::address::AddressError;
use crate::registry::limits;
use crate::token::PriceError;

/// One problem and the key it stands under, such as `chains.base.tokens[0].address`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct RegistryError {
    /// Path of the key in the configuration.
    pub key: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant says what it is and names its fields")]
pub enum Problem {
    #[error("the built-in data does not read: {message}; this build is broken, report it")]
    Unreadable { message: String },
    #[error("the built-in data has {} problems, this build is broken, report it: {}", .0.len(), join(.0))]
    BuiltIn(Vec<RegistryError>),
    #[error("`{found}` is no chain name; use at most {max} of a-z, 0-9, - and _, beginning with a letter or digit",
        max = limits::MAX_NAME)]
    ChainName { found: String },
    #[error("`{name}` is not a built-in chain, so it needs chain_id; built in are {known}")]
    ChainIdMissing { name: String, known: String },
    #[error("a chain id is at least 1; write the id the chain's nodes answer to eth_chainId")]
    ChainIdZero,
    #[error(
        "{found} is not the id of the built-in chain of this name, {builtin}; drop chain_id, or name another chain"
    )]
    ChainIdDiffers { found: u64, builtin: u64 },
    #[error("id {chain_id} belongs to the chain `{by}`; configure it under chains.{by}")]
    ChainIdTaken { chain_id: u64, by: String },
    #[error("two chains have this name; a name can be used once")]
    ChainTwice,
    #[error("a chain needs at least one tier, such as [{{confirmations = 12, tag = \"finalized\"}}]")]
    NoFinality,
    #[error("{found} entries, at most {max} are taken; remove what is not needed")]
    TooMany { found: usize, max: usize },
    #[error("`{found}` is no symbol; use 1 to {max} visible characters, not starting with 0x", max = limits::MAX_SYMBOL)]
    Symbol { found: String },
    #[error("`{found}`: {why}")]
    Address { found: String, why: AddressError },
    #[error("the zero address is no contract; write the contract's address")]
    ZeroAddress,
    #[error("{found} decimals, at most {max} are taken; read decimals() of the contract", max = limits::MAX_DECIMALS)]
    Decimals { found: u8 },
    #[error("\"{found}\": {why}")]
    Price { found: String, why: PriceError },
    #[error("{address} has {found} decimals and the coin that it is a view of {native}; correct one, or the class")]
    NativeDualDecimals { address: Address, found: u8, native: u8 },
    #[error("only a token of class fee_on_transfer arrives short; remove credit_received, or set that class")]
    CreditReceived,
    #[error("{address} is listed twice here; keep one of the two")]
    AddressTwice { address: Address },
    #[error("`{found}` is listed twice here; keep one of the two")]
    NameTwice { found: String },
    #[error("`{found}` is a name of `{by}` as well, so a payload's network would mean two chains; remove one of them")]
    NameTaken { found: String, by: String },
    #[error("`{found}` is no network name; use 1 to {max} visible characters", max = limits::MAX_NAME)]
    NetworkName { found: String },
    #[error("{found} is not from 1 to {max}; 1 is the block itself", max = limits::MAX_CONFIRMATIONS)]
    Confirmations { found: u64 },
    #[error("only the last tier is without a bound; give this one up_to_usd, or move it to the end")]
    TierUnbounded,
    #[error(
        "the last tier takes all values above, so it has no bound; remove up_to_usd = {found}, or add a tier \
             without it"
    )]
    LastTierBounded { found: u64 },
    #[error("{found} does not exceed the {previous} of the tier before; order the tiers from small to large")]
    TierOrder { found: u64, previous: u64 },
    #[error("`{found}` is no explorer; write its address such as https://etherscan.io")]
    Explorer { found: String },
    #[error("{found} is not from 1 to {max}; check the unit")]
    Range { found: u64, max: u64 },
    #[error("`{found}` is no block hash; write 0x and 64 hexadecimal digits")]
    Genesis { found: String },
}

/// Problems as one sentence.
fn join(problems: &[RegistryError]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
