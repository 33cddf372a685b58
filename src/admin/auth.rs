//! Who is asking and what they may do. Tokens are compared in constant time, all of them every time.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use subtle::ConstantTimeEq;

use super::Api;
use super::problem::Problem;
use crate::config::{Role, Token};
use crate::digest;

/// A caller with a valid token.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// Name of the token, for the log.
    pub(super) name: String,
    role: Role,
    /// Empty is all.
    pub(super) sources: Vec<String>,
}

/// What a handler asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum May {
    /// Look at events.
    ReadEvents,
    /// Look at deliveries, without bodies.
    ReadDeliveries,
    /// See the raw body and headers.
    ReadBodies,
    /// Look at expectations.
    ReadExpectations,
    /// Put and cancel expectations. Operators do not.
    WriteExpectations,
}

impl Caller {
    /// Refuses unless the role allows it.
    pub(super) fn may(&self, what: May) -> Result<(), Problem> {
        if allows(self.role, what) {
            return Ok(());
        }
        Err(Problem::forbidden(format!("the token {:?} has a role that does not allow this", self.name)))
    }

    /// Whether a token limited to sources sees this one.
    pub(super) fn sees(&self, source: &str) -> bool {
        self.sources.is_empty() || self.sources.iter().any(|name| name == source)
    }
}

/// The table of roles. No wildcard: a new right has to be decided for every role.
const fn allows(role: Role, what: May) -> bool {
    match what {
        May::ReadEvents | May::ReadExpectations => true,
        May::ReadDeliveries => match role {
            Role::Backend => false,
            Role::Viewer | Role::Auditor | Role::Operator | Role::Admin => true,
        },
        May::ReadBodies => match role {
            Role::Backend | Role::Viewer => false,
            Role::Auditor | Role::Operator | Role::Admin => true,
        },
        May::WriteExpectations => match role {
            Role::Backend | Role::Admin => true,
            Role::Viewer | Role::Auditor | Role::Operator => false,
        },
    }
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let header = parts.headers.get(header::AUTHORIZATION).ok_or_else(Problem::unauthorized)?;
        let text = header.to_str().map_err(|_| Problem::unauthorized())?;
        let (scheme, given) = text.split_once(' ').ok_or_else(Problem::unauthorized)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Problem::unauthorized());
        }
        let token = find(&api.config.admin.tokens, given.trim()).ok_or_else(Problem::unauthorized)?;
        Ok(Self { name: token.name.clone(), role: token.role, sources: token.sources.clone() })
    }
}

/// Compares digests, so that neither the length nor the position of a difference shows in time.
fn find<'a>(tokens: &'a [Token], given: &str) -> Option<&'a Token> {
    let given = digest::sha256(given.as_bytes());
    let mut found = None;
    for token in tokens {
        let configured = digest::sha256(token.secret.expose().as_bytes());
        if bool::from(configured.ct_eq(&given)) {
            found = Some(token);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{May, allows, find};
    use crate::config::{Role, Secret, Token};

    fn token(name: &str, secret: &str) -> Token {
        Token { name: name.into(), role: Role::Viewer, secret: Secret::new(secret.into()), sources: vec![] }
    }

    #[test]
    fn only_the_whole_token_is_found() {
        let tokens = [token("a", "alpha"), token("b", "beta")];
        assert_eq!(find(&tokens, "beta").map(|t| t.name.as_str()), Some("b"));
        for wrong in ["", "bet", "betaa", "BETA"] {
            assert!(find(&tokens, wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn bodies_and_expectations_are_for_those_who_need_them() {
        assert!(!allows(Role::Viewer, May::ReadBodies));
        assert!(!allows(Role::Backend, May::ReadBodies));
        assert!(allows(Role::Auditor, May::ReadBodies));
        assert!(allows(Role::Backend, May::WriteExpectations));
        assert!(!allows(Role::Operator, May::WriteExpectations));
    }
}
