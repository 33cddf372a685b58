//! `tollgate replay` and `tollgate resend`: stored deliveries judged again, stored messages sent again. Both are jobs of
//! the gateway and go on when this command, or the gateway, is stopped.

use serde_json::{Map, Value, json};

use super::ask::{self, Ask};
use super::filter::FilterArgs;
use super::table::{self, Layout, Output, OutputArgs, column, wide};
use super::target::{RemoteArgs, Target};
use super::{Failure, jobs};

const GROUPS: Layout = Layout {
    what: "changes",
    id: "/examples/0",
    columns: &[
        column("then", "/then"),
        column("now", "/now"),
        column("effect", "/effect"),
        column("events", "/events"),
        column("would send", "/would_send"),
        column("example", "/examples/0"),
        wide("by evidence", "/by_evidence"),
    ],
};

const RESENT: Layout = Layout {
    what: "messages",
    id: "/job_id",
    columns: &[
        column("messages", "/messages"),
        column("to", "/destinations"),
        column("types", "/types"),
        column("left out", "/left_out"),
        wide("looked at", "/looked_at"),
    ],
};

/// How a job is started.
#[derive(Clone, Debug, clap::Args)]
struct Run {
    /// Only show what would be done.
    #[arg(long)]
    dry_run: bool,
    /// At most so many a second [default: 100].
    #[arg(long, value_name = "N")]
    rate: Option<u32>,
    /// Why; stands in the audit trail.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Start it and do not wait: `tollgate jobs watch` follows it.
    #[arg(long, conflicts_with = "dry_run")]
    detach: bool,
    #[command(flatten)]
    ask: Ask,
}

/// Arguments of `replay`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  tollgate replay --since 2d --dry-run\n  \
                        tollgate replay --code EXPECTATION_UNKNOWN --since 7d --reason 'orders were imported late'\n\n\
                        Each event is judged by today's chain and today's rules; that its delivery was signed rightly was \
                        decided when it came.\nWhat was held or refuted and would be judged otherwise goes back to \
                        verification, which may send. What was forwarded is never lowered: a verdict that differs is \
                        stored beside it and logged as an error. --retract takes back what is refuted now.")]
pub struct ReplayArgs {
    #[command(flatten)]
    target: RemoteArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Deliveries or events, by id or a unique beginning; - reads them from standard input. Instead of a filter.
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Take back what was forwarded and is refuted now; needs --reason and the role admin.
    #[arg(long, requires = "reason")]
    retract: bool,
    #[command(flatten)]
    run: Run,
}

/// Arguments of `resend`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  tollgate resend --state dead --dry-run\n  \
                        tollgate resend --state delivered --destination default --since 6h --reason 'restored from a backup'\n\n\
                        The stored bytes are sent again under the same webhook-id, in order within their lane, with the \
                        header tollgate-replay-id. A backend that holds them drops them; --new-version raises \
                        state_version so that it takes them.")]
pub struct ResendArgs {
    #[command(flatten)]
    target: RemoteArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Messages by webhook-id, or events by id or a unique beginning; - reads them from standard input.
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Those that stand so with a destination: dead or delivered.
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// To this destination.
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// About events of this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Made at or after: 3h or 2d ago, or RFC 3339.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Made before.
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// As the next message of their events, for a backend that drops what it holds.
    #[arg(long)]
    new_version: bool,
    #[command(flatten)]
    run: Run,
}

/// Runs `replay`.
///
/// # Errors
/// See [`jobs::complete`].
pub async fn replay(args: ReplayArgs) -> Result<(), Failure> {
    let target = Target::running(&args.target)?;
    let mut request = Map::new();
    for (name, value) in args.filter.query().pairs() {
        request.insert(name.to_owned(), Value::String(value));
    }
    given(&mut request, "ids", ids(&args.ids)?);
    if args.retract {
        request.insert("retract".to_owned(), Value::Bool(true));
    }
    let Some(report) = run(&target, "replay", request, &args.run, args.output.output).await? else { return Ok(()) };
    if matches!(args.output.output, Output::Json) {
        return table::show(&[report], &GROUPS, args.output.output);
    }
    let groups = report.get("groups").and_then(Value::as_array).cloned().unwrap_or_default();
    table::list(&groups, &GROUPS, args.output.output)
}

/// Runs `resend`.
///
/// # Errors
/// See [`jobs::complete`].
pub async fn resend(args: ResendArgs) -> Result<(), Failure> {
    let target = Target::running(&args.target)?;
    let mut request = Map::new();
    given(&mut request, "ids", ids(&args.ids)?);
    for (name, value) in [
        ("state", &args.state),
        ("destination", &args.destination),
        ("source", &args.source),
        ("since", &args.since),
        ("until", &args.until),
    ] {
        given(&mut request, name, value.clone().map(Value::String));
    }
    if args.new_version {
        request.insert("new_version".to_owned(), Value::Bool(true));
    }
    let Some(report) = run(&target, "resend", request, &args.run, args.output.output).await? else { return Ok(()) };
    table::show(&[report], &RESENT, args.output.output)
}

fn ids(given: &[String]) -> Result<Option<Value>, Failure> {
    if given.is_empty() {
        return Ok(None);
    }
    Ok(Some(json!(ask::ids(given)?)))
}

fn given(request: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        request.insert(name.to_owned(), value);
    }
}

/// Counts first and asks, then starts the job and follows it to its end. None when nobody waits for the report.
async fn run(
    target: &Target,
    kind: &str,
    mut request: Map<String, Value>,
    run: &Run,
    output: Output,
) -> Result<Option<Value>, Failure> {
    request.insert("kind".to_owned(), kind.into());
    given(&mut request, "rate", run.rate.map(Value::from));
    if run.dry_run || !run.ask.yes {
        let mut trial = request.clone();
        trial.insert("dry_run".to_owned(), Value::Bool(true));
        let report = jobs::complete(target, &Value::Object(trial)).await?;
        if run.dry_run {
            return Ok(Some(report));
        }
        run.ask.confirm(&told(kind, &report))?;
    }
    given(&mut request, "reason", run.reason.clone().map(Value::String));
    let request = Value::Object(request);
    if run.detach {
        let job = target.post("/jobs", &request).await?;
        jobs::show(&job, output)?;
        return Ok(None);
    }
    jobs::complete(target, &request).await.map(Some)
}

/// What would be done, in a sentence.
fn told(kind: &str, report: &Value) -> String {
    let number = |at: &str| report.pointer(at).and_then(Value::as_u64).unwrap_or_default();
    let counts = |at: &str| {
        let counts = report.pointer(at).and_then(Value::as_object).cloned().unwrap_or_default();
        let shown: Vec<String> = counts.iter().map(|(name, n)| format!("{n} {name}")).collect();
        if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") }
    };
    if kind == "resend" {
        let (n, to, types) = (number("/messages"), counts("/destinations"), counts("/types"));
        let left_out = counts("/left_out");
        return format!("{n} messages would be sent again (to: {to}; types: {types}); left out: {left_out}");
    }
    let (deliveries, events) = (number("/deliveries"), number("/events"));
    let (effects, sends) = (counts("/effects"), counts("/would_send"));
    format!("{deliveries} deliveries of {events} events: {effects}; would be sent: {sends}")
}
