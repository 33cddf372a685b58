//! Prices and values at their edges.

use super::*;

fn token(decimals: u8, usd: Option<&str>) -> Token {
    Token {
        symbol: "T".to_owned(),
        address: Address::repeat_byte(1),
        decimals,
        usd: usd.map(|text| UsdPrice::parse(text).unwrap()),
        class: TokenClass::Plain,
        credit_received: false,
    }
}

fn value(amount: u128, token: &Token) -> Option<U256> {
    usd_micros(U256::from(amount), token)
}

#[test]
fn prices_are_micro_dollars() {
    assert_eq!(UsdPrice::parse("1").unwrap().micros(), 1_000_000);
    assert_eq!(UsdPrice::parse("0.9998").unwrap().micros(), 999_800);
    assert_eq!(UsdPrice::parse("65000.25").unwrap().micros(), 65_000_250_000);
    assert_eq!(UsdPrice::parse("0"), Err(PriceError::Zero));
    assert_eq!(UsdPrice::parse("0.000"), Err(PriceError::Zero));
    assert_eq!(UsdPrice::parse("18446744073710"), Err(PriceError::TooLarge));
    assert_eq!(UsdPrice::parse("1.0000001"), Err(PriceError::Amount(AmountError::TooPrecise { decimals: 6 })));
    assert_eq!(UsdPrice::parse(""), Err(PriceError::Amount(AmountError::Empty)));
}

#[test]
fn the_same_dollars_whatever_the_decimals() {
    assert_eq!(value(20_000_000, &token(6, Some("1"))), Some(U256::from(20_000_000)));
    assert_eq!(value(20_000_000_000_000_000_000, &token(18, Some("1"))), Some(U256::from(20_000_000)));
    assert_eq!(value(2_000, &token(2, Some("1"))), Some(U256::from(20_000_000)));
    assert_eq!(value(7, &token(0, Some("2.5"))), Some(U256::from(17_500_000)));
    assert_eq!(value(1, &token(6, None)), None);
}

#[test]
fn a_fraction_of_a_micro_dollar_counts_as_one() {
    // One wei above twenty dollars is above twenty dollars.
    assert_eq!(value(20_000_000_000_000_000_001, &token(18, Some("1"))), Some(U256::from(20_000_001)));
    assert_eq!(value(1, &token(18, Some("1"))), Some(U256::from(1)));
    assert_eq!(value(0, &token(18, Some("1"))), Some(U256::ZERO));
}

#[test]
fn the_largest_amount_is_worth_the_most_and_not_nothing() {
    let dear = token(0, Some("18446744073709"));
    assert_eq!(usd_micros(U256::MAX, &dear), Some(U256::MAX));
    assert_eq!(usd_micros(U256::MAX, &token(255, Some("1"))), Some(U256::from(1_000_000)));
}
