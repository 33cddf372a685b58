//! What a claim asks of a chain: its words, read strictly. Pure.
//!
//! A claim is a hint. Only the chain's name and the transaction's hash are taken from it to look somewhere; what it
//! says about the money is compared afterwards and decides nothing.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256};

use super::diagnosis::check;
use super::matcher::Found;
use crate::config::ActiveChain;
use crate::model::{Check, CheckName, CheckOutcome, Claim};

/// The active chain that a provider's word for a network means.
#[must_use]
pub fn chain_of<'a>(
    chains: &'a BTreeMap<String, ActiveChain>,
    provider: &str,
    network: &str,
) -> Option<(&'a str, &'a ActiveChain)> {
    let means = |names: &[String]| names.iter().any(|name| name.eq_ignore_ascii_case(network));
    let by_provider = chains.iter().find(|(_, active)| match provider {
        "request-network" => means(&active.chain.names.request_network),
        "stripe" => means(&active.chain.names.stripe),
        _ => false,
    });
    let found = by_provider.or_else(|| chains.iter().find(|(name, _)| name.eq_ignore_ascii_case(network)));
    found.map(|(name, active)| (name.as_str(), active))
}

/// A transaction hash: 32 bytes of hexadecimal, with or without `0x`.
#[must_use]
pub fn tx_hash(text: &str) -> Option<B256> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let bytes: [u8; 32] = hex::decode(digits).ok()?.try_into().ok()?;
    Some(B256::from(bytes))
}

/// Whether what the provider says of the money agrees with what was proven. Notes: they block nothing, because the
/// proven values are what is forwarded.
#[must_use]
pub fn compare(claim: &Claim, found: &Found, symbol: &str, decimals: u8) -> Vec<Check> {
    let outcome = |same: bool| if same { CheckOutcome::Pass } else { CheckOutcome::Note };
    let mut checks = Vec::new();
    if let Some(amount) = &claim.amount {
        let proven = chain_config::amount::format(found.amount, decimals);
        let (same, claimed) = match chain_config::amount::parse(amount, decimals) {
            Ok(claimed) => (claimed == found.amount, format!("amount {amount}")),
            // A defect of the provider's, and no reason to doubt the chain: what it says decides nothing.
            Err(_) => (false, format!("amount {amount}, which is no amount of this token")),
        };
        checks.push(check(CheckName::Claim, outcome(same), claimed, format!("amount {proven}")));
    }
    if let Some(currency) = &claim.currency {
        let same = is_symbol(currency, symbol);
        checks.push(check(CheckName::Claim, outcome(same), format!("token {currency}"), format!("token {symbol}")));
    }
    if let (Some(claimed), Some(payer)) = (&claim.payer, found.payer) {
        let same = address(claimed) == Some(payer);
        checks.push(check(CheckName::Claim, outcome(same), format!("payer {claimed}"), format!("payer {payer}")));
    }
    checks
}

/// An address in any case: what a provider prints is compared, not trusted.
#[must_use]
pub fn address(text: &str) -> Option<Address> {
    text.parse().ok()
}

/// Whether a provider's word for a token is this symbol. Request Network's ids read `USDC-base`.
#[must_use]
pub fn is_symbol(currency: &str, symbol: &str) -> bool {
    currency.split('-').next().unwrap_or(currency).eq_ignore_ascii_case(symbol)
}

#[cfg(test)]
mod tests;
