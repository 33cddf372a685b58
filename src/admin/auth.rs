//! Who is asking and what they may do. Tokens are compared in constant time, all of them every time.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use subtle::ConstantTimeEq;

use super::Api;
use super::problem::Problem;
use crate::config::{Role, Token};
use crate::digest;
use crate::net::Arrival;

/// A caller with a valid token, or an operator at this machine.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// Name of the token, for the log.
    pub(super) name: String,
    role: Role,
    /// Empty is all.
    pub(super) sources: Vec<String>,
    /// Where the call came from.
    from: String,
}

/// Who changed something, and from where: what an audit entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Who {
    /// Name of the token, or of the person at the terminal.
    pub(super) name: String,
    /// `api 192.0.2.7`, or `cli`.
    pub(super) from: String,
}

impl From<Who> for crate::ledger::Who {
    fn from(who: Who) -> Self {
        Self { name: who.name, from: who.from, reason: None }
    }
}

/// Marks a request that was made in this process: whoever may open the data folder may do anything with what is in
/// it. No request from outside carries it.
#[derive(Debug, Clone)]
pub(super) struct InProcess {
    /// Who sits at the terminal.
    pub(super) name: String,
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
    /// See how the gateway is.
    ReadStatus,
    /// See which long work runs.
    ReadJobs,
    /// Have the evidence checked.
    CheckEvidence,
    /// See who did what.
    ReadAudit,
    /// Take messages: what is handed out counts as sent.
    ReadFeed,
    /// Act: pause, hold, archive.
    Operate,
    /// Take a copy of everything to where others may read it.
    BackUp,
    /// Destroy what was stored, for ever.
    Erase,
    /// Change what the log holds: prune, import.
    ChangeEvidence,
    /// Have the nodes asked about a transaction, and see what verification would say.
    CheckPayments,
    /// Change how deep payments have to be.
    SetFinality,
    /// Take back what a backend was told, by the rules and not by the chain.
    Retract,
}

impl Caller {
    /// Refuses unless the role allows it.
    pub(super) fn may(&self, what: May) -> Result<(), Problem> {
        if allows(self.role, what) {
            return Ok(());
        }
        Err(Problem::forbidden(format!("the token {:?} has a role that does not allow this", self.name)))
    }

    /// Refuses a token limited to sources: what is asked for reaches all of them.
    pub(super) fn is_unlimited(&self) -> Result<(), Problem> {
        if self.sources.is_empty() {
            return Ok(());
        }
        Err(Problem::forbidden(format!("the token {:?} is limited to sources, and this reaches all", self.name)))
    }

    /// For the audit trail.
    pub(super) fn who(&self) -> Who {
        Who { name: self.name.clone(), from: self.from.clone() }
    }

    /// Whether nothing is kept from it.
    pub(super) fn sees_all(&self) -> bool {
        self.sources.is_empty()
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
        May::ReadDeliveries | May::ReadStatus | May::ReadJobs | May::CheckPayments => match role {
            Role::Backend => false,
            Role::Viewer | Role::Auditor | Role::Operator | Role::Admin => true,
        },
        May::ReadBodies | May::CheckEvidence | May::ReadAudit => match role {
            Role::Backend | Role::Viewer => false,
            Role::Auditor | Role::Operator | Role::Admin => true,
        },
        May::WriteExpectations => match role {
            Role::Backend | Role::Admin => true,
            Role::Viewer | Role::Auditor | Role::Operator => false,
        },
        May::ReadFeed => match role {
            Role::Viewer | Role::Auditor => false,
            Role::Backend | Role::Operator | Role::Admin => true,
        },
        May::Operate => match role {
            Role::Backend | Role::Viewer | Role::Auditor => false,
            Role::Operator | Role::Admin => true,
        },
        May::BackUp | May::Erase | May::ChangeEvidence | May::SetFinality | May::Retract => match role {
            Role::Backend | Role::Viewer | Role::Auditor | Role::Operator => false,
            Role::Admin => true,
        },
    }
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        if let Some(InProcess { name }) = parts.extensions.get() {
            return Ok(Self { name: name.clone(), role: Role::Admin, sources: Vec::new(), from: "cli".to_owned() });
        }
        let header = parts.headers.get(header::AUTHORIZATION).ok_or_else(Problem::unauthorized)?;
        let text = header.to_str().map_err(|_| Problem::unauthorized())?;
        let (scheme, given) = text.split_once(' ').ok_or_else(Problem::unauthorized)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Problem::unauthorized());
        }
        let token = find(&api.config.admin.tokens, given.trim()).ok_or_else(Problem::unauthorized)?;
        let peer = parts.extensions.get().map(|arrival: &Arrival| arrival.peer.ip().to_canonical());
        let from = peer.map_or_else(|| "api".to_owned(), |peer| format!("api {peer}"));
        let (name, sources) = (token.name.clone(), token.sources.clone());
        Ok(Self { name, role: token.role, sources, from })
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
        assert!(allows(Role::Auditor, May::CheckEvidence) && !allows(Role::Auditor, May::Operate));
        assert!(!allows(Role::Operator, May::BackUp) && !allows(Role::Operator, May::Erase));
        assert!(allows(Role::Admin, May::BackUp) && allows(Role::Admin, May::Erase));
        assert!(allows(Role::Auditor, May::ReadAudit) && !allows(Role::Viewer, May::ReadAudit));
        assert!(allows(Role::Backend, May::ReadFeed) && !allows(Role::Auditor, May::ReadFeed));
        assert!(allows(Role::Admin, May::ChangeEvidence) && !allows(Role::Operator, May::ChangeEvidence));
        assert!(allows(Role::Admin, May::SetFinality) && !allows(Role::Operator, May::SetFinality));
        assert!(allows(Role::Admin, May::Retract) && !allows(Role::Operator, May::Retract));
        assert!(allows(Role::Viewer, May::CheckPayments) && !allows(Role::Backend, May::CheckPayments));
        assert!(!allows(Role::Backend, May::ReadStatus) && allows(Role::Viewer, May::ReadJobs));
    }
}
