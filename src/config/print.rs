//! How values are shown: secrets not at all, URLs without userinfo, path and query.

use reqwest::Url;

use super::read::Effective;

/// Scheme, host and port; `/…` stands for whatever path and query follow.
pub(super) fn short_url(url: &Url) -> String {
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    let rest = if url.path() == "/" && url.query().is_none() { "" } else { "/…" };
    format!("{}://{}{port}{rest}", url.scheme(), url.host_str().unwrap_or_default())
}

/// Longest refused text that a message repeats, characters.
const REFUSED_MAX: usize = 80;

/// A refused text in a message: shortened, and what looks like a URL even more, since it may hold a key.
pub(super) fn refused(text: &str) -> String {
    if text.contains("://") {
        return refused_url(text);
    }
    match text.char_indices().nth(REFUSED_MAX) {
        Some((end, _)) => format!("{:?} and more", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

/// A refused URL in a message: never more than scheme, host and port.
pub(super) fn refused_url(text: &str) -> String {
    match Url::parse(text) {
        Ok(url) if url.has_host() => format!("{:?}", short_url(&url)),
        _ => "a text that is no such URL".to_owned(),
    }
}

/// Every effective value with its origin, a line each.
#[must_use]
pub fn effective(values: &[Effective]) -> String {
    let lines = values.iter().map(|entry| format!("{} = {}  # {}\n", entry.key, entry.value, entry.origin));
    lines.collect()
}
