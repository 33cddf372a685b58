//! An operator has a proven transaction forwarded: it becomes the event that a search would have made of it. A webhook
//! that comes late joins it by its transfer, and so does a search.

use serde_json::Value;

use super::{Asked, ByHand, Said, shown};
use crate::ledger::{EventFacts, LedgerError, ScanFind, Sighting, Submission, Submitted, Who};
use crate::model::{Claim, Code, EventId, ExpectationKey, ExpectationState};
use crate::verify::decide::{Confirmation, Decision};

/// What came of submitting a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is this event now, to be judged and sent.
    Made(EventId),
    /// This event is about it already; nothing was written.
    Known(EventId),
    /// It is no proven money for an open expectation: the verdict says why. Nothing was written.
    NotProven,
    /// The expectation is not open any more. Nothing was written.
    NotOpen(ExpectationState),
}

impl ByHand {
    /// Judges a transaction and makes an event of it when it is proven money for the expectation named.
    ///
    /// # Errors
    /// When the ledger does not answer; then nothing was written.
    pub async fn submit(&self, asked: Asked, by: Who) -> Result<(Value, Outcome), LedgerError> {
        let said = self.said(&asked).await?;
        let judged = self.shown(&asked, &said);
        let outcome = match (&said.decision, &said.holder) {
            (Decision::Confirm(_), Some(holder)) if shown::claimed(holder, &said.event).1 == Code::Joined => {
                Outcome::Known(holder.event_id)
            }
            (Decision::Confirm(confirmation), None) => self.forward(&asked, &said, confirmation, by).await?,
            (Decision::Confirm(_) | Decision::Record(_) | Decision::Retract(_) | Decision::Reanchor(_), _) => {
                Outcome::NotProven
            }
        };
        Ok((judged, outcome))
    }

    async fn forward(
        &self,
        asked: &Asked,
        said: &Said,
        confirmation: &Confirmation,
        by: Who,
    ) -> Result<Outcome, LedgerError> {
        let Some(find) = found(asked, said, confirmation) else { return Ok(Outcome::NotProven) };
        match asked.expectation.as_ref().map(|stored| stored.state) {
            None => return Ok(Outcome::NotProven),
            Some(ExpectationState::Open | ExpectationState::Partial) => {}
            Some(
                ended @ (ExpectationState::Paid
                | ExpectationState::Overpaid
                | ExpectationState::Late
                | ExpectationState::Expired
                | ExpectationState::Cancelled),
            ) => return Ok(Outcome::NotOpen(ended)),
        }
        let submission = Submission { find, by, now_us: said.at.as_microsecond() };
        Ok(match self.ledger.submit(submission).await? {
            Submitted::Made(event) => Outcome::Made(event),
            Submitted::Known(event) => Outcome::Known(event),
        })
    }
}

/// What a search would have found; none without an expectation or a transfer.
fn found(asked: &Asked, said: &Said, confirmation: &Confirmation) -> Option<ScanFind> {
    let terms = &asked.expectation.as_ref()?.terms;
    let (anchor, claim) = (confirmation.anchor?, said.event.claim.clone()?);
    let mut slots: Vec<_> = confirmation.slots.iter().map(|slot| slot.key).collect();
    slots.sort();
    slots.first()?;
    let sighting = Sighting {
        chain_id: anchor.chain_id,
        tx_hash: anchor.tx_hash,
        expectation_id: terms.id.clone(),
        realm: terms.realm.clone(),
        key: terms.key.clone(),
    };
    Some(ScanFind {
        sighting,
        slots,
        block_hash: anchor.block_hash,
        tx_index: anchor.tx_index,
        facts: facts(&said.event.facts, &terms.id),
        claim: Claim { network: asked.chain.clone(), ..claim },
        is_bound: terms.key == ExpectationKey::Direct,
    })
}

/// What the event starts with. A realm that no source has is named as it is: verification waits for its return.
fn facts(judged: &EventFacts, expectation: &str) -> EventFacts {
    let source = if judged.source.is_empty() { judged.realm.clone() } else { judged.source.clone() };
    EventFacts { source, lane: format!("expectation:{expectation}"), ..judged.clone() }
}
