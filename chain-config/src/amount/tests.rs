//! Expected values are written out by hand or computed from integers, never by the formatter.

use proptest::prelude::*;

use super::*;

fn units(value: u128) -> U256 {
    U256::from(value)
}

#[test]
fn amounts_become_base_units() {
    let cases = [
        ("0", 6, 0),
        ("0.0", 6, 0),
        ("1", 0, 1),
        ("1", 6, 1_000_000),
        ("100.0", 6, 100_000_000),
        ("100.5", 6, 100_500_000),
        ("0.000001", 6, 1),
        ("0.10", 2, 10),
        ("12.34", 2, 1_234),
        ("1.5", 18, 1_500_000_000_000_000_000),
        ("0.000000000000000001", 18, 1),
        ("21000000", 8, 2_100_000_000_000_000),
    ];
    for (text, decimals, expected) in cases {
        assert_eq!(parse(text, decimals), Ok(units(expected)), "{text} at {decimals}");
    }
}

#[test]
fn zeros_beyond_the_decimals_are_nothing_and_other_digits_are_refused() {
    assert_eq!(parse("1.0", 0), Ok(units(1)));
    assert_eq!(parse("1.50000000", 6), Ok(units(1_500_000)));
    assert_eq!(parse("0.0000000", 6), Ok(units(0)));
    for (text, decimals) in [("1.1234567", 6), ("0.0000001", 6), ("1.5", 0), ("1.00000001", 6), ("0.001", 2)] {
        assert_eq!(parse(text, decimals), Err(AmountError::TooPrecise { decimals }), "{text} at {decimals}");
    }
}

#[test]
fn what_libraries_let_through_is_refused() {
    use AmountError::{BarePoint, Character, Empty, LeadingZero};
    let cases = [
        ("", Empty),
        (".", BarePoint),
        ("5.", BarePoint),
        (".5", BarePoint),
        ("-1", Character { found: '-' }),
        ("-", Character { found: '-' }),
        ("+1", Character { found: '+' }),
        ("1_000", Character { found: '_' }),
        ("1,000", Character { found: ',' }),
        ("1e6", Character { found: 'e' }),
        ("1E6", Character { found: 'E' }),
        (" 1", Character { found: ' ' }),
        ("1 ", Character { found: ' ' }),
        ("1\n", Character { found: '\n' }),
        ("1.2.3", Character { found: '.' }),
        ("0x10", Character { found: 'x' }),
        ("NaN", Character { found: 'N' }),
        ("\u{0661}", Character { found: '\u{0661}' }),
        ("\u{ff11}", Character { found: '\u{ff11}' }),
        ("1\u{00a0}000", Character { found: '\u{00a0}' }),
        ("01", LeadingZero),
        ("00", LeadingZero),
        ("00.5", LeadingZero),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text, 6), Err(expected), "{text:?}");
    }
}

#[test]
fn sixty_digits_before_the_point_are_the_most() {
    let sixty = "9".repeat(60);
    assert_eq!(parse(&sixty, 0).unwrap().to_string(), sixty);
    assert_eq!(parse(&"9".repeat(61), 0), Err(AmountError::TooManyDigits { found: 61 }));
    assert_eq!(parse(&format!("0.{}", "0".repeat(400)), 6), Err(AmountError::TooLong { found: 402 }));
}

#[test]
fn the_largest_value_passes_and_one_more_is_an_overflow() {
    // 2^256 - 1, once as a whole number of units with 18 decimals.
    let max = "115792089237316195423570985008687907853269984665640564039457.584007913129639935";
    assert_eq!(parse(max, 18), Ok(U256::MAX));
    let above = "115792089237316195423570985008687907853269984665640564039457.584007913129639936";
    assert_eq!(parse(above, 18), Err(AmountError::Overflow));
    assert_eq!(parse("1", 78), Err(AmountError::Overflow));
    assert_eq!(parse("0", 255), Ok(U256::ZERO));
}

#[test]
fn base_units_are_written_without_trailing_zeros() {
    let cases = [
        (0, 6, "0"),
        (1, 6, "0.000001"),
        (1_000_000, 6, "1"),
        (100_500_000, 6, "100.5"),
        (10, 0, "10"),
        (1_200, 2, "12"),
        (1_500_000_000_000_000_000, 18, "1.5"),
    ];
    for (amount, decimals, expected) in cases {
        assert_eq!(format(units(amount), decimals), expected);
    }
    assert_eq!(
        format(U256::MAX, 18),
        "115792089237316195423570985008687907853269984665640564039457.584007913129639935"
    );
}

proptest! {
    #[test]
    fn what_is_written_reads_back(value in any::<u128>(), high in 0_u64..1 << 40, decimals in 0_u8..=77) {
        let value = (U256::from(high) << 128) | U256::from(value);
        prop_assert_eq!(parse(&format(value, decimals), decimals), Ok(value));
    }

    #[test]
    fn a_number_is_the_sum_of_its_parts(whole in any::<u64>(), micros in 0_u32..1_000_000) {
        let expected = U256::from(u128::from(whole) * 1_000_000 + u128::from(micros));
        let text = format!("{whole}.{micros:06}");
        prop_assert_eq!(parse(&text, 6), Ok(expected));
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,80}", decimals in any::<u8>()) {
        // Whatever passes obeys the grammar.
        if parse(&text, decimals).is_ok() {
            prop_assert!(text.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
            prop_assert!(text.starts_with(|c: char| c.is_ascii_digit()));
        }
    }
}
