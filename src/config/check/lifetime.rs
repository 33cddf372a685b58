//! What happens to evidence before the reserve of free space is reached, and where it goes as it grows old.

use crate::config::checked::{Archive, ArchiveUrl, Bucket, Retention, Watermarks};
use crate::config::raw::lifetime;
use crate::config::read::Reader;
use crate::config::value::{shown, shown_bytes};

const GIB: u64 = 1 << 30;

/// How far the derived marks stand above the reserve at most: a reserve of most of a disk must not refuse at once.
const SHED_ABOVE_MAX: u64 = 4 * GIB;
const WARN_ABOVE_MAX: u64 = 3 * SHED_ABOVE_MAX;

/// `[evidence.watermarks]`
pub(super) fn watermarks(raw: &lifetime::Watermarks, reserve: u64, reader: &mut Reader<'_>) -> Watermarks {
    let shed_key = format!("{}.shed", raw.at);
    let shed = raw.shed.map_or_else(|| reserve.saturating_add(reserve.min(SHED_ABOVE_MAX)), |size| size.0);
    if shed < reserve {
        let message = format!(
            "expected at least evidence.reserve, {}; found {}: sources would be refused only after the log refuses all",
            shown_bytes(reserve),
            shown_bytes(shed)
        );
        reader.problem(&shed_key, message, "raise it, or lower evidence.reserve");
    }
    let derived_warn = reserve.saturating_add(reserve.saturating_mul(3).min(WARN_ABOVE_MAX)).max(shed);
    let warn = raw.warn.map_or(derived_warn, |size| size.0);
    if warn < shed {
        let message = format!(
            "expected at least evidence.watermarks.shed, {}; found {}: the warning would come after the first refusal",
            shown_bytes(shed),
            shown_bytes(warn)
        );
        reader.problem(&format!("{}.warn", raw.at), message, "raise it, or lower evidence.watermarks.shed");
    }
    if raw.shed.is_none() {
        reader.derives(&shed_key, format!("{:?}", shown_bytes(shed)));
    }
    if raw.warn.is_none() {
        reader.derives(&format!("{}.warn", raw.at), format!("{:?}", shown_bytes(warn)));
    }
    Watermarks { warn, shed }
}

/// `[evidence.retention]`
pub(super) fn retention(raw: &lifetime::Retention) -> Retention {
    Retention { age: raw.age.map(|age| age.0), bytes: raw.bytes.map(|bytes| bytes.0) }
}

/// `[sources.retention]` over `[evidence.retention]`.
pub(super) fn of_source(
    raw: &lifetime::SourceRetention,
    all: &lifetime::Retention,
    reader: &mut Reader<'_>,
) -> Retention {
    let all = retention(all);
    if let (None, Some(age)) = (raw.age, all.age) {
        reader.derives(&format!("{}.age", raw.at), format!("{:?}", shown(age)));
    }
    if let (None, Some(bytes)) = (raw.bytes, all.bytes) {
        reader.derives(&format!("{}.bytes", raw.at), format!("{:?}", shown_bytes(bytes)));
    }
    Retention { age: raw.age.map(|age| age.0).or(all.age), bytes: raw.bytes.map(|bytes| bytes.0).or(all.bytes) }
}

/// `[evidence.archive]`; none without a URL.
pub(super) fn archive(raw: lifetime::Archive, reader: &mut Reader<'_>) -> Option<Archive> {
    let at = raw.at;
    let only_s3 = [
        ("endpoint", raw.endpoint.is_some()),
        ("access_key", raw.access_key.is_some()),
        ("secret_key", raw.secret_key.is_some()),
    ];
    let Some(url) = raw.url.map(|place| place.0) else {
        let set = only_s3.iter().find(|(_, set)| *set).filter(|_| !reader.is_broken(&format!("{at}.url")));
        if let Some((key, _)) = set {
            let message = "expected url beside it; found no url: nothing would be archived";
            reader.problem(&format!("{at}.{key}"), message, "add url = \"s3://BUCKET/PREFIX\", or remove the key");
        }
        return None;
    };
    if matches!(url, ArchiveUrl::Directory(_)) {
        for (key, _) in only_s3.iter().filter(|(_, set)| *set) {
            let message = "expected only where url is s3://…; found it beside a directory";
            reader.problem(&format!("{at}.{key}"), message, "remove the key, or change url");
        }
    }
    if raw.endpoint.as_ref().is_some_and(|endpoint| endpoint.0.scheme() == "http" && !endpoint.is_loopback()) {
        let message = "expected https, or http to a loopback address; found http to another one";
        let help = "write https://: bodies of deliveries would cross the network in the open";
        reader.problem(&format!("{at}.endpoint"), message, help);
    }
    let keys = match (raw.access_key, raw.secret_key) {
        (Some(key), Some(secret)) => Some((key.secret, secret.secret)),
        (None, None) => None,
        (one, _) => {
            let missing = if one.is_some() { "secret_key" } else { "access_key" };
            if !reader.is_broken(&format!("{at}.{missing}")) {
                let message = "expected it beside the other of access_key and secret_key; found nothing";
                let help = format!("write {missing} = \"file:PATH\", or remove the other one too");
                reader.problem(&format!("{at}.{missing}"), message, help);
            }
            None
        }
    };
    // A slash at the end would double in the requests.
    let endpoint = raw.endpoint.map(|endpoint| endpoint.0.as_str().trim_end_matches('/').to_owned());
    Some(Archive { url, bucket: Bucket { region: raw.region.0, endpoint, keys } })
}
