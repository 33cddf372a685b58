//! What to do with a due event: pure, from what the ledger says, what the nodes said, and the time.
//!
//! Two steps. [`begin`] says what has to be looked at, or decides at once where no chain is needed. [`conclude`] takes
//! the observations and decides. A refusal is written only when its block is final, because a reorg can change it;
//! until then it waits under its code. What is held or refuted sends nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use alloy_primitives::U256;
use serde_json::json;

use super::claim;
use super::quorum::Standing;
use super::schedule::{self, Moment};
use crate::chain::{Look, Observations, Plan};
use crate::config::{ActiveChain, Source, Verification};
use crate::ledger::{ClaimedSlot, DueEvent, Exposure, JoinKey, Proof, Reach, Wait};
use crate::message::{Payment, Retraction};
use crate::model::{Anchor, Basis, Check, Claim, Code, EventState, Sender, Vote};
use crate::screening::list::DenyList;

mod charge;
mod further;
mod lost;
mod payment;
mod places;
mod screened;
mod shown;
mod waiting;
mod watch;

pub use further::{Further, further};
use places::{claimed_chains, where_to_look};

/// The configuration that a decision reads.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// The event's source; none when it was taken out of the configuration. Its claims wait for its return, while
    /// what was confirmed already is still watched.
    pub source: Option<&'a Source>,
    /// `[verification]`
    pub verification: &'a Verification,
    /// Active chains by configured name.
    pub chains: &'a BTreeMap<String, ActiveChain>,
    /// Chains on which nothing is confirmed until an operator says so.
    pub stopped: &'a BTreeSet<String>,
    /// Where each chain stands by the last poll of its heads, by EIP-155 id; none when that is too long ago.
    pub standings: &'a BTreeMap<u64, Standing>,
    /// The deny list in force; none where none is configured.
    pub deny: Option<&'a DenyList>,
}

/// What has to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// For the reader; equal plans share one look.
    pub plan: Plan,
    /// What the answer is for.
    pub purpose: Purpose,
}

/// What an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To prove a transfer.
    Payment,
    /// To see how far a charge without a known recipient is borne out.
    Charge,
    /// To see that the block under a message is still there, before the first attempt.
    BeforeSending(Anchor),
    /// To see whether a forwarded payment is final.
    Settlement(Anchor),
    /// To find a forwarded payment whose block is gone.
    Lost(Anchor),
    /// To see whether a retracted payment is back; it stood on this block.
    Return(Anchor),
}

/// The first step's answer.
#[derive(Debug)]
pub enum Begun {
    /// Nothing to look at.
    Decided(Decision),
    /// Look, then [`conclude`].
    Ask(Box<Question>),
}

/// What to write.
#[derive(Debug)]
pub enum Decision {
    /// A message becomes due.
    Confirm(Box<Confirmation>),
    /// Nothing is sent.
    Record(Box<Recorded>),
    /// A forwarded payment is taken back.
    Retract(Box<Retracting>),
    /// A forwarded payment stands on another block.
    Reanchor(Box<Moved>),
}

/// What was asked and seen, for the trace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Questions and answers.
    pub checks: Vec<Check>,
    /// Who said what.
    pub votes: Vec<Vote>,
    /// The tier and the depth, once they are known: name, confirmations.
    pub depth: Option<(String, u64)>,
}

/// A verdict that sends nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Where the event goes.
    pub state: EventState,
    /// Why.
    pub code: Code,
    /// When to look again; none is never by itself.
    pub due_us: Option<i64>,
    /// What it waits for; then `due_us` is the time to look in any case.
    pub wait: Option<Wait>,
    /// The block seen.
    pub anchor: Option<Anchor>,
    /// Who sent the transaction.
    pub sender: Option<Sender>,
    /// For the trace.
    pub seen: Seen,
}

/// A forwarded payment to take back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retracting {
    /// What the message says of it.
    pub retraction: Retraction,
    /// When to look for it again; none when it can never come back.
    pub due_us: Option<i64>,
    /// For the message and the trace.
    pub seen: Seen,
}

/// A forwarded payment on another block, on the same terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The block.
    pub anchor: Anchor,
    /// The slots in it, ascending.
    pub slots: Vec<ClaimedSlot>,
    /// As when it was confirmed.
    pub joins_by: Option<JoinKey>,
    /// What proves it, JSON.
    pub evidence: Option<String>,
    /// When to look again in any case.
    pub due_us: i64,
    /// For the trace.
    pub seen: Seen,
}

/// A verdict that makes a message due.
#[derive(Debug, Clone)]
pub struct Confirmation {
    /// Outcome, before sums.
    pub code: Code,
    /// The block it stands on; none without a payment.
    pub anchor: Option<Anchor>,
    /// Slots to claim, ascending; none without a payment.
    pub slots: Vec<ClaimedSlot>,
    /// The money, base units.
    pub amount: U256,
    /// Expectation id, version judged, way to pay.
    pub expectation: Option<(String, u64, usize)>,
    /// Joins a late identity to its event.
    pub joins_by: Option<JoinKey>,
    /// Who sent the transaction.
    pub sender: Option<Sender>,
    /// What proves it, JSON.
    pub evidence: Option<String>,
    /// What it puts at risk until its block is final.
    pub exposure: Option<Exposure>,
    /// When it was retracted before and is back.
    pub back: Option<Retraction>,
    /// What the message says.
    pub content: Content,
    /// For the trace.
    pub seen: Seen,
}

/// What a message says.
#[derive(Debug, Clone)]
pub enum Content {
    /// Proven money.
    Payment(Box<Payment>, Box<Proof>),
    /// A signed event, with what could be checked of it.
    Checked(Box<Proof>),
    /// A thin event whose snapshot did not come.
    Thin,
}

// === impl Seen ===

impl Seen {
    /// As the trace keeps it.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let depth =
            self.depth.as_ref().map(|(tier, confirmations)| json!({"tier": tier, "confirmations": confirmations}));
        json!({"checks": self.checks, "votes": self.votes, "depth": depth})
    }
}

impl Decision {
    fn record(state: EventState, code: Code, due_us: Option<i64>, seen: Seen) -> Self {
        Self::Record(Box::new(Recorded { state, code, due_us, wait: None, anchor: None, sender: None, seen }))
    }

    /// The same, on this block, waiting for that.
    fn on(self, anchor: Anchor, wait: Option<Wait>) -> Self {
        match self {
            Self::Record(mut recorded) => {
                (recorded.anchor, recorded.wait) = (Some(anchor), wait);
                Self::Record(recorded)
            }
            other @ (Self::Confirm(_) | Self::Retract(_) | Self::Reanchor(_)) => other,
        }
    }

    /// The block that the event stands on afterwards.
    #[must_use]
    pub fn anchor(&self) -> Option<Anchor> {
        match self {
            Self::Confirm(confirmation) => confirmation.anchor,
            Self::Record(recorded) => recorded.anchor,
            Self::Retract(_) => None,
            Self::Reanchor(moved) => Some(moved.anchor),
        }
    }

    /// The outcome, before sums.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Confirm(confirmation) => confirmation.code,
            Self::Record(recorded) => recorded.code,
            Self::Retract(_) => Code::Retracted,
            Self::Reanchor(_) => Code::Verified,
        }
    }
}

// === the first step ===

/// What has to be looked at for an event.
#[must_use]
pub fn begin(event: &DueEvent, rules: &Rules<'_>, moment: &Moment) -> Begun {
    if let Some(decision) = still_waits(event, rules, moment) {
        return Begun::Decided(decision);
    }
    let is_missed = event.sent && event.code == Some(Code::Reorged);
    match event.state {
        EventState::Forwarding | EventState::Forwarded | EventState::Dead if is_missed => {
            again(event, Purpose::Lost, rules, moment)
        }
        EventState::Forwarding => again(event, Purpose::BeforeSending, rules, moment),
        EventState::Forwarded | EventState::Dead => again(event, Purpose::Settlement, rules, moment),
        EventState::Retracted => again(event, Purpose::Return, rules, moment),
        EventState::Received
        | EventState::Verifying
        | EventState::AwaitingFinality
        | EventState::Undetermined
        | EventState::Held
        | EventState::Refuted => match &event.claim {
            Some(claim) => begin_claim(event, claim, rules, moment),
            None => Begun::Decided(plain(Code::ProviderEvent, Content::Thin)),
        },
        // Nothing is due in these: whatever woke them is answered by standing still.
        EventState::Settled | EventState::Ignored => stand_still(event),
    }
}

/// What an event waits for is not there yet, by the last poll of the heads: nothing is asked for it.
fn still_waits(event: &DueEvent, rules: &Rules<'_>, moment: &Moment) -> Option<Decision> {
    let wait = event.wait?;
    let standing = rules.standings.get(&wait.chain_id)?;
    let reached = match wait.reach {
        Reach::Head => standing.head,
        Reach::Safe => standing.safe?,
        Reach::Finalized => standing.finalized?,
    };
    if wait.height <= reached || event.anchor_check {
        return None;
    }
    let due_us = Some(moment.after(schedule::IN_ANY_CASE));
    let alert_s = rules.chains.values().find(|active| active.chain.chain_id == wait.chain_id)?.chain.tag_stall_alert_s;
    let lag_s = match wait.reach {
        Reach::Head => None,
        Reach::Safe => standing.safe_lag_s,
        Reach::Finalized => standing.finalized_lag_s,
    };
    let is_stalled = lag_s.is_some_and(|lag_s| alert_s < lag_s);
    let code = match event.code? {
        Code::WaitingConfirmations if is_stalled => Code::ChainFinalityStalled,
        Code::ChainFinalityStalled if !is_stalled => Code::WaitingConfirmations,
        other => other,
    };
    let decision = Decision::record(event.state, code, due_us, Seen::default());
    Some(decision.on(event.anchor?, Some(wait)))
}

fn stand_still(event: &DueEvent) -> Begun {
    let code = event.code.unwrap_or(Code::Internal);
    Begun::Decided(Decision::record(event.state, code, None, Seen::default()))
}

fn again(event: &DueEvent, purpose: fn(Anchor) -> Purpose, rules: &Rules<'_>, moment: &Moment) -> Begun {
    let Some(anchor) = event.anchor else { return stand_still(event) };
    let Some((chain, _)) = rules.chains.iter().find(|(_, active)| active.chain.chain_id == anchor.chain_id) else {
        // A chain taken out of the configuration is looked at by nobody: the event stays as it is and waits for its
        // return. No block is recorded as seen.
        let (code, due_us) = (event.code.unwrap_or(Code::RpcUnavailable), Some(moment.after(schedule::LONGEST)));
        return Begun::Decided(Decision::record(event.state, code, due_us, Seen::default()));
    };
    let purpose = purpose(anchor);
    let look = match purpose {
        Purpose::Lost(_) | Purpose::Return(_) => Look::Search { anchor: Some(anchor), sender: event.sender },
        Purpose::Payment | Purpose::Charge | Purpose::BeforeSending(_) | Purpose::Settlement(_) => Look::Anchor(anchor),
    };
    ask(Plan { chain: chain.clone(), tx_hash: anchor.tx_hash, look }, purpose)
}

fn ask(plan: Plan, purpose: Purpose) -> Begun {
    Begun::Ask(Box::new(Question { plan, purpose }))
}

fn begin_claim(event: &DueEvent, claim: &Claim, rules: &Rules<'_>, moment: &Moment) -> Begun {
    if rules.source.is_none() {
        let due_us = Some(moment.after(schedule::LONGEST));
        return Begun::Decided(Decision::record(EventState::Undetermined, Code::Internal, due_us, Seen::default()));
    }
    if event.expectation.is_none() && !can_do_without(claim, rules) {
        return Begun::Decided(unknown_expectation(event, rules, moment));
    }
    let purpose = match (claim.basis, &event.expectation) {
        (Basis::Charge, None) => Purpose::Charge,
        (Basis::Charge, Some(_)) | (Basis::Reference, _) => Purpose::Payment,
    };
    let found = where_to_look(event, rules);
    match (purpose, found, claim::tx_hash(&claim.tx_hash)) {
        (_, Some((chain, active)), Some(tx_hash)) => {
            let known =
                event.anchor.filter(|anchor| anchor.chain_id == active.chain.chain_id && anchor.tx_hash == tx_hash);
            let look = match (known, event.sender) {
                (Some(anchor), _) => Look::Receipt(anchor),
                // It was in a block once: another transaction may have taken its nonce since.
                (None, sender @ Some(_)) => Look::Search { anchor: None, sender },
                (None, None) => Look::Locate,
            };
            ask(Plan { chain: chain.to_owned(), tx_hash, look }, purpose)
        }
        (Purpose::Charge, _, _) => Begun::Decided(charge::unverifiable(event, claim, rules, found, moment)),
        (_, None, _) => {
            Begun::Decided(Decision::record(EventState::Held, Code::ChainUnsupported, None, charge::seen(claim, found)))
        }
        (_, Some(_), None) => Begun::Decided(Decision::record(
            EventState::Refuted,
            Code::TxHashMalformed,
            None,
            charge::seen(claim, found),
        )),
    }
}

/// A charge goes out as what it is; money that must be proven needs somebody who says where it belongs.
fn can_do_without(claim: &Claim, rules: &Rules<'_>) -> bool {
    match claim.basis {
        Basis::Charge => true,
        Basis::Reference => !rules.verification.require_expectation && !rules.verification.recipients.is_empty(),
    }
}

/// The backend may be a little later than the provider: the PUT wakes the event, so nothing is asked meanwhile.
fn unknown_expectation(event: &DueEvent, rules: &Rules<'_>, moment: &Moment) -> Decision {
    match give_up_at(event, rules, moment) {
        Some(due_us) => {
            Decision::record(EventState::Undetermined, Code::ExpectationUnknown, Some(due_us), Seen::default())
        }
        None => Decision::record(EventState::Held, Code::ExpectationUnknown, None, Seen::default()),
    }
}

/// When an unanswered claim is given up; `None` when that is past.
fn give_up_at(event: &DueEvent, rules: &Rules<'_>, moment: &Moment) -> Option<i64> {
    let first_us = if event.progress.looks == 0 { moment.now_us } else { event.progress.first_us };
    let since = Moment { now_us: first_us, ..*moment };
    let end = since.after(rules.verification.give_up);
    (moment.now_us < end).then_some(end)
}

/// A message that claims no transfer.
fn plain(code: Code, content: Content) -> Decision {
    let seen = match &content {
        Content::Checked(proof) => Seen { checks: proof.checks.clone(), votes: proof.votes.clone(), depth: None },
        Content::Payment(..) | Content::Thin => Seen::default(),
    };
    Decision::Confirm(Box::new(Confirmation {
        code,
        anchor: None,
        slots: Vec::new(),
        amount: U256::ZERO,
        expectation: None,
        joins_by: None,
        sender: None,
        evidence: None,
        exposure: None,
        back: None,
        content,
        seen,
    }))
}

// === the second step ===

/// What the observations make of the event.
#[must_use]
pub fn conclude(
    event: &DueEvent,
    question: &Question,
    rules: &Rules<'_>,
    observations: &Observations,
    moment: &Moment,
) -> Decision {
    let Some(active) = rules.chains.get(&question.plan.chain) else {
        return waiting::record(event, Code::RpcUnavailable, Seen::default(), moment);
    };
    let ground = |claim| Ground { event, claim, rules, name: &question.plan.chain, active, moment, seen: observations };
    match (question.purpose, &event.claim) {
        (Purpose::BeforeSending(anchor), _) => watch::before_sending(event, &anchor, active, observations, moment),
        (Purpose::Settlement(anchor), _) => watch::settlement(event, &anchor, active, observations, moment),
        (Purpose::Lost(anchor), Some(claim)) => lost::missed(&ground(claim), &anchor, observations),
        (Purpose::Return(anchor), Some(claim)) => lost::returned(&ground(claim), &anchor, observations),
        (Purpose::Payment, Some(claim)) => waiting::located(&ground(claim), observations, payment::judge),
        (Purpose::Charge, Some(claim)) => waiting::located(&ground(claim), observations, charge::judge),
        // A purpose of a claim is only made from a claim.
        (Purpose::Payment | Purpose::Charge, None) => Decision::record(
            EventState::Undetermined,
            Code::Internal,
            Some(moment.after(schedule::LONGEST)),
            Seen::default(),
        ),
        (Purpose::Lost(anchor) | Purpose::Return(anchor), None) => {
            let code = event.code.unwrap_or(Code::Reorged);
            Decision::record(event.state, code, Some(moment.after(schedule::LONGEST)), Seen::default()).on(anchor, None)
        }
    }
}

/// What a judgement of a claim stands on.
#[derive(Clone, Copy)]
struct Ground<'a> {
    event: &'a DueEvent,
    claim: &'a Claim,
    rules: &'a Rules<'a>,
    /// Configured chain name.
    name: &'a str,
    active: &'a ActiveChain,
    moment: &'a Moment,
    /// What was seen so far, with what nodes were asked beyond the first look.
    seen: &'a Observations,
}

/// Shortest time between two looks at a forwarded payment that is not final yet and waits for nothing that can be
/// followed.
const SETTLEMENT_POLL: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
