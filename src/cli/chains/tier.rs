//! A finality tier as it is typed: `[UP_TO_USD:]CONFIRMATIONS[+safe|+finalized]`. Pure.

use std::str::FromStr;

use chain_config::{Tag, TierSpec};
use serde_json::Value;

/// One tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tier(pub(super) TierSpec);

impl FromStr for Tier {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no tier: write 20:2, 1000:12 or 64+finalized");
        let (bound, depth) = match text.split_once(':') {
            Some((bound, depth)) => (Some(bound.trim().parse().map_err(|_| wrong())?), depth),
            None => (None, text),
        };
        let (depth, tag) = match depth.split_once('+') {
            None => (depth, None),
            Some((depth, "safe")) => (depth, Some(Tag::Safe)),
            Some((depth, "finalized")) => (depth, Some(Tag::Finalized)),
            Some(_) => return Err(wrong()),
        };
        let confirmations = depth.trim().parse().map_err(|_| wrong())?;
        Ok(Self(TierSpec { up_to_usd: bound, confirmations, tag }))
    }
}

/// The same form, of a tier as the API shows it.
pub(super) fn text(tier: &Value) -> String {
    let number = |field: &str| tier.get(field).and_then(Value::as_u64);
    let bound = number("up_to_usd").map_or_else(String::new, |bound| format!("{bound}:"));
    let tag = tier.get("tag").and_then(Value::as_str).map_or_else(String::new, |tag| format!("+{tag}"));
    format!("{bound}{}{tag}", number("confirmations").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use chain_config::Tag;
    use serde_json::json;

    use super::{Tier, text};

    #[test]
    fn tiers_are_shown_as_they_are_typed() {
        for (typed, up_to_usd, confirmations, tag) in [
            ("20:2", Some(20), 2, None),
            ("1000:12+safe", Some(1_000), 12, Some(Tag::Safe)),
            ("64+finalized", None, 64, Some(Tag::Finalized)),
            ("1", None, 1, None),
        ] {
            let Tier(tier) = typed.parse().unwrap();
            assert_eq!((tier.up_to_usd, tier.confirmations, tier.tag), (up_to_usd, confirmations, tag), "{typed}");
            assert_eq!(text(&json!(tier)), typed);
        }
        for wrong in ["", ":", "20:", "x", "1+", "1+final", "1:2:3", "-1", "1.5"] {
            assert!(wrong.parse::<Tier>().unwrap_err().contains("20:2"), "{wrong}");
        }
    }
}
