//! Reading addresses that a person wrote.
//!
//! A wrong letter in a configured address sends money nowhere, so the EIP-55 checksum, where there is one, must hold.
//! Never use this to judge addresses a node or a provider sent: those are compared as bytes, whatever their case.

use alloy_primitives::{Address, hex};

#[cfg(test)]
mod tests;

/// Characters of an address behind `0x`.
const HEX_DIGITS: usize = 40;

/// Why a text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No `0x` in front.
    #[error("an address starts with 0x; write 0x and 40 hexadecimal digits")]
    Prefix,
    /// Not 40 digits behind `0x`.
    #[error("an address has 40 hexadecimal digits behind 0x, this has {found}; copy it again, whole")]
    Length {
        /// Characters found behind `0x`.
        found: usize,
    },
    /// Something other than `0-9a-fA-F`.
    #[error("`{found}` is not a hexadecimal digit; copy the address again")]
    Digit {
        /// The first character that is no digit.
        found: char,
    },
    /// Mixed case whose case pattern is not the EIP-55 checksum.
    #[error("the EIP-55 checksum does not hold, so a character is wrong; copy the address again from its source")]
    Checksum,
}

/// Reads `0x` and 40 hexadecimal digits.
///
/// Mixed case carries a checksum (EIP-55) and must satisfy it; all lower or all upper case carries none and is taken.
/// Surrounding space is not trimmed.
///
/// # Errors
/// See [`AddressError`].
pub fn parse_address(text: &str) -> Result<Address, AddressError> {
    let digits = text.strip_prefix("0x").ok_or(AddressError::Prefix)?;
    if let Some(found) = digits.chars().find(|c| !c.is_ascii_hexdigit()) {
        return Err(AddressError::Digit { found });
    }
    if digits.len() != HEX_DIGITS {
        return Err(AddressError::Length { found: digits.len() });
    }
    let mut bytes = [0_u8; 20];
    hex::decode_to_slice(digits, &mut bytes).map_err(|_| AddressError::Length { found: digits.len() })?;
    let address = Address::from(bytes);
    if is_mixed_case(digits) && address.to_checksum(None) != text {
        return Err(AddressError::Checksum);
    }
    Ok(address)
}

/// Whether the case of the digits can carry a checksum at all.
fn is_mixed_case(digits: &str) -> bool {
    digits.bytes().any(|b| b.is_ascii_lowercase()) && digits.bytes().any(|b| b.is_ascii_uppercase())
}
