//! From what is written to what may be used: rules that look at more than one key, and derived values.
//!
//! Every rule notes its problem and goes on.

mod chains;
mod forward;
mod lifetime;
mod server;
mod sources;

use std::collections::BTreeMap;

use super::checked::Config;
use super::raw::File;
use super::read::Reader;

/// The checked configuration. `None` only where a problem was noted.
pub(super) fn config(file: File, reader: &mut Reader<'_>) -> Option<Config> {
    server::listeners(&file, reader);
    sources::unique(&file, reader);
    let recipients = sources::verification(&file, reader);
    let destinations = forward::destinations(&file, reader);
    let chains = chains::active(&file, reader);
    let sources = sources::sources(&file, &destinations, reader);
    let admin = server::admin(&file, &sources, reader);
    let data_dir = file.data_dir.0;
    let evidence = server::evidence(file.evidence, &data_dir, reader);
    let ledger = server::ledger(file.ledger, &data_dir, reader);
    let backup = server::backup(file.backup, &data_dir, reader);
    Some(Config {
        evidence,
        ledger,
        backup,
        data_dir,
        ingress: server::ingress(file.ingress),
        admin,
        telemetry: server::telemetry(file.telemetry),
        shutdown: server::shutdown(&file.shutdown),
        sources,
        verification: recipients,
        chains,
        destinations,
        include_claimed: file.forward.own.include_claimed,
    })
}

/// Notes every name that stands twice. `found` are pairs of a name and the key that carries it.
fn refuse_twice<'n>(found: impl Iterator<Item = (&'n str, String)>, what: &str, reader: &mut Reader<'_>) {
    let mut first: BTreeMap<&str, String> = BTreeMap::new();
    for (name, key) in found {
        match first.get(name) {
            Some(other) => {
                let message = format!("expected {what} that is used once; found {name:?}, which {other} has too");
                reader.problem(&key, message, "give one of them another");
            }
            None => {
                first.insert(name, key);
            }
        }
    }
}

/// A count as an index; counts are bounded far below.
fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
