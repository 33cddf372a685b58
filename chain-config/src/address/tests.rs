//! The vectors are those printed in EIP-55 itself.

use super::*;

const EIP_55: [&str; 4] = [
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
];

#[test]
fn checksummed_lower_and_upper_case_are_the_same_address() {
    for text in EIP_55 {
        let lower = text.to_ascii_lowercase();
        let upper = format!("0x{}", text.strip_prefix("0x").unwrap().to_ascii_uppercase());
        let bytes = hex::decode(&lower).unwrap();
        assert_eq!(parse_address(text).unwrap().as_slice(), bytes);
        assert_eq!(parse_address(&lower).unwrap().as_slice(), bytes);
        assert_eq!(parse_address(&upper).unwrap().as_slice(), bytes);
    }
}

#[test]
fn one_letter_in_the_wrong_case_is_refused() {
    for text in EIP_55 {
        for (at, letter) in text.char_indices().skip(2).filter(|(_, c)| c.is_ascii_alphabetic()) {
            let flipped =
                if letter.is_ascii_uppercase() { letter.to_ascii_lowercase() } else { letter.to_ascii_uppercase() };
            let mut wrong = text.to_owned();
            wrong.replace_range(at..=at, &flipped.to_string());
            assert_eq!(parse_address(&wrong), Err(AddressError::Checksum), "{wrong}");
        }
    }
}

#[test]
fn what_is_no_address_says_why() {
    let cases = [
        ("", AddressError::Prefix),
        ("5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", AddressError::Prefix),
        ("0X5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", AddressError::Prefix),
        (" 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", AddressError::Prefix),
        ("0x", AddressError::Length { found: 0 }),
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe", AddressError::Length { found: 39 }),
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAedd", AddressError::Length { found: 41 }),
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg", AddressError::Digit { found: 'g' }),
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed ", AddressError::Digit { found: ' ' }),
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe\u{0665}", AddressError::Digit { found: '\u{0665}' }),
    ];
    for (text, expected) in cases {
        assert_eq!(parse_address(text), Err(expected), "{text:?}");
    }
}
