//! Where log and old ledger differed: counts, and which.

use serde::Serialize;
use uuid::Uuid;

use crate::ledger::Stand;
use crate::model::EventId;

/// Most items kept of one list; the count goes on.
pub(super) const KEPT_MAX: u32 = 100_000;

/// Things of one kind.
#[derive(Debug, Clone, Serialize)]
pub struct List<T> {
    /// How many.
    pub count: u64,
    /// The first 100,000 of them.
    pub items: Vec<T>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { count: 0, items: Vec::new() }
    }
}

impl<T> List<T> {
    pub(super) const fn of(items: Vec<T>, count: u64) -> Self {
        Self { count, items }
    }

    pub(super) fn add(&mut self, item: T) {
        self.count = self.count.saturating_add(1);
        if self.items.len() < usize::try_from(KEPT_MAX).unwrap_or(usize::MAX) {
            self.items.push(item);
        }
    }
}

/// Something that the old ledger had otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// A delivery, an identity, an event.
    pub of: String,
    /// In the old ledger.
    pub was: String,
    /// In the new one.
    pub is: String,
}

/// All of them.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Differences {
    /// Deliveries of the log that the old ledger had not, or not readable.
    pub deliveries_lacked: List<Uuid>,
    /// Events likewise.
    pub events_lacked: List<EventId>,
    /// Events of the old ledger without a delivery in this log. They are kept.
    pub events_without_delivery: List<EventId>,
    /// Deliveries that the old ledger had under another event.
    pub deliveries_repointed: List<Found>,
    /// Identities that found another event.
    pub identities_repointed: List<Found>,
    /// Events that the log's decisions had further than the old ledger.
    pub states_behind: List<Found>,
    /// Events whose row said another thing than the decision that was written with it.
    pub states_contradicted: List<Found>,
    /// Events on their way of which no message was in the old ledger: due again, or judged again, behind the pause.
    pub messages_made_again: List<EventId>,
    /// Confirmed payments whose decision in the log does not say which transfers they claimed.
    pub claims_unknown: List<EventId>,
    /// Decisions that only the log had.
    pub decisions_lacked: u64,
    /// Entries of the audit that only the log had.
    pub audit_lacked: u64,
    /// Decisions in the log that this program cannot read.
    pub decisions_unread: u64,
}

/// A state as a person reads it.
pub(super) fn words(stand: &Stand) -> String {
    stand.code.map_or_else(|| stand.state.to_string(), |code| format!("{} {code}", stand.state))
}
