//! `[[identity_provider]]`: the trusted issuers of users' ID tokens, their relying parties and levels.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::locators::{foreign_issuer, key_source, reach};
use super::names::Names;
use super::validation::Validation;
use crate::jose::Algorithm;
use crate::oauth::{ClientId, Issuer};
use crate::registry::{
    AssuranceLevel, ClaimCondition, ClaimTest, IdentityProvider, KeySource, MFA, RelyingParty,
};

/// `[[identity_provider]]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawProvider {
    pub(super) issuer: Option<String>,
    algorithms: Option<Vec<String>>,
    network: Option<String>,
    tls_ca_file: Option<String>,
    proxy: Option<String>,
    jwks_uri: Option<String>,
    jwks_file: Option<String>,
    max_id_token_age_seconds: Option<i64>,
    max_session_seconds: Option<i64>,
    subject_claim: Option<String>,
    policy_claims: Vec<String>,
    infer_mfa_from_amr: bool,
    keys_stale_seconds: Option<i64>,
    relying_party: Vec<RawRelyingParty>,
    assurance: Vec<RawAssurance>,
}

/// `[[identity_provider.relying_party]]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRelyingParty {
    client_id: Option<String>,
    clients: Vec<String>,
}

/// `[[identity_provider.assurance]]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAssurance {
    name: Option<String>,
    any_of: Vec<RawCondition>,
}

/// One of `any_of`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawCondition {
    claim: Option<String>,
    r#in: Option<Vec<String>>,
    contains: Option<Vec<String>>,
}

/// The algorithms of ID tokens and of workloads' tokens.
pub(super) const TOKEN_ALGORITHMS: [Algorithm; 5] =
    [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA];

/// One provider.
pub(super) fn provider(
    validation: &Validation<'_>,
    section: &str,
    raw: RawProvider,
    names: &Names,
) -> Option<IdentityProvider> {
    let issuer_path = format!("{section}.issuer");
    let issuer = validation.required_text(&issuer_path, raw.issuer);
    if let Some(issuer) = &issuer {
        foreign_issuer(validation, &issuer_path, issuer);
    }
    let key = |name: &str| format!("{section}.{name}");
    let algorithms =
        validation.algorithms(&key("algorithms"), raw.algorithms, &TOKEN_ALGORITHMS, &TOKEN_ALGORITHMS);
    let reach = reach(validation, section, raw.network.as_deref(), raw.tls_ca_file, raw.proxy.as_deref());
    let keys = key_source(validation, section, raw.jwks_uri.as_deref(), raw.jwks_file.as_deref())
        .unwrap_or(KeySource::Discovery);
    for (position, claim) in raw.policy_claims.iter().enumerate() {
        if names.predicate_claims.contains(claim) {
            let what = format!("shows policy `{claim}`, which a predicate is over and which never leaves it");
            validation.refuse(&format!("{section}.policy_claims[{position}]"), what, "remove it");
        }
    }
    let subject_claim = raw.subject_claim.unwrap_or_else(|| "sub".to_owned());
    if subject_claim.is_empty() {
        validation.refuse(&key("subject_claim"), "is empty", "name a claim, or remove the key");
    }
    Some(IdentityProvider {
        algorithms,
        reach,
        keys,
        max_id_token_age: validation.seconds(
            &key("max_id_token_age_seconds"),
            raw.max_id_token_age_seconds,
            600,
            1..=86_400,
        ),
        max_session: validation.seconds(
            &key("max_session_seconds"),
            raw.max_session_seconds,
            28_800,
            1..=604_800,
        ),
        subject_claim,
        policy_claims: raw.policy_claims,
        infer_mfa_from_amr: raw.infer_mfa_from_amr,
        keys_stale: validation.seconds(
            &key("keys_stale_seconds"),
            raw.keys_stale_seconds,
            86_400,
            0..=604_800,
        ),
        relying_parties: relying_parties(validation, section, raw.relying_party, names),
        assurance: assurance(validation, section, raw.assurance),
        issuer: Issuer::new(issuer?),
    })
}

fn relying_parties(
    validation: &Validation<'_>,
    section: &str,
    raw: Vec<RawRelyingParty>,
    names: &Names,
) -> BTreeMap<String, RelyingParty> {
    let mut parties = BTreeMap::new();
    for (position, raw) in raw.into_iter().enumerate() {
        let path = format!("{section}.relying_party[{position}]");
        let Some(client_id) = validation.required_text(&format!("{path}.client_id"), raw.client_id) else {
            continue;
        };
        let clients_path = format!("{path}.clients");
        if raw.clients.is_empty() {
            let what = "names no client, so that nobody could hand in its ID tokens";
            validation.refuse(&clients_path, what, "name the clients that may");
        }
        let clients = validation
            .names(&clients_path, &raw.clients, &names.clients, "client", |id| Some(ClientId::new(id)));
        if parties.insert(client_id.clone(), RelyingParty { clients }).is_some() {
            let what = format!("is `{client_id}` a second time for this provider");
            validation.refuse(&format!("{path}.client_id"), what, "merge the two lists of `clients`");
        }
    }
    parties
}

fn assurance(
    validation: &Validation<'_>,
    section: &str,
    raw: Vec<RawAssurance>,
) -> BTreeMap<String, AssuranceLevel> {
    let mut levels = BTreeMap::new();
    for (position, raw) in raw.into_iter().enumerate() {
        let path = format!("{section}.assurance[{position}]");
        let name_path = format!("{path}.name");
        let Some(name) = validation.required_text(&name_path, raw.name) else { continue };
        if name == "none" {
            validation.refuse(&name_path, "is `none`, which means no level at all", "choose another name");
        }
        if raw.any_of.is_empty() {
            let fix = "write `any_of = [{ claim = \"acr\", in = [\"…\"] }]`";
            validation.refuse(&format!("{path}.any_of"), "is empty: nobody could meet the level", fix);
        }
        let any_of = raw
            .any_of
            .into_iter()
            .enumerate()
            .filter_map(|(n, raw)| condition(validation, &format!("{path}.any_of[{n}]"), raw))
            .collect();
        if levels.insert(name.clone(), AssuranceLevel { name: name.clone(), any_of }).is_some() {
            let what = format!("is `{name}` a second time for this provider");
            validation.refuse(&name_path, what, "merge the two `any_of`");
        }
    }
    levels.entry(MFA.to_owned()).or_insert_with(|| AssuranceLevel {
        name: MFA.to_owned(),
        any_of: vec![ClaimCondition {
            claim: "amr".to_owned(),
            test: ClaimTest::Contains(vec![MFA.to_owned()]),
        }],
    });
    levels
}

fn condition(validation: &Validation<'_>, path: &str, raw: RawCondition) -> Option<ClaimCondition> {
    let claim = validation.required_text(&format!("{path}.claim"), raw.claim)?;
    let test = match (raw.r#in, raw.contains) {
        (Some(values), None) => ClaimTest::In(values),
        (None, Some(values)) => ClaimTest::Contains(values),
        _ => {
            validation.refuse(path, "needs exactly one of `in` and `contains`", "keep one of the two");
            return None;
        }
    };
    let (ClaimTest::In(values) | ClaimTest::Contains(values)) = &test;
    if values.is_empty() {
        validation.refuse(path, "lists no values", "name at least one");
        return None;
    }
    // `acr_values` is one space-separated string (OIDC Core §3.1.2.1), so a value with a space cannot be told.
    if matches!(test, ClaimTest::In(_)) && values.iter().any(|value| value.is_empty() || value.contains(' '))
    {
        validation.refuse(path, "lists a value that is empty or holds a space", "remove it");
        return None;
    }
    Some(ClaimCondition { claim, test })
}
