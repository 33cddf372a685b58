//! Chain addresses, hashes and amounts.

use alloy_primitives::{Address, B256};

use crate::config::read::Text;

/// Digits behind the point that a tolerance may have: as many as the finest token.
const DECIMALS_MAX: u8 = 18;

/// A 20-byte address; mixed case must carry the right EIP-55 checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct EvmAddress(pub(in crate::config) Address);

impl Text for EvmAddress {
    fn expected() -> String {
        "an address, 0x and 40 hexadecimal digits with EIP-55 checksum".to_owned()
    }

    fn example() -> &'static str {
        "\"0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913\""
    }

    fn parse(text: &str) -> Result<Self, String> {
        chain_config::parse_address(text).map(Self).map_err(|error| error.to_string())
    }
}

/// A 32-byte hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct Hash(pub(in crate::config) B256);

impl Text for Hash {
    fn expected() -> String {
        "a hash, 0x and 64 hexadecimal digits".to_owned()
    }

    fn example() -> &'static str {
        "\"0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3\""
    }

    fn parse(text: &str) -> Result<Self, String> {
        let hash = text.strip_prefix("0x").and_then(|_| text.parse().ok());
        hash.map(Self).ok_or_else(|| "it is not 64 hexadecimal digits behind 0x".to_owned())
    }
}

/// A decimal amount of tokens, kept as text: it becomes base units when the token is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct Decimal(pub(in crate::config) String);

impl Text for Decimal {
    fn expected() -> String {
        "a decimal amount as text".to_owned()
    }

    fn example() -> &'static str {
        "\"0.01\""
    }

    fn parse(text: &str) -> Result<Self, String> {
        match chain_config::amount::parse(text, DECIMALS_MAX) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(error.to_string()),
        }
    }
}
