//! `tollgate evidence prove` and `verify-bundle`.

use std::io::Read;
use std::path::PathBuf;

use evidence_store::note::VerifierKey;
use evidence_store::{BUNDLE_BYTES_MAX, Entry, verify_bundle};

use super::write_out;
use crate::cli::target::{Query, Target, segment};
use crate::cli::{Exit, Failure, print, table};

/// Arguments of `evidence prove`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// A delivery, event, payment (`pay_…`), expectation or transaction (`0x…`).
    id: String,
    /// The file to write, which must not exist; standard output when not given.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Arguments of `evidence verify-bundle`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// The bundle.
    file: PathBuf,
    /// The public key, as `evidence checkpoint --json` or `status` showed it; by another way than the bundle.
    #[arg(long, value_name = "VKEY")]
    key: String,
    /// Print the bundle's records as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(target: &Target, args: &Args) -> Result<(), Failure> {
    let bytes = target.bytes(&format!("/evidence/proof/{}", segment(&args.id)), &Query::default()).await?;
    write_out(&bytes, args.out.as_ref())
}

pub(super) fn check(args: &CheckArgs) -> Result<(), Failure> {
    let key =
        VerifierKey::parse(args.key.trim()).map_err(|error| Failure::new(Exit::Usage, format!("--key: {error}")))?;
    let shown = args.file.display();
    let file = std::fs::File::open(&args.file)
        .map_err(|error| Failure::new(Exit::Usage, format!("cannot read {shown}: {error}")))?;
    let mut bytes = Vec::new();
    let limit = u64::try_from(BUNDLE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes)?;
    let verified = verify_bundle(&bytes, &key)
        .map_err(|error| Failure::new(Exit::Evidence, table::printable(&format!("{shown}: NOT PROVEN: {error}"))))?;
    if args.json {
        return Ok(print(&format!("{:#}\n", verified.shown))?);
    }
    let checkpoint = &verified.checkpoint;
    let mut told = format!(
        "proven: {} records about {} were in the log {} when its checkpoint over {} records was signed{}\n",
        verified.records.len(),
        verified.about,
        checkpoint.origin,
        checkpoint.size,
        checkpoint.time.as_ref().map(|time| format!(" at {time}")).unwrap_or_default(),
    );
    for record in &verified.records {
        let line = match &record.entry {
            Entry::Delivery(delivery) => {
                format!("delivery {} of {}, {} bytes", delivery.id, delivery.source, delivery.body.len())
            }
            Entry::Decision(decision) => format!("decision {}", decision.kind),
            Entry::Stub(stub) => format!(
                "delivery {} of {}, removed by {}: {}",
                stub.delivery_id, stub.source, stub.why.by, stub.why.reason
            ),
        };
        told.push_str(&format!("  {:>10}  {line}\n", record.seq));
    }
    Ok(print(&table::printable(&told))?)
}
