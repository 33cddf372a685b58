//! `tollgate payments`: events that proved money, and a transaction judged by hand.

use serde_json::{Value, json};

use super::ask::Ask;
use super::filter::{FilterArgs, PageArgs};
use super::table::{self, Layout, OutputArgs, column, wide};
use super::target::{Query, Target, TargetArgs, segment};
use super::{Failure, ask};

const LAYOUT: Layout = Layout {
    what: "payments",
    id: "/payment_id",
    columns: &[
        column("payment", "/payment_id"),
        column("source", "/source"),
        column("state", "/state"),
        column("code", "/code"),
        column("transaction", "/anchor/tx_hash"),
        column("received", "/received_at"),
        column("expectation", "/expectation"),
        wide("event", "/event_id"),
        wide("chain", "/anchor/chain_id"),
        wide("block", "/anchor/block_number"),
        wide("version", "/state_version"),
        wide("updated", "/updated_at"),
    ],
};

const CHECKED: Layout = Layout {
    what: "transactions",
    id: "/tx_hash",
    columns: &[
        column("transaction", "/tx_hash"),
        column("chain", "/chain"),
        column("verdict", "/verdict"),
        column("code", "/code"),
        column("confirmations", "/confirmations"),
        column("would send", "/would_send/type"),
        column("claimed by", "/claimed_by/event_id"),
        column("submitted", "/submitted/event_id"),
    ],
};

/// Arguments of `payments`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  tollgate payments list --chain base --since 2d")]
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
    /// List them, newest first.
    #[command(visible_alias = "ls", after_help = "Example:\n  tollgate payments list --expectation order-17 -o wide")]
    List(Box<List>),
    /// Show a payment with what it claimed, its messages, and the evidence of the chain.
    #[command(visible_aliases = ["get", "describe"], after_help = "Example:\n  tollgate payments show pay_9b1f6d8e -o json")]
    Show(Ids),
    /// Judge a transaction by hand: asks the nodes, and writes nothing unless it is submitted.
    #[command(after_help = "Example:\n  tollgate payments check --chain base --tx 0x5e1f… --expectation order-17\n\n\
                      It says what verification would say of a webhook about this transaction now, and what would be \
                      sent.\nWith --submit, proven money for an open expectation becomes an event and is sent: for a \
                      payment whose webhook was lost.\nA stored event is judged again by `tollgate events recheck`.")]
    Check(Check),
}

#[derive(Clone, Debug, clap::Args)]
struct List {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    page: PageArgs,
}

#[derive(Clone, Debug, clap::Args)]
struct Ids {
    /// A payment's id, its event's id or its transaction, or a beginning that is unique; - reads them from standard
    /// input.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

#[derive(Clone, Debug, clap::Args)]
struct Check {
    /// An active chain: its name or number.
    #[arg(long, value_name = "CHAIN")]
    chain: String,
    /// The transaction.
    #[arg(long, value_name = "0x…")]
    tx: String,
    /// What it is held against.
    #[arg(long, value_name = "ID")]
    expectation: Option<String>,
    /// What binds it, where the expectation does not say.
    #[arg(long, value_name = "REFERENCE")]
    payment_reference: Option<String>,
    /// Make an event of it when it is proven money for the expectation, and send it.
    #[arg(long, requires = "expectation")]
    submit: bool,
    /// Why it is submitted; stands in the audit trail.
    #[arg(long, value_name = "TEXT", requires = "submit")]
    reason: Option<String>,
    #[command(flatten)]
    ask: Ask,
}

/// Runs it.
///
/// # Errors
/// See [`Target::open`] and [`Target::get`].
pub async fn run(args: Args) -> Result<(), Failure> {
    let target = Target::open(&args.target).await?;
    let output = args.output.output;
    match args.verb {
        Verb::List(list) => {
            let items = list.page.items(&target, "/payments", &list.filter.query()).await?;
            table::list(&items, &LAYOUT, output)
        }
        Verb::Show(Ids { ids }) => {
            let mut items = Vec::new();
            for id in ask::ids(&ids)? {
                items.push(target.get(&format!("/payments/{}", segment(&id)), &Query::default()).await?);
            }
            table::show(&items, &LAYOUT, output)
        }
        Verb::Check(asked) => {
            let body = |submit: bool| {
                json!({
                    "chain": asked.chain,
                    "tx": asked.tx,
                    "expectation": asked.expectation,
                    "payment_reference": asked.payment_reference,
                    "submit": submit,
                    "reason": asked.reason,
                })
            };
            let judged = target.post("/payments/check", &body(false)).await?;
            if !asked.submit {
                return table::show(&[judged], &CHECKED, output);
            }
            let would_send = judged.pointer("/would_send/type").and_then(Value::as_str);
            // What the gateway will refuse, or knows already, changes nothing: it is left to say so.
            if let Some(message) = would_send {
                asked.ask.confirm(&about(&judged, message))?;
            }
            table::show(&[target.post("/payments/check", &body(true)).await?], &CHECKED, output)
        }
    }
}

/// What would be done, for whoever has to say yes.
fn about(judged: &Value, message: &str) -> String {
    let text = |pointer: &str| judged.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
    format!(
        "{} on {} pays {} {} for {}: {} is sent",
        text("/tx_hash"),
        text("/chain"),
        text("/would_send/payment/amount"),
        text("/would_send/payment/token/symbol"),
        text("/expectation"),
        message
    )
}
