//! Tokens and their price for tiering.
//!
//! A price decides how long to wait, never what is owed: amounts are compared in base units only. Prices are integers
//! (micro-dollars), because a float that is off by one could move a payment into a weaker tier.

use alloy_primitives::{Address, U256};
use serde::{Deserialize, Serialize};

use crate::amount::{self, AmountError};

#[cfg(test)]
mod tests;

/// Decimals of a dollar price: prices are kept in micro-dollars.
pub(crate) const PRICE_DECIMALS: u8 = 6;

/// A token contract that may carry payments on one chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Token {
    /// What people call it; several contracts of a chain may share a name, so it identifies nothing.
    pub symbol: String,
    /// The contract; with the chain, the token's identity.
    pub address: Address,
    /// Digits behind the point of one whole token. Per contract: USDC has 6, on BNB Smart Chain 18.
    pub decimals: u8,
    /// Price for tiering; None is unpriced and takes the strictest tier.
    pub usd: Option<UsdPrice>,
    /// What is unusual about how it moves.
    pub class: TokenClass,
    /// What arrived is credited when it is less than the proxy says; true only of [`TokenClass::FeeOnTransfer`].
    pub credit_received: bool,
}

/// How a token differs from a plain ERC-20 (the classes that matter to a receiver of payments).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenClass {
    /// Nothing unusual.
    #[default]
    Plain,
    /// The recipient may receive less than was sent.
    FeeOnTransfer,
    /// Balances change by themselves; the amount in the log is what counts.
    Rebasing,
    /// Its owner can replace the code.
    Upgradeable,
    /// Its issuer can freeze accounts (and usually replace the code); a delivered transfer stays delivered.
    Blocklist,
    /// The ERC-20 view of the chain's own coin; sends of the coin itself emit no log.
    NativeDual,
}

/// Dollars per whole token, in micro-dollars (1_000_000 is one dollar); never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct UsdPrice(u64);

/// Why a text is not a price.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// Not a decimal number of at most six decimals.
    #[error("a price is a decimal string in dollars, such as \"1\" or \"0.9998\": {0}")]
    Amount(#[from] AmountError),
    /// Zero would put any sum into the weakest tier.
    #[error("a price of zero would send every sum through the weakest tier; leave `usd` out for an unpriced token")]
    Zero,
    /// More than 64 bits of micro-dollars.
    #[error("the price exceeds {} dollars; check the unit", u64::MAX / 1_000_000)]
    TooLarge,
}

impl UsdPrice {
    /// Reads dollars per whole token from a decimal string.
    ///
    /// # Errors
    /// See [`PriceError`].
    pub fn parse(text: &str) -> Result<Self, PriceError> {
        let micros = u64::try_from(amount::parse(text, PRICE_DECIMALS)?).map_err(|_| PriceError::TooLarge)?;
        if micros == 0 { Err(PriceError::Zero) } else { Ok(Self(micros)) }
    }

    /// Micro-dollars per whole token.
    #[must_use]
    pub fn micros(self) -> u64 {
        self.0
    }
}

/// What `amount` base units of `token` are worth, in micro-dollars; None when the token has no price.
///
/// A fraction of a micro-dollar counts as a whole one, so that rounding never lands a payment in a weaker tier; what
/// exceeds 256 bits is the largest value.
#[must_use]
pub fn usd_micros(amount: U256, token: &Token) -> Option<U256> {
    let price = U256::from(token.usd?.micros());
    let Some(one) = U256::from(10).checked_pow(U256::from(token.decimals)) else {
        // A whole token is more than 256 bits of base units: no amount reaches one.
        return Some(if amount.is_zero() { U256::ZERO } else { price });
    };
    let (whole, rest) = amount.div_rem(one);
    // Decimals are checked when a token is registered, so `rest * price` fits; saturating is the safe side anyway.
    let part = rest.saturating_mul(price).div_ceil(one);
    Some(whole.saturating_mul(price).saturating_add(part))
}
