//! `[[predicate]]`: yes/no questions over a verified claim.

use serde::Deserialize;

use super::raw::json;
use super::validation::Validation;
use crate::registry::{LeapDay, Predicate, Question};

/// `[[predicate]]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPredicate {
    pub(super) scope: Option<String>,
    pub(super) claim: Option<String>,
    at_least_years: Option<i64>,
    leap_day: Option<String>,
    equals: Option<toml::Value>,
}

/// Claims that an answer would overwrite or be taken for.
const TAKEN_CLAIMS: [&str; 24] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "client_id",
    "scope",
    "act",
    "may_act",
    "txn",
    "acr",
    "amr",
    "auth_time",
    "cnf",
    "authorization_details",
    "sid",
    "nonce",
    "active",
    "token_type",
    "username",
    "task",
    "birthdate",
];

/// One predicate.
pub(super) fn predicate(validation: &Validation<'_>, section: &str, raw: RawPredicate) -> Option<Predicate> {
    let key = |name: &str| format!("{section}.{name}");
    let scope = validation
        .required_text(&key("scope"), raw.scope)
        .and_then(|text| validation.scope_token(&key("scope"), &text));
    if let Some(scope) = scope.as_ref().filter(|scope| TAKEN_CLAIMS.contains(&scope.as_str())) {
        let what = format!("is `{scope}`, and a claim of that name has a meaning already");
        validation.refuse(&key("scope"), what, "choose another name, for example `age_over_18`");
    }
    let claim = validation.required_text(&key("claim"), raw.claim);
    let question = match (raw.at_least_years, raw.equals) {
        (Some(years), None) => {
            let years = validation.number(&key("at_least_years"), Some(years), 18, 1..=150);
            let words = [("mar1", LeapDay::Mar1), ("feb28", LeapDay::Feb28)];
            let leap_day = validation.word(&key("leap_day"), raw.leap_day.as_deref(), &words)?;
            if let Some(told) = scope.as_ref().and_then(|scope| scope.as_str().strip_prefix("age_over_"))
                && told.parse() != Ok(years)
            {
                let what = format!("is {years}, but the scope is `age_over_{told}`");
                validation.refuse(&key("at_least_years"), what, "let the name say what is answered");
            }
            Question::AtLeastYears { years: u16::try_from(years).ok()?, leap_day }
        }
        (None, Some(value)) => {
            if raw.leap_day.is_some() {
                let what = "is set together with `equals`, where it has no meaning";
                validation.refuse(&key("leap_day"), what, "remove it");
            }
            Question::Equals(json(&value)?)
        }
        _ => {
            let what = "needs exactly one of `at_least_years` and `equals`";
            validation.refuse(section, what, "write for example `at_least_years = 18`");
            return None;
        }
    };
    Some(Predicate { scope: scope?, claim: claim?, question })
}
