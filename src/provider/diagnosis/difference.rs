//! What stands between a request and its verification, said so that an operator knows what to do.

use jiff::Timestamp;

/// One difference. Its text says what was found and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// The secret belongs to another configured source.
    #[error("signed with a secret of the source {of:?}: the provider posts to the wrong path")]
    OtherSource {
        /// Whose.
        of: String,
    },
    /// The secret's `not_after` has passed.
    #[error(
        "its secret ended at {not_after}: the provider still signs with it; move not_after, or finish the rotation there"
    )]
    SecretExpired {
        /// When.
        not_after: Timestamp,
    },
    /// The secret's text was made a key in another way.
    #[error("the sender's key is {form}: configure the provider that signs so, or store the secret in that form")]
    KeyForm {
        /// How.
        form: &'static str,
    },
    /// The signature header came more than once.
    #[error("the signature header came more than once: a proxy copies it, or two signers add it")]
    HeaderRepeated,
    /// Another MAC than the configured one.
    #[error("signed by HMAC-{found}: set the source's algorithm")]
    Algorithm {
        /// Which.
        found: &'static str,
    },
    /// Another text in front of the signature.
    #[error(
        "{found:?} stands in front of the signature: set the source's prefix, or configure the provider that signs so"
    )]
    Prefix {
        /// Which; empty is none.
        found: String,
    },
    /// Another text form of the signature.
    #[error("the signature is written in {found}: set the source's encoding, or configure the provider that signs so")]
    Encoding {
        /// Which.
        found: &'static str,
    },
    /// The sender signed another form of this body.
    #[error(
        "the body that was signed is this one {signed}: something between rewrites bodies; make it pass them on as they are"
    )]
    Body {
        /// Which form.
        signed: &'static str,
    },
    /// Rightly signed, but outside the tolerance.
    #[error("{}", time(*late_s))]
    Time {
        /// Seconds from the signed time to the arrival; negative when it was signed ahead.
        late_s: i64,
    },
    /// The signed time is not plain Unix seconds.
    #[error("the signed time is not Unix seconds in plain digits: the sender writes it in another form")]
    TimeMalformed,
}

fn time(late_s: i64) -> String {
    let seconds = late_s.unsigned_abs();
    if late_s < 0 {
        format!("signed {seconds} s ahead of its arrival: check the clocks of both sides")
    } else {
        format!("signed {seconds} s before its arrival: it was held up or replayed, or a clock is wrong; see tolerance")
    }
}

impl Difference {
    /// Stable, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OtherSource { .. } => "SECRET_OF_OTHER_SOURCE",
            Self::SecretExpired { .. } => "SECRET_EXPIRED",
            Self::KeyForm { .. } => "KEY_FORM",
            Self::HeaderRepeated => "HEADER_REPEATED",
            Self::Algorithm { .. } => "ALGORITHM",
            Self::Prefix { .. } => "PREFIX",
            Self::Encoding { .. } => "ENCODING",
            Self::Body { .. } => "BODY_REWRITTEN",
            Self::Time { .. } => "TIME",
            Self::TimeMalformed => "TIME_MALFORMED",
        }
    }
}
