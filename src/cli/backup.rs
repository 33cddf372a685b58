//! `tollgate backup`: copies of log, ledger and settings at one point.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::table::{self, Layout, OutputArgs, column, wide};
use super::target::{Query, Target, TargetArgs};
use super::{Exit, Failure, jobs, progress};
use crate::backup::{self, BackupError};
use crate::jobs::Progress;
use crate::task;

const MADE: Layout = Layout {
    what: "backups",
    id: "/path",
    columns: &[
        column("path", "/path"),
        column("created", "/created_at"),
        column("records", "/log/seq"),
        column("bytes", "/bytes"),
        wide("manifest sha-256", "/manifest_sha256"),
    ],
};

const LISTED: Layout = Layout {
    what: "backups",
    id: "/path",
    columns: &[
        column("name", "/name"),
        column("state", "/state"),
        column("created", "/created_at"),
        column("records", "/seq"),
        column("bytes", "/bytes"),
        wide("path", "/path"),
        wide("why", "/why"),
    ],
};

/// Arguments of `backup`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  tollgate backup create && tollgate backup list")]
pub struct Args {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// What to do.
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Verb {
    /// Make one while the gateway serves, or of a stopped one's data.
    #[command(after_help = "Example:\n  tollgate backup create --data /var/lib/tollgate --to /mnt/backups")]
    Create(Create),
    /// List them, newest first.
    #[command(visible_alias = "ls", after_help = "Example:\n  tollgate backup list --from /mnt/backups -o wide")]
    List(List),
    /// Read all of one: its files, every record of its log, its ledger.
    #[command(after_help = "Example:\n  tollgate backup verify /mnt/backups/20261120T120000.000Z-9b1f6d8e")]
    Verify(Verify),
}

#[derive(Clone, Debug, clap::Args)]
struct Create {
    /// With --data: make it in this folder [default: backups in the data folder, or `[backup] path`].
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

#[derive(Clone, Debug, clap::Args)]
struct List {
    /// List this folder, without a gateway.
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
}

#[derive(Clone, Debug, clap::Args)]
struct Verify {
    /// Its folder.
    #[arg(value_name = "DIR")]
    backup: PathBuf,
}

/// Runs it.
///
/// # Errors
/// See [`Target::open`], [`jobs::complete`] and [`BackupError`].
pub async fn run(args: Args) -> Result<(), Failure> {
    let output = args.output.output;
    match args.verb {
        Verb::Create(Create { to }) => {
            let mut request = json!({"kind": "backup"});
            if let (Some(to), Some(request)) = (to, request.as_object_mut()) {
                let to = std::path::absolute(to)?;
                let to = to.to_str().ok_or_else(|| Failure::new(Exit::Usage, "--to has to be UTF-8"))?;
                request.insert("to".to_owned(), json!(to));
            }
            let target = Target::open(&args.target).await?;
            if request.get("to").is_some() && !target.is_local() {
                let message =
                    "--to goes with --data: where a running gateway puts its backups is configured, [backup] path";
                return Err(Failure::new(Exit::Usage, message));
            }
            table::show(&[jobs::complete(&target, &request).await?], &MADE, output)
        }
        Verb::List(List { from: Some(folder) }) => {
            let items = backup::list(&folder)?;
            let items: Vec<Value> = items.iter().map(|item| json!(item)).collect();
            table::list(&items, &LISTED, output)
        }
        Verb::List(List { from: None }) => {
            let list = Target::open(&args.target).await?.get("/backups", &Query::default()).await?;
            let items = list.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
            table::list(&items, &LISTED, output)
        }
        Verb::Verify(Verify { backup: folder }) => {
            let progress = Progress::default();
            let (path, told) = (std::path::absolute(folder)?, progress.clone());
            let named = path.clone();
            let work = task::spawn_blocking(move || backup::verify(&path, &told));
            let found = progress::follow("verify", &progress, work).await??;
            let shown = json!({
                "path": named,
                "created_at": found.manifest.created_at,
                "manifest_sha256": hex::encode(found.manifest_sha256),
                "version": found.manifest.version,
                "log": found.manifest.log,
                "ledger": found.manifest.ledger,
                "files": found.manifest.files.len(),
                "bytes": found.manifest.bytes(),
                "unlisted": found.unlisted,
            });
            table::show(&[shown], &MADE, output)
        }
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        use crate::app::StartError;
        let exit = match &error {
            BackupError::Occupied { .. } | BackupError::LeftOver { .. } => Exit::Usage,
            BackupError::Unfinished { .. }
            | BackupError::Changed { .. }
            | BackupError::Apart { .. }
            | BackupError::Record(_) => Exit::Evidence,
            BackupError::Newer { .. } => Exit::Newer,
            BackupError::Log(_) | BackupError::LedgerFile(_) => {
                return Self { message: error.to_string(), ..inner(error) };
            }
            BackupError::Io { .. }
            | BackupError::Cancelled
            | BackupError::NoRoom { .. }
            | BackupError::Ledger(_)
            | BackupError::Snapshot(_)
            | BackupError::Renew(_)
            | BackupError::Defect(_) => Exit::Failed,
        };
        return Self::new(exit, table::printable(&error.to_string()));

        /// As opening the same file would end.
        fn inner(error: BackupError) -> Failure {
            match error {
                BackupError::Log(error) => StartError::from(error).into(),
                BackupError::LedgerFile(error) => StartError::from(error).into(),
                other => Failure::new(Exit::Failed, other.to_string()),
            }
        }
    }
}
