//! `[evidence.watermarks]`, `[evidence.archive]`: what happens to evidence as the disk fills and as it grows old.

use crate::config::section::section;
use crate::config::value::{ArchivePlace, HttpUrl, Label, SecretText, Size};

const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;

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
