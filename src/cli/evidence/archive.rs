//! `tollgate evidence archive`

use serde_json::{Value, json};

use crate::cli::table::{self, Layout, OutputArgs, column};
use crate::cli::target::Target;
use crate::cli::{Failure, jobs};

const LAYOUT: Layout = Layout {
    what: "records to archive",
    id: "/archive",
    columns: &[
        column("archive", "/archive"),
        column("deliveries", "/deliveries"),
        column("manifest sha-256", "/manifest_sha256"),
    ],
};

/// See the verb.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    output: OutputArgs,
    /// Received or decided at or after: 3h or 2d ago, or RFC 3339.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Received or decided before.
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
}

pub(super) async fn run(target: &Target, args: &Args) -> Result<(), Failure> {
    let output = args.output.output;
    let request = json!({"kind": "archive", "since": args.since, "until": args.until});
    let report = jobs::complete(target, &request).await?;
    let archives = report.get("archives").and_then(Value::as_array).cloned().unwrap_or_default();
    table::list(&archives, &LAYOUT, output)
}
