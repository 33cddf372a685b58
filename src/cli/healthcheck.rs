//! `tollgate healthcheck`: asks a running gateway whether it lives, for containers without a shell.

use std::time::Duration;

use super::{Exit, Failure};

/// One answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Arguments of `healthcheck`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  tollgate healthcheck --admin http://127.0.0.1:9600")]
pub struct Args {
    /// The admin listener.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9600")]
    pub admin: String,
}

/// Runs it.
///
/// # Errors
/// When the process does not answer 200.
pub async fn run(args: Args) -> Result<(), Failure> {
    let fail = |what: String| Failure::new(Exit::Failed, format!("the gateway is not healthy: {what}"));
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .map_err(|error| fail(error.to_string()))?;
    let url = format!("{}/healthz", args.admin.trim_end_matches('/'));
    let answer = client.get(url).send().await.map_err(|error| fail(error.without_url().to_string()))?;
    if answer.status().is_success() { Ok(()) } else { Err(fail(format!("it answers {}", answer.status()))) }
}
