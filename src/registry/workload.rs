//! Workload issuers, whose tokens agents present, and the classes that say what such an agent may be.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{KeySource, Pin, Proof, Reach};
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
        /// A service account: stays, dormant, between tasks.
        Principal => "principal",
    }
}

/// `[[workload_issuer]]` (preset `generic`).
#[derive(Clone, Debug)]
pub struct WorkloadIssuer {
    /// Compared byte for byte.
    pub issuer: Issuer,
    /// The only audience its tokens may have.
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
    /// `exp - iat` at most.
    pub max_token_lifetime: Lifetime,
    /// Whether its agents have to prove a key.
    pub proof: Proof,
    /// Whether its tokens are pinned to the key that is first proven beside them.
    pub pin: Pin,
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
