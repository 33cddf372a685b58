//! `tollgate evidence rebuild-ledger`: a new ledger from the log, when the old one is gone or wrong.

use std::fmt::Write;
use std::path::PathBuf;

use evidence_store::Store;

use crate::app::StartError;
use crate::cli::progress::Bar;
use crate::cli::table::printable;
use crate::cli::{Exit, Failure, print};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::intake::IntakeError;
use crate::ledger::Who;
use crate::rebuild::{self, Differences, Plan, RebuildError, Report};
use crate::task;

/// Items of each list that a person is shown.
const SHOWN: usize = 20;

/// How the result is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// For people: counts, and the first 20 of each.
    #[default]
    Text,
    /// All of it.
    Json,
}

/// Arguments of `evidence rebuild-ledger`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  tollgate evidence rebuild-ledger --config /etc/tollgate --dry-run\n\n\
    The gateway must be stopped. Forwarding is paused afterwards: look at what is due, then resume it.\n\
    The old ledger is kept beside the new one.")]
pub struct Args {
    /// A file, or a folder whose *.toml are read in name order; repeat it, later ones override.
    #[arg(long, value_name = "FILE", required = true)]
    config: Vec<PathBuf>,
    /// Compare only: say what would differ and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Why, for the audit.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// How to show what came of it.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Form,
}

/// Runs it.
///
/// # Errors
/// A wrong configuration, a gateway that runs, a damaged log, a ledger of a newer program, a full disk.
pub async fn run(args: Args) -> Result<(), Failure> {
    let environment = config::environment();
    let config = config::load(&args.config, &environment)?.config;
    let user = environment.get("USER").or_else(|| environment.get("LOGNAME")).filter(|name| !name.is_empty());
    let name = user.map_or("operator", String::as_str).to_owned();
    let by = Who { name, from: "rebuild".to_owned(), reason: args.reason.clone() };
    let (dry_run, output) = (args.dry_run, args.output);
    let work = task::spawn_blocking(move || rebuild(&config, by, dry_run));
    let report = work.await.map_err(|error| Failure::new(Exit::Failed, error.to_string()))??;
    let text = match output {
        Form::Json => {
            let json = serde_json::to_string_pretty(&report);
            json.map_err(|error| Failure::new(Exit::Failed, error.to_string()))? + "\n"
        }
        Form::Text => told(&report),
    };
    Ok(print(&text)?)
}

fn rebuild(config: &Config, by: Who, dry_run: bool) -> Result<Report, Failure> {
    let log = config.evidence.path.join("log");
    if !log.join("CURRENT").is_file() {
        let message = format!("{} is no evidence log: a ledger is rebuilt from one", log.display());
        return Err(Failure::new(Exit::Usage, message));
    }
    let options = evidence_store::Options {
        path: config.evidence.path.clone(),
        reserve_bytes: config.evidence.reserve,
        rejected_max_bytes: config.evidence.rejected_max,
        repeats_max: config.evidence.repeats_max,
        observer: None,
    };
    let evidence = Store::open(options).map_err(StartError::from)?;
    let mut bar = Bar::new("rebuild");
    let now = Clock::system().now();
    let plan = Plan { config, evidence: &evidence, by, now, dry_run };
    Ok(rebuild::run(&plan, &mut |done, total, doing| bar.at(done, total, doing))?)
}

impl From<RebuildError> for Failure {
    fn from(error: RebuildError) -> Self {
        match error {
            RebuildError::Open(error) => StartError::from(error).into(),
            RebuildError::Evidence(error) => StartError::from(IntakeError::from(error)).into(),
            RebuildError::Ledger(_) => Self::new(Exit::Failed, error.to_string()),
        }
    }
}

fn told(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _written = write(&mut text, report);
    text
}

fn write(text: &mut String, report: &Report) -> std::fmt::Result {
    if report.resumed {
        return writeln!(text, "an interrupted rebuild was at its last step: the new ledger is in place now");
    }
    let made = &report.ledger;
    let verb = if report.dry_run { "would hold" } else { "holds" };
    writeln!(text, "read {} records of the log; the new ledger {verb}:", report.records)?;
    writeln!(
        text,
        "  {} deliveries, {} events, {} expectations, {} transfer claims, {} messages",
        made.deliveries, made.events, made.expectations, made.transfer_claims, made.messages
    )?;
    writeln!(text, "  ledger {}, epoch {}", made.ledger_id, made.epoch)?;
    if report.old.found {
        writeln!(text, "kept of the old ledger:")?;
        for (table, rows) in report.old.kept.iter().filter(|(_, rows)| *rows > 0) {
            writeln!(text, "  {table}: {rows}")?;
        }
        for unread in &report.old.unread {
            let rows = unread.rows.map(|rows| format!("{rows} rows ")).unwrap_or_default();
            writeln!(text, "  NOT KEPT of {}: {rows}({})", unread.table, printable(&unread.why))?;
        }
    } else {
        writeln!(
            text,
            "there was no old ledger: expectations, messages and attempts are gone; put expectations again"
        )?;
    }
    differences(text, &report.differences)?;
    let paused = if report.dry_run { "would be" } else { "is" };
    writeln!(text, "forwarding {paused} paused; messages due behind the pause: {}", made.due)?;
    if let Some(path) = &report.old_kept_as {
        writeln!(text, "the old ledger is kept as {}", path.display())?;
    }
    if report.dry_run {
        writeln!(text, "nothing was changed: this was a dry run")?;
    }
    Ok(())
}

fn differences(text: &mut String, found: &Differences) -> std::fmt::Result {
    writeln!(text, "what differed:")?;
    let ids = |list: &[uuid::Uuid]| list.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>();
    let events = |list: &[crate::model::EventId]| list.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>();
    let pairs = |list: &[rebuild::Found]| {
        let line = |found: &rebuild::Found| format!("{}: {} -> {}", found.of, found.was, found.is);
        list.iter().take(SHOWN).map(line).collect::<Vec<_>>()
    };
    let lists = [
        ("deliveries the ledger lacked", found.deliveries_lacked.count, ids(&found.deliveries_lacked.items)),
        ("events the ledger lacked", found.events_lacked.count, events(&found.events_lacked.items)),
        (
            "events without a delivery in the log (kept)",
            found.events_without_delivery.count,
            events(&found.events_without_delivery.items),
        ),
        ("deliveries under another event", found.deliveries_repointed.count, pairs(&found.deliveries_repointed.items)),
        ("identities re-pointed", found.identities_repointed.count, pairs(&found.identities_repointed.items)),
        ("states behind the log's decisions", found.states_behind.count, pairs(&found.states_behind.items)),
        (
            "states that contradicted their own decision",
            found.states_contradicted.count,
            pairs(&found.states_contradicted.items),
        ),
        ("messages made again", found.messages_made_again.count, events(&found.messages_made_again.items)),
        (
            "confirmed payments whose transfers nobody recorded",
            found.claims_unknown.count,
            events(&found.claims_unknown.items),
        ),
        ("decisions only the log had", found.decisions_lacked, Vec::new()),
        ("audit entries only the log had", found.audit_lacked, Vec::new()),
        ("decisions that cannot be read", found.decisions_unread, Vec::new()),
    ];
    for (what, count, first) in &lists {
        writeln!(text, "  {what}: {count}")?;
        for line in first {
            writeln!(text, "    {}", printable(line))?;
        }
    }
    Ok(())
}
