//! One case: its facts, owned, with defaults for those it does not name.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::base::time::Timestamp;
use crate::oauth::{AgentId, ClientId, Issuer, Purpose, Recipient, Scope, ScopeToken, TargetId};
use crate::policy::{BroughtIn, Delegator, Facts};
use crate::verification::{LoginFacts, LoginToken};

/// A file of cases that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseError(String);

impl fmt::Display for CaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CaseError {}

#[derive(Clone, Debug)]
pub struct Case {
    /// Says in a sentence what is tested.
    pub name: String,
    /// `permit`, `deny` or `error`.
    pub expect: String,
    /// The policies that have to determine it, all of them; empty leaves them open.
    pub by: Vec<String>,
    facts: CaseFacts,
    scope: Scope,
    now: Timestamp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    #[serde(default)]
    facts: toml::Table,
    #[serde(default)]
    case: Vec<CaseEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseEntry {
    name: String,
    expect: Expect,
    #[serde(default)]
    by: Vec<String>,
    #[serde(default)]
    facts: toml::Table,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expect {
    Permit,
    Deny,
    Error,
}

/// [`Facts`] as a case writes them.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CaseFacts {
    actor: AgentId,
    class: String,
    workload_issuer: Option<Issuer>,
    client: ClientId,
    prior_actors: Vec<AgentId>,
    target: TargetId,
    is_task_token: bool,
    /// An agent, whose class is `to_class`; or a class.
    delegate_to: Option<Recipient>,
    to_class: String,
    accepted_from: Option<AgentId>,
    onward_from: Option<TargetId>,
    is_listed_onward: bool,
    scope: String,
    answers: BTreeSet<ScopeToken>,
    class_answers: BTreeSet<ScopeToken>,
    fresh_scopes: BTreeSet<String>,
    sensitive_scopes: BTreeSet<String>,
    depth: u8,
    hop: u8,
    purpose: Option<Purpose>,
    delegator: Option<AgentId>,
    provider: Issuer,
    levels: BTreeSet<String>,
    acr: Option<String>,
    amr: Vec<String>,
    login_age_seconds: i64,
    max_age_seconds: Option<i64>,
    claims: Map<String, Value>,
    lifetime_seconds: i64,
    now: String,
}

impl Default for CaseFacts {
    /// A client's own agent at hop 0, with a fresh MFA login, for one plain scope at one target.
    fn default() -> Self {
        Self {
            actor: AgentId::new("agent_a"),
            class: "client".to_owned(),
            workload_issuer: None,
            client: ClientId::new("client"),
            prior_actors: Vec::new(),
            target: TargetId::new("target"),
            is_task_token: false,
            delegate_to: None,
            to_class: "client".to_owned(),
            accepted_from: None,
            onward_from: None,
            is_listed_onward: true,
            scope: "read".to_owned(),
            answers: BTreeSet::new(),
            class_answers: BTreeSet::new(),
            fresh_scopes: BTreeSet::new(),
            sensitive_scopes: BTreeSet::new(),
            depth: 1,
            hop: 0,
            purpose: None,
            delegator: None,
            provider: Issuer::new("https://provider.example"),
            levels: BTreeSet::from(["mfa".to_owned()]),
            acr: None,
            amr: vec!["pwd".to_owned(), "mfa".to_owned()],
            login_age_seconds: 60,
            max_age_seconds: None,
            claims: Map::new(),
            lifetime_seconds: 300,
            now: "2026-06-15T12:00:00Z".to_owned(),
        }
    }
}

/// Reads the cases of a file: `[facts]` that all of them share, and one `[[case]]` each.
///
/// # Errors
/// [`CaseError`] with the line or the case, for anything the format does not know.
pub fn parse(text: &str) -> Result<Vec<Case>, CaseError> {
    let file: CaseFile = toml::from_str(text).map_err(|error| CaseError(error.to_string()))?;
    file.case.into_iter().map(|entry| case(&file.facts, entry)).collect()
}

fn case(shared: &toml::Table, entry: CaseEntry) -> Result<Case, CaseError> {
    let fault = |message: String| CaseError(format!("case `{}`: {message}", entry.name));
    let mut table = shared.clone();
    table.extend(entry.facts.clone());
    let facts: CaseFacts = toml::Value::Table(table)
        .try_into()
        .map_err(|error: toml::de::Error| fault(error.message().to_owned()))?;
    let scope = match facts.scope.as_str() {
        "" => Scope::empty(),
        text => Scope::parse(text).ok_or_else(|| fault(format!("`scope`: `{text}` is no scope")))?,
    };
    let now: jiff::Timestamp =
        facts.now.parse().map_err(|_| fault(format!("`now`: `{}` is no RFC 3339 time", facts.now)))?;
    Ok(Case {
        expect: match entry.expect {
            Expect::Permit => "permit".to_owned(),
            Expect::Deny => "deny".to_owned(),
            Expect::Error => "error".to_owned(),
        },
        name: entry.name,
        by: entry.by,
        facts,
        scope,
        now: Timestamp::from_millis(now.as_millisecond()),
    })
}

impl Case {
    /// The facts that policy sees.
    pub fn facts(&self) -> Facts {
        let facts = self.facts.clone();
        let login = LoginFacts {
            id_token_hash: [0; 32],
            provider: facts.provider,
            relying_party: String::new(),
            levels: facts.levels,
            acr: facts.acr,
            amr: facts.amr,
            token: LoginToken::IdToken,
            issued_at: self.now.seconds(),
            auth_time: Some(self.now.seconds().saturating_sub(facts.login_age_seconds)),
            session: None,
            policy_claims: facts.claims,
        };
        Facts {
            actor: facts.actor,
            class: facts.class,
            workload_issuer: facts.workload_issuer,
            client: facts.client,
            prior_actors: facts.prior_actors,
            target: facts.target,
            is_task_token: facts.is_task_token,
            brings_in: facts.delegate_to.map(|to| match to {
                Recipient::Class(name) => BroughtIn::Class(name),
                Recipient::Agent(id) => BroughtIn::Agent { id, class: facts.to_class },
            }),
            accepted_from: facts.accepted_from,
            onward_from: facts.onward_from,
            is_listed_onward: facts.is_listed_onward,
            scope: self.scope.clone(),
            answers: facts.answers,
            class_answers: facts.class_answers,
            fresh_scopes: facts.fresh_scopes,
            sensitive_scopes: facts.sensitive_scopes,
            depth: facts.depth,
            hop: facts.hop,
            purpose: facts.purpose,
            delegator: match facts.delegator {
                Some(agent) => Delegator::Agent(agent),
                None => {
                    Delegator::User { login: Arc::new(login), login_age_seconds: facts.login_age_seconds }
                }
            },
            max_age_seconds: facts.max_age_seconds,
            lifetime_seconds: facts.lifetime_seconds,
            now: self.now,
        }
    }
}
