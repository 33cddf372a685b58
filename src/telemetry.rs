//! Logs and metrics. Never bodies, secrets or whole signatures.

pub mod log;
pub mod metrics;

pub use metrics::Metrics;
