//! Evidence outside the box: records as files that anybody can read, in a directory or an S3-compatible bucket.
//!
//! An archive is a folder of its own, `<log id>-<first>-<last>-<digest>/`:
//!
//! | file | what it is |
//! |---|---|
//! | `records-000001.ndjson.zst`, … | a record a line ([`Line`]): its stored bytes in base64, its place in the log, what it is |
//! | `manifest.json` | what there is, with a SHA-256 of each file ([`Manifest`]); written last |
//!
//! Without its manifest an archive does not exist: whatever interrupts the writing leaves files that nothing reads. A
//! file counts as written only when it was read back and hashes to what was meant, and an archive that differs in one
//! byte from its manifest is refused whole. The name follows from the records, so that writing the same ones again
//! after a crash finds what is there.
//!
//! What this module must never do: delete anything, anywhere.
//!
//! | module | what it is |
//! |---|---|
//! | `line` | pure: a record as a line of JSON |
//! | `manifest` | pure: the list of files |
//! | `pack` | pure: lines to compressed files of bounded size, and back |
//! | `place` | the directory or bucket |
//! | `upload`, `read` | writing with read-back; verified reading |

mod error;
mod line;
mod manifest;
mod pack;
mod place;
mod read;
mod upload;

pub use error::{ArchiveError, Flaw};
pub use line::{Line, RecordKind};
pub use manifest::{FileEntry, Manifest};
pub use pack::{Packed, Packer, unpack};
pub use place::Place;
pub use read::{Archive, find};
pub use upload::{Upload, Written, name};

#[cfg(test)]
mod tests;
