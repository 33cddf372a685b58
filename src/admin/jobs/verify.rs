//! The job `verify`: reads the whole log again, which checks every record's checksum, digests and link.

use evidence_store::Store;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::admin::Api;
use crate::admin::auth::Who;
use crate::admin::problem::Problem;
use crate::jobs::{JobKind, Progress};
use crate::task;

/// Records read at once, and about how many bytes.
const CHUNK: (usize, usize) = (256, 8 << 20);

/// It takes none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {}

pub(super) fn begin(api: &Api, who: &Who, params: &Value) -> Result<Uuid, Problem> {
    let evidence = api.evidence.clone();
    super::run(api, who, JobKind::Verify, params, move |Params {}, progress| async move {
        task::spawn_blocking(move || walk(&evidence, &progress)).await.map_err(|error| error.to_string())?
    })
}

fn walk(evidence: &Store, progress: &Progress) -> Result<Value, String> {
    let head = evidence.head();
    progress.set_total(head.seq);
    progress.say("reading records");
    let mut seq = 0;
    while seq < head.seq {
        if progress.is_cancelled() {
            return Err(format!("stopped after record {seq} of {}; nothing wrong was found up to there", head.seq));
        }
        let records = evidence.read_after(seq, CHUNK.0, CHUNK.1).map_err(|error| error.to_string())?;
        let last = records.last().map(|record| record.seq);
        let Some(last) = last.filter(|last| seq < *last) else {
            return Err(format!("the log ends at record {seq}, and its head is {}", head.seq));
        };
        progress.advance(last.min(head.seq).saturating_sub(seq));
        seq = last;
    }
    Ok(json!({"log_id": evidence.log_id(), "records": head.seq, "link": hex::encode(head.link)}))
}
