//! Destinations.

mod tls;

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::size;
use crate::config::checked::{Breaker, Destination};
use crate::config::raw::{File, forward};
use crate::config::read::Reader;

/// `[forward]` and `[forward.to.NAME]`.
pub(super) fn destinations(file: &File, reader: &mut Reader<'_>) -> BTreeMap<String, Destination> {
    let all = &file.forward.destinations;
    all.iter().map(|(name, raw)| (name.clone(), destination(name, raw, reader))).collect()
}

fn destination(name: &str, raw: &forward::Destination, reader: &mut Reader<'_>) -> Destination {
    let at = &raw.at;
    let secrets_key = format!("{at}.secrets");
    if raw.url.is_some() && raw.secrets.is_empty() && !reader.is_broken(&secrets_key) {
        let help = "make one with `tollgate secret generate` and write secrets = [\"file:PATH\"]";
        let message = "expected at least one key; found none: the backend could not tell our messages from others";
        reader.problem(&secrets_key, message, help);
    }
    if raw.backoff.max.0 < raw.backoff.first.0 {
        let message =
            format!("expected at least backoff.first, {:?}; found {:?}", raw.backoff.first.0, raw.backoff.max.0);
        reader.problem(&format!("{at}.backoff.max"), message, "raise max, or lower first");
    }
    if raw.breaker.max.0 < raw.breaker.first.0 {
        let message =
            format!("expected at least breaker.first, {:?}; found {:?}", raw.breaker.first.0, raw.breaker.max.0);
        reader.problem(&format!("{at}.breaker.max"), message, "raise max, or lower first");
    }
    Destination {
        name: name.to_owned(),
        url: raw.url.as_ref().map(|url| url.0.to_string()),
        secrets: raw.secrets.iter().map(|key| key.0.clone()).collect(),
        types: raw.types.iter().map(|message| message.0.as_str().to_owned()).collect(),
        timeout: raw.timeout.0,
        concurrency: size(raw.concurrency.0),
        rate: raw.rate.map(|rate| u32::try_from(rate.0).unwrap_or(u32::MAX)),
        backoff_first: raw.backoff.first.0,
        backoff_max: raw.backoff.max.0,
        breaker: Breaker { failures: size(raw.breaker.failures.0), first: raw.breaker.first.0, max: raw.breaker.max.0 },
        max_age: raw.max_age.0,
        accept: raw.accept.iter().filter_map(|code| u16::try_from(code.0).ok()).collect(),
        allow_private: may_be_private(raw, reader),
        tls: tls::tls(name, raw, reader),
    }
}

/// Where messages may go. A loopback address that is written out is its own consent; every other private one, and
/// plain http to anything else than loopback, needs `allow_private`.
fn may_be_private(raw: &forward::Destination, reader: &mut Reader<'_>) -> bool {
    let Some(url) = &raw.url else { return raw.allow_private };
    if url.is_loopback() {
        return true;
    }
    let key = format!("{}.url", raw.at);
    let help = "write https://, or allow_private = true where it is in your own network";
    if !raw.allow_private {
        if url.0.scheme() == "http" {
            reader.problem(&key, "expected https, or http to a loopback address; found http to another one", help);
        } else if url.ip().is_some_and(is_private) {
            reader.problem(&key, "expected a public address; found a private one", help);
        }
    } else if url.0.scheme() == "http" && url.ip().is_some_and(|ip| !is_private(ip)) {
        let help = "write https://: payments would cross the internet in the open";
        reader.problem(&key, "expected https; found http to a public address", help);
    }
    raw.allow_private
}

fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local() || v4.is_loopback() || v4.is_unspecified(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_loopback() || v6.is_unspecified(),
    }
}
