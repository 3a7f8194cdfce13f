//! `[[target]]`: resource servers and agents that tokens are for.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::locators::{default_sector, target_identifier};
use super::names::Names;
use super::raw::RawMap;
use super::server::SUBJECT_FORMS;
use super::validation::Validation;
use crate::base::time::Lifetime;
use crate::oauth::{ClientId, ScopeToken, TargetId};
use crate::registry::{AnswerRule, MFA, ScopeRule, Target, Zone};

/// `[[target]]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTarget {
    pub(super) identifier: Option<String>,
    pub(super) scopes: RawMap<RawScopeRule>,
    pub(super) answers: RawMap<RawAnswerRule>,
    resource_server: Option<String>,
    exchange_client: Option<String>,
    onward: Vec<String>,
    lifetime_seconds: Option<i64>,
    subject: Option<String>,
    sector: Option<String>,
    claims: Vec<String>,
}

/// One of `target.scopes`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawScopeRule {
    assurance: Option<String>,
    max_age_seconds: Option<i64>,
    sensitive: bool,
}

/// One of `target.answers`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAnswerRule {
    zone: Option<String>,
    only_true: bool,
}

/// The claims about the login that a pairwise target may list.
const LISTABLE_CLAIMS: [&str; 1] = ["acr"];

/// One target.
pub(super) fn target(
    validation: &Validation<'_>,
    section: &str,
    raw: RawTarget,
    names: &Names,
) -> Option<Target> {
    let key = |name: &str| format!("{section}.{name}");
    let identifier = validation.required_text(&key("identifier"), raw.identifier);
    if let Some(identifier) = &identifier {
        target_identifier(validation, &key("identifier"), identifier);
    }
    let answers = answers(validation, section, &raw.answers, names);
    let mut scopes = scopes(validation, section, &raw.scopes);
    for scope in answers.keys() {
        scopes.entry(scope.clone()).or_insert_with(|| ScopeRule {
            assurance: Some(MFA.to_owned()),
            max_age: None,
            sensitive: false,
        });
    }
    let client = |name: &str, value: Option<String>| {
        let id = value?;
        validation.exists(&key(name), &id, &names.clients, "client").then(|| ClientId::new(id))
    };
    let onward =
        validation.names(&key("onward"), &raw.onward, &names.targets, "target", |id| Some(TargetId::new(id)));
    if let Some(identifier) = identifier.as_deref().filter(|id| onward.contains(*id)) {
        let what = format!("lists `{identifier}` itself");
        validation.refuse(&key("onward"), what, "remove it: a token is already good there");
    }
    let mut claims = BTreeSet::new();
    for (position, claim) in raw.claims.into_iter().enumerate() {
        if LISTABLE_CLAIMS.contains(&claim.as_str()) {
            claims.insert(claim);
        } else {
            let what = format!("lists `{claim}`, which is never given to a pairwise target");
            validation.refuse(&format!("{section}.claims[{position}]"), what, "only `acr` can be listed");
        }
    }
    let subject = raw.subject.and_then(|word| validation.word(&key("subject"), Some(&word), &SUBJECT_FORMS));
    let lifetime = raw
        .lifetime_seconds
        .map(|seconds| validation.seconds(&key("lifetime_seconds"), Some(seconds), 300, 1..=900));
    let identifier = identifier?;
    let sector = match raw.sector {
        Some(sector) => validation.required_text(&key("sector"), Some(sector))?,
        None => default_sector(&identifier),
    };
    Some(Target {
        scopes,
        answers,
        resource_server: client("resource_server", raw.resource_server),
        exchange_client: client("exchange_client", raw.exchange_client),
        onward,
        lifetime,
        subject,
        sector,
        claims,
        identifier: TargetId::new(identifier),
    })
}

fn scopes(
    validation: &Validation<'_>,
    section: &str,
    raw: &RawMap<RawScopeRule>,
) -> BTreeMap<ScopeToken, ScopeRule> {
    let mut scopes = BTreeMap::new();
    for (name, raw) in raw {
        let path = format!("{section}.scopes.{name}");
        let Some(token) = validation.scope_token(&path, name) else { continue };
        let assurance = raw.assurance.as_deref().unwrap_or(MFA);
        let max_age: Option<Lifetime> = raw.max_age_seconds.map(|seconds| {
            validation.seconds(&format!("{path}.max_age_seconds"), Some(seconds), 900, 1..=604_800)
        });
        let rule = ScopeRule {
            assurance: (assurance != "none").then(|| assurance.to_owned()),
            max_age,
            sensitive: raw.sensitive,
        };
        scopes.insert(token, rule);
    }
    scopes
}

fn answers(
    validation: &Validation<'_>,
    section: &str,
    raw: &RawMap<RawAnswerRule>,
    names: &Names,
) -> BTreeMap<ScopeToken, AnswerRule> {
    let mut answers = BTreeMap::new();
    for (name, raw) in raw {
        let path = format!("{section}.answers.{name}");
        if !validation.exists(&path, name, &names.predicates, "predicate") {
            continue;
        }
        let text = raw.zone.as_deref().unwrap_or("UTC-12");
        let Some(zone) = Zone::parse(text) else {
            let fix = "write `UTC`, `UTC±HH`, `UTC±HH:MM` (-12:00 to +14:00) or an IANA name such as `Europe/Berlin`";
            validation.refuse(&format!("{path}.zone"), format!("`{text}` is no time zone"), fix);
            continue;
        };
        if let Some(token) = ScopeToken::parse(name) {
            answers.insert(token, AnswerRule { zone, only_true: raw.only_true });
        }
    }
    answers
}
