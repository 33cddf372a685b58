//! What deliveries became: events with their trace, messages and attempts.

use alloy_primitives::Address;
use axum::extract::State;
use chain_config::{Chain, Registry};
use jiff::Timestamp;
use serde::Deserialize;

use super::auth::{Caller, May};
use super::envelope::{Params, Segments};
use super::problem::{Answer, Problem, ok, page, page_limit};
use super::{Api, lookup, view};
use crate::config::{self, Config};
use crate::ledger::{DeliveryView, EventView, Filter, IdOf, Page};
use crate::message::MessageType;
use crate::model::{EventId, EventState, PaymentReference};
use crate::provider::request_network::normal_request_id;

/// Longest string to look for.
const SOUGHT_MAX: usize = 512;

/// Query parameters of both lists; the same names as the command line's filters.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    state: Option<String>,
    code: Option<String>,
    source: Option<String>,
    #[serde(rename = "type")]
    message_type: Option<String>,
    account: Option<String>,
    chain: Option<String>,
    address: Option<String>,
    q: Option<String>,
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
    /// The ledger's filter.
    pub(super) fn filter(self, api: &Api, caller: &Caller) -> Result<Filter, Problem> {
        let now = api.clock.now();
        let lower = |text: Option<String>| text.map(|text| text.to_ascii_lowercase());
        Ok(Filter {
            source: self.source,
            sources: caller.sources.clone(),
            state: self.state.map(state).transpose()?,
            code: parse("code", self.code)?,
            message_type: parse::<MessageType>("type", self.message_type)?.map(|known| known.as_str().to_owned()),
            account: self.account,
            chain: self.chain.map(|name| chain(&name, &api.config)).unwrap_or_default(),
            address: parse::<Address>("address", self.address)?.map(|address| format!("{address:#x}")),
            q: self.q.map(|text| sought("q", text)).transpose()?,
            provider_type: self.provider_type,
            // In the forms in which claims are stored, so that every way of writing them finds them.
            request_id: self.request_id.map(|id| normal_request_id(&id)),
            payment_reference: parse::<PaymentReference>("payment_reference", self.payment_reference)?
                .map(|reference| reference.to_string()),
            tx: lower(self.tx),
            expectation: self.expectation,
            payment: self.payment,
            paid: false,
            since_us: time("since", self.since, now)?,
            until_us: time("until", self.until, now)?,
            after: self.after,
            limit: page_limit(self.limit),
        })
    }
}

/// A string to look for, of a length that ids have.
pub(super) fn sought(name: &str, text: String) -> Result<String, Problem> {
    if text.trim().is_empty() || text.len() > SOUGHT_MAX {
        return Err(Problem::bad_request(format!("?{name}=: give an id, a hash, a reference or a key")));
    }
    Ok(text)
}

/// Every way in which a claim or a transfer may name the chain.
fn chain(name: &str, config: &Config) -> Vec<String> {
    let name = name.trim().to_ascii_lowercase();
    let configured = config.chains.values().map(|active| names(&active.chain)).find(|names| names.contains(&name));
    // Switched off, or a folder that is looked at without its configuration.
    let built_in = || {
        let registry = Registry::builtin().ok()?;
        registry.chains().map(names).find(|names| names.contains(&name))
    };
    configured.or_else(built_in).unwrap_or_else(|| vec![name])
}

fn names(chain: &Chain) -> Vec<String> {
    let of_providers = chain.names.request_network.iter().chain(&chain.names.stripe);
    let mut all: Vec<String> = of_providers.map(|name| name.to_ascii_lowercase()).collect();
    all.extend([chain.name.to_ascii_lowercase(), chain.chain_id.to_string()]);
    all.sort();
    all.dedup();
    all
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

/// Looks on while a page that looked at enough rows found nothing: nobody expects an empty page that is not the last.
const LOOKS: usize = 20;

/// A page of events.
pub(super) async fn page_of(api: &Api, mut filter: Filter) -> Result<Page<EventView>, Problem> {
    let mut page = api.ledger.events(filter.clone()).await?;
    for _ in 1..LOOKS {
        if !page.items.is_empty() || page.next.is_none() {
            break;
        }
        filter.after = page.next.take();
        page = api.ledger.events(filter.clone()).await?;
    }
    Ok(page)
}

/// A page of deliveries.
pub(super) async fn deliveries_of(api: &Api, mut filter: Filter) -> Result<Page<DeliveryView>, Problem> {
    let mut page = api.ledger.deliveries(filter.clone()).await?;
    for _ in 1..LOOKS {
        if !page.items.is_empty() || page.next.is_none() {
            break;
        }
        filter.after = page.next.take();
        page = api.ledger.deliveries(filter.clone()).await?;
    }
    Ok(page)
}

/// `GET /events`
pub(super) async fn list(State(api): State<Api>, caller: Caller, Params(query): Params<ListQuery>) -> Answer {
    caller.may(May::ReadEvents)?;
    let filter = query.filter(&api, &caller)?;
    let rows = page_of(&api, filter).await?;
    page(&rows.iter().map(view::event).collect::<Vec<_>>(), rows.next)
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
