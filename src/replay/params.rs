//! What a job was asked for, as the ledger keeps it: ids are whole and times are moments, so that a job which goes on
//! after a restart does what was asked then.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ledger::{Filter, ResendState, Selection};
use crate::model::{EventId, WebhookId};

/// Most ids of one job: more than these are a filter.
pub const IDS_MAX: usize = 1_000;

/// Units of work a second when nobody says.
pub const RATE: u32 = 100;

/// Of a replay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayParams {
    /// These deliveries; with `events` empty too, all that fit the filter.
    pub deliveries: Vec<Uuid>,
    /// The deliveries of these events.
    pub events: Vec<EventId>,
    /// Which deliveries, where no ids are given.
    pub filter: Filter,
    /// Only shows what would be.
    pub dry_run: bool,
    /// Takes back what was forwarded and is refuted now.
    pub retract: bool,
    /// Events a second.
    pub rate: u32,
}

/// Of a resend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResendParams {
    /// These messages, by `webhook-id`.
    pub messages: Vec<String>,
    /// The messages of these events.
    pub events: Vec<EventId>,
    /// Those that stand so with a destination.
    pub state: Option<ResendState>,
    /// To this destination.
    pub destination: Option<String>,
    /// About events of this source.
    pub source: Option<String>,
    /// Made at or after.
    pub since_us: Option<i64>,
    /// Made before.
    pub until_us: Option<i64>,
    /// Under a new version.
    pub new_version: bool,
    /// Only counts.
    pub dry_run: bool,
    /// Messages a second.
    pub rate: u32,
}

impl ResendParams {
    /// What the ledger selects by.
    #[must_use]
    pub fn selection(&self) -> Selection {
        Selection {
            messages: self.messages.iter().filter_map(|id| id.parse::<WebhookId>().ok()).collect(),
            events: self.events.clone(),
            state: self.state,
            destination: self.destination.clone(),
            source: self.source.clone(),
            since_us: self.since_us,
            until_us: self.until_us,
        }
    }
}
