//! Event states, as names. Which may follow which is `ledger::state`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|value| value.as_str() == text)
                    .ok_or_else(|| UnknownName { what: stringify!($name), text: text.to_owned() })
            }
        }
    };
}
pub(crate) use named;

/// Text that names no value of a closed set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what} of this version")]
pub struct UnknownName {
    /// The set.
    pub what: &'static str,
    /// What was found.
    pub text: String,
}

named! {
    /// Where an event stands.
    EventState {
        /// Known, not looked at yet.
        Received = "received",
        /// Its claim is being checked.
        Verifying = "verifying",
        /// Matched on chain; depth or tag is not reached.
        AwaitingFinality = "awaiting_finality",
        /// A message is due.
        Forwarding = "forwarding",
        /// The backend took the message.
        Forwarded = "forwarded",
        /// Nothing more to watch.
        Settled = "settled",
        /// The chain says no.
        Refuted = "refuted",
        /// No yes and no no; tried again.
        Undetermined = "undetermined",
        /// Waits for an operator or a freeing fact.
        Held = "held",
        /// Nothing to do, on purpose.
        Ignored = "ignored",
        /// Its message could not be delivered.
        Dead = "dead",
        /// A forwarded payment was taken back.
        Retracted = "retracted",
    }
}

named! {
    /// What made us look.
    Origin {
        /// A provider's delivery.
        Webhook = "webhook",
        /// Money that no webhook announced.
        Scan = "scan",
        /// An operator's decision.
        Operator = "operator",
        /// The backend asked.
        Backend = "backend",
    }
}

impl Origin {
    /// Whether a delivery began it: then there is a body, an id of it, and a time at which it arrived.
    #[must_use]
    pub const fn is_delivered(self) -> bool {
        match self {
            Self::Webhook => true,
            Self::Scan | Self::Operator | Self::Backend => false,
        }
    }
}
