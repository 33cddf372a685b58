//! What an operator's command talks to: a running gateway's admin API, or a stopped one's data folder.
//!
//! Both are the same API: for a folder the router is built in this process and called without a socket, so that a
//! command cannot tell them apart. Commands never open the stores by themselves.

use std::path::PathBuf;

use bytes::Bytes;
use reqwest::{Method, StatusCode, Url};
use serde_json::Value;

use super::{Exit, Failure};
use crate::config;

mod local;
mod remote;

use local::Local;
pub(super) use local::operator;
use remote::Remote;

/// Where the admin listener is unless configured otherwise.
const ADMIN: &str = "http://127.0.0.1:9600";

/// Which gateway; for commands that a stopped one's data can answer too.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct TargetArgs {
    #[command(flatten)]
    running: RemoteArgs,
    /// Open the data folder of a stopped gateway instead.
    #[arg(long, value_name = "DIR", global = true, conflicts_with = "admin")]
    data: Option<PathBuf>,
    /// With --data: the gateway's configuration, where its sources and limits matter; repeat it, later ones override.
    #[arg(long, value_name = "FILE", global = true, requires = "data")]
    config: Vec<PathBuf>,
}

/// Which running gateway.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct RemoteArgs {
    /// Admin API of a running gateway [default: http://127.0.0.1:9600]; the token is read from TOLLGATE_ADMIN_TOKEN.
    #[arg(long, value_name = "URL", global = true)]
    admin: Option<String>,
}

/// What commands call. Paths begin with `/` and are below `/api/v1`; see [`segment`] for what stands in them.
pub struct Target(Kind);

enum Kind {
    Remote(Remote),
    Local(Box<Local>),
}

/// Query parameters; those without a value are left out.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(&'static str, String)>);

impl Query {
    /// Names and values.
    #[must_use]
    pub fn pairs(self) -> Vec<(&'static str, String)> {
        self.0
    }

    /// Adds a parameter that may be absent.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            self.0.push((name, value.to_string()));
        }
        self
    }
}

/// An answer as it came.
struct Reply {
    status: StatusCode,
    body: Bytes,
}

impl Target {
    /// Connects to nothing yet, or opens the folder.
    ///
    /// # Errors
    /// A URL that is none; a folder that is locked (exit 3, naming the holder), damaged, newer, or holds no gateway's
    /// data. Nothing is created where nothing was.
    pub async fn open(args: &TargetArgs) -> Result<Self, Failure> {
        match &args.data {
            None => Self::running(&args.running),
            Some(folder) => Ok(Self(Kind::Local(Box::new(Local::open(folder, &args.config).await?)))),
        }
    }

    /// A running gateway.
    ///
    /// # Errors
    /// A URL that is none.
    pub fn running(args: &RemoteArgs) -> Result<Self, Failure> {
        let token = config::environment().get("TOLLGATE_ADMIN_TOKEN").map(|token| token.trim().to_owned());
        Ok(Self(Kind::Remote(Remote::new(args.admin.as_deref().unwrap_or(ADMIN), token)?)))
    }

    /// A running gateway, for the verbs of a command that change something where others only look.
    ///
    /// # Errors
    /// As [`Target::running`]; a data folder was named.
    pub fn changing(args: &TargetArgs) -> Result<Self, Failure> {
        match &args.data {
            None => Self::running(&args.running),
            Some(_) => Err(Failure::new(Exit::Usage, "--data: this needs a running gateway; leave --data out")),
        }
    }

    /// Whether it is a stopped gateway's folder: its jobs end with this process.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        matches!(self.0, Kind::Local(_))
    }

    /// `GET`; answers with the envelope's `data`.
    ///
    /// # Errors
    /// No answer, or a refusal, as something to show.
    pub async fn get(&self, path: &str, query: &Query) -> Result<Value, Failure> {
        data(self.call(Method::GET, path, query, None).await?)
    }

    /// `POST` with a JSON body.
    ///
    /// # Errors
    /// As [`Target::get`].
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        data(self.call(Method::POST, path, &Query::default(), Some(body)).await?)
    }

    /// `PUT` with a JSON body.
    ///
    /// # Errors
    /// As [`Target::get`].
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        data(self.call(Method::PUT, path, &Query::default(), Some(body)).await?)
    }

    /// `DELETE`.
    ///
    /// # Errors
    /// As [`Target::get`].
    pub async fn delete(&self, path: &str) -> Result<Value, Failure> {
        data(self.call(Method::DELETE, path, &Query::default(), None).await?)
    }

    /// `DELETE` with a JSON body that says why.
    ///
    /// # Errors
    /// As [`Target::get`].
    pub async fn delete_with(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        data(self.call(Method::DELETE, path, &Query::default(), Some(body)).await?)
    }

    /// `GET` of what is no JSON.
    ///
    /// # Errors
    /// As [`Target::get`].
    pub async fn bytes(&self, path: &str, query: &Query) -> Result<Bytes, Failure> {
        let reply = self.call(Method::GET, path, query, None).await?;
        if reply.status.is_success() { Ok(reply.body) } else { Err(refusal(&reply)) }
    }

    async fn call(&self, method: Method, path: &str, query: &Query, body: Option<&Value>) -> Result<Reply, Failure> {
        match &self.0 {
            Kind::Remote(remote) => remote.call(method, path, query, body).await,
            Kind::Local(local) => local.call(method, path, query, body).await,
        }
    }
}

/// An id as one segment of a path.
#[must_use]
pub fn segment(id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    id.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// `base` with the path below the API, and the query.
fn below(base: &Url, path: &str, query: &Query) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/api/v1{path}", base.path().trim_end_matches('/')));
    if !query.0.is_empty() {
        url.query_pairs_mut().extend_pairs(&query.0);
    }
    url
}

fn data(reply: Reply) -> Result<Value, Failure> {
    if !reply.status.is_success() {
        return Err(refusal(&reply));
    }
    let answer: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let data = answer.and_then(|mut answer| answer.get_mut("data").map(Value::take));
    data.ok_or_else(|| Failure::new(Exit::Failed, "what answers is no admin API of Tollgate: check --admin"))
}

/// A refusal in the envelope, as something to read, with the exit code that fits.
fn refusal(reply: &Reply) -> Failure {
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str);
    let (Some(code), Some(message)) = (text("/error/code"), text("/error/message")) else {
        let message = format!("what answers is no admin API of Tollgate ({}): check --admin", reply.status);
        return Failure::new(Exit::Failed, message);
    };
    let exit = match (reply.status, code) {
        (_, "EVIDENCE_DAMAGED") => Exit::Evidence,
        (_, "EVIDENCE_NEWER") => Exit::Newer,
        (StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::UNPROCESSABLE_ENTITY, _) => Exit::Usage,
        _ => Exit::Failed,
    };
    let mut told = format!("{message} ({code})");
    if reply.status == StatusCode::UNAUTHORIZED {
        told.push_str("\nset TOLLGATE_ADMIN_TOKEN to one of the gateway's [admin] tokens");
    }
    if let Some(details) = answer.pointer("/error/details").filter(|details| *details != &serde_json::json!({})) {
        told.push_str(&format!("\n{details:#}"));
    }
    Failure::new(exit, super::table::printable(&told))
}

#[cfg(test)]
mod tests;
