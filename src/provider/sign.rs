//! Signing as a provider does, for `tollgate send`, the demo and tests. Never used on anything that came in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::keys::Form;
use super::{request_network, standard_webhooks, stripe};
use crate::config::{Encoding, HmacScheme, Provider};
use crate::digest::{Algorithm, HmacKey};

/// The headers that the provider would send with this body: names in lower case, signature last.
///
/// `id` is the delivery's id where the scheme has one (`webhook-id`, which must hold no dot, and the unsigned
/// delivery id of Request Network). A Standard Webhooks secret that is no `whsec_` key signs with its text, which
/// no verifier takes: signing is not where secrets are checked.
#[must_use]
pub fn headers(provider: &Provider, secret: &str, body: &[u8], now: Timestamp, id: &str) -> Vec<(String, String)> {
    let time = now.as_second().to_string();
    let text_key = |algorithm| HmacKey::new(algorithm, secret.as_bytes());
    match provider {
        Provider::Stripe => {
            let tag = hex::encode(text_key(Algorithm::Sha256).sign(&[time.as_bytes(), b".", body]));
            vec![header(stripe::SIGNATURE_HEADER, format!("t={time},v1={tag}"))]
        }
        Provider::RequestNetwork => vec![
            header(request_network::DELIVERY_HEADER, id.to_owned()),
            header(request_network::RETRY_HEADER, "0".to_owned()),
            header(request_network::SIGNATURE_HEADER, hex::encode(text_key(Algorithm::Sha256).sign(&[body]))),
        ],
        Provider::Hmac(HmacScheme { header: name, algorithm, encoding, prefix, .. }) => {
            let tag = text_key(*algorithm).sign(&[body]);
            let text = match encoding {
                Encoding::Hex => hex::encode(tag),
                Encoding::Base64 => STANDARD.encode(tag),
            };
            vec![header(name, format!("{prefix}{text}"))]
        }
        Provider::StandardWebhooks => {
            let key = Form::Whsec.key("secret", secret, Algorithm::Sha256);
            let key = key.unwrap_or_else(|_| text_key(Algorithm::Sha256));
            let tag = STANDARD.encode(key.sign(&[id.as_bytes(), b".", time.as_bytes(), b".", body]));
            vec![
                header(standard_webhooks::ID_HEADER, id.to_owned()),
                header(standard_webhooks::TIMESTAMP_HEADER, time),
                header(standard_webhooks::SIGNATURE_HEADER, format!("v1,{tag}")),
            ]
        }
    }
}

fn header(name: &str, value: String) -> (String, String) {
    (name.to_owned(), value)
}
