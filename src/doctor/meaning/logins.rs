//! What it costs that a provider is taken as it is.

use crate::doctor::Findings;
use crate::registry::{AuthTime, IdentityProvider, OtherAudiences, Registry};

pub(super) fn check(findings: &mut Findings, registry: &Registry) {
    for provider in registry.identity_providers.values() {
        auth_time(findings, registry, provider);
        audiences(findings, provider);
    }
    findings.ok_unless_reported("auth_time", "every ID token has to say when the user signed in");
    findings.ok_unless_reported("audiences", "no relying party takes ID tokens for any audience beside it");
}

fn auth_time(findings: &mut Findings, registry: &Registry, provider: &IdentityProvider) {
    if provider.auth_time == AuthTime::Required || provider.relying_parties.is_empty() {
        return;
    }
    let aged: Vec<String> = registry
        .targets
        .values()
        .flat_map(|target| {
            let scopes = target.scopes.iter().filter(|(_, rule)| rule.max_age.is_some());
            scopes.map(move |(scope, _)| format!("`{scope}` at `{}`", target.identifier))
        })
        .collect();
    let scopes = match aged.as_slice() {
        [] => String::new(),
        aged => format!("; {} cannot be had with it, because of `max_age_seconds`", aged.join(", ")),
    };
    let what = format!(
        "an ID token of `{}` without `auth_time` is accepted: its session counts from `iat`, so that a renewed one prolongs \
         it{scopes}; and after its user was stopped it begins nothing until `deputy lift user`",
        provider.issuer
    );
    let fix = "have the applications ask the provider with `max_age`, and remove `auth_time = \"optional\"`";
    findings.warn("auth_time", what, fix);
}

fn audiences(findings: &mut Findings, provider: &IdentityProvider) {
    let parties = provider.relying_parties.iter();
    for (id, _) in parties.filter(|(_, party)| party.other_audiences == OtherAudiences::Any) {
        let what = format!(
            "ID tokens of relying party `{id}` of `{}` may have any audience beside it: `azp` alone says that they are its own",
            provider.issuer
        );
        findings.warn("audiences", what, "list the audiences under `other_audiences`, if they are known");
    }
}
