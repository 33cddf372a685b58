//! `tollgate completions`: what a shell offers while somebody types.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Failure, print};

/// Arguments of `completions`.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(after_help = "Example:\n  tollgate completions bash > /etc/bash_completion.d/tollgate")]
pub struct Args {
    /// The shell.
    shell: Shell,
}

/// Prints them.
///
/// # Errors
/// When they cannot be written.
pub fn run(args: Args) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tollgate", &mut script);
    Ok(print(&String::from_utf8_lossy(&script))?)
}
