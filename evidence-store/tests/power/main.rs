//! The power is cut: what was not fsynced is gone, wholly or in part. Every delivery that was acknowledged is there
//! nevertheless, byte for byte, the chain is whole, and nothing is there that nobody handed in.
//!
//! The test runs itself again as a child that appends, on a disk that records every change and every fsync
//! (`faulty.rs`). One run of the child is then cut at many moments: the parent builds what the disk would hold, opens it
//! and compares with what the child had said until then. What an fsync does not cover is left out, left in, torn, or
//! kept in any pages and none. Disks and stores that lie are tried too, and must be caught.
//!
//! `EVIDENCE_POWER_ROUNDS` cuts more than a few lives, `EVIDENCE_POWER_STEP=1` cuts a short life at every single step,
//! `EVIDENCE_POWER_SEED` repeats a run.

#![expect(clippy::expect_used, reason = "all of this is a test; clippy knows only the functions marked as one")]

mod faulty;
mod support;

mod child;
mod cuts;
mod faults;
