//! `tollgate evidence`: verify the log, keep and compare its checkpoints, prove what is in it; what has to stay and what has
//! to go; a new ledger from it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Failure;
use super::target::{Target, TargetArgs};

mod archive;
mod checkpoint;
mod import;
mod keep;
mod prove;
mod prune;
pub mod rebuild_ledger;
mod verify;

/// Bytes of a file of checkpoints that are read, from its end: the last one counts.
const NOTES_BYTES_MAX: u64 = 64 * 1024;

/// Arguments of `evidence`.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Example:\n  tollgate evidence verify && tollgate evidence prove pay_0192ab4f… --out proof.json"
)]
pub struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// What to do.
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Verb {
    /// Read the log again and name the first record that is wrong; exit code 4 when one is.
    #[command(after_help = "Example:\n  tollgate evidence verify --checkpoint kept-elsewhere.checkpoints")]
    Verify(verify::Args),
    /// Show the last signed checkpoint, or compare it with one that was kept elsewhere.
    #[command(after_help = "Example:\n  tollgate evidence checkpoint --compare kept-elsewhere.checkpoints")]
    Checkpoint(checkpoint::Args),
    /// Write a file that proves what is known of a delivery, event, payment, expectation or transaction.
    #[command(after_help = "Example:\n  tollgate evidence prove 0192ab4f --out proof.json")]
    Prove(prove::Args),
    /// Check such a file with the public key alone: no gateway, no network.
    #[command(after_help = "Example:\n  tollgate evidence verify-bundle proof.json --key tollgate/…+1234abcd+AbCd…")]
    VerifyBundle(prove::CheckArgs),
    /// Keep a delivery, all of an event or all of a source from being pruned or erased.
    #[command(after_help = "Example:\n  tollgate evidence hold --source stripe-eu --reason 'audit of 2026'")]
    Hold(keep::What),
    /// Take a hold away.
    #[command(after_help = "Example:\n  tollgate evidence release 0192ab4f --reason 'case 12 is closed'")]
    Release(keep::What),
    /// List what is held.
    #[command(after_help = "Example:\n  tollgate evidence holds -o wide")]
    Holds(keep::Holds),
    /// Erase the body of a delivery for ever; its headers, its digests, who did it and why stay.
    #[command(after_help = "Example:\n  tollgate evidence erase 0192ab4f --reason 'request 77 by the payer'")]
    Erase(keep::Erase),
    /// Remove what retention lets go, from the log into the archive where one is configured.
    #[command(after_help = "Example:\n  tollgate evidence prune --source stripe-eu --older-than 400d --dry-run")]
    Prune(prune::Args),
    /// Write records to the configured archive; nothing is removed.
    #[command(after_help = "Example:\n  tollgate evidence archive --since 2026-01-01T00:00:00Z --until 90d")]
    Archive(archive::Args),
    /// Bring deliveries back from an archive, after every byte of it was checked.
    #[command(after_help = "Example:\n  tollgate evidence import s3://evidence-archive/tollgate")]
    Import(import::Args),
    /// Make a new ledger from the log of a stopped gateway, and from what can be read of the old ledger.
    RebuildLedger(rebuild_ledger::Args),
}

/// Runs it.
///
/// # Errors
/// What does not hold, and what could not be read.
pub async fn run(args: Args) -> Result<(), Failure> {
    match args.verb {
        Verb::Verify(verb) => verify::run(&Target::open(&args.target).await?, &verb).await,
        Verb::Checkpoint(verb) => checkpoint::run(&Target::open(&args.target).await?, &verb).await,
        Verb::Prove(verb) => prove::run(&Target::open(&args.target).await?, &verb).await,
        Verb::VerifyBundle(verb) => prove::check(&verb),
        Verb::Hold(verb) => keep::change(&Target::open(&args.target).await?, "hold", verb).await,
        Verb::Release(verb) => keep::change(&Target::open(&args.target).await?, "release", verb).await,
        Verb::Holds(verb) => keep::holds(&Target::open(&args.target).await?, verb).await,
        Verb::Erase(verb) => keep::erase(&Target::open(&args.target).await?, verb).await,
        Verb::Prune(verb) => prune::run(&Target::open(&args.target).await?, &verb).await,
        Verb::Archive(verb) => archive::run(&Target::open(&args.target).await?, &verb).await,
        Verb::Import(verb) => import::run(&Target::open(&args.target).await?, &verb).await,
        Verb::RebuildLedger(verb) => rebuild_ledger::run(verb).await,
    }
}

/// The last checkpoint of a file: one note, or many, one after the other.
fn last_note(path: &Path) -> Result<String, Failure> {
    use std::io::{Read, Seek, SeekFrom};
    let fail = |why: &str| Failure::new(super::Exit::Usage, format!("{}: {why}", path.display()));
    let mut file = std::fs::File::open(path).map_err(|error| fail(&error.to_string()))?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(NOTES_BYTES_MAX)))?;
    let mut bytes = Vec::new();
    file.take(NOTES_BYTES_MAX).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    last_in(&text).ok_or_else(|| fail("it holds no checkpoint; keep what publish_file or `evidence checkpoint` gave"))
}

/// From the empty line before the text, or the beginning, to the last signature line.
fn last_in(text: &str) -> Option<String> {
    let signatures = text.rfind("\n\n\u{2014} ")?;
    let (before, rest) = text.split_at_checked(signatures)?;
    let begin = before.rfind("\n\n").map_or(0, |at| at.saturating_add(2));
    let lines = rest.trim_start_matches('\n').lines().take_while(|line| line.starts_with('\u{2014}'));
    let signatures: String = lines.map(|line| format!("{line}\n")).collect();
    Some(format!("{}\n\n{signatures}", before.get(begin..)?))
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Writes a file that must not be there yet, or to standard output.
fn write_out(bytes: &[u8], out: Option<&PathBuf>) -> Result<(), Failure> {
    use std::io::Write;
    let Some(path) = out else {
        return Ok(super::print(&String::from_utf8_lossy(bytes))?);
    };
    let fail =
        |error: std::io::Error| Failure::new(super::Exit::Failed, format!("cannot write {}: {error}", path.display()));
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(fail)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fail)?;
    Ok(super::print(&format!("wrote {}\n", path.display()))?)
}

/// A request for a job, without what was not given.
fn request(kind: &str, fields: [(&str, Option<Value>); 3]) -> Value {
    let mut request = json!({ "kind": kind });
    if let Some(all) = request.as_object_mut() {
        all.extend(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    request
}

#[cfg(test)]
mod tests;
