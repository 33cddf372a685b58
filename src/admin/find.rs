//! One string, and everything stored that is known by it.

use axum::extract::State;
use serde::Deserialize;
use serde_json::json;

use super::auth::{Caller, May};
use super::envelope::Params;
use super::problem::{Answer, ok};
use super::{Api, events, expectations, view};
use crate::ledger::{Filter, Sought};

/// Most of each kind that are shown; lists with the same `q` show them all.
const SHOWN: usize = 50;

/// Query of `find`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    q: String,
}

/// `GET /find?q=`: transaction, address, reference, request id, the provider's event and object ids, expectation,
/// delivery, event, payment or webhook id. Deliveries only for those who may see them.
pub(super) async fn find(State(api): State<Api>, caller: Caller, Params(Query { q }): Params<Query>) -> Answer {
    caller.may(May::ReadEvents)?;
    let q = events::sought("q", q)?;
    let filter = Filter { q: Some(q.clone()), sources: caller.sources.clone(), limit: SHOWN, ..Filter::default() };
    let events = events::page_of(&api, filter.clone()).await?;
    let deliveries = match caller.may(May::ReadDeliveries) {
        Ok(()) => Some(events::deliveries_of(&api, filter).await?),
        Err(_) => None,
    };
    let mut expected = api.ledger.expectations_for(Sought::of(&q), SHOWN).await?;
    expected.retain(|row| expectations::sees(&api, &caller, &row.stored.terms));
    let more = events.next.is_some() || deliveries.as_ref().is_some_and(|page| page.next.is_some());
    ok(json!({
        "q": q,
        "events": events.iter().map(view::event).collect::<Vec<_>>(),
        "deliveries": deliveries.iter().flat_map(|page| page.iter()).map(view::delivery).collect::<Vec<_>>(),
        "expectations": expected.iter().map(view::expectation).collect::<Vec<_>>(),
        "more": more,
    }))
}
