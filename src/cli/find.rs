//! `tollgate find`: everything stored that is known by one string.

use serde_json::Value;

use super::table::{self, Layout, Output, OutputArgs, column, wide};
use super::target::{Query, Target, TargetArgs};
use super::{Exit, Failure, deliveries, events, output};

const EXPECTATIONS: Layout = Layout {
    what: "expectations",
    id: "/id",
    columns: &[
        column("expectation", "/id"),
        column("status", "/status"),
        column("request", "/request_id"),
        column("reference", "/payment_reference"),
        column("created", "/created_at"),
        wide("realm", "/realm"),
        wide("deadline", "/deadline"),
    ],
};

/// Arguments of `find`.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Example:\n  tollgate find 0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060\n  \
                        tollgate find pi_3PxQ"
)]
pub struct Args {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// A transaction, address, reference, request id, evt_…, pi_…, or the id of an expectation, delivery, event, payment
    /// or webhook, whole; ids of deliveries and events also by their first eight digits.
    #[arg(value_name = "ANY")]
    any: String,
}

/// Runs it.
///
/// # Errors
/// When nothing is known by it; and as [`Target::get`].
pub async fn run(args: Args) -> Result<(), Failure> {
    let target = Target::open(&args.target).await?;
    let found = target.get("/find", &Query::default().with("q", Some(&args.any))).await?;
    let of = |name: &str| found.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let groups =
        [(of("events"), &events::LAYOUT), (of("deliveries"), &deliveries::LAYOUT), (of("expectations"), &EXPECTATIONS)];
    if groups.iter().all(|(items, _)| items.is_empty()) {
        let message = format!("nothing stored is known by {:?}", args.any);
        return Err(Failure::new(Exit::Failed, table::printable(&message)));
    }
    if args.output.output == Output::Json {
        return table::show(&[found], &events::LAYOUT, Output::Json);
    }
    let many = groups.iter().filter(|(items, _)| !items.is_empty()).count() > 1;
    let apart = many && args.output.output != Output::Id;
    let mut first = true;
    for (items, layout) in groups.iter().filter(|(items, _)| !items.is_empty()) {
        if apart && !std::mem::take(&mut first) {
            output::print("\n")?;
        }
        table::list(items, layout, args.output.output)?;
    }
    if found.get("more") == Some(&Value::Bool(true)) {
        output::note("there is more: list events or deliveries with -q");
    }
    Ok(())
}
