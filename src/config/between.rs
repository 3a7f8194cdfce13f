//! What has to hold between sections, once each of them reads.

use std::collections::BTreeSet;

use super::validation::Validation;
use super::{Config, reference};
use crate::oauth::GrantType;
use crate::registry::{ClientAuthentication, KeySource, MFA, SubjectForm};

/// The order of providers and targets in the file, from which the place of a problem is found.
pub(super) struct Order {
    pub(super) providers: Vec<Option<String>>,
    pub(super) targets: Vec<Option<String>>,
}

impl Order {
    fn path(list: &str, order: &[Option<String>], name: &str) -> String {
        let position = order.iter().position(|other| other.as_deref() == Some(name)).unwrap_or(0);
        format!("{list}[{position}]")
    }

    fn target(&self, name: &str) -> String {
        Self::path("target", &self.targets, name)
    }

    fn provider(&self, name: &str) -> String {
        Self::path("identity_provider", &self.providers, name)
    }
}

/// Checks a configuration whose sections read.
pub(super) fn check(validation: &Validation<'_>, config: &Config, order: &Order) {
    own_issuer_names_nothing_else(validation, config, order);
    levels_exist(validation, config, order);
    subjects_are_unambiguous(validation, config, order);
    exchange_clients_may_exchange(validation, config, order);
    credentials_are_told_apart(validation, config, order);
    plain_http_stays_on_this_machine(validation, config, order);
}

/// `http://` issuers and keys are fetched only where Deputy's own issuer is literal loopback too.
fn plain_http_stays_on_this_machine(validation: &Validation<'_>, config: &Config, order: &Order) {
    if config.is_on_loopback() {
        return;
    }
    let what = "is fetched by plain HTTP, and Deputy's own issuer is not on loopback";
    let fix = "write `https://`: a server for others trusts nobody by plain HTTP";
    let is_plain = |issuer: &str, keys: &KeySource| {
        issuer.starts_with("http:") || matches!(keys, KeySource::Uri(url) if url.scheme() == "http")
    };
    for provider in config.registry.identity_providers.values() {
        if is_plain(provider.issuer.as_str(), &provider.keys) {
            validation.refuse(&format!("{}.issuer", order.provider(provider.issuer.as_str())), what, fix);
        }
    }
    if config.registry.workload_issuers.values().any(|issuer| is_plain(issuer.issuer.as_str(), &issuer.keys))
    {
        validation.refuse("workload_issuer", what, fix);
    }
    for client in config.registry.clients.values() {
        if let ClientAuthentication::PrivateKeyJwt { keys, .. } = &client.authentication
            && is_plain("", keys)
        {
            validation.refuse("client.jwks_uri", format!("of `{}` {what}", client.id), fix);
        }
    }
}

/// Deputy's issuer is the `aud` of task tokens, and of nothing else.
fn own_issuer_names_nothing_else(validation: &Validation<'_>, config: &Config, order: &Order) {
    let own = config.issuer.as_str();
    if config.registry.targets.contains_key(own) {
        let what = "is Deputy's own issuer, the audience of task tokens";
        validation.refuse(&format!("{}.identifier", order.target(own)), what, "name the target otherwise");
    }
    if config.registry.identity_providers.contains_key(own) {
        let what = "is Deputy's own issuer";
        let fix = "name the provider where users sign in";
        validation.refuse(&format!("{}.issuer", order.provider(own)), what, fix);
    }
    if config.registry.workload_issuers.contains_key(own) {
        let what = "is Deputy's own issuer";
        validation.refuse("workload_issuer", what, "name the issuer of the agents' credentials");
    }
}

/// A level that some provider does not define could never be met by its users, or be met by accident.
fn levels_exist(validation: &Validation<'_>, config: &Config, order: &Order) {
    for target in config.registry.targets.values() {
        for (scope, rule) in &target.scopes {
            let Some(level) = &rule.assurance else { continue };
            for provider in config.registry.identity_providers.values() {
                if provider.assurance.contains_key(level) {
                    continue;
                }
                let path = format!("{}.scopes.{scope}.assurance", order.target(target.identifier.as_str()));
                let what =
                    format!("is `{level}`, a level that provider `{}` does not define", provider.issuer);
                let known = provider.assurance.keys().map(String::as_str).chain(["none"]);
                let near = reference::nearest_of(level, known).unwrap_or(MFA);
                let fix = format!(
                    "add `[[identity_provider.assurance]]` with that name there; the nearest it has is `{near}`"
                );
                validation.refuse(&path, what, fix);
            }
        }
    }
}

/// Two providers may give the same `sub` to different people.
fn subjects_are_unambiguous(validation: &Validation<'_>, config: &Config, order: &Order) {
    if config.registry.identity_providers.len() < 2 {
        return;
    }
    let fix = "write `pairwise`: two providers may give one `sub` to different people";
    let default = config.tokens.subject;
    if config.registry.targets.is_empty() && default == SubjectForm::Upstream {
        validation.refuse("tokens.subject", "is `upstream` with more than one identity provider", fix);
    }
    for target in config.registry.targets.values() {
        match target.subject {
            Some(SubjectForm::Upstream) => {
                let path = format!("{}.subject", order.target(target.identifier.as_str()));
                validation.refuse(&path, "is `upstream` with more than one identity provider", fix);
            }
            None if default == SubjectForm::Upstream => {
                let what = format!(
                    "is `upstream` with more than one identity provider, and target `{}` uses it",
                    target.identifier
                );
                validation.refuse("tokens.subject", what, fix);
                return;
            }
            _ => {}
        }
    }
}

fn exchange_clients_may_exchange(validation: &Validation<'_>, config: &Config, order: &Order) {
    for target in config.registry.targets.values() {
        let Some(client) = target.exchange_client.as_ref().and_then(|id| config.registry.clients.get(id))
        else {
            continue;
        };
        if !client.may_use(GrantType::TokenExchange) {
            let path = format!("{}.exchange_client", order.target(target.identifier.as_str()));
            let what = format!("is `{}`, whose `grants` lack token exchange", client.id);
            validation.refuse(&path, what, "add the grant to that client");
        }
    }
}

/// Where one issuer signs users' ID tokens and agents' credentials, their audiences must differ.
fn credentials_are_told_apart(validation: &Validation<'_>, config: &Config, order: &Order) {
    for (issuer, workload) in &config.registry.workload_issuers {
        let Some(provider) = config.registry.identity_providers.get(issuer) else { continue };
        let parties: BTreeSet<&String> = provider.relying_parties.keys().collect();
        if parties.contains(&workload.audience) {
            let path = format!("{}.relying_party", order.provider(issuer.as_str()));
            let what = format!(
                "has `{}`, which is the audience of agents' credentials of the same issuer",
                workload.audience
            );
            validation.refuse(&path, what, "give one of the two another audience");
        }
    }
}
