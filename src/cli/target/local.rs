//! A stopped gateway's data: the stores are opened for this command alone, and the admin API is called in process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use evidence_store::Store;
use evidence_store::note::VerifierKey;
use http_body_util::Full;
use reqwest::{Method, Url};
use serde_json::Value;

use super::{Query, Reply, below};
use crate::admin::{Api, Parts};
use crate::app::StartError;
use crate::chain::nodes::Nodes;
use crate::cli::{Exit, Failure};
use crate::clock::Clock;
use crate::config::{self, Config, Environment};
use crate::jobs::Jobs;
use crate::ledger::Ledger;
use crate::ledger::sqlite::Sqlite;
use crate::retention::Retention;
use crate::screening::Current;
use crate::task::{self, Wakes};
use crate::telemetry::Metrics;
use crate::verify::by_hand::ByHand;
use crate::verify::in_force::InForce;
use crate::watermark::Watermarks;

/// Who the audit trail names when the system does not say.
const NOBODY: &str = "operator";

pub(super) struct Local {
    api: Api,
    /// Who sits at the terminal.
    name: String,
    base: Url,
}

impl Local {
    pub(super) async fn open(folder: &Path, files: &[PathBuf]) -> Result<Self, Failure> {
        let environment = config::environment();
        let config = Arc::new(configuration(folder, files, &environment)?);
        let (evidence, ledger) = {
            let config = Arc::clone(&config);
            let opening = task::spawn_blocking(move || stores(&config));
            opening.await.map_err(|error| Failure::new(Exit::Failed, error.to_string()))??
        };
        let clock = Clock::system();
        let public_key = public_key(&config, &evidence);
        let (_switch, draining) = task::stop();
        let metrics = Metrics::new();
        let ledger: Arc<dyn Ledger> = Arc::new(ledger);
        let verification = verification(&config, &ledger, &clock, &metrics).await?;
        let api = Api::new(Parts {
            verification,
            forwarding: None,
            retention: Retention::new(
                evidence.clone(),
                Arc::clone(&ledger),
                Arc::clone(&config),
                clock.clone(),
                metrics.clone(),
            ),
            watermarks: Watermarks::new(&config, &metrics),
            config,
            ledger,
            evidence,
            jobs: Jobs::new(clock.clone()),
            clock,
            metrics,
            wakes: Wakes::default(),
            draining,
            started_us: None,
            public_key,
        });
        let name = operator(&environment);
        let base = Url::parse("http://in-process").map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        Ok(Self { api, name, base })
    }

    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        query: &Query,
        body: Option<&Value>,
    ) -> Result<Reply, Failure> {
        let fail = |error: String| Failure::new(Exit::Failed, error);
        let url = below(&self.base, path, query);
        let uri = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = hyper::Request::builder().method(method).uri(uri).header("content-type", "application/json");
        let request = request.body(Full::new(body)).map_err(|error| fail(error.to_string()))?;
        let answer = self.api.call(&self.name, request).await.map_err(|error| fail(error.to_string()))?;
        let (parts, body) = answer.into_parts();
        Ok(Reply { status: parts.status, body })
    }
}

/// The rules that a stopped gateway would judge by. It asks no node.
async fn verification(
    config: &Arc<Config>,
    ledger: &Arc<dyn Ledger>,
    clock: &Clock,
    metrics: &Metrics,
) -> Result<Arc<ByHand>, Failure> {
    let nobody = Nodes::new(&BTreeMap::new(), clock, metrics).map_err(StartError::from)?;
    let in_force = InForce::new(&config.chains);
    let (ledger, config, deny) = (Arc::clone(ledger), Arc::clone(config), Current::none());
    let rules = ByHand::new(ledger, Arc::new(nobody), config, in_force, deny, clock.clone());
    rules.put_in_force().await.map_err(StartError::from)?;
    Ok(Arc::new(rules))
}

/// Who sits at the terminal, as far as the system says.
pub(in crate::cli) fn operator(environment: &Environment) -> String {
    let name = environment.get("USER").or_else(|| environment.get("LOGNAME"));
    name.filter(|name| !name.is_empty()).map_or(NOBODY, String::as_str).to_owned()
}

/// The gateway's own configuration with the folder laid over it, or the defaults.
fn configuration(folder: &Path, files: &[PathBuf], environment: &Environment) -> Result<Config, Failure> {
    let folder = std::path::absolute(folder)?;
    if files.is_empty() {
        return Ok(config::of_folder(&folder)?);
    }
    let text = folder.to_str().ok_or_else(|| Failure::new(Exit::Usage, "--data with --config has to be UTF-8"))?;
    let mut environment = environment.clone();
    environment.insert("TOLLGATE__DATA_DIR".to_owned(), text.to_owned());
    Ok(config::load(files, &environment)?.config)
}

/// The public half of the key, where it is there: without it nothing is proved, and the rest works.
fn public_key(config: &Config, evidence: &Store) -> Option<VerifierKey> {
    let key = evidence_store::SealKey::read(&config.evidence.seal.key);
    match key {
        Ok(key) => key.verifier(&evidence_store::origin(evidence.log_id())).ok(),
        Err(error) => {
            tracing::warn!(%error, "signatures of checkpoints are not checked");
            None
        }
    }
}

/// Opens both stores. Opening would make what is missing, so what is missing is refused before.
fn stores(config: &Config) -> Result<(Store, Sqlite), Failure> {
    let (log, ledger) = (config.evidence.path.join("log"), &config.ledger.path);
    if !log.join("CURRENT").is_file() {
        let message = format!(
            "{} is no evidence log: name the data folder of a gateway, the one with evidence/ and ledger.db in it",
            log.display()
        );
        return Err(Failure::new(Exit::Usage, message));
    }
    if std::fs::metadata(ledger).map_or(0, |facts| facts.len()) == 0 {
        let message = format!(
            "{} does not exist or is empty: restore the ledger that belongs to this log from a backup, or make a new one \
             from the log (`tollgate evidence rebuild-ledger`)",
            ledger.display()
        );
        return Err(Failure::new(Exit::Evidence, message));
    }
    let options = evidence_store::Options {
        path: config.evidence.path.clone(),
        reserve_bytes: config.evidence.reserve,
        rejected_max_bytes: config.evidence.rejected_max,
        repeats_max: config.evidence.repeats_max,
        observer: None,
    };
    let store = Store::open(options).map_err(StartError::from)?;
    let sqlite = Sqlite::open(ledger, &Clock::system()).map_err(StartError::from)?;
    Ok((store, sqlite))
}
