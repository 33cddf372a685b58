//! Runs `webhooks.py` with the packages of the checkout.

use serde_json::Value;

use crate::support::script;

/// One Python process answers all questions, in order.
pub(super) fn ask(questions: &[Value]) -> Vec<Value> {
    let input = serde_json::to_vec(questions).unwrap();
    let answers: Vec<Value> = script::run_python("interop/webhooks.py", &input);
    assert_eq!(answers.len(), questions.len());
    answers
}
