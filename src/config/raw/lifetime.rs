//! `[evidence.watermarks]`: what happens to evidence as the disk fills.

use crate::config::section::section;
use crate::config::value::Size;

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
}
