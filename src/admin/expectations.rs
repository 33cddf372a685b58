//! What the backend expects: put, show, list, cancel.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::auth::{Caller, May};
use super::envelope::{Body, Params, Segments};
use super::problem::{Answer, Problem, ok, page, page_limit, success};
use super::{Api, view};
use crate::ledger::{CancelOutcome, ExpectationView, PutExpectation, PutOutcome};
use crate::model::Expectation;

mod terms;

/// `PUT /expectations/{id}`: 201 new, 200 the same or replaced while nothing is claimed, else 409.
pub(super) async fn put(
    State(api): State<Api>,
    caller: Caller,
    Segments(id): Segments<String>,
    Body(body): Body,
) -> Answer {
    caller.may(May::WriteExpectations)?;
    let terms = terms::read(&id, &body, &api.config, |source| caller.sees(source)).map_err(refuse)?;
    // Another source's expectation is neither replaced nor shown.
    if api.ledger.expectation(&id).await?.is_some_and(|known| !sees(&api, &caller, &known.stored.terms)) {
        return Err(Problem::conflict("the id is taken; put the terms under another id"));
    }
    let (by, now_us) = (caller.who().into(), api.clock.now().as_microsecond());
    let outcome = api.ledger.put_expectation(PutExpectation { terms, by, now_us }).await?;
    let (status, stored) = match outcome {
        PutOutcome::Created(stored) => (StatusCode::CREATED, stored),
        PutOutcome::Same(stored) | PutOutcome::Replaced(stored) => (StatusCode::OK, stored),
        PutOutcome::Claimed(stored) => {
            return Err(Problem::conflict("a payment was claimed under other terms; put the new terms under a new id")
                .with_details(json!({"expectation": view::expectation(&stored)})));
        }
        PutOutcome::KeyTaken(other) => {
            return Err(Problem::conflict("another open expectation has this key; cancel it first")
                .with_details(json!({"expectation": other})));
        }
    };
    tracing::info!(token = caller.name, expectation_id = id, status = status.as_u16(), "expectation put");
    api.wakes.verify.wake();
    Ok(success(status, view::expectation(&stored)))
}

fn refuse(problems: terms::Problems) -> Problem {
    let fields: Vec<_> = problems.list.iter().map(|(field, what)| json!({"field": field, "problem": what})).collect();
    Problem::invalid(problems.code, "the expectation cannot be taken; see details.problems")
        .with_details(json!({"problems": fields}))
}

/// `GET /expectations/{id}`
pub(super) async fn show(State(api): State<Api>, caller: Caller, Segments(id): Segments<String>) -> Answer {
    caller.may(May::ReadExpectations)?;
    match api.ledger.expectation(&id).await? {
        Some(stored) if sees(&api, &caller, &stored.stored.terms) => ok(view::expectation(&stored)),
        Some(_) | None => Err(Problem::unknown("expectation")),
    }
}

/// `DELETE /expectations/{id}`: while nothing is claimed.
pub(super) async fn cancel(State(api): State<Api>, caller: Caller, Segments(id): Segments<String>) -> Answer {
    caller.may(May::WriteExpectations)?;
    match api.ledger.expectation(&id).await? {
        Some(stored) if sees(&api, &caller, &stored.stored.terms) => {}
        Some(_) | None => return Err(Problem::unknown("expectation")),
    }
    match api.ledger.cancel_expectation(&id, caller.who().into(), api.clock.now().as_microsecond()).await? {
        CancelOutcome::Cancelled(stored) => {
            tracing::info!(token = caller.name, expectation_id = id, "expectation cancelled");
            ok(view::expectation(&stored))
        }
        CancelOutcome::Claimed(stored) => Err(Problem::conflict("a payment was claimed; it cannot be cancelled")
            .with_details(json!({"expectation": view::expectation(&stored)}))),
        CancelOutcome::Unknown => Err(Problem::unknown("expectation")),
    }
}

/// Query of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    limit: Option<usize>,
    after: Option<String>,
}

/// `GET /expectations`, by id.
pub(super) async fn list(State(api): State<Api>, caller: Caller, Params(query): Params<ListQuery>) -> Answer {
    caller.may(May::ReadExpectations)?;
    let limit = page_limit(query.limit);
    let rows = api.ledger.expectations(query.after, limit).await?;
    let next = if rows.len() < limit { None } else { rows.last().map(|row| row.stored.terms.id.clone()) };
    let seen: Vec<&ExpectationView> = rows.iter().filter(|row| sees(&api, &caller, &row.stored.terms)).collect();
    page(&seen.into_iter().map(view::expectation).collect::<Vec<_>>(), next)
}

/// A token limited to sources sees the expectations of their realms.
pub(super) fn sees(api: &Api, caller: &Caller, terms: &Expectation) -> bool {
    caller.sources.is_empty()
        || api.config.sources.iter().any(|source| source.realm == terms.realm && caller.sees(&source.name))
}
