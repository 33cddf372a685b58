//! The checks, one a kind of value. Each takes what was written, notes what is wrong under its key, and gives back what
//! can be used; no check stops another.

use std::str::FromStr as _;

use alloy_primitives::{Address, B256};

use super::limits;
use crate::address::parse_address;
use crate::chain::{Chain, Contracts, Names, Native};
use crate::error::{Problem, RegistryError};
use crate::finality::{FinalityPolicy, Tier};
use crate::spec::{ContractsSpec, NamesSpec, NativeSpec, TierSpec, TokenSpec};
use crate::token::{Token, TokenClass, UsdPrice};

/// Collects what is wrong with one chain.
pub(super) struct Checker {
    chain: String,
    problems: Vec<RegistryError>,
}

impl Checker {
    pub(super) fn new(chain: &str) -> Self {
        Self { chain: chain.to_owned(), problems: Vec::new() }
    }

    /// Notes a problem under `chains.NAME.key`; an empty key is the chain itself.
    pub(super) fn fail(&mut self, key: &str, problem: Problem) {
        let dot = if key.is_empty() { "" } else { "." };
        self.problems.push(RegistryError { key: format!("chains.{}{dot}{key}", self.chain), problem });
    }

    pub(super) fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    pub(super) fn into_problems(self) -> Vec<RegistryError> {
        self.problems
    }

    pub(super) fn chain_name(&mut self, name: &str) {
        let letters = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
        let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !letters || !begins || name.len() > limits::MAX_NAME {
            self.fail("", Problem::ChainName { found: name.to_owned() });
        }
    }

    /// The id that holds. A chain that is not built in has to bring one; `known` are those that are.
    pub(super) fn chain_id(&mut self, found: Option<u64>, builtin: Option<u64>, known: &str) -> Option<u64> {
        match (found, builtin) {
            (None, None) => {
                let problem = Problem::ChainIdMissing { name: self.chain.clone(), known: known.to_owned() };
                self.fail("chain_id", problem);
            }
            (Some(0), _) => self.fail("chain_id", Problem::ChainIdZero),
            (Some(found), Some(builtin)) if found != builtin => {
                self.fail("chain_id", Problem::ChainIdDiffers { found, builtin });
            }
            (Some(_), _) | (None, Some(_)) => {}
        }
        found.or(builtin)
    }

    pub(super) fn native(&mut self, spec: Option<&NativeSpec>) -> Option<Native> {
        let spec = spec?;
        self.symbol("native.symbol", &spec.symbol);
        self.decimals("native.decimals", spec.decimals);
        Some(Native { symbol: spec.symbol.clone(), decimals: spec.decimals })
    }

    pub(super) fn explorer(&mut self, found: Option<&str>) -> Option<String> {
        let found = found?;
        let host = found.strip_prefix("https://").or_else(|| found.strip_prefix("http://")).unwrap_or("");
        let visible = host.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '?' && c != '#');
        if host.trim_end_matches('/').is_empty() || !visible || found.len() > limits::MAX_EXPLORER {
            self.fail("explorer", Problem::Explorer { found: found.to_owned() });
        }
        Some(found.trim_end_matches('/').to_owned())
    }

    pub(super) fn range(&mut self, key: &str, found: Option<u64>, max: u64) -> Option<u64> {
        if let Some(found) = found
            && !(1..=max).contains(&found)
        {
            self.fail(key, Problem::Range { found, max });
        }
        found
    }

    pub(super) fn genesis(&mut self, found: Option<&str>) -> Option<B256> {
        let found = found?;
        let hash = found.strip_prefix("0x").and_then(|digits| B256::from_str(digits).ok());
        if hash.is_none() {
            self.fail("genesis", Problem::Genesis { found: found.to_owned() });
        }
        hash
    }

    /// The ladder; None when nothing was written or it cannot be used.
    pub(super) fn finality(&mut self, specs: Option<&[TierSpec]>, required: bool) -> Option<FinalityPolicy> {
        let Some((last, bounded)) = specs.and_then(<[TierSpec]>::split_last) else {
            if required || specs.is_some() {
                self.fail("finality", Problem::NoFinality);
            }
            return None;
        };
        self.at_most("finality", bounded.len().saturating_add(1), limits::MAX_TIERS);
        let mut previous = None;
        let mut tiers = Vec::new();
        for (at, spec) in bounded.iter().enumerate() {
            let key = format!("finality[{at}]");
            match (spec.up_to_usd, previous) {
                (None, _) => self.fail(&key, Problem::TierUnbounded),
                (Some(found), Some(previous)) if found <= previous => {
                    self.fail(&format!("{key}.up_to_usd"), Problem::TierOrder { found, previous });
                }
                _ => {}
            }
            previous = spec.up_to_usd.or(previous);
            tiers.push(self.tier(at, spec));
        }
        if let Some(found) = last.up_to_usd {
            self.fail(&format!("finality[{}].up_to_usd", bounded.len()), Problem::LastTierBounded { found });
        }
        let last = self.tier(bounded.len(), last);
        Some(FinalityPolicy::new(tiers, last))
    }

    fn tier(&mut self, at: usize, spec: &TierSpec) -> Tier {
        if !(1..=limits::MAX_CONFIRMATIONS).contains(&spec.confirmations) {
            let found = spec.confirmations;
            self.fail(&format!("finality[{at}].confirmations"), Problem::Confirmations { found });
        }
        Tier { name: format!("T{at}"), up_to_usd: spec.up_to_usd, confirmations: spec.confirmations, tag: spec.tag }
    }

    pub(super) fn tokens(&mut self, specs: &[TokenSpec]) -> Vec<Token> {
        self.at_most("tokens", specs.len(), limits::MAX_TOKENS);
        let mut tokens: Vec<Token> = Vec::new();
        for (at, spec) in specs.iter().enumerate() {
            let key = |field: &str| format!("tokens[{at}].{field}");
            self.symbol(&key("symbol"), &spec.symbol);
            self.decimals(&key("decimals"), spec.decimals);
            let usd = spec.usd.as_ref().and_then(|found| match UsdPrice::parse(found) {
                Ok(price) => Some(price),
                Err(why) => {
                    self.fail(&key("usd"), Problem::Price { found: found.clone(), why });
                    None
                }
            });
            let Some(address) = self.address(&key("address"), &spec.address) else { continue };
            if tokens.iter().any(|token| token.address == address) {
                self.fail(&key("address"), Problem::AddressTwice { address });
            }
            let (class, credit_received) = (spec.class.unwrap_or_default(), spec.credit_received.unwrap_or(false));
            if credit_received && class != TokenClass::FeeOnTransfer {
                self.fail(&key("credit_received"), Problem::CreditReceived);
            }
            let (symbol, decimals) = (spec.symbol.clone(), spec.decimals);
            tokens.push(Token { symbol, address, decimals, usd, class, credit_received });
        }
        tokens
    }

    /// A coin and its token are one money, so one amount of it has to be one number.
    pub(super) fn views_of_the_coin(&mut self, tokens: &[Token], native: &Native) {
        let views = tokens.iter().filter(|token| token.class == TokenClass::NativeDual);
        for token in views.filter(|token| token.decimals != native.decimals) {
            let (address, found, native) = (token.address, token.decimals, native.decimals);
            self.fail("tokens", Problem::NativeDualDecimals { address, found, native });
        }
    }

    pub(super) fn contracts(&mut self, spec: Option<&ContractsSpec>) -> Contracts {
        let Some(spec) = spec else { return Contracts::default() };
        let mut read = |key: &str, found: &[String]| self.addresses(&format!("contracts.{key}"), found);
        Contracts {
            erc20_fee_proxy: read("erc20_fee_proxy", &spec.erc20_fee_proxy),
            eth_fee_proxy: read("eth_fee_proxy", &spec.eth_fee_proxy),
            erc20_proxy: read("erc20_proxy", &spec.erc20_proxy),
            eth_proxy: read("eth_proxy", &spec.eth_proxy),
            erc20_conversion_proxy: read("erc20_conversion_proxy", &spec.erc20_conversion_proxy),
            eth_conversion_proxy: read("eth_conversion_proxy", &spec.eth_conversion_proxy),
            escrow: read("escrow", &spec.escrow),
            transferable_receivable: read("transferable_receivable", &spec.transferable_receivable),
        }
    }

    fn addresses(&mut self, key: &str, found: &[String]) -> Vec<Address> {
        self.at_most(key, found.len(), limits::MAX_CONTRACTS);
        let mut addresses = Vec::new();
        for (at, text) in found.iter().enumerate() {
            let key = format!("{key}[{at}]");
            let Some(address) = self.address(&key, text) else { continue };
            if addresses.contains(&address) {
                self.fail(&key, Problem::AddressTwice { address });
            }
            addresses.push(address);
        }
        addresses
    }

    fn address(&mut self, key: &str, found: &str) -> Option<Address> {
        match parse_address(found) {
            Ok(Address::ZERO) => self.fail(key, Problem::ZeroAddress),
            Ok(address) => return Some(address),
            Err(why) => self.fail(key, Problem::Address { found: found.to_owned(), why }),
        }
        None
    }

    pub(super) fn names(&mut self, spec: Option<&NamesSpec>) -> Names {
        let Some(spec) = spec else { return Names::default() };
        Names {
            request_network: self.network_names("names.request_network", &spec.request_network),
            stripe: self.network_names("names.stripe", &spec.stripe),
        }
    }

    fn network_names(&mut self, key: &str, found: &[String]) -> Vec<String> {
        self.at_most(key, found.len(), limits::MAX_NAMES);
        for (at, name) in found.iter().enumerate() {
            let key = format!("{key}[{at}]");
            if !is_visible(name, limits::MAX_NAME) {
                self.fail(&key, Problem::NetworkName { found: name.clone() });
            }
            if found.iter().take(at).any(|other| other.eq_ignore_ascii_case(name)) {
                self.fail(&key, Problem::NameTwice { found: name.clone() });
            }
        }
        found.to_vec()
    }

    /// Names that `mine` shares with the chain `other`.
    pub(super) fn shared_names(&mut self, key: &str, mine: &[String], theirs: &[String], other: &Chain) {
        for found in mine.iter().filter(|name| theirs.iter().any(|their| their.eq_ignore_ascii_case(name))) {
            self.fail(key, Problem::NameTaken { found: found.clone(), by: other.name.clone() });
        }
    }

    fn symbol(&mut self, key: &str, found: &str) {
        // A symbol that looks like an address could pass for one where either may stand.
        if !is_visible(found, limits::MAX_SYMBOL) || found.starts_with("0x") || found.starts_with("0X") {
            self.fail(key, Problem::Symbol { found: found.to_owned() });
        }
    }

    fn decimals(&mut self, key: &str, found: u8) {
        if found > limits::MAX_DECIMALS {
            self.fail(key, Problem::Decimals { found });
        }
    }

    fn at_most(&mut self, key: &str, found: usize, max: usize) {
        if found > max {
            self.fail(key, Problem::TooMany { found, max });
        }
    }
}

/// 1 to `max` characters, none of them space or control.
fn is_visible(text: &str, max: usize) -> bool {
    !text.is_empty() && text.chars().count() <= max && text.chars().all(|c| !c.is_whitespace() && !c.is_control())
}

/// `base` with `more` added; a token of a known address takes that token's place.
pub(super) fn merged_tokens(base: &[Token], more: Vec<Token>) -> Vec<Token> {
    let mut all = base.to_vec();
    for token in more {
        match all.iter_mut().find(|known| known.address == token.address) {
            Some(known) => *known = token,
            None => all.push(token),
        }
    }
    all
}
