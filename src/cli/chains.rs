//! `tollgate chains`: how chains are judged and seen now, and what an operator sets for them.

use serde_json::{Value, json};

use super::Failure;
use super::ask::Ask;
use super::table::{self, Layout, Output, OutputArgs, column, wide};
use super::target::{Query, Target, TargetArgs, segment};

mod tier;

use tier::Tier;

const LAYOUT: Layout = Layout {
    what: "chains",
    id: "/name",
    columns: &[
        column("chain", "/name"),
        column("id", "/chain_id"),
        column("head", "/head"),
        column("finalized", "/finalized"),
        column("behind s", "/finalized_lag_seconds"),
        column("agree", "/agree"),
        column("in use", "/nodes_in_use"),
        column("can agree", "/can_agree"),
        column("finality", "/finality/origin"),
        column("stopped", "/stopped/reason"),
        wide("safe", "/safe"),
        wide("owners", "/owners"),
        wide("testnet", "/testnet"),
        wide("watched", "/watched"),
    ],
};

const NODES: Layout = Layout {
    what: "nodes",
    id: "/name",
    columns: &[
        column("node", "/name"),
        column("owner", "/owner"),
        column("state", "/state"),
        column("head", "/head"),
        column("behind", "/lag_blocks"),
        column("finalized", "/finalized"),
        column("cordoned by", "/cordon/by"),
        column("reason", "/cordon/reason"),
        wide("safe", "/safe"),
        wide("since", "/cordon/since_at"),
    ],
};

/// Arguments of `chains`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  tollgate chains list && tollgate chains nodes base")]
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
    /// List the active chains.
    #[command(visible_alias = "ls", after_help = "Example:\n  tollgate chains list -o wide")]
    List,
    /// Show a chain with its finality and where that comes from, its nodes, tokens and contracts.
    #[command(visible_aliases = ["get", "describe"], after_help = "Example:\n  tollgate chains show base -o json")]
    Show(Named),
    /// List the nodes of a chain.
    #[command(after_help = "Example:\n  tollgate chains nodes base")]
    Nodes(Named),
    /// Take a node out of use, or a whole chain: then nothing is confirmed on it. Lasts over restarts.
    #[command(after_help = "Example:\n  tollgate chains cordon base alchemy --reason 'shows another block'")]
    Cordon(What),
    /// Use a node again, or confirm again on a chain that an operator or a deep reorganisation stopped.
    #[command(after_help = "Example:\n  tollgate chains uncordon base --reason 'status page: resolved'")]
    Uncordon(What),
    /// Set how deep payments have to be, over the configuration and over restarts.
    #[command(
        after_help = "Example:\n  tollgate chains set-finality base --tier 20:2 --tier 1000:12 --tier 64+finalized \
                      --reason 'incident 7'\n\nA tier is [UP_TO_USD:]CONFIRMATIONS[+safe|+finalized], weakest first; \
                      the last one has no UP_TO_USD."
    )]
    SetFinality(SetFinality),
    /// Take back what set-finality set: the configuration's tiers hold again.
    #[command(after_help = "Example:\n  tollgate chains unset-finality base --reason 'incident 7 is over'")]
    UnsetFinality(UnsetFinality),
}

#[derive(Clone, Debug, clap::Args)]
struct Named {
    /// Configured name.
    chain: String,
}

#[derive(Clone, Debug, clap::Args)]
struct What {
    /// Configured name.
    chain: String,
    /// Configured node name; without it, the whole chain.
    node: Option<String>,
    /// Why. Stands in the audit trail.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    ask: Ask,
}

#[derive(Clone, Debug, clap::Args)]
struct SetFinality {
    /// Configured name.
    chain: String,
    /// A tier, weakest first; repeat it.
    #[arg(long = "tier", value_name = "TIER", required = true)]
    tiers: Vec<Tier>,
    /// Why. Stands in the audit trail.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Let payments of the last two tiers go out less firm than configured.
    #[arg(long)]
    accept_unfinalized: bool,
    #[command(flatten)]
    ask: Ask,
}

#[derive(Clone, Debug, clap::Args)]
struct UnsetFinality {
    /// Configured name.
    chain: String,
    /// Why. Stands in the audit trail.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    ask: Ask,
}

/// Runs it.
///
/// # Errors
/// See [`Target::open`], [`Target::get`] and [`Ask::confirm`].
pub async fn run(args: Args) -> Result<(), Failure> {
    let target = Target::open(&args.target).await?;
    let output = args.output.output;
    match args.verb {
        Verb::List => {
            let list = target.get("/chains", &Query::default()).await?;
            table::list(&items(&list, "items"), &LAYOUT, output)
        }
        Verb::Show(Named { chain }) => show(&read(&target, &chain).await?, output),
        Verb::Nodes(Named { chain }) => table::list(&items(&read(&target, &chain).await?, "nodes"), &NODES, output),
        Verb::Cordon(what) => set_use(&target, what, "cordon", output).await,
        Verb::Uncordon(what) => set_use(&target, what, "uncordon", output).await,
        Verb::SetFinality(set) => set_finality(&target, set, output).await,
        Verb::UnsetFinality(UnsetFinality { chain, reason, ask }) => {
            let now = read(&target, &chain).await?;
            let lines = [
                format!("takes back the finality of {chain} that was set at run time"),
                format!("now: {}", tiers_of(&now, "/finality/tiers")),
            ];
            ask.confirm(&table::printable(&lines.join("\n")))?;
            show(&target.delete_with(&at(&chain, "finality"), &json!({"reason": reason})).await?, output)
        }
    }
}

async fn set_use(target: &Target, what: What, verb: &str, output: Output) -> Result<(), Failure> {
    let What { chain, node, reason, ask } = what;
    let now = read(target, &chain).await?;
    let text = |pointer: &str| now.pointer(pointer).map(Value::to_string).unwrap_or_default();
    let context = match (verb, &node) {
        ("cordon", Some(node)) => Some(format!(
            "takes the node {node} of {chain} out of use; {} of its nodes are in use now, {} have to agree",
            text("/nodes_in_use"),
            text("/agree")
        )),
        ("cordon", None) => Some(format!("stops {chain}: nothing is confirmed on it until it is uncordoned")),
        (_, Some(_)) => None,
        (_, None) => Some(format!("confirms payments on {chain} again; it was stopped: {}", text("/stopped"))),
    };
    if let Some(context) = context {
        ask.confirm(&table::printable(&context))?;
    }
    let path = match &node {
        Some(node) => at(&chain, &format!("nodes/{}/{verb}", segment(node))),
        None => at(&chain, verb),
    };
    let answer = target.post(&path, &json!({"reason": reason})).await?;
    match (node, output) {
        (Some(_), Output::Table | Output::Wide) => table::list(&items(&answer, "nodes"), &NODES, output),
        _ => show(&answer, output),
    }
}

async fn set_finality(target: &Target, set: SetFinality, output: Output) -> Result<(), Failure> {
    let SetFinality { chain, tiers, reason, accept_unfinalized, ask } = set;
    let now = read(target, &chain).await?;
    let tiers: Vec<Value> = tiers.into_iter().map(|Tier(tier)| json!(tier)).collect();
    let lines = [
        format!("changes how deep payments on {chain} have to be, from the next one judged on"),
        format!("now:  {}", tiers_of(&now, "/finality/tiers")),
        format!("then: {}", tiers_of(&json!({"tiers": tiers}), "/tiers")),
    ];
    ask.confirm(&table::printable(&lines.join("\n")))?;
    let body = json!({"tiers": tiers, "reason": reason, "accept_unfinalized": accept_unfinalized});
    show(&target.put(&at(&chain, "finality"), &body).await?, output)
}

/// Tiers in the form in which they are given.
fn tiers_of(chain: &Value, pointer: &str) -> String {
    let tiers = chain.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    tiers.iter().map(tier::text).collect::<Vec<_>>().join("  ")
}

async fn read(target: &Target, chain: &str) -> Result<Value, Failure> {
    target.get(&format!("/chains/{}", segment(chain)), &Query::default()).await
}

fn at(chain: &str, rest: &str) -> String {
    format!("/chains/{}/{rest}", segment(chain))
}

fn items(of: &Value, field: &str) -> Vec<Value> {
    of.get(field).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn show(chain: &Value, output: Output) -> Result<(), Failure> {
    table::show(std::slice::from_ref(chain), &LAYOUT, output)
}
