//! Every metric of the contract, in one registry that is passed by value: no globals.
//!
//! Labels come from closed sets or configured names, never from a request.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

macro_rules! labels {
    ($($name:ident { $($field:ident),+ })*) => {
        $(
            #[doc = "Labels; the field names are the label names."]
            #[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
            pub struct $name { $(#[doc = "Label value."] pub $field: String,)+ }

            impl $name {
                #[doc = "From values."]
                #[must_use]
                pub fn of($($field: &str),+) -> Self {
                    Self { $($field: $field.to_owned(),)+ }
                }
            }
        )*
    };
}

labels! {
    DeliveryOutcome { source, outcome }
    SourceCode { source, code }
    State { state }
    Destination { destination }
    DestinationOutcome { destination, outcome }
    Source { source }
    SourceSecret { source, secret }
    Rpc { chain, node, method, outcome }
    Node { chain, node }
    NodeState { chain, node, state }
    Chain { chain }
    Build { version }
}

/// A gauge of fractional seconds.
pub type Seconds = Gauge<f64, AtomicU64>;

/// All instruments. Cloning shares them.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

/// The instruments by name.
pub struct Inner {
    registry: Registry,
    /// `_deliveries_total{source,outcome}`: `stored`, `repeat`.
    pub deliveries: Family<DeliveryOutcome, Counter>,
    /// `_rejected_total{source,code}`
    pub rejected: Family<SourceCode, Counter>,
    /// `_unrouted_requests_total`
    pub unrouted: Counter,
    /// `_ack_duration_seconds`: headers read to answer written.
    pub ack: Histogram,
    /// `_fsync_duration_seconds`
    pub fsync: Histogram,
    /// `_batch_deliveries`
    pub batch: Histogram,
    /// `_intake_lag_deliveries`
    pub intake_lag: Gauge,
    /// `_events{state}`
    pub events: Family<State, Gauge>,
    /// `_verdicts_total{source,code}`
    pub verdicts: Family<SourceCode, Counter>,
    /// `_oldest_unforwarded_seconds`
    pub oldest_unforwarded: Seconds,
    /// `_oldest_held_seconds`
    pub oldest_held: Seconds,
    /// `_outbox_due{destination}`
    pub outbox_due: Family<Destination, Gauge>,
    /// `_forward_attempts_total{destination,outcome}`
    pub forward_attempts: Family<DestinationOutcome, Counter>,
    /// `_forward_duration_seconds`
    pub forward: Histogram,
    /// `_forward_breaker_open{destination}`: 1 while nothing but probes is sent there.
    pub forward_breaker_open: Family<Destination, Gauge>,
    /// `_destination_paused{destination}`: 1 while an operator, or a 410, holds what goes there.
    pub destination_paused: Family<Destination, Gauge>,
    /// `_source_last_verified_timestamp_seconds{source}`
    pub source_last_verified: Family<Source, Gauge>,
    /// `_source_signature_failures_since_verified{source}`
    pub source_failures: Family<Source, Gauge>,
    /// `_old_secret_matches_total{source,secret}`
    pub old_secret_matches: Family<SourceSecret, Counter>,
    /// `_provider_retry_total{source}`
    pub provider_retry: Family<Source, Counter>,
    /// `_rpc_requests_total{chain,node,method,outcome}`: `ok`, the words of `RpcError`, and for calls that were not made those
    /// of `Refusal`; `abandoned` when nobody waited for the answer.
    pub rpc_requests: Family<Rpc, Counter>,
    /// `_rpc_duration_seconds`
    pub rpc: Histogram,
    /// `_node_head_lag_blocks{chain,node}`
    pub node_head_lag: Family<Node, Gauge>,
    /// `_node_state{chain,node,state}`: 1 for the state that the node is in, 0 for the others.
    pub node_state: Family<NodeState, Gauge>,
    /// `_finalized_age_seconds{chain}`
    pub finalized_age: Family<Chain, Gauge>,
    /// `_scan_height{chain}`
    pub scan_height: Family<Chain, Gauge>,
    /// `_scan_lag_blocks{chain}`
    pub scan_lag: Family<Chain, Gauge>,
    /// `_scanned_payments_total{chain}`
    pub scanned_payments: Family<Chain, Counter>,
    /// `_forwarding_paused`: 1 while nothing is sent at all.
    pub forwarding_paused: Gauge,
    /// `_source_paused{source}`: 1 while nothing is sent about the source.
    pub source_paused: Family<Source, Gauge>,
    /// `_backup_last_success_timestamp_seconds`
    pub backup_last_success: Gauge,
    /// `_disk_free_bytes`
    pub disk_free: Gauge,
    /// `_checkpoint_age_seconds`
    pub checkpoint_age: Seconds,
    /// `_evidence_bytes`
    pub evidence_bytes: Gauge,
    /// `_disk_low`
    pub disk_low: Gauge,
    /// `_disk_shedding{source}`
    pub disk_shedding: Family<Source, Gauge>,
    /// `_pruned_deliveries_total{source}`
    pub pruned_deliveries: Family<Source, Counter>,
    /// `_pruned_bytes_total{source}`
    pub pruned_bytes: Family<Source, Counter>,
    /// `_archived_deliveries_total{source}`
    pub archived_deliveries: Family<Source, Counter>,
    /// `_retention_failures_total`
    pub retention_failures: Counter,
    /// `_denylist_age_seconds`: the oldest deny file.
    pub denylist_age: Seconds,
    /// `_denylist_refused`: 1 while a deny file on disk is not the one in force.
    pub denylist_refused: Gauge,
}

impl std::ops::Deref for Metrics {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Registers every instrument once.
    #[must_use]
    pub fn new() -> Self {
        let seconds = || Histogram::new(exponential_buckets(0.000_1, 2.0, 18));
        let mut inner = Inner {
            registry: Registry::with_prefix("tollgate"),
            deliveries: Family::default(),
            rejected: Family::default(),
            unrouted: Counter::default(),
            ack: seconds(),
            fsync: seconds(),
            batch: Histogram::new(exponential_buckets(1.0, 2.0, 12)),
            intake_lag: Gauge::default(),
            events: Family::default(),
            verdicts: Family::default(),
            oldest_unforwarded: Gauge::default(),
            oldest_held: Gauge::default(),
            outbox_due: Family::default(),
            forward_attempts: Family::default(),
            forward: seconds(),
            forward_breaker_open: Family::default(),
            destination_paused: Family::default(),
            source_last_verified: Family::default(),
            source_failures: Family::default(),
            old_secret_matches: Family::default(),
            provider_retry: Family::default(),
            rpc_requests: Family::default(),
            rpc: seconds(),
            node_head_lag: Family::default(),
            node_state: Family::default(),
            finalized_age: Family::default(),
            scan_height: Family::default(),
            scan_lag: Family::default(),
            scanned_payments: Family::default(),
            forwarding_paused: Gauge::default(),
            source_paused: Family::default(),
            backup_last_success: Gauge::default(),
            disk_free: Gauge::default(),
            checkpoint_age: Gauge::default(),
            evidence_bytes: Gauge::default(),
            disk_low: Gauge::default(),
            disk_shedding: Family::default(),
            pruned_deliveries: Family::default(),
            pruned_bytes: Family::default(),
            archived_deliveries: Family::default(),
            retention_failures: Counter::default(),
            denylist_age: Gauge::default(),
            denylist_refused: Gauge::default(),
        };
        inner.register();
        Self(Arc::new(inner))
    }

    /// The exposition in OpenMetrics text.
    ///
    /// # Errors
    /// Only when formatting into memory fails.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Inner {
    /// Deliveries of a source that were archived.
    pub fn archived(&self, source: &str) -> Counter {
        self.archived_deliveries.get_or_create(&Source::of(source)).clone()
    }

    /// So many deliveries of a source with so many bytes left the log.
    pub fn pruned(&self, source: &str, deliveries: u64, bytes: u64) {
        self.pruned_deliveries.get_or_create(&Source::of(source)).inc_by(deliveries);
        self.pruned_bytes.get_or_create(&Source::of(source)).inc_by(bytes);
    }

    fn register(&mut self) {
        let build = Family::<Build, Gauge>::default();
        build.get_or_create(&Build::of(env!("CARGO_PKG_VERSION"))).set(1);
        let r = &mut self.registry;
        r.register("build_info", "What runs", build);
        r.register("deliveries", "Deliveries acknowledged", self.deliveries.clone());
        r.register("rejected", "Requests refused", self.rejected.clone());
        r.register("unrouted_requests", "Requests to no source's path", self.unrouted.clone());
        r.register_with_unit("ack_duration", "Headers read to answer", Unit::Seconds, self.ack.clone());
        r.register_with_unit("fsync_duration", "One synced write of the log", Unit::Seconds, self.fsync.clone());
        r.register("batch_deliveries", "Deliveries in one synced write", self.batch.clone());
        r.register("intake_lag_deliveries", "Stored and not yet taken in", self.intake_lag.clone());
        r.register("events", "Events by state", self.events.clone());
        r.register("verdicts", "Verdicts by outcome code", self.verdicts.clone());
        r.register_with_unit(
            "oldest_unforwarded",
            "Age of the oldest undelivered message",
            Unit::Seconds,
            self.oldest_unforwarded.clone(),
        );
        r.register_with_unit("oldest_held", "Age of the oldest held event", Unit::Seconds, self.oldest_held.clone());
        r.register("outbox_due", "Messages not yet delivered", self.outbox_due.clone());
        r.register("forward_attempts", "Attempts to forward", self.forward_attempts.clone());
        r.register_with_unit("forward_duration", "One attempt to forward", Unit::Seconds, self.forward.clone());
        r.register("forward_breaker_open", "Nothing but probes is sent", self.forward_breaker_open.clone());
        r.register("destination_paused", "Nothing is sent to it", self.destination_paused.clone());
        r.register_with_unit(
            "source_last_verified_timestamp",
            "Last rightly signed delivery",
            Unit::Seconds,
            self.source_last_verified.clone(),
        );
        r.register(
            "source_signature_failures_since_verified",
            "Wrong signatures in a row at a source that used to verify",
            self.source_failures.clone(),
        );
        r.register(
            "old_secret_matches",
            "Deliveries signed with a live secret that is not the newest",
            self.old_secret_matches.clone(),
        );
        r.register("provider_retry", "Deliveries that were a provider's retry", self.provider_retry.clone());
        r.register("forwarding_paused", "Nothing is sent", self.forwarding_paused.clone());
        r.register("source_paused", "Nothing is sent about a source", self.source_paused.clone());
        r.register_with_unit(
            "backup_last_success_timestamp",
            "Last backup that was whole",
            Unit::Seconds,
            self.backup_last_success.clone(),
        );
        r.register_with_unit("disk_free", "Free space under the log", Unit::Bytes, self.disk_free.clone());
        r.register_with_unit(
            "checkpoint_age",
            "How long the oldest record without a checkpoint waits",
            Unit::Seconds,
            self.checkpoint_age.clone(),
        );
        r.register_with_unit("evidence", "Size of the log", Unit::Bytes, self.evidence_bytes.clone());
        r.register("disk_low", "1 while free space is below the warning mark", self.disk_low.clone());
        r.register("disk_shedding", "1 while the source waits for disk space", self.disk_shedding.clone());
        r.register("pruned_deliveries", "Deliveries that left the log", self.pruned_deliveries.clone());
        r.register("pruned_bytes", "Bytes of bodies and headers that left the log", self.pruned_bytes.clone());
        r.register("archived_deliveries", "Deliveries that were archived", self.archived_deliveries.clone());
        r.register("retention_failures", "Runs of retention that ended early", self.retention_failures.clone());
        r.register_with_unit("denylist_age", "Age of the oldest deny file", Unit::Seconds, self.denylist_age.clone());
        r.register("denylist_refused", "1 while a deny file is refused", self.denylist_refused.clone());
        self.register_chains();
    }

    fn register_chains(&mut self) {
        let r = &mut self.registry;
        r.register("rpc_requests", "JSON-RPC calls", self.rpc_requests.clone());
        r.register_with_unit("rpc_duration", "One JSON-RPC call", Unit::Seconds, self.rpc.clone());
        r.register("node_head_lag_blocks", "Blocks behind the highest head", self.node_head_lag.clone());
        r.register("node_state", "1 for the state that the node is in", self.node_state.clone());
        r.register_with_unit("finalized_age", "Age of the finalized block", Unit::Seconds, self.finalized_age.clone());
        r.register("scan_height", "Searched for money up to this block", self.scan_height.clone());
        r.register("scan_lag_blocks", "Final blocks not searched yet", self.scan_lag.clone());
        r.register("scanned_payments", "Money that no webhook announced", self.scanned_payments.clone());
    }
}

/// Observes a duration in seconds.
pub fn observe(histogram: &Histogram, took: Duration) {
    histogram.observe(took.as_secs_f64());
}
