//! What can go wrong with an archive, and what to do.

/// Why something was not archived or not read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The directory or bucket cannot be used as configured.
    #[error("{place} cannot be used: {why}")]
    Unusable {
        /// Where, without credentials.
        place: String,
        /// What is wrong.
        why: String,
    },
    /// The directory or bucket did not do what was asked.
    #[error("{place}/{file}: {source}")]
    Place {
        /// Where, without credentials.
        place: String,
        /// Which file.
        file: String,
        /// What it said.
        source: Box<object_store::Error>,
    },
    /// The archive is not what it says: nothing of it may be used.
    #[error("{place}/{file}: {flaw}; nothing of this archive was used")]
    Refused {
        /// Where, without credentials.
        place: String,
        /// Which file.
        file: String,
        /// What is wrong.
        flaw: Flaw,
    },
    /// A record does not fit.
    #[error("{0}")]
    Record(Flaw),
    /// Nothing was archived here.
    #[error("{0} holds no archive: expected a manifest.json in it or in its folders")]
    Nothing(String),
}

/// What is wrong with a file, a line or a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// No such file.
    #[error("it is missing")]
    Missing,
    /// Another size than the manifest says.
    #[error("it has {found} bytes instead of {expected}")]
    Size {
        /// Of the manifest.
        expected: u64,
        /// Of the file.
        found: u64,
    },
    /// Other bytes than the manifest says.
    #[error("its SHA-256 is {found} instead of {expected}: it was changed or damaged")]
    Digest {
        /// Of the manifest, hexadecimal.
        expected: String,
        /// Of the file, hexadecimal.
        found: String,
    },
    /// Not zstd, or more than announced.
    #[error("it cannot be unpacked ({0})")]
    Packing(String),
    /// A line that is not a record.
    #[error("line {line} is no record ({why})")]
    Line {
        /// Counted from 1.
        line: u64,
        /// Why not.
        why: String,
    },
    /// A line whose bytes and link do not belong together.
    #[error("line {line}, record {seq}, does not hash to its link: its bytes or its place were changed")]
    Link {
        /// Counted from 1.
        line: u64,
        /// The record's number.
        seq: u64,
    },
    /// The manifest and the files disagree.
    #[error("it holds {found} {what} where the manifest says {expected}")]
    Count {
        /// Of what.
        what: &'static str,
        /// Of the manifest.
        expected: u64,
        /// Of the file.
        found: u64,
    },
    /// A manifest that cannot be read.
    #[error("it is no manifest of an archive ({0})")]
    Manifest(String),
    /// A manifest of a later version.
    #[error("it is of version {0}; this program reads version 1: use a newer one")]
    Newer(u32),
    /// A record that no line can hold.
    #[error("record {seq} has {bytes} bytes, more than the {limit} that a line holds")]
    TooLarge {
        /// The record's number.
        seq: u64,
        /// Its bytes.
        bytes: usize,
        /// The most.
        limit: usize,
    },
}
