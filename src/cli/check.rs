//! `tollgate check`: validates the whole configuration, and the deny lists that it names; with `--rpc` asks its nodes.
//! Opens no port and no data.

use std::path::PathBuf;

use super::table::{self, OutputArgs};
use super::{Exit, Failure, print};
use crate::config::{self, Config, Environment, Loaded};
use crate::screening::{self, list::DenyList};

mod rpc;

/// Arguments of `check`.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Example:\n  tollgate check --config /etc/tollgate --print\n  tollgate check --config /etc/tollgate --rpc"
)]
pub struct Args {
    /// A file, or a folder whose *.toml are read in name order; repeat it, later ones override.
    #[arg(long, value_name = "FILE", required_unless_present = "schema")]
    pub config: Vec<PathBuf>,
    /// Print every effective value with its origin; no secrets.
    #[arg(long, conflicts_with = "schema")]
    pub print: bool,
    /// Print the JSON Schema of a configuration file.
    #[arg(long)]
    pub schema: bool,
    /// Ask every node for chain id, head, tags and methods; exit code 1 when a chain cannot reach its agreement.
    #[arg(long, conflicts_with_all = ["schema", "print"])]
    pub rpc: bool,
    /// With --rpc: how to show it.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs it.
///
/// # Errors
/// Every problem of the configuration, or the first bad deny list, with exit code 2; with `--rpc` the chains that cannot be verified on, with 1.
pub async fn run(args: Args) -> Result<(), Failure> {
    let environment = config::environment();
    if !args.rpc {
        print(&report(&args, &environment)?)?;
        return Ok(());
    }
    let config = config::load(&args.config, &environment)?.config;
    let asked = rpc::ask(&config).await;
    table::list(&asked.rows, &rpc::LAYOUT, args.output.output)?;
    if asked.failing.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Exit::Failed, format!("payments cannot be verified on\n  {}", asked.failing.join("\n  "))))
}

/// What is printed.
fn report(args: &Args, environment: &Environment) -> Result<String, Failure> {
    if args.schema {
        return Ok(format!("{:#}\n", config::schema()));
    }
    let Loaded { config, effective } = config::load(&args.config, environment)?;
    let denied = screening::read(&config.verification.screening)
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    if args.print { Ok(config::effective(&effective)) } else { Ok(summary(&config, denied.as_deref())) }
}

/// What would run.
fn summary(config: &Config, denied: Option<&DenyList>) -> String {
    let line = |what: &str, value: String| format!("  {what:<13}{value}\n");
    let mut text = String::from("configuration ok\n");
    text += &line("ingress", config.ingress.listen.to_string());
    text += &line("admin", format!("{}, tokens: {}", config.admin.listen, config.admin.tokens.len()));
    text += &line("data", config.data_dir.display().to_string());
    for source in &config.sources {
        let to = source.forward_to.join(", ");
        text += &line("source", format!("{} ({}) at {} → {to}", source.name, source.provider.name(), source.path));
    }
    for (name, chain) in &config.chains {
        let (nodes, agree) = (chain.nodes.len(), chain.agree);
        text += &line("chain", format!("{name} (id {}), {agree} of {nodes} nodes agree", chain.chain.chain_id));
    }
    for file in denied.into_iter().flat_map(DenyList::files) {
        text += &line("deny list", file.to_string());
    }
    for (name, destination) in &config.destinations {
        let how = if destination.url.is_some() { "posts" } else { "waits to be pulled" };
        text += &line("destination", format!("{name} {how}"));
    }
    text
}

#[cfg(test)]
mod tests;
