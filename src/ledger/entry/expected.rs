//! What the backend puts and takes back, and how that ended.

use super::judgement::StoredExpectation;
use super::operate::Who;
use crate::model::{EventId, Expectation};

/// A PUT of the backend, validated.
#[derive(Debug, Clone)]
pub struct PutExpectation {
    /// The terms.
    pub terms: Expectation,
    /// Who puts it.
    pub by: Who,
    /// When.
    pub now_us: i64,
}

/// What a PUT came to.
#[derive(Debug, Clone)]
pub enum PutOutcome {
    /// 201.
    Created(ExpectationView),
    /// 200: the same terms again.
    Same(ExpectationView),
    /// 200: other terms, nothing claimed yet.
    Replaced(ExpectationView),
    /// 409: something was claimed under the old terms.
    Claimed(ExpectationView),
    /// 409: another open expectation has this key.
    KeyTaken(String),
}

/// What a DELETE came to.
#[derive(Debug, Clone)]
pub enum CancelOutcome {
    /// Cancelled.
    Cancelled(ExpectationView),
    /// 409: something was claimed.
    Claimed(ExpectationView),
    /// 404.
    Unknown,
}

/// An expectation with what became of it.
#[derive(Debug, Clone)]
pub struct ExpectationView {
    /// Terms, state, sums.
    pub stored: StoredExpectation,
    /// When it was first put.
    pub created_us: i64,
    /// Events that claimed against it.
    pub events: Vec<EventId>,
}
