//! Calls from outside: as a provider, as an operator.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tollgate::config::Provider;
use tollgate::provider::sign;

/// One request. As long as anything that should happen may take: a busy machine is no failure.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Text at a JSON pointer; empty when there is none.
    pub(crate) fn text(&self, pointer: &str) -> String {
        self.json().pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// The id of a stored delivery.
    pub(crate) fn delivery_id(&self) -> String {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.text("/data/delivery_id")
    }

    /// The envelope's error code.
    pub(crate) fn code(&self) -> String {
        self.text("/error/code")
    }
}

/// A client without proxies or redirects.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .expect("a client")
}

/// Sends and reads the whole answer; an error is a transport failure.
pub(crate) async fn send(request: reqwest::RequestBuilder) -> Result<Reply, reqwest::Error> {
    let mut response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
    }
    Ok(Reply { status, headers, body })
}

/// A request signed as the provider would, now.
pub(crate) fn signed(
    client: &reqwest::Client,
    url: &str,
    provider: &Provider,
    secret: &str,
    body: &[u8],
) -> reqwest::RequestBuilder {
    let id = uuid::Uuid::now_v7().simple().to_string();
    let mut request = client.post(url).header("content-type", "application/json").body(body.to_vec());
    for (name, value) in sign::headers(provider, secret, body, now(), &id) {
        request = request.header(name, value);
    }
    request
}

/// The wall clock: what is under test reads the same one.
pub(crate) fn now() -> Timestamp {
    tollgate::clock::Clock::system().now()
}
