//! Closed sets of words.

use serde_json::{Value as Json, json};

use crate::config::checked;
use crate::config::read::{Text, nearest};
use crate::digest;
use crate::message::MessageType;
use crate::model::Assurance;

macro_rules! choice {
    ($($(#[$doc:meta])* $name:ident($ty:ty) { $($word:literal => $value:expr,)+ } $(- { $($no:literal: $why:literal,)+ })?)+) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(in crate::config) struct $name(pub(in crate::config) $ty);

        impl Text for $name {
            fn expected() -> String {
                one_of(&[$($word),+])
            }

            fn example() -> &'static str {
                [$(concat!("\"", $word, "\"")),+].first().copied().unwrap_or_default()
            }

            fn parse(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self($value)),)+
                    $($($no => Err($why.to_owned()),)+)?
                    other => Err(not_one_of(other, &[$($word),+])),
                }
            }

            fn schema() -> Json {
                json!({"type": "string", "enum": [$($word),+], "description": Self::expected()})
            }
        }
    )+ };
}

choice! {
    /// `[[sources]] provider`
    ProviderName(&'static str) {
        "stripe" => "stripe",
        "request-network" => "request-network",
        "hmac" => "hmac",
        "standard-webhooks" => "standard-webhooks",
    }

    /// `[[admin.tokens]] role`
    Role(checked::Role) {
        "backend" => checked::Role::Backend,
        "viewer" => checked::Role::Viewer,
        "auditor" => checked::Role::Auditor,
        "operator" => checked::Role::Operator,
        "admin" => checked::Role::Admin,
    }

    /// `[[sources]] algorithm`
    Algorithm(digest::Algorithm) {
        "sha256" => digest::Algorithm::Sha256,
        "sha512" => digest::Algorithm::Sha512,
    } - {
        "sha1": "SHA-1 is broken for this use",
        "md5": "MD5 is broken for this use",
    }

    /// `[[sources]] encoding`
    Encoding(checked::Encoding) {
        "hex" => checked::Encoding::Hex,
        "base64" => checked::Encoding::Base64,
    }

    /// `[[sources]] min_assurance`
    MinAssurance(Assurance) {
        "A2" => Assurance::A2,
        "A3" => Assurance::A3,
    } - {
        "A0": "below A2 the recipient is not proven, so nothing may be called verified",
        "A1": "below A2 the recipient is not proven, so nothing may be called verified",
    }

    /// `[[sources]] shed`
    Shed(checked::Shed) {
        "first" => checked::Shed::First,
        "middle" => checked::Shed::Middle,
        "last" => checked::Shed::Last,
    }

    /// `[ledger] engine`
    Engine(()) {
        "sqlite" => (),
    } - {
        "postgres": "this version has no PostgreSQL ledger",
    }

    /// `[telemetry.log] format`
    LogFormat(&'static str) {
        "json" => "json",
        "text" => "text",
    }

    /// `[forward] types`
    Message(MessageType) {
        "payment.verified" => MessageType::PaymentVerified,
        "payment.partial" => MessageType::PaymentPartial,
        "payment.excess" => MessageType::PaymentExcess,
        "payment.unmatched" => MessageType::PaymentUnmatched,
        "provider.event" => MessageType::ProviderEvent,
    }

    /// `finality.tag`
    Finality(()) {
        "safe" => (),
        "finalized" => (),
    }

    /// `proof`
    ProofMode(()) {
        "full" => (),
        "quorum" => (),
    }

    /// `tokens.class`
    TokenClass(()) {
        "plain" => (),
        "fee_on_transfer" => (),
        "rebasing" => (),
        "upgradeable" => (),
        "blocklist" => (),
        "native_dual" => (),
    }
}

fn one_of(words: &[&str]) -> String {
    format!("one of \"{}\"", words.join("\", \""))
}

fn not_one_of(word: &str, words: &[&str]) -> String {
    match nearest(&word.to_lowercase(), words) {
        Some(near) => format!("it is none of them; did you mean {near:?}?"),
        None => "it is none of them".to_owned(),
    }
}
