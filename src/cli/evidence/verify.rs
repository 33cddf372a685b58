//! `tollgate evidence verify`: the job, its progress, and what it found.

use std::path::PathBuf;

use serde_json::Value;

use super::{last_note, request, text};
use crate::cli::target::Target;
use crate::cli::{Exit, Failure, jobs, print, table};

/// Arguments of `evidence verify`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// The first record; 1 when not given.
    #[arg(long, value_name = "RECORD")]
    from: Option<u64>,
    /// The last record; the last there is when not given.
    #[arg(long, value_name = "RECORD")]
    to: Option<u64>,
    /// A checkpoint that was kept elsewhere, or a file of many: the log has to begin with what its last one covers.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(target: &Target, args: &Args) -> Result<(), Failure> {
    let note = args.checkpoint.as_deref().map(last_note).transpose()?;
    let given =
        [("from", args.from.map(Value::from)), ("to", args.to.map(Value::from)), ("checkpoint", note.map(Value::from))];
    let report = jobs::complete(target, &request("verify", given)).await?;
    if args.json {
        print(&format!("{report:#}\n"))?;
    }
    let finding = report.get("finding").filter(|finding| !finding.is_null());
    if let Some(finding) = finding {
        let delivery = match text(finding, "delivery_id") {
            "" => String::new(),
            id => format!(", delivery {id}"),
        };
        let told = format!(
            "record {}{delivery}: {} ({})\n{} records before it are right. Keep a copy of the folder as it is, check the \
             disk, then restore a backup",
            finding.get("record").cloned().unwrap_or_default(),
            text(finding, "detail"),
            text(finding, "wrong"),
            report.get("verified_to").cloned().unwrap_or_default(),
        );
        return Err(Failure::new(Exit::Evidence, table::printable(&told)));
    }
    if args.json {
        return Ok(());
    }
    let number = |field: &str| report.get(field).and_then(Value::as_u64).unwrap_or(0);
    let mut told = format!(
        "records {} to {} are right: {} deliveries, {} decisions, {} removed with who and why; {} checkpoints fit, {} \
         of them signed by the key\n",
        number("from"),
        number("to"),
        number("deliveries"),
        number("decisions"),
        number("stubs"),
        number("checkpoints"),
        number("signatures"),
    );
    match report.get("consistent_with").and_then(Value::as_u64) {
        Some(size) => {
            told.push_str(&format!("the log begins with the {size} records of the checkpoint that was given\n"))
        }
        None if args.checkpoint.is_some() => {
            told.push_str("the checkpoint that was given covers records beyond --to: it was not compared\n");
        }
        None => {}
    }
    Ok(print(&told)?)
}
