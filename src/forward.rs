//! Stage 4: send what is due to the core backend.
//!
//! It takes rendered messages from the ledger, signs them by the Standard Webhooks specification, posts them, and
//! records the intent before and the result after each attempt. It must never render, change or drop a message: what
//! was stored is what is sent, on every retry, and a message is finished only by the backend's word or by its age.
//!
//! [`schedule`], [`classify`] and [`breaker`] are pure and hold every decision, and [`advice`] the words about one; [`guard`] keeps posts away from addresses that no
//! configuration allowed; [`client`] is the one HTTP client; [`worker`] moves.

pub mod advice;
pub mod breaker;
pub mod classify;
pub mod client;
pub mod guard;
pub mod schedule;
pub mod signing;
pub mod worker;

pub use worker::{BuildError, NoTrial, Trial, Trials, Worker};

#[cfg(test)]
mod tests;
