//! A running gateway's admin API over HTTP.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::{Method, Url};
use serde_json::Value;

use super::{Query, Reply, below};
use crate::cli::{Exit, Failure};

/// To connect.
const CONNECT: Duration = Duration::from_secs(5);
/// Without a byte of the answer.
const SILENCE: Duration = Duration::from_secs(60);
/// Largest answer.
const ANSWER_BYTES_MAX: usize = 256 << 20;

pub(super) struct Remote {
    base: Url,
    token: Option<String>,
    client: reqwest::Client,
}

impl Remote {
    pub(super) fn new(base: &str, token: Option<String>) -> Result<Self, Failure> {
        let parsed = Url::parse(base).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let base = parsed.ok_or_else(|| {
            let message =
                format!("--admin {base:?} is no base URL: write scheme, host and port, http://127.0.0.1:9600");
            Failure::new(Exit::Usage, message)
        })?;
        // No proxy and no redirect: the token is for this host only.
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .build()
            .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        Ok(Self { base, token, client })
    }

    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        query: &Query,
        body: Option<&Value>,
    ) -> Result<Reply, Failure> {
        let mut request = self.client.request(method, below(&self.base, path, query));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let mut answer = request.send().await.map_err(|error| self.silent(error))?;
        let status = answer.status();
        let mut bytes = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.silent(error))? {
            if ANSWER_BYTES_MAX < bytes.len().saturating_add(chunk.len()) {
                return Err(Failure::new(Exit::Failed, format!("the answer is over {} MiB", ANSWER_BYTES_MAX >> 20)));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Reply { status, body: Bytes::from(bytes) })
    }

    fn silent(&self, error: reqwest::Error) -> Failure {
        let shown =
            format!("{}://{}", self.base.scheme(), self.base.authority().rsplit('@').next().unwrap_or_default());
        let mut why = String::new();
        let error = error.without_url();
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            why.push_str(&format!(": {error}"));
            cause = error.source();
        }
        let way_out = "Is it running, and is this its [admin] listen? Name another with --admin URL";
        Failure::new(Exit::Failed, format!("no gateway answers at {shown}{why}. {way_out}"))
    }
}
