//! Whether a resource server may use a token that was presented to it.

use crate::base::time::Timestamp;
use crate::config::Config;
use crate::delegation::actor::CLIENT_CLASS;
use crate::delegation::alone::{AgentToken, KnownToken};
use crate::delegation::record::{Agent, Behind, Delegation, Lineage, Provenance, SignedIn, TokenKind, live};
use crate::oauth::ClientId;
use crate::registry::Registry;
use crate::verification::LoginToken;

/// Whether the token is active for this resource server (RFC 7662 §2.2): an access token for its target, issued
/// to a client that is still registered, and still valid. The resource server cannot tell why any
/// other token is inactive.
pub fn is_active_for(config: &Config, server: &ClientId, known: &KnownToken, now: Timestamp) -> bool {
    let token = known.delegation();
    let is_its_target = config
        .registry
        .targets
        .get(&token.target)
        .is_some_and(|target| target.resource_server.as_ref() == Some(server));
    let is_live = || match known {
        KnownToken::InTask(lineage) => is_named(&config.registry, lineage) && live(lineage, now).is_ok(),
        KnownToken::Alone(token) => is_agent_named(&config.registry, token) && token.live(now).is_ok(),
    };
    token.kind != TokenKind::Task && is_its_target && is_live()
}

/// Whether the configuration names every party that the records of a token about an agent name. An agent that no client
/// presents is its own client.
fn is_agent_named(registry: &Registry, AgentToken { delegation, agent, .. }: &AgentToken) -> bool {
    let is_own_client =
        delegation.behalf.agent().is_some_and(|agent| agent.as_str() == delegation.client.as_str());
    (is_own_client || registry.clients.contains_key(&delegation.client))
        && registry.targets.contains_key(&delegation.target)
        && delegation.classes.iter().all(|class| has_class(registry, class))
        && agent.iter().all(|agent| is_issuer_named(registry, agent))
}

fn has_class(registry: &Registry, class: &str) -> bool {
    let mut classes = registry.workload_issuers.values().flat_map(|issuer| &issuer.classes);
    class == CLIENT_CLASS || classes.any(|known| known.name == class)
}

fn is_issuer_named(registry: &Registry, agent: &Agent) -> bool {
    match &agent.provenance {
        Provenance::Client => true,
        Provenance::Workload { issuer, .. } => registry.workload_issuers.contains_key(issuer),
    }
}

/// Whether the configuration names every party that the records of a token name. What it does not name is refused at
/// once, whatever another node still issues by an older file.
pub fn is_named(registry: &Registry, lineage: &Lineage) -> bool {
    let Lineage { delegation, ancestors, task, behind, agents, .. } = lineage;
    let is_user_named = match behind {
        Behind::User(user) => is_user_named(registry, user),
        Behind::Agent(_) => true,
    };
    let is_token_named = |token: &Delegation| {
        registry.clients.contains_key(&token.client)
            && (matches!(token.kind, TokenKind::Task | TokenKind::Handover(_))
                || registry.targets.contains_key(&token.target))
            && token.classes.iter().all(|class| has_class(registry, class))
    };
    is_user_named
        && registry.clients.contains_key(&task.client)
        && std::iter::once(delegation).chain(ancestors).all(is_token_named)
        && agents.iter().all(|agent| is_issuer_named(registry, agent))
}

/// Whether the configuration names the provider of a user, and the relying party of their login.
fn is_user_named(registry: &Registry, SignedIn { subject, login }: &SignedIn) -> bool {
    let provider = registry.identity_providers.get(&login.provider);
    let is_relying_party_named = provider.is_some_and(|provider| match &login.token {
        LoginToken::IdToken => provider.relying_parties.contains_key(&login.relying_party),
        LoginToken::AccessToken { audience, .. } => provider.access_tokens.iter().any(|source| {
            source.audience == *audience && source.authorized_parties.contains(&login.relying_party)
        }),
    });
    is_relying_party_named && registry.identity_providers.contains_key(&subject.issuer)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::decision::fixtures::{age_agent, agent, delegation, lineage, valid_world};
    use crate::oauth::{Issuer, TargetId};

    /// What is taken out, and how.
    type Change = (&'static str, fn(&mut Registry));

    /// What a configuration may lack.
    const CHANGES: [Change; 6] = [
        ("the client", |registry| registry.clients.retain(|id, _| id.as_str() != "assistant")),
        ("the target", |registry| registry.targets.retain(|id, _| *id != TargetId::new("tickets"))),
        ("the provider", |registry| registry.identity_providers.clear()),
        ("the relying party", |registry| {
            for provider in registry.identity_providers.values_mut() {
                Arc::make_mut(provider).relying_parties.clear();
            }
        }),
        ("the workload issuer", |registry| registry.workload_issuers.clear()),
        ("the class", |registry| {
            for issuer in registry.workload_issuers.values_mut() {
                Arc::make_mut(issuer).classes.clear();
            }
        }),
    ];

    #[test]
    fn a_token_is_refused_as_soon_as_the_configuration_lacks_a_party_that_its_records_name() {
        let world = valid_world();
        let mut token = delegation(TokenKind::Access, "tickets", "tickets:search");
        let verifier = age_agent(&world);
        token.chain.insert(0, verifier.id.clone());
        token.classes.insert(0, verifier.class().to_owned());
        let mut recorded = lineage(&world, token);
        recorded.agents.insert(0, agent(&verifier));
        assert!(is_named(&world.config.registry, &recorded));
        for (what, change) in CHANGES {
            let mut registry = world.config.registry.clone();
            change(&mut registry);
            assert!(!is_named(&registry, &recorded), "{what}");
        }
        let mut registry = world.config.registry.clone();
        registry.workload_issuers.remove(&Issuer::new("https://elsewhere.example"));
        assert!(is_named(&registry, &recorded));
    }
}
