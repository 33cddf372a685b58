//! `[[sources]]`: who posts, and how it signs.

use std::time::Duration;

use jiff::Timestamp;

use super::{DEFAULT_DESTINATION, Network, Retention, Secret};
use crate::model::Assurance;

/// `[[sources]]`
#[derive(Clone)]
pub struct Source {
    /// Unique, `[a-z0-9-]{1,64}`.
    pub name: String,
    /// Unique, begins with `/`.
    pub path: String,
    /// Who posts here.
    pub provider: Provider,
    /// Live secrets, newest first; at least one.
    pub secrets: Vec<SourceSecret>,
    /// Largest age and skew of a signed timestamp.
    pub tolerance: Duration,
    /// Keeps equal ids of different accounts apart.
    pub realm: String,
    /// Events of the other mode end `ignored`.
    pub livemode: bool,
    /// Only these Stripe accounts; empty is all.
    pub accounts: Vec<String>,
    /// Only these Request Network client ids; empty is all.
    pub client_ids: Vec<String>,
    /// Only these peers; empty is all.
    pub allow_ips: Vec<Network>,
    /// What is passed on.
    pub types: TypeFilter,
    /// Least assurance of `payment.verified`.
    pub min_assurance: Assurance,
    /// When it is refused as the disk fills.
    pub shed: Shed,
    /// What is kept of it.
    pub retention: Retention,
    /// Destinations; at least one.
    pub forward_to: Vec<String>,
}

/// When a source is refused as the disk fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shed {
    /// At the mark: its provider tries again for days.
    First,
    /// Half-way from the mark to the reserve.
    Middle,
    /// Only at the reserve, where the log itself refuses: its provider gives up within seconds.
    Last,
}

impl Shed {
    /// The word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Middle => "middle",
            Self::Last => "last",
        }
    }
}

impl Source {
    /// A source as it would be with nothing configured but its provider and secrets, for tests, benches and fuzz
    /// targets. The secrets are called `secret-0` and on.
    #[must_use]
    pub fn sample(provider: Provider, secrets: &[&str]) -> Self {
        let secret = |(position, text): (usize, &&str)| SourceSecret {
            name: format!("secret-{position}"),
            secret: Secret::new((*text).to_owned()),
            not_after: None,
        };
        Self {
            name: "shop".to_owned(),
            path: "/hooks/shop".to_owned(),
            realm: provider.name().to_owned(),
            shed: provider.shed(),
            retention: Retention::default(),
            provider,
            secrets: secrets.iter().enumerate().map(secret).collect(),
            tolerance: Duration::from_secs(300),
            livemode: true,
            accounts: Vec::new(),
            client_ids: Vec::new(),
            allow_ips: Vec::new(),
            types: TypeFilter::default(),
            min_assurance: Assurance::A2,
            forward_to: vec![DEFAULT_DESTINATION.to_owned()],
        }
    }
}

/// A named live secret.
#[derive(Clone)]
pub struct SourceSecret {
    /// Shown in records and metrics instead of the secret.
    pub name: String,
    /// The secret.
    pub secret: Secret,
    /// No longer accepted after this.
    pub not_after: Option<Timestamp>,
}

/// Who posts, with what only that provider needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Stripe, snapshot and thin events.
    Stripe,
    /// Request Network API v2.
    RequestNetwork,
    /// Any sender with an HMAC header.
    Hmac(HmacScheme),
    /// The Standard Webhooks specification.
    StandardWebhooks,
}

impl Provider {
    /// The name in configuration, records and messages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::RequestNetwork => "request-network",
            Self::Hmac(_) => "hmac",
            Self::StandardWebhooks => "standard-webhooks",
        }
    }

    /// The class of its sources where none is configured, by how long the provider tries again: Stripe three days,
    /// Request Network 21 seconds, others unknown.
    #[must_use]
    pub const fn shed(&self) -> Shed {
        match self {
            Self::Stripe => Shed::First,
            Self::Hmac(_) | Self::StandardWebhooks => Shed::Middle,
            Self::RequestNetwork => Shed::Last,
        }
    }
}

/// How a generic sender signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HmacScheme {
    /// Header with the signature, lower case.
    pub header: String,
    /// MAC.
    pub algorithm: crate::digest::Algorithm,
    /// Text form of the tag.
    pub encoding: Encoding,
    /// Text before the tag, such as `sha256=`.
    pub prefix: String,
    /// JSON pointers (RFC 6901) into the signed body that make the identity; empty is the whole body.
    pub identity: Vec<String>,
}

/// Text form of a MAC tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal, either case.
    Hex,
    /// Standard base64 with padding.
    Base64,
}

/// Which event types go on. `ignore` wins; an empty `forward` is all. A trailing `*` matches any ending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeFilter {
    /// Only these.
    pub forward: Vec<String>,
    /// Never these.
    pub ignore: Vec<String>,
}

impl TypeFilter {
    /// Whether the type goes on.
    #[must_use]
    pub fn passes(&self, event_type: &str) -> bool {
        let any = |patterns: &[String]| {
            patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => event_type.starts_with(start),
                None => pattern == event_type,
            })
        };
        !any(&self.ignore) && (self.forward.is_empty() || any(&self.forward))
    }
}
