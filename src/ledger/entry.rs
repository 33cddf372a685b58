//! What goes into the ledger and what comes out: plain rows and commands, no behaviour, by who uses them.
//!
//! Times are microseconds since the Unix epoch, UTC.

mod chain;
mod expected;
mod follow;
mod intake;
mod jobs;
mod judgement;
mod operate;
mod rebuild;
mod scan;
mod sending;
mod view;

pub use chain::*;
pub use expected::*;
pub use follow::*;
pub use intake::*;
pub use jobs::*;
pub use judgement::*;
pub use operate::*;
pub use rebuild::*;
pub use scan::*;
pub use sending::*;
pub use view::*;
