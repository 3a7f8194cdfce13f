//! Workload issuers, whose tokens agents present, and the classes that say what such an agent may be.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Delegate, KeySource, Pin, Preset, Proof, Quotas, Reach, When};
use crate::base::time::Lifetime;
use crate::base::words::words;
use crate::jose::Algorithm;
use crate::oauth::{ClientId, Issuer, Scope, ScopeToken, TargetId};

words! {
    /// How long an agent of a class lives.
    #[derive(schemars::JsonSchema)]
    #[schemars(rename_all = "snake_case")]
    AgentLifetime {
        /// An instance, retired with its last task.
        Task => "task",
        /// An instance: stays, dormant, between tasks, and is retired when it was idle for too long or its time is up.
        Instance => "instance",
        /// A service account: stays, dormant, between tasks.
        Principal => "principal",
    }
}

impl AgentLifetime {
    /// Whether such an agent is one instance of its workload, which never recurs.
    pub const fn is_of_an_instance(self) -> bool {
        matches!(self, Self::Task | Self::Instance)
    }
}

/// The claims that together are an identifier, each with how it is read. The list is never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdClaims(pub Vec<IdPart>);

/// What identifies one instance of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstanceId {
    /// Claims whose values never recur.
    Claims(IdClaims),
    /// The key that the request proves by DPoP: each process that has one is an instance. A certificate is none.
    Key,
}

impl InstanceId {
    /// Every claim that it names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let claims = match self {
            Self::Claims(claims) => Some(claims),
            Self::Key => None,
        };
        claims.into_iter().flat_map(IdClaims::names)
    }
}

/// One value of an identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdPart {
    /// The first of these claims that the token has.
    pub claims: Vec<String>,
    pub reading: IdReading,
    /// Whether the identifier goes without it where the token has none of them.
    pub is_optional: bool,
}

/// How a claim of an identifier is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdReading {
    Whole,
    /// The path of a workflow of GitHub, without the branch, tag or commit that it is from.
    Path,
}

impl IdClaims {
    /// Claims that a token must have, each taken whole.
    pub fn of<S: Into<String>>(claims: impl IntoIterator<Item = S>) -> Self {
        Self(claims.into_iter().map(|claim| IdPart::new([claim])).collect())
    }

    /// Every claim that it names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|part| &part.claims).map(String::as_str)
    }
}

impl IdPart {
    /// The first of these claims, which a token must have, taken whole.
    pub fn new<S: Into<String>>(claims: impl IntoIterator<Item = S>) -> Self {
        let claims = claims.into_iter().map(Into::into).collect();
        Self { claims, reading: IdReading::Whole, is_optional: false }
    }
}

/// `[[workload_issuer]]`
#[derive(Clone, Debug)]
pub struct WorkloadIssuer {
    /// Compared byte for byte.
    pub issuer: Issuer,
    /// The kind of platform. It decides which tokens are refused.
    pub preset: Preset,
    /// The only audience its tokens may have.
    pub audience: String,
    /// `jwks_uri` or `jwks_file`.
    pub keys: KeySource,
    /// How `jwks_uri` is reached.
    pub reach: Reach,
    /// Allowed for its tokens.
    pub algorithms: BTreeSet<Algorithm>,
    /// The claims that identify the workload for good.
    pub stable_id: IdClaims,
    /// What identifies this instance and never recurs.
    pub instance_id: Option<InstanceId>,
    /// `exp - iat` at most.
    pub max_token_lifetime: Lifetime,
    /// Whether its agents have to prove a key.
    pub proof: Proof,
    /// Whether its tokens are pinned to the key that is first proven beside them.
    pub pin: Pin,
    /// How many agents it may have.
    pub quotas: Quotas,
    /// First match wins.
    pub classes: Vec<Arc<AgentClass>>,
}

impl WorkloadIssuer {
    /// Whether a class of it lists this client.
    pub fn lists(&self, client: &ClientId) -> bool {
        self.classes.iter().any(|class| class.clients.contains(client))
    }
}

/// `[[workload_issuer.class]]`
#[derive(Clone, Debug)]
pub struct AgentClass {
    /// Its name in policy and audit, which no other class has, of whichever issuer.
    pub name: String,
    /// Absent means any token of the issuer.
    pub when: Option<When>,
    /// The events that start its workflows or pipelines; absent means any but those of pull requests and merge requests.
    pub events: Option<BTreeSet<String>>,
    /// How long its agents live.
    pub lifetime: AgentLifetime,
    /// How long an instance may be idle.
    pub idle: Option<Lifetime>,
    /// How long its agents live at most.
    pub ttl: Option<Lifetime>,
    /// How many agents it may have, besides what its issuer may.
    pub quotas: Quotas,
    /// The claims that say what its agents run.
    pub build: BuildClaims,
    /// The clients that may present its agents.
    pub clients: BTreeSet<ClientId>,
    /// Whether an agent gets tokens about itself by its platform's credential alone.
    pub agent_tokens: bool,
    /// Whether an agent may begin tasks of its own, which no user is behind.
    pub begins_tasks: bool,
    /// Scopes at most.
    pub scopes: Scope,
    /// Targets at most.
    pub targets: BTreeSet<TargetId>,
    /// Yes/no scopes it may have answered.
    pub answers: BTreeSet<ScopeToken>,
    /// The agents that its agents may bring in.
    pub delegates_to: BTreeSet<Delegate>,
}

/// The names of the claims that say what an agent runs. They are recorded and shown, and decide nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildClaims {
    pub software: Option<String>,
    pub version: Option<String>,
    pub image: Option<String>,
}
