//! The evidence log: append-only, byte-exact, fsynced and hash-linked, on RocksDB.
//!
//! [`Store::append`] answers only after the fsync that covers its delivery; nothing is visible to readers before.
//! The first failed write, failed fsync or panic of the writer poisons the log: no append is answered with success
//! ever after in this process, and recovery decides at the next start what is true. Stored records are never
//! encoded again. The format is specified in this crate's `README.md`.
//!
//! What this crate must never do: interpret a body, keep a secret, write to standard output, or use a tokio runtime
//! (the writer and the ring of rejected requests are threads of their own).
//!
//! | module | what it is |
//! |---|---|
//! | `delivery`, `decision`, `stub` | what goes in and comes out |
//! | `store` | the handle: append, read, change, health, close |
//! | `writer`, `plan` | group commit by one thread |
//! | `upkeep` | prune, erase, holds: changes to what is stored |
//! | `poison` | the state that only goes one way |
//! | `renew` | a restored log goes on under a new id |
//! | `recovery`, `torn`, `folder` | opening: what is refused, and how it is said; what a power cut leaves |
//! | `reader`, `check` | verified reads |
//! | `rejected` | the ring of refused requests |
//! | `envelope`, `meta`, `keys`, `link` | the stored bytes |
//! | [`merkle`], [`note`], `checkpoint`, `key` | proofs: the tree, and what is signed of it |
//! | `engine`, `reclaim`, `disk`, `holder`, `space` | RocksDB, its files, the commit, the lock, the free space |

mod bundle;
mod check;
mod checkpoint;
mod decision;
mod delivery;
mod disk;
mod engine;
mod envelope;
mod error;
mod folder;
mod holder;
mod key;
mod keys;
mod link;
pub mod merkle;
mod meta;
pub mod note;
mod plan;
mod poison;
mod reader;
mod reclaim;
mod recovery;
mod rejected;
mod renew;
mod seal;
mod space;
mod store;
mod stub;
#[cfg(test)]
mod testing;
mod torn;
mod upkeep;
mod verify;
mod writer;

pub use bundle::{BUNDLE_BYTES_MAX, BUNDLE_RECORDS_MAX, BundleError, Proven, Verified, bundle, verify_bundle};
pub use checkpoint::{Checkpoint, Signed, origin};
pub use decision::{Decision, DecisionId, LogDecision, Named};
pub use delivery::{
    BodyComplete, Commit, Counts, Delivery, Entry, Head, Health, NewDelivery, NewRejected, Options, RawRecord, Receipt,
    Record, RejectedFilter, RejectedPage, RejectedRecord, SignatureRecord, Stored,
};
pub use error::{AppendError, ChangeError, OpenError, ReadError, SnapshotError};
pub use key::{KeyError, SealKey};
pub use link::Link;
pub use renew::{RenewError, Renewed, renew};
pub use store::{SealError, Sealed, Store};
pub use stub::{
    BadSubject, Erased, Facts, Hold, Pruned, Rehydrated, Removal, Removed, Stub, StubEvent, StubTransfer, Subject,
};
pub use verify::{Finding, Report, Scope, Wrong};
