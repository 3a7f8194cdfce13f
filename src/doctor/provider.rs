//! What an identity provider says of itself in its discovery document, held against what is asked of it. The document
//! is read member by member, and what is missing or of another type says nothing.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Findings;
use super::remote::Fault;
use crate::jose::Algorithm;
use crate::registry::{AssuranceLevel, ClaimCondition, ClaimTest, IdentityProvider, MFA, Registry};

const LEVELS: &str = "levels";
const CLAIMS: &str = "provider_claims";

/// Holds the document against the configuration.
///
/// # Errors
/// What keeps every ID token of the provider from being taken.
pub(super) fn examine(
    findings: &mut Findings,
    registry: &Registry,
    provider: &IdentityProvider,
    metadata: &Value,
) -> Result<(), Fault> {
    levels(findings, provider, metadata);
    claims(findings, registry, provider, metadata);
    let Some(signs) = metadata["id_token_signing_alg_values_supported"].as_array() else { return Ok(()) };
    let mut signs = signs.iter().filter_map(Value::as_str).filter_map(Algorithm::parse);
    if signs.any(|algorithm| provider.algorithms.contains(&algorithm)) {
        return Ok(());
    }
    let what = "it signs ID tokens with no algorithm of `algorithms`".to_owned();
    Err((what, "add one of its `id_token_signing_alg_values_supported`".to_owned()))
}

/// Says that nothing was found, where nothing was.
pub(super) fn conclude(findings: &mut Findings) {
    findings.ok_unless_reported(LEVELS, "each assurance level can be met, as far as providers say");
    findings
        .ok_unless_reported(CLAIMS, "each claim that is needed is one of the provider's, as far as it says");
}

fn texts<'a>(metadata: &'a Value, member: &str) -> Option<BTreeSet<&'a str>> {
    let texts: BTreeSet<&str> = metadata[member].as_array()?.iter().filter_map(Value::as_str).collect();
    (!texts.is_empty()).then_some(texts)
}

fn levels(findings: &mut Findings, provider: &IdentityProvider, metadata: &Value) {
    let acr = texts(metadata, "acr_values_supported");
    let claims = texts(metadata, "claims_supported");
    let is_inferred = |level: &AssuranceLevel| level.name == MFA && provider.infer_mfa_from_amr;
    for level in provider.assurance.values().filter(|level| !is_inferred(level)) {
        let is_possible = |condition: &ClaimCondition| match condition.claim.as_str() {
            "acr" => acr.as_ref().is_none_or(|acr| can_be(&condition.test, acr)),
            // Few providers list `amr`, though they write it.
            "amr" => true,
            claim => has(claims.as_ref(), claim),
        };
        let can_be_met = |level: &AssuranceLevel| level.any_of.iter().any(is_possible);
        let implying = |other: &AssuranceLevel| other.implies.contains(&level.name) && can_be_met(other);
        if can_be_met(level) || provider.assurance.values().any(implying) {
            continue;
        }
        let asked: Vec<String> = level.any_of.iter().map(ToString::to_string).collect();
        let what = format!(
            "no login at provider `{}` can meet the level `{}`: it asks for {}",
            provider.issuer,
            level.name,
            asked.join(" or ")
        );
        let offered = match &acr {
            Some(acr) => format!("the provider lists the `acr` values {}", listed(acr)),
            None => "the provider does not list that claim".to_owned(),
        };
        findings.warn(LEVELS, what, format!("{offered}: write one that it has, or have it offer the other"));
    }
}

/// Whether a provider with these values of a claim can meet the condition.
fn can_be(test: &ClaimTest, values: &BTreeSet<&str>) -> bool {
    match test {
        ClaimTest::In(listed) | ClaimTest::Any(listed) => {
            listed.iter().any(|value| values.contains(value.as_str()))
        }
        ClaimTest::Contains(listed) => listed.iter().all(|value| values.contains(value.as_str())),
    }
}

/// Whether a provider that lists these claims has this one, or an object of its first name.
fn has(claims: Option<&BTreeSet<&str>>, claim: &str) -> bool {
    let first = claim.split('.').next().unwrap_or(claim);
    claims.is_none_or(|claims| claims.contains(claim) || claims.contains(first))
}

fn listed(values: &BTreeSet<&str>) -> String {
    /// As many are listed.
    const MOST: usize = 12;
    let shown: Vec<String> =
        values.iter().take(MOST).map(|value| format!("`{}`", value.escape_debug())).collect();
    let more = if values.len() > MOST { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// The claims that yes/no questions are answered from. A list of claims may be incomplete (OpenID Connect Discovery
/// 1.0 §3), so this is a warning.
fn claims(findings: &mut Findings, registry: &Registry, provider: &IdentityProvider, metadata: &Value) {
    let claims = texts(metadata, "claims_supported");
    for (scope, predicate) in &registry.predicates {
        if !has(claims.as_ref(), &predicate.claim) {
            let what = format!(
                "provider `{}` does not list the claim `{}`, from which `{scope}` is answered",
                provider.issuer, predicate.claim
            );
            let fix = format!(
                "have the provider write `{}` into its ID tokens; without it every answer is refused",
                predicate.claim
            );
            findings.warn(CLAIMS, what, fix);
        }
    }
}
