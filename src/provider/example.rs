//! Example bodies for `tollgate send --example TYPE`, and changing one field of them.
//!
//! Shaped after the providers' documentation; every id, address and hash is made up, so that an example can claim
//! nothing on a real chain. Names are the providers' types; a second form of a type has one more segment
//! (`charge.succeeded.crypto`).

use serde_json::Value;

use crate::config::Provider;

/// Deepest path that [`set`] follows.
const MAX_PATH: usize = 16;

type Fixture = (&'static str, &'static str);

macro_rules! fixtures {
    ($folder:literal: $($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("example/", $folder, "/", $name, ".json")))),*]
    };
}

const STRIPE: &[Fixture] = fixtures!("stripe":
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "charge.succeeded",
    "charge.succeeded.crypto",
    "charge.refunded",
    "charge.refunded.crypto",
    "charge.dispute.created",
    "checkout.session.completed",
    "payout.paid",
    "account.updated",
    "crypto.onramp_session.updated",
    "v1.payment_intent.succeeded",
    "v1.balance.available",
    "v2.core.event_destination.ping",
);

const REQUEST_NETWORK: &[Fixture] = fixtures!("request_network":
    "payment.confirmed",
    "payment.partial",
    "payment.failed",
    "payment.refunded",
    "payment.processing",
    "request.recurring",
    "compliance.updated",
    "payment_detail.updated",
    "secure_payment.user_event",
    "secure_payment.access_rejected",
    "client_id.linked",
    "kyt.screening.completed",
);

/// Variants: the base body under another name, with the two fields documented for them.
const VARIANTS: [(&str, &str); 4] = [
    ("payment.confirmed.client_id", "payment.confirmed"),
    ("payment.confirmed.checkout", "payment.confirmed"),
    ("payment.partial.client_id", "payment.partial"),
    ("payment.partial.checkout", "payment.partial"),
];

const GENERIC: &[Fixture] = fixtures!("generic": "order.paid");

fn fixtures(provider: &Provider) -> &'static [Fixture] {
    match provider {
        Provider::Stripe => STRIPE,
        Provider::RequestNetwork => REQUEST_NETWORK,
        Provider::Hmac(_) | Provider::StandardWebhooks => GENERIC,
    }
}

/// The types there are examples of.
#[must_use]
pub fn types(provider: &Provider) -> Vec<&'static str> {
    let variants = VARIANTS.iter().filter(|_| *provider == Provider::RequestNetwork);
    fixtures(provider).iter().map(|(name, _)| *name).chain(variants.map(|(name, _)| *name)).collect()
}

/// A body of this type, or none when there is no example of it.
#[must_use]
pub fn example(provider: &Provider, event_type: &str) -> Option<Value> {
    let variant = VARIANTS.iter().find(|(name, _)| *provider == Provider::RequestNetwork && *name == event_type);
    let wanted = variant.map_or(event_type, |(_, base)| *base);
    let (_, text) = fixtures(provider).iter().find(|(name, _)| *name == wanted)?;
    let mut body: Value = serde_json::from_str(text).ok()?;
    if let (Some(_), Some(object)) = (variant, body.as_object_mut()) {
        for (key, value) in [("event", event_type), ("clientId", "cli_example1"), ("origin", "https://shop.example")] {
            object.insert(key.to_owned(), Value::from(value));
        }
    }
    Some(body)
}

/// Why a field cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// Not a path.
    #[error("{path:?} is no path: write member names joined by dots, such as data.object.id, at most {MAX_PATH}")]
    BadPath {
        /// As given.
        path: String,
    },
    /// Nothing there to go into.
    #[error("{path:?} leads nowhere: the body has no object or list item at {at:?}")]
    NotFound {
        /// As given.
        path: String,
        /// The segment that failed.
        at: String,
    },
    /// The field there is of another type.
    #[error("{path:?} holds a {kind}: {text:?} is none")]
    WrongType {
        /// As given.
        path: String,
        /// What it holds.
        kind: &'static str,
        /// What was given.
        text: String,
    },
}

/// Sets one field: `path` is member names and list positions joined by dots. A field that is there keeps its type
/// (text stays text, a number has to be a number); a new, null, list or object field takes JSON, else text.
///
/// # Errors
/// When the path leads nowhere, or the text is not of the type that is there.
pub fn set(value: &mut Value, path: &str, text: &str) -> Result<(), SetError> {
    let segments: Vec<&str> = path.split('.').collect();
    if segments.iter().any(|segment| segment.is_empty()) || segments.len() > MAX_PATH {
        return Err(SetError::BadPath { path: path.to_owned() });
    }
    let mut at = value;
    for segment in segments {
        let missing = || SetError::NotFound { path: path.to_owned(), at: segment.to_owned() };
        at = match at {
            Value::Object(object) => object.entry(segment).or_insert(Value::Null),
            Value::Array(items) => {
                segment.parse::<usize>().ok().and_then(|index| items.get_mut(index)).ok_or_else(missing)?
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Err(missing()),
        };
    }
    *at = typed(at, text).map_err(|kind| SetError::WrongType { path: path.to_owned(), kind, text: text.to_owned() })?;
    Ok(())
}

/// The text as a value of the kind that is there.
fn typed(there: &Value, text: &str) -> Result<Value, &'static str> {
    let json = || serde_json::from_str::<Value>(text).ok();
    match there {
        Value::String(_) => Ok(Value::from(text)),
        Value::Bool(_) => json().filter(Value::is_boolean).ok_or("boolean"),
        Value::Number(_) => json().filter(Value::is_number).ok_or("number"),
        Value::Null | Value::Array(_) | Value::Object(_) => Ok(json().unwrap_or_else(|| Value::from(text))),
    }
}

#[cfg(test)]
mod tests;
