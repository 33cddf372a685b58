//! What a refused request would have matched: for the operator who looks for the way back in, never for the sender.
//!
//! A signature is tried against more secrets, key forms, text forms and body forms than verification takes. A hit is no
//! verdict: nothing here lets a request in, it says what to put right. Secrets are told by name only, tags are compared in
//! constant time, and the work is bounded by a [`Budget`], because what is looked at was chosen by a stranger. Never on
//! the path of a request: whoever asks, waits.

use bytes::Bytes;
use jiff::Timestamp;
use subtle::ConstantTimeEq;

use super::{request_network, standard_webhooks, stripe, time};
use crate::config::{Provider, Source};
use crate::digest::{Algorithm, HmacKey};

mod bodies;
mod difference;
mod keys;
mod tags;

pub use difference::Difference;

use bodies::Bodies;
use keys::Candidate;
use tags::{Sent, Tag};

/// Largest body that is tried; as much as is kept of one.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// What one diagnosis may hash.
const HASHED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What a MAC costs beside the body, bytes.
const MAC_BYTES: u64 = 256;

/// A refused request, as it was kept.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    /// All headers.
    pub headers: &'a [(Bytes, Bytes)],
    /// The whole body.
    pub body: &'a [u8],
    /// When it arrived: ages count from there.
    pub received: Timestamp,
}

/// What may still be hashed. One budget can serve a whole list.
#[derive(Debug)]
pub struct Budget(u64);

impl Default for Budget {
    fn default() -> Self {
        Self(HASHED_BYTES_MAX)
    }
}

impl Budget {
    fn take(&mut self, body: &[u8]) -> bool {
        let cost = u64::try_from(body.len()).unwrap_or(u64::MAX).saturating_add(MAC_BYTES);
        match self.0.checked_sub(cost) {
            Some(left) => {
                self.0 = left;
                true
            }
            None => {
                self.0 = 0;
                false
            }
        }
    }
}

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Diagnosis {
    /// A configured secret signed it, but for these differences. Without any it is right as it stands.
    Signed {
        /// The configured source that the secret belongs to.
        source: String,
        /// The configured name of the secret.
        secret: String,
        /// What keeps it from verifying.
        differences: Vec<Difference>,
    },
    /// Nothing that was tried matches: another secret, another body, or no sender of yours.
    NoMatch {
        /// Signatures computed.
        tries: u32,
    },
    /// There is no signature to try.
    NoSignature {
        /// The provider whose signature header is there instead.
        looks_like: Option<&'static str>,
    },
    /// The body is too large to be tried.
    TooLarge,
    /// The budget ran out before anything matched: ask for this one alone.
    OutOfBudget,
}

impl Diagnosis {
    /// Stable, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Signed { differences, .. } if differences.is_empty() => "SIGNED",
            Self::Signed { .. } => "SIGNED_DIFFERENTLY",
            Self::NoMatch { .. } => "NO_MATCH",
            Self::NoSignature { .. } => "NO_SIGNATURE",
            Self::TooLarge => "TOO_LARGE",
            Self::OutOfBudget => "NOT_TRIED",
        }
    }
}

/// Looks for what would have matched, at this source or with a secret of another one of the same provider.
#[must_use]
pub fn diagnose(
    source: &Source,
    others: &[Source],
    refused: &Refused<'_>,
    now: Timestamp,
    budget: &mut Budget,
) -> Diagnosis {
    if BODY_BYTES_MAX < refused.body.len() {
        return Diagnosis::TooLarge;
    }
    let sent = Sent::read(&source.provider, refused.headers);
    if sent.tags.is_empty() {
        return Diagnosis::NoSignature { looks_like: looks_like(&source.provider, refused.headers) };
    }
    Search { source, refused, sent: &sent, now, budget, tries: 0 }.run(others)
}

/// The provider whose header is there although the source is another's.
fn looks_like(provider: &Provider, headers: &[(Bytes, Bytes)]) -> Option<&'static str> {
    let known = [
        (stripe::SIGNATURE_HEADER, "stripe"),
        (request_network::SIGNATURE_HEADER, "request-network"),
        (standard_webhooks::SIGNATURE_HEADER, "standard-webhooks"),
    ];
    let there = |name: &&'static str| super::headers::all(headers, name).next().is_some();
    known.iter().filter(|(_, of)| *of != provider.name()).find(|(name, _)| there(name)).map(|(_, of)| *of)
}

struct Search<'a> {
    source: &'a Source,
    refused: &'a Refused<'a>,
    sent: &'a Sent,
    now: Timestamp,
    budget: &'a mut Budget,
    tries: u32,
}

/// Why the search ends before its end.
struct End(Diagnosis);

impl Search<'_> {
    /// From what is most likely to what is least: the body as it came under every secret, then other readings of the
    /// secrets, then other forms of the body.
    fn run(mut self, others: &[Source]) -> Diagnosis {
        match self.all(&keys::candidates(self.source, others)) {
            Ok(()) => Diagnosis::NoMatch { tries: self.tries },
            Err(End(found)) => found,
        }
    }

    fn all(&mut self, candidates: &[Candidate<'_>]) -> Result<(), End> {
        let body = self.refused.body;
        for candidate in candidates {
            self.attempt(candidate, None, &candidate.configured(&self.source.provider), None, body)?;
        }
        for candidate in candidates {
            for (form, key) in candidate.other_forms(&self.source.provider) {
                self.attempt(candidate, Some(form), &key, None, body)?;
            }
        }
        let bodies = Bodies::of(body);
        for change in bodies::CHANGES {
            let Some(changed) = bodies.changed(change) else { continue };
            for candidate in candidates {
                let key = candidate.configured(&self.source.provider);
                self.attempt(candidate, None, &key, Some(change.what), &changed)?;
            }
        }
        Ok(())
    }

    /// Computes what this secret would have signed, and compares it with every tag that was sent.
    fn attempt(
        &mut self,
        candidate: &Candidate<'_>,
        form: Option<&'static str>,
        key: &[u8],
        change: Option<&'static str>,
        body: &[u8],
    ) -> Result<(), End> {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let mut tags = self.sent.tags.iter().filter(|tag| tag.is_of(algorithm)).peekable();
            if tags.peek().is_none() {
                continue;
            }
            if !self.budget.take(body) {
                return Err(End(Diagnosis::OutOfBudget));
            }
            self.tries = self.tries.saturating_add(1);
            let made = HmacKey::new(algorithm, key).sign(&self.sent.parts(body));
            let mut hit = None;
            for tag in tags {
                if bool::from(made.ct_eq(&tag.bytes)) {
                    hit = hit.or(Some(tag));
                }
            }
            if let Some(tag) = hit {
                let differences = self.differences(candidate, form, change, tag, algorithm);
                let (source, secret) = (candidate.source.name.clone(), candidate.secret.name.clone());
                return Err(End(Diagnosis::Signed { source, secret, differences }));
            }
        }
        Ok(())
    }

    fn differences(
        &self,
        candidate: &Candidate<'_>,
        form: Option<&'static str>,
        change: Option<&'static str>,
        tag: &Tag,
        algorithm: Algorithm,
    ) -> Vec<Difference> {
        let provider = &self.source.provider;
        let expected = match provider {
            Provider::Hmac(scheme) => scheme.algorithm,
            Provider::Stripe | Provider::RequestNetwork | Provider::StandardWebhooks => Algorithm::Sha256,
        };
        let expired = candidate.secret.not_after.filter(|end| *end < self.now);
        let other = candidate.source.name != self.source.name;
        [
            other.then(|| Difference::OtherSource { of: candidate.source.name.clone() }),
            expired.map(|not_after| Difference::SecretExpired { not_after }),
            form.map(|form| Difference::KeyForm { form }),
            self.sent.repeated.then_some(Difference::HeaderRepeated),
            (algorithm != expected).then(|| Difference::Algorithm { found: tags::name(algorithm) }),
            (!tags::is_prefix(provider, &tag.prefix)).then(|| Difference::Prefix { found: tag.prefix.clone() }),
            (!tags::is_encoding(provider, tag.encoding)).then_some(Difference::Encoding { found: tag.encoding }),
            change.map(|signed| Difference::Body { signed }),
            self.time(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn time(&self) -> Option<Difference> {
        let Some(signed_at) = time::unix_seconds(self.sent.time.as_ref()?) else {
            return Some(Difference::TimeMalformed);
        };
        match time::within(signed_at, self.refused.received, self.source.tolerance) {
            Ok(()) => None,
            Err(_) => Some(Difference::Time { late_s: self.refused.received.as_second().saturating_sub(signed_at) }),
        }
    }
}

#[cfg(test)]
mod tests;
