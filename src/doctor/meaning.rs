//! What loads, and probably does not say what was meant.

mod agents;
mod logins;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Findings;
use crate::config::Config;
use crate::delegation::rules::ANSWER_LIFETIME;
use crate::oauth::{GrantType, ScopeToken, TargetId};
use crate::registry::{
    AgentClass, AssertionAudience, ClientAuthentication, IdentityProvider, Proof, Registry, Target, When,
};

pub(super) fn check(findings: &mut Findings, config: &Config) {
    providers(findings, &config.registry);
    clients(findings, &config.registry);
    scopes(findings, &config.registry);
    targets(findings, &config.registry);
    onward(findings, &config.registry);
    answers(findings, &config.registry);
    lifetimes(findings, config);
    agents::check(findings, &config.registry);
    classes(findings, &config.registry);
    proofs(findings, &config.registry);
    logins::check(findings, &config.registry);
    assertions(findings, config);
}

fn providers(findings: &mut Findings, registry: &Registry) {
    const ID: &str = "relying_parties";
    if registry.identity_providers.is_empty() {
        findings.warn(
            ID,
            "there is no identity provider: nobody can begin a task",
            "add `[[identity_provider]]`",
        );
    }
    let is_unused = |provider: &&Arc<IdentityProvider>| {
        provider.relying_parties.is_empty() && provider.access_tokens.is_empty()
    };
    for provider in registry.identity_providers.values().filter(is_unused) {
        let what = format!("no ID token of provider `{}` is taken: it has no relying party", provider.issuer);
        findings.warn(ID, what, "add `[[identity_provider.relying_party]]` with the application's client id");
    }
    findings.ok_unless_reported(ID, "every provider has a party whose tokens are taken");
}

fn clients(findings: &mut Findings, registry: &Registry) {
    const ID: &str = "clients";
    let sources: BTreeSet<_> = registry
        .identity_providers
        .values()
        .flat_map(|provider| {
            let of_id_tokens = provider.relying_parties.values().map(|party| &party.clients);
            of_id_tokens.chain(provider.access_tokens.iter().map(|source| &source.clients)).flatten()
        })
        .collect();
    for client in registry.clients.values() {
        let is_onward = registry.targets_of_exchange_client(&client.id).next().is_some();
        let has_subjects =
            is_onward || sources.contains(&client.id) || agents::is_given_work(registry, client);
        if client.may_use(GrantType::TokenExchange) && !has_subjects {
            let what = format!("client `{}` has nothing to exchange: no relying party lists it", client.id);
            let fix = "list it under `clients` of a relying party, name it as an `exchange_client`, or write `grants = []`";
            findings.warn(ID, what, fix);
        }
        let is_resource_server =
            registry.targets.values().any(|target| target.resource_server.as_ref() == Some(&client.id));
        for target in client.targets.iter().filter_map(|target| registry.targets.get(target)) {
            let may = |scope: &ScopeToken| client.scopes.contains(scope.as_str());
            if client.may_use(GrantType::TokenExchange)
                && !target.scopes.keys().chain(target.answers.keys()).any(may)
            {
                let what =
                    format!("client `{}` may ask for nothing at target `{}`", client.id, target.identifier);
                findings.warn(
                    ID,
                    what,
                    "add a scope of that target to the client's `scopes`, or take the target out",
                );
            }
        }
        if client.grants.is_empty() && !is_resource_server {
            let what = format!("client `{}` may neither exchange nor introspect", client.id);
            findings.warn(ID, what, "name it as a `resource_server`, or remove it");
        }
    }
    findings
        .ok_unless_reported(ID, format!("each of {} clients has something to do", registry.clients.len()));
}

/// The first class that matches counts, so that one whose tokens all match an earlier one has no agents.
fn classes(findings: &mut Findings, registry: &Registry) {
    const ID: &str = "classes";
    for issuer in registry.workload_issuers.values() {
        for (position, class) in issuer.classes.iter().enumerate() {
            let Some(before) = issuer.classes[..position].iter().find(|before| covers(before, class)) else {
                continue;
            };
            let what = format!(
                "class `{}` of `{}` is never reached: each of its tokens is one of class `{}` before it",
                class.name, issuer.issuer, before.name
            );
            findings.warn(
                ID,
                what,
                format!("narrow the `when` of `{}`, or put it after the other", before.name),
            );
        }
    }
    findings.ok_unless_reported(ID, "each class can have agents");
}

/// Whether every token of the class `later` is one of the class `before` as well: that one asks for nothing more.
fn covers(before: &AgentClass, later: &AgentClass) -> bool {
    let checks = |when: &Option<When>| when.as_ref().map_or_else(Vec::new, |when| when.all.clone());
    let asked = checks(&later.when);
    let is_event_taken = match (&before.events, &later.events) {
        (Some(before), Some(later)) => later.is_subset(before),
        (Some(_), None) => false,
        (None, _) => true,
    };
    is_event_taken && checks(&before.when).iter().all(|check| asked.contains(check))
}

fn scopes(findings: &mut Findings, registry: &Registry) {
    const ID: &str = "scopes";
    for target in registry.targets.values() {
        for (scope, rule) in &target.scopes {
            let may_be_had_for_user = rule.subjects.user
                && registry.clients.values().any(|client| {
                    client.may_use(GrantType::TokenExchange)
                        && client.targets.contains(&target.identifier)
                        && client.scopes.contains(scope.as_str())
                });
            if rule.subjects.agent && !agents::may_have_alone(registry, target, scope) {
                let name = &target.identifier;
                let what = format!("no agent may get scope `{scope}` at target `{name}` without a user");
                let fix = "add scope and target to a class with `agent_tokens` or to a client with \
                           `client_credentials`, or take `agent` out of its `subjects`";
                findings.warn(ID, what, fix);
            } else if !rule.subjects.agent && !may_be_had_for_user {
                let what = format!("no client may get scope `{scope}` at target `{}`", target.identifier);
                findings.warn(ID, what, "add scope and target to a client, or remove the scope");
            }
        }
    }
    findings.ok_unless_reported(ID, "each scope can be had");
}

fn targets(findings: &mut Findings, registry: &Registry) {
    const ID: &str = "introspection";
    for target in registry.targets.values().filter(|target| target.resource_server.is_none()) {
        let what =
            format!("nobody may introspect tokens for `{}`: it learns of no revocation", target.identifier);
        findings.warn(
            ID,
            what,
            "name its client as `resource_server`, unless it may take tokens until they expire",
        );
    }
    findings.ok_unless_reported(ID, "each target can introspect its tokens");
}

fn onward(findings: &mut Findings, registry: &Registry) {
    const ID: &str = "onward";
    for target in registry.targets.values() {
        let name = &target.identifier;
        if !target.onward.is_empty() && target.exchange_client.is_none() {
            let what = format!("`{name}` lists onward targets, and no client may exchange its tokens");
            findings.warn(ID, what, "name its client as `exchange_client`, or remove `onward`");
        }
        if target.onward.is_empty() && target.exchange_client.is_some() {
            let what = format!("`{name}` has an `exchange_client`, and nowhere to exchange onward to");
            findings.warn(ID, what, "list targets under `onward`, or remove `exchange_client`");
        }
        for next in target.onward.iter().filter_map(|next| registry.targets.get(next)) {
            if !target.scopes.keys().any(|scope| next.scopes.contains_key(scope)) {
                let what = format!(
                    "nothing can go onward from `{name}` to `{}`: no scope is defined by both",
                    next.identifier
                );
                findings.warn(ID, what, "add the scope that it carries onward to the scopes of the first");
            }
        }
        if let Some(cycle) = cycle_from(registry, target) {
            let what = format!("onward targets go round in a circle: {cycle}");
            findings.warn(ID, what, "no agent may be in a chain twice, so the last step can never be taken");
        }
    }
    findings.ok_unless_reported(ID, "each step onward leads somewhere");
}

/// The way from `start` back to it. Each circle is reported once, from its first name.
fn cycle_from(registry: &Registry, start: &Target) -> Option<String> {
    let mut ways: Vec<Vec<&TargetId>> = vec![vec![&start.identifier]];
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop() {
        let last = registry.targets.get(*way.last()?)?;
        for next in &last.onward {
            if *next == start.identifier {
                let is_first = way.iter().all(|name| **name >= start.identifier);
                let names: Vec<&str> = way.iter().chain([&next]).map(|name| name.as_str()).collect();
                return is_first.then(|| names.join(" → "));
            }
            if seen.insert(next) {
                ways.push(way.iter().copied().chain([next]).collect());
            }
        }
    }
    None
}

fn answers(findings: &mut Findings, registry: &Registry) {
    const ID: &str = "answers";
    for scope in registry.predicates.keys() {
        if !registry.targets.values().any(|target| target.answers.contains_key(scope)) {
            let what = format!("predicate `{scope}` is answered for no target");
            findings.warn(ID, what, "list it under `answers` of a target, or remove it");
            continue;
        }
        let classes = registry.workload_issuers.values().flat_map(|issuer| &issuer.classes);
        let is_asked = classes.clone().any(|class| class.answers.contains(scope))
            || registry.clients.values().any(|client| client.answers.contains(scope));
        if !is_asked {
            let what = format!("no agent may have `{scope}` answered");
            findings.warn(ID, what, "list it under `answers` of the agent class that asks");
        }
    }
    findings.ok_unless_reported(
        ID,
        format!("yes/no questions: {}, each asked and answered", registry.predicates.len()),
    );
}

fn lifetimes(findings: &mut Findings, config: &Config) {
    const ID: &str = "lifetimes";
    let (registry, task) = (&config.registry, config.tasks.max_lifetime);
    if config.tokens.lifetime > task {
        let what = format!(
            "tokens would live {} s, their task at most {} s",
            config.tokens.lifetime.seconds(),
            task.seconds()
        );
        findings.warn(ID, what, "a token ends with its task: shorten `tokens.lifetime_seconds`");
    }
    for target in registry.targets.values() {
        let Some(lifetime) = target.lifetime else { continue };
        if !target.answers.is_empty() && lifetime > ANSWER_LIFETIME {
            let most = ANSWER_LIFETIME.seconds();
            let what =
                format!("tokens for `{}` live {most} s at most when they carry an answer", target.identifier);
            let fix =
                format!("write `lifetime_seconds = {most}` or less there, so that nobody counts on more");
            findings.warn(ID, what, fix);
        }
    }
    for provider in registry.identity_providers.values() {
        for target in registry.targets.values() {
            for (scope, rule) in &target.scopes {
                if rule.max_age.is_some_and(|age| age > provider.max_session) {
                    let what = format!(
                        "scope `{scope}` takes logins older than `max_session_seconds` of provider `{}`",
                        provider.issuer
                    );
                    findings.warn(ID, what, "shorten its `max_age_seconds`: nothing lives that long");
                }
            }
        }
    }
    findings.ok_unless_reported(
        ID,
        format!("tokens {} s, tasks {} s", config.tokens.lifetime.seconds(), task.seconds()),
    );
}

/// A credential of a platform is worth something to anyone who steals it, unless its agent has to prove a key.
fn proofs(findings: &mut Findings, registry: &Registry) {
    const ID: &str = "proof";
    for issuer in registry.workload_issuers.values().filter(|issuer| issuer.proof == Proof::Optional) {
        let what =
            format!("agents of `{}` need not prove a key: their credentials can be stolen", issuer.issuer);
        findings.warn(ID, what, "write `proof = \"required\"` as soon as its agents send DPoP proofs");
    }
    findings.ok_unless_reported(ID, "each agent of a platform has to prove a key");
}

/// Names the clients whose assertions may be for the token endpoint, because another server could pass those on.
fn assertions(findings: &mut Findings, config: &Config) {
    for client in config.registry.clients.values() {
        let ClientAuthentication::PrivateKeyJwt { audience, .. } = &client.authentication else { continue };
        if *audience == AssertionAudience::IssuerOrEndpoint {
            let what = format!(
                "assertions of client `{}` are taken for `{}` too: a server that gives out that URL as its own could \
                 pass them on",
                client.id,
                config.token_endpoint()
            );
            let fix =
                "write `assertion_audience = \"issuer\"` as soon as its library writes the issuer as `aud`";
            findings.warn("assertion_audience", what, fix);
        }
    }
}
