//! The ledger's second interface: long work that outlives a restart, and what operators do to events. Every engine has
//! both, and the conformance suite covers both; what holds for every call of [`super::Ledger`] holds here.

use uuid::Uuid;

use super::{
    Answer, AttemptFilter, BeginJob, DueEvent, DurableKind, HandleEvent, Handled, JobBegun, JobMoved, JobStep, Page,
    ReplayItem, ResendStep, SentAttempt, StoredJob, Who,
};
use crate::model::EventId;

/// Jobs that are remembered, running ones included.
pub const JOBS_KEPT: usize = 500;

/// See the module.
pub trait Operations: Send + Sync + 'static {
    // ---- jobs

    /// Starts a job, with the audit, in one transaction. One of a kind runs at a time. The oldest that ended are
    /// forgotten beyond [`JOBS_KEPT`].
    fn begin_job(&self, begin: BeginJob) -> Answer<'_, JobBegun>;

    /// The job of a kind that runs, if any: a restart goes on with it.
    fn running_job(&self, kind: DurableKind) -> Answer<'_, Option<StoredJob>>;

    /// One of them.
    fn stored_job(&self, job_id: Uuid) -> Answer<'_, Option<StoredJob>>;

    /// All of them, newest first.
    fn stored_jobs(&self) -> Answer<'_, Vec<StoredJob>>;

    /// Moves a job's cursor. A job that was asked to stop ends here instead, and nothing else is written.
    fn move_job(&self, step: JobStep) -> Answer<'_, JobMoved>;

    /// Asks a job to stop, with the audit; it does before its next step. Asking one that ended changes nothing.
    fn cancel_job(&self, job_id: Uuid, by: Who, now_us: i64) -> Answer<'_, Option<StoredJob>>;

    // ---- sending again

    /// Makes stored messages due again and moves the job, in one transaction, so that each is made due once whatever
    /// crashes. Their bytes are those that were stored; under a new version only the version in them changes.
    ///
    /// Left out is what a newer message of its event speaks for, what was superseded, what is under way, and payments
    /// whose block is being searched for. A job sees the messages that were there when it began.
    fn resend(&self, step: ResendStep) -> Answer<'_, JobMoved>;

    /// Attempts, newest first. No page looks at more than a fixed number of them.
    fn attempts(&self, filter: AttemptFilter) -> Answer<'_, Page<SentAttempt>>;

    // ---- judging again

    /// Does what an operator says of an event, with the audit, in one transaction (rule 24). What verification judges
    /// again it may send; nothing is sent here.
    fn handle_event(&self, handle: HandleEvent) -> Answer<'_, Handled>;

    /// An event as verification would take it; none when it is unknown.
    fn judgeable(&self, event: EventId) -> Answer<'_, Option<DueEvent>>;

    /// Writes what a replay found and moves the job, in one transaction. An event that is no longer at the version
    /// judged is left alone, and counted in the report as `changed_meanwhile`.
    fn replay(&self, items: Vec<ReplayItem>, step: JobStep) -> Answer<'_, JobMoved>;
}
