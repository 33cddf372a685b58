//! The composition root: builds the gateway in flow order, runs it, drains it in flow order.
//!
//! Nothing is decided here. The log is opened first and closed last: an acked delivery must outlive everything else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use evidence_store::note::VerifierKey;
use evidence_store::{KeyError, Store};
use tokio::task::JoinHandle;

use crate::admin::{self, Api};
use crate::chain::nodes::Nodes;
use crate::clock::Clock;
use crate::config::Config;
use crate::ingress::{Ingress, Public};
use crate::intake::{self, IntakeError};
use crate::jobs::Jobs;
use crate::ledger::sqlite::Sqlite;
use crate::ledger::{Cursor, IntakeBatch, Ledger, LedgerError};
use crate::net::{self, Listener};
use crate::retention::Retention;
use crate::task::{self, Behind, Stop, StopSwitch, Wakes};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::observe;
use crate::verify::by_hand::ByHand;
use crate::verify::in_force::InForce;
use crate::watermark::Watermarks;
use crate::{backup, forward, reconcile, replay, screening, seal, verify};

mod by_hand;
mod error;
mod forwarding;

pub use error::{RunError, StartError};

/// Between looks at a folder that another process holds.
const LOCK_POLL: Duration = Duration::from_millis(200);
/// How long jobs may take to come to a safe place.
const JOBS_DRAIN_MAX: Duration = Duration::from_secs(10);
/// How long the stages behind the log may take to finish what they hold.
const STAGES_DRAIN_MAX: Duration = Duration::from_secs(30);

/// A gateway that is built and listens, and serves once [`App::run`] is called.
pub struct App {
    behind: Behind,
    config: Arc<Config>,
    clock: Clock,
    metrics: Metrics,
    wakes: Wakes,
    evidence: Store,
    ledger: Arc<dyn Ledger>,
    /// Where the ledger stands in the log.
    cursor: Cursor,
    watermarks: Arc<Watermarks>,
    ingress: Arc<Ingress>,
    nodes: Arc<Nodes>,
    in_force: InForce,
    screening: screening::Screening,
    by_hand: Arc<ByHand>,
    forward: forward::Worker,
    seal: seal::Worker,
    /// Verifies checkpoints.
    public_key: Option<VerifierKey>,
    public: Listener,
    admin: Listener,
    telemetry: Option<Listener>,
}

impl App {
    /// Opens the stores, builds every stage, binds the listeners. `lock_wait` is how long to wait for another process
    /// to let go of the data folder.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn build(config: Config, clock: Clock, lock_wait: Duration) -> Result<Self, StartError> {
        let behind = Behind::new().map_err(StartError::Threads)?;
        let config = Arc::new(config);
        let metrics = Metrics::new();
        let wakes = Wakes::default();
        let evidence = open_evidence(&config, &metrics, lock_wait).await?;
        let (ledger, cursor) = open_ledger(&config, &clock, &evidence).await?;
        tell_pauses(&*ledger).await?;
        note_last_backup(&config, &metrics).await;
        let watermarks = Watermarks::new(&config, &metrics);
        let ingress = Ingress::new(
            Arc::clone(&config),
            evidence.clone(),
            clock.clone(),
            metrics.clone(),
            Arc::clone(&watermarks),
        )?;
        let recalls = Arc::clone(&ingress);
        if task::spawn_blocking(move || recalls.recall()).await.is_err() {
            tracing::warn!("could not look back for the sources that verified before");
        }
        let nodes = Arc::new(Nodes::new(&config.chains, &clock, &metrics)?);
        let in_force = InForce::new(&config.chains);
        let screening = screening::open(&config.verification.screening, clock.clone(), metrics.clone()).await?;
        let (reader, rules, deny) = (Arc::clone(&nodes), in_force.clone(), screening.current());
        let by_hand = ByHand::new(Arc::clone(&ledger), reader, Arc::clone(&config), rules, deny, clock.clone());
        by_hand.put_in_force().await?;
        let forward = forward::Worker::new(Arc::clone(&ledger), &config, clock.clone(), &metrics, wakes.clone())?;
        let (seal, public_key) = sealing(&config, &clock, &metrics, &evidence, &ledger).await?;
        let public = Listener::bind(config.ingress.listen)?;
        let admin = Listener::bind(config.admin.listen)?;
        let telemetry = config.telemetry.listen.map(Listener::bind).transpose()?;
        Ok(Self {
            behind,
            config,
            clock,
            metrics,
            wakes,
            evidence,
            ledger,
            cursor,
            watermarks,
            ingress,
            nodes,
            in_force,
            screening,
            by_hand: Arc::new(by_hand),
            forward,
            seal,
            public_key,
            public,
            admin,
            telemetry,
        })
    }

    /// Where providers post.
    #[must_use]
    pub fn public_address(&self) -> SocketAddr {
        self.public.local_addr()
    }

    fn retention(&self) -> Retention {
        let (ledger, config) = (Arc::clone(&self.ledger), Arc::clone(&self.config));
        Retention::new(self.evidence.clone(), ledger, config, self.clock.clone(), self.metrics.clone())
    }

    fn reconcile(&self) -> reconcile::Worker {
        let (ledger, config) = (Arc::clone(&self.ledger), Arc::clone(&self.config));
        let (in_force, clock) = (self.in_force.clone(), self.clock.clone());
        let nodes: Arc<Nodes> = Arc::clone(&self.nodes);
        reconcile::Worker::new(ledger, nodes, config, in_force, clock, self.metrics.clone(), self.wakes.clone())
    }

    fn verify(&self) -> verify::Worker {
        let reader: Arc<Nodes> = Arc::clone(&self.nodes);
        verify::Worker::new(verify::worker::Parts {
            ledger: Arc::clone(&self.ledger),
            reader,
            evidence: self.evidence.clone(),
            config: Arc::clone(&self.config),
            in_force: self.in_force.clone(),
            deny: self.screening.current(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            wakes: self.wakes.clone(),
        })
    }

    fn replay(&self) -> replay::Worker {
        let judge: Arc<ByHand> = Arc::clone(&self.by_hand);
        replay::Worker::new(replay::Parts {
            ledger: Arc::clone(&self.ledger),
            judge,
            clock: self.clock.clone(),
            wakes: self.wakes.clone(),
        })
    }

    /// Where operators and the backend call.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.local_addr()
    }

    /// Serves until `stop`, then drains in flow order.
    ///
    /// # Errors
    /// When the log is poisoned, or a stage cannot go on. What was acked is on disk in every case.
    pub async fn run(self, mut stop: Stop) -> Result<(), RunError> {
        let evidence = self.evidence.clone();
        let (delay, grace) = (self.config.shutdown.delay, self.config.shutdown.grace);
        let mut running = Running::start(self);
        let ended = tokio::select! {
            () = stop.wait() => Ok(()),
            why = evidence.poisoned() => Err(RunError::Poisoned(why)),
            ended = &mut running.intake => Err(intake_ended(ended)),
            _ = &mut running.verify => Err(RunError::Ended("verification")),
            _ = &mut running.forward => Err(RunError::Ended("forwarding")),
        };
        match &ended {
            Ok(()) => {
                tracing::info!(delay_s = delay.as_secs(), "stopping: not ready any more, still accepting");
                running.draining.stop();
                tokio::time::sleep(delay).await;
            }
            Err(error) => {
                tracing::error!(%error, "stopping");
                running.draining.stop();
            }
        }
        running.drain(grace, ended.is_ok()).await;
        let closing = task::spawn_blocking(move || evidence.close());
        if closing.await.is_err() {
            tracing::error!("closing the evidence log failed; everything acknowledged was fsynced before");
        }
        tracing::info!("stopped");
        ended
    }
}

/// The listeners beside the flow: operators and the backend, and health for whoever may not see more.
fn listen_beside(
    admin: Listener,
    telemetry: Option<Listener>,
    api: &Api,
    stops: &Stop,
    grace: Duration,
) -> Vec<JoinHandle<net::Drained>> {
    let serve = net::serve(admin, net::Limits::admin(), api.service(), stops.clone(), grace);
    let mut side = vec![task::spawn("admin", serve)];
    if let Some(listener) = telemetry {
        let serve = net::serve(listener, net::Limits::admin(), api.health_service(), stops.clone(), grace);
        side.push(task::spawn("telemetry", serve));
    }
    side
}

/// The stages at work, each with its own switch so that they end in flow order.
struct Running {
    /// Where those behind the ack run.
    _behind: Behind,
    draining: StopSwitch,
    public: (StopSwitch, JoinHandle<net::Drained>),
    intake_stop: StopSwitch,
    intake: JoinHandle<Result<(), IntakeError>>,
    verify_stop: StopSwitch,
    verify: JoinHandle<()>,
    reconcile: (StopSwitch, JoinHandle<()>),
    forward_stop: StopSwitch,
    forward: JoinHandle<()>,
    replay: (StopSwitch, JoinHandle<()>),
    seal: (StopSwitch, JoinHandle<()>),
    jobs: Jobs,
    admin: (StopSwitch, Vec<JoinHandle<net::Drained>>),
}

impl Running {
    fn start(app: App) -> Self {
        let (draining, drains) = task::stop();
        let (grace, jobs) = (app.config.shutdown.grace, Jobs::new(app.clock.clone()));
        let (retention, reconcile, replay) = (app.retention(), app.reconcile(), app.replay());
        let verify = app.verify();
        let api = Api::new(admin::Parts {
            retention: retention.clone(),
            config: Arc::clone(&app.config),
            ledger: Arc::clone(&app.ledger),
            evidence: app.evidence.clone(),
            clock: app.clock.clone(),
            metrics: app.metrics.clone(),
            wakes: app.wakes.clone(),
            watermarks: Arc::clone(&app.watermarks),
            draining: drains,
            jobs: jobs.clone(),
            verification: app.by_hand,
            forwarding: Some(Arc::new(app.forward.trials())),
            started_us: Some(app.clock.now().as_microsecond()),
            public_key: app.public_key,
        });
        let (admin_stop, admin_stops) = task::stop();
        let disk = app.evidence.clone();
        task::spawn("watermarks", app.watermarks.follow(move || disk.disk_free(), admin_stops.clone()));
        app.behind.spawn("retention", retention.follow(jobs.clone(), admin_stops.clone()));
        let side = listen_beside(app.admin, app.telemetry, &api, &admin_stops, grace);
        let seal = switched(&app.behind, "seal", |stops| app.seal.run(stops));
        let (forward_stop, forward) = switched(&app.behind, "forward", |stops| app.forward.run(stops));
        app.behind.spawn("screening", app.screening.follow(screening::POLL, admin_stops));
        let (verify_stop, verify) = switched(&app.behind, "verify", |stops| verify.run(stops));
        let reconcile = switched(&app.behind, "reconcile", |stops| reconcile.run(stops));
        let intake = intake::Worker::new(
            app.evidence,
            app.ledger,
            app.cursor,
            Arc::clone(&app.config),
            app.clock,
            app.metrics,
            app.wakes,
        );
        let (intake_stop, intake) = switched(&app.behind, "intake", |stops| intake.run(stops));
        let (public_stop, stops) = task::stop();
        let limits = net::Limits::ingress(&app.config.ingress);
        let public = task::spawn("ingress", net::serve(app.public, limits, Public(app.ingress), stops, grace));
        Self {
            draining,
            public: (public_stop, public),
            intake_stop,
            intake,
            verify_stop,
            verify,
            reconcile,
            forward_stop,
            forward,
            replay: switched(&app.behind, "replay", |stops| replay.run(stops)),
            seal,
            jobs,
            admin: (admin_stop, side),
            _behind: app.behind,
        }
    }

    /// Ends the stages in flow order. After a failure the stages behind the log are not waited for: what they hold is
    /// on disk, and the next start finds it.
    async fn drain(self, grace: Duration, orderly: bool) {
        self.public.0.stop();
        let drained = self.public.1.await;
        if let Ok(drained) = drained {
            tracing::info!(aborted = drained.aborted, grace_s = grace.as_secs(), "ingress drained");
        }
        self.intake_stop.stop();
        self.verify_stop.stop();
        self.reconcile.0.stop();
        self.forward_stop.stop();
        self.replay.0.stop();
        if orderly {
            let stages = async {
                drop(self.intake.await);
                drop(self.verify.await);
                drop(self.reconcile.1.await);
                drop(self.forward.await);
                drop(self.replay.1.await);
            };
            if tokio::time::timeout(STAGES_DRAIN_MAX, stages).await.is_err() {
                tracing::warn!("stages were still busy; what they hold is on disk and is found at the next start");
            }
        }
        if !self.jobs.close(JOBS_DRAIN_MAX).await {
            tracing::warn!("a job was still at work; start it again after the restart");
        }
        // After the stages, so that what they decided last is signed too.
        self.seal.0.stop();
        if orderly && tokio::time::timeout(STAGES_DRAIN_MAX, self.seal.1).await.is_err() {
            tracing::warn!("the last checkpoint was not signed; the first after the restart covers it");
        }
        self.admin.0.stop();
        for listener in self.admin.1 {
            drop(listener.await);
        }
    }
}

/// A stage at work, with a switch of its own.
fn switched<F>(behind: &Behind, name: &'static str, run: impl FnOnce(Stop) -> F) -> (StopSwitch, JoinHandle<F::Output>)
where
    F: Future<Output: Send> + Send + 'static,
{
    let (switch, stops) = task::stop();
    (switch, behind.spawn(name, run(stops)))
}

fn intake_ended(ended: Result<Result<(), IntakeError>, tokio::task::JoinError>) -> RunError {
    match ended {
        Ok(Err(error)) => RunError::Intake(error),
        Ok(Ok(())) | Err(_) => RunError::Ended("intake"),
    }
}

async fn open_evidence(config: &Config, metrics: &Metrics, lock_wait: Duration) -> Result<Store, StartError> {
    let mut waited = Duration::ZERO;
    loop {
        let commits = metrics.clone();
        let options = evidence_store::Options {
            path: config.evidence.path.clone(),
            reserve_bytes: config.evidence.reserve,
            rejected_max_bytes: config.evidence.rejected_max,
            repeats_max: config.evidence.repeats_max,
            observer: Some(Arc::new(move |commit: evidence_store::Commit| {
                observe(&commits.fsync, commit.fsync);
                if 0 < commit.deliveries {
                    commits.batch.observe(f64::from(u32::try_from(commit.deliveries).unwrap_or(u32::MAX)));
                }
            })),
        };
        match task::spawn_blocking(move || Store::open(options)).await {
            Ok(Err(error @ evidence_store::OpenError::Locked { .. })) if waited < lock_wait => {
                if waited.is_zero() {
                    tracing::info!(%error, wait_s = lock_wait.as_secs(), "waits for the data folder");
                }
                tokio::time::sleep(LOCK_POLL).await;
                waited += LOCK_POLL;
            }
            Ok(opened) => return Ok(opened?),
            Err(panic) => {
                let source = std::io::Error::other(panic.to_string());
                let path = config.evidence.path.clone();
                return Err(evidence_store::OpenError::Io { path, source }.into());
            }
        }
    }
}

/// What seals the log, and the key that verifies its checkpoints.
async fn sealing(
    config: &Config,
    clock: &Clock,
    metrics: &Metrics,
    evidence: &Store,
    ledger: &Arc<dyn Ledger>,
) -> Result<(seal::Worker, Option<VerifierKey>), seal::BuildError> {
    let (store, path) = (evidence.clone(), config.evidence.seal.key.clone());
    let read = task::spawn_blocking(move || store.seal_key(&path)).await;
    let key = read.unwrap_or_else(|panic| {
        let path = config.evidence.seal.key.clone();
        Err(KeyError::Io { path, source: std::io::Error::other(panic.to_string()) })
    })?;
    let public_key = key.verifier(&evidence_store::origin(evidence.log_id())).ok();
    tracing::info!(public_key = public_key.as_ref().map(ToString::to_string), "checkpoints are verified with this key");
    let (evidence, ledger) = (evidence.clone(), Arc::clone(ledger));
    let worker = seal::Worker::new(evidence, ledger, key, &config.evidence.seal, clock.clone(), metrics.clone())?;
    Ok((worker, public_key))
}

/// Whoever wonders why nothing is sent reads it here first.
async fn tell_pauses(ledger: &dyn Ledger) -> Result<(), LedgerError> {
    for pause in ledger.pauses().await? {
        let (by, reason) = (&pause.by.name, pause.by.reason.as_deref().unwrap_or_default());
        tracing::warn!(target = %pause.target, by, reason, "paused: it is not sent until `tollgate resume`");
    }
    Ok(())
}

/// The newest backup was made by an earlier run.
async fn note_last_backup(config: &Config, metrics: &Metrics) {
    let folder = config.backup.path.clone();
    if let Ok(Some(newest)) = task::spawn_blocking(move || backup::newest(&folder)).await {
        metrics.backup_last_success.set(newest.as_second());
    }
}

/// Opens the ledger, checks that it belongs to the log, and says where it stands.
async fn open_ledger(
    config: &Config,
    clock: &Clock,
    evidence: &Store,
) -> Result<(Arc<dyn Ledger>, Cursor), StartError> {
    let path = config.ledger.path.clone();
    // Pruned and erased ones too: a ledger knew them. Decisions alone are of a ledger that saw no delivery.
    let counts = evidence.counts();
    let deliveries = counts.deliveries.saturating_add(counts.stubs);
    // An empty file is no ledger either: taken for a new one, everything in the log would be sent a second time.
    let is_missing = std::fs::metadata(&path).map_or_else(|_| !path.exists(), |facts| facts.len() == 0);
    if 0 < deliveries && is_missing {
        return Err(StartError::LedgerMissing { path: path.display().to_string(), deliveries });
    }
    let ledger: Arc<dyn Ledger> = Arc::new(Sqlite::open(&path, clock)?);
    let cursor = match ledger.cursor().await? {
        Some(cursor) => {
            intake::check_cursor(evidence, cursor)?;
            cursor
        }
        None if 0 < deliveries => {
            return Err(StartError::LedgerMissing { path: path.display().to_string(), deliveries });
        }
        None => adopt(&*ledger, evidence, clock).await?,
    };
    Ok((ledger, cursor))
}

/// Ties a new ledger to its empty log before the first delivery can be stored. From then on a ledger without a cursor
/// never belongs to a log with deliveries, not even after a crash before intake.
async fn adopt(ledger: &dyn Ledger, evidence: &Store, clock: &Clock) -> Result<Cursor, LedgerError> {
    let head = evidence.head();
    let to = Cursor { log_id: evidence.log_id(), seq: head.seq, link: head.link };
    let now_us = clock.now().as_microsecond();
    ledger.intake(IntakeBatch { from: None, to, now_us, deliveries: Vec::new() }).await?;
    Ok(to)
}
