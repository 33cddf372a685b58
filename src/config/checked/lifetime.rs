//! What happens to evidence as the disk fills.

/// `[evidence.watermarks]`: free bytes, `warn` at least `shed`, `shed` at least the reserve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watermarks {
    /// Below this it is said.
    pub warn: u64,
    /// Below this sources are refused by their class.
    pub shed: u64,
}
