//! Hands verification to the operators' side and to replays, which may not know a stage.

use serde_json::Value;

use crate::admin::{Asked, ChainNow, NodeNow, StandingNow, Submission, Verification};
use crate::ledger::{Answer, DueEvent, LedgerError, Who};
use crate::model::EventState;
use crate::replay::{Judge, Now, Verdict};
use crate::verify::by_hand::{self, Again, ByHand};

impl Verification for ByHand {
    fn chain(&self, name: &str) -> Option<ChainNow> {
        let height = |header: crate::chain::Header| header.number;
        let nodes = Self::heads(self, name).into_iter().map(|node| NodeNow {
            name: node.node,
            head: height(node.head),
            safe: node.safe.map(height),
            finalized: node.finalized.map(height),
        });
        let standing = Self::standing(self, name).map(|standing| StandingNow {
            head: standing.head,
            safe: standing.safe,
            finalized: standing.finalized,
            safe_lag_s: standing.safe_lag_s,
            finalized_lag_s: standing.finalized_lag_s,
        });
        Some(ChainNow { finality: Self::finality(self, name)?, nodes: nodes.collect(), standing })
    }

    fn put_in_force(&self) -> Answer<'_, ()> {
        Box::pin(Self::put_in_force(self))
    }

    fn judge(&self, asked: Asked) -> Answer<'_, Value> {
        Box::pin(Self::judge(self, asked.into()))
    }

    fn submit(&self, asked: Asked, by: Who) -> Answer<'_, (Value, Submission)> {
        Box::pin(async move {
            let (judged, outcome) = Self::submit(self, asked.into(), by).await?;
            let submission = match outcome {
                by_hand::Outcome::Made(event) => Submission::Made(event),
                by_hand::Outcome::Known(event) => Submission::Known(event),
                by_hand::Outcome::NotProven => Submission::NotProven,
                by_hand::Outcome::NotOpen(state) => Submission::NotOpen(state),
            };
            Ok((judged, submission))
        })
    }
}

impl From<Asked> for by_hand::Asked {
    fn from(asked: Asked) -> Self {
        let Asked { chain, tx_hash, source, expectation, payment_reference } = asked;
        Self { chain, tx_hash, source, expectation, payment_reference }
    }
}

impl Judge for ByHand {
    fn judge(&self, event: DueEvent) -> Answer<'_, Now> {
        Box::pin(async move {
            let said = self.again(&event).await?;
            let seen = serde_json::json!({ "checks": said.checks, "votes": said.votes });
            let Again { code, would_send, by_evidence, .. } = said;
            Ok(Now { verdict: verdict(said.verdict), code, would_send, seen, by_evidence })
        })
    }

    fn retract(&self, event: DueEvent, now: Now) -> Answer<'_, bool> {
        Box::pin(async move {
            let part = |name: &str| now.seen.get(name).cloned().unwrap_or_default();
            let unreadable = |error: serde_json::Error| LedgerError::Damaged(error.to_string());
            let said = Again {
                verdict: if now.verdict == Verdict::Refuted { EventState::Refuted } else { EventState::Undetermined },
                code: now.code,
                would_send: None,
                checks: serde_json::from_value(part("checks")).map_err(unreadable)?,
                votes: serde_json::from_value(part("votes")).map_err(unreadable)?,
                by_evidence: now.by_evidence,
            };
            Self::retract(self, event, said).await
        })
    }
}

/// A judgement's state in a word.
const fn verdict(state: EventState) -> Verdict {
    match state {
        EventState::Forwarding | EventState::Forwarded | EventState::Settled | EventState::Dead => Verdict::Confirmed,
        EventState::Refuted => Verdict::Refuted,
        EventState::Held => Verdict::Held,
        EventState::Received
        | EventState::Verifying
        | EventState::AwaitingFinality
        | EventState::Undetermined
        | EventState::Ignored
        | EventState::Retracted => Verdict::Undetermined,
    }
}
