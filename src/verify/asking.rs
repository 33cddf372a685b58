//! Asks nodes what a judgement needs beyond the first look.

use super::decide::{self, Further, Question, Rules};
use super::schedule::Moment;
use crate::chain::{Observations, Oracle, Reader};
use crate::ledger::DueEvent;

/// Questions beyond the first look, each asked once: the calls, then the oracle.
const FURTHER_MAX: usize = 2;

/// Adds to the observations what is missing in them for this event.
pub(super) async fn complete(
    reader: &dyn Reader,
    event: &DueEvent,
    question: &Question,
    rules: &Rules<'_>,
    seen: &mut Observations,
    moment: &Moment,
) {
    let chain = &question.plan.chain;
    for _ in 0..FURTHER_MAX {
        match decide::further(event, question, rules, seen, moment) {
            None => return,
            Some(Further::Calls(anchor)) => seen.calls = Some(reader.calls(chain, anchor).await),
            Some(Further::Oracle { contract, at, subjects }) => {
                let answers = reader.listed(chain, contract, at, &subjects).await;
                seen.oracle = Some(Oracle { subjects, answers });
            }
        }
    }
}
