//! `tollgate restore`: a gateway's data of a backup.

use std::path::PathBuf;

use serde_json::json;

use super::table::{self, Layout, OutputArgs, column};
use super::target::operator;
use super::{Failure, output, progress};
use crate::backup::{self, By, Target};
use crate::clock::Clock;
use crate::jobs::Progress;
use crate::{config, task};

const LAYOUT: Layout = Layout {
    what: "gateways",
    id: "/log_id",
    columns: &[column("log", "/log_id"), column("records", "/records"), column("data", "/data_dir")],
};

/// Arguments of `restore`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  tollgate restore --from /mnt/backups/20261120T120000.000Z-9b1f6d8e --config \
                        /etc/tollgate\n\n\
                        Run it as the user that serves. The restored gateway sends nothing until `tollgate resume`.")]
pub struct Args {
    #[command(flatten)]
    output: OutputArgs,
    /// The backup's folder.
    #[arg(long, value_name = "BACKUP")]
    from: PathBuf,
    /// The configuration that says where the data is to be; repeat it, later ones override.
    #[arg(long, value_name = "FILE", required_unless_present = "data", conflicts_with = "data")]
    config: Vec<PathBuf>,
    /// The data folder itself, with evidence/ and ledger.db in it.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// A wrong configuration, and [`backup::BackupError`].
pub async fn run(args: Args) -> Result<(), Failure> {
    let environment = config::environment();
    let found = match &args.data {
        Some(folder) => config::of_folder(&std::path::absolute(folder)?)?,
        None => config::load(&args.config, &environment)?.config,
    };
    let target = Target {
        data_dir: std::path::absolute(&found.data_dir)?,
        evidence: std::path::absolute(&found.evidence.path)?,
        ledger: std::path::absolute(&found.ledger.path)?,
    };
    let by = By { name: operator(&environment), now: Clock::system().now() };
    let progress = Progress::default();
    let (told, placed, from) = (progress.clone(), target.clone(), args.from);
    let work = task::spawn_blocking(move || backup::restore(&from, &placed, &by, &told));
    let restored = progress::follow("restore", &progress, work).await??;
    let shown = json!({
        "data_dir": target.data_dir,
        "evidence": target.evidence,
        "ledger": target.ledger,
        "created_at": restored.manifest.created_at,
        "records": restored.manifest.log.seq,
        "log_id": restored.log_id,
        "log_id_before": restored.manifest.log.log_id,
        "epoch": restored.ledger.epoch,
        "forwarding": "paused",
    });
    table::show(&[shown], &LAYOUT, args.output.output)?;
    output::note("forwarding is paused: start the gateway, see what it would send, then run `tollgate resume`");
    Ok(())
}
