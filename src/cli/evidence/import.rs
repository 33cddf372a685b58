//! `tollgate evidence import`

use serde_json::{Value, json};

use crate::cli::table::{self, Layout, OutputArgs, column};
use crate::cli::target::Target;
use crate::cli::{Exit, Failure, jobs};

const LAYOUT: Layout = Layout {
    what: "archives",
    id: "/archives",
    columns: &[
        column("archives", "/archives"),
        column("deliveries", "/deliveries"),
        column("returned", "/returned"),
        column("added", "/added"),
        column("known", "/known"),
        column("repeats", "/repeats"),
        column("erased", "/erased"),
        column("differing", "/differing"),
    ],
};

/// See the verb.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    output: OutputArgs,
    /// One archive or a place with several: s3://BUCKET/PREFIX, or a directory on the gateway's machine.
    #[arg(value_name = "URL|DIR")]
    from: String,
}

pub(super) async fn run(target: &Target, args: &Args) -> Result<(), Failure> {
    let output = args.output.output;
    // The gateway does not know where this command was started.
    let from = if args.from.contains("://") {
        args.from.clone()
    } else {
        std::path::absolute(&args.from)?.components().collect::<std::path::PathBuf>().display().to_string()
    };
    let report = jobs::complete(target, &json!({"kind": "import", "from": from})).await?;
    table::list(std::slice::from_ref(&report), &LAYOUT, output)?;
    match report.get("differing").and_then(Value::as_u64) {
        None | Some(0) => Ok(()),
        Some(differing) => {
            let ids = report.get("differing_ids").map(ToString::to_string).unwrap_or_default();
            let message = format!(
                "{differing} deliveries were left out: the log holds, or held, other bytes under their ids: {ids}"
            );
            Err(Failure::new(Exit::Failed, table::printable(&message)))
        }
    }
}
