//! `tollgate evidence prune`

use serde_json::{Value, json};

use crate::cli::ask::Ask;
use crate::cli::output::note;
use crate::cli::table::{self, Layout, Output, OutputArgs, column, wide};
use crate::cli::target::Target;
use crate::cli::{Failure, jobs};

const LAYOUT: Layout = Layout {
    what: "deliveries to prune",
    id: "/source",
    columns: &[
        column("source", "/source"),
        column("why", "/why"),
        column("deliveries", "/deliveries"),
        column("bytes", "/bytes"),
        column("held", "/held"),
        column("oldest", "/oldest_at"),
        column("newest", "/newest_at"),
        wide("archive", "/archives/0/archive"),
        wide("manifest sha-256", "/archives/0/manifest_sha256"),
    ],
};

/// See the verb.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    output: OutputArgs,
    /// Only count what would go.
    #[arg(long)]
    dry_run: bool,
    /// Of this source only.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Received longer ago than this, such as 90d, instead of what the configuration says.
    #[arg(long, value_name = "AGE")]
    older_than: Option<String>,
    #[command(flatten)]
    ask: Ask,
}

pub(super) async fn run(target: &Target, args: &Args) -> Result<(), Failure> {
    let output = args.output.output;
    let request = |dry_run| {
        let mut request = json!({"kind": "prune", "dry_run": dry_run});
        for (name, value) in [("source", &args.source), ("older_than", &args.older_than)] {
            if let (Some(value), Some(request)) = (value, request.as_object_mut()) {
                request.insert(name.to_owned(), json!(value));
            }
        }
        request
    };
    if args.dry_run || !args.ask.yes {
        let report = jobs::complete(target, &request(true)).await?;
        if args.dry_run {
            return show(&report, output);
        }
        let count = |field: &str| report.get(field).and_then(Value::as_u64).unwrap_or(0);
        if count("deliveries") == 0 {
            note("nothing may go");
            return Ok(());
        }
        args.ask.confirm(&format!(
            "{} settled deliveries with {} of bodies and headers leave the log; {} under hold stay.\nTheir bytes can \
             come back only from the archive, where one is configured.",
            count("deliveries"),
            table::size(count("bytes")),
            count("held"),
        ))?;
    }
    show(&jobs::complete(target, &request(false)).await?, output)
}

fn show(report: &Value, output: Output) -> Result<(), Failure> {
    let parts = report.get("parts").and_then(Value::as_array).cloned().unwrap_or_default();
    table::list(&parts, &LAYOUT, output)
}
