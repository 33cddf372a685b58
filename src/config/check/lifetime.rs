//! Watermarks: what happens before the reserve of free space is reached.

use crate::config::checked::Watermarks;
use crate::config::raw::lifetime;
use crate::config::read::Reader;
use crate::config::value::shown_bytes;

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
