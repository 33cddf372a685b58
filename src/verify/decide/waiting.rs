//! The ways to wait, and the end of waiting. Undetermined stays so as long as its cause does.

use super::{Decision, Ground, Seen, claimed_chains, give_up_at};
use crate::chain::Observations;
use crate::ledger::DueEvent;
use crate::model::{Code, EventState};
use crate::verify::finality::Judged;
use crate::verify::quorum::{self, Anchored, Located, Policy};
use crate::verify::schedule::Moment;

/// A code that waits, with its state and the next look.
pub(super) fn record(event: &DueEvent, code: Code, seen: Seen, moment: &Moment) -> Decision {
    let is_nowhere = matches!(code, Code::WaitingInclusion | Code::Reorged);
    let state = if is_nowhere { EventState::Verifying } else { EventState::Undetermined };
    Decision::record(state, code, Some(moment.backoff(event.progress.looks)), seen)
}

/// Finds the block, and judges what is in it.
pub(super) fn located(
    ground: &Ground<'_>,
    observations: &Observations,
    judge: fn(&Ground<'_>, &Anchored) -> Decision,
) -> Decision {
    let Ground { event, active, moment, .. } = *ground;
    match quorum::locate(Policy::of(active), active.chain.chain_id, observations) {
        Located::Anchored(anchored) => judge(ground, &anchored),
        Located::Waiting { code, votes } => {
            let seen = Seen { votes, ..Seen::default() };
            // Looked for where the expectation takes money, and not there: nowhere else is asked.
            if code == Code::WaitingInclusion && claimed_chains(event, ground.rules).next().is_none() {
                return Decision::record(EventState::Held, Code::ChainUnsupported, None, seen);
            }
            // Only "nobody knows it" ends by itself; that a node cannot be asked says nothing about the payment.
            if code == Code::WaitingInclusion && give_up_at(event, ground.rules, moment).is_none() {
                return Decision::record(EventState::Held, Code::TxNotFound, None, seen);
            }
            record(event, code, seen, moment)
        }
    }
}

/// Matched or contradicted, and not deep enough yet to say so: waits under its code.
pub(super) fn deeper(
    ground: &Ground<'_>,
    code: Code,
    anchored: &Anchored,
    judged: &Judged<'_>,
    seen: Seen,
) -> Decision {
    let due_us = Some(ground.moment.when_deeper(judged.gap, &ground.active.chain));
    at(Decision::record(EventState::AwaitingFinality, code, due_us, seen), anchored)
}

/// Adds the block that was seen.
pub(super) fn at(decision: Decision, anchored: &Anchored) -> Decision {
    match decision {
        Decision::Record(mut recorded) => {
            recorded.anchor = Some(anchored.anchor);
            Decision::Record(recorded)
        }
        confirm @ Decision::Confirm(_) => confirm,
    }
}
