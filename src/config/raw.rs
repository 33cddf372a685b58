//! The file as it is written: every table and key with its documentation, default and range. Nothing outside
//! `config` sees these types; the rest of the program gets [`super::checked::Config`].
//!
//! Ranges stand in the types: milliseconds in `Span<least, most>`, bytes in `Size<least, most>`.

pub(super) mod chains;
pub(super) mod forward;
pub(super) mod lifetime;
pub(super) mod server;
pub(super) mod sources;

use super::section::section;
use super::value::Folder;

section! {
    /// The whole file.
    struct File {
        /// Folder that holds evidence/ and, embedded, ledger.db.
        data_dir: default Folder = "data";
        /// The public listener, where providers post.
        ingress: table server::Ingress;
        /// The listener for operators and the backend.
        admin: table server::Admin;
        /// Logs, and a listener for health and metrics only.
        telemetry: table server::Telemetry;
        /// How the process ends.
        shutdown: table server::Shutdown;
        /// The evidence log.
        evidence: table server::Evidence;
        /// The ledger.
        ledger: table server::Ledger;
        /// Copies of both.
        backup: table server::Backup;
        /// Webhook endpoints, one entry a provider account.
        sources: list sources::Source;
        /// What makes a payment verified.
        verification: table sources::Verification;
        /// Chains to read, by name; only what stands here is active.
        chains: names chains::ChainTable;
        /// Where messages go.
        forward: table forward::Forward;
    }
}
