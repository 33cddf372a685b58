//! Payments: events that proved money, with what they claimed and the evidence of the chain; and a transaction judged
//! by hand, which writes nothing unless an operator submits it.

use std::sync::Arc;

use axum::extract::State;
use chain_config::Chain;
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::{Caller, May};
use super::envelope::{Body, Params, Segments};
use super::events::{self, ListQuery};
use super::problem::{Answer, Problem, ok, page};
use super::{Api, Asked, Submission, lookup, pauses, view};
use crate::config::Source;
use crate::ledger::{ChainEvidence, StoredExpectation, Who};
use crate::model::{EventId, PaymentReference};
use crate::task;

/// Bytes of a transaction's hash.
const HASH_BYTES: usize = 32;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    /// Name or number of an active chain.
    chain: String,
    tx: String,
    /// Its id.
    expectation: Option<String>,
    /// What binds the payment, where the expectation does not say.
    payment_reference: Option<String>,
    /// Whether to make an event of it when it is proven money for the expectation.
    #[serde(default)]
    submit: bool,
    /// Why, for the audit.
    reason: Option<String>,
}

/// `GET /payments`: events that are a payment; the filters of `GET /events`.
pub(super) async fn list(State(api): State<Api>, caller: Caller, Params(query): Params<ListQuery>) -> Answer {
    caller.may(May::ReadEvents)?;
    let mut filter = query.filter(&api, &caller)?;
    filter.paid = true;
    let rows = events::page_of(&api, filter).await?;
    page(&rows.iter().map(view::event).collect::<Vec<_>>(), rows.next)
}

/// `GET /payments/{id}`: by `pay_` id, event id or transaction, or the beginning of one that only one has.
pub(super) async fn show(State(api): State<Api>, caller: Caller, Segments(id): Segments<String>) -> Answer {
    caller.may(May::ReadEvents)?;
    let event = EventId(lookup::payment(&api, &caller, &id).await?);
    let Some(found) = api.ledger.event(event).await? else { return Err(Problem::unknown("payment")) };
    if !caller.sees(&found.event.facts.source) {
        return Err(Problem::unknown("payment"));
    }
    if found.event.payment_id.is_none() {
        return Err(Problem::unknown("payment").saying(&format!("; no money was proven for the event {event}")));
    }
    let mut shown = view::detail(&found);
    if let Value::Object(fields) = &mut shown {
        let evidence = api.ledger.chain_evidence(event).await?;
        fields.insert("evidence".into(), evidence.iter().map(bundle).collect());
    }
    ok(shown)
}

/// What proved it in one block.
fn bundle(evidence: &ChainEvidence) -> Value {
    let bundle = serde_json::from_str::<Value>(&evidence.bundle);
    json!({
        "block_hash": format!("0x{}", hex::encode(&evidence.block_hash)),
        "at": view::time(evidence.at_us),
        "bundle": bundle.unwrap_or(Value::Null),
    })
}

/// `POST /payments/check`
pub(super) async fn check(State(api): State<Api>, caller: Caller, Body(body): Body) -> Answer {
    caller.may(May::CheckPayments)?;
    caller.is_unlimited()?;
    let asked: Check = serde_json::from_slice(&body).map_err(|error| {
        Problem::bad_request(format!(
            "expected {{\"chain\": \"base\", \"tx\": \"0x…\", \"expectation\": \"…\"}}: {error}"
        ))
    })?;
    if asked.submit {
        caller.may(May::Operate)?;
        if asked.expectation.is_none() {
            return Err(Problem::bad_request("submit: name the expectation that it pays"));
        }
    }
    let active = api.config.chains.iter().find(|(name, active)| is_called(name, &active.chain, &asked.chain));
    let Some((chain, active)) = active else {
        let known: Vec<&String> = api.config.chains.keys().collect();
        return Err(Problem::unknown("active chain").with_details(json!({"known": known})));
    };
    let bytes: Option<[u8; HASH_BYTES]> =
        hex::decode(asked.tx.trim().trim_start_matches("0x")).ok().and_then(|bytes| bytes.try_into().ok());
    let tx_hash = bytes.ok_or_else(|| Problem::bad_request("tx: 32 bytes in hexadecimal, 0x…"))?.into();
    let expectation = match &asked.expectation {
        None => None,
        Some(id) => Some(api.ledger.expectation(id).await?.ok_or_else(|| Problem::unknown("expectation"))?.stored),
    };
    let reference = asked.payment_reference.as_deref().map(str::parse::<PaymentReference>).transpose();
    let payment_reference = reference.map_err(|error| Problem::bad_request(format!("payment_reference: {error}")))?;
    let is_bound = expectation.is_some() || payment_reference.is_some();
    let source = source(&api, expectation.as_ref()).map(|source| source.name.clone());
    let (submits, reason) = (asked.submit, asked.reason);
    let asked = Asked { chain: chain.clone(), tx_hash, source, expectation, payment_reference };
    if submits {
        return submit(&api, &caller, asked, pauses::reason(reason)?).await;
    }
    let mut judged = api.verification.judge(asked).await?;
    if let Value::Object(fields) = &mut judged {
        fields.insert("chain_id".into(), active.chain.chain_id.into());
        let hint = "name an expectation or a payment reference: what a transaction is worth to you depends on what you \
             expect of it";
        fields.insert("hint".into(), if is_bound { Value::Null } else { hint.into() });
    }
    ok(judged)
}

/// Makes an event of it; what is judged anew and sent is verification's to say.
async fn submit(api: &Api, caller: &Caller, asked: Asked, reason: Option<String>) -> Answer {
    let (who, tx_hash) = (caller.who(), asked.tx_hash);
    let by = Who { name: who.name, from: who.from, reason };
    // It goes on when the caller hangs up: what was written is then also woken.
    let (verification, wakes) = (Arc::clone(&api.verification), api.wakes.clone());
    let working = task::spawn("admin.submit", async move {
        let done = verification.submit(asked, by).await;
        wakes.verify.wake();
        done
    });
    let (mut judged, submission) = working.await.map_err(|_| Problem::unavailable("verification"))??;
    let (event, created) = match submission {
        Submission::Made(event) => (event, true),
        Submission::Known(event) => (event, false),
        Submission::NotProven => {
            let code = judged.get("code").and_then(Value::as_str).unwrap_or_default().to_owned();
            let message = format!("nothing was submitted: {code} is no proven money for this expectation");
            return Err(Problem::taken("NOT_PROVEN", message).with_details(judged));
        }
        Submission::NotOpen(state) => {
            let message = format!("nothing was submitted: the expectation is {state} and waits for no money");
            return Err(Problem::taken("EXPECTATION_CONFLICT", message).with_details(judged));
        }
    };
    if created {
        tracing::warn!(token = caller.name, event_id = %event, %tx_hash, "an operator submitted a payment");
    }
    if let Value::Object(fields) = &mut judged {
        fields.insert("submitted".into(), json!({"event_id": event, "created": created}));
    }
    ok(judged)
}

fn is_called(name: &str, chain: &Chain, text: &str) -> bool {
    name.eq_ignore_ascii_case(text.trim()) || chain.chain_id.to_string() == text.trim()
}

/// By whose rules: a source of the expectation's realm; without one, whichever speaks of references.
fn source<'a>(api: &'a Api, expectation: Option<&StoredExpectation>) -> Option<&'a Source> {
    let sources = &api.config.sources;
    match expectation {
        Some(stored) => sources.iter().find(|source| source.realm == stored.terms.realm),
        None => sources.iter().find(|source| source.provider == crate::config::Provider::RequestNetwork),
    }
}
