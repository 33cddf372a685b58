//! `tollgate send`: posts a webhook to a gateway as its provider would, signed with the source's newest live secret.
//!
//! A rightly signed body is believed, so it goes to this machine only, unless `--live` says that it is meant.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Url;
use serde_json::Value;
use uuid::Uuid;

use super::{Exit, Failure, print};
use crate::clock::Clock;
use crate::config::{self, Environment, Loaded, Secret, Source};
use crate::provider::{example, sign};

/// From connecting to the end of the answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Largest file that is sent.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Most of an answer that is printed.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Arguments of `send`.
#[derive(Clone, Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("what").required(true),
    after_help = "Example:\n  tollgate send stripe-eu --config tollgate.toml --example payment_intent.succeeded \
                        --set data.object.amount=500"
)]
pub struct Args {
    /// Which source of the configuration to post to, signed as its provider would.
    pub source: String,
    /// Send this file's bytes as they are.
    #[arg(long, value_name = "FILE", group = "what")]
    pub file: Option<PathBuf>,
    /// Send a built-in example of this event type.
    #[arg(long, value_name = "TYPE", group = "what")]
    pub example: Option<String>,
    /// Change a value of the example, such as data.object.amount=500; repeat it.
    #[arg(long, value_name = "PATH=VALUE", conflicts_with = "file")]
    pub set: Vec<String>,
    /// Where the source, its secret and its path are read from; repeat it, later ones override.
    #[arg(long, value_name = "FILE", default_value = "tollgate.toml")]
    pub config: Vec<PathBuf>,
    /// Base URL of the gateway; without it the configured listener on this machine.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Allow an address beyond this machine.
    #[arg(long)]
    pub live: bool,
}

/// Runs it.
///
/// # Errors
/// An unknown source or example, an address beyond this machine without `--live`, an answer other than 2xx.
pub async fn run(args: Args) -> Result<(), Failure> {
    send(&args, &config::environment(), Clock::system().now()).await
}

async fn send(args: &Args, environment: &Environment, now: Timestamp) -> Result<(), Failure> {
    let Loaded { config, .. } = config::load(&args.config, environment)?;
    let source = config.source(&args.source).ok_or_else(|| {
        let known: Vec<&str> = config.sources.iter().map(|source| source.name.as_str()).collect();
        usage(format!("no source is named {:?}; there are: {}", args.source, known.join(", ")))
    })?;
    let url = target(args.url.as_deref(), config.ingress.listen, &source.path)?;
    if !args.live && !is_this_machine(&url) {
        let host = url.host_str().unwrap_or_default();
        return Err(usage(format!(
            "{host} is not this machine, and what is posted there is believed: add --live if you mean it"
        )));
    }
    let body = body(args, source)?;
    let secret = newest(source, now).ok_or_else(|| {
        usage(format!("every secret of {:?} is past its not_after: nothing it signs would be taken", source.name))
    })?;
    let (status, answer) = post(&url, source, secret, body, now).await?;
    print(&format!("{status}\n{}\n", answer.trim_end()))?;
    if status.is_success() {
        return Ok(());
    }
    Err(Failure::new(Exit::Failed, format!("the gateway did not take it: {status}")))
}

fn usage(message: String) -> Failure {
    Failure::new(Exit::Usage, message)
}

/// The source's path under the given base, or at the configured listener as seen from this machine.
fn target(base: Option<&str>, listen: SocketAddr, path: &str) -> Result<Url, Failure> {
    let base = match base {
        Some(base) => base.to_owned(),
        None => format!("http://{}", from_here(listen)),
    };
    let url = Url::parse(&base).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let Some(mut url) = url else {
        return Err(usage(format!(
            "{base:?} is no base URL: write scheme, host and port, such as http://127.0.0.1:8080"
        )));
    };
    url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
    Ok(url)
}

/// A listener on every address is reached by loopback.
fn from_here(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    };
    SocketAddr::new(ip, listen.port())
}

/// Loopback by number, or the one name that is reserved for it (RFC 6761). Any other name could resolve anywhere.
fn is_this_machine(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let number = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    number.map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |ip| ip.to_canonical().is_loopback())
}

/// Secrets are configured newest first.
fn newest(source: &Source, now: Timestamp) -> Option<&Secret> {
    let mut live = source.secrets.iter().filter(|secret| secret.not_after.is_none_or(|end| now <= end));
    live.next().map(|secret| &secret.secret)
}

fn body(args: &Args, source: &Source) -> Result<Vec<u8>, Failure> {
    if let Some(path) = &args.file {
        return read(path);
    }
    let wanted = args.example.as_deref().unwrap_or_default();
    let mut value = example::example(&source.provider, wanted).ok_or_else(|| {
        let known = example::types(&source.provider).join("\n  ");
        usage(format!("there is no example of {wanted:?} for {}; there are:\n  {known}", source.provider.name()))
    })?;
    for change in &args.set {
        apply(&mut value, change)?;
    }
    serde_json::to_vec(&value).map_err(|error| Failure::new(Exit::Failed, error.to_string()))
}

fn apply(value: &mut Value, change: &str) -> Result<(), Failure> {
    let (path, text) = change.split_once('=').ok_or_else(|| {
        usage(format!("--set {change:?} has no value: write PATH=VALUE, such as data.object.amount=500"))
    })?;
    example::set(value, path, text).map_err(|error| usage(format!("--set {change}: {error}")))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let fail = |what: String| usage(format!("{} cannot be sent: {what}", path.display()));
    let file = File::open(path).map_err(|error| fail(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| fail(error.to_string()))?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len <= FILE_BYTES_MAX) {
        return Ok(bytes);
    }
    Err(fail(format!("it is larger than {FILE_BYTES_MAX} bytes")))
}

async fn post(
    url: &Url,
    source: &Source,
    secret: &Secret,
    body: Vec<u8>,
    now: Timestamp,
) -> Result<(reqwest::StatusCode, String), Failure> {
    let fail = |error: reqwest::Error| {
        Failure::new(Exit::Failed, format!("the gateway does not answer: {}", chain(&error.without_url())))
    };
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .map_err(fail)?;
    let id = Uuid::now_v7().simple().to_string();
    let mut request = client.post(url.clone()).header("content-type", "application/json");
    for (name, value) in sign::headers(&source.provider, secret.expose(), &body, now, &id) {
        request = request.header(name, value);
    }
    let mut response = request.body(body).send().await.map_err(fail)?;
    let status = response.status();
    let mut answer = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(fail)? {
        answer.extend_from_slice(&chunk);
        if ANSWER_BYTES_MAX < answer.len() {
            answer.truncate(ANSWER_BYTES_MAX);
            break;
        }
    }
    Ok((status, String::from_utf8_lossy(&answer).into_owned()))
}

/// An error with what caused it: "error sending request" alone helps nobody.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
