//! The round's notebook: what was posted, what came of it, whether that is what ought to come of it.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::backend::Backend;
use super::devnet::Devnet;
use super::gateway::{Gateway, Reply, Sender};

/// How long an outcome may take; the local chain is fast and the machine may not be.
const OUTCOME_MAX: Duration = Duration::from_secs(30);
/// Between looks.
const LOOK: Duration = Duration::from_millis(100);
/// Blocks on top of a payment, so that the demo's two confirmations are there.
const BLOCKS_ON_TOP: u64 = 2;

/// One line of the report.
#[derive(Debug, Clone)]
pub struct Row {
    /// What was done.
    pub story: &'static str,
    /// What ought to come of it.
    pub expected: String,
    /// What came of it.
    pub happened: String,
    /// Why, in the gateway's own words.
    pub why: String,
}

impl Row {
    /// Whether it came as it ought to.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.expected == self.happened
    }
}

/// Everything a story needs, and the report it writes to.
pub struct Round {
    /// The chain.
    pub net: Devnet,
    /// The gateway.
    pub gateway: Gateway,
    /// Where messages arrive.
    pub backend: Backend,
    /// The report so far.
    pub rows: Vec<Row>,
}

impl Round {
    /// Registers what ought to be paid.
    ///
    /// # Errors
    /// When the gateway does not take it.
    pub async fn expect(&self, id: &str, terms: &Value) -> anyhow::Result<()> {
        let reply = self.gateway.api(Method::PUT, &format!("/expectations/{id}"), Some(terms)).await?;
        anyhow::ensure!(reply.status == 201, "the expectation {id} was answered {}: {}", reply.status, reply.body);
        Ok(())
    }

    /// Posts a webhook that ought to be stored, after enough blocks for what it claims.
    ///
    /// # Errors
    /// When it is answered with anything but 200.
    pub async fn deliver(&self, sender: Sender, body: &Value) -> anyhow::Result<String> {
        self.net.mine(BLOCKS_ON_TOP).await?;
        let reply = self.gateway.post(sender, body, &[]).await?;
        delivery_id(&reply)
    }

    /// Waits until the event of a delivery is in one of the states, and notes it.
    ///
    /// # Errors
    /// When the admin API does not answer.
    pub async fn note_event(
        &mut self,
        story: &'static str,
        delivery: &str,
        states: &[&str],
        code: &str,
    ) -> anyhow::Result<()> {
        let event = self.event_of(delivery, |event| {
            let is = |field: &str| event.get(field).and_then(Value::as_str).unwrap_or_default();
            states.contains(&is("state")) && is("code") == code
        });
        let event = event.await?;
        let text = |field: &str| event.get(field).and_then(Value::as_str).unwrap_or("-").to_owned();
        let state = text("state");
        let settled = states.first().copied().unwrap_or_default();
        let shown = if states.contains(&state.as_str()) { settled } else { &state };
        self.rows.push(Row {
            story,
            expected: format!("{settled} {code}"),
            happened: format!("{shown} {}", text("code")),
            why: why(&event),
        });
        Ok(())
    }

    /// Waits until the backend has a message about this delivery's event with this type, and notes it.
    ///
    /// # Errors
    /// When the admin API does not answer.
    pub async fn note_message(
        &mut self,
        story: &'static str,
        delivery: &str,
        message_type: &str,
        code: &str,
    ) -> anyhow::Result<()> {
        let event = self.event_of(delivery, |event| !event.get("event_id").is_none_or(Value::is_null)).await?;
        let id = event.get("event_id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let deadline = tokio::time::Instant::now() + OUTCOME_MAX;
        let found = loop {
            let found = self.message_of(&id, message_type);
            if found.is_some() || deadline < tokio::time::Instant::now() {
                break found;
            }
            self.backend.wait(LOOK).await;
        };
        let now = self.event_of(delivery, |_| true).await?;
        let stuck = |name: &str| now.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
        let happened = match &found {
            Some(message) => format!("{message_type} {}", at(message, "/data/verification/code")),
            None => format!("no message: {} {}", stuck("state"), stuck("code")),
        };
        let why = found.as_ref().map_or_else(|| why(&now), sums);
        self.rows.push(Row { story, expected: format!("{message_type} {code}"), happened, why });
        Ok(())
    }

    /// Notes an answer of the public listener.
    pub fn note_reply(&mut self, story: &'static str, reply: &Reply, expected: &str, why: &str) {
        let happened = format!("{} {}", reply.status, reply.code()).trim_end().to_owned();
        self.rows.push(Row { story, expected: expected.to_owned(), happened, why: why.to_owned() });
    }

    /// Notes that a delivery joined a known event and sent nothing.
    ///
    /// # Errors
    /// When the admin API does not answer.
    pub async fn note_same(&mut self, story: &'static str, delivery: &str, first: &str) -> anyhow::Result<()> {
        let id = |event: &Value| event.get("event_id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let known = |event: &Value| !event.get("event_id").is_none_or(Value::is_null);
        let (one, other) = (self.event_of(first, known).await?, self.event_of(delivery, known).await?);
        let messages = self.messages_of(&id(&one));
        let happened = if id(&one) == id(&other) { "same event" } else { "another event" };
        self.rows.push(Row {
            story,
            expected: "same event, 1 message".to_owned(),
            happened: format!("{happened}, {messages} message{}", if messages == 1 { "" } else { "s" }),
            why: "identity comes from signed bytes, not from the delivery id".to_owned(),
        });
        Ok(())
    }

    fn message_of(&self, event: &str, message_type: &str) -> Option<Value> {
        let mut seen = self.backend.seen().messages.into_iter();
        seen.find(|m| at(m, "/data/event_id") == event && at(m, "/type") == message_type)
    }

    fn messages_of(&self, event: &str) -> usize {
        self.backend.seen().messages.iter().filter(|message| at(message, "/data/event_id") == event).count()
    }

    /// The delivery's event once `done` says so, or as it is when patience ends.
    async fn event_of(&self, delivery: &str, done: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let deadline = tokio::time::Instant::now() + OUTCOME_MAX;
        loop {
            let shown = self.gateway.api(Method::GET, &format!("/deliveries/{delivery}"), None).await?;
            let event = match shown.body.pointer("/data/event_id").and_then(Value::as_str) {
                Some(id) => {
                    let mut reply = self.gateway.api(Method::GET, &format!("/events/{id}"), None).await?;
                    reply.body.get_mut("data").map(Value::take).unwrap_or_default()
                }
                None => Value::Null,
            };
            if done(&event) || deadline < tokio::time::Instant::now() {
                return Ok(event);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The id in the envelope of a 200.
///
/// # Errors
/// For any other answer.
pub fn delivery_id(reply: &Reply) -> anyhow::Result<String> {
    match reply.body.pointer("/data/delivery_id").and_then(Value::as_str) {
        Some(id) if reply.status == 200 => Ok(id.to_owned()),
        Some(_) | None => anyhow::bail!("a webhook was answered {}: {}", reply.status, reply.body),
    }
}

fn at<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// The first check that did not pass, from the newest decision in the trace.
fn why(event: &Value) -> String {
    let trace = event.get("trace").and_then(Value::as_array).cloned().unwrap_or_default();
    let checks = trace.iter().rev().find_map(|entry| entry.pointer("/detail/checks").and_then(Value::as_array));
    let failed = checks.into_iter().flatten().find(|check| at(check, "/outcome") != "pass");
    match failed {
        Some(check) => {
            format!("{}: expected {}, found {}", at(check, "/name"), at(check, "/expected"), at(check, "/actual"))
        }
        None => String::new(),
    }
}

/// What a payment message says about the money.
fn sums(message: &Value) -> String {
    let block = |path: &str| at(message, path);
    if block("/data/expectation/id").is_empty() {
        return format!("assurance {}", block("/data/verification/assurance"));
    }
    format!(
        "{} {} for {}: received {} of {}",
        block("/data/payment/amount"),
        block("/data/payment/token/symbol"),
        block("/data/expectation/id"),
        block("/data/expectation/received"),
        block("/data/expectation/expected"),
    )
}
