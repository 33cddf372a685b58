//! What was decided: rows of a ledger copied into the log, and the log's own record of what was done to it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What makes a decision the same one when it is copied twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DecisionId {
    /// The ledger it is a row of; the log's own id for what was done to the log.
    pub ledger_id: Uuid,
    /// The ledger's epoch; 0 for the log's own.
    pub epoch: u32,
    /// [`DecisionId::TRACE`], [`DecisionId::AUDIT`] or [`DecisionId::LOG`].
    pub table: u8,
    /// The row's number; the record's own number for the log's own.
    pub number: u64,
}

impl DecisionId {
    /// The ledger's trace of events.
    pub const TRACE: u8 = 1;
    /// The ledger's audit of operators.
    pub const AUDIT: u8 = 2;
    /// What was done to the log itself.
    pub const LOG: u8 = 255;
}

/// One decision. Immutable once stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Unique in the log.
    pub id: DecisionId,
    /// When it was made, microseconds since the Unix epoch.
    pub at_us: i64,
    /// The event it is about.
    pub event_id: Option<Uuid>,
    /// What was decided, for example `confirmed`.
    pub kind: String,
    /// JSON, byte for byte as its ledger holds it. Of the log's own decisions: a [`LogDecision`].
    pub body: Bytes,
}

/// The body of a decision of the log's own ([`DecisionId::LOG`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogDecision {
    /// Who did it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The deliveries that were removed or brought back, in order of their number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<Named>,
    /// What a hold was laid on or lifted from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The id that the log had before it was renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_id_before: Option<Uuid>,
}

/// A record that a decision names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Its number.
    pub seq: u64,
    /// The delivery.
    pub delivery_id: Uuid,
    /// SHA-256 (hex) of the meta of the stub that took its place: so the chain covers what a stub says. None when the
    /// delivery came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stub_sha256: Option<String>,
}

impl Decision {
    /// Kind of the log's own decision that deliveries were pruned.
    pub const PRUNE: &'static str = "prune";
    /// Kind of the log's own decision that a delivery was erased.
    pub const ERASE: &'static str = "erase";
    /// Kind of the log's own decision that deliveries were brought back from an archive.
    pub const REHYDRATE: &'static str = "rehydrate";
    /// Kind of the log's own decision that something may not be removed.
    pub const HOLD: &'static str = "hold";
    /// Kind of the log's own decision that it may be again.
    pub const RELEASE: &'static str = "release";
    /// Kind of the log's own decision that the log goes on under a new id.
    pub const RENEW: &'static str = "renew";

    /// What a decision of the log's own says; none for any other.
    #[must_use]
    pub fn of_log(&self) -> Option<LogDecision> {
        (self.id.table == DecisionId::LOG).then(|| serde_json::from_slice(&self.body).ok())?
    }
}
