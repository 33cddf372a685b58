//! Long work that outlives a restart: what was asked, how far it is, and what one step of it writes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::operate::Who;
use crate::model::event::{UnknownName, named};
use crate::model::{Code, EventId, EventState, WebhookId};

use std::fmt;
use std::str::FromStr;

named! {
    /// What a durable job does.
    DurableKind {
        /// Judges stored deliveries again.
        Replay = "replay",
        /// Sends stored messages again.
        Resend = "resend",
    }
}

named! {
    /// Where a durable job stands.
    DurableState {
        /// Goes on, also after a restart.
        Running = "running",
        /// Came to its end.
        Done = "done",
        /// Cannot go on.
        Failed = "failed",
        /// Stopped because somebody asked; what it had done stays done.
        Cancelled = "cancelled",
    }
}

/// A job to start.
#[derive(Debug, Clone)]
pub struct BeginJob {
    /// UUIDv7.
    pub job_id: Uuid,
    /// What it does.
    pub kind: DurableKind,
    /// Who asked, and why.
    pub by: Who,
    /// What was asked for.
    pub params: Value,
    /// When.
    pub now_us: i64,
}

/// What came of starting one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobBegun {
    /// It runs.
    Begun,
    /// One of a kind at a time: this one runs.
    Busy(Uuid),
}

/// A job as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredJob {
    /// UUIDv7.
    pub job_id: Uuid,
    /// What it does.
    pub kind: DurableKind,
    /// Who asked, and why.
    pub by: Who,
    /// What was asked for.
    pub params: Value,
    /// Where it stands.
    pub state: DurableState,
    /// Somebody asked it to stop.
    pub cancel: bool,
    /// When it was begun.
    pub started_us: i64,
    /// When it ended.
    pub finished_us: Option<i64>,
    /// Where its next step begins; none before the first.
    pub cursor: Option<String>,
    /// Units of work done.
    pub done: u64,
    /// Units of work in all, where that is known.
    pub total: Option<u64>,
    /// What it says it is doing.
    pub doing: String,
    /// What came of it so far; whole when it has ended.
    pub report: Value,
    /// Why it did not come to its end.
    pub error: Option<String>,
}

/// One step of a job.
#[derive(Debug, Clone)]
pub struct JobStep {
    /// Which job.
    pub job_id: Uuid,
    /// The cursor that the step began at: another one means that somebody else took it.
    pub from: Option<String>,
    /// Where the next one begins.
    pub to: Option<String>,
    /// When.
    pub now_us: i64,
    /// Units of work done in all.
    pub done: u64,
    /// Units of work in all, where that is known.
    pub total: Option<u64>,
    /// In a few words.
    pub doing: String,
    /// What came of it so far.
    pub report: Value,
    /// Set by the last step.
    pub end: Option<JobEnd>,
}

/// How a job ends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEnd {
    /// There is nothing more to do.
    Done,
    /// It cannot go on; the text says why and what to do.
    Failed(String),
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobMoved {
    /// Written; the job goes on, or has ended as the step said.
    Moved,
    /// Nothing was written: it is cancelled, has ended, or is unknown.
    Over,
    /// Nothing was written: it no longer stands where the step began.
    Stale,
}

named! {
    /// Where a message has to stand with a destination to be sent again.
    ResendState {
        /// Given up.
        Dead = "dead",
        /// Taken by the backend.
        Delivered = "delivered",
    }
}

/// Which stored messages are sent again. All of what is given has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// These messages, and those of `events`; both empty is all of them.
    pub messages: Vec<WebhookId>,
    /// The messages of these events.
    pub events: Vec<EventId>,
    /// Those that stand so with a destination; none is either way.
    pub state: Option<ResendState>,
    /// To this destination.
    pub destination: Option<String>,
    /// About events of this source.
    pub source: Option<String>,
    /// Made at or after.
    pub since_us: Option<i64>,
    /// Made before.
    pub until_us: Option<i64>,
}

/// One step of a resend.
#[derive(Debug, Clone)]
pub struct ResendStep {
    /// Which job.
    pub job_id: Uuid,
    /// The cursor that the step begins at.
    pub from: Option<String>,
    /// What is sent again.
    pub selection: Selection,
    /// Under a new version, so that a backend that holds the old one takes it.
    pub new_version: bool,
    /// Only counts.
    pub dry_run: bool,
    /// Messages looked at in this step.
    pub limit: usize,
    /// When.
    pub now_us: i64,
}

/// What a resend has come to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResendReport {
    /// Messages that were looked at.
    pub looked_at: u64,
    /// Messages that are sent again, or would be.
    pub messages: u64,
    /// The same, by destination.
    #[serde(default)]
    pub destinations: BTreeMap<String, u64>,
    /// The same, by type of message.
    #[serde(default)]
    pub types: BTreeMap<String, u64>,
    /// What is not sent again, by why.
    #[serde(default)]
    pub left_out: BTreeMap<String, u64>,
}

/// What a replay does to one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// It has its verification begin again; whatever comes of it is written by verification.
    JudgeAgain,
    /// What was forwarded stays as it is (rule 23); that it would be judged otherwise now is added to its trace.
    Differs,
}

/// One event of a replay's step.
#[derive(Debug, Clone)]
pub struct ReplayItem {
    /// Which.
    pub event_id: EventId,
    /// The version judged.
    pub version: u64,
    /// What to do.
    pub what: Replayed,
    /// For its trace.
    pub detail: Value,
}

/// What came of an operator's word about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handled {
    /// Done, and in the audit.
    Done,
    /// Where it stands, this is not possible.
    NotNow {
        /// Where it stands.
        state: EventState,
        /// Why it is there.
        code: Option<Code>,
    },
    /// There is no such expectation in the event's realm.
    NoExpectation,
    /// There is no such event.
    Unknown,
}

/// What an operator says of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventVerb {
    /// Judge it again now.
    Recheck,
    /// Judge it against this expectation.
    Attach {
        /// Its id.
        expectation: String,
    },
    /// Let it pass although the rule that its code names holds it.
    Accept,
    /// End it: nothing is sent.
    Close,
    /// Write down the reason, and change nothing.
    Note,
}

impl EventVerb {
    /// As the audit and the trace have it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Recheck => "recheck",
            Self::Attach { .. } => "attach",
            Self::Accept => "accept",
            Self::Close => "close",
            Self::Note => "note",
        }
    }
}

/// An operator's word about an event.
#[derive(Debug, Clone)]
pub struct HandleEvent {
    /// Which.
    pub event_id: EventId,
    /// What.
    pub verb: EventVerb,
    /// Who, with the reason.
    pub by: Who,
    /// When.
    pub now_us: i64,
}

/// A payment that an operator lets pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// What it was held for: this and nothing else is passed over.
    pub code: Code,
    /// Who said so.
    pub by: String,
    /// Why.
    pub reason: String,
}
