use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{Job, JobBusy, JobKind, JobState, Jobs, KEPT};
use crate::clock::Clock;

fn jobs() -> Jobs {
    Jobs::new(Clock::manual("2026-11-20T12:00:00Z".parse().unwrap()))
}

/// A job that ends when told, as told.
fn started(jobs: &Jobs, kind: JobKind) -> (Uuid, oneshot::Sender<Result<Value, String>>) {
    let (tell, told) = oneshot::channel();
    let id = jobs.start(kind, "ana".to_owned(), json!({"a": 1}), |_| async { told.await.unwrap() }).unwrap();
    (id, tell)
}

async fn ended(jobs: &Jobs, id: Uuid) -> Job {
    for _ in 0..2000 {
        let job = jobs.show(id).unwrap();
        if job.state != JobState::Running {
            return job;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it does not end: {:?}", jobs.show(id));
}

#[tokio::test]
async fn a_job_tells_who_what_how_far_and_what_came_of_it() {
    let jobs = jobs();
    let (tell, told) = oneshot::channel::<()>();
    let (tick, ticked) = oneshot::channel();
    let work = |progress: super::Progress| async move {
        progress.set_total(10);
        progress.say("counting");
        progress.advance(3);
        tick.send(()).unwrap();
        told.await.unwrap();
        progress.advance(7);
        Ok(json!({"counted": 10}))
    };
    let id = jobs.start(JobKind::Verify, "ana".to_owned(), json!({"from": 1}), work).unwrap();
    ticked.await.unwrap();
    let job = jobs.show(id).unwrap();
    assert_eq!((job.state, job.done, job.total), (JobState::Running, 3, Some(10)));
    assert_eq!((job.by.as_str(), job.doing.as_str(), &job.params), ("ana", "counting", &json!({"from": 1})));
    assert_eq!((job.finished_us, &job.report), (None, &None));
    tell.send(()).unwrap();
    let job = ended(&jobs, id).await;
    assert_eq!((job.state, job.done), (JobState::Done, 10));
    assert_eq!((job.report, job.error), (Some(json!({"counted": 10})), None));
    assert_eq!(job.finished_us, Some(job.started_us));
}

#[tokio::test]
async fn one_of_a_kind_runs_and_kinds_run_side_by_side() {
    let jobs = jobs();
    let (first, tell) = started(&jobs, JobKind::Verify);
    let again = jobs.start(JobKind::Verify, String::new(), Value::Null, |_| async { Ok(Value::Null) });
    assert_eq!(again.unwrap_err(), JobBusy::Running(first));
    let (other, _tell) = started(&jobs, JobKind::Backup);
    assert_eq!(jobs.list().iter().map(|job| job.id).collect::<Vec<_>>(), [other, first], "newest first");
    tell.send(Err("the disk".to_owned())).unwrap();
    let job = ended(&jobs, first).await;
    assert_eq!((job.state, job.error.as_deref()), (JobState::Failed, Some("the disk")));
    started(&jobs, JobKind::Verify);
}

#[tokio::test]
async fn a_cancelled_job_is_told_from_a_failed_one_and_from_one_that_was_done_first() {
    let jobs = jobs();
    let (stops, tell) = started(&jobs, JobKind::Verify);
    assert_eq!(jobs.cancel(stops).unwrap().state, JobState::Running);
    tell.send(Err("stopped after 3".to_owned())).unwrap();
    assert_eq!(ended(&jobs, stops).await.state, JobState::Cancelled);
    let (ends, tell) = started(&jobs, JobKind::Verify);
    assert!(jobs.cancel(ends).is_some());
    tell.send(Ok(json!(1))).unwrap();
    assert_eq!(ended(&jobs, ends).await.state, JobState::Done);
    assert_eq!(jobs.cancel(ends).unwrap().state, JobState::Done);
    assert!(jobs.cancel(Uuid::nil()).is_none());
}

#[tokio::test]
async fn a_panic_is_a_failed_job_and_frees_its_kind() {
    let jobs = jobs();
    let id = jobs.start(JobKind::Import, String::new(), Value::Null, |_| async { panic!("a defect") }).unwrap();
    let job = ended(&jobs, id).await;
    assert_eq!(job.state, JobState::Failed);
    assert!(job.error.unwrap().contains("defect"));
    started(&jobs, JobKind::Import);
}

#[tokio::test]
async fn the_oldest_are_forgotten_but_never_a_running_one() {
    let jobs = jobs();
    let (running, _tell) = started(&jobs, JobKind::Backup);
    let mut first = None;
    for _ in 0..KEPT {
        let id = jobs.start(JobKind::Verify, String::new(), Value::Null, |_| async { Ok(Value::Null) }).unwrap();
        first.get_or_insert(id);
        ended(&jobs, id).await;
    }
    assert_eq!(jobs.list().len(), KEPT);
    assert!(jobs.show(running).is_some() && jobs.show(first.unwrap()).is_none());
}

#[tokio::test]
async fn closing_stops_what_runs_and_starts_nothing() {
    let jobs = jobs();
    let work = |progress: super::Progress| async move {
        while !progress.is_cancelled() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Err("stopped".to_owned())
    };
    let id = jobs.start(JobKind::Verify, String::new(), Value::Null, work).unwrap();
    assert!(jobs.close(Duration::from_secs(20)).await);
    assert_eq!(jobs.show(id).unwrap().state, JobState::Cancelled);
    let late = jobs.start(JobKind::Verify, String::new(), Value::Null, |_| async { Ok(Value::Null) });
    assert_eq!(late.unwrap_err(), JobBusy::Stopping);
}

#[tokio::test]
async fn closing_does_not_wait_for_ever() {
    let jobs = jobs();
    let (_id, _tell) = started(&jobs, JobKind::Verify);
    assert!(!jobs.close(Duration::from_millis(5)).await);
}

#[test]
fn kinds_read_as_they_are_written() {
    for kind in [JobKind::Verify, JobKind::Backup, JobKind::Prune, JobKind::Archive, JobKind::Import] {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        assert_eq!(serde_json::from_value::<JobKind>(json!(kind.as_str())).unwrap(), kind);
    }
}
