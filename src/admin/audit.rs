//! Who did what: the audit, newest first.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::{Caller, May};
use super::envelope::Params;
use super::problem::{Answer, Problem, page, page_limit};
use super::{Api, events, view};
use crate::ledger::{AuditFilter, AuditRecord};

/// Query of the audit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    who: Option<String>,
    what: Option<String>,
    subject: Option<String>,
    event: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<usize>,
    after: Option<String>,
}

/// `GET /audit`
pub(super) async fn list(State(api): State<Api>, caller: Caller, Params(query): Params<Query>) -> Answer {
    caller.may(May::ReadAudit)?;
    caller.is_unlimited()?;
    let now = api.clock.now();
    let before = query.after.map(|text| text.parse::<u64>().map_err(|_| text)).transpose();
    let event_id = query.event.map(|text| text.parse()).transpose();
    let filter = AuditFilter {
        by: query.who,
        what: query.what,
        subject: query.subject,
        event_id: event_id.map_err(|_| Problem::bad_request("?event=: expected the whole id of an event"))?,
        since_us: events::time("since", query.since, now)?,
        until_us: events::time("until", query.until, now)?,
        before: before.map_err(|text| Problem::bad_cursor(&text))?,
        limit: page_limit(query.limit),
    };
    let found = api.ledger.audit(filter).await?;
    page(&found.items.iter().map(shown).collect::<Vec<_>>(), found.next)
}

fn shown(record: &AuditRecord) -> Value {
    let entry = &record.entry;
    json!({
        "number": record.number,
        "at": view::time(entry.at_us),
        "who": entry.by.name,
        "from": entry.by.from,
        "reason": entry.by.reason,
        "what": entry.what,
        "subject": entry.subject,
        "event_id": entry.event_id,
        "before": entry.before,
        "after": entry.after,
    })
}
