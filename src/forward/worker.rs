//! The moving part: one dispatcher a destination, each with its own slots, lanes and pace, so that a backend that is
//! down holds up no other.
//!
//! Nothing that a crash would lose is kept here: an attempt's intent is on record before a byte leaves, its result
//! before the next one starts, and attempts that a crash left open are made due again at start.

mod attempt;
mod dispatch;
mod others;
mod pace;
mod trial;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::breaker::Outages;
use super::client::{Client, ClientError};
use super::schedule::Policy;
use super::signing::Signer;
use crate::clock::Clock;
use crate::config::{Config, Destination};
use crate::ledger::{Ledger, LedgerError};
use crate::task::{self, Stop, Wake, Wakes};
use crate::telemetry::Metrics;
use dispatch::Dispatch;
use others::Others;

pub use trial::{NoTrial, Trial, Trials};

/// First and longest wait before a ledger that failed is asked again.
const LEDGER_PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Stands for "until something happens".
const LONG: Duration = Duration::from_secs(3600);

/// A destination that cannot be served as configured.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Its URL or the HTTP client.
    #[error("forward destination {destination:?}: {source}")]
    Client {
        /// Its name.
        destination: String,
        /// Why.
        source: ClientError,
    },
    /// Its signing keys.
    #[error("forward destination {destination:?}: {why}; make a key with `tollgate secret generate`")]
    Secret {
        /// Its name.
        destination: String,
        /// Why, without the key.
        why: String,
    },
}

/// Everything an attempt at one destination needs.
struct Line {
    name: String,
    ledger: Arc<dyn Ledger>,
    clock: Clock,
    metrics: Metrics,
    wakes: Wakes,
    client: Client,
    signer: Signer,
    policy: Policy,
    accept: Vec<u16>,
    anchor_age_us: i64,
    others: Others,
    /// When it was left alone.
    outages: Mutex<Outages>,
}

impl Line {
    fn outages(&self) -> MutexGuard<'_, Outages> {
        self.outages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stage 4, all destinations.
pub struct Worker {
    ledger: Arc<dyn Ledger>,
    clock: Clock,
    wakes: Wakes,
    lines: Vec<(Arc<Line>, Destination)>,
}

impl Worker {
    /// Builds clients and keys for every destination that has a URL; one without is pulled by the backend.
    ///
    /// # Errors
    /// [`BuildError`] names the destination and what to change.
    pub fn new(
        ledger: Arc<dyn Ledger>,
        config: &Arc<Config>,
        clock: Clock,
        metrics: &Metrics,
        wakes: Wakes,
    ) -> Result<Self, BuildError> {
        let anchor_age_us = i64::try_from(config.anchor_age().as_micros()).unwrap_or(i64::MAX);
        let mut lines = Vec::new();
        for destination in config.destinations.values() {
            let Some(url) = &destination.url else { continue };
            let name = destination.name.clone();
            let client = Client::new(url, destination)
                .map_err(|source| BuildError::Client { destination: name.clone(), source })?;
            let signer = Signer::new(&destination.secrets)
                .map_err(|why| BuildError::Secret { destination: name.clone(), why })?;
            let line = Line {
                name,
                ledger: Arc::clone(&ledger),
                clock: clock.clone(),
                metrics: metrics.clone(),
                wakes: wakes.clone(),
                client,
                signer,
                policy: Policy::of(destination),
                accept: destination.accept.clone(),
                anchor_age_us,
                others: Others::default(),
                outages: Mutex::default(),
            };
            lines.push((Arc::new(line), destination.clone()));
        }
        Ok(Self { ledger, clock, wakes, lines })
    }

    /// What operators may have sent to each destination at once.
    #[must_use]
    pub fn trials(&self) -> Trials {
        Trials::of(self.lines.iter().map(|(line, _)| line))
    }

    /// Works until stop is said, then lets what is in flight finish. A panic of a dispatcher ends this too, with that
    /// panic: a gateway that quietly stopped forwarding would be worse than one that restarts.
    pub async fn run(self, mut stop: Stop) {
        if !self.take_up(&mut stop).await {
            return;
        }
        let (running, mut ended) = mpsc::channel(1);
        let (mut wakes, mut handles) = (Vec::new(), Vec::new());
        for (index, (line, destination)) in self.lines.into_iter().enumerate() {
            tracing::info!(destination = line.name, to = line.client.shown(), "forwarding");
            let wake = Wake::default();
            let dispatch = Dispatch::new(line, &destination, wake.clone());
            let (stop, running) = (stop.clone(), Ended { index, tell: running.clone() });
            handles.push(task::spawn("forward", async move {
                let _running = running;
                dispatch.run(stop).await;
            }));
            wakes.push(wake);
        }
        loop {
            tokio::select! {
                () = stop.wait() => break,
                // Only a panic ends one before stop is said: wait for that one first.
                Some(index) = ended.recv() => {
                    handles.rotate_left(index);
                    break;
                }
                // One hint reaches one waiter, so it is handed to each destination here.
                () = self.wakes.forward.wait(LONG) => wakes.iter().for_each(Wake::wake),
            }
        }
        join(handles).await;
    }

    /// Remembers outages, and makes attempts that a crash left open due again; says how many.
    async fn recover(&self) -> Result<u64, LedgerError> {
        let now_us = self.clock.now().as_microsecond();
        for (line, _) in &self.lines {
            let kept = self.ledger.outages(&line.name).await?;
            let outages = Outages::kept(&kept, now_us);
            if kept.iter().any(|outage| outage.ended_us.is_none()) {
                self.ledger.put_outages(&line.name, outages.to_keep()).await?;
            }
            *line.outages() = outages;
        }
        self.ledger.recover_attempts(now_us).await
    }

    /// Takes up what an earlier life left. False when stop came first.
    async fn take_up(&self, stop: &mut Stop) -> bool {
        let mut pause = LEDGER_PAUSE.0;
        loop {
            match self.recover().await {
                Ok(0) => return true,
                Ok(open) => {
                    tracing::warn!(open, "attempts were open when the process ended; their messages are sent again");
                    return true;
                }
                Err(error) => tracing::warn!(%error, "forwarding waits for the ledger"),
            }
            tokio::select! {
                () = stop.wait() => return false,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LEDGER_PAUSE.1),
            }
        }
    }
}

/// Tells the worker, by being dropped, that a dispatcher is over.
struct Ended {
    index: usize,
    tell: mpsc::Sender<usize>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        if self.tell.try_send(self.index).is_err() {
            tracing::trace!("another dispatcher has said so already, or nobody listens any more");
        }
    }
}

/// Waits for tasks and goes on with the panic of one that panicked.
async fn join(handles: Vec<JoinHandle<()>>) {
    for handle in handles {
        if let Err(error) = handle.await
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
}
