//! What operators do to events.

use super::Rig;
use super::fixtures::*;
use crate::ledger::*;
use crate::model::{Code, EventState};

async fn told(ledger: &dyn Ledger, name: &str, verb: EventVerb) -> Handled {
    let by = Who { name: "ada".to_owned(), from: "cli".to_owned(), reason: Some("because".to_owned()) };
    let handle = HandleEvent { event_id: id_of(name), verb, by, now_us: T0 + 9 * S };
    ledger.handle_event(handle).await.expect("answered")
}

async fn judged(ledger: &dyn Ledger, name: &str, state: EventState, code: Code) {
    let event = due_one(ledger, T0 + 99 * S, name).await;
    ledger.record_verdict(verdict(&event, T0, state, code)).await.expect("written");
}

async fn audited(ledger: &dyn Ledger, name: &str) -> Vec<String> {
    let filter = AuditFilter { event_id: Some(id_of(name)), limit: 99, ..AuditFilter::default() };
    ledger.audit(filter).await.expect("audit").iter().map(|record| record.entry.what.clone()).collect()
}

pub(crate) async fn rule_24_only_some_codes_are_accepted_and_what_was_accepted_is_known<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    for (number, code) in (1..).zip(Code::ALL.iter().copied().filter(|code| *code != Code::Joined)) {
        let name = code.as_str();
        log.take(&*ledger, vec![paid(name, name, number)]).await;
        judged(&*ledger, name, EventState::Held, code).await;
        let handled = told(&*ledger, name, EventVerb::Accept).await;
        if code.may_be_accepted() {
            assert_eq!(handled, Handled::Done, "{code}");
            let due = due_one(&*ledger, T0 + 9 * S, name).await;
            let accepted = Accepted { code, by: "ada".to_owned(), reason: "because".to_owned() };
            assert_eq!((due.state, due.accepted), (EventState::Verifying, Some(accepted)), "{code}");
            assert_eq!(audited(&*ledger, name).await, ["event.accept"]);
        } else {
            assert_eq!(handled, Handled::NotNow { state: EventState::Held, code: Some(code) }, "{code}");
            assert!(audited(&*ledger, name).await.is_empty(), "what was not done has no entry");
        }
    }
    // Refuted is no: nothing is accepted past it.
    log.take(&*ledger, vec![paid("no", "no", 900)]).await;
    judged(&*ledger, "no", EventState::Refuted, Code::Late).await;
    assert!(matches!(told(&*ledger, "no", EventVerb::Accept).await, Handled::NotNow { .. }));
    assert_eq!(told(&*ledger, "nobody", EventVerb::Note).await, Handled::Unknown);
}

pub(crate) async fn rule_24_what_was_sent_is_neither_closed_nor_attached<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    put(&*ledger, terms("order", "other", 100)).await;
    log.take(&*ledger, vec![paid("sent", "r1", 1), paid("held", "r2", 2), event("card", plain("card", &["default"]))])
        .await;
    sent(&*ledger, "sent", 1, 100).await;
    judged(&*ledger, "held", EventState::Held, Code::ExpectationUnknown).await;
    let attach = |id: &str| EventVerb::Attach { expectation: id.to_owned() };
    for verb in [EventVerb::Close, EventVerb::Accept, EventVerb::Recheck, attach("order")] {
        for name in ["sent", "card"] {
            assert!(matches!(told(&*ledger, name, verb.clone()).await, Handled::NotNow { .. }), "{name} {verb:?}");
        }
    }
    assert_eq!(told(&*ledger, "sent", EventVerb::Note).await, Handled::Done);
    assert_eq!(shown(&*ledger, "sent").await.trace.last().expect("a note").detail["reason"], "because");
    assert_eq!(stands(&*ledger, "sent").await.0, EventState::Forwarding, "a note changes nothing");
    assert_eq!(told(&*ledger, "held", attach("nothing")).await, Handled::NoExpectation);
    assert_eq!(told(&*ledger, "held", attach("order")).await, Handled::Done);
    let due = due_one(&*ledger, T0 + 9 * S, "held").await;
    assert_eq!(due.expectation.map(|stored| stored.terms.id).as_deref(), Some("order"));
    judged(&*ledger, "held", EventState::Held, Code::Late).await;
    assert_eq!(told(&*ledger, "held", EventVerb::Close).await, Handled::Done);
    assert_eq!(stands(&*ledger, "held").await, (EventState::Ignored, Some(Code::Closed)));
    assert_eq!(told(&*ledger, "held", EventVerb::Recheck).await, Handled::Done);
    assert_eq!(stands(&*ledger, "held").await.0, EventState::Verifying);
    assert_eq!(audited(&*ledger, "held").await, ["event.recheck", "event.close", "event.attach"]);
}
