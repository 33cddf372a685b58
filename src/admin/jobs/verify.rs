//! The job `verify`: the whole log, or a range, against itself, its checkpoints and one that was kept elsewhere.

use std::ops::ControlFlow;

use evidence_store::note::VerifierKey;
use evidence_store::{Checkpoint, Finding, Report, Scope, Signed, Store};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::admin::Api;
use crate::admin::auth::Who;
use crate::admin::problem::Problem;
use crate::jobs::{JobKind, Progress};
use crate::task;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The first record.
    from: Option<u64>,
    /// The last record.
    to: Option<u64>,
    /// A checkpoint's note.
    checkpoint: Option<String>,
}

pub(super) fn begin(api: &Api, who: &Who, params: &Value) -> Result<Uuid, Problem> {
    let (evidence, key) = (api.evidence.clone(), api.public_key.clone());
    super::run(api, who, JobKind::Verify, params, move |params: Params, progress| async move {
        let outside = params.checkpoint.map(|note| outside(&note, key.as_ref())).transpose()?;
        let scope = Scope { from: params.from.unwrap_or(1), to: params.to, key, outside };
        task::spawn_blocking(move || walk(&evidence, &scope, &progress)).await.map_err(|error| error.to_string())?
    })
}

/// A checkpoint from elsewhere has to be the key's: anybody can write one that is not.
fn outside(note: &str, key: Option<&VerifierKey>) -> Result<Signed, String> {
    let key = key.ok_or("the key that signed it is not there: look at [evidence.seal] key")?;
    let said = evidence_store::note::Note::parse(note.as_bytes()).map_err(|error| error.to_string())?;
    let said = Checkpoint::parse(said.unverified_text()).map_err(|error| error.to_string())?;
    // Under the name that the log had then: a restored log goes on under a new one.
    let key = key.named(&said.origin).map_err(|error| error.to_string())?;
    Checkpoint::open(note.as_bytes(), &key).map_err(|error| format!("the checkpoint is not of this log: {error}"))
}

fn walk(evidence: &Store, scope: &Scope, progress: &Progress) -> Result<Value, String> {
    let last = scope.to.unwrap_or(u64::MAX).min(evidence.head().seq);
    progress.set_total(last.saturating_sub(scope.from.max(1)).saturating_add(1));
    progress.say("verifying records");
    let mut told = 0;
    let report = evidence.verify(scope, &mut |done| {
        progress.advance(done.saturating_sub(told));
        told = done;
        if progress.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let report = report.map_err(|error| error.to_string())?;
    if report.cancelled {
        let (at, to) = (report.verified_to, report.to);
        return Err(format!("stopped after record {at} of {to}; nothing wrong was found up to there"));
    }
    Ok(shown(&report))
}

fn shown(report: &Report) -> Value {
    let finding = |finding: &Finding| {
        json!({
            "record": finding.seq,
            "delivery_id": finding.delivery_id,
            "wrong": finding.wrong.as_str(),
            "detail": finding.detail,
        })
    };
    json!({
        "log_id": report.log_id,
        "from": report.from,
        "to": report.to,
        "verified_to": report.verified_to,
        "records": report.verified_to.saturating_add(1).saturating_sub(report.from),
        "deliveries": report.counts.deliveries,
        "decisions": report.counts.decisions,
        "stubs": report.counts.stubs,
        "tiles": report.tiles,
        "checkpoints": report.checkpoints,
        "signatures": report.signatures,
        "consistent_with": report.outside,
        "ok": report.finding.is_none(),
        "finding": report.finding.as_ref().map(finding),
    })
}
