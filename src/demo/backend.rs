//! The core backend of the demo: checks our signature, drops what it has seen, remembers the rest.
//!
//! It does what the README asks of a receiver and nothing more, and it complains about a second event for one
//! payment instead of dropping it silently.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::digest::{Algorithm, HmacKey};
use crate::task::{self, Wake};

/// Body bytes it takes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// The backend. Cloning shares what it saw.
#[derive(Clone)]
pub struct Backend(Arc<Inner>);

struct Inner {
    keys: Vec<HmacKey>,
    seen: Mutex<Seen>,
    changed: Wake,
}

/// What arrived.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Messages by first arrival.
    pub messages: Vec<Value>,
    /// Copies of a known `webhook-id`.
    pub duplicates: usize,
    /// What must never happen: a wrong signature, two events for one payment.
    pub violations: Vec<String>,
    ids: HashSet<String>,
    payments: HashMap<String, String>,
}

impl Backend {
    /// Listens on a free loopback port. `secret` is the `whsec_` text of the destination.
    ///
    /// # Errors
    /// When no port can be bound or the secret is no Standard Webhooks secret.
    pub async fn start(secret: &str) -> std::io::Result<(Self, SocketAddr)> {
        let key = secret
            .strip_prefix("whsec_")
            .and_then(|text| STANDARD.decode(text).ok())
            .ok_or_else(|| std::io::Error::other("the secret is not whsec_ and base64"))?;
        let backend = Self(Arc::new(Inner {
            keys: vec![HmacKey::new(Algorithm::Sha256, &key)],
            seen: Mutex::default(),
            changed: Wake::default(),
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .route("/webhooks", post(receive))
            .layer(axum::extract::DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(backend.clone());
        drop(task::spawn("demo-backend", async move { axum::serve(listener, router).await }));
        Ok((backend, address))
    }

    /// A copy of what arrived.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the next arrival, at most `patience`.
    pub async fn wait(&self, patience: std::time::Duration) {
        self.0.changed.wait(patience).await;
    }

    fn take(&self, headers: &HeaderMap, body: &[u8]) -> StatusCode {
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(id) = self.verified_id(headers, body) else {
            seen.violations.push("a message with a wrong signature".to_owned());
            return StatusCode::UNAUTHORIZED;
        };
        if !seen.ids.insert(id) {
            seen.duplicates += 1;
            return StatusCode::NO_CONTENT;
        }
        let Ok(message) = serde_json::from_slice::<Value>(body) else {
            seen.violations.push("a message that is not JSON".to_owned());
            return StatusCode::BAD_REQUEST;
        };
        let text = |path: &str| message.pointer(path).and_then(Value::as_str).map(str::to_owned);
        if let (Some(payment), Some(event)) = (text("/data/payment_id"), text("/data/event_id")) {
            let first = seen.payments.entry(payment.clone()).or_insert_with(|| event.clone()).clone();
            if first != event {
                seen.violations.push(format!("payment {payment} came as events {first} and {event}"));
            }
        }
        seen.messages.push(message);
        StatusCode::NO_CONTENT
    }

    /// Standard Webhooks: HMAC-SHA256 over `{id}.{timestamp}.{body}`, any `v1` entry may match.
    fn verified_id(&self, headers: &HeaderMap, body: &[u8]) -> Option<String> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let (id, timestamp) = (text("webhook-id")?, text("webhook-timestamp")?);
        let matches = text("webhook-signature")?.split(' ').filter_map(|entry| entry.strip_prefix("v1,")).any(|tag| {
            STANDARD.decode(tag).is_ok_and(|tag| {
                let signed: [&[u8]; 5] = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
                self.0.keys.iter().any(|key| key.verify(&signed, &tag))
            })
        });
        matches.then(|| id.to_owned())
    }
}

async fn receive(State(backend): State<Backend>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let status = backend.take(&headers, &body);
    backend.0.changed.wake();
    status
}
