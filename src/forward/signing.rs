//! Headers of an attempt by the Standard Webhooks specification. The id is the message's and the same on every retry;
//! the timestamp is the attempt's, so that a receiver's tolerance holds on the seventh day too.
//!
//! Every live secret signs, newest first: a backend may hold the old or the new one while it rotates.

use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderValue, InvalidHeaderValue};

use crate::config::Secret;
use crate::model::WebhookId;
use crate::provider::standard_webhooks;

/// Signs for one destination. Key schedules are prepared once.
pub struct Signer(standard_webhooks::Signer);

impl Signer {
    /// Prepares the keys.
    ///
    /// # Errors
    /// When a secret is no `whsec_` key; the text never holds the secret.
    pub fn new(secrets: &[Secret]) -> Result<Self, String> {
        standard_webhooks::Signer::new(secrets).map(Self).map_err(|error| error.to_string())
    }

    /// The three headers over exactly these bytes.
    ///
    /// # Errors
    /// Never in practice: ids, digits and base64 are legal in a header.
    pub fn headers(&self, id: WebhookId, at: Timestamp, body: &[u8]) -> Result<HeaderMap, InvalidHeaderValue> {
        let (id, seconds) = (id.to_string(), at.as_second());
        let signature = self.0.sign(&id, seconds, body);
        let mut headers = HeaderMap::with_capacity(3);
        headers.insert("webhook-id", HeaderValue::try_from(id)?);
        headers.insert("webhook-timestamp", HeaderValue::from(seconds));
        headers.insert("webhook-signature", HeaderValue::try_from(signature)?);
        Ok(headers)
    }
}
