//! A message sent at once because an operator asks: beside the outbox, the lanes, the pace and the breaker, and into no
//! record of theirs. It goes the way of every attempt otherwise: same client, same keys, same judgement.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Line;
use crate::forward::advice::to_check;
use crate::forward::classify::{Class, classify};
use crate::forward::client::{Reply, SendError};
use crate::model::WebhookId;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Scheme, host and port that it went to.
    pub to: String,
    /// Whether the backend took it.
    pub taken: bool,
    /// The word of an attempt's record.
    pub outcome: &'static str,
    /// The answer's status; none without an answer.
    pub status: Option<u16>,
    /// From the first byte to the end of the answer.
    pub latency_ms: u64,
    /// Start of the answer's body.
    pub response: String,
    /// What to check; none when it was taken.
    pub to_check: Option<&'static str>,
}

/// Why nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoTrial {
    /// Nothing is posted there.
    #[error("the destination has no url: the backend pulls its messages")]
    PullOnly,
    /// One at a time.
    #[error("a test is under way at this destination: wait for its end")]
    Busy,
}

/// Every destination that messages are posted to.
#[derive(Clone)]
pub struct Trials(Arc<BTreeMap<String, Place>>);

struct Place {
    line: Arc<Line>,
    /// Held while a test is under way.
    busy: Mutex<()>,
}

impl Trials {
    pub(super) fn of<'l>(lines: impl Iterator<Item = &'l Arc<Line>>) -> Self {
        let place = |line: &Arc<Line>| Place { line: Arc::clone(line), busy: Mutex::new(()) };
        Self(Arc::new(lines.map(|line| (line.name.clone(), place(line))).collect()))
    }

    /// Posts these bytes once.
    ///
    /// # Errors
    /// [`NoTrial`] says why nothing was sent.
    pub async fn post(&self, destination: &str, id: WebhookId, body: Vec<u8>) -> Result<Trial, NoTrial> {
        let Place { line, busy } = self.0.get(destination).ok_or(NoTrial::PullOnly)?;
        let _only = busy.try_lock().map_err(|_| NoTrial::Busy)?;
        let (began, body) = (Instant::now(), Bytes::from(body));
        let answer = match line.signer.headers(id, line.clock.now(), &body) {
            Ok(headers) => line.client.post(headers, body).await,
            Err(_) => Err(SendError::Io),
        };
        let took = began.elapsed();
        let (status, retry_after, response) = match answer {
            Ok(Reply { status, retry_after, body }) => (Ok(status), retry_after, body),
            Err(error) => (Err(error), None, String::new()),
        };
        let judged = classify(status, retry_after.as_deref(), &line.accept, line.clock.now());
        Ok(Trial {
            to: line.client.shown(),
            taken: judged.class == Class::Delivered,
            outcome: judged.outcome,
            status: status.ok(),
            latency_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            response,
            to_check: to_check(judged, status.ok()),
        })
    }
}
