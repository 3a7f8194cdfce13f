//! Whether a resource server may use a token that was presented to it.

use crate::base::time::Timestamp;
use crate::config::Config;
use crate::delegation::actor::CLIENT_CLASS;
use crate::delegation::record::{Agent, Delegation, Lineage, Provenance, TokenKind, live};
use crate::oauth::ClientId;
use crate::registry::Registry;

/// Whether the token is active for this resource server (RFC 7662 §2.2): an access token for its target, issued
/// to a client that is still registered, and still valid. The resource server cannot tell why any
/// other token is inactive.
pub fn is_active_for(config: &Config, server: &ClientId, lineage: &Lineage, now: Timestamp) -> bool {
    let token = &lineage.delegation;
    let is_its_target = config
        .registry
        .targets
        .get(&token.target)
        .is_some_and(|target| target.resource_server.as_ref() == Some(server));
    token.kind == TokenKind::Access
        && is_its_target
        && is_named(&config.registry, lineage)
        && live(lineage, now).is_ok()
}

/// Whether the configuration names every party that the records of a token name. What it does not name is refused at
/// once, whatever another node still issues by an older file.
pub fn is_named(registry: &Registry, lineage: &Lineage) -> bool {
    let Lineage { delegation, ancestors, task, login, subject, agents, .. } = lineage;
    let provider = registry.identity_providers.get(&login.provider);
    let is_relying_party_named =
        provider.is_some_and(|provider| provider.relying_parties.contains_key(&login.relying_party));
    let has_class = |class: &String| {
        class == CLIENT_CLASS
            || registry
                .workload_issuers
                .values()
                .any(|issuer| issuer.classes.iter().any(|known| known.name == *class))
    };
    let is_token_named = |token: &Delegation| {
        registry.clients.contains_key(&token.client)
            && (token.kind == TokenKind::Task || registry.targets.contains_key(&token.target))
            && token.classes.iter().all(has_class)
    };
    let is_issuer_named = |agent: &Agent| match &agent.provenance {
        Provenance::Client => true,
        Provenance::Workload { issuer, .. } => registry.workload_issuers.contains_key(issuer),
    };
    is_relying_party_named
        && registry.identity_providers.contains_key(&subject.issuer)
        && registry.clients.contains_key(&task.client)
        && std::iter::once(delegation).chain(ancestors).all(is_token_named)
        && agents.iter().all(is_issuer_named)
}
