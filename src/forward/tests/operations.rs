//! What forwarding never asks of a ledger.

use super::ledger::{Script, not_here};
use crate::ledger::{
    Answer, AttemptFilter, BeginJob, DueEvent, DurableKind, HandleEvent, Handled, JobBegun, JobMoved, JobStep,
    Operations, Page, ReplayItem, ResendStep, SentAttempt, StoredJob, Who,
};
use crate::model::EventId;

impl Operations for Script {
    fn begin_job(&self, _: BeginJob) -> Answer<'_, JobBegun> {
        not_here()
    }

    fn running_job(&self, _: DurableKind) -> Answer<'_, Option<StoredJob>> {
        not_here()
    }

    fn stored_job(&self, _: uuid::Uuid) -> Answer<'_, Option<StoredJob>> {
        not_here()
    }

    fn stored_jobs(&self) -> Answer<'_, Vec<StoredJob>> {
        not_here()
    }

    fn move_job(&self, _: JobStep) -> Answer<'_, JobMoved> {
        not_here()
    }

    fn cancel_job(&self, _: uuid::Uuid, _: Who, _: i64) -> Answer<'_, Option<StoredJob>> {
        not_here()
    }

    fn resend(&self, _: ResendStep) -> Answer<'_, JobMoved> {
        not_here()
    }

    fn attempts(&self, _: AttemptFilter) -> Answer<'_, Page<SentAttempt>> {
        not_here()
    }

    fn handle_event(&self, _: HandleEvent) -> Answer<'_, Handled> {
        not_here()
    }

    fn judgeable(&self, _: EventId) -> Answer<'_, Option<DueEvent>> {
        not_here()
    }

    fn replay(&self, _: Vec<ReplayItem>, _: JobStep) -> Answer<'_, JobMoved> {
        not_here()
    }
}
