//! Targets: the resource servers and agents that tokens are for, named by `resource` or `audience` (RFC 8693 §2.1).

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::{Offset, TimeZone};

use super::{MFA, TargetProof};
use crate::base::time::Lifetime;
use crate::base::words::words;
use crate::oauth::{ClientId, ResourceUri, Scope, ScopeToken, TargetId};

/// How `sub` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SubjectForm {
    /// The provider's own `sub`.
    Upstream,
    /// `pw_` and a keyed hash of issuer, subject and the target's sector (OIDC Core §8.1).
    Pairwise,
}

words! {
    /// In which form a target gets its access tokens.
    #[derive(Default, schemars::JsonSchema)]
    #[schemars(rename_all = "snake_case")]
    TokenFormat {
        /// JWTs (RFC 9068), which it can check by itself.
        #[default]
        Jwt => "jwt",
        /// References to Deputy's records (`dpt_at_…`), which it has to introspect.
        Opaque => "opaque",
    }
}

/// Whose tokens may have a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subjects {
    /// Those that a user is behind.
    pub user: bool,
    /// Those of agents that act for themselves.
    pub agent: bool,
}

/// What a scope asks of the login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeRule {
    /// The level demanded; `None` where the operator wrote `assurance = "none"`.
    pub assurance: Option<String>,
    /// Greatest age of `auth_time`.
    pub max_age: Option<Lifetime>,
    /// A purpose must have been given when the task began.
    pub sensitive: bool,
    /// Whose tokens may have it.
    pub subjects: Subjects,
}

impl ScopeRule {
    /// What a scope asks of which nothing is said.
    pub fn plain() -> Self {
        let subjects = Subjects { user: true, agent: false };
        Self { assurance: Some(MFA.to_owned()), max_age: None, sensitive: false, subjects }
    }
}

/// How a target has a yes/no scope answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerRule {
    /// Where "today" is.
    pub zone: Zone,
    /// False is refused like unknown.
    pub only_true: bool,
}

/// A civil time zone: a fixed offset or an IANA name. Never the server's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(pub TimeZone);

/// `[[target]]`
#[derive(Clone, Debug)]
pub struct Target {
    /// `resource` URI or `audience` name; `aud`.
    pub identifier: TargetId,
    /// The identifier as a URI, by which `resource` names the target; `None` for a name.
    pub resource: Option<ResourceUri>,
    /// What it defines, what it carries onward included.
    pub scopes: BTreeMap<ScopeToken, ScopeRule>,
    /// Yes/no scopes it has answered.
    pub answers: BTreeMap<ScopeToken, AnswerRule>,
    /// What is granted, as far as it may be, if a request names no scope.
    pub default_scopes: Option<Scope>,
    /// The client that may introspect its tokens.
    pub resource_server: Option<ClientId>,
    /// The client that may exchange its tokens onward.
    pub exchange_client: Option<ClientId>,
    pub onward: BTreeSet<TargetId>,
    /// What it can do with tokens that are bound to a key.
    pub proof: TargetProof,
    pub token_format: TokenFormat,
    /// Overrides `tokens.lifetime`.
    pub lifetime: Option<Lifetime>,
    /// Overrides `tokens.subject`.
    pub subject: Option<SubjectForm>,
    /// Targets that name one sector share pairwise subjects.
    pub sector: String,
    /// Claims it asks for though pairwise (`acr`).
    pub claims: BTreeSet<String>,
}

impl Target {
    /// The sector of a target that names none: the origin of a URL, else the identifier itself.
    pub fn default_sector(identifier: &str) -> String {
        match url::Url::parse(identifier) {
            Ok(url) if url.origin().is_tuple() => url.origin().ascii_serialization(),
            _ => identifier.to_owned(),
        }
    }

    /// All scopes it defines.
    pub fn scope(&self) -> Scope {
        Scope::from_tokens(self.scopes.keys())
    }
}

impl Zone {
    /// `UTC`, `UTC±HH`, `UTC±HH:MM` between −12:00 and +14:00, or an IANA name. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let Some(offset) = text.strip_prefix("UTC") else {
            return TimeZone::get(text).ok().filter(|zone| zone.iana_name() == Some(text)).map(Self);
        };
        if offset.is_empty() {
            return Some(Self(TimeZone::UTC));
        }
        let sign = match offset.as_bytes().first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return None,
        };
        let (hours, minutes) = offset[1..].split_once(':').unwrap_or((&offset[1..], "00"));
        let number = |text: &str, digits: std::ops::RangeInclusive<usize>| {
            let is_number = digits.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| text.parse::<i32>().ok()).flatten()
        };
        let (hours, minutes) = (number(hours, 1..=2)?, number(minutes, 2..=2)?);
        let seconds = sign * (hours * 3600 + minutes * 60);
        if minutes > 59 || !(-12 * 3600..=14 * 3600).contains(&seconds) {
            return None;
        }
        Offset::from_seconds(seconds).ok().map(|offset| Self(TimeZone::fixed(offset)))
    }
}
