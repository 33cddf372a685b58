//! The signatures in a header, read leniently: whatever can be a tag, and how it was written.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use bytes::Bytes;

use crate::config::{Encoding, Provider};
use crate::digest::Algorithm;
use crate::provider::{request_network, standard_webhooks, stripe};

/// Tags that are compared.
const TAGS_MAX: usize = 16;
/// Bytes of a header's value that are read.
const HEADER_BYTES_MAX: usize = 8 * 1024;
/// Longest name in `name=signature`.
const NAME_BYTES_MAX: usize = 16;

const LOWER_HEX: &str = "lower-case hexadecimal";
const UPPER_HEX: &str = "upper-case hexadecimal";
const HEX_0X: &str = "hexadecimal behind 0x";
const BASE64: &str = "base64";
const BASE64_BARE: &str = "base64 without padding";
const BASE64_URL: &str = "base64url";
const BASE64_URL_BARE: &str = "base64url without padding";

/// Something that can be a MAC.
pub(super) struct Tag {
    pub(super) bytes: Vec<u8>,
    /// What stood in front of it.
    pub(super) prefix: String,
    pub(super) encoding: &'static str,
}

impl Tag {
    pub(super) const fn is_of(&self, algorithm: Algorithm) -> bool {
        self.bytes.len() == bytes_of(algorithm)
    }
}

const fn bytes_of(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::Sha256 => 32,
        Algorithm::Sha512 => 64,
    }
}

pub(super) const fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Sha256 => "sha256",
        Algorithm::Sha512 => "sha512",
    }
}

/// What the scheme's headers hold.
pub(super) struct Sent {
    pub(super) tags: Vec<Tag>,
    /// The signed time as it is written, where the scheme signs one.
    pub(super) time: Option<String>,
    /// The signed id, where the scheme signs one.
    id: Option<String>,
    /// The signature header came more than once.
    pub(super) repeated: bool,
}

impl Sent {
    pub(super) fn read(provider: &Provider, all: &[(Bytes, Bytes)]) -> Self {
        let name = match provider {
            Provider::Stripe => stripe::SIGNATURE_HEADER,
            Provider::RequestNetwork => request_network::SIGNATURE_HEADER,
            Provider::Hmac(scheme) => &scheme.header,
            Provider::StandardWebhooks => standard_webhooks::SIGNATURE_HEADER,
        };
        let values: Vec<&str> = texts(all, name).collect();
        let tags = values.iter().flat_map(|value| tags(provider, value)).take(TAGS_MAX).collect();
        let first = |name| texts(all, name).next().map(|text| text.trim().to_owned());
        let (time, id) = match provider {
            Provider::Stripe => (values.iter().find_map(|value| stripe_time(value)), None),
            Provider::StandardWebhooks => {
                (first(standard_webhooks::TIMESTAMP_HEADER), first(standard_webhooks::ID_HEADER))
            }
            Provider::RequestNetwork | Provider::Hmac(_) => (None, None),
        };
        Self { tags, time, id, repeated: 1 < values.len() }
    }

    /// The signed text.
    pub(super) fn parts<'a>(&'a self, body: &'a [u8]) -> Vec<&'a [u8]> {
        let signed = self.id.iter().chain(&self.time).flat_map(|text| [text.as_bytes(), b".".as_slice()]);
        signed.chain(std::iter::once(body)).collect()
    }
}

/// Values of a header as text, cut to what is read.
fn texts<'h>(all: &'h [(Bytes, Bytes)], name: &str) -> impl Iterator<Item = &'h str> {
    all.iter()
        .filter(move |(key, _)| key.eq_ignore_ascii_case(name.as_bytes()))
        .filter(|(_, value)| value.len() <= HEADER_BYTES_MAX)
        .filter_map(|(_, value)| std::str::from_utf8(value).ok())
}

fn stripe_time(value: &str) -> Option<String> {
    value.split(',').find_map(|element| element.trim().strip_prefix("t=")).map(str::to_owned)
}

/// Every piece of a value that decodes to the length of a MAC.
fn tags(provider: &Provider, value: &str) -> Vec<Tag> {
    let words = value.split(|c: char| c.is_ascii_whitespace() || c == ';').filter(|word| !word.is_empty());
    // `v1,signature` is one entry of Standard Webhooks; commas separate everywhere else.
    let pieces = words.flat_map(|word| match word.split_once(',') {
        Some((version, tag)) if version.len() <= 3 && !version.contains('=') => vec![(format!("{version},"), tag)],
        _ => word.split(',').map(|piece| (String::new(), piece)).collect(),
    });
    pieces.filter_map(|(prefix, piece)| tag(provider, prefix, piece)).take(TAGS_MAX).collect()
}

fn tag(provider: &Provider, prefix: String, piece: &str) -> Option<Tag> {
    if let Provider::Hmac(scheme) = provider
        && !scheme.prefix.is_empty()
        && let Some((bytes, encoding)) = piece.strip_prefix(&scheme.prefix).and_then(decode)
    {
        return Some(Tag { bytes, prefix: scheme.prefix.clone(), encoding });
    }
    if let Some((bytes, encoding)) = decode(piece) {
        return Some(Tag { bytes, prefix, encoding });
    }
    let (name, rest) = piece.split_once('=')?;
    let plain = name.len() <= NAME_BYTES_MAX && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    let (bytes, encoding) = decode(rest).filter(|_| plain)?;
    Some(Tag { bytes, prefix: format!("{name}="), encoding })
}

fn decode(text: &str) -> Option<(Vec<u8>, &'static str)> {
    let hexadecimal = |digits: &str| hex::decode(digits).ok();
    let lower = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let read = [
        (hexadecimal(text), if lower { LOWER_HEX } else { UPPER_HEX }),
        (text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).and_then(hexadecimal), HEX_0X),
        (STANDARD.decode(text).ok(), BASE64),
        (STANDARD_NO_PAD.decode(text).ok(), BASE64_BARE),
        (URL_SAFE.decode(text).ok(), BASE64_URL),
        (URL_SAFE_NO_PAD.decode(text).ok(), BASE64_URL_BARE),
    ];
    let fits = |bytes: &Vec<u8>| [Algorithm::Sha256, Algorithm::Sha512].into_iter().any(|a| bytes.len() == bytes_of(a));
    read.into_iter().find_map(|(bytes, encoding)| Some((bytes.filter(fits)?, encoding)))
}

/// Whether verification expects this in front of a tag.
pub(super) fn is_prefix(provider: &Provider, prefix: &str) -> bool {
    match provider {
        Provider::Stripe => prefix == "v1=",
        Provider::RequestNetwork => prefix.is_empty(),
        Provider::Hmac(scheme) => prefix == scheme.prefix,
        Provider::StandardWebhooks => prefix == "v1,",
    }
}

/// Whether verification reads a tag in this form.
pub(super) fn is_encoding(provider: &Provider, encoding: &str) -> bool {
    let taken: &[&str] = match provider {
        Provider::Stripe => &[LOWER_HEX],
        Provider::RequestNetwork => &[LOWER_HEX, UPPER_HEX, HEX_0X],
        Provider::Hmac(scheme) => match scheme.encoding {
            Encoding::Hex => &[LOWER_HEX, UPPER_HEX],
            Encoding::Base64 => &[BASE64],
        },
        Provider::StandardWebhooks => &[BASE64],
    };
    taken.contains(&encoding)
}
