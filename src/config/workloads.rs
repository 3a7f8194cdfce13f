//! `[[workload_issuer]]`: the issuers of agents' credentials and the classes of their agents.

use std::sync::Arc;

use serde::Deserialize;
use url::Url;

use super::locators::{foreign_issuer, has_scheme, key_source, reach};
use super::names::Names;
use super::providers::TOKEN_ALGORITHMS;
use super::raw::json;
use super::validation::Validation;
use crate::oauth::{ClientId, Issuer, ScopeToken, TargetId};
use crate::registry::{AgentClass, AgentLifetime, WorkloadIssuer};

/// `[[workload_issuer]]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawWorkloadIssuer {
    pub(super) issuer: Option<String>,
    preset: Option<String>,
    audience: Option<String>,
    jwks_uri: Option<String>,
    jwks_file: Option<String>,
    network: Option<String>,
    tls_ca_file: Option<String>,
    proxy: Option<String>,
    algorithms: Option<Vec<String>>,
    stable_id_claim: Option<String>,
    instance_id_claim: Option<String>,
    max_token_lifetime_seconds: Option<i64>,
    class: Vec<RawClass>,
}

/// `[[workload_issuer.class]]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawClass {
    name: Option<String>,
    when: Option<RawWhen>,
    lifetime: Option<String>,
    clients: Vec<String>,
    scopes: Vec<String>,
    targets: Vec<String>,
    answers: Vec<String>,
}

/// `when = { claim, equals }`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawWhen {
    claim: Option<String>,
    equals: Option<toml::Value>,
}

/// The class of a client's own agent in policy and audit.
const OWN_AGENT_CLASS: &str = "client";

/// One workload issuer.
pub(super) fn workload_issuer(
    validation: &Validation<'_>,
    section: &str,
    raw: RawWorkloadIssuer,
    own_issuer: Option<&Issuer>,
    names: &Names,
) -> Option<WorkloadIssuer> {
    let key = |name: &str| format!("{section}.{name}");
    let issuer = validation.required_text(&key("issuer"), raw.issuer);
    if let Some(issuer) = &issuer {
        check_issuer(validation, &key("issuer"), issuer);
    }
    validation.word(&key("preset"), raw.preset.as_deref(), &[("generic", ())]);
    let audience = match raw.audience {
        Some(audience) => validation.required_text(&key("audience"), Some(audience)),
        None => own_issuer.map(|issuer| issuer.as_str().to_owned()),
    };
    let keys = key_source(validation, section, raw.jwks_uri.as_deref(), raw.jwks_file.as_deref());
    if raw.jwks_uri.is_none() && raw.jwks_file.is_none() {
        validation.refuse(&key("jwks_uri"), "is missing", "give `jwks_uri` or `jwks_file`");
    }
    let reach = reach(validation, section, raw.network.as_deref(), raw.tls_ca_file, raw.proxy.as_deref());
    let algorithms =
        validation.algorithms(&key("algorithms"), raw.algorithms, &TOKEN_ALGORITHMS, &TOKEN_ALGORITHMS);
    let stable = raw.stable_id_claim.unwrap_or_else(|| "sub".to_owned());
    for (name, claim) in
        [("stable_id_claim", Some(&stable)), ("instance_id_claim", raw.instance_id_claim.as_ref())]
    {
        if claim.is_some_and(String::is_empty) {
            validation.refuse(&key(name), "is empty", "name a claim, or remove the key");
        }
    }
    let has_instances = raw.instance_id_claim.is_some();
    let mut classes: Vec<Arc<AgentClass>> = Vec::new();
    for (position, raw) in raw.class.into_iter().enumerate() {
        let path = format!("{section}.class[{position}]");
        let Some(class) = class(validation, &path, raw, has_instances, names) else { continue };
        if classes.iter().any(|other| other.name == class.name) {
            let what = format!("is `{}` a second time for this issuer", class.name);
            validation.refuse(&format!("{path}.name"), what, "choose another name");
        }
        if let Some(before) = classes.iter().find(|other| other.when.is_none()) {
            let what = format!("is never reached: class `{}` before it takes every token", before.name);
            validation.refuse(&path, what, "move the class without `when` to the end");
        }
        classes.push(Arc::new(class));
    }
    let max_token_lifetime = validation.seconds(
        &key("max_token_lifetime_seconds"),
        raw.max_token_lifetime_seconds,
        3600,
        1..=86_400,
    );
    Some(WorkloadIssuer {
        issuer: Issuer::new(issuer?),
        audience: audience?,
        keys: keys?,
        reach,
        algorithms,
        stable_id_claim: stable,
        instance_id_claim: raw.instance_id_claim,
        max_token_lifetime,
        classes,
    })
}

/// A URL like any issuer's, or another absolute URI such as a SPIFFE trust domain.
fn check_issuer(validation: &Validation<'_>, path: &str, issuer: &str) {
    if issuer.starts_with("http:") || issuer.starts_with("https:") {
        foreign_issuer(validation, path, issuer);
    } else if !has_scheme(issuer) || Url::parse(issuer).is_err() {
        let what = format!("`{issuer}` is no absolute URI");
        validation.refuse(
            path,
            what,
            "write the `iss` of its tokens, for example `https://host` or `spiffe://domain`",
        );
    }
}

fn class(
    validation: &Validation<'_>,
    section: &str,
    raw: RawClass,
    has_instances: bool,
    names: &Names,
) -> Option<AgentClass> {
    let key = |name: &str| format!("{section}.{name}");
    let name = validation.required_text(&key("name"), raw.name);
    if name.as_deref() == Some(OWN_AGENT_CLASS) {
        let what = "is `client`, which is the class of a client's own agent";
        validation.refuse(&key("name"), what, "choose another name");
    }
    let when = raw.when.and_then(|raw| {
        let claim = validation.required_text(&key("when.claim"), raw.claim)?;
        let equals = validation.required(&key("when.equals"), raw.equals)?;
        Some((claim, json(&equals)?))
    });
    let words: Vec<_> = AgentLifetime::ALL.iter().map(|lifetime| (lifetime.word(), *lifetime)).collect();
    let lifetime = validation
        .required(&key("lifetime"), raw.lifetime)
        .and_then(|word| validation.word(&key("lifetime"), Some(&word), &words));
    if lifetime == Some(AgentLifetime::Task) && !has_instances {
        let what =
            "is `task`, but the issuer has no `instance_id_claim`: retiring one agent would ban all of them";
        validation.refuse(&key("lifetime"), what, "name the claim of the instance, or write `principal`");
    }
    if raw.clients.is_empty() {
        let what = "names no client, so that nobody could present its agents";
        validation.refuse(&key("clients"), what, "name the clients that may");
    }
    let clients = validation
        .names(&key("clients"), &raw.clients, &names.clients, "client", |id| Some(ClientId::new(id)));
    let targets = validation
        .names(&key("targets"), &raw.targets, &names.targets, "target", |id| Some(TargetId::new(id)));
    let answers =
        validation.names(&key("answers"), &raw.answers, &names.answers, "yes/no scope", ScopeToken::parse);
    let scopes = validation.scope(&key("scopes"), &raw.scopes, &names.scopes, &answers);
    Some(AgentClass { name: name?, when, lifetime: lifetime?, clients, scopes, targets, answers })
}
