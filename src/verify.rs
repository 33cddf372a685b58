//! Stage 3: prove claims on chain, decide, commit.
//!
//! [`worker`] does the I/O: it takes what is due, asks a [`crate::chain::Reader`], and writes what the pure files say;
//! [`by_hand`] asks and writes nothing; `asking` adds what a first look left open.
//! Everything else here is pure: [`claim`] reads what a provider asserts into a question, [`quorum`] turns raw answers
//! of nodes into one block or into doubt, [`matcher`] looks for the money, [`finality`] asks whether it is deep enough,
//! [`screening`] whether somebody in it is on a deny list,
//! and [`decide`] puts them together. Doubt is never turned into a yes or a no.

mod asking;
pub mod by_hand;
pub mod claim;
pub mod decide;
pub mod diagnosis;
pub mod events;
pub mod finality;
mod follow;
pub mod in_force;
pub mod matcher;
pub mod quorum;
pub mod schedule;
pub mod screening;
pub mod worker;

pub use worker::Worker;

#[cfg(test)]
pub(crate) mod fixture;
