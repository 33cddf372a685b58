//! Hands forwarding to the operators' side, which may not know a stage.

use crate::admin::{Forwarding, Tested, Testing, Untested};
use crate::forward::{NoTrial, Trial, Trials};
use crate::model::WebhookId;

impl Forwarding for Trials {
    fn test<'a>(&'a self, destination: &'a str, id: WebhookId, body: Vec<u8>) -> Testing<'a> {
        Box::pin(async move {
            match self.post(destination, id, body).await {
                Ok(Trial { to, taken, outcome, status, latency_ms, response, to_check }) => {
                    Ok(Tested { to, taken, outcome, status, latency_ms, response, to_check })
                }
                Err(NoTrial::PullOnly) => Err(Untested::PullOnly),
                Err(NoTrial::Busy) => Err(Untested::Busy),
            }
        })
    }
}
