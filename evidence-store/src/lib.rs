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
//! | `delivery` | what goes in and comes out |
//! | `store` | the handle: append, read, health, close |
//! | `writer`, `plan` | group commit by one thread |
//! | `poison` | the state that only goes one way |
//! | `recovery` | opening: what is refused, and how it is said |
//! | `reader`, `check` | verified reads |
//! | `rejected` | the ring of refused requests |
//! | `envelope`, `meta`, `keys`, `link` | the stored bytes |
//! | `engine`, `disk`, `holder`, `space` | RocksDB, the commit, the lock, the free space |

mod check;
mod delivery;
mod disk;
mod engine;
mod envelope;
mod error;
mod holder;
mod keys;
mod link;
mod meta;
mod plan;
mod poison;
mod reader;
mod recovery;
mod rejected;
mod space;
mod store;
#[cfg(test)]
mod testing;
mod writer;

pub use delivery::{
    BodyComplete, Commit, Delivery, Head, Health, NewDelivery, NewRejected, Options, Receipt, Record, RejectedRecord,
    SignatureRecord, Stored,
};
pub use error::{AppendError, OpenError, ReadError};
pub use link::Link;
pub use store::Store;
