//! What a sanctions oracle's contract is asked, and what it says.

use alloy_primitives::{Address, B256};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::chain::Listing;

/// `isSanctioned(address)`.
const IS_SANCTIONED: [u8; 4] = [0xdf, 0x59, 0x2f, 0x7d];

/// The call that asks a contract about somebody.
#[must_use]
pub fn is_sanctioned(contract: Address, somebody: Address) -> Value {
    let data = [IS_SANCTIONED.as_slice(), somebody.into_word().as_slice()].concat();
    json!({"to": contract, "data": format!("0x{}", hex::encode(data))})
}

/// Reads an answer: one word that is a boolean, and nothing else. What is no such contract answers with no bytes, or with
/// others.
#[must_use]
pub fn listing(raw: &RawValue) -> Listing {
    let text = serde_json::from_str::<String>(raw.get()).unwrap_or_default();
    let word = text.strip_prefix("0x").and_then(|digits| hex::decode(digits).ok());
    match word.and_then(|bytes| B256::try_from(bytes.as_slice()).ok()) {
        Some(word) if word == B256::ZERO => Listing::Clean,
        Some(word) if word == B256::with_last_byte(1) => Listing::Denied,
        Some(_) | None => Listing::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chain::types::tests::raw;

    #[test]
    fn only_a_whole_boolean_is_an_answer() {
        let word = |last: &str| json!(format!("0x{last:0>64}"));
        for (answer, expected) in [
            (word("0"), Listing::Clean),
            (word("1"), Listing::Denied),
            (word("2"), Listing::Nothing),
            (json!(format!("0x1{}", "0".repeat(63))), Listing::Nothing),
            (json!("0x"), Listing::Nothing),
            (json!("0x0"), Listing::Nothing),
            (json!("0x01"), Listing::Nothing),
            (json!("0".repeat(64)), Listing::Nothing),
            (json!(format!("0x{}", "0".repeat(128))), Listing::Nothing),
            (json!(null), Listing::Nothing),
            (json!(false), Listing::Nothing),
        ] {
            assert_eq!(listing(&raw(&answer)), expected, "{answer}");
        }
    }

    #[test]
    fn the_call_is_the_published_one() {
        let call = is_sanctioned(Address::repeat_byte(0x40), Address::repeat_byte(0x51));
        assert_eq!(call["data"], format!("0xdf592f7d{}{}", "0".repeat(24), "51".repeat(20)));
    }
}
