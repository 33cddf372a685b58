//! `tollgate evidence checkpoint`: the last one, and whether the log still begins with what an older one covers. What the
//! gateway answers is checked here: signatures and the proof, not its word.

use std::path::PathBuf;

use evidence_store::note::{Note, VerifierKey};
use evidence_store::{Checkpoint, Signed, merkle};
use serde_json::Value;

use super::{last_note, text};
use crate::cli::target::{Query, Target};
use crate::cli::{Exit, Failure, print};

/// Arguments of `evidence checkpoint`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// A checkpoint that was kept elsewhere, or a file of many, of which the last counts.
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// The public key as it was noted down, instead of the one that the gateway says.
    #[arg(long, value_name = "VKEY")]
    key: Option<String>,
    /// Print all of the answer as JSON.
    #[arg(long, conflicts_with = "compare")]
    json: bool,
}

pub(super) async fn run(target: &Target, args: &Args) -> Result<(), Failure> {
    let Some(path) = &args.compare else {
        let last = target.get("/evidence/checkpoint", &Query::default()).await?;
        if args.json {
            return Ok(print(&format!("{last:#}\n"))?);
        }
        opened(text(&last, "note"), &key(args, &last)?)?;
        return Ok(print(text(&last, "note"))?);
    };
    let kept = last_note(path)?;
    let size = unverified(&kept)?.size;
    let last = target.get("/evidence/checkpoint", &Query::default().with("since", Some(size))).await?;
    let key = key(args, &last)?;
    let (kept, now) = (opened(&kept, &key)?, opened(text(&last, "note"), &key)?);
    compare(&kept, &now, &last)
}

fn compare(kept: &Signed, now: &Signed, answer: &Value) -> Result<(), Failure> {
    let (kept, now) = (&kept.checkpoint, &now.checkpoint);
    let wrong = |told: String| Err(Failure::new(Exit::Evidence, told));
    if now.size < kept.size {
        return wrong(format!(
            "the kept checkpoint covers {} records and the newest one of the log {}: the log was cut off, or is not sealed",
            kept.size, now.size
        ));
    }
    let path = answer.get("consistency").and_then(Value::as_array).map(|path| {
        path.iter().map(|hash| hex::decode(hash.as_str()?).ok()?.try_into().ok()).collect::<Option<Vec<merkle::Hash>>>()
    });
    let path = path.flatten().unwrap_or_default();
    if !merkle::verify_consistency(kept.size, now.size, &path, &kept.root, &now.root) {
        return wrong(format!(
            "history was rewritten: the log of {} records does not begin with the {} that the kept checkpoint was signed \
             for. Run `tollgate evidence verify --checkpoint` to see where",
            now.size, kept.size
        ));
    }
    Ok(print(&format!(
        "the log of {} records begins with the {} of the kept checkpoint ({} records since)\n",
        now.size,
        kept.size,
        now.size.saturating_sub(kept.size)
    ))?)
}

fn key(args: &Args, answer: &Value) -> Result<VerifierKey, Failure> {
    let text = args.key.as_deref().unwrap_or_else(|| text(answer, "public_key"));
    VerifierKey::parse(text).map_err(|error| Failure::new(Exit::Usage, format!("--key: {error}")))
}

fn unverified(note: &str) -> Result<Checkpoint, Failure> {
    let parsed = Note::parse(note.as_bytes()).and_then(|note| Checkpoint::parse(note.unverified_text()));
    parsed.map_err(|error| Failure::new(Exit::Usage, error.to_string()))
}

/// Under the name that the log had then: a restored log goes on under a new one.
fn opened(note: &str, key: &VerifierKey) -> Result<Signed, Failure> {
    let origin = unverified(note)?.origin;
    let named = key.named(&origin).and_then(|key| Checkpoint::open(note.as_bytes(), &key));
    named.map_err(|error| Failure::new(Exit::Evidence, error.to_string()))
}
