//! The stage's loop: take what is due, look at the chains, decide, commit.
//!
//! It keeps nothing that a crash would lose: what is due stays due in the ledger until a verdict is written. Events of
//! one transaction share one look. A slow chain holds up only its own events: looks run side by side, so many at once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use self::commit::{Committer, Done};
use super::asking;
use super::decide::{self, Begun, Question, Rules};
use super::follow::{Follower, Hints};
use super::in_force::{self, InForce};
use super::quorum::{self, Policy, Standing};
use super::schedule::Moment;
use crate::chain::{Plan, Reader};
use crate::clock::Clock;
use crate::config::{ActiveChain, Config};
use crate::ledger::{DueEvent, Ledger};
use crate::model::EventId;
use crate::screening::Current;
use crate::screening::list::DenyList;
use crate::task::{self, Stop, Wakes};
use crate::telemetry::Metrics;

mod commit;

/// Looks in flight at once.
const LOOKS_MAX: usize = 16;
/// Events taken from the ledger at once, beside those in flight.
const BATCH: usize = 64;
/// Wait for a hint when nothing is due.
const IDLE: Duration = Duration::from_millis(500);
/// Between sweeps for expectations whose time is over.
const SWEEP: Duration = Duration::from_secs(5);
/// An event whose verdict could not be written is left alone this long, and so is a ledger that does not answer.
const REST: Duration = Duration::from_secs(1);

/// Stage 3.
pub struct Worker {
    ledger: Arc<dyn Ledger>,
    reader: Arc<dyn Reader>,
    config: Arc<Config>,
    clock: Clock,
    wakes: Wakes,
    committer: Arc<Committer>,
    in_force: InForce,
    deny: Current,
}

/// What a worker works with.
pub struct Parts {
    /// What is known and due.
    pub ledger: Arc<dyn Ledger>,
    /// The chains.
    pub reader: Arc<dyn Reader>,
    /// Providers' bodies, for messages.
    pub evidence: evidence_store::Store,
    /// Sources, destinations, rules.
    pub config: Arc<Config>,
    /// The chains' rules as operators set them.
    pub in_force: InForce,
    /// The deny list in force.
    pub deny: Current,
    /// Time.
    pub clock: Clock,
    /// Instruments.
    pub metrics: Metrics,
    /// Hints between the stages.
    pub wakes: Wakes,
}

/// What judgements of one moment stand on.
struct Ground {
    config: Arc<Config>,
    in_force: Arc<in_force::Rules>,
    standings: BTreeMap<u64, Standing>,
}

/// Events that share one look, with what each asks.
struct Group {
    plan: Plan,
    events: Vec<(DueEvent, Question)>,
}

/// Tells the loop that events are free again, even when the look that held them panics.
struct Release {
    events: HashSet<EventId>,
    tired: HashSet<EventId>,
    to: mpsc::Sender<Released>,
}

struct Released {
    rested: HashSet<EventId>,
    tired: HashSet<EventId>,
}

/// What the loop must not take: in flight, or resting until then.
#[derive(Default)]
struct Busy(HashMap<EventId, Option<Instant>>);

// === impl Worker ===

impl Worker {
    /// A worker; looks at nothing before [`Worker::run`].
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { ledger, reader, evidence, config, in_force, deny, clock, metrics, wakes } = parts;
        let committer = Committer {
            hints: config.chains.values().map(|active| (active.chain.chain_id, Hints::default())).collect(),
            ledger: Arc::clone(&ledger),
            evidence,
            config: Arc::clone(&config),
            clock: clock.clone(),
            metrics,
            wakes: wakes.clone(),
        };
        Self { ledger, reader, config, clock, wakes, committer: Arc::new(committer), in_force, deny }
    }

    /// Runs until stop is said; then verdicts in the middle of being written are finished and looks are dropped.
    pub async fn run(self, mut stop: Stop) {
        let (to, mut released) = mpsc::channel::<Released>(LOOKS_MAX);
        let mut busy = Busy::default();
        let mut in_flight = 0_usize;
        let mut swept = None;
        let followers = self.follow(&stop);
        while !stop.is_set() {
            busy.wake_up(Instant::now());
            self.expire(&mut swept).await;
            let patience = match self.take(&mut busy, &mut in_flight, &to, &stop).await {
                // More of the kind that needs no look may be due behind it.
                Ok(written) if BATCH <= written => Duration::ZERO,
                Ok(_) => IDLE,
                Err(()) => REST,
            };
            tokio::select! {
                Some(done) = released.recv() => {
                    in_flight = in_flight.saturating_sub(1);
                    busy.release(done, Instant::now());
                }
                () = self.wakes.verify.wait(patience) => {}
                () = stop.wait() => {}
            }
        }
        drop(to);
        while released.recv().await.is_some() {}
        for follower in followers {
            drop(follower.await);
        }
    }

    /// One follower a chain.
    fn follow(&self, stop: &Stop) -> Vec<tokio::task::JoinHandle<()>> {
        let follower = |(name, active): (&String, &ActiveChain)| {
            let follower = Follower {
                name: name.clone(),
                chain: active.clone(),
                reader: Arc::clone(&self.reader),
                ledger: Arc::clone(&self.ledger),
                in_force: self.in_force.clone(),
                clock: self.clock.clone(),
                wakes: self.wakes.clone(),
                hints: self.committer.hints.get(&active.chain.chain_id).cloned().unwrap_or_default(),
            };
            task::spawn("verify.follow", follower.run(stop.clone()))
        };
        self.config.chains.iter().map(follower).collect()
    }

    fn ground(&self) -> Ground {
        let in_force = self.in_force.now();
        let standing = |(name, active): (&String, &ActiveChain)| {
            let standing = quorum::standing_of(Policy::of(active), &self.reader.heads(name))?;
            Some((active.chain.chain_id, standing))
        };
        let standings = in_force.chains.iter().filter_map(standing).collect();
        Ground { config: Arc::clone(&self.config), in_force, standings }
    }

    /// Ends expectations whose time is over, now and then.
    async fn expire(&self, swept: &mut Option<Instant>) {
        if swept.is_some_and(|at| at.elapsed() < SWEEP) {
            return;
        }
        *swept = Some(Instant::now());
        match self.ledger.expire_expectations(self.clock.now().as_microsecond()).await {
            Ok(0) => {}
            Ok(expired) => tracing::info!(expired, "expectations passed their deadline"),
            Err(error) => tracing::warn!(%error, "expectations could not be ended"),
        }
    }

    /// Takes what is due, decides what needs no look, and starts looks for the rest. Says how many were decided.
    async fn take(
        &self,
        busy: &mut Busy,
        in_flight: &mut usize,
        to: &mpsc::Sender<Released>,
        stop: &Stop,
    ) -> Result<usize, ()> {
        if LOOKS_MAX <= *in_flight {
            return Ok(0);
        }
        let mut written = 0_usize;
        let limit = BATCH.saturating_add(busy.0.len());
        let due = match self.ledger.due_events(self.clock.now().as_microsecond(), limit).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "due events could not be read");
                return Err(());
            }
        };
        let mut groups: Vec<Group> = Vec::new();
        let (ground, deny) = (Arc::new(self.ground()), self.deny.list());
        for event in due {
            if busy.0.contains_key(&event.event_id) {
                continue;
            }
            match decide::begin(&event, &ground.rules(&event, deny.as_deref()), &self.moment()) {
                Begun::Decided(decision) => {
                    let id = event.event_id;
                    match self.committer.commit(event, decision).await {
                        Done::Written => written = written.saturating_add(1),
                        Done::Rest => drop(busy.0.insert(id, Some(Instant::now() + REST))),
                    }
                }
                Begun::Ask(question) => match groups.iter_mut().find(|group| group.plan == question.plan) {
                    Some(group) => group.events.push((event, *question)),
                    None => groups.push(Group { plan: question.plan.clone(), events: vec![(event, *question)] }),
                },
            }
            if stop.is_set() {
                return Ok(written);
            }
        }
        // What does not fit now is still due next time.
        for group in groups.into_iter().take(LOOKS_MAX.saturating_sub(*in_flight)) {
            *in_flight = in_flight.saturating_add(1);
            busy.0.extend(group.events.iter().map(|(event, _)| (event.event_id, None)));
            self.start(group, Arc::clone(&ground), to.clone(), stop.clone());
        }
        Ok(written)
    }

    fn moment(&self) -> Moment {
        moment(&self.clock)
    }

    fn start(&self, group: Group, ground: Arc<Ground>, to: mpsc::Sender<Released>, mut stop: Stop) {
        let reader = Arc::clone(&self.reader);
        let (committer, clock) = (Arc::clone(&self.committer), self.clock.clone());
        let deny = self.deny.clone();
        let events = group.events.iter().map(|(event, _)| event.event_id).collect();
        let mut release = Release { events, tired: HashSet::new(), to };
        drop(task::spawn("verify.look", async move {
            let mut observations = tokio::select! {
                observations = reader.observe(group.plan) => observations,
                () = stop.wait() => return,
            };
            for (event, question) in group.events {
                // As it is now: a list that changed during the look counts.
                let deny = deny.list();
                let rules = ground.rules(&event, deny.as_deref());
                // The calls are of the transaction, which they share; who is asked about is each one's own.
                observations.oracle = None;
                let now = moment(&clock);
                tokio::select! {
                    () = asking::complete(&*reader, &event, &question, &rules, &mut observations, &now) => {}
                    () = stop.wait() => return,
                }
                let decision = decide::conclude(&event, &question, &rules, &observations, &moment(&clock));
                let id = event.event_id;
                if committer.commit(event, decision).await == Done::Rest {
                    release.tired.insert(id);
                }
            }
        }));
    }
}

impl Ground {
    fn rules<'a>(&'a self, event: &DueEvent, deny: Option<&'a DenyList>) -> Rules<'a> {
        let source = self.config.sources.iter().find(|source| source.name == event.facts.source);
        Rules {
            source,
            verification: &self.config.verification,
            chains: &self.in_force.chains,
            stopped: &self.in_force.stopped,
            standings: &self.standings,
            deny,
        }
    }
}

fn moment(clock: &Clock) -> Moment {
    Moment { now_us: clock.now().as_microsecond(), jitter: rand::random_range(0..=1000) }
}

// === impl Release ===

impl Drop for Release {
    fn drop(&mut self) {
        let tired = std::mem::take(&mut self.tired);
        let rested = self.events.difference(&tired).copied().collect();
        // One place in the channel for every look: it cannot be full, and without a loop nobody needs to know.
        drop(self.to.try_send(Released { rested, tired }));
    }
}

// === impl Busy ===

impl Busy {
    fn release(&mut self, done: Released, now: Instant) {
        for id in done.rested {
            self.0.remove(&id);
        }
        self.0.extend(done.tired.into_iter().map(|id| (id, Some(now + REST))));
    }

    fn wake_up(&mut self, now: Instant) {
        self.0.retain(|_, until| until.is_none_or(|until| now < until));
    }
}

#[cfg(test)]
mod tests;
