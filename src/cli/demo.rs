//! `tollgate demo`: the main job on this machine, with nothing configured.

use super::{Exit, Failure, print};
use crate::demo::backend::Backend;
use crate::demo::devnet::Devnet;
use crate::demo::gateway::{Gateway, Secrets};
use crate::demo::round::{Round, Row};
use crate::demo::stories;

/// Arguments of `demo`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  tollgate demo --once")]
pub struct Args {
    /// End after one round, and fail unless every verdict is the expected one.
    #[arg(long)]
    pub once: bool,
}

/// Runs it.
///
/// # Errors
/// When a part does not start, or a verdict is not the expected one.
pub async fn run(args: Args) -> Result<(), Failure> {
    print("Starting a local EVM node with Request Network's contracts, a backend and the gateway ...\n")?;
    let mut round = start().await?;
    stories::tell(&mut round).await?;
    let seen = round.backend.seen();
    let mut text = table(&round.rows);
    let wrong = round.rows.iter().filter(|row| !row.is_right()).count() + seen.violations.len();
    text.push_str(&format!("\nThe backend got {} messages, {} of them twice.\n", seen.messages.len(), seen.duplicates));
    for violation in &seen.violations {
        text.push_str(&format!("VIOLATION: {violation}\n"));
    }
    print(&text)?;
    if !args.once {
        print(&format!(
            "\nStill running: providers post to http://{}, the admin API is http://{}. Ctrl-C ends it.\n\
             Ask it from another terminal; the token is of this run only:\n  \
             export TOLLGATE_ADMIN_TOKEN={}\n  tollgate status --admin http://{}\n",
            round.gateway.public,
            round.gateway.admin,
            round.gateway.admin_token(),
            round.gateway.admin,
        ))?;
        tokio::signal::ctrl_c().await?;
    }
    round.gateway.stop().await?;
    if wrong == 0 {
        return Ok(());
    }
    Err(Failure::new(Exit::Failed, format!("{wrong} outcomes are not what they ought to be")))
}

async fn start() -> anyhow::Result<Round> {
    let net = Devnet::start().await?;
    let secrets = Secrets::random();
    let (backend, address) = Backend::start(&secrets.forward).await?;
    let gateway = Box::pin(Gateway::start(&net, address, secrets)).await?;
    Ok(Round { net, gateway, backend, rows: Vec::new() })
}

fn table(rows: &[Row]) -> String {
    let width = |of: fn(&Row) -> &str| rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0);
    let (story, happened) = (width(|row| row.story), width(|row| &row.happened));
    let mut text = String::from("\n");
    for row in rows {
        let mark = if row.is_right() { "ok   " } else { "WRONG" };
        text.push_str(&format!("{mark} {:story$}  {:happened$}  {}\n", row.story, row.happened, row.why));
        if !row.is_right() {
            text.push_str(&format!("      expected: {}\n", row.expected));
        }
    }
    text
}
