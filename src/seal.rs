//! Makes the evidence provable: copies decisions from the ledger into the log, signs checkpoints over it, and publishes
//! them, so that a copy lives outside the machine.
//!
//! Beside the stages, behind none of them: nothing waits for this, and when it cannot work, deliveries are acknowledged and
//! forwarded as before, and `_checkpoint_age_seconds` grows. It must never sign what it has not read back.

use std::sync::Arc;
use std::time::Duration;

use evidence_store::{KeyError, SealKey, Store};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::Seal;
use crate::ledger::Ledger;
use crate::task::{self, Stop};
use crate::telemetry::Metrics;

mod follow;
mod publish;
mod sealer;

use follow::Follower;
use publish::Publisher;
use sealer::Sealer;

/// How long the last checkpoint may take to be published when the process ends.
const PUBLISH_DRAIN_MAX: Duration = Duration::from_secs(5);

/// Why sealing cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The client that posts checkpoints.
    #[error("checkpoints cannot be posted: {0}")]
    Client(reqwest::Error),
}

/// Follower, sealer and publisher.
pub struct Worker {
    follower: Follower,
    sealer: Sealer,
    publisher: Option<Publisher>,
    latest: watch::Receiver<Option<Arc<str>>>,
}

impl Worker {
    /// Builds it; no I/O.
    ///
    /// # Errors
    /// When no client can be built for `publish_url`.
    pub fn new(
        evidence: Store,
        ledger: Arc<dyn Ledger>,
        key: SealKey,
        config: &Seal,
        clock: Clock,
        metrics: Metrics,
    ) -> Result<Self, BuildError> {
        let (notes, latest) = watch::channel(None);
        let publisher = config.publish_url.clone().map(Publisher::new).transpose().map_err(BuildError::Client)?;
        Ok(Self {
            follower: Follower::new(evidence.clone(), ledger),
            sealer: Sealer::new(evidence, key, config, clock, metrics, notes),
            publisher,
            latest,
        })
    }

    /// Works until told to stop; then copies and signs what is there, once more. Stop it when the stages have ended.
    pub async fn run(mut self, stop: Stop) {
        let publishing = self.publisher.map(|publisher| task::spawn("publish", publisher.run(self.latest)));
        tokio::join!(self.follower.run(stop.clone()), self.sealer.run(stop));
        self.follower.catch_up().await;
        self.sealer.seal().await;
        // Nothing more will come: the publisher ends when it has posted the last.
        drop(self.sealer);
        if let Some(publishing) = publishing
            && tokio::time::timeout(PUBLISH_DRAIN_MAX, publishing).await.is_err()
        {
            tracing::warn!("the last checkpoint was not posted; the next one after the restart covers it");
        }
    }
}
