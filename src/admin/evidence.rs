//! What makes the evidence provable: the last checkpoint, and bundles that prove deliveries and decisions.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use evidence_store::{BUNDLE_RECORDS_MAX, BundleError, Entry, Proven, ReadError, Signed, Store, bundle};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::auth::{Caller, May};
use super::envelope::{Params, Segments};
use super::problem::{Answer, Problem, ok};
use super::{Api, lookup};
use crate::ledger::{Filter, IdOf};
use crate::model::EventId;
use crate::task;

/// Events of one payment, expectation or transaction.
const EVENTS_MAX: usize = 64;
/// Decisions of one event.
const DECISIONS_MAX: usize = 1000;
/// Bytes of all records of a bundle.
const RECORD_BYTES_MAX: usize = 64 << 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// The size of an older checkpoint: proves that the log still begins with what it covers.
    since: Option<u64>,
}

/// `GET /evidence/checkpoint?since=SIZE`
pub(super) async fn checkpoint(State(api): State<Api>, caller: Caller, Params(query): Params<Query>) -> Answer {
    caller.may(May::CheckEvidence)?;
    let evidence = api.evidence.clone();
    let read = blocking(move || {
        let Some(last) = evidence.latest_checkpoint()? else { return Ok(None) };
        let proof = match query.since {
            Some(since) if since <= last.checkpoint.size => evidence.consistency(since, last.checkpoint.size)?,
            Some(_) | None => None,
        };
        Ok(Some((last, proof)))
    });
    let Some((last, proof)) = read.await? else {
        return Err(Problem::unknown("checkpoint: nothing was signed yet"));
    };
    let said = &last.checkpoint;
    ok(json!({
        "log_id": api.evidence.log_id(),
        "public_key": api.public_key.as_ref().map(ToString::to_string),
        "origin": said.origin,
        "size": said.size,
        "root": hex::encode(said.root),
        "at": said.time,
        "link": said.link.map(hex::encode),
        "head": api.evidence.head().seq,
        "note": last.note,
        "consistency": proof.map(|proof| proof.iter().map(hex::encode).collect::<Vec<_>>()),
    }))
}

/// `GET /evidence/proof/{id}`: of a delivery, event, payment, expectation or transaction; the file that
/// `evidence verify-bundle` checks.
pub(super) async fn proof(State(api): State<Api>, caller: Caller, Segments(id): Segments<String>) -> Answer {
    caller.may(May::CheckEvidence)?;
    caller.may(May::ReadBodies)?;
    let found = find(&api, &caller, &id).await?;
    for source in &found.sources {
        if !caller.sees(source) {
            return Err(Problem::unknown("evidence"));
        }
    }
    let Some(key) = api.public_key.clone() else {
        return Err(Problem::taken(
            "NO_KEY",
            "the key that signs checkpoints is not there: look at [evidence.seal] key",
        ));
    };
    tracing::info!(token = caller.name, id, "a bundle of evidence was made");
    let evidence = api.evidence.clone();
    let about = found.about.clone();
    let made = blocking(move || {
        let Some(last) = evidence.latest_checkpoint()? else { return Ok(Err(unsealed())) };
        let proven = match records(&evidence, &found, &last)? {
            Ok(proven) => proven,
            Err(problem) => return Ok(Err(problem)),
        };
        Ok(bundle(&about, &key, &last, &proven).map_err(|error| match error {
            // What names it was decided after the checkpoint.
            BundleError::About(_) => unsealed(),
            error => {
                tracing::error!(%error, "a bundle did not verify");
                Problem::taken("NOT_PROVEN", format!("{error}: run `tollgate evidence verify`"))
            }
        }))
    });
    let bytes = made.await??;
    let name = format!("attachment; filename=\"{}.evidence.json\"", found_name(&id));
    Ok(([(header::CONTENT_TYPE, "application/json".to_owned()), (header::CONTENT_DISPOSITION, name)], bytes)
        .into_response())
}

fn found_name(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).take(80).collect()
}

fn unsealed() -> Problem {
    Problem::taken("NOT_SEALED", "no checkpoint covers it yet: try again after the next one ([evidence.seal] every)")
}

/// What a bundle is about.
struct Found {
    about: String,
    deliveries: BTreeSet<Uuid>,
    events: BTreeSet<Uuid>,
    sources: BTreeSet<String>,
}

/// By id, or by what a payment, expectation or transaction is called.
async fn find(api: &Api, caller: &Caller, id: &str) -> Result<Found, Problem> {
    let mut found =
        Found { about: id.to_owned(), deliveries: BTreeSet::new(), events: BTreeSet::new(), sources: BTreeSet::new() };
    for of in [IdOf::Delivery, IdOf::Event] {
        let Ok(id) = lookup::id(api, caller, of, id).await else { continue };
        match of {
            IdOf::Delivery => {
                let (evidence, about) = (api.evidence.clone(), id);
                let Some(record) = blocking(move || evidence.delivery(about)).await? else { continue };
                let source = match record.entry {
                    Entry::Delivery(delivery) => delivery.source,
                    Entry::Stub(stub) => stub.source,
                    Entry::Decision(_) => continue,
                };
                found.sources.insert(source);
                found.deliveries.insert(id);
                let known = api.ledger.delivery(id).await?;
                found.events.extend(known.and_then(|known| known.event_id).map(|event| event.0));
            }
            IdOf::Event | IdOf::Payment | IdOf::Transaction => {
                if !event(api, EventId(id), &mut found).await? {
                    continue;
                }
            }
        }
        found.about = id.to_string();
        return Ok(found);
    }
    let text = Some(id.to_owned());
    let lower = Some(id.to_ascii_lowercase());
    let base = || Filter { limit: EVENTS_MAX, sources: caller.sources.clone(), ..Filter::default() };
    let filter = match id {
        _ if id.starts_with("pay_") => Filter { payment: text, ..base() },
        _ if id.starts_with("0x") => Filter { tx: lower.clone(), ..base() },
        _ => Filter { expectation: text, ..base() },
    };
    if id.starts_with("0x") {
        found.about = id.to_ascii_lowercase();
    }
    // A page may be short while there is more.
    let mut filter = filter;
    while found.events.len() < EVENTS_MAX {
        let page = api.ledger.events(filter.clone()).await?;
        for view in page.iter() {
            event(api, view.event_id, &mut found).await?;
        }
        if page.next.is_none() {
            break;
        }
        filter.after = page.next;
    }
    if found.events.is_empty() { Err(Problem::unknown("evidence")) } else { Ok(found) }
}

/// Adds an event with its deliveries; false when there is none.
async fn event(api: &Api, id: EventId, found: &mut Found) -> Result<bool, Problem> {
    let Some(detail) = api.ledger.event(id).await? else { return Ok(false) };
    found.events.insert(id.0);
    found.sources.insert(detail.event.facts.source);
    for delivery in detail.deliveries {
        found.sources.insert(delivery.source);
        found.deliveries.insert(delivery.delivery_id);
    }
    Ok(true)
}

/// The records with their paths, as far as the checkpoint covers them.
fn records(evidence: &Store, found: &Found, last: &Signed) -> Result<Result<Vec<Proven>, Problem>, ReadError> {
    let mut seqs = BTreeSet::new();
    // The deliveries themselves, and what accounts for removed ones: without these there is nothing to prove.
    let mut newest = 0;
    for id in &found.deliveries {
        let Some(record) = evidence.delivery(*id)? else { continue };
        if let Entry::Stub(stub) = record.entry {
            seqs.insert(stub.why.decision_seq);
            newest = newest.max(stub.why.decision_seq);
        }
        seqs.insert(record.seq);
        newest = newest.max(record.seq);
    }
    for id in found.events.iter().chain(&found.deliveries) {
        seqs.extend(evidence.decisions_of(*id, DECISIONS_MAX)?.into_iter().map(|record| record.seq));
    }
    let covered: Vec<u64> = seqs.into_iter().filter(|seq| *seq <= last.checkpoint.size).collect();
    let (mut raws, mut bytes) = (Vec::new(), 0_usize);
    for seq in &covered {
        let Some(raw) = evidence.raw(*seq)? else { continue };
        bytes = bytes.saturating_add(raw.meta.len()).saturating_add(raw.body.len());
        raws.push(raw);
        if RECORD_BYTES_MAX < bytes || BUNDLE_RECORDS_MAX < raws.len() {
            let message = "the evidence is too large for one bundle: ask for one event or delivery of it";
            return Ok(Err(Problem::taken("BUNDLE_TOO_LARGE", message)));
        }
    }
    if covered.is_empty() || last.checkpoint.size < newest {
        return Ok(Err(unsealed()));
    }
    let paths = evidence.prove(&covered, last.checkpoint.size)?;
    Ok(Ok(raws.into_iter().zip(paths).map(|(record, path)| Proven { record, path }).collect()))
}

async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, Problem> {
    task::spawn_blocking(read).await.map_err(|_| Problem::unavailable("the evidence log"))?.map_err(Problem::from)
}
