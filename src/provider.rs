//! What a provider's bytes say: who signed them, what they are about, and what they claim.
//!
//! Pure: no clock, no I/O, no ledger. It must never answer from anything but signed bytes (the one exception, the
//! test header, can only keep an event from being made) and must never panic, whatever is posted. Each provider
//! is one file with the same three steps, `verify`, `identify`, `interpret`, so that who has read one has read all;
//! what they share is here and in the small files beside them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::HeaderMap;
use jiff::Timestamp;

use crate::config::{Provider, Source, SourceSecret};
use crate::digest::Algorithm;
use crate::model::{Claim, Code, EventId, Identity};

pub mod diagnosis;
pub mod example;
pub mod hmac;
pub mod json;
pub mod request_network;
pub mod sign;
pub mod standard_webhooks;
pub mod stripe;

mod headers;
mod keys;
mod time;

pub use headers::header_map;
pub use keys::SecretError;

use json::Json;
use keys::{Form, Keys};

/// The type shown for a body that names none.
const UNKNOWN_TYPE: &str = "unknown";

/// Checks the signatures of one source. Keys are prepared once; no secret's text is kept.
pub struct Verifier {
    provider: Provider,
    keys: Keys,
    tolerance: Duration,
}

/// A delivery whose signature is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How it was signed, for the record: `stripe-v1`, `request-network`, `hmac-sha256`, `hmac-sha512` or
    /// `standard-webhooks-v1`.
    pub scheme: &'static str,
    /// The configured name of the secret that matched.
    pub secret_name: Arc<str>,
    /// Whether that is the newest live secret of the source.
    pub is_newest: bool,
    /// The time inside the signed text, Unix seconds; none where the scheme signs no time.
    pub signed_at: Option<i64>,
}

impl Verified {
    fn by(scheme: &'static str, secret: keys::Match, signed_at: Option<i64>) -> Self {
        Self { scheme, secret_name: secret.name, is_newest: secret.is_newest, signed_at }
    }
}

/// Why a delivery is refused. Never says which secret or which byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A header of the scheme is absent or empty.
    #[error("the signature header is missing: is this the right URL for this sender?")]
    Missing,
    /// A header of the scheme is outside its grammar, or given more than once.
    #[error("the signature header is malformed: send it once, in the form the provider documents")]
    Malformed,
    /// No live secret signed these bytes.
    #[error("the signature matches no live secret: compare the secrets, and check that nothing rewrites the body")]
    Mismatch,
    /// Rightly signed, too long ago or too far ahead.
    #[error("the signed time is outside the tolerance: check the clocks of both sides")]
    OutOfTolerance,
}

impl Rejection {
    /// The stable code of the answer.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "SIGNATURE_MISSING",
            Self::Malformed => "SIGNATURE_MALFORMED",
            Self::Mismatch => "SIGNATURE_MISMATCH",
            Self::OutOfTolerance => "TIMESTAMP_OUT_OF_TOLERANCE",
        }
    }
}

impl Verifier {
    /// Prepares the source's secrets.
    ///
    /// # Errors
    /// When there is no secret, one is blank, or one is not in the form its scheme demands.
    pub fn new(source: &Source) -> Result<Self, SecretError> {
        let (form, algorithm) = match &source.provider {
            Provider::Stripe | Provider::RequestNetwork => (Form::Text, Algorithm::Sha256),
            Provider::Hmac(scheme) => (Form::Text, scheme.algorithm),
            Provider::StandardWebhooks => (Form::Whsec, Algorithm::Sha256),
        };
        let keys = Keys::new(&source.secrets, form, algorithm)?;
        Ok(Self { provider: source.provider.clone(), keys, tolerance: source.tolerance })
    }

    /// Prepares only the secrets that are live now; none when there is none. For another look at what was refused: it
    /// is today's secrets that let it in, whatever was live when it came.
    #[must_use]
    pub fn of_today(source: &Source, now: Timestamp) -> Option<Self> {
        let is_live = |secret: &SourceSecret| secret.not_after.is_none_or(|end| now <= end);
        let secrets = source.secrets.iter().filter(|secret| is_live(secret)).cloned().collect();
        Self::new(&Source { secrets, ..source.clone() }).ok()
    }

    /// Judges one delivery by its raw bytes. `received` is the time of arrival, so that a slow disk or a later
    /// recheck never makes a right signature old; it also decides which secrets were live.
    ///
    /// # Errors
    /// The [`Rejection`] to answer with.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8], received: Timestamp) -> Result<Verified, Rejection> {
        match &self.provider {
            Provider::Stripe => stripe::verify(&self.keys, headers, body, received, self.tolerance),
            Provider::RequestNetwork => request_network::verify(&self.keys, headers, body, received),
            Provider::Hmac(scheme) => hmac::verify(scheme, &self.keys, headers, body, received),
            Provider::StandardWebhooks => {
                standard_webhooks::verify(&self.keys, headers, body, received, self.tolerance)
            }
        }
    }
}

/// What one stored delivery says about its event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpretation {
    /// Finds or makes the event.
    pub identity: Identity,
    /// The provider's type of event, as sent; `unknown` when the body names none.
    pub provider_type: String,
    /// The provider's event id, when it signs one.
    pub provider_event_id: Option<String>,
    /// Stripe account.
    pub account: Option<String>,
    /// Request Network client id.
    pub client_id: Option<String>,
    /// Version the provider rendered the body by.
    pub api_version: Option<String>,
    /// The provider's live or test flag; true where there is none.
    pub livemode: bool,
    /// What orders messages.
    pub lane: String,
    /// What to do with it.
    pub kind: Kind,
}

/// What an event needs done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Money is said to have moved on a chain.
    Claim(Claim),
    /// A notification whose snapshot is on its way with the same identity.
    Thin,
    /// A signed event that claims no transfer.
    Plain,
    /// Held or ignored from the start, and why.
    Ended(Code),
}

impl Interpretation {
    /// An event of which no more is known than its bytes: the identity is their hash. The lane is its own.
    fn of_body(source: &Source, event_type: &str, body: &[u8], kind: Kind) -> Self {
        let identity = Identity::of_body(source.provider.name(), &source.realm, event_type, body);
        Self::new(identity, event_type, kind)
    }

    /// An event with this identity, alone in its lane; what else is known is set by the caller.
    fn new(identity: Identity, event_type: &str, kind: Kind) -> Self {
        Self {
            identity,
            provider_type: event_type.to_owned(),
            provider_event_id: None,
            account: None,
            client_id: None,
            api_version: None,
            livemode: true,
            lane: EventId::of_identity(&identity).to_string(),
            kind,
        }
    }
}

/// Says what a stored delivery means under the source's configuration.
///
/// # Errors
/// The code of a delivery that makes, joins and changes no event: `TEST_HEADER`.
pub fn interpret(source: &Source, headers: &[(Bytes, Bytes)], body: &[u8]) -> Result<Interpretation, Code> {
    match &source.provider {
        Provider::Stripe => Ok(stripe::interpret(source, body)),
        Provider::RequestNetwork => request_network::interpret(source, headers, body),
        Provider::Hmac(scheme) => Ok(hmac::interpret(source, scheme, body)),
        Provider::StandardWebhooks => Ok(standard_webhooks::interpret(source, headers, body)),
    }
}

/// What a delivery says beside its body: equal bodies that differ in it are no copies of each other. A Standard Webhooks
/// sender signs the message's id in a header; a test-marked delivery makes no event, and must not use up the copies that
/// are kept of the real one.
#[must_use]
pub fn apart(provider: &Provider, headers: &[(Bytes, Bytes)]) -> Option<Vec<u8>> {
    match provider {
        Provider::StandardWebhooks => {
            headers::stored(headers, standard_webhooks::ID_HEADER).map(|id| id.as_bytes().to_vec())
        }
        Provider::RequestNetwork => request_network::is_test(headers).then(|| b"test".to_vec()),
        Provider::Stripe | Provider::Hmac(_) => None,
    }
}

/// How often the provider says it has tried before. Unsigned: for the metric only. None where the provider does
/// not say, or says something else than a small number.
#[must_use]
pub fn retry_count(provider: &Provider, headers: &[(Bytes, Bytes)]) -> Option<u32> {
    match provider {
        Provider::RequestNetwork => headers::stored(headers, request_network::RETRY_HEADER)?.trim().parse().ok(),
        Provider::Stripe | Provider::Hmac(_) | Provider::StandardWebhooks => None,
    }
}

/// The type by the field that the sender uses for it. Senders outside the two catalogues name it `type` or `event`.
fn named_type(body: &Json<'_>) -> String {
    ["type", "event"].iter().find_map(|name| body.field(name)).unwrap_or_else(|| UNKNOWN_TYPE.to_owned())
}

/// Whether the source's `types` let it pass, as the kind of an event that claims nothing.
fn plain_or_ignored(source: &Source, event_type: &str) -> Kind {
    if source.types.passes(event_type) { Kind::Plain } else { Kind::Ended(Code::TypeIgnored) }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
