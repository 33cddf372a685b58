//! Durations and sizes. The unit is part of the text, so that nobody guesses whether 5 is seconds.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::config::read::Text;

/// A duration from MIN to MAX milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct Span<const MIN: u64, const MAX: u64>(pub(in crate::config) Duration);

/// A number of bytes from MIN to MAX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct Size<const MIN: u64, const MAX: u64>(pub(in crate::config) u64);

const TIMES: &[(&str, u64)] = &[("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("KB", 1000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
];

/// The units a size is shown in.
const SHOWN_SIZES: &[(&str, u64)] =
    &[(" B", 1), (" KiB", 1 << 10), (" MiB", 1 << 20), (" GiB", 1 << 30), (" TiB", 1 << 40)];

impl<const MIN: u64, const MAX: u64> Text for Span<MIN, MAX> {
    fn expected() -> String {
        format!("a duration with its unit (ms, s, m, h, d), from {} to {}", short(MIN, TIMES), short(MAX, TIMES))
    }

    fn example() -> &'static str {
        "\"5s\""
    }

    fn parse(text: &str) -> Result<Self, String> {
        in_range(quantity(text, TIMES)?, MIN, MAX, TIMES).map(|ms| Self(Duration::from_millis(ms)))
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": "^[0-9]+ ?(ms|s|m|h|d)$", "description": Self::expected()})
    }
}

impl<const MIN: u64, const MAX: u64> Text for Size<MIN, MAX> {
    fn expected() -> String {
        let (least, most) = (short(MIN, SHOWN_SIZES), short(MAX, SHOWN_SIZES));
        format!("a size with its unit (B, KiB, MiB, GiB, TiB, or KB, MB, GB, TB), from {least} to {most}")
    }

    fn example() -> &'static str {
        "\"1 MiB\""
    }

    fn parse(text: &str) -> Result<Self, String> {
        in_range(quantity(text, SIZES)?, MIN, MAX, SHOWN_SIZES).map(Self)
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": "^[0-9]+ ?(B|[KMGT]i?B)$", "description": Self::expected()})
    }
}

/// A duration as it is written.
pub(in crate::config) fn shown(duration: Duration) -> String {
    short(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), TIMES)
}

/// A size as it is written.
pub(in crate::config) fn shown_bytes(bytes: u64) -> String {
    short(bytes, SHOWN_SIZES)
}

/// Whole number, at most one space, unit.
fn quantity(text: &str, units: &[(&str, u64)]) -> Result<u64, String> {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(end).unwrap_or((text, ""));
    if number.is_empty() {
        return Err("it does not begin with a whole number".to_owned());
    }
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    if unit.is_empty() {
        return Err("it has no unit".to_owned());
    }
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
        return Err(format!("the unit is none of {}", names.join(", ")));
    };
    let number: Option<u64> = number.parse().ok();
    number.and_then(|number| number.checked_mul(*factor)).ok_or_else(|| "it is too large".to_owned())
}

fn in_range(value: u64, least: u64, most: u64, units: &[(&str, u64)]) -> Result<u64, String> {
    if value < least {
        return Err(format!("it is less than {}", short(least, units)));
    }
    if most < value {
        return Err(format!("it is more than {}", short(most, units)));
    }
    Ok(value)
}

/// In the largest unit that divides it.
fn short(value: u64, units: &[(&str, u64)]) -> String {
    let fits = units.iter().rev().find(|(_, factor)| value != 0 && value.is_multiple_of(*factor));
    let (unit, factor) = fits.or(units.first()).copied().unwrap_or(("", 1));
    format!("{}{unit}", value / factor)
}
