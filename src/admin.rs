//! The admin side: health, metrics, and the HTTP API of operators and the backend.
//!
//! Reads and commands only; no stage runs here. Every answer under `/api/v1` is the contract's envelope, every
//! request there carries a bearer token with a role (`admin::auth`). Loopback unless configured otherwise.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, put};
use evidence_store::Store;
use evidence_store::note::VerifierKey;
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::config::Config;
use crate::jobs::Jobs;
use crate::ledger::Ledger;
use crate::net::Tower;
use crate::retention::Retention;
use crate::task::{Stop, Wakes};
use crate::telemetry::Metrics;
use crate::watermark::Watermarks;

mod attempts;
mod audit;
mod auth;
mod backups;
mod chains;
mod deliveries;
mod envelope;
mod events;
mod evidence;
mod expectations;
mod feed;
mod find;
mod forwarding;
mod handling;
mod health;
mod jobs;
mod keeping;
mod local;
mod lookup;
mod pauses;
mod payments;
mod problem;
mod reconciliation;
mod rejected;
mod status;
mod verification;
mod view;

pub use forwarding::{Forwarding, Tested, Testing, Untested};
pub use verification::{Asked, ChainNow, NodeNow, StandingNow, Submission, Verification};

/// Largest request body: an expectation with its 4 KiB of metadata fits many times.
const BODY_BYTES_MAX: usize = 64 << 10;

/// What the handlers share.
#[derive(Clone)]
pub struct Api(Arc<Shared>);

struct Shared {
    parts: Parts,
    /// Held while refused requests are admitted: one after the other, so that none is admitted twice.
    admitting: Arc<Mutex<()>>,
}

/// The pieces of an [`Api`].
pub struct Parts {
    /// Sources, tokens, chains.
    pub config: Arc<Config>,
    /// What is known and due.
    pub ledger: Arc<dyn Ledger>,
    /// Bytes and headers of deliveries.
    pub evidence: Store,
    /// Time.
    pub clock: Clock,
    /// Instruments.
    pub metrics: Metrics,
    /// A PUT may free events.
    pub wakes: Wakes,
    /// Which sources wait for disk space.
    pub watermarks: Arc<Watermarks>,
    /// Set while the process drains.
    pub draining: Stop,
    /// Long work.
    pub jobs: Jobs,
    /// The chains as they are judged now.
    pub verification: Arc<dyn Verification>,
    /// What may be sent at once; none while a stopped gateway is looked at.
    pub forwarding: Option<Arc<dyn Forwarding>>,
    /// What removes, archives and brings back evidence.
    pub retention: Retention,
    /// Since when this process serves; none while a stopped gateway is looked at.
    pub started_us: Option<i64>,
    /// Verifies checkpoints; none where there is no key to be read.
    pub public_key: Option<VerifierKey>,
}

impl std::ops::Deref for Api {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}

impl Api {
    /// Wraps the parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Shared { parts, admitting: Arc::default() }))
    }

    /// Everything, for the admin listener.
    pub fn router(&self) -> Router {
        let api = Self::chain_routes()
            .route("/deliveries", get(deliveries::list))
            .route("/deliveries/{id}", get(deliveries::show))
            .route("/deliveries/{id}/raw", get(deliveries::raw))
            .route("/rejected", get(rejected::list))
            .route("/rejected/recheck", post(rejected::recheck))
            .route("/rejected/admit", post(rejected::admit))
            .route("/rejected/{id}", get(rejected::show))
            .route("/rejected/{id}/raw", get(rejected::raw))
            .route("/jobs", get(jobs::list).post(jobs::start))
            .route("/jobs/{id}", get(jobs::show))
            .route("/jobs/{id}/cancel", post(jobs::cancel))
            .route("/evidence/checkpoint", get(evidence::checkpoint))
            .route("/evidence/proof/{id}", get(evidence::proof))
            .route("/status", get(status::show))
            .route("/reconciliation", get(reconciliation::show))
            .route("/backups", get(backups::list))
            .route("/forwarding/pause", post(pauses::pause))
            .route("/forwarding/resume", post(pauses::resume))
            .route("/sources/{name}/pause", post(pauses::pause_source))
            .route("/sources/{name}/resume", post(pauses::resume_source))
            .route("/evidence/holds", get(keeping::holds))
            .route("/evidence/hold", post(keeping::hold))
            .route("/evidence/release", post(keeping::release))
            .route("/evidence/erase", post(keeping::erase))
            .route("/audit", get(audit::list))
            .route("/attempts", get(attempts::list))
            .route("/forward/test", post(forwarding::test))
            .route("/feed", get(feed::read))
            .route("/feed/ack", post(feed::acknowledge))
            .route("/find", get(find::find))
            .route("/events", get(events::list))
            .route("/events/{id}", get(events::show))
            .route("/events/{id}/explain", get(handling::explain))
            .route("/events/{id}/{verb}", post(handling::handle))
            .route("/expectations", get(expectations::list))
            .route("/expectations/{id}", put(expectations::put).get(expectations::show).delete(expectations::cancel));
        Router::new()
            .nest("/api/v1", api)
            .merge(Self::open_routes())
            .fallback(problem::not_found)
            .method_not_allowed_fallback(problem::method_not_allowed)
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .layer(from_fn_with_state(self.clone(), envelope::wrap))
            .with_state(self.clone())
    }

    /// What is about chains and the money on them.
    fn chain_routes() -> Router<Self> {
        Router::new()
            .route("/chains", get(chains::list))
            .route("/chains/{name}", get(chains::show))
            .route("/chains/{name}/finality", put(chains::finality).delete(chains::finality))
            .route("/chains/{name}/cordon", post(chains::cordon))
            .route("/chains/{name}/uncordon", post(chains::uncordon))
            .route("/chains/{name}/nodes/{node}/cordon", post(chains::cordon_node))
            .route("/chains/{name}/nodes/{node}/uncordon", post(chains::uncordon_node))
            .route("/payments", get(payments::list))
            .route("/payments/check", post(payments::check))
            .route("/payments/{id}", get(payments::show))
    }

    /// [`Api::router`] for the accept loop.
    pub fn service(&self) -> Tower<Router> {
        Tower::new(self.router(), problem::fault)
    }

    /// [`Api::health_router`] for the accept loop.
    pub fn health_service(&self) -> Tower<Router> {
        Tower::new(self.health_router(), problem::fault)
    }

    /// Health and metrics only, for the telemetry listener: nothing here needs a token or shows data.
    pub fn health_router(&self) -> Router {
        Self::open_routes()
            .fallback(problem::not_found)
            .method_not_allowed_fallback(problem::method_not_allowed)
            .layer(from_fn_with_state(self.clone(), envelope::wrap))
            .with_state(self.clone())
    }

    fn open_routes() -> Router<Self> {
        Router::new()
            .route("/healthz", get(health::healthz))
            .route("/readyz", get(health::readyz))
            .route("/metrics", get(health::metrics))
    }
}
