//! Stored messages sent again.

use serde_json::Value;
use uuid::Uuid;

use super::Rig;
use super::fixtures::*;
use super::jobs::begun;
use crate::ledger::*;
use crate::model::{Code, EventState, WebhookId};

async fn resend(ledger: &dyn Ledger, selection: Selection, change: impl Fn(&mut ResendStep)) -> (Uuid, ResendReport) {
    let job_id = begun(ledger, DurableKind::Resend, T0 + 100 * S).await;
    loop {
        let job = ledger.stored_job(job_id).await.expect("read").expect("a job");
        if job.state != DurableState::Running {
            assert_eq!(job.state, DurableState::Done, "{:?}", job.error);
            return (job_id, serde_json::from_value(job.report).expect("a report"));
        }
        let mut step = ResendStep {
            job_id,
            from: job.cursor,
            selection: selection.clone(),
            new_version: false,
            dry_run: false,
            limit: 2,
            now_us: T0 + 100 * S,
        };
        change(&mut step);
        // Asked twice, as after a crash that lost the answer: it is done once.
        assert_eq!(ledger.resend(step.clone()).await.expect("a step"), JobMoved::Moved);
        assert_ne!(ledger.resend(step).await.expect("answered"), JobMoved::Moved);
    }
}

fn dead() -> Selection {
    Selection { state: Some(ResendState::Dead), ..Selection::default() }
}

fn counted(report: &ResendReport) -> (u64, Vec<(&str, u64)>) {
    (report.messages, report.left_out.iter().map(|(why, n)| (why.as_str(), *n)).collect())
}

pub(crate) async fn rule_21_dead_messages_come_back_with_their_bytes_and_their_order<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let lane = |name: &str| {
        let mut event = event(name, plain("card", &["default"]));
        event.facts.lane = "one lane".to_owned();
        event
    };
    log.take(&*ledger, vec![lane("a"), lane("b"), event("other", plain("card", &["default"])), lane("c")]).await;
    for name in ["a", "b"] {
        attempt(&*ledger, first(name), "default", T0, Next::Dead).await;
    }
    attempt(&*ledger, first("other"), "default", T0, Next::Delivered).await;
    let (_, report) = resend(&*ledger, dead(), |step| step.dry_run = true).await;
    assert_eq!((counted(&report), report.destinations["default"]), ((2, vec![]), 2));
    assert_eq!(stands(&*ledger, "a").await.0, EventState::Dead, "it was only counted");
    let (job_id, report) = resend(&*ledger, dead(), |_| ()).await;
    assert_eq!((counted(&report), report.types["provider.event"]), ((2, vec![]), 2));
    assert_eq!(stands(&*ledger, "a").await, (EventState::Forwarding, Some(Code::ProviderEvent)));
    // What was never tried is under way in the lane; then the oldest comes first.
    let mut order = Vec::new();
    for _ in 0..3 {
        let due = messages(&*ledger, "default", T0 + 200 * S).await;
        assert_eq!(due.len(), 1, "one of a lane at a time");
        let message = &due[0];
        if message.webhook_id != first("c") {
            assert_eq!((message.replay_id, message.attempts), (Some(job_id), 0));
            assert_eq!((message.created_us, message.patient_since_us), (T0, T0 + 100 * S));
            assert_eq!(message.body, format!("card {}", message.webhook_id).into_bytes());
        }
        order.push(message.webhook_id);
        attempt(&*ledger, message.webhook_id, "default", T0 + 200 * S, Next::Delivered).await;
    }
    assert_eq!(order, [first("c"), first("a"), first("b")]);
    assert_eq!(stands(&*ledger, "b").await.0, EventState::Settled);
    let tried = shown(&*ledger, "a").await.messages.remove(0).attempts.len();
    assert_eq!(tried, 2, "the attempts before stay on record");
}

pub(crate) async fn what_was_taken_is_sent_again_to_the_destination_that_lost_it<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(
        &*ledger,
        vec![event("a", plain("card", &["default", "second"])), event("b", plain("card", &["default"]))],
    )
    .await;
    for (name, to) in [("a", "default"), ("a", "second"), ("b", "default")] {
        attempt(&*ledger, first(name), to, T0, Next::Delivered).await;
    }
    let selection = Selection {
        events: vec![id_of("a")],
        destination: Some("second".to_owned()),
        state: Some(ResendState::Delivered),
        ..Selection::default()
    };
    let (_, report) = resend(&*ledger, selection, |_| ()).await;
    assert_eq!(counted(&report), (1, vec![]));
    assert!(messages(&*ledger, "default", T0 + 200 * S).await.is_empty());
    assert_eq!(messages(&*ledger, "second", T0 + 200 * S).await.len(), 1);
    assert_eq!(stands(&*ledger, "a").await.0, EventState::Settled, "its state is about what it is, not about copies");
    attempt(&*ledger, first("a"), "second", T0 + 200 * S, Next::Delivered).await;
    let of_time = Selection { until_us: Some(T0), ..Selection::default() };
    assert_eq!(counted(&resend(&*ledger, of_time, |_| ()).await.1), (0, vec![]), "nothing is that old");
    let of_source = Selection { source: Some("elsewhere".to_owned()), ..Selection::default() };
    assert_eq!(counted(&resend(&*ledger, of_source, |_| ()).await.1), (0, vec![]));
    let one = Selection { messages: vec![first("b")], ..Selection::default() };
    assert_eq!(counted(&resend(&*ledger, one.clone(), |_| ()).await.1), (1, vec![]));
    assert_eq!(counted(&resend(&*ledger, one, |_| ()).await.1), (0, vec![("under_way", 1)]));
}

/// A message as the renderer writes it.
fn contract(sealed: &Sealed) -> crate::message::Rendered {
    let id = sealed.webhook_id;
    let body = format!(
        "{{\"type\":\"payment.unmatched\",\"data\":{{\"event_id\":\"{}\",\"state_version\":{},\"claimed\":\
         {{\"data\":{{\"event_id\":\"{}\",\"state_version\":{},}}}}}}}}",
        id.event, id.state_version, id.event, id.state_version,
    );
    crate::message::Rendered { body: body.into_bytes(), ..render(sealed) }
}

pub(crate) async fn rule_22_a_new_version_is_above_the_one_a_backend_holds<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let judged = confirm(&due_one(&*ledger, T0, "a").await, 1, 11, 100);
    ledger.confirm(Confirm { render: Box::new(contract), ..judged }).await.expect("confirmed");
    attempt(&*ledger, first("a"), "default", T0, Next::Delivered).await;
    let before = ledger.message(first("a")).await.expect("read").expect("bytes");
    let (job_id, report) = resend(&*ledger, Selection::default(), |step| step.new_version = true).await;
    assert_eq!(counted(&report), (1, vec![]));
    let second = WebhookId { state_version: 2, ..first("a") };
    let due = messages(&*ledger, "default", T0 + 200 * S).await;
    assert_eq!((due[0].webhook_id, due[0].replay_id), (second, Some(job_id)));
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    // Ours changed, and not what the provider wrote.
    assert_eq!(text(&due[0].body), text(&before).replacen("\"state_version\":1", "\"state_version\":2", 1));
    assert_eq!(ledger.message(first("a")).await.expect("read"), Some(before), "what was sent stays");
    // It counts as forwarded: its block is not asked about before, and a lost one takes it back.
    let mut careful = intent(second, "default", T0 + 900 * S);
    careful.anchor_since_us = T0 + 890 * S;
    assert_eq!(ledger.record_intent(careful.clone()).await.expect("answered"), Intent::Go);
    ledger.record_attempt(result(&careful, Next::Delivered)).await.expect("result");
    let detail = shown(&*ledger, "a").await;
    assert_eq!((detail.event.state, detail.event.state_version), (EventState::Forwarded, 2));
    let old = Selection { messages: vec![first("a")], ..Selection::default() };
    assert_eq!(counted(&resend(&*ledger, old, |_| ()).await.1), (0, vec![("outdated", 1)]));
}

pub(crate) async fn rule_19_what_was_lost_or_superseded_is_not_sent_again<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("lost", "r1", 1), paid("missed", "r2", 2)]).await;
    sent(&*ledger, "lost", 1, 100).await;
    sent(&*ledger, "missed", 2, 100).await;
    // Lost before an intent: superseded, and judged again.
    let mut careful = intent(first("lost"), "default", T0 + S);
    careful.anchor_since_us = T0 + S;
    assert_eq!(ledger.record_intent(careful).await.expect("answered"), Intent::AnchorStale);
    let asked = due_one(&*ledger, T0 + S, "lost").await;
    ledger.record_verdict(verdict(&asked, T0 + S, EventState::Verifying, Code::Reorged)).await.expect("written");
    // Delivered, and its block is gone: searched for.
    attempt(&*ledger, first("missed"), "default", T0 + S, Next::Delivered).await;
    let watched = due_one(&*ledger, T0 + S, "missed").await;
    let mut seen = verdict(&watched, T0 + S, EventState::Forwarded, Code::Reorged);
    (seen.anchor, seen.due_us) = (watched.anchor, Some(T0 + 900 * S));
    ledger.record_verdict(seen).await.expect("written");
    let (_, report) = resend(&*ledger, Selection::default(), |_| ()).await;
    assert_eq!(counted(&report), (0, vec![("block_searched_for", 1), ("judged_again", 1)]));
    assert!(messages(&*ledger, "default", T0 + 800 * S).await.is_empty());
}

pub(crate) async fn an_event_stays_dead_while_one_destination_gave_it_up<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![event("m", plain("card", &["default", "second"]))]).await;
    for to in ["default", "second"] {
        attempt(&*ledger, first("m"), to, T0, Next::Dead).await;
    }
    let one = Selection { destination: Some("default".to_owned()), ..dead() };
    resend(&*ledger, one, |_| ()).await;
    attempt(&*ledger, first("m"), "default", T0 + 200 * S, Next::Delivered).await;
    assert_eq!(stands(&*ledger, "m").await.0, EventState::Dead);
    resend(&*ledger, dead(), |_| ()).await;
    attempt(&*ledger, first("m"), "second", T0 + 200 * S, Next::Delivered).await;
    assert_eq!(stands(&*ledger, "m").await.0, EventState::Settled);
}

pub(crate) async fn rule_23_a_replay_adds_to_the_trace_or_has_it_judged_again<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("held", "r1", 1), paid("moved", "r2", 2), paid("money", "r3", 3)]).await;
    for name in ["held", "moved"] {
        let event = due_one(&*ledger, T0, name).await;
        ledger.record_verdict(verdict(&event, T0, EventState::Held, Code::TxNotFound)).await.expect("written");
    }
    sent(&*ledger, "money", 3, 100).await;
    attempt(&*ledger, first("money"), "default", T0, Next::Delivered).await;
    let job_id = begun(&*ledger, DurableKind::Replay, T0).await;
    let mut items = Vec::new();
    for (name, what) in [("held", Replayed::JudgeAgain), ("moved", Replayed::JudgeAgain), ("money", Replayed::Differs)]
    {
        let event = ledger.judgeable(id_of(name)).await.expect("read").expect("known");
        let version = if name == "moved" { event.version - 1 } else { event.version };
        items.push(ReplayItem { event_id: id_of(name), version, what, detail: serde_json::json!({"replay": job_id}) });
    }
    let step = JobStep {
        job_id,
        from: None,
        to: Some("1".to_owned()),
        now_us: T0 + 5 * S,
        done: 3,
        total: None,
        doing: String::new(),
        report: serde_json::json!({}),
        end: Some(JobEnd::Done),
    };
    assert_eq!(ledger.replay(items.clone(), step.clone()).await.expect("a step"), JobMoved::Moved);
    assert_eq!(ledger.replay(items, step).await.expect("answered"), JobMoved::Over);
    assert_eq!(stands(&*ledger, "held").await.0, EventState::Verifying);
    assert_eq!(due_one(&*ledger, T0 + 5 * S, "held").await.progress.looks, 0);
    assert_eq!(stands(&*ledger, "moved").await.0, EventState::Held, "somebody else had moved it");
    let money = shown(&*ledger, "money").await;
    assert_eq!((money.event.state, money.messages.len()), (EventState::Forwarded, 1));
    let last = money.trace.last().expect("a trace");
    assert_eq!(last.detail["replay"], Value::from(job_id.to_string()));
    let report = ledger.stored_job(job_id).await.expect("read").expect("a job").report;
    assert_eq!(report["changed_meanwhile"], 1);
}
