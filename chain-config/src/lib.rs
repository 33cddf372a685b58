//! Chains as checked data: ids, coins, tokens, contracts, network names, finality policy, and the amounts they are
//! counted in.
//!
//! No I/O: the built-in data is compiled in, overrides arrive as values. Nothing in here may touch a network, a file or
//! a clock, and no amount ever passes through a floating-point number. What a webhook or a node says is never a source
//! of decimals, addresses or names; this registry is (README.md says where each fact comes from).

mod address;
pub mod amount;
mod chain;
mod error;
mod finality;
mod registry;
mod spec;
mod token;

pub use address::{AddressError, parse_address};
pub use chain::{Chain, Contracts, Names, Native, ProofMode, TokenLookupError};
pub use error::{Problem, RegistryError};
pub use finality::{FinalityPolicy, Need, Tag, Tier};
pub use registry::{Registry, conflicts, with_finality};
pub use spec::{ChainOverride, ContractsSpec, NamesSpec, NativeSpec, TierSpec, TokenSpec};
pub use token::{PriceError, Token, TokenClass, UsdPrice, usd_micros};
