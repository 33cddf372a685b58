//! `tollgate secret generate`: a new key, from the system's random source.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::TryRngCore;
use rand::rngs::OsRng;

use super::{Exit, Failure, print};

/// Bytes of a new key: as long as the hash that uses it (SHA-256), inside the 24 to 64 of Standard Webhooks.
const KEY_BYTES: usize = 32;

/// Arguments of `secret`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  (umask 077; tollgate secret generate > /run/secrets/forward)")]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do with secrets.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Verb {
    /// Print a new key of the Standard Webhooks form, whsec_ and base64 of 32 random bytes; good for tokens too.
    Generate,
}

/// Runs it.
///
/// # Errors
/// When the system gives no random bytes, or the output is closed.
pub fn run(args: &Args) -> Result<(), Failure> {
    match args.verb {
        Verb::Generate => Ok(print(&format!("{}\n", generate()?))?),
    }
}

fn generate() -> Result<String, Failure> {
    let mut key = [0_u8; KEY_BYTES];
    OsRng
        .try_fill_bytes(&mut key)
        .map_err(|error| Failure::new(Exit::Failed, format!("the system gives no random bytes: {error}")))?;
    Ok(format!("whsec_{}", STANDARD.encode(key)))
}
