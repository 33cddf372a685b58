//! What the provider tests share: a plain source of each kind, and the reference payloads when they are there.

use std::path::PathBuf;

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use jiff::Timestamp;

use super::{Interpretation, interpret};
use crate::config::{Encoding, HmacScheme, Provider, Secret, Source, SourceSecret};
use crate::digest::Algorithm;

pub(super) const WHSEC: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

pub(super) fn source(provider: Provider) -> Source {
    Source { secrets: vec![secret("current", WHSEC)], ..Source::sample(provider, &[]) }
}

pub(super) fn secret(name: &str, text: &str) -> SourceSecret {
    SourceSecret { name: name.into(), secret: Secret::new(text.into()), not_after: None }
}

pub(super) fn hmac_scheme() -> HmacScheme {
    HmacScheme {
        header: "x-signature".into(),
        algorithm: Algorithm::Sha256,
        encoding: Encoding::Hex,
        prefix: "sha256=".into(),
        identity: Vec::new(),
    }
}

pub(super) fn every_provider() -> Vec<Provider> {
    vec![Provider::Stripe, Provider::RequestNetwork, Provider::Hmac(hmac_scheme()), Provider::StandardWebhooks]
}

pub(super) fn at(unix_s: i64) -> Timestamp {
    Timestamp::from_second(unix_s).unwrap()
}

pub(super) fn header_map(pairs: &[(String, String)]) -> HeaderMap {
    let pair = |(name, value): &(String, String)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    let mut headers = HeaderMap::new();
    for (name, value) in pairs.iter().map(pair) {
        headers.append(name, value);
    }
    headers
}

pub(super) fn stored(pairs: &[(&'static str, &'static str)]) -> Vec<(Bytes, Bytes)> {
    pairs
        .iter()
        .map(|(name, value)| (Bytes::from_static(name.as_bytes()), Bytes::from_static(value.as_bytes())))
        .collect()
}

/// Interprets a body without headers.
pub(super) fn read(source: &Source, body: impl ToString) -> Interpretation {
    interpret(source, &[], body.to_string().as_bytes()).unwrap()
}

/// The shared fact pages, where this checkout has them beside it.
#[expect(clippy::print_stderr, reason = "a test that could not use the reference payloads says so")]
pub(super) fn reference_payloads(provider: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(concat!(".", "/../shared/facts")).join(provider).join("payloads");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("no reference payloads beside this checkout: {provider} runs on its own fixtures only");
        return Vec::new();
    };
    let files = entries.map(|entry| entry.unwrap().path());
    files.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap())).collect()
}
