//! Pure: which deliveries a run is about.

use std::time::Duration;

use super::Ask;
use crate::config::{Config, Retention};
use crate::ledger::PruneLimit;

/// What one walk through a source may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) source: String,
    pub(super) bound: Bound,
    /// Deliveries received before are another rule's.
    pub(super) from_us: Option<i64>,
}

/// How far a walk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// To what was received at this moment, this long ago.
    Age(i64, Duration),
    /// Until no more than so many bytes are left.
    Bytes(u64),
}

impl Rule {
    /// What the ledger is asked for.
    pub(super) const fn limit(&self) -> PruneLimit {
        match self.bound {
            Bound::Age(before_us, _) => PruneLimit::ReceivedBefore(before_us),
            Bound::Bytes(_) => PruneLimit::AnyAge,
        }
    }

    /// For the log.
    pub(super) fn reason(&self) -> String {
        match self.bound {
            Bound::Age(_, age) => format!("older than {}", shown(age)),
            Bound::Bytes(bytes) => format!("beyond the {bytes} bytes that {} keeps", self.source),
        }
    }
}

/// Every rule of a run: by source, the age first, so that bytes count what it left.
pub(super) fn rules(config: &Config, ask: &Ask, now_us: i64) -> Vec<Rule> {
    let mut rules = Vec::new();
    for source in &config.sources {
        if ask.source.as_ref().is_none_or(|name| *name == source.name) {
            let kept = ask.older_than.map_or(source.retention, |age| Retention { age: Some(age), bytes: None });
            of_source(&source.name, kept, now_us, &mut rules);
        }
    }
    // What is left of a source that is not configured any more goes only by name and age.
    if let (Some(name), Some(age), true) = (&ask.source, ask.older_than, rules.is_empty()) {
        of_source(name, Retention { age: Some(age), bytes: None }, now_us, &mut rules);
    }
    rules
}

fn of_source(source: &str, kept: Retention, now_us: i64, rules: &mut Vec<Rule>) {
    let before = |age: Duration| now_us.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
    let mut push = |bound, from_us| rules.push(Rule { source: source.to_owned(), bound, from_us });
    if let Some(age) = kept.age {
        push(Bound::Age(before(age), age), None);
    }
    if let Some(bytes) = kept.bytes {
        push(Bound::Bytes(bytes), kept.age.map(before));
    }
}

/// In the largest unit that divides it.
fn shown(age: Duration) -> String {
    let seconds = age.as_secs();
    let units = [("d", 86_400), ("h", 3600), ("m", 60)];
    let fits = units.iter().find(|(_, factor)| seconds != 0 && seconds.is_multiple_of(*factor));
    fits.map_or_else(|| format!("{seconds}s"), |(unit, factor)| format!("{}{unit}", seconds / factor))
}
