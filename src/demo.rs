//! The main job on one machine with nothing configured: a local chain, the gateway, a receiving backend, and a
//! scripted round of payments and webhooks that shows for each what happened and why.
//!
//! Every part is real; only the money is not. The tests use the same local chain.

pub mod backend;
pub mod bodies;
pub mod devnet;
pub mod gateway;
pub mod parts;
pub mod round;
pub mod stories;
