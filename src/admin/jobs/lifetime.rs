//! The jobs `prune`, `archive` and `import`: what leaves the log, and what comes back.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::admin::Api;
use crate::admin::auth::Who;
use crate::admin::events::time;
use crate::admin::problem::Problem;
use crate::config::{self, ArchiveUrl};
use crate::jobs::JobKind;
use crate::ledger::{self, AuditEntry};
use crate::retention::{Ask, Import, Range, RetentionError};

/// Of `prune`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Prune {
    #[serde(default)]
    dry_run: bool,
    source: Option<String>,
    /// `90d`.
    older_than: Option<String>,
}

/// Of `archive`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Archive {
    since: Option<String>,
    until: Option<String>,
}

/// Of `import`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    from: String,
}

pub(super) fn begin(api: &Api, who: &Who, params: &Value) -> Result<Uuid, Problem> {
    let Prune { dry_run, source, older_than } = super::read(JobKind::Prune, params)?;
    let age = |text: String| {
        config::duration(&text).map_err(|why| Problem::bad_request(format!("older_than: {why}; write it like 90d")))
    };
    let ask = Ask { by: who.name.clone(), source, older_than: older_than.map(age).transpose()?, dry_run };
    let (shared, by, asked) = (api.clone(), who.clone(), params.clone());
    super::begun(api, who, JobKind::Prune, params, move |progress| async move {
        let report = shared.retention.prune(&ask, &progress).await;
        let changed = !ask.dry_run && !matches!(&report, Ok(report) if report.deliveries == 0);
        conclude(&shared, &by, "evidence.prune", asked, report, changed).await
    })
}

pub(super) fn begin_archive(api: &Api, who: &Who, params: &Value) -> Result<Uuid, Problem> {
    let Archive { since, until } = super::read(JobKind::Archive, params)?;
    let now = api.clock.now();
    let range = Range { since_us: time("since", since, now)?, until_us: time("until", until, now)? };
    let (shared, by, asked) = (api.clone(), who.clone(), params.clone());
    super::begun(api, who, JobKind::Archive, params, move |progress| async move {
        let report = shared.retention.copy(range, &progress).await;
        conclude(&shared, &by, "evidence.archive", asked, report, true).await
    })
}

pub(super) fn begin_import(api: &Api, who: &Who, params: &Value) -> Result<Uuid, Problem> {
    let Source { from } = super::read(JobKind::Import, params)?;
    let url = ArchiveUrl::parse(&from).map_err(|why| Problem::bad_request(format!("from: {why}")))?;
    let ask = Import { from: url, by: who.name.clone() };
    let (shared, by, asked) = (api.clone(), who.clone(), params.clone());
    super::begun(api, who, JobKind::Import, params, move |progress| async move {
        let report = shared.retention.import(&ask, &progress).await;
        conclude(&shared, &by, "evidence.import", asked, report, true).await
    })
}

/// The report, or the error as text; and an entry of the audit for what changed something. A job that failed half-way
/// may have changed something too.
async fn conclude(
    api: &Api,
    who: &Who,
    what: &str,
    params: Value,
    report: Result<impl Serialize, RetentionError>,
    changed: bool,
) -> Result<Value, String> {
    let report = report
        .map_err(|error| error.to_string())
        .and_then(|report| serde_json::to_value(report).map_err(|error| error.to_string()));
    if changed {
        let entry = AuditEntry {
            at_us: api.clock.now().as_microsecond(),
            by: ledger::Who { name: who.name.clone(), from: who.from.clone(), reason: None },
            what: what.to_owned(),
            subject: None,
            event_id: None,
            before: Some(params),
            after: Some(match &report {
                Ok(report) => report.clone(),
                Err(error) => serde_json::json!({"error": error}),
            }),
        };
        if let Err(error) = api.ledger.audit_add(entry).await {
            tracing::error!(%error, what, name = who.name, "what was done is not in the audit");
        }
    }
    report
}
