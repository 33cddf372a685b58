//! `tollgate pause` and `tollgate resume`: what is sent, while receiving and verifying go on.

use serde_json::{Value, json};

use super::table::{self, Layout, OutputArgs, column};
use super::target::{Target, TargetArgs, segment};
use super::{Exit, Failure};

const LAYOUT: Layout = Layout {
    what: "pauses",
    id: "/target",
    columns: &[column("target", "/target"), column("paused", "/paused"), column("changed", "/changed")],
};

/// Arguments of `pause` and `resume`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  tollgate pause --reason 'the backend is moved' && tollgate resume\n\n\
                        Without --source or --destination it is everything that is sent. A pause lasts over restarts;\n\
                        `tollgate status` shows what is paused, by whom and why.")]
pub struct Args {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Only what is sent about events of this source.
    #[arg(long, value_name = "NAME", conflicts_with = "destination")]
    source: Option<String>,
    /// Only what is sent to this destination.
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// Why; a pause needs one. Stands in the audit trail.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Runs it.
///
/// # Errors
/// See [`Target::open`] and [`Target::post`].
pub async fn run(args: Args, pauses: bool) -> Result<(), Failure> {
    if pauses && args.reason.is_none() {
        return Err(Failure::new(Exit::Usage, "say why with --reason: whoever finds the pause will ask"));
    }
    let target = Target::open(&args.target).await?;
    let verb = if pauses { "pause" } else { "resume" };
    let (path, body) = match args.source {
        Some(source) => (format!("/sources/{}/{verb}", segment(&source)), json!({"reason": args.reason})),
        None => {
            let body = json!({"reason": args.reason, "destination": args.destination});
            (format!("/forwarding/{verb}"), body)
        }
    };
    let answer: Value = target.post(&path, &body).await?;
    table::show(&[answer], &LAYOUT, args.output.output)
}
