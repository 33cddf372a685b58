//! `[evidence.watermarks]`, `[evidence.retention]`, `[evidence.archive]`: what happens to evidence as the disk fills and as it grows old.

use crate::config::section::section;
use crate::config::value::{ArchivePlace, HttpUrl, Label, SecretText, Size, Span};

const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

section! {
    /// `[evidence.watermarks]`
    struct Watermarks {
        /// Free space below which a warning is logged and tollgate_disk_low is 1; without it the reserve and three times
        /// as much again, at most 12 GiB above it.
        warn: optional Size<MIB, { 64 * TIB }>;
        /// Free space below which sources are answered 503 by their class; without it the reserve twice, at most 4 GiB
        /// above it.
        shed: optional Size<MIB, { 64 * TIB }>;
    }

    /// `[evidence.retention]`
    struct Retention {
        /// How old a settled delivery grows before its bytes are removed; without it, as old as it likes.
        age: optional Span<HOUR, { 36_500 * DAY }>;
        /// Bytes that a source keeps; settled deliveries over it go, the oldest first. Without it, any number.
        bytes: optional Size<MIB, { 1024 * TIB }>;
        /// Between looks at what may go.
        every: default Span<1000, { 7 * DAY }> = "1h";
    }

    /// `[sources.retention]`
    struct SourceRetention {
        /// Instead of evidence.retention.age.
        age: optional Span<HOUR, { 36_500 * DAY }>;
        /// Instead of evidence.retention.bytes.
        bytes: optional Size<MIB, { 1024 * TIB }>;
    }

    /// `[evidence.archive]`
    struct Archive {
        /// Where evidence goes before it is deleted here; without it, it goes nowhere.
        url: optional ArchivePlace;
        /// Region of the bucket (s3).
        region: default Label = "us-east-1";
        /// Where the service is (s3); without it AWS. Plain http needs a loopback address.
        endpoint: optional HttpUrl;
        /// Access key (s3); without it and secret_key the machine's own role is asked for.
        access_key: optional SecretText;
        /// Secret key (s3).
        secret_key: optional SecretText;
    }
}
