//! What operators ask of verification: which rules are in force, and what it would say of a transaction now.
//!
//! A transaction is looked at and judged by the files that judge webhooks. It must never claim or send anything: what an
//! operator submits becomes an event, and that is judged once more like any other.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::B256;
use chain_config::FinalityPolicy;
use serde_json::Value;
use tokio::sync::Mutex;

use super::asking;
use super::decide::{self, Decision, Purpose, Question, Rules};
use super::in_force::InForce;
use super::quorum::{self, Policy, Standing};
use super::schedule::Moment;
use crate::chain::{Look, NodeHead, Plan, Reader};
use crate::clock::Clock;
use crate::config::Config;
use crate::ledger::{
    ClaimedSlot, DueEvent, EventFacts, EventView, Filter, Ledger, LedgerError, Progress, Sought, StoredExpectation,
};
use crate::model::{Basis, Claim, EventId, EventState, ExpectationKey, Origin, PaymentReference, Rail};
use crate::screening::Current;

mod again;
mod shown;
mod submit;

pub use submit::Outcome;

pub use again::Again;

/// Stored events of one transaction that are looked at.
const EVENTS_MAX: usize = 50;
/// Open expectations looked at that share a recipient: a second one is enough.
const SHARING_MAX: usize = 2;
/// Whose words for networks count where no source says.
const PROVIDER: &str = "request-network";

/// Verification as operators reach it.
pub struct ByHand {
    ledger: Arc<dyn Ledger>,
    reader: Arc<dyn Reader>,
    config: Arc<Config>,
    in_force: InForce,
    deny: Current,
    clock: Clock,
    /// Rules are read and put in force one after the other, so that an older reading never replaces a newer one.
    applying: Mutex<()>,
}

/// A transaction to judge.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Configured chain name.
    pub chain: String,
    /// The transaction.
    pub tx_hash: B256,
    /// By whose rules; none where no source is configured.
    pub source: Option<String>,
    /// Against what it is held.
    pub expectation: Option<StoredExpectation>,
    /// What binds it, where the expectation does not say; else what stored events claim.
    pub payment_reference: Option<PaymentReference>,
}

/// What came of looking.
struct Said {
    /// The event that a webhook about it would make.
    event: DueEvent,
    decision: Decision,
    /// The event that holds a transfer of it already.
    holder: Option<EventView>,
    /// Stored events of the transaction.
    known: Vec<EventView>,
    at: jiff::Timestamp,
}

impl ByHand {
    /// Looks at nothing before it is asked.
    #[must_use]
    pub fn new(
        ledger: Arc<dyn Ledger>,
        reader: Arc<dyn Reader>,
        config: Arc<Config>,
        in_force: InForce,
        deny: Current,
        clock: Clock,
    ) -> Self {
        Self { ledger, reader, config, in_force, deny, clock, applying: Mutex::new(()) }
    }

    /// How deep a payment on the chain has to be now; none when the chain is not active.
    #[must_use]
    pub fn finality(&self, chain: &str) -> Option<FinalityPolicy> {
        self.in_force.now().chains.get(chain).map(|active| active.chain.finality.clone())
    }

    /// Heads of the chain's nodes by the last poll, while they are fresh.
    #[must_use]
    pub fn heads(&self, chain: &str) -> Vec<NodeHead> {
        self.reader.heads(chain)
    }

    /// Where the chain stands by the last poll; none when too few nodes answered it, or it is too long ago.
    #[must_use]
    pub fn standing(&self, chain: &str) -> Option<Standing> {
        let active = self.config.chains.get(chain)?;
        quorum::standing_of(Policy::of(active), &self.reader.heads(chain))
    }

    /// Puts what operators set in force: tiers, stopped chains, and nodes that are not asked.
    ///
    /// # Errors
    /// When the ledger does not answer; what was in force stays so.
    pub async fn put_in_force(&self) -> Result<(), LedgerError> {
        let _one = self.applying.lock().await;
        let (overrides, cordons) = (self.ledger.finality_overrides().await?, self.ledger.cordons().await?);
        self.in_force.apply(&overrides, &cordons);
        for (name, active) in &self.config.chains {
            for node in &active.nodes {
                let out = cordons.iter().any(|cordon| cordon.chain == *name && cordon.node == node.name);
                self.reader.cordon(name, &node.name, out);
            }
        }
        Ok(())
    }

    /// What verification would say of a transaction now, as JSON.
    ///
    /// # Errors
    /// When the ledger does not answer. Nodes that do not are part of the verdict.
    pub async fn judge(&self, asked: Asked) -> Result<Value, LedgerError> {
        let said = self.said(&asked).await?;
        Ok(self.shown(&asked, &said))
    }

    async fn said(&self, asked: &Asked) -> Result<Said, LedgerError> {
        let known = self.known(asked.tx_hash).await?;
        let event = self.event(asked, &known).await?;
        let plan = Plan { chain: asked.chain.clone(), tx_hash: asked.tx_hash, look: Look::Locate };
        let question = Question { plan: plan.clone(), purpose: Purpose::Payment };
        let mut observations = self.reader.observe(plan).await;
        let (in_force, deny, at) = (self.in_force.now(), self.deny.list(), self.clock.now());
        let rules = Rules {
            source: asked.source.as_deref().and_then(|name| self.config.source(name)),
            verification: &self.config.verification,
            chains: &in_force.chains,
            stopped: &in_force.stopped,
            // What waits is asked about all the same.
            standings: &BTreeMap::new(),
            deny: deny.as_deref(),
        };
        let moment = Moment { now_us: at.as_microsecond(), jitter: 0 };
        asking::complete(&*self.reader, &event, &question, &rules, &mut observations, &moment).await;
        let decision = decide::conclude(&event, &question, &rules, &observations, &moment);
        let holder = match &decision {
            Decision::Confirm(confirmation) => self.holder(&confirmation.slots, &known).await?,
            Decision::Record(_) | Decision::Retract(_) | Decision::Reanchor(_) => None,
        };
        Ok(Said { event, decision, holder, known, at })
    }

    fn shown(&self, asked: &Asked, said: &Said) -> Value {
        let Said { event, decision, holder, known, at } = said;
        let judged = shown::Judged { event, decision, holder: holder.as_ref(), known, at: *at };
        let source = asked.source.as_deref().and_then(|name| self.config.source(name));
        judged.to_json(asked, |message_type| {
            source.map(|source| self.config.destinations_of(source, message_type)).unwrap_or_default()
        })
    }

    /// Stored events that claim the transaction or were proven by it, newest first.
    async fn known(&self, tx_hash: B256) -> Result<Vec<EventView>, LedgerError> {
        let filter = Filter { tx: Some(format!("{tx_hash:#x}")), limit: EVENTS_MAX, ..Filter::default() };
        Ok(self.ledger.events(filter).await?.items)
    }

    /// Which of them holds one of these transfers.
    async fn holder(&self, slots: &[ClaimedSlot], known: &[EventView]) -> Result<Option<EventView>, LedgerError> {
        for view in known.iter().filter(|view| view.payment_id.is_some()) {
            let Some(detail) = self.ledger.event(view.event_id).await? else { continue };
            if detail.claims.iter().any(|claim| slots.iter().any(|slot| slot.key == claim.slot.key)) {
                return Ok(Some(view.clone()));
            }
        }
        Ok(None)
    }

    /// The event that a webhook about this transaction would make.
    async fn event(&self, asked: &Asked, known: &[EventView]) -> Result<DueEvent, LedgerError> {
        let now_us = self.clock.now().as_microsecond();
        let claim = claim(asked, known);
        Ok(DueEvent {
            event_id: EventId(uuid::Uuid::nil()),
            version: 0,
            state: EventState::Verifying,
            code: None,
            facts: self.facts(asked, now_us),
            networks: vec![claim.network.clone()],
            claim: Some(claim),
            recipient_shared: self.shares_recipient(asked).await?,
            expectation: asked.expectation.clone(),
            progress: Progress { first_us: now_us, looks: 0 },
            anchor: None,
            anchor_check: false,
            wait: None,
            sent: false,
            claimed: Vec::new(),
            sender: None,
            accepted: None,
        })
    }

    fn facts(&self, asked: &Asked, now_us: i64) -> EventFacts {
        let source = asked.source.as_deref().and_then(|name| self.config.source(name));
        let realm = asked.expectation.as_ref().map(|stored| stored.terms.realm.clone());
        EventFacts {
            source: source.map(|source| source.name.clone()).unwrap_or_default(),
            realm: realm.or_else(|| source.map(|source| source.realm.clone())).unwrap_or_default(),
            provider: source.map_or(PROVIDER, |source| source.provider.name()).to_owned(),
            provider_type: String::new(),
            provider_event_id: None,
            account: None,
            client_id: None,
            api_version: None,
            livemode: true,
            lane: String::new(),
            origin: Origin::Operator,
            delivery_id: uuid::Uuid::nil(),
            received_us: now_us,
        }
    }

    /// Whether another open expectation could be paid at one of these recipients: direct money is ambiguous then.
    async fn shares_recipient(&self, asked: &Asked) -> Result<bool, LedgerError> {
        let Some(stored) = asked.expectation.as_ref().filter(|stored| stored.terms.rails.contains(&Rail::Direct))
        else {
            return Ok(false);
        };
        for way in &stored.terms.accept {
            for recipient in &way.recipients {
                let sought = Sought::of(&format!("{recipient:#x}"));
                let found = self.ledger.expectations_for(sought, SHARING_MAX).await?;
                if found.iter().any(|other| other.stored.terms.id != stored.terms.id) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// What such a webhook would claim. An expectation that is known by a request alone is bound by the reference that
/// the provider's webhook about it named.
fn claim(asked: &Asked, known: &[EventView]) -> Claim {
    let key = asked.expectation.as_ref().map(|stored| &stored.terms.key);
    let (mut reference, mut request_id, mut objects) = (asked.payment_reference.clone(), None, Vec::new());
    match key {
        Some(ExpectationKey::PaymentReference(own)) => reference = Some(own.clone()),
        Some(ExpectationKey::RequestId(id)) => request_id = Some(id.clone()),
        Some(ExpectationKey::ProviderObject(object)) => objects.push(object.clone()),
        Some(ExpectationKey::Direct) | None => {}
    }
    let is_bound_elsewhere = matches!(key, Some(ExpectationKey::ProviderObject(_) | ExpectationKey::Direct));
    let realm = asked.expectation.as_ref().map(|stored| stored.terms.realm.as_str());
    let fits = |view: &&EventView, claim: &Claim| {
        realm.is_none_or(|realm| realm == view.facts.realm) && (request_id.is_none() || claim.request_id == request_id)
    };
    if reference.is_none() && !is_bound_elsewhere {
        let claims = known.iter().filter_map(|view| view.claim.as_ref().filter(|claim| fits(&view, claim)));
        reference = claims.filter_map(|claim| claim.payment_reference.clone()).next();
    }
    Claim {
        basis: Basis::Reference,
        network: asked.chain.clone(),
        tx_hash: asked.tx_hash.to_string(),
        payment_reference: reference,
        request_id,
        provider_objects: objects,
        amount: None,
        currency: None,
        payer: None,
    }
}

#[cfg(test)]
mod tests;
