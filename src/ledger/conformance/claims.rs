//! Rule 4: what a further delivery of a known event changes.

use super::Rig;
use super::fixtures::*;
use crate::ledger::*;
use crate::model::{Code, EventState};

fn paid_again(amount: &str) -> IntakeEvent {
    event("a", IntakeKind::Claim(claim("r1", 1, amount)))
}

pub(crate) async fn rule_4_a_repeat_adds_a_delivery_only<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let before = due_one(&*ledger, T0, "a").await.version;
    let taken = log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    assert_eq!((taken[0].event_id, taken[0].new_event, taken[0].mismatch), (Some(id_of("a")), false, false));
    assert_eq!(due_one(&*ledger, T0, "a").await.version, before);
    assert_eq!(shown(&*ledger, "a").await.deliveries.len(), 2);
}

pub(crate) async fn rule_4_a_new_claim_sends_an_unconfirmed_event_back<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let first = due_one(&*ledger, T0, "a").await;
    let mut wait = verdict(&first, T0, EventState::AwaitingFinality, Code::WaitingConfirmations);
    wait.due_us = Some(T0 + 60 * S);
    assert_eq!(ledger.record_verdict(wait).await.expect("written"), Committed::Done);
    assert!(due(&*ledger, T0 + S).await.is_empty());

    let taken = log.take_at(&*ledger, T0 + S, vec![paid_again("90")]).await;
    assert!(!taken[0].mismatch);
    let again = due_one(&*ledger, T0 + S, "a").await;
    assert_eq!((again.state, again.progress.looks), (EventState::Verifying, 0));
    assert_eq!(again.claim.and_then(|claim| claim.amount).as_deref(), Some("90"));
    // A judgement of the first claim does not count any more.
    let stale = verdict(&first, T0 + S, EventState::Held, Code::TxNotFound);
    assert_eq!(ledger.record_verdict(stale).await.expect("answered"), Committed::Stale);
    // Both statements are known now.
    let version = due_one(&*ledger, T0 + S, "a").await.version;
    log.take(&*ledger, vec![paid_again("100"), paid_again("90")]).await;
    assert_eq!(due_one(&*ledger, T0 + S, "a").await.version, version);
}

pub(crate) async fn rule_4_a_new_claim_frees_a_held_and_a_refuted_event<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let ends = [(EventState::Held, Code::TxNotFound), (EventState::Refuted, Code::WrongRecipient)];
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    for (amount, (state, code)) in ["1", "2"].into_iter().zip(ends) {
        let event = due_one(&*ledger, T0, "a").await;
        ledger.record_verdict(verdict(&event, T0, state, code)).await.expect("written");
        assert_eq!(stands(&*ledger, "a").await, (state, Some(code)));
        assert!(due(&*ledger, i64::MAX).await.is_empty());
        log.take(&*ledger, vec![paid_again(amount)]).await;
        assert_eq!(stands(&*ledger, "a").await, (EventState::Verifying, None));
    }
}

pub(crate) async fn rule_4_a_new_claim_on_a_confirmed_event_is_a_mismatch<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, vec![paid("a", "r1", 1)]).await;
    let (id, _) = sent(&*ledger, "a", 1, 100).await;
    let taken = log.take(&*ledger, vec![paid_again("5")]).await;
    assert!(taken[0].mismatch);
    let detail = shown(&*ledger, "a").await;
    assert_eq!((detail.event.state, detail.event.code), (EventState::Forwarding, Some(Code::VerifiedUnmatched)));
    assert_eq!(detail.trace.last().and_then(|entry| entry.code), Some(Code::ClaimMismatch));
    // The same contradiction again is known; the message is untouched.
    assert!(!log.take(&*ledger, vec![paid_again("5")]).await[0].mismatch);
    assert_eq!(messages(&*ledger, "default", T0).await[0].webhook_id, id);

    attempt(&*ledger, id, "default", T0, Next::Delivered).await;
    assert!(log.take(&*ledger, vec![paid_again("6")]).await[0].mismatch);
    assert_eq!(stands(&*ledger, "a").await.0, EventState::Forwarded);
}

pub(crate) async fn rule_33_every_network_that_was_claimed_is_known<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    let on = |network: &str| {
        let claim = crate::model::Claim { network: network.to_owned(), ..claim("r1", 1, "100") };
        event("a", IntakeKind::Claim(claim))
    };
    log.take(&*ledger, vec![on("base"), on("tron"), on("base")]).await;
    assert_eq!(due_one(&*ledger, T0, "a").await.networks, ["tron", "base"]);
}

pub(crate) async fn claim_versions_of_one_event_have_a_limit<R: Rig>(rig: R) {
    let (ledger, mut log) = (rig.ledger(), Log::new());
    log.take(&*ledger, (0..200).map(|n| paid_again(&n.to_string())).collect()).await;
    let newest = due_one(&*ledger, T0, "a").await.claim.and_then(|claim| claim.amount);
    assert_eq!(newest.as_deref(), Some("199"), "the newest statement counts, however many came before it");
    assert_eq!(shown(&*ledger, "a").await.event.deliveries, 200);
}
