//! The ways to wait, and the end of waiting. Undetermined stays so as long as its cause does.

use super::{Decision, Ground, Seen, claimed_chains, give_up_at};
use crate::chain::Observations;
use crate::ledger::{DueEvent, Wait};
use crate::model::{Code, EventState, Sender};
use crate::verify::finality::{self, Judged};
use crate::verify::quorum::{self, Anchored, Located, Policy};
use crate::verify::schedule::{IN_ANY_CASE, Moment};

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
            let is_replaced = |sender: Sender| quorum::is_nonce_used(Policy::of(active), sender.nonce, observations);
            if code == Code::WaitingInclusion && event.sender.is_some_and(is_replaced) {
                return Decision::record(EventState::Refuted, Code::TxReplaced, None, seen);
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
    let (anchor, chain) = (&anchored.anchor, &ground.active.chain);
    let is_stalled = finality::is_stalled(judged.gap, &anchored.standing, chain.tag_stall_alert_s);
    let code = if code == Code::WaitingConfirmations && is_stalled { Code::ChainFinalityStalled } else { code };
    let reach = finality::reach(judged, anchor.block_number, &anchored.standing);
    let wait = reach.map(|(reach, height)| Wait { chain_id: anchor.chain_id, reach, height });
    let due_us = match wait {
        Some(_) => ground.moment.after(IN_ANY_CASE),
        None => ground.moment.when_deeper(judged.gap, chain),
    };
    match at(Decision::record(EventState::AwaitingFinality, code, Some(due_us), seen), anchored) {
        Decision::Record(mut recorded) => {
            recorded.wait = wait;
            Decision::Record(recorded)
        }
        other @ (Decision::Confirm(_) | Decision::Retract(_) | Decision::Reanchor(_)) => other,
    }
}

/// Adds the block that was seen, and who sent the transaction.
pub(super) fn at(decision: Decision, anchored: &Anchored) -> Decision {
    match decision {
        Decision::Record(mut recorded) => {
            (recorded.anchor, recorded.sender) = (Some(anchored.anchor), anchored.sender);
            Decision::Record(recorded)
        }
        other @ (Decision::Confirm(_) | Decision::Retract(_) | Decision::Reanchor(_)) => other,
    }
}
