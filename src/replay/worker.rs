//! Takes the steps of the jobs that run, one loop a kind. It keeps nothing that a crash would lose: where a job stands is
//! in the ledger, and the next start goes on there.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::plan::{self, Effect, Now, Then};
use super::report::Report;
use super::{IDLE, Judge, RATE, REST, ReplayParams, ResendParams};
use crate::clock::Clock;
use crate::ledger::{
    DueEvent, DurableKind, Filter, JobEnd, JobStep, Ledger, LedgerError, ReplayItem, Replayed, ResendReport,
    ResendStep, StoredJob,
};
use crate::model::EventId;
use crate::task::{self, Stop, Wakes};

/// Deliveries of one step of a replay, and looks side by side.
const PAGE: usize = 16;

/// Messages of one step of a resend.
const BATCH: usize = 100;

/// What the worker works with.
#[derive(Clone)]
pub struct Parts {
    /// Jobs, deliveries, messages.
    pub ledger: Arc<dyn Ledger>,
    /// Verification.
    pub judge: Arc<dyn Judge>,
    /// Time.
    pub clock: Clock,
    /// A job may have been started; events and messages may be due.
    pub wakes: Wakes,
}

/// See the module.
#[derive(Clone)]
pub struct Worker(Arc<Parts>);

/// What one step of a replay looks at.
struct Batch {
    events: Vec<EventId>,
    deliveries: u64,
    without_event: u64,
    next: Option<String>,
    total: Option<u64>,
}

/// An event with both verdicts.
struct Judged {
    event: DueEvent,
    then: Then,
    now: Option<Now>,
    effect: Effect,
}

impl Worker {
    /// Does nothing before [`Worker::run`].
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Runs until stop is said. A step under way is dropped, and done again at the next start.
    pub async fn run(self, stop: Stop) {
        let resends = task::spawn("resend", self.clone().serve(DurableKind::Resend, stop.clone()));
        self.serve(DurableKind::Replay, stop).await;
        drop(resends.await);
    }

    async fn serve(self, kind: DurableKind, mut stop: Stop) {
        let wakes = self.0.wakes.clone();
        let hint = match kind {
            DurableKind::Replay => &wakes.replay,
            DurableKind::Resend => &wakes.resend,
        };
        while !stop.is_set() {
            let taken = tokio::select! {
                taken = self.take(kind) => taken,
                () = stop.wait() => return,
            };
            match taken {
                Ok(Some(pause)) => tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stop.wait() => {}
                },
                Ok(None) => tokio::select! {
                    () = hint.wait(IDLE) => {}
                    () = stop.wait() => {}
                },
                Err(error) => {
                    tracing::warn!(%error, kind = kind.as_str(), "a job waits for the ledger");
                    tokio::select! {
                        () = tokio::time::sleep(REST) => {}
                        () = stop.wait() => {}
                    }
                }
            }
        }
    }

    /// Takes one step of the job that runs; how long to pause then. None where there is no job.
    async fn take(&self, kind: DurableKind) -> Result<Option<Duration>, LedgerError> {
        let Some(job) = self.0.ledger.running_job(kind).await? else { return Ok(None) };
        let taken = match kind {
            DurableKind::Replay => self.replay(&job).await,
            DurableKind::Resend => self.resend(&job).await,
        };
        match taken {
            Ok(pause) => Ok(Some(pause)),
            // It works again when the database does.
            Err(error @ LedgerError::Unavailable(_)) => Err(error),
            Err(error) => self.fail(&job, error.to_string()).await.map(|()| Some(Duration::ZERO)),
        }
    }

    async fn fail(&self, job: &StoredJob, why: String) -> Result<(), LedgerError> {
        tracing::error!(job_id = %job.job_id, kind = job.kind.as_str(), why, "a job cannot go on");
        let step = JobStep {
            job_id: job.job_id,
            from: job.cursor.clone(),
            to: job.cursor.clone(),
            now_us: self.0.clock.now().as_microsecond(),
            done: job.done,
            total: job.total,
            doing: String::new(),
            report: job.report.clone(),
            end: Some(JobEnd::Failed(why)),
        };
        self.0.ledger.move_job(step).await.map(drop)
    }

    // ---- resend

    async fn resend(&self, job: &StoredJob) -> Result<Duration, LedgerError> {
        let params: ResendParams = asked(job)?;
        let before = resent(&job.report);
        let step = ResendStep {
            job_id: job.job_id,
            from: job.cursor.clone(),
            selection: params.selection(),
            new_version: params.new_version,
            dry_run: params.dry_run,
            limit: BATCH.min(usize::try_from(params.rate).unwrap_or(BATCH)),
            now_us: self.0.clock.now().as_microsecond(),
        };
        self.0.ledger.resend(step).await?;
        self.0.wakes.forward.wake();
        let after = self.0.ledger.stored_job(job.job_id).await?.map_or(before, |job| resent(&job.report));
        if params.dry_run {
            return Ok(Duration::ZERO);
        }
        Ok(pause(after.saturating_sub(before), params.rate))
    }

    // ---- replay

    async fn replay(&self, job: &StoredJob) -> Result<Duration, LedgerError> {
        let params: ReplayParams = asked(job)?;
        let batch = self.batch(&params, job.cursor.as_deref()).await?;
        let mut report: Report = match &job.cursor {
            None => Report::default(),
            Some(_) => serde_json::from_value(job.report.clone()).map_err(unreadable)?,
        };
        report.deliveries = report.deliveries.saturating_add(batch.deliveries);
        report.without_event = report.without_event.saturating_add(batch.without_event);
        let judged = self.judge(&batch.events, &params).await?;
        let looked = judged.iter().filter(|judged| judged.now.is_some()).count();
        let mut items = Vec::new();
        for one in judged {
            report.add(one.event.event_id, &one.then, one.now.as_ref(), one.effect);
            if params.dry_run {
                continue;
            }
            let Some(now) = one.now else { continue };
            match one.effect {
                Effect::JudgedAgain => items.push(item(job, &one.event, &now, Replayed::JudgeAgain)),
                Effect::Differs => {
                    tell(job, &one.event, &now);
                    items.push(item(job, &one.event, &now, Replayed::Differs));
                }
                Effect::Retracted => {
                    if self.0.judge.retract(one.event, now).await? {
                        self.0.wakes.forward.wake();
                    } else {
                        report.changed_meanwhile = report.changed_meanwhile.saturating_add(1);
                    }
                }
                Effect::Same | Effect::Unclear | Effect::UnderWay | Effect::NothingToJudge => {}
            }
        }
        let step = JobStep {
            job_id: job.job_id,
            from: job.cursor.clone(),
            to: batch.next.clone().or_else(|| Some("end".to_owned())),
            now_us: self.0.clock.now().as_microsecond(),
            done: report.deliveries,
            total: batch.total,
            doing: format!("{} events so far", report.events),
            report: serde_json::to_value(&report).map_err(unreadable)?,
            end: batch.next.is_none().then_some(JobEnd::Done),
        };
        self.0.ledger.replay(items, step).await?;
        self.0.wakes.verify.wake();
        Ok(pause(u64::try_from(looked).unwrap_or(u64::MAX), params.rate))
    }

    /// The next deliveries, and the events that are theirs to have judged.
    async fn batch(&self, params: &ReplayParams, cursor: Option<&str>) -> Result<Batch, LedgerError> {
        let named = params.deliveries.len().saturating_add(params.events.len());
        if 0 < named {
            return self.named(params, cursor, named).await;
        }
        let filter = Filter { after: cursor.map(str::to_owned), limit: page(params), ..params.filter.clone() };
        let page = self.0.ledger.deliveries(filter).await?;
        let mut batch =
            Batch { events: Vec::new(), deliveries: 0, without_event: 0, next: page.next.clone(), total: None };
        for delivery in &page.items {
            batch.deliveries = batch.deliveries.saturating_add(1);
            let Some(event) = delivery.event_id else {
                batch.without_event = batch.without_event.saturating_add(1);
                continue;
            };
            // An event is judged once: at the newest of its deliveries that fit, which the list shows first.
            let copies = self.0.ledger.event(event).await?.map(|detail| detail.deliveries).unwrap_or_default();
            let is_newer = |other: &crate::ledger::DeliveryView| {
                (delivery.received_us, delivery.seq) < (other.received_us, other.seq)
                    && params.filter.until_us.is_none_or(|until| other.received_us < until)
                    && params.filter.source.as_ref().is_none_or(|source| *source == other.source)
            };
            if !copies.iter().any(is_newer) {
                batch.events.push(event);
            }
        }
        Ok(batch)
    }

    /// The next of those that were given by id. Each event once, by the first id that leads to it.
    async fn named(&self, params: &ReplayParams, cursor: Option<&str>, named: usize) -> Result<Batch, LedgerError> {
        let start = cursor.map_or(Ok(0), str::parse::<usize>).map_err(unreadable)?;
        let end = start.saturating_add(page(params)).min(named);
        let mut events = params.events.clone();
        let mut without_event = 0_u64;
        for (place, id) in params.deliveries.iter().enumerate().take(end.saturating_sub(params.events.len())) {
            match self.0.ledger.delivery(*id).await?.and_then(|delivery| delivery.event_id) {
                Some(event) => events.push(event),
                None => {
                    // Keeps the places of the others.
                    events.push(EventId(uuid::Uuid::nil()));
                    if start <= params.events.len().saturating_add(place) {
                        without_event = without_event.saturating_add(1);
                    }
                }
            }
        }
        let mut batch = Batch {
            events: Vec::new(),
            deliveries: u64::try_from(end.saturating_sub(start)).unwrap_or_default(),
            without_event,
            next: (end < named).then(|| end.to_string()),
            total: u64::try_from(named).ok(),
        };
        for (place, event) in events.iter().enumerate().take(end).skip(start) {
            let is_first = !events.iter().take(place).any(|earlier| earlier == event);
            if is_first && !event.0.is_nil() {
                batch.events.push(*event);
            }
        }
        Ok(batch)
    }

    /// Both verdicts of each; those that need a look are looked at side by side.
    async fn judge(&self, events: &[EventId], params: &ReplayParams) -> Result<Vec<Judged>, LedgerError> {
        let mut looks = Vec::new();
        for event in events {
            let Some(event) = self.0.ledger.judgeable(*event).await? else { continue };
            let then = Then { state: event.state, code: event.code, has_claim: event.claim.is_some() };
            let look = match plan::without_looking(&then) {
                Some(effect) => Err(effect),
                None => {
                    let (judge, event) = (Arc::clone(&self.0.judge), event.clone());
                    Ok(task::spawn("replay.look", async move { judge.judge(event).await }))
                }
            };
            looks.push((event, then, look));
        }
        let mut judged = Vec::new();
        for (event, then, look) in looks {
            let (now, effect) = match look {
                Err(effect) => (None, effect),
                Ok(look) => {
                    let now = look.await.map_err(unreadable)??;
                    let effect = plan::effect(&then, &now, params.retract);
                    (Some(now), effect)
                }
            };
            judged.push(Judged { event, then, now, effect });
        }
        Ok(judged)
    }
}

fn asked<T: serde::de::DeserializeOwned>(job: &StoredJob) -> Result<T, LedgerError> {
    serde_json::from_value(job.params.clone()).map_err(unreadable)
}

fn unreadable(error: impl std::fmt::Display) -> LedgerError {
    LedgerError::Damaged(format!("the job cannot be gone on with: {error}"))
}

/// A slow job takes small steps: so much at once as it may do in a second.
fn page(params: &ReplayParams) -> usize {
    PAGE.min(usize::try_from(params.rate).unwrap_or(PAGE)).max(1)
}

/// Messages made due so far.
fn resent(report: &Value) -> u64 {
    serde_json::from_value::<ResendReport>(report.clone()).map_or(0, |report| report.messages)
}

/// How long that much work takes at a rate.
fn pause(done: u64, rate: u32) -> Duration {
    let rate = if rate == 0 { RATE } else { rate };
    Duration::from_millis(done.saturating_mul(1000).checked_div(u64::from(rate)).unwrap_or_default())
}

fn item(job: &StoredJob, event: &DueEvent, now: &Now, what: Replayed) -> ReplayItem {
    let detail = json!({
        "replay": job.job_id,
        "by": job.by.name,
        "reason": job.by.reason,
        "verdict": now.verdict,
        "code": now.code,
        "seen": now.seen,
    });
    ReplayItem { event_id: event.event_id, version: event.version, what, detail }
}

/// What was forwarded stays (rule 23), so a person has to hear of it.
fn tell(job: &StoredJob, event: &DueEvent, now: &Now) {
    tracing::error!(
        job_id = %job.job_id,
        event_id = %event.event_id,
        state = %event.state,
        code = event.code.map(crate::model::Code::as_str),
        now = now.verdict.as_str(),
        now_code = now.code.as_str(),
        "what was forwarded would be judged otherwise now: look at it, and retract it with a reason if it is wrong"
    );
}
