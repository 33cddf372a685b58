//! The program: parse the command line, run the command, end with its exit code.

use std::process::ExitCode;

use clap::Parser;
use tollgate::cli::{self, Cli, Exit, Failure};

/// RocksDB and SQLite use it too. Bodies, records and answers come and go on different threads, which the system's allocator
/// pays for with locks and memory that it does not give back (docs/performance.md).
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("tollgate").build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(Box::pin(cli::run(cli))),
        Err(error) => Err(Failure::new(Exit::Failed, format!("the runtime cannot start: {error}"))),
    };
    cli::conclude(result)
}
