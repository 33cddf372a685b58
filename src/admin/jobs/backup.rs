//! The job `backup`: copies log, ledger and settings at one point, while the gateway serves.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::admin::Api;
use crate::admin::auth::Who;
use crate::admin::problem::Problem;
use crate::backup::{self, Live};
use crate::jobs::{JobKind, Progress};
use crate::ledger;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Only of a stopped gateway's data: a caller from outside names no path of this machine.
    to: Option<PathBuf>,
}

pub(super) fn begin(api: &Api, who: &Who, params: &Value) -> Result<Uuid, Problem> {
    if api.started_us.is_some() && params.get("to").is_some() {
        let message = "where a running gateway puts its backups is configured: [backup] path";
        return Err(Problem::invalid("BACKUP_PLACE", message));
    }
    let (copy, by) = (api.clone(), who.clone());
    super::run(api, who, JobKind::Backup, params, move |Params { to }, progress| async move {
        let to = to.unwrap_or_else(|| copy.config.backup.path.clone());
        make(&copy, &by, to, progress).await
    })
}

async fn make(api: &Api, who: &Who, to: PathBuf, progress: Progress) -> Result<Value, String> {
    let live = Live {
        config: api.config.clone(),
        evidence: api.evidence.clone(),
        ledger: api.ledger.clone(),
        public_key: api.public_key.as_ref().map(ToString::to_string),
        now: api.clock.now(),
    };
    let begun = live.now;
    let made = backup::create(live, to, progress).await.map_err(|error| error.to_string())?;
    api.metrics.backup_last_success.set(begun.as_second());
    let report = json!({
        "path": made.path,
        "created_at": made.manifest.created_at,
        "manifest_sha256": hex::encode(made.manifest_sha256),
        "log": made.manifest.log,
        "ledger": made.manifest.ledger,
        "files": made.manifest.files.len(),
        "bytes": made.manifest.bytes(),
    });
    let entry = ledger::AuditEntry {
        at_us: api.clock.now().as_microsecond(),
        by: ledger::Who { name: who.name.clone(), from: who.from.clone(), reason: None },
        what: "backup.create".to_owned(),
        subject: made.path.file_name().map(|name| name.to_string_lossy().into_owned()),
        event_id: None,
        before: None,
        after: Some(report.clone()),
    };
    // The backup is whole whatever the ledger says to this.
    if let Err(error) = api.ledger.audit_add(entry).await {
        tracing::warn!(%error, "a backup was made and could not be noted in the audit");
    }
    Ok(report)
}
