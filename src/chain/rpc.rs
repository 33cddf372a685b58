//! One node's JSON-RPC client, on our own capped transport.
//!
//! A node may be slow, broken or hostile: a call has one deadline for everything, a body is read in chunks up to a
//! limit, redirects and proxies are not followed, and errors are fixed words that never carry the URL.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{StatusCode, Url};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::config::Secret;

mod method;
mod retry_after;
pub mod socket;

pub use method::Method;
pub use retry_after::{RETRY_AFTER_MAX, RetryAfter};

/// Largest answer read, bytes. A full block's receipts stay under it.
pub const BODY_MAX: usize = 32 << 20;
/// Connect, send, and the whole answer.
pub const CALL_DEADLINE: Duration = Duration::from_secs(8);
/// Of a refusal's body so many bytes are read, to see whether a quota ran out.
const REFUSAL_MAX: usize = 4096;
/// Idle connections are closed after this, so that a moved node is resolved anew.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// What one call may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest answer, bytes.
    pub body_max: usize,
    /// Whole call.
    pub deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_max: BODY_MAX, deadline: CALL_DEADLINE }
    }
}

/// Why a call brought nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// The deadline passed.
    #[error("deadline passed")]
    Timeout,
    /// No connection: name, route, refusal or TLS.
    #[error("cannot connect")]
    Connect,
    /// The connection broke.
    #[error("connection broke")]
    Io,
    /// Throttled: HTTP 429, HTTP 503 that says when to come back, JSON-RPC -32005.
    #[error("throttled")]
    RateLimited(Option<RetryAfter>),
    /// Out of credits: HTTP 402, or a refusal that speaks of a quota of the day or month.
    #[error("quota used up")]
    Exhausted,
    /// Another HTTP status than 200.
    #[error("unexpected HTTP status")]
    Status(u16),
    /// Larger than the limit, by our count or its own (-32008).
    #[error("answer too large")]
    TooLarge,
    /// Not JSON-RPC, or another call's answer.
    #[error("not a JSON-RPC answer to this call")]
    Malformed,
    /// It does not have the method: -32601.
    #[error("method missing")]
    MethodMissing,
    /// It refused with another code.
    #[error("refused")]
    Refused(i64),
}

impl RpcError {
    /// A stable word for the metric.
    #[must_use]
    pub const fn outcome(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Io => "io",
            Self::RateLimited(_) => "rate_limited",
            Self::Exhausted => "exhausted",
            Self::Status(_) => "status",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::MethodMissing => "method_missing",
            Self::Refused(_) => "refused",
        }
    }

    /// Whether the next answer may come from another machine: what was known of the node has to be asked again.
    #[must_use]
    pub const fn lost_the_connection(self) -> bool {
        match self {
            Self::Timeout | Self::Connect | Self::Io => true,
            Self::RateLimited(_)
            | Self::Exhausted
            | Self::Status(_)
            | Self::TooLarge
            | Self::Malformed
            | Self::MethodMissing
            | Self::Refused(_) => false,
        }
    }
}

/// The URL is not one, or the TLS stack did not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// Correct the node's `url`.
    #[error("the node's url is not an http or https URL")]
    Url,
    /// The process cannot do TLS.
    #[error("the HTTP client did not start")]
    Client,
}

/// A client of one node.
pub struct Client {
    http: reqwest::Client,
    url: Url,
    limits: Limits,
    next_id: AtomicU64,
}

#[derive(Deserialize)]
struct Envelope {
    id: Value,
    #[serde(default, deserialize_with = "present")]
    result: Option<Box<RawValue>>,
    error: Option<RawError>,
}

#[derive(Deserialize)]
struct RawError {
    code: i64,
    /// Looked at for a quota and dropped: it is the node's text.
    #[serde(default)]
    message: Value,
}

/// The body of an HTTP refusal, when it is JSON-RPC.
#[derive(Deserialize)]
struct Refused {
    error: RawError,
}

/// A field that is there, even when it is null: null is an answer, a missing result is not.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

// === impl Client ===

impl Client {
    /// A client; connects on the first call.
    ///
    /// # Errors
    /// When the URL is not `http` or `https`, or TLS does not start.
    pub fn new(url: &Secret, limits: Limits) -> Result<Self, ClientError> {
        let url = Url::parse(url.expose()).map_err(|_| ClientError::Url)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(ClientError::Url);
        }
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(limits.deadline)
            .pool_idle_timeout(IDLE_MAX)
            .user_agent(concat!("tollgate/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| ClientError::Client)?;
        Ok(Self { http, url, limits, next_id: AtomicU64::new(1) })
    }

    /// One call. The result is as the node sent it; `null` is the text `null`.
    ///
    /// # Errors
    /// Everything that is not a whole JSON-RPC answer to this very call.
    pub async fn call(&self, method: Method, params: Value) -> Result<Box<RawValue>, RpcError> {
        match tokio::time::timeout(self.limits.deadline, self.exchange(method, params)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(RpcError::Timeout),
        }
    }

    async fn exchange(&self, method: Method, params: Value) -> Result<Box<RawValue>, RpcError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let call = json!({"jsonrpc": "2.0", "id": id, "method": method.as_str(), "params": params});
        let request = self.http.post(self.url.clone());
        let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let response = request.body(call.to_string()).send().await.map_err(|error| classify(&error))?;
        if response.status() != StatusCode::OK {
            return Err(refusal(response).await);
        }
        let body = read(response, self.limits.body_max).await?;
        answer(&body, id)
    }
}

async fn read(mut response: reqwest::Response, max: usize) -> Result<Vec<u8>, RpcError> {
    let announced = response.content_length().map_or(0, |n| usize::try_from(n).unwrap_or(usize::MAX));
    if max < announced {
        return Err(RpcError::TooLarge);
    }
    let mut body = Vec::with_capacity(announced);
    while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error))? {
        if max.saturating_sub(body.len()) < chunk.len() {
            return Err(RpcError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Another status than 200.
async fn refusal(response: reqwest::Response) -> RpcError {
    let asked = response.headers().get(RETRY_AFTER).and_then(|value| RetryAfter::parse(value.to_str().ok()?));
    match (response.status(), asked) {
        (StatusCode::PAYMENT_REQUIRED, _) => RpcError::Exhausted,
        (StatusCode::TOO_MANY_REQUESTS, asked) => {
            let body = read(response, REFUSAL_MAX).await.unwrap_or_default();
            match serde_json::from_slice::<Refused>(&body) {
                Ok(refused) if is_quota(&refused.error) => RpcError::Exhausted,
                Ok(_) | Err(_) => RpcError::RateLimited(asked),
            }
        }
        (StatusCode::SERVICE_UNAVAILABLE, Some(asked)) => RpcError::RateLimited(Some(asked)),
        (other, _) => RpcError::Status(other.as_u16()),
    }
}

/// Infura says "daily request count exceeded", Alchemy "Monthly capacity limit exceeded": waiting a second helps neither.
fn is_quota(error: &RawError) -> bool {
    let text = error.message.as_str().unwrap_or_default().to_ascii_lowercase();
    ["daily", "monthly"].iter().any(|word| text.contains(word))
}

/// The error's own text is dropped: it names the URL.
fn classify(error: &reqwest::Error) -> RpcError {
    if error.is_timeout() {
        RpcError::Timeout
    } else if error.is_connect() {
        RpcError::Connect
    } else {
        RpcError::Io
    }
}

fn answer(body: &[u8], id: u64) -> Result<Box<RawValue>, RpcError> {
    let envelope: Envelope = serde_json::from_slice(body).map_err(|_| RpcError::Malformed)?;
    match (envelope.error, envelope.result) {
        // Some nodes answer an error with a null id, when they refuse before they read the call.
        (Some(error), _) => Err(match error.code {
            -32005 | 429 if is_quota(&error) => RpcError::Exhausted,
            -32005 | 429 => RpcError::RateLimited(None),
            -32008 => RpcError::TooLarge,
            -32601 => RpcError::MethodMissing,
            code => RpcError::Refused(code),
        }),
        (None, Some(result)) if envelope.id == json!(id) => Ok(result),
        (None, _) => Err(RpcError::Malformed),
    }
}

#[cfg(test)]
mod tests;
