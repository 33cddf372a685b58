//! Long work that outlives a restart.

use serde_json::{Value, json};
use uuid::Uuid;

use super::Rig;
use super::fixtures::*;
use crate::ledger::*;

pub(super) async fn begun(ledger: &dyn Ledger, kind: DurableKind, now_us: i64) -> Uuid {
    let job_id = Uuid::now_v7();
    let by = Who { name: "ada".to_owned(), from: "cli".to_owned(), reason: Some("because".to_owned()) };
    let begin = BeginJob { job_id, kind, by, params: json!({"rate": 7}), now_us };
    assert_eq!(ledger.begin_job(begin).await.expect("answered"), JobBegun::Begun);
    job_id
}

fn step(job_id: Uuid, from: Option<&str>, to: &str, done: u64) -> JobStep {
    JobStep {
        job_id,
        from: from.map(str::to_owned),
        to: Some(to.to_owned()),
        now_us: T0 + S,
        done,
        total: Some(9),
        doing: format!("at {to}"),
        report: json!({ "seen": done }),
        end: None,
    }
}

async fn job(ledger: &dyn Ledger, id: Uuid) -> StoredJob {
    ledger.stored_job(id).await.expect("read").expect("a job")
}

pub(crate) async fn a_job_goes_on_where_it_stood_after_a_restart<R: Rig>(rig: R) {
    let id = begun(&*rig.ledger(), DurableKind::Replay, T0).await;
    assert_eq!(rig.ledger().move_job(step(id, None, "a", 3)).await.expect("moved"), JobMoved::Moved);
    let rig = rig.restart();
    let ledger = rig.ledger();
    let found = ledger.running_job(DurableKind::Replay).await.expect("read").expect("it runs");
    assert_eq!((found.job_id, found.cursor.as_deref(), found.done, found.total), (id, Some("a"), 3, Some(9)));
    assert_eq!(
        (found.doing.as_str(), &found.report, &found.params),
        ("at a", &json!({"seen": 3}), &json!({"rate": 7}))
    );
    assert_eq!((found.by.name.as_str(), found.by.reason.as_deref()), ("ada", Some("because")));
    // Whoever repeats the step that is on record, or skips one, writes nothing.
    for from in [None, Some("b")] {
        assert_eq!(ledger.move_job(step(id, from, "c", 9)).await.expect("answered"), JobMoved::Stale);
    }
    let last = JobStep { end: Some(JobEnd::Done), ..step(id, Some("a"), "z", 9) };
    assert_eq!(ledger.move_job(last).await.expect("moved"), JobMoved::Moved);
    let ended = job(&*ledger, id).await;
    assert_eq!((ended.state, ended.finished_us, ended.report), (DurableState::Done, Some(T0 + S), json!({"seen": 9})));
    assert_eq!(ledger.move_job(step(id, Some("z"), "zz", 10)).await.expect("answered"), JobMoved::Over);
    assert!(ledger.running_job(DurableKind::Replay).await.expect("read").is_none());
}

pub(crate) async fn one_job_of_a_kind_runs<R: Rig>(rig: R) {
    let ledger = rig.ledger();
    let first = begun(&*ledger, DurableKind::Resend, T0).await;
    begun(&*ledger, DurableKind::Replay, T0).await;
    let begin =
        BeginJob { job_id: Uuid::now_v7(), kind: DurableKind::Resend, by: backend(), params: Value::Null, now_us: T0 };
    assert_eq!(ledger.begin_job(begin.clone()).await.expect("answered"), JobBegun::Busy(first));
    let why = "no such destination: name one that is configured";
    let failed = JobStep { end: Some(JobEnd::Failed(why.to_owned())), ..step(first, None, "a", 0) };
    assert_eq!(ledger.move_job(failed).await.expect("moved"), JobMoved::Moved);
    assert_eq!(
        (job(&*ledger, first).await.state, job(&*ledger, first).await.error.as_deref()),
        (DurableState::Failed, Some(why))
    );
    assert_eq!(ledger.begin_job(begin).await.expect("answered"), JobBegun::Begun);
}

pub(crate) async fn a_job_that_is_cancelled_takes_no_further_step<R: Rig>(rig: R) {
    let ledger = rig.ledger();
    let id = begun(&*ledger, DurableKind::Replay, T0).await;
    ledger.move_job(step(id, None, "a", 1)).await.expect("moved");
    let asked = ledger.cancel_job(id, backend(), T0 + S).await.expect("answered").expect("a job");
    assert!(asked.cancel && asked.state == DurableState::Running);
    assert_eq!(ledger.move_job(step(id, Some("a"), "b", 2)).await.expect("answered"), JobMoved::Over);
    let ended = job(&*ledger, id).await;
    assert_eq!((ended.state, ended.cursor.as_deref(), ended.done), (DurableState::Cancelled, Some("a"), 1));
    assert!(ledger.cancel_job(id, backend(), T0).await.expect("answered").is_some(), "asking again changes nothing");
    assert!(ledger.cancel_job(Uuid::now_v7(), backend(), T0).await.expect("answered").is_none());
    let audit = ledger.audit(AuditFilter { limit: 9, ..AuditFilter::default() }).await.expect("audit");
    let said: Vec<_> = audit.iter().map(|record| (record.entry.what.as_str(), record.entry.by.name.as_str())).collect();
    assert_eq!(said, [("job.cancel", "shop"), ("job.start", "ada")]);
}

pub(crate) async fn jobs_are_forgotten_and_never_a_running_one<R: Rig>(rig: R) {
    let ledger = rig.ledger();
    let running = begun(&*ledger, DurableKind::Replay, T0).await;
    for _ in 0..JOBS_KEPT + 5 {
        let id = begun(&*ledger, DurableKind::Resend, T0).await;
        let ended = JobStep { end: Some(JobEnd::Done), ..step(id, None, "z", 1) };
        ledger.move_job(ended).await.expect("moved");
    }
    let all = ledger.stored_jobs().await.expect("jobs");
    assert!(all.len() <= JOBS_KEPT, "{}", all.len());
    assert_eq!(job(&*ledger, running).await.state, DurableState::Running);
    assert!(all.windows(2).all(|pair| pair[0].job_id > pair[1].job_id), "newest first");
}
