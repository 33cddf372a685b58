//! A stored event judged as if its delivery had just come, by today's chain and rules; and what was forwarded taken back
//! because the rules say no.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{ByHand, shown};
use crate::chain::proof::bundle::Bundle;
use crate::ledger::{Committed, DueEvent, LedgerError, Retract};
use crate::message::{self, Claimed, Head, Retraction};
use crate::model::{Check, Class, Code, EventState, Slot, Vote};
use crate::verify::asking;
use crate::verify::decide::{self, Begun, Decision, Rules};
use crate::verify::events;
use crate::verify::schedule::Moment;

/// Chains on which a transaction may be looked for in turn.
const PLACES_MAX: u32 = 4;

/// What is said of an event now.
#[derive(Debug, Clone, PartialEq)]
pub struct Again {
    /// `Forwarding` is confirmed; else `Refuted`, `Held`, or `Undetermined` for everything that waits.
    pub verdict: EventState,
    /// Why.
    pub code: Code,
    /// Type of the message that would be due, had nothing been sent yet.
    pub would_send: Option<String>,
    /// Checks and votes.
    pub checks: Vec<Check>,
    /// Who said so.
    pub votes: Vec<Vote>,
    /// The chain's data is gone, and the evidence that was kept answers.
    pub by_evidence: bool,
}

impl ByHand {
    /// What verification would say of a stored event now. Asks the nodes; writes nothing.
    ///
    /// # Errors
    /// When the ledger does not answer. Nodes that do not are part of the verdict.
    pub async fn again(&self, stored: &DueEvent) -> Result<Again, LedgerError> {
        let mut event = DueEvent {
            state: EventState::Verifying,
            code: None,
            anchor_check: false,
            wait: None,
            sent: false,
            claimed: Vec::new(),
            // Its nonce was used by itself: that says nothing here.
            sender: None,
            ..stored.clone()
        };
        let (in_force, now) = (self.in_force.now(), self.clock.now());
        let moment = Moment { now_us: now.as_microsecond(), jitter: 0 };
        let standings = BTreeMap::new();
        let (mut decision, mut asked) = (None, Vec::new());
        for turn in 0..PLACES_MAX {
            // Each look is at the next of the places where it may be; none at all would begin its give-up time anew.
            event.progress.looks = turn.saturating_add(stored.progress.looks.min(1));
            let deny = self.deny.list();
            let rules = Rules {
                source: self.config.source(&event.facts.source),
                verification: &self.config.verification,
                chains: &in_force.chains,
                stopped: &in_force.stopped,
                standings: &standings,
                deny: deny.as_deref(),
            };
            let said = match decide::begin(&event, &rules, &moment) {
                Begun::Decided(decision) => decision,
                // Every place was asked.
                Begun::Ask(question) if asked.contains(&question.plan) => break,
                Begun::Ask(question) => {
                    asked.push(question.plan.clone());
                    let mut observations = self.reader.observe(question.plan.clone()).await;
                    asking::complete(&*self.reader, &event, &question, &rules, &mut observations, &moment).await;
                    decide::conclude(&event, &question, &rules, &observations, &moment)
                }
            };
            let is_elsewhere =
                matches!(said.code(), Code::WaitingInclusion | Code::TxNotFound) && event.anchor.is_none();
            decision = Some(said);
            if !is_elsewhere {
                break;
            }
        }
        let Some(decision) = decision else {
            return Err(LedgerError::Damaged("an event was judged in no place".to_owned()));
        };
        let said = self.said_again(stored, &event, &decision, now).await?;
        if stored.state == EventState::Settled && nobody_shows_it(&said) && self.evidence_holds(stored).await? {
            let code = stored.code.unwrap_or(Code::Verified);
            return Ok(Again { verdict: EventState::Forwarding, code, by_evidence: true, ..said });
        }
        Ok(said)
    }

    async fn said_again(
        &self,
        stored: &DueEvent,
        event: &DueEvent,
        decision: &Decision,
        at: jiff::Timestamp,
    ) -> Result<Again, LedgerError> {
        let again = |verdict, code, would_send, seen: &decide::Seen| Again {
            verdict,
            code,
            would_send,
            checks: seen.checks.clone(),
            votes: seen.votes.clone(),
            by_evidence: false,
        };
        let confirmation = match decision {
            Decision::Record(recorded) => {
                let verdict = match recorded.state {
                    state @ (EventState::Refuted | EventState::Held) => state,
                    EventState::Received
                    | EventState::Verifying
                    | EventState::AwaitingFinality
                    | EventState::Forwarding
                    | EventState::Forwarded
                    | EventState::Settled
                    | EventState::Undetermined
                    | EventState::Ignored
                    | EventState::Dead
                    | EventState::Retracted => EventState::Undetermined,
                };
                return Ok(again(verdict, recorded.code, None, &recorded.seen));
            }
            Decision::Confirm(confirmation) => confirmation,
            // Only what was sent is taken back or moved, and this is judged as if nothing had been.
            Decision::Retract(taken) => return Ok(again(EventState::Undetermined, Code::Retracted, None, &taken.seen)),
            Decision::Reanchor(moved) => return Ok(again(EventState::Undetermined, Code::Verified, None, &moved.seen)),
        };
        let seen = &confirmation.seen;
        let holder = match confirmation.anchor {
            Some(anchor) => {
                let others: Vec<_> = self.known(anchor.tx_hash).await?;
                let others: Vec<_> = others.into_iter().filter(|view| view.event_id != stored.event_id).collect();
                self.holder(&confirmation.slots, &others).await?
            }
            None => None,
        };
        if let Some(holder) = holder {
            let (word, code) = shown::claimed(&holder, event);
            let verdict = if word == "refuted" { EventState::Refuted } else { EventState::Forwarding };
            return Ok(again(verdict, code, None, seen));
        }
        let judged = shown::Judged { event, decision, holder: None, known: &[], at };
        let (code, message) = judged.message(confirmation, |_| Vec::new());
        let paid = message.get("type").and_then(Value::as_str).map(str::to_owned);
        let would_send = paid.or_else(|| Some(message::MessageType::ProviderEvent.as_str().to_owned()));
        Ok(again(EventState::Forwarding, code, would_send, seen))
    }

    /// Whether the evidence that was kept of an event's block shows every transfer that it claimed.
    async fn evidence_holds(&self, event: &DueEvent) -> Result<bool, LedgerError> {
        let Some(anchor) = event.anchor else { return Ok(false) };
        let kept = self.ledger.chain_evidence(event.event_id).await?;
        let proven = kept.iter().filter(|kept| kept.block_hash == anchor.block_hash.as_slice()).find_map(|kept| {
            let bundle = Bundle::from_json(&kept.bundle).ok()?;
            let proven = bundle.verify().ok()?;
            let fits = bundle.tx_hash == anchor.tx_hash && proven.block_hash == anchor.block_hash;
            (fits && proven.status == 1).then_some(proven)
        });
        let Some(proven) = proven else { return Ok(false) };
        let money: Vec<_> = event.claimed.iter().filter(|slot| !slot.amount.is_zero()).collect();
        let is_shown = |slot: &&crate::ledger::ClaimedSlot| match slot.key.slot {
            Slot::Log(position) => {
                let log = usize::try_from(position).ok().and_then(|place| proven.logs.get(place));
                let transfer = log.and_then(|log| events::transfer(position, log));
                transfer.is_some_and(|transfer| {
                    Some(transfer.token) == slot.token && transfer.to == slot.recipient && slot.amount <= transfer.value
                })
            }
            // Coin stands in the transaction, which no bundle holds.
            Slot::Value | Slot::Trace(_) => false,
        };
        Ok(!money.is_empty() && money.iter().all(is_shown))
    }

    /// Takes a forwarded payment back because it is refuted by today's rules; false when it moved meanwhile.
    ///
    /// # Errors
    /// When the ledger does not answer, or the event is no payment.
    pub async fn retract(&self, event: DueEvent, said: Again) -> Result<bool, LedgerError> {
        let now = self.clock.now();
        let Some(anchor) = event.anchor.filter(|_| said.verdict == EventState::Refuted) else { return Ok(false) };
        let retraction = Retraction { reason: said.code, previous: anchor, now: Some(anchor), permanent: true };
        let head = Head { facts: event.facts, at: now, thin: false, back: None };
        let trace = json!({ "by_rule": true, "checks": said.checks, "votes": said.votes });
        tracing::warn!(event_id = %event.event_id, reason = said.code.as_str(), "a forwarded payment is retracted by hand");
        let retract = Retract {
            event_id: event.event_id,
            version: event.version,
            now_us: now.as_microsecond(),
            reason: said.code,
            due_us: None,
            trace,
            render: Box::new(move |recalled| {
                message::retracted(recalled, &head, &retraction, (&said.votes, &said.checks), &Claimed::Omitted)
            }),
        };
        Ok(self.ledger.retract(retract).await? == Committed::Done)
    }
}

/// Nothing was found that could be judged: that says more of the nodes than of a payment that was final.
fn nobody_shows_it(said: &Again) -> bool {
    said.code.class() == Class::Wait || said.code == Code::TxNotFound
}
