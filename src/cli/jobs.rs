//! `tollgate jobs`: long work of a gateway. Other commands start theirs with [`complete`].

use std::time::Duration;

use serde_json::Value;

use super::progress::Bar;
use super::table::{self, Layout, Output, OutputArgs, column, wide};
use super::target::{Query, Target, TargetArgs, segment};
use super::{Exit, Failure};

/// Between looks at a job.
const LOOK: Duration = Duration::from_millis(300);

const LAYOUT: Layout = Layout {
    what: "jobs",
    id: "/job_id",
    columns: &[
        column("job", "/job_id"),
        column("kind", "/kind"),
        column("state", "/state"),
        column("done", "/done"),
        column("of", "/total"),
        column("by", "/by"),
        column("started", "/started_at"),
        wide("finished", "/finished_at"),
        wide("doing", "/doing"),
        wide("error", "/error"),
    ],
};

/// Arguments of `jobs`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  tollgate jobs list && tollgate jobs watch 0192ab4f")]
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
    /// List those of this run of the gateway, and all replays and resends, newest first.
    #[command(visible_alias = "ls", after_help = "Example:\n  tollgate jobs list -o wide")]
    List,
    /// Show one with its report.
    #[command(visible_aliases = ["get", "describe"], after_help = "Example:\n  tollgate jobs show 0192ab4f -o json")]
    Show(Id),
    /// Follow one to its end; exit code 1 unless it comes to it.
    #[command(visible_alias = "tail", after_help = "Example:\n  tollgate jobs watch 0192ab4f")]
    Watch(Id),
    /// Ask one to stop at its next safe place.
    #[command(after_help = "Example:\n  tollgate jobs cancel 0192ab4f")]
    Cancel(Id),
}

#[derive(Clone, Debug, clap::Args)]
struct Id {
    /// Its id, or a beginning that is unique.
    id: String,
}

/// Runs it.
///
/// # Errors
/// See [`Target::open`] and [`Target::get`]; and a watched job that did not come to its end.
pub async fn run(args: Args) -> Result<(), Failure> {
    let target = match args.verb {
        Verb::List | Verb::Show(_) => Target::open(&args.target).await?,
        // Where nothing runs there is no end to wait for.
        Verb::Watch(_) | Verb::Cancel(_) => Target::changing(&args.target)?,
    };
    let output = args.output.output;
    match args.verb {
        Verb::List => {
            let list = target.get("/jobs", &Query::default()).await?;
            let items = list.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
            table::list(&items, &LAYOUT, output)
        }
        Verb::Show(Id { id }) => show(&target.get(&path(&id), &Query::default()).await?, output),
        Verb::Watch(Id { id }) => {
            let job = watch(&target, &id).await?;
            show(&job, output)?;
            outcome(&job).map(drop)
        }
        Verb::Cancel(Id { id }) => {
            let job = target.post(&format!("{}/cancel", path(&id)), &Value::Object(serde_json::Map::new())).await?;
            show(&job, output)
        }
    }
}

/// Shows a job.
///
/// # Errors
/// When it cannot be written.
pub fn show(job: &Value, output: Output) -> Result<(), Failure> {
    table::show(std::slice::from_ref(job), &LAYOUT, output)
}

fn path(id: &str) -> String {
    format!("/jobs/{}", segment(id))
}

fn text<'a>(job: &'a Value, field: &str) -> &'a str {
    job.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Starts a job (`{"kind": "verify", …}`), follows it to its end with its progress on the terminal, and answers with its
/// report. Works on a stopped gateway's data too: the job runs in this process.
///
/// # Errors
/// See [`Target::post`]; and a job that did not come to its end.
pub async fn complete(target: &Target, request: &Value) -> Result<Value, Failure> {
    let job = target.post("/jobs", request).await?;
    let job = watch(target, text(&job, "job_id")).await?;
    outcome(&job)
}

/// Follows a job to its end, and shows how far it is.
async fn watch(target: &Target, id: &str) -> Result<Value, Failure> {
    let mut bar: Option<Bar> = None;
    loop {
        let job = target.get(&path(id), &Query::default()).await?;
        if text(&job, "state") != "running" {
            return Ok(job);
        }
        let number = |field: &str| job.get(field).and_then(Value::as_u64);
        let bar = bar.get_or_insert_with(|| Bar::new(text(&job, "kind")));
        bar.at(number("done").unwrap_or(0), number("total"), text(&job, "doing"));
        tokio::time::sleep(LOOK).await;
    }
}

/// The report of a job that came to its end.
fn outcome(job: &Value) -> Result<Value, Failure> {
    if text(job, "state") == "done" {
        return Ok(job.get("report").cloned().unwrap_or_default());
    }
    let told = format!("the job {} ended as {}: {}", text(job, "job_id"), text(job, "state"), text(job, "error"));
    Err(Failure::new(Exit::Failed, table::printable(&told)))
}
