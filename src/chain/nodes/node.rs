//! One node as an upstream that is well treated and that we are protected from: what happens to one call to it.
//!
//! Before each call its identity is known, its health allows it, its rate has room and a place in flight is free; after it
//! the health and the metrics know how it ended. It must never judge what an answer means for a payment, and never let a
//! call through that its health refuses.

use std::sync::{Mutex, MutexGuard, PoisonError};

use alloy_primitives::B256;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::health::breaker::Permit;
use super::health::bucket::Purpose;
use super::health::{Ending, FAULT_CORDON, Health, Moment, Refusal, State};
use crate::chain::rpc::{Client, ClientError, Limits, Method, RpcError};
use crate::chain::{METHOD_MISSING, NodeError, REFUSED, TOO_LARGE};
use crate::clock::Clock;
use crate::config::{ActiveChain, Node as Configured};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{self, NodeState as StateLabel, Rpc as RpcLabel};

/// Calls in flight to one node; further ones wait in line.
const NODE_CALLS_MAX: usize = 16;
/// The outcome of a call whose answer nobody waited for: another node's came first, or the gateway stops.
const ABANDONED: &str = "abandoned";

mod identity;

use identity::Identity;

/// See the module.
pub struct Node {
    /// Configured name; stands in votes and metrics.
    pub name: String,
    /// Who runs it.
    pub owner: String,
    /// What kind of node it is, as configured.
    pub tag: Option<String>,
    chain: String,
    chain_id: u64,
    genesis: Option<B256>,
    client: Client,
    limits: Limits,
    clock: Clock,
    calls: Semaphore,
    /// One caller finds out who the node is, others wait for what it finds.
    identifying: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
    metrics: Metrics,
}

struct Known {
    health: Health,
    identity: Identity,
    /// The state that the metric shows.
    shown: Option<State>,
}

/// A call on its way. Dropped before its end, it gives its permit back and says nothing about the node.
struct Call<'a> {
    node: &'a Node,
    method: Method,
    permit: Option<Permit>,
}

// === impl Node ===

impl Node {
    /// A node of a chain; connects on the first call.
    ///
    /// # Errors
    /// When its URL is unusable.
    pub fn new(
        chain: &str,
        active: &ActiveChain,
        configured: &Configured,
        limits: Limits,
        clock: Clock,
        metrics: Metrics,
    ) -> Result<Self, ClientError> {
        let health = Health::new(configured.rate, clock.uptime());
        let node = Self {
            name: configured.name.clone(),
            owner: configured.owner.clone(),
            tag: configured.tag.clone(),
            chain: chain.to_owned(),
            chain_id: active.chain.chain_id,
            genesis: active.chain.genesis,
            client: Client::new(&configured.url, limits)?,
            limits,
            clock,
            calls: Semaphore::new(NODE_CALLS_MAX),
            identifying: tokio::sync::Mutex::new(()),
            known: Mutex::new(Known { health, identity: Identity::default(), shown: None }),
            metrics,
        };
        node.show();
        Ok(node)
    }

    /// One call for a payment that nobody was told of yet. See [`Node::call_for`].
    ///
    /// # Errors
    /// As [`Node::call_for`].
    pub async fn call(&self, method: Method, params: Value) -> Result<Box<RawValue>, NodeError> {
        self.call_for(Purpose::PreForward, method, params).await
    }

    /// One call, after the node has shown that it serves the configured chain. Safe to repeat: no method changes anything.
    ///
    /// # Errors
    /// When the node must not be called now, serves another chain, or brings no whole answer in time.
    pub async fn call_for(&self, purpose: Purpose, method: Method, params: Value) -> Result<Box<RawValue>, NodeError> {
        self.identify().await?;
        self.guarded(purpose, method, params).await
    }

    /// Whether a call would be let through now.
    #[must_use]
    pub fn is_usable(&self, now: Moment) -> bool {
        self.known().health.check(now.uptime).is_ok()
    }

    /// What the node is now, for the API.
    #[must_use]
    pub fn state(&self, now: Moment) -> State {
        self.known().health.state(now.uptime)
    }

    /// Its answer contradicted itself or the question: it is left out for ten minutes, and an operator is told.
    #[must_use]
    pub fn fault(&self, reason: &'static str) -> NodeError {
        let is_new = {
            let (now, mut known) = (self.clock.uptime(), self.known());
            let is_new = known.health.state(now) != State::Cordoned;
            known.health.fault(now);
            is_new
        };
        if is_new {
            let minutes = FAULT_CORDON.as_secs() / 60;
            tracing::error!(
                chain = self.chain,
                node = self.name,
                reason,
                minutes,
                "node cordoned: its answer is faulty"
            );
        }
        self.show();
        NodeError::Fault(reason)
    }

    /// An operator's cordon. Taking it away ends a fault's cordon too. Not durable: whoever keeps it says it at start.
    pub fn set_cordoned(&self, is_cordoned: bool) {
        self.known().health.set_cordoned(is_cordoned);
        self.show();
    }

    /// One call, whoever the node is.
    async fn guarded(&self, purpose: Purpose, method: Method, params: Value) -> Result<Box<RawValue>, NodeError> {
        let refused = |refusal| self.refused(method, refusal);
        let arrived = Instant::now();
        // Each result is bound before it is looked at: a refusal takes the lock again.
        let allowed = self.known().health.check(self.clock.uptime());
        allowed.map_err(refused)?;
        let wait = self.known().health.spend(purpose, method.cost(), self.clock.uptime(), self.limits.deadline);
        let wait = wait.map_err(refused)?;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        // Only now: who waits for the rate must not hold the place of another purpose.
        let left = self.limits.deadline.saturating_sub(arrived.elapsed());
        let Ok(Ok(_place)) = tokio::time::timeout(left, self.calls.acquire()).await else {
            return Err(refused(Refusal::Busy));
        };
        let permit = self.known().health.admit(self.clock.uptime());
        let mut call = Call { node: self, method, permit: Some(permit.map_err(refused)?) };
        self.show();
        let started = Instant::now();
        let answer = self.client.call(method, params).await;
        metrics::observe(&self.metrics.rpc, started.elapsed());
        let outcome = answer.as_ref().err().map_or("ok", |error| error.outcome());
        self.count(method, outcome);
        call.end(ending(method, answer.as_ref().err()));
        answer.map_err(|error| {
            if error.lost_the_connection() {
                self.known().identity.forget();
            }
            tracing::debug!(chain = self.chain, node = self.name, method = method.as_str(), %error, "rpc call failed");
            told(error)
        })
    }

    /// A call that was not made.
    fn refused(&self, method: Method, refusal: Refusal) -> NodeError {
        self.count(method, refusal.outcome());
        self.show();
        match refusal {
            Refusal::Cordoned => NodeError::Unavailable("cordoned"),
            Refusal::WrongChain => NodeError::WrongChain(self.known().identity.other.clone()),
            Refusal::Exhausted | Refusal::Throttled => NodeError::RateLimited,
            Refusal::Open => NodeError::Unavailable("left alone after failures"),
            Refusal::Busy => NodeError::Unavailable("too many calls wait for it"),
        }
    }

    fn count(&self, method: Method, outcome: &str) {
        let label = RpcLabel::of(&self.chain, &self.name, method.as_str(), outcome);
        self.metrics.rpc_requests.get_or_create(&label).inc();
    }

    /// Puts the state into the metric when it is another one. What time alone changes is seen at the next call.
    fn show(&self) {
        let mut known = self.known();
        let state = known.health.state(self.clock.uptime());
        let before = known.shown.replace(state);
        if before == Some(state) {
            return;
        }
        // Under the lock, so that of two changes the later one stays.
        for other in State::ALL {
            let label = StateLabel::of(&self.chain, &self.name, other.as_str());
            self.metrics.node_state.get_or_create(&label).set(i64::from(other == state));
        }
        drop(known);
        if before.is_some() {
            tracing::info!(chain = self.chain, node = self.name, state = state.as_str(), "node changed its state");
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Call ===

impl Call<'_> {
    fn end(&mut self, ending: Ending) {
        if let Some(permit) = self.permit.take() {
            let now = Moment::of(&self.node.clock);
            self.node.known().health.settle(permit, ending, now);
            self.node.show();
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.node.known().health.abandon(permit);
            self.node.count(self.method, ABANDONED);
        }
    }
}

/// What an outcome says about the node. An error to one question, or an answer that is rightly large, is a sign of life.
const fn ending(method: Method, error: Option<&RpcError>) -> Ending {
    match error {
        None | Some(RpcError::MethodMissing | RpcError::Refused(_)) => Ending::Answered,
        Some(RpcError::TooLarge) if method.may_be_large() => Ending::Answered,
        Some(RpcError::RateLimited(asked)) => Ending::Throttled(*asked),
        Some(RpcError::Exhausted) => Ending::Exhausted,
        Some(
            RpcError::Timeout
            | RpcError::Connect
            | RpcError::Io
            | RpcError::Status(_)
            | RpcError::TooLarge
            | RpcError::Malformed,
        ) => Ending::Failed,
    }
}

const fn told(error: RpcError) -> NodeError {
    match error {
        RpcError::RateLimited(_) | RpcError::Exhausted => NodeError::RateLimited,
        RpcError::Malformed => NodeError::Unavailable("not a JSON-RPC answer"),
        RpcError::Timeout => NodeError::Unavailable("deadline passed"),
        RpcError::Connect => NodeError::Unavailable("cannot connect"),
        RpcError::Io => NodeError::Unavailable("connection broke"),
        RpcError::Status(_) => NodeError::Unavailable("unexpected HTTP status"),
        RpcError::TooLarge => TOO_LARGE,
        RpcError::MethodMissing => METHOD_MISSING,
        RpcError::Refused(_) => REFUSED,
    }
}

#[cfg(test)]
mod tests;
