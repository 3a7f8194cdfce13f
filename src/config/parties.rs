//! Who is registered: identity providers, workload issuers and their classes, clients, targets and predicates.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::{Algorithm, SubjectForm};
use crate::base::time::Lifetime;
use crate::base::words::words;
use crate::oauth::{ClientId, GrantType, Issuer, Scope, ScopeToken, TargetId};

/// Where the keys of an issuer or client come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// Discovery at the issuer, then its `jwks_uri` (identity providers).
    Discovery,
    /// Fetched (RFC 7517 §5).
    Uri(url::Url),
    /// Pinned in a file.
    File(PathBuf),
}

/// Which addresses an operator-configured URL may resolve to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Public addresses only.
    #[default]
    Public,
    /// Private addresses too.
    Private,
}

/// How an issuer is reached.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// `network`
    pub network: Network,
    /// A private CA, PEM.
    pub tls_ca_file: Option<PathBuf>,
    /// An egress proxy.
    pub proxy: Option<url::Url>,
}

/// One condition on one claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimCondition {
    /// The claim's name.
    pub claim: String,
    /// What it has to be.
    pub test: ClaimTest,
}

/// What a claim has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimTest {
    /// A string that is one of these.
    In(Vec<String>),
    /// An array of strings that holds all of these.
    Contains(Vec<String>),
}

/// A named assurance level: met by any of its conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssuranceLevel {
    /// `mfa`, `phishing_resistant`, or a name of the operator's.
    pub name: String,
    /// Any one suffices.
    pub any_of: Vec<ClaimCondition>,
}

/// `[[identity_provider]]`
#[derive(Clone, Debug)]
pub struct IdentityProvider {
    /// Compared byte for byte.
    pub issuer: Issuer,
    /// Allowed for its ID tokens.
    pub algorithms: BTreeSet<Algorithm>,
    /// How it is reached.
    pub reach: Reach,
    /// Discovery, or pinned keys.
    pub keys: KeySource,
    /// Oldest `iat` of an ID token that may start something; 600 s.
    pub max_id_token_age: Lifetime,
    /// Longest life of anything from one `auth_time`; 28800 s.
    pub max_session: Lifetime,
    /// Which claim names the user; `sub`.
    pub subject_claim: String,
    /// Claims of the ID token that policy may see.
    pub policy_claims: Vec<String>,
    /// Two `amr` values of different kinds count as MFA (8176-F-01).
    pub infer_mfa_from_amr: bool,
    /// Last good keys serve this long when the provider is down; 86400 s.
    pub keys_stale: Lifetime,
    /// Relying parties whose ID tokens are taken, by their client id at the provider.
    pub relying_parties: BTreeMap<String, RelyingParty>,
    /// Levels by name. `mfa` is always defined.
    pub assurance: BTreeMap<String, AssuranceLevel>,
}

/// `[[identity_provider.relying_party]]`
#[derive(Clone, Debug)]
pub struct RelyingParty {
    /// Its client id at the provider, as in `aud`.
    pub client_id: String,
    /// The Deputy clients that may hand in its ID tokens.
    pub clients: BTreeSet<ClientId>,
}

words! {
    /// How long an agent of a class lives.
    AgentLifetime {
        /// An instance, retired with its last task.
        Task => "task",
        /// A service account: stays, dormant, between tasks.
        Principal => "principal",
    }
}

/// `[[workload_issuer]]` (preset `generic`).
#[derive(Clone, Debug)]
pub struct WorkloadIssuer {
    /// Compared byte for byte.
    pub issuer: Issuer,
    /// The only audience its tokens may have; default Deputy's issuer.
    pub audience: String,
    /// `jwks_uri` or `jwks_file`.
    pub keys: KeySource,
    /// How `jwks_uri` is reached.
    pub reach: Reach,
    /// Allowed for its tokens.
    pub algorithms: BTreeSet<Algorithm>,
    /// The claim that names the workload for good.
    pub stable_id_claim: String,
    /// The claim that names this instance and never recurs.
    pub instance_id_claim: Option<String>,
    /// `exp - iat` at most; 3600 s.
    pub max_token_lifetime: Lifetime,
    /// First match wins.
    pub classes: Vec<Arc<AgentClass>>,
}

/// `[[workload_issuer.class]]`
#[derive(Clone, Debug)]
pub struct AgentClass {
    /// Its name in policy and audit.
    pub name: String,
    /// `when = { claim, equals }`; absent means any.
    pub when: Option<(String, serde_json::Value)>,
    /// How long its agents live.
    pub lifetime: AgentLifetime,
    /// The clients that may present its agents.
    pub clients: BTreeSet<ClientId>,
    /// Scopes at most.
    pub scopes: Scope,
    /// Targets at most.
    pub targets: BTreeSet<TargetId>,
    /// Yes/no scopes it may have answered.
    pub answers: BTreeSet<ScopeToken>,
}

/// How a client authenticates: exactly one registered method.
#[expect(clippy::large_enum_variant, reason = "a handful in memory, each behind an Arc")]
#[derive(Clone, Debug)]
pub enum ClientAuthentication {
    /// RFC 7523 §2.2.
    PrivateKeyJwt {
        /// Registered keys.
        keys: KeySource,
        /// How `jwks_uri` is reached.
        reach: Reach,
        /// ES256, PS256, EdDSA; RS256 where the client asks for it.
        algorithms: BTreeSet<Algorithm>,
    },
    /// RFC 6749 §2.3.1, in the header.
    ClientSecretBasic(Vec<ClientSecret>),
    /// RFC 6749 §2.3.1, in the body.
    ClientSecretPost(Vec<ClientSecret>),
}

/// One of at most two live secrets, as read from its file; never printed.
#[derive(Clone)]
pub struct ClientSecret {
    /// The secret.
    pub value: secrecy::SecretString,
    /// Refused from then on.
    pub expires_at: Option<crate::base::time::Timestamp>,
}

impl std::fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientSecret(…)")
    }
}

/// `[[client]]`
#[derive(Clone, Debug)]
pub struct Client {
    /// Its identifier.
    pub id: ClientId,
    /// Its one method.
    pub authentication: ClientAuthentication,
    /// The grants it may use.
    pub grants: BTreeSet<GrantType>,
    /// A client with a secret may be the actor itself only with this.
    pub may_act_as_agent: bool,
    /// Scopes at most.
    pub scopes: Scope,
    /// Targets at most.
    pub targets: BTreeSet<TargetId>,
    /// Yes/no scopes its own agent may have answered.
    pub answers: BTreeSet<ScopeToken>,
}

impl Client {
    /// Whether it may use this grant.
    pub fn may_use(&self, grant: GrantType) -> bool {
        self.grants.contains(&grant)
    }
}

/// What a scope asks of the login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeRule {
    /// The level demanded; `None` where the operator wrote `assurance = "none"`. `mfa` by default.
    pub assurance: Option<String>,
    /// Greatest age of `auth_time`.
    pub max_age: Option<Lifetime>,
    /// A purpose must have been given when the task began.
    pub sensitive: bool,
}

/// How a target has a yes/no scope answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerRule {
    /// Where "today" is: `UTC-12` by default.
    pub zone: Zone,
    /// False is refused like unknown.
    pub only_true: bool,
}

/// A civil time zone: a fixed offset or an IANA name. Never the server's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(pub jiff::tz::TimeZone);

/// `[[target]]`
#[derive(Clone, Debug)]
pub struct Target {
    /// `resource` URI or `audience` name; `aud`.
    pub identifier: TargetId,
    /// What it defines, what it carries onward included.
    pub scopes: BTreeMap<ScopeToken, ScopeRule>,
    /// Yes/no scopes it has answered.
    pub answers: BTreeMap<ScopeToken, AnswerRule>,
    /// The client that may introspect its tokens.
    pub resource_server: Option<ClientId>,
    /// The client that may exchange its tokens onward.
    pub exchange_client: Option<ClientId>,
    /// Where to.
    pub onward: BTreeSet<TargetId>,
    /// Overrides `tokens.lifetime`.
    pub lifetime: Option<Lifetime>,
    /// Overrides `tokens.subject`.
    pub subject: Option<SubjectForm>,
    /// Targets that name one sector share pairwise subjects; default the origin of the identifier, or itself.
    pub sector: String,
    /// Claims it asks for though pairwise (`acr`).
    pub claims: BTreeSet<String>,
}

impl Target {
    /// All scopes it defines.
    pub fn scope(&self) -> Scope {
        Scope::from_tokens(self.scopes.keys())
    }
}

/// The day a birthday of 29 February falls on in other years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeapDay {
    /// 1 March: never a day too early.
    #[default]
    Mar1,
    /// 28 February.
    Feb28,
}

/// `[[predicate]]`: a yes/no question over a verified claim.
#[derive(Clone, Debug)]
pub struct Predicate {
    /// The scope that asks it, and the claim that answers it.
    pub scope: ScopeToken,
    /// The claim it is over.
    pub claim: String,
    /// The question.
    pub question: Question,
}

/// The question of a predicate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// A birthdate at least so many years ago.
    AtLeastYears {
        /// The threshold.
        years: u16,
        /// The leap-day rule.
        leap_day: LeapDay,
    },
    /// The claim equals this value.
    Equals(serde_json::Value),
}
