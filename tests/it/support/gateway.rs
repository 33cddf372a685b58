//! The real binary as a child process, with a data folder that outlives it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tollgate::config::Provider;
pub(crate) use tollgate::demo::gateway::chain;

use super::http::{self, Reply};

mod process;

/// How long anything that should happen may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Secrets of every test gateway. Their texts must never appear in a log.
pub(crate) const REQUEST_NETWORK_SECRET: &str = "rn-test-secret-5f0c6c0f1b7d4a52";
pub(crate) const STRIPE_SECRET: &str = "whsec_stripe-test-secret-9b1f6d8e";
pub(crate) const FORWARD_SECRET: &str = "whsec_dG9sbGdhdGUtdGVzdC1mb3J3YXJkLXNlY3JldC0wMDAx";
pub(crate) const ADMIN_TOKEN: &str = "admin-test-token-41a7e6f2";
pub(crate) const BACKEND_TOKEN: &str = "backend-test-token-8c20d9b3";
pub(crate) const VIEWER_TOKEN: &str = "viewer-test-token-3e77a610";

/// A folder with configuration and data, from which gateways are started one after the other.
#[derive(Clone)]
pub(crate) struct Site {
    folder: Arc<TempDir>,
    environment: BTreeMap<String, String>,
}

/// What a site is configured with beside the usual sources, tokens and listeners.
#[derive(Default)]
pub(crate) struct Setup {
    /// Where messages go; none is pull only.
    pub(crate) backend: Option<SocketAddr>,
    /// `[chains.local]` from the local chain.
    pub(crate) chain: Option<String>,
    /// More TOML, appended; may open tables that are not in the base.
    pub(crate) more: String,
    /// Lines for tables of the base: `("evidence", "reserve = \"1 GiB\"")`.
    pub(crate) lines: Vec<(&'static str, String)>,
}

impl Site {
    /// Writes the configuration.
    pub(crate) fn new(setup: &Setup) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let environment = [
            ("IT_REQUEST_NETWORK", REQUEST_NETWORK_SECRET),
            ("IT_STRIPE", STRIPE_SECRET),
            ("IT_FORWARD", FORWARD_SECRET),
            ("IT_ADMIN", ADMIN_TOKEN),
            ("IT_BACKEND", BACKEND_TOKEN),
            ("IT_VIEWER", VIEWER_TOKEN),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let site = Self { folder: Arc::new(folder), environment };
        std::fs::write(site.file(), site.configuration(setup)).expect("the configuration is written");
        site
    }

    /// The configuration file.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("tollgate.toml")
    }

    /// The folder of both.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn configuration(&self, setup: &Setup) -> String {
        let mut tables: BTreeMap<&str, String> = BTreeMap::from([
            ("ingress", "listen = \"127.0.0.1:0\"\n".to_owned()),
            (
                "admin",
                "listen = \"127.0.0.1:0\"\n\
                 tokens = [{ name = \"admin\", role = \"admin\", secret = \"env:IT_ADMIN\" },\n\
                 { name = \"backend\", role = \"backend\", secret = \"env:IT_BACKEND\" },\n\
                 { name = \"viewer\", role = \"viewer\", secret = \"env:IT_VIEWER\" }]\n"
                    .to_owned(),
            ),
            ("telemetry", "log = { format = \"json\", level = \"debug,h2=info,hyper=info\" }\n".to_owned()),
            ("shutdown", "delay = \"0s\"\n".to_owned()),
            ("evidence", String::new()),
            ("forward", "secrets = [\"env:IT_FORWARD\"]\nbackoff = { first = \"100ms\", max = \"1s\" }\n".to_owned()),
            ("verification", String::new()),
        ]);
        if let Some(backend) = setup.backend {
            let forward = tables.entry("forward").or_default();
            forward.push_str(&format!("url = \"http://{backend}/webhooks\"\n"));
        }
        let has_reserve = setup.lines.iter().any(|(_, line)| line.starts_with("reserve"));
        if !has_reserve {
            tables.entry("evidence").or_default().push_str("reserve = \"16 MiB\"\n");
        }
        // What a test pays is announced by the test, if at all.
        if !setup.lines.iter().any(|(_, line)| line.starts_with("scan ")) {
            tables.entry("verification").or_default().push_str("scan = false\n");
        }
        for (table, line) in &setup.lines {
            let text = tables.entry(table).or_default();
            text.push_str(line);
            text.push('\n');
        }
        let mut text = format!("data_dir = \"{}\"\n", self.data().display());
        for (name, lines) in tables {
            text.push_str(&format!("\n[{name}]\n{lines}"));
        }
        text.push_str(
            "\n[[sources]]\nname = \"request-network\"\nprovider = \"request-network\"\n\
             path = \"/webhooks/request-network\"\nsecrets = [\"env:IT_REQUEST_NETWORK\"]\n\
             \n[[sources]]\nname = \"stripe\"\nprovider = \"stripe\"\npath = \"/webhooks/stripe\"\n\
             secrets = [\"env:IT_STRIPE\"]\n",
        );
        text.push_str(setup.chain.as_deref().unwrap_or_default());
        text.push_str(&setup.more);
        text
    }

    /// The program with this site's environment, ready for a subcommand.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.envs(&self.environment).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// Starts `serve` and waits until it listens.
    pub(crate) fn start(&self) -> Gateway {
        self.begin().listens()
    }

    /// Runs a subcommand to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> (ExitStatus, String) {
        let output = self.command().args(arguments).output().expect("the program runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status, String::from_utf8_lossy(&text).into_owned())
    }
}

/// A running gateway. Dropping it kills it.
pub(crate) struct Gateway {
    child: Child,
    site: Site,
    log: Log,
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) client: reqwest::Client,
}

impl Gateway {
    /// SIGKILL, now; the site can start again.
    pub(crate) fn kill(mut self) -> Site {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it ends");
        self.site.clone()
    }

    /// SIGTERM, and waits for the drain.
    pub(crate) fn terminate(mut self) -> (ExitStatus, String) {
        process::send("TERM", self.child.id());
        let status = self.wait();
        (status, self.log.text())
    }

    /// Waits until the process ends by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.child.try_wait().expect("its status") {
                Some(status) => return status,
                None if deadline < Instant::now() => panic!("it does not end:\n{}", self.log.text()),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Everything logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.text()
    }

    /// Posts a body as Request Network would.
    pub(crate) async fn request_network(&self, body: &[u8]) -> Reply {
        self.post("request-network", &Provider::RequestNetwork, REQUEST_NETWORK_SECRET, body).await
    }

    /// Posts a body as Stripe would.
    pub(crate) async fn stripe(&self, body: &[u8]) -> Reply {
        self.post("stripe", &Provider::Stripe, STRIPE_SECRET, body).await
    }

    /// Posts a body signed with any secret.
    pub(crate) async fn post(&self, path: &str, provider: &Provider, secret: &str, body: &[u8]) -> Reply {
        let url = format!("http://{}/webhooks/{path}", self.public);
        http::send(http::signed(&self.client, &url, provider, secret, body)).await.expect("an answer")
    }

    /// Calls the admin side with a token; `path` begins with `/`.
    pub(crate) async fn admin(&self, method: &str, path: &str, token: &str, body: Option<&Value>) -> Reply {
        let method = method.parse().expect("a method");
        let mut request = self.client.request(method, format!("http://{}{path}", self.admin)).bearer_auth(token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        http::send(request).await.expect("an answer")
    }

    /// Puts an expectation as the backend.
    pub(crate) async fn expect(&self, id: &str, terms: &Value) -> Reply {
        self.admin("PUT", &format!("/api/v1/expectations/{id}"), BACKEND_TOKEN, Some(terms)).await
    }

    /// The event of a delivery, once `done` holds for it.
    pub(crate) async fn event_when(&self, delivery: &str, done: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let mut last = Value::Null;
        while Instant::now() < deadline {
            let shown = self.admin("GET", &format!("/api/v1/deliveries/{delivery}"), ADMIN_TOKEN, None).await;
            let event = shown.text("/data/event_id");
            if !event.is_empty() {
                let reply = self.admin("GET", &format!("/api/v1/events/{event}"), ADMIN_TOKEN, None).await;
                last = reply.json().get("data").cloned().unwrap_or_default();
                if done(&last) {
                    return last;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the event of {delivery} never got there, it is {last:#}\n{}", self.log.text());
    }

    /// The event of a delivery, once it is in this state with this code.
    pub(crate) async fn event_in(&self, delivery: &str, state: &str, code: &str) -> Value {
        self.event_when(delivery, |event| event["state"] == state && event["code"] == code).await
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a child logs, line by line.
struct Log(Arc<(Mutex<Vec<String>>, Condvar)>);

impl Log {
    fn follow(stderr: std::process::ChildStderr) -> Self {
        let shared = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let lines = Arc::clone(&shared);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.0.lock().expect("the log").push(line);
                lines.1.notify_all();
            }
            lines.0.lock().expect("the log").push("(end of log)".to_owned());
            lines.1.notify_all();
        });
        Self(shared)
    }

    /// Both listeners, from the line that says so; none when the process ended first.
    fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        let found = |line: &String| {
            let line: Value = serde_json::from_str(line).ok()?;
            Some((line.get("ingress")?.as_str()?.parse().ok()?, line.get("admin")?.as_str()?.parse().ok()?))
        };
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.0.0.lock().expect("the log");
        loop {
            if let Some(addresses) = lines.iter().find_map(found) {
                return Some(addresses);
            }
            let ended = lines.last().is_some_and(|line| line == "(end of log)");
            let left = deadline.saturating_duration_since(Instant::now());
            if ended || left.is_zero() {
                return None;
            }
            lines = self.0.1.wait_timeout(lines, left).expect("the log").0;
        }
    }

    fn text(&self) -> String {
        self.0.0.lock().expect("the log").join("\n")
    }
}

/// A path as text.
pub(crate) fn text(path: &Path) -> String {
    path.display().to_string()
}
