//! Who is registered: identity providers, workload issuers with their classes, clients, targets and predicates.
//!
//! The types say what a party is, wherever its registration comes from; today that is the configuration file.

mod access_token;
mod client;
mod condition;
mod conflicts;
mod delegate;
pub mod forms;
mod keys;
mod possession;
mod predicate;
mod preset;
mod provider;
mod quota;
mod subject_name;
mod target;
mod workload;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::oauth::{ClientId, Issuer, ResourceUri, Scope, ScopeToken, TargetId};

pub use access_token::{AccessTokenMark, AccessTokenSource, AccessTokenType};
pub use client::{AssertionAudience, Client, ClientAuthentication, ClientSecret};
pub use condition::{ClaimCheck, ClaimMatch, When};
pub use conflicts::{Conflict, Party};
pub use delegate::Delegate;
pub use keys::{KeySource, KeysToken, Network, Reach};
pub use possession::{Pin, Proof, TargetProof};
pub use predicate::{LeapDay, Predicate, Question, is_reserved_claim};
pub use preset::{EntraIssuer, EntraVersion, Preset, is_any_cluster};
pub use provider::{
    AssuranceLevel, AuthTime, ClaimCondition, ClaimTest, IdentityProvider, MFA, OtherAudiences,
    PHISHING_RESISTANT, RelyingParty,
};
pub use quota::Quotas;
pub use subject_name::SubjectName;
pub use target::{AnswerRule, ScopeRule, SubjectForm, Subjects, Target, TokenFormat, Zone};
pub use workload::{
    AgentClass, AgentLifetime, BuildClaims, IdClaims, IdPart, IdReading, InstanceId, WorkloadIssuer,
};

/// Every registered party, by its identifier.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    /// Identity providers, by issuer.
    pub identity_providers: BTreeMap<Issuer, Arc<IdentityProvider>>,
    /// Workload issuers, by issuer.
    pub workload_issuers: BTreeMap<Issuer, Arc<WorkloadIssuer>>,
    /// Clients, by `client_id`.
    pub clients: BTreeMap<ClientId, Arc<Client>>,
    /// Predicates, by the scope that asks them.
    pub predicates: BTreeMap<ScopeToken, Arc<Predicate>>,
    /// Targets, by identifier.
    pub targets: BTreeMap<TargetId, Arc<Target>>,
}

impl Registry {
    /// Where the keys of every party are.
    pub fn key_sources(&self) -> impl Iterator<Item = &KeySource> {
        let providers = self.identity_providers.values().map(|provider| &provider.keys);
        let issuers = self.workload_issuers.values().map(|issuer| &issuer.keys);
        let clients = self.clients.values().filter_map(|client| client.authentication.keys());
        providers.chain(issuers).chain(clients)
    }

    /// The clients that the credential of an agent of this class authenticates.
    pub fn workload_clients<'a>(&'a self, class: &'a AgentClass) -> impl Iterator<Item = &'a Arc<Client>> {
        class.clients.iter().filter_map(|id| self.clients.get(id)).filter(|client| client.is_workload())
    }

    /// What a client gets for a target if it names no scope: the client's own list for it replaces the target's. There is
    /// none for a target that is not the client's, so that the answer does not say whether it exists.
    pub fn default_scope<'a>(&'a self, client: &'a Client, target: &TargetId) -> Option<&'a Scope> {
        let own = client.default_scopes.get(target);
        let of_target = || self.targets.get(target).and_then(|target| target.default_scopes.as_ref());
        own.or_else(of_target).filter(|scope| !scope.is_empty() && client.targets.contains(target))
    }

    /// The target that `resource` names. There is one at most, because no two targets have the same URI.
    pub fn target_of_resource(&self, resource: &ResourceUri) -> Option<&TargetId> {
        let named = self.targets.values().find(|target| target.resource.as_ref() == Some(resource));
        named.map(|target| &target.identifier)
    }

    /// The class of this name. There is one at most, because no two classes have the same name.
    pub fn class(&self, name: &str) -> Option<&Arc<AgentClass>> {
        self.workload_issuers.values().flat_map(|issuer| &issuer.classes).find(|class| class.name == name)
    }

    /// The words of `scope` that some target defines.
    pub fn known_part_of(&self, scope: &Scope) -> Scope {
        let is_known =
            |word: &ScopeToken| self.targets.values().any(|target| target.scopes.contains_key(word));
        let words: Vec<ScopeToken> = scope.tokens().filter_map(ScopeToken::parse).filter(is_known).collect();
        Scope::from_tokens(&words)
    }

    /// The targets that `client` may exchange onward from: those whose `exchange_client` it is.
    pub fn targets_of_exchange_client<'a>(
        &'a self,
        client: &'a ClientId,
    ) -> impl Iterator<Item = &'a Arc<Target>> {
        self.targets.values().filter(move |target| target.exchange_client.as_ref() == Some(client))
    }
}
