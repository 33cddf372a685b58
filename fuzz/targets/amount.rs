//! Amounts as providers and people write them: what is read writes back to what was meant, and the rest is an error.

#![no_main]

use chain_config::amount::{format, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &str)| {
    let (decimals, text) = input;
    let Ok(amount) = parse(text, decimals) else { return };
    let written = format(amount, decimals);
    assert_eq!(parse(&written, decimals), Ok(amount), "{text} was written as {written}");
    let plain = |text: &str| match text.split_once('.') {
        Some((whole, part)) => std::format!("{whole}.{}", part.trim_end_matches('0')).trim_end_matches('.').to_owned(),
        None => text.to_owned(),
    };
    assert_eq!(plain(text), plain(&written), "nothing is rounded");
});
