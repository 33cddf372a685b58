//! The program: parse the command line, run the command, end with its exit code.

use std::process::ExitCode;

use clap::Parser;
use tollgate::cli::{self, Cli, Exit, Failure};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("tollgate").build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(Box::pin(cli::run(cli))),
        Err(error) => Err(Failure::new(Exit::Failed, format!("the runtime cannot start: {error}"))),
    };
    cli::conclude(result)
}
