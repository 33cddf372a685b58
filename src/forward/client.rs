//! The one HTTP client of this stage. It must never follow a redirect, use a proxy from the environment, read an
//! unbounded answer or connect to an address outside the destination's reach.
//!
//! One client a destination, kept for the life of the process: its pool of open connections is what makes thousands
//! of messages a second possible.

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Response, Url};

use super::guard::{self, Reach, Refused};
use crate::config::Destination;

/// Longest wait for a connection, inside the attempt's own timeout.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Idle connections are closed before the backend does it: Node.js closes after 5 seconds, most others later. A post
/// on a connection that is just being closed is a failed attempt.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// An HTTP/2 connection carries many messages and outlives an attempt that timed out on it. When nothing comes back on it
/// for this long it is asked for a sign of life, and given up without one: else everything would go on into a line that is dead.
const PING_INTERVAL: Duration = Duration::from_secs(3);

/// How long that sign may take.
const PING_TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes of an answer that are read, so that the connection can be used again.
const ANSWER_READ_MAX: usize = 4 * 1024;

/// Bytes of an answer that are kept for the attempt's record.
const ANSWER_KEPT_MAX: usize = 1024;

/// The status decides; a slow body after it holds a slot no longer than this.
const ANSWER_PATIENCE: Duration = Duration::from_secs(1);

/// Links of an error's chain of causes that are looked at.
const CAUSES_MAX: usize = 16;

/// An answer, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Text of Retry-After.
    pub retry_after: Option<String>,
    /// Start of the body, at most 1 KiB, lossy UTF-8.
    pub body: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// The host is, or resolves to, nothing but addresses out of reach.
    Address,
    /// No answer in time.
    Timeout,
    /// No connection: unknown name, refused, unreachable.
    Connect,
    /// The handshake failed: certificate, name, protocol.
    Tls,
    /// The connection broke.
    Io,
}

impl SendError {
    /// The stable word for the attempt's record.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Io => "io",
        }
    }
}

/// A destination's URL or client that cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Not a URL that can be posted to.
    #[error("the url must be http or https with a host")]
    Url,
    /// The TLS set-up of this machine.
    #[error("the HTTP client cannot be built; are CA certificates installed? {0}")]
    Build(#[source] reqwest::Error),
}

/// Posts to one destination.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    url: Url,
    reach: Reach,
}

impl Client {
    /// Builds the client. Nothing is connected yet.
    ///
    /// # Errors
    /// [`ClientError`] when the URL is not http(s) or TLS cannot be set up.
    pub fn new(url: &str, destination: &Destination) -> Result<Self, ClientError> {
        let url = Url::parse(url).map_err(|_| ClientError::Url)?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(ClientError::Url);
        }
        let reach = Reach::of(destination);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut builder = reqwest::Client::builder();
        if !destination.tls.ca.is_empty() {
            builder = builder.tls_certs_only(destination.tls.ca.iter().cloned());
        }
        if let Some(identity) = &destination.tls.identity {
            builder = builder.identity(identity.clone());
        }
        let http = builder
            .user_agent(concat!("tollgate/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            // One attempt on record is one request on the wire.
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT.min(destination.timeout))
            .timeout(destination.timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .http2_keep_alive_while_idle(true)
            .pool_max_idle_per_host(destination.concurrency)
            .tcp_nodelay(true)
            .dns_resolver(guard::Resolver::new(reach))
            .build()
            .map_err(ClientError::Build)?;
        Ok(Self { http, url, reach })
    }

    /// Scheme, host and port, for logs: never userinfo, path or query, which may hold credentials.
    #[must_use]
    pub fn shown(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Posts once.
    ///
    /// # Errors
    /// [`SendError`] when no status came back.
    pub async fn post(&self, headers: HeaderMap, body: Bytes) -> Result<Reply, SendError> {
        guard::check_literal(self.reach, &self.url).map_err(|_| SendError::Address)?;
        let sent = self.http.post(self.url.clone()).headers(headers).body(body).send().await;
        let response = sent.map_err(|error| name(&error))?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Reply { status, retry_after, body: start_of_body(response).await })
    }
}

/// The start of an answer's body. The status is known by now, so what goes wrong here changes nothing.
async fn start_of_body(mut response: Response) -> String {
    let mut kept = Vec::new();
    let read = async {
        let mut read = 0_usize;
        while read < ANSWER_READ_MAX {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    read = read.saturating_add(chunk.len());
                    let room = ANSWER_KEPT_MAX.saturating_sub(kept.len());
                    kept.extend(chunk.iter().take(room));
                }
                Ok(None) | Err(_) => break,
            }
        }
    };
    if tokio::time::timeout(ANSWER_PATIENCE, read).await.is_err() {
        tracing::debug!("the answer's body was not read to its end");
    }
    // A replacement character is longer than the byte it stands for: cut again, on a character's border.
    let mut text = String::from_utf8_lossy(&kept).into_owned();
    text.truncate(text.floor_char_boundary(ANSWER_KEPT_MAX));
    text
}

/// Sorts a client error by what is in its chain of causes, never by its text.
fn name(error: &reqwest::Error) -> SendError {
    let (mut refused, mut handshake) = (false, false);
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    for _ in 0..CAUSES_MAX {
        let Some(cause) = next else { break };
        refused |= cause.is::<Refused>();
        let io = cause.downcast_ref::<io::Error>();
        // rustls reports what the peer got wrong as invalid data; a refused or reset connection has its own kind.
        handshake |= error.is_connect() && io.is_some_and(|io| io.kind() == io::ErrorKind::InvalidData);
        // A backend that misses our certificate says so when the handshake is over for us.
        handshake |= cause.is::<rustls::Error>();
        // An I/O error's `source` skips the error it wraps.
        next = match io.and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    if refused {
        SendError::Address
    } else if handshake {
        SendError::Tls
    } else if error.is_connect() {
        SendError::Connect
    } else if error.is_timeout() {
        SendError::Timeout
    } else {
        SendError::Io
    }
}
