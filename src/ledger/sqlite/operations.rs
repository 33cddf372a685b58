//! The second interface of the embedded engine.

use uuid::Uuid;

use super::{Sqlite, again, handle, jobs, resend, sent};
use crate::ledger::{
    Answer, AttemptFilter, BeginJob, DueEvent, DurableKind, HandleEvent, Handled, JobBegun, JobMoved, JobStep,
    Operations, Page, ReplayItem, ResendStep, SentAttempt, StoredJob, Who,
};
use crate::model::EventId;

impl Operations for Sqlite {
    fn begin_job(&self, begin: BeginJob) -> Answer<'_, JobBegun> {
        self.write(move |conn| jobs::begin(conn, &begin))
    }

    fn running_job(&self, kind: DurableKind) -> Answer<'_, Option<StoredJob>> {
        self.read(move |conn| jobs::running(conn, kind))
    }

    fn stored_job(&self, job_id: Uuid) -> Answer<'_, Option<StoredJob>> {
        self.read(move |conn| jobs::find(conn, job_id))
    }

    fn stored_jobs(&self) -> Answer<'_, Vec<StoredJob>> {
        self.read(jobs::list)
    }

    fn move_job(&self, step: JobStep) -> Answer<'_, JobMoved> {
        self.write(move |conn| jobs::go(conn, &step))
    }

    fn cancel_job(&self, job_id: Uuid, by: Who, now_us: i64) -> Answer<'_, Option<StoredJob>> {
        self.write(move |conn| jobs::cancel(conn, job_id, &by, now_us))
    }

    fn resend(&self, step: ResendStep) -> Answer<'_, JobMoved> {
        self.write(move |conn| resend::step(conn, &step))
    }

    fn attempts(&self, filter: AttemptFilter) -> Answer<'_, Page<SentAttempt>> {
        self.read(move |conn| sent::list(conn, &filter))
    }

    fn handle_event(&self, handle: HandleEvent) -> Answer<'_, Handled> {
        self.write(move |conn| handle::event(conn, &handle))
    }

    fn judgeable(&self, event: EventId) -> Answer<'_, Option<DueEvent>> {
        self.read(move |conn| again::judgeable(conn, event))
    }

    fn replay(&self, items: Vec<ReplayItem>, step: JobStep) -> Answer<'_, JobMoved> {
        self.write(move |conn| again::replay(conn, &items, step))
    }
}
