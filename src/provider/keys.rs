//! The live secrets of a source, prepared, and the one comparison of tags.

use std::sync::Arc;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jiff::Timestamp;
use subtle::ConstantTimeEq;

use crate::config::SourceSecret;
use crate::digest::{Algorithm, HmacKey};

/// Prefix of Standard Webhooks secrets; optional on input (its reference libraries take both).
const WHSEC: &str = "whsec_";

/// Key length the Standard Webhooks specification allows, bytes.
const WHSEC_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Secrets are copied by hand: their padding may be lost on the way.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A secret that cannot be used. Names it and never shows it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// There is none.
    #[error("there is no secret: configure at least one")]
    None,
    /// Empty, or nothing but blanks: whoever guesses that could sign.
    #[error("secret {name:?} is blank: check the file or variable it is read from")]
    Blank {
        /// Configured name.
        name: String,
    },
    /// Not base64 after `whsec_`.
    #[error("secret {name:?} is not base64 after `whsec_`: copy it again from the sender")]
    NotBase64 {
        /// Configured name.
        name: String,
    },
    /// Outside the specification's length.
    #[error("secret {name:?} holds {bytes} bytes, 24 to 64 are needed: make a new one with `tollgate secret generate`")]
    Length {
        /// Configured name.
        name: String,
        /// Decoded length.
        bytes: usize,
    },
}

/// How a secret's text becomes a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The bytes of the text, all of it. Stripe's `whsec_` is part of the key, and Request Network's secret is not
    /// decoded although it looks like hexadecimal.
    Text,
    /// `whsec_` and base64 (Standard Webhooks).
    Whsec,
}

impl Form {
    /// The prepared key.
    pub(super) fn key(self, name: &str, text: &str, algorithm: Algorithm) -> Result<HmacKey, SecretError> {
        let name = || name.to_owned();
        if text.trim().is_empty() {
            return Err(SecretError::Blank { name: name() });
        }
        match self {
            Self::Text => Ok(HmacKey::new(algorithm, text.as_bytes())),
            Self::Whsec => {
                let digits = text.strip_prefix(WHSEC).unwrap_or(text);
                let key = LENIENT.decode(digits).map_err(|_| SecretError::NotBase64 { name: name() })?;
                if WHSEC_BYTES.contains(&key.len()) {
                    Ok(HmacKey::new(algorithm, &key))
                } else {
                    Err(SecretError::Length { name: name(), bytes: key.len() })
                }
            }
        }
    }
}

/// A prepared secret.
struct Key {
    name: Arc<str>,
    mac: HmacKey,
    not_after: Option<Timestamp>,
}

/// The secret that made a tag.
pub(super) struct Match {
    pub(super) name: Arc<str>,
    /// Whether it is the first of those that are live: a rotation is over when all are.
    pub(super) is_newest: bool,
}

/// The secrets of a source in their configured order.
pub(super) struct Keys(Vec<Key>);

impl Keys {
    pub(super) fn new(secrets: &[SourceSecret], form: Form, algorithm: Algorithm) -> Result<Self, SecretError> {
        if secrets.is_empty() {
            return Err(SecretError::None);
        }
        let prepare = |secret: &SourceSecret| {
            let mac = form.key(&secret.name, secret.secret.expose(), algorithm)?;
            Ok(Key { name: secret.name.as_str().into(), mac, not_after: secret.not_after })
        };
        secrets.iter().map(prepare).collect::<Result<_, _>>().map(Self)
    }

    /// The first secret, live at arrival, that made one of the candidate tags over the parts. Each
    /// secret's tag is computed once and compared with every candidate in constant time.
    pub(super) fn matching(&self, parts: &[&[u8]], candidates: &[Vec<u8>], received: Timestamp) -> Option<Match> {
        if candidates.is_empty() {
            return None;
        }
        let live = self.0.iter().filter(|key| key.not_after.is_none_or(|end| received <= end));
        for (position, key) in live.enumerate() {
            let tag = key.mac.sign(parts);
            let hit = candidates.iter().fold(subtle::Choice::from(0), |hit, other| hit | tag.ct_eq(other));
            if bool::from(hit) {
                return Some(Match { name: Arc::clone(&key.name), is_newest: position == 0 });
            }
        }
        None
    }
}
