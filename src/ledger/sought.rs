//! What a person looks for who has one string and does not say what it is.

use uuid::Uuid;

use crate::model::{EventId, WebhookId};

/// Fewest digits of the beginning of an id: fewer are a number, or noise.
const DIGITS_MIN: usize = 8;

/// Digits of a UUID.
const DIGITS: usize = 32;

/// One string, read in every way it can be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sought {
    /// Ways in which ids, hashes, references and keys that mean it are stored.
    pub texts: Vec<String>,
    /// Ids of deliveries and events that it is, or begins.
    pub ids: Option<(Uuid, Uuid)>,
    /// The event of the message whose `webhook-id` it is.
    pub event: Option<EventId>,
    /// The hash that it is.
    pub hash: Option<[u8; 32]>,
    /// The address that it is.
    pub address: Option<[u8; 20]>,
}

impl Sought {
    /// Reads it.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let text = text.trim();
        let lower = text.to_ascii_lowercase();
        let digits = lower.strip_prefix("0x").unwrap_or(&lower);
        let mut texts = vec![text.to_owned(), lower.clone()];
        let bytes = hex::decode(digits).ok().filter(|bytes| !bytes.is_empty());
        if bytes.is_some() {
            texts.extend([digits.to_owned(), format!("0x{digits}")]);
        }
        texts.sort();
        texts.dedup();
        let bytes = bytes.as_deref().unwrap_or_default();
        Self {
            texts,
            ids: ids(&lower),
            event: lower.parse::<WebhookId>().ok().map(|id| id.event),
            hash: bytes.try_into().ok(),
            address: bytes.try_into().ok(),
        }
    }
}

/// The least and the greatest UUID that begin so.
fn ids(text: &str) -> Option<(Uuid, Uuid)> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let fits = (DIGITS_MIN..=DIGITS).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let filled = |with: &str| Uuid::try_parse(&format!("{digits}{}", with.repeat(DIGITS - digits.len()))).ok();
    if fits { filled("0").zip(filled("f")) } else { None }
}

#[cfg(test)]
mod tests {
    use super::Sought;

    #[test]
    fn one_string_is_read_in_every_way_it_can_be_meant() {
        let hash = "AB".repeat(32);
        let sought = Sought::of(&format!(" 0x{hash} "));
        assert_eq!(sought.hash, Some([0xab; 32]));
        assert!(sought.texts.contains(&hash.to_lowercase()) && sought.texts.contains(&format!("0x{hash}")));
        assert_eq!((sought.ids, sought.event, sought.address), (None, None, None));
        assert_eq!(Sought::of(&"12".repeat(20)).address, Some([0x12; 20]));
        assert_eq!(Sought::of("pi_3Abc").texts, ["pi_3Abc", "pi_3abc"]);
        let (low, high) = Sought::of("0192ABCD-1").ids.expect("a beginning");
        assert_eq!(low.to_string(), "0192abcd-1000-0000-0000-000000000000");
        assert_eq!(high.to_string(), "0192abcd-1fff-ffff-ffff-ffffffffffff");
        let message = Sought::of("0192abcd-1234-7000-8000-123456789abc_3");
        assert_eq!(message.event.expect("its event").to_string(), "0192abcd-1234-7000-8000-123456789abc");
        for number in ["17", "1234567", "order-17", ""] {
            assert!(Sought::of(number).ids.is_none(), "{number}");
        }
    }
}
