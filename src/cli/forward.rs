//! `tollgate forward test`: whether messages arrive, asked before money depends on it.

use serde_json::{Value, json};

use super::table::{self, Layout, OutputArgs, column, wide};
use super::target::{RemoteArgs, Target};
use super::{Exit, Failure};

const LAYOUT: Layout = Layout {
    what: "tests",
    id: "/webhook_id",
    columns: &[
        column("destination", "/destination"),
        column("to", "/to"),
        column("outcome", "/outcome"),
        column("status", "/status"),
        column("ms", "/latency_ms"),
        column("check", "/to_check"),
        wide("message", "/webhook_id"),
        wide("response", "/response"),
        wide("paused", "/paused"),
    ],
};

/// Arguments of `forward`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  tollgate forward test")]
pub struct Args {
    #[command(flatten)]
    target: RemoteArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// What to do.
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Verb {
    /// Send a signed gateway.test message at once, and show what came of it.
    #[command(after_help = "Example:\n  tollgate forward test --destination accounting\n\n\
                            It goes beside everything that is due, also while the destination is paused, and is no event:\n\
                            a backend answers 2xx to types that it does not know. Fails when it was not taken.")]
    Test(Test),
}

#[derive(Clone, Debug, clap::Args)]
struct Test {
    /// To this destination.
    #[arg(long, value_name = "NAME", default_value = "default")]
    destination: String,
}

/// Runs it.
///
/// # Errors
/// See [`Target::running`] and [`Target::post`]; and when the backend did not take it.
pub async fn run(args: Args) -> Result<(), Failure> {
    let target = Target::running(&args.target)?;
    let Verb::Test(Test { destination }) = args.verb;
    let answer: Value = target.post("/forward/test", &json!({"destination": destination})).await?;
    let (taken, to_check) = (answer.get("taken") == Some(&Value::Bool(true)), answer.get("to_check").cloned());
    let is_paused = answer.get("paused").is_some_and(|paused| !paused.is_null());
    table::show(&[answer], &LAYOUT, args.output.output)?;
    if is_paused {
        super::output::note("nothing else is sent there: it is paused; `tollgate resume` ends that");
    }
    if taken {
        return Ok(());
    }
    let why = to_check.as_ref().and_then(Value::as_str).unwrap_or("look into the backend's log");
    Err(Failure::new(Exit::Failed, format!("the backend did not take it: {why}")))
}
