//! The gateway of the demo: a configuration for the local chain, the real [`App`], and the few calls that the round
//! makes from outside, as a provider and as an operator would.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::devnet::{CHAIN_ID, Devnet, TOKEN_DECIMALS};
use crate::app::{App, RunError};
use crate::clock::Clock;
use crate::config::{self, Environment, Provider};
use crate::provider::sign;
use crate::task::{self, StopSwitch};

/// One request of the round.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Who posts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The source `request-network`.
    RequestNetwork,
    /// The source `stripe`.
    Stripe,
    /// Request Network's body, signed with a key that is not its.
    Forger,
}

/// Secrets made for one run.
#[derive(Clone)]
pub struct Secrets {
    request_network: String,
    stripe: String,
    /// `whsec_`, signs what is forwarded.
    pub forward: String,
    admin: String,
}

impl Secrets {
    /// Random ones.
    #[must_use]
    pub fn random() -> Self {
        let hex = || hex::encode(rand::random::<[u8; 32]>());
        let whsec = {
            use base64::Engine;
            base64::engine::general_purpose::STANDARD.encode(rand::random::<[u8; 32]>())
        };
        Self {
            request_network: hex(),
            stripe: format!("whsec_{}", hex()),
            forward: format!("whsec_{whsec}"),
            admin: hex(),
        }
    }

    fn environment(&self) -> Environment {
        [
            ("DEMO_REQUEST_NETWORK", &self.request_network),
            ("DEMO_STRIPE", &self.stripe),
            ("DEMO_FORWARD", &self.forward),
            ("DEMO_ADMIN", &self.admin),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect()
    }
}

/// A running gateway with its data in a folder that ends with it.
pub struct Gateway {
    folder: PathBuf,
    client: reqwest::Client,
    secrets: Secrets,
    /// Where providers post.
    pub public: SocketAddr,
    /// Where operators and the backend call.
    pub admin: SocketAddr,
    stop: StopSwitch,
    running: JoinHandle<Result<(), RunError>>,
}

/// What a request was answered with.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The envelope; null when it was no JSON.
    pub body: Value,
}

impl Reply {
    /// The envelope's error code, or nothing.
    #[must_use]
    pub fn code(&self) -> &str {
        self.body.pointer("/error/code").and_then(Value::as_str).unwrap_or_default()
    }
}

impl Gateway {
    /// Starts it against the local chain and a backend.
    ///
    /// # Errors
    /// When the configuration, a store or a port does not allow it.
    pub async fn start(net: &Devnet, backend: SocketAddr, secrets: Secrets) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("tollgate-demo-{}", Uuid::now_v7()));
        std::fs::create_dir_all(&folder)?;
        let file = folder.join("tollgate.toml");
        std::fs::write(&file, configuration(net, backend, &folder))?;
        let loaded = config::load(&[file], &secrets.environment()).map_err(|problems| anyhow::anyhow!("{problems}"))?;
        let app = Box::pin(App::build(loaded.config, Clock::system(), Duration::ZERO)).await?;
        let (public, admin) = (app.public_address(), app.admin_address());
        let (stop, stops) = task::stop();
        let running = task::spawn("demo-gateway", app.run(stops));
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        Ok(Self { folder, client, secrets, public, admin, stop, running })
    }

    /// What the admin API takes in this run.
    #[must_use]
    pub fn admin_token(&self) -> &str {
        &self.secrets.admin
    }

    /// Posts a body as the sender would, with more headers on top.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(&self, sender: Sender, body: &Value, more: &[(&str, &str)]) -> anyhow::Result<Reply> {
        let (provider, path, secret) = match sender {
            Sender::RequestNetwork => {
                (Provider::RequestNetwork, "request-network", self.secrets.request_network.as_str())
            }
            Sender::Stripe => (Provider::Stripe, "stripe", self.secrets.stripe.as_str()),
            Sender::Forger => (Provider::RequestNetwork, "request-network", "not-the-secret"),
        };
        let bytes = serde_json::to_vec(body)?;
        let id = Uuid::now_v7().simple().to_string();
        let mut request = self.client.post(format!("http://{}/webhooks/{path}", self.public));
        for (name, value) in sign::headers(&provider, secret, &bytes, now(), &id) {
            request = request.header(name, value);
        }
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        reply(request.header("content-type", "application/json").body(bytes)).await
    }

    /// Calls the admin API.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn api(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> anyhow::Result<Reply> {
        let url = format!("http://{}/api/v1{path}", self.admin);
        let mut request = self.client.request(method, url).bearer_auth(&self.secrets.admin);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(serde_json::to_vec(body)?);
        }
        reply(request).await
    }

    /// Drains and removes the data.
    ///
    /// # Errors
    /// When the gateway had ended with an error.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.stop();
        let ended = self.running.await?;
        std::fs::remove_dir_all(&self.folder)?;
        Ok(ended?)
    }
}

fn now() -> Timestamp {
    Clock::system().now()
}

async fn reply(request: reqwest::RequestBuilder) -> anyhow::Result<Reply> {
    let mut response = request.send().await?;
    let status = response.status().as_u16();
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        anyhow::ensure!(bytes.len() + chunk.len() <= ANSWER_BYTES_MAX, "the answer is too large");
        bytes.extend_from_slice(&chunk);
    }
    Ok(Reply { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
}

/// Fewer confirmations, shorter waits and less reserve than anyone should run with, because it is play money.
fn configuration(net: &Devnet, backend: SocketAddr, folder: &Path) -> String {
    format!(
        r#"
data_dir = "{data}"

[ingress]
listen = "127.0.0.1:0"

[admin]
listen = "127.0.0.1:0"
tokens = [{{ name = "demo", role = "admin", secret = "env:DEMO_ADMIN" }}]

[shutdown]
delay = "0s"

[evidence]
reserve = "16 MiB"

[[sources]]
name = "request-network"
provider = "request-network"
path = "/webhooks/request-network"
secrets = ["env:DEMO_REQUEST_NETWORK"]

[[sources]]
name = "stripe"
provider = "stripe"
path = "/webhooks/stripe"
secrets = ["env:DEMO_STRIPE"]

{chain}
[forward]
url = "http://{backend}/webhooks"
secrets = ["env:DEMO_FORWARD"]
"#,
        data = folder.join("data").display(),
        chain = chain(net, 2),
    )
}

/// `[chains.local]`: the local chain with its test token and contracts, and as many confirmations as asked.
#[must_use]
pub fn chain(net: &Devnet, confirmations: u64) -> String {
    format!(
        r#"
[chains.local]
chain_id = {CHAIN_ID}
testnet = true
rpc = [{{ name = "local", owner = "test", url = "{url}" }}]
agree = 1
owners = 1
allow_single_node = true
poll = "250ms"
finality = [{{ confirmations = {confirmations} }}]
tokens = [{{ symbol = "TST", address = "{token}", decimals = {TOKEN_DECIMALS}, usd = "1" }}]
contracts = {{ erc20_fee_proxy = ["{erc20}"], eth_fee_proxy = ["{eth}"] }}
names = {{ request_network = ["local"], stripe = ["local"] }}
"#,
        url = net.url(),
        token = net.token,
        erc20 = net.erc20_fee_proxy,
        eth = net.eth_fee_proxy,
    )
}
