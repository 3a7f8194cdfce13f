//! The names that sections refer to each other by, collected before any section is converted, so that
//! one broken section does not make every mention of it look wrong.

use std::collections::BTreeSet;

use super::raw::RawConfig;
use super::workloads::RawWorkloadIssuer;
use crate::oauth::ClientId;
use crate::registry::Delegate;

/// What is named somewhere in the file.
pub(super) struct Names {
    /// What `delegates_to` may name: the classes, and the own agent of each client.
    pub(super) delegates: BTreeSet<String>,
    pub(super) clients: BTreeSet<String>,
    pub(super) targets: BTreeSet<String>,
    /// Scopes that a target defines or has answered.
    pub(super) scopes: BTreeSet<String>,
    /// Scopes that a target has answered.
    pub(super) answers: BTreeSet<String>,
    /// Scopes of predicates.
    pub(super) predicates: BTreeSet<String>,
    /// Claims that predicates are over.
    pub(super) predicate_claims: BTreeSet<String>,
}

impl Names {
    pub(super) fn of(raw: &RawConfig) -> Self {
        let answers: BTreeSet<String> =
            raw.target.iter().flat_map(|target| target.answers.keys().cloned()).collect();
        let classes = raw.workload_issuer.iter().flat_map(|issuer| &issuer.class);
        let classes = classes.filter_map(|class| class.name.clone());
        let clients = raw.client.iter().filter_map(|client| client.id.as_deref().map(ClientId::new));
        let own_agents = clients.map(|id| Delegate::OwnAgent(id).to_string());
        let defined = raw.target.iter().flat_map(|target| target.scopes.keys().cloned());
        Self {
            delegates: classes.chain(own_agents).collect(),
            clients: raw.client.iter().filter_map(|client| client.id.clone()).collect(),
            targets: raw.target.iter().filter_map(|target| target.identifier.clone()).collect(),
            scopes: defined.chain(answers.iter().cloned()).collect(),
            predicates: raw.predicate.iter().filter_map(|predicate| predicate.scope.clone()).collect(),
            predicate_claims: raw.predicate.iter().filter_map(|predicate| predicate.claim.clone()).collect(),
            answers,
        }
    }
}

/// The lists of parties: each with the key of their names, and the names in the order of the file.
pub(super) fn lists(raw: &RawConfig) -> [(&'static str, &'static str, Vec<Option<String>>); 5] {
    let RawConfig { identity_provider, workload_issuer, client, predicate, target, .. } = raw;
    [
        ("identity_provider", "issuer", identity_provider.iter().map(|raw| raw.issuer.clone()).collect()),
        ("workload_issuer", "issuer", workload_issuer.iter().map(RawWorkloadIssuer::name).collect()),
        ("client", "id", client.iter().map(|raw| raw.id.clone()).collect()),
        ("predicate", "scope", predicate.iter().map(|raw| raw.scope.clone()).collect()),
        ("target", "identifier", target.iter().map(|raw| raw.identifier.clone()).collect()),
    ]
}
