//! The feed: what push sends, taken by the backend in its own time, in the order in which it was decided.

use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::Api;
use super::auth::{Caller, May};
use super::envelope::{Body, Params};
use super::problem::{Answer, Problem, ok, page_limit};
use crate::config::{self, DEFAULT_DESTINATION};
use crate::ledger::{FeedAck, FeedItem, FeedPage, FeedRead, LedgerError, LedgerIdentity};
use crate::message::MessageType;
use crate::model::WebhookId;

/// Longest that a request may wait for a message.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Most messages of one acknowledgement.
const ACKS_MAX: usize = 500;

/// How often a waiting request looks.
const POLL: Duration = Duration::from_millis(250);

/// Query of the feed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    after: Option<String>,
    limit: Option<usize>,
    wait: Option<String>,
    types: Option<String>,
    destination: Option<String>,
}

/// `GET /feed`
pub(super) async fn read(State(api): State<Api>, caller: Caller, Params(query): Params<Query>) -> Answer {
    caller.may(May::ReadFeed)?;
    let identity = api.ledger.identity().await?;
    let destination = destination(&api, query.destination)?;
    let wait = query.wait.map(|text| config::duration(&text)).transpose();
    let wait = wait.map_err(|error| Problem::bad_request(format!("?wait=: {error}")))?.unwrap_or_default();
    let after = query.after.map(|text| position(&text, identity)).transpose()?.unwrap_or_default();
    let mut read = FeedRead {
        destination,
        types: types(query.types.as_deref())?,
        sources: caller.sources.clone(),
        after,
        limit: page_limit(query.limit),
        now_us: 0,
        anchor_since_us: 0,
    };
    let until = Instant::now() + wait.min(WAIT_MAX);
    let mut stopping = api.draining.clone();
    loop {
        read.now_us = api.clock.now().as_microsecond();
        let age_us = i64::try_from(api.config.anchor_age().as_micros()).unwrap_or(i64::MAX);
        read.anchor_since_us = read.now_us.saturating_sub(age_us);
        let page = match api.ledger.feed(read.clone()).await {
            // Right in its form, and nobody was ever given it.
            Err(LedgerError::BadCursor(_)) => return Err(Problem::expired_cursor()),
            answered => answered?,
        };
        if page.anchor_stale {
            api.wakes.verify.wake();
        }
        if !page.items.is_empty() || Instant::now() >= until || stopping.is_set() {
            return Ok(answer(&page, identity));
        }
        read.after = page.next;
        drop(tokio::time::timeout(POLL, stopping.wait()).await);
    }
}

/// A folder that is looked at without its configuration knows no destination, and has no backend either.
fn destination(api: &Api, named: Option<String>) -> Result<String, Problem> {
    let destination = named.unwrap_or_else(|| DEFAULT_DESTINATION.to_owned());
    if api.config.destinations.contains_key(&destination) {
        return Ok(destination);
    }
    Err(Problem::unknown(&format!("destination as {destination:?}; see [forward] in the configuration")))
}

/// What the backend has stored.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ack {
    webhook_ids: Vec<String>,
    destination: Option<String>,
}

/// `POST /feed/ack`
pub(super) async fn acknowledge(State(api): State<Api>, caller: Caller, Body(body): Body) -> Answer {
    caller.may(May::ReadFeed)?;
    let ack: Ack = serde_json::from_slice(&body)
        .map_err(|error| Problem::bad_request(format!("expected {{\"webhook_ids\": [\"…\"]}}: {error}")))?;
    if ack.webhook_ids.len() > ACKS_MAX {
        return Err(Problem::bad_request(format!("at most {ACKS_MAX} webhook_ids at once")));
    }
    let ids = ack.webhook_ids.iter().map(|id| {
        id.parse::<WebhookId>().map_err(|error| Problem::bad_request(format!("{id:?} is no webhook id: {error}")))
    });
    let ack = FeedAck {
        webhook_ids: ids.collect::<Result<_, _>>()?,
        destination: destination(&api, ack.destination)?,
        sources: caller.sources.clone(),
        now_us: api.clock.now().as_microsecond(),
    };
    let acked = api.ledger.acknowledge(ack).await?;
    // Lanes go on.
    api.wakes.forward.wake();
    let shown = |ids: &[WebhookId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    ok(json!({
        "delivered": shown(&acked.delivered),
        "repeated": shown(&acked.repeated),
        "refused": shown(&acked.refused),
    }))
}

fn types(text: Option<&str>) -> Result<Vec<String>, Problem> {
    let named = text.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
    let known = named.map(|name| {
        let read = name.parse::<MessageType>();
        read.map(|known| known.as_str().to_owned()).map_err(|error| Problem::bad_request(format!("?types=: {error}")))
    });
    known.collect()
}

/// A position of this ledger in this epoch: after a restore or a rebuild positions are given anew.
fn cursor(seq: u64, identity: LedgerIdentity) -> String {
    format!("{}.{}.{seq}", identity.ledger_id.simple(), identity.epoch)
}

fn position(text: &str, identity: LedgerIdentity) -> Result<u64, Problem> {
    let mut parts = text.split('.');
    let (Some(ledger), Some(epoch), Some(seq), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(Problem::bad_request(format!("?after=: {text:?} is no cursor: take `next` of the last page")));
    };
    let seq = seq.parse().map_err(|_| Problem::bad_request(format!("?after=: {text:?} is no cursor")))?;
    if ledger != identity.ledger_id.simple().to_string() || epoch != identity.epoch.to_string() {
        return Err(Problem::expired_cursor());
    }
    Ok(seq)
}

/// The envelope, with each message's bytes as they are: what was signed and sent is not parsed and written anew.
fn answer(page: &FeedPage, identity: LedgerIdentity) -> axum::response::Response {
    let mut body = br#"{"success":true,"data":{"items":["#.to_vec();
    for (at, FeedItem { seq, webhook_id, body: message, .. }) in page.items.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        // Cursor and id are digits, dots and dashes.
        let head = format!(r#"{{"cursor":"{}","webhook_id":"{webhook_id}","message":"#, cursor(*seq, identity));
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(message);
        body.push(b'}');
    }
    body.extend_from_slice(format!(r#"],"next":"{}"}}}}"#, cursor(page.next, identity)).as_bytes());
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
