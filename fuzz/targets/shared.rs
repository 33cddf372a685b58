//! What the targets about providers share.

use tollgate::config::{Encoding, HmacScheme, Provider, Source};
use tollgate::digest::Algorithm;

/// Live in every source made here.
pub const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// One provider of each kind, chosen by a byte.
pub fn provider(choice: u8) -> Provider {
    let scheme = |algorithm, encoding, prefix: &str| {
        Provider::Hmac(HmacScheme {
            header: "x-signature".into(),
            algorithm,
            encoding,
            prefix: prefix.into(),
            identity: vec!["/id".into(), "/data/0/id".into()],
        })
    };
    match choice % 5 {
        0 => Provider::Stripe,
        1 => Provider::RequestNetwork,
        2 => Provider::StandardWebhooks,
        3 => scheme(Algorithm::Sha256, Encoding::Hex, "sha256="),
        _ => scheme(Algorithm::Sha512, Encoding::Base64, ""),
    }
}

/// A source with one secret.
pub fn source(choice: u8) -> Source {
    Source::sample(provider(choice), &[SECRET])
}
