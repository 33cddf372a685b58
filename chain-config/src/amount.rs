//! Amounts as people and providers write them, and as chains count them.
//!
//! The grammar is `^(0|[1-9][0-9]{0,59})(\.[0-9]{1,D})?$`, D being the token's decimals; digits beyond D are allowed
//! when all of them are zero. It is our own because libraries take too much: they cut `1.1234567` to six decimals, and
//! read an empty text as zero. Nothing is rounded and no float is involved. Never guess D: it comes from the registry.

use alloy_primitives::U256;

#[cfg(test)]
mod tests;

/// Most digits before the point.
pub const MAX_WHOLE_DIGITS: usize = 60;

/// Longest text looked at, in bytes: the digits before the point, the point, and all the decimals a `u8` can ask for.
pub const MAX_TEXT: usize = MAX_WHOLE_DIGITS + 1 + 255;

/// Why a text is not an amount of this token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Nothing there.
    #[error("the amount is empty; write a decimal number such as 12.5")]
    Empty,
    /// More than [`MAX_TEXT`] bytes.
    #[error("the amount has {found} characters, more than {MAX_TEXT}; write it without superfluous digits")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// A sign, exponent, separator, space, foreign digit or second point.
    #[error("`{found}` cannot stand in an amount; write ASCII digits and at most one point, such as 1234.5")]
    Character {
        /// The first offender.
        found: char,
    },
    /// No digit before the point, or none after it.
    #[error("an amount has digits on both sides of its point; write 0.5 or 5, not .5 or 5.")]
    BarePoint,
    /// `01`, `00.5`.
    #[error("an amount has no leading zeros; write 1, not 01")]
    LeadingZero,
    /// More than [`MAX_WHOLE_DIGITS`] digits before the point.
    #[error("the amount has {found} digits before the point, at most {MAX_WHOLE_DIGITS} are read; check the unit")]
    TooManyDigits {
        /// Digits found before the point.
        found: usize,
    },
    /// A digit other than zero below the token's smallest unit.
    #[error("the token has {decimals} decimals and the amount has more; nothing is rounded, write at most {decimals}")]
    TooPrecise {
        /// Decimals of the token.
        decimals: u8,
    },
    /// Does not fit into 256 bits.
    #[error("the amount exceeds what a token can hold (256 bits); check the unit and the decimals")]
    Overflow,
}

/// Reads a decimal text into base units (the token's smallest unit) of a token with `decimals`.
///
/// # Errors
/// See [`AmountError`]; anything outside the grammar of this module, and whatever exceeds 256 bits.
pub fn parse(text: &str, decimals: u8) -> Result<U256, AmountError> {
    if text.is_empty() {
        return Err(AmountError::Empty);
    }
    if text.len() > MAX_TEXT {
        return Err(AmountError::TooLong { found: text.len() });
    }
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    if let Some(found) = whole.chars().chain(fraction.unwrap_or("").chars()).find(|c| !c.is_ascii_digit()) {
        return Err(AmountError::Character { found });
    }
    if whole.is_empty() || fraction == Some("") {
        return Err(AmountError::BarePoint);
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return Err(AmountError::LeadingZero);
    }
    if whole.len() > MAX_WHOLE_DIGITS {
        return Err(AmountError::TooManyDigits { found: whole.len() });
    }
    let fraction = fraction.unwrap_or("");
    let places = usize::from(decimals);
    if fraction.bytes().skip(places).any(|digit| digit != b'0') {
        return Err(AmountError::TooPrecise { decimals });
    }
    // Exactly `places` digits behind the point: what is written, then zeros.
    let below = fraction.bytes().chain(std::iter::repeat(b'0')).take(places);
    whole.bytes().chain(below).try_fold(U256::ZERO, append).ok_or(AmountError::Overflow)
}

/// `value` with one more decimal digit; None when 256 bits are exceeded.
fn append(value: U256, digit: u8) -> Option<U256> {
    value.checked_mul(U256::from(10))?.checked_add(U256::from(digit.saturating_sub(b'0')))
}

/// Writes base units of a token with `decimals` as a decimal text: no trailing zeros, no point in a whole number, `0`
/// for nothing. [`parse`] reads it back, but for values of more than [`MAX_WHOLE_DIGITS`] digits before the point.
#[must_use]
pub fn format(amount: U256, decimals: u8) -> String {
    let places = usize::from(decimals);
    let digits = format!("{amount:0>width$}", amount = amount.to_string(), width = places.saturating_add(1));
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(places));
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}
