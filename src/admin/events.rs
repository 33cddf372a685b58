//! What deliveries became: events with their trace, messages and attempts.

use axum::extract::State;
use jiff::Timestamp;
use serde::Deserialize;

use super::auth::{Caller, May};
use super::envelope::{Params, Segments};
use super::problem::{Answer, Problem, ok, page, page_limit};
use super::{Api, lookup, view};
use crate::config;
use crate::ledger::{Filter, IdOf};
use crate::model::{EventId, EventState, PaymentReference};
use crate::provider::request_network::normal_request_id;

/// Query parameters of both lists; the same names as the command line's filters.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    state: Option<String>,
    code: Option<String>,
    source: Option<String>,
    provider_type: Option<String>,
    tx: Option<String>,
    payment_reference: Option<String>,
    request_id: Option<String>,
    expectation: Option<String>,
    payment: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<usize>,
    after: Option<String>,
}

impl ListQuery {
    /// The ledger's filter and the page size.
    pub(super) fn filter(self, caller: &Caller, now: Timestamp) -> Result<(Filter, usize), Problem> {
        let limit = page_limit(self.limit);
        let lower = |text: Option<String>| text.map(|text| text.to_ascii_lowercase());
        let filter = Filter {
            source: self.source,
            sources: caller.sources.clone(),
            state: self.state.map(state).transpose()?,
            code: parse("code", self.code)?,
            provider_type: self.provider_type,
            // In the forms in which claims are stored, so that every way of writing them finds them.
            request_id: self.request_id.map(|id| normal_request_id(&id)),
            payment_reference: parse::<PaymentReference>("payment_reference", self.payment_reference)?
                .map(|reference| reference.to_string()),
            tx: lower(self.tx),
            expectation: self.expectation,
            payment: self.payment,
            since_us: time("since", self.since, now)?,
            until_us: time("until", self.until, now)?,
            after: self.after,
            limit,
        };
        Ok((filter, limit))
    }
}

fn state(text: String) -> Result<EventState, Problem> {
    text.parse().map_err(|_| {
        let known: Vec<&str> = EventState::ALL.iter().map(|state| state.as_str()).collect();
        Problem::bad_request(format!("?state=: {text:?} is none of {}", known.join(", ")))
    })
}

fn parse<T: std::str::FromStr>(name: &str, text: Option<String>) -> Result<Option<T>, Problem>
where
    T::Err: std::fmt::Display,
{
    text.map(|text| text.parse().map_err(|error| Problem::bad_request(format!("?{name}=: {error}")))).transpose()
}

/// A moment, or how long ago it was.
pub(super) fn time(name: &str, text: Option<String>, now: Timestamp) -> Result<Option<i64>, Problem> {
    let read = |text: String| {
        let ago = || now.checked_sub(config::duration(&text).ok()?).ok();
        text.parse().ok().or_else(ago).map(Timestamp::as_microsecond).ok_or_else(|| {
            let wanted = "RFC 3339 such as 2026-11-20T12:00:00Z, or how long ago, such as 3h or 2d";
            Problem::bad_request(format!("?{name}=: expected {wanted}"))
        })
    };
    text.map(read).transpose()
}

/// `GET /events`
pub(super) async fn list(State(api): State<Api>, caller: Caller, Params(query): Params<ListQuery>) -> Answer {
    caller.may(May::ReadEvents)?;
    let (filter, limit) = query.filter(&caller, api.clock.now())?;
    let rows = api.ledger.events(filter).await?;
    let next = if rows.len() < limit { None } else { rows.last().map(|row| row.cursor.clone()) };
    page(&rows.iter().map(view::event).collect::<Vec<_>>(), next)
}

/// `GET /events/{id}`
pub(super) async fn show(State(api): State<Api>, caller: Caller, Segments(id): Segments<String>) -> Answer {
    caller.may(May::ReadEvents)?;
    let id = lookup::id(&api, &caller, IdOf::Event, &id).await?;
    match api.ledger.event(EventId(id)).await? {
        Some(found) if caller.sees(&found.event.facts.source) => ok(view::detail(&found)),
        Some(_) | None => Err(Problem::unknown("event")),
    }
}
