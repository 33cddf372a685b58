//! The secrets that are tried, and the ways in which senders make a key of a secret's text.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::config::{Provider, Source, SourceSecret};

/// Secrets that are tried: the source's own, then those of other sources of its provider.
const SECRETS_MAX: usize = 64;
const WHSEC: &str = "whsec_";

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A configured secret, live or not.
pub(super) struct Candidate<'a> {
    pub(super) source: &'a Source,
    pub(super) secret: &'a SourceSecret,
}

pub(super) fn candidates<'a>(source: &'a Source, others: &'a [Source]) -> Vec<Candidate<'a>> {
    let others =
        others.iter().filter(|other| other.name != source.name && other.provider.name() == source.provider.name());
    std::iter::once(source)
        .chain(others)
        .flat_map(|source| source.secrets.iter().map(move |secret| Candidate { source, secret }))
        .take(SECRETS_MAX)
        .collect()
}

impl Candidate<'_> {
    /// The key that verification makes.
    pub(super) fn configured(&self, provider: &Provider) -> Vec<u8> {
        let text = self.secret.secret.expose();
        match provider {
            Provider::Stripe | Provider::RequestNetwork | Provider::Hmac(_) => text.as_bytes().to_vec(),
            Provider::StandardWebhooks => LENIENT.decode(bare(text)).unwrap_or_default(),
        }
    }

    /// The keys that others would make of the same text.
    pub(super) fn other_forms(&self, provider: &Provider) -> Vec<(&'static str, Vec<u8>)> {
        let text = self.secret.secret.expose();
        let configured = self.configured(provider);
        let forms = [
            ("the text without blanks around it", Some(text.trim().as_bytes().to_vec())),
            ("the text with a line feed at its end", Some([text.as_bytes(), b"\n"].concat())),
            ("the whole text, undecoded", Some(text.as_bytes().to_vec())),
            ("the text without whsec_", Some(bare(text).as_bytes().to_vec())),
            ("decoded from base64, without whsec_", LENIENT.decode(bare(text)).ok()),
            ("decoded from hexadecimal", hex::decode(text.trim()).ok()),
        ];
        let mut keys: Vec<(&'static str, Vec<u8>)> = Vec::new();
        for (form, key) in forms {
            // A blank key would match what anybody can sign.
            let Some(key) = key.filter(|key| !key.trim_ascii().is_empty() && *key != configured) else { continue };
            if keys.iter().all(|(_, known)| *known != key) {
                keys.push((form, key));
            }
        }
        keys
    }
}

fn bare(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix(WHSEC).unwrap_or(text)
}
