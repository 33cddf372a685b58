//! From a path to a source, with everything about it prepared once.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Semaphore;

use super::alarm::{Alarm, Say};
use super::body;
use super::overload::{self, Overload};
use crate::config;
use crate::provider::{self, Verified, Verifier};
use crate::telemetry::metrics::{DeliveryOutcome, Metrics, Source as SourceLabel, SourceSecret};

/// Appends of one source at once: each source has its own, so that a burst at one leaves the others their slots.
const SLOTS: usize = 1024;

/// Body bytes of one source in memory at once.
const ROOM_BYTES: usize = 64 * 1024 * 1024;

/// A source whose secrets cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("source {source_name}: {error}")]
pub struct BadSource {
    /// The configured name.
    pub source_name: String,
    /// What is wrong and what to do.
    pub error: provider::SecretError,
}

/// Exact paths to sources; no patterns, no case folding, no trailing slash.
pub(super) struct Routes(HashMap<String, Arc<Route>>);

/// A source, ready.
pub(super) struct Route {
    pub(super) source: config::Source,
    pub(super) verifier: Verifier,
    pub(super) slots: Arc<Semaphore>,
    pub(super) room: Arc<Semaphore>,
    pub(super) counters: Counters,
    pub(super) overload: Overload,
    alarm: Alarm,
}

/// The source's instruments, looked up once.
pub(super) struct Counters {
    pub(super) stored: Counter,
    pub(super) repeat: Counter,
    last_verified: Gauge,
    old_secrets: Family<SourceSecret, Counter>,
    provider_retry: Counter,
}

impl Routes {
    pub(super) fn new(sources: &[config::Source], metrics: &Metrics) -> Result<Self, BadSource> {
        sources
            .iter()
            .map(|source| Ok((source.path.clone(), Arc::new(Route::new(source, metrics)?))))
            .collect::<Result<HashMap<_, _>, _>>()
            .map(Self)
    }

    pub(super) fn find(&self, path: &str) -> Option<&Arc<Route>> {
        self.0.get(path)
    }

    /// The route of a source by its name.
    pub(super) fn of(&self, source: &str) -> Option<&Arc<Route>> {
        self.0.values().find(|route| route.source.name == source)
    }
}

impl Route {
    fn new(source: &config::Source, metrics: &Metrics) -> Result<Self, BadSource> {
        let verifier = Verifier::new(source).map_err(|error| BadSource { source_name: source.name.clone(), error })?;
        Ok(Self {
            source: source.clone(),
            verifier,
            slots: Arc::new(Semaphore::new(SLOTS)),
            room: Arc::new(Semaphore::new(ROOM_BYTES / body::ROOM_UNIT)),
            counters: Counters::new(&source.name, metrics),
            overload: Overload::new(),
            alarm: Alarm::new(metrics.source_failures.get_or_create(&SourceLabel::of(&source.name)).clone()),
        })
    }

    /// Whether a delivery that came now would be told to come back.
    pub(super) fn is_overloaded(&self) -> bool {
        overload::slot_wait(self.source.shed).is_zero() && self.slots.available_permits() == 0
    }

    /// A rightly signed delivery came.
    pub(super) fn verified(&self, by: &Verified, headers: &[(Bytes, Bytes)], received: Timestamp) {
        self.counters.verified(&self.source.provider, headers, received);
        let source = self.source.name.as_str();
        if !by.is_newest {
            self.counters.old_secrets.get_or_create(&SourceSecret::of(source, &by.secret_name)).inc();
        }
        if let Say::Recovered(failures) = self.alarm.verified() {
            tracing::info!(source, failures, "a source verifies again");
        }
    }

    /// A wrong signature came.
    pub(super) fn failed(&self, received: Timestamp) {
        if let Say::Fails(failures) = self.alarm.failed(received) {
            tracing::warn!(
                source = self.source.name,
                failures,
                "a source that used to verify fails: a secret was rotated there and not here, or something rewrites                  bodies; `tollgate rejected list` says what would have matched"
            );
        }
    }

    /// It verified before this process began.
    pub(super) fn verified_before(&self, received: Timestamp) {
        self.counters.last_verified.set(received.as_second());
        self.alarm.verified();
    }
}

impl Counters {
    fn new(source: &str, metrics: &Metrics) -> Self {
        let label = SourceLabel::of(source);
        let outcome = |outcome| metrics.deliveries.get_or_create(&DeliveryOutcome::of(source, outcome)).clone();
        Self {
            stored: outcome("stored"),
            repeat: outcome("repeat"),
            last_verified: metrics.source_last_verified.get_or_create(&label).clone(),
            old_secrets: metrics.old_secret_matches.clone(),
            provider_retry: metrics.provider_retry.get_or_create(&label).clone(),
        }
    }

    fn verified(&self, provider: &config::Provider, headers: &[(Bytes, Bytes)], received: Timestamp) {
        self.last_verified.set(received.as_second());
        if provider::retry_count(provider, headers).is_some_and(|retries| retries > 0) {
            self.provider_retry.inc();
        }
    }
}
