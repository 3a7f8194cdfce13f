//! Which assurance levels a login meets. Each provider defines its levels as conditions on the claims.

use std::collections::BTreeSet;

use serde_json::Value;

use super::id_token::is_recordable;
use crate::jose::Claims;
use crate::oauth::TokenFault;
use crate::registry::{AssuranceLevel, ClaimCondition, ClaimTest, IdentityProvider, MFA};

/// The factor that an `amr` value shows (RFC 8176 §2). Values that are not listed here show nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Factor {
    Know,
    Have,
    Are,
}

fn factor(amr: &str) -> Option<Factor> {
    match amr {
        "pwd" | "pin" | "kba" => Some(Factor::Know),
        "otp" | "sms" | "tel" | "hwk" | "swk" | "pop" | "sc" => Some(Factor::Have),
        "face" | "fpt" | "iris" | "retina" | "vbm" => Some(Factor::Are),
        _ => None,
    }
}

/// The values of `amr`; none if it is absent. A single text, which some providers write, is one value.
///
/// # Errors
/// [`TokenFault::Claim`]: it is no array of texts without control characters.
pub fn amr(claims: &Claims) -> Result<Vec<String>, TokenFault> {
    let amr: Vec<String> = claims.texts("amr")?.unwrap_or_default().into_iter().map(str::to_owned).collect();
    if amr.iter().all(|value| is_recordable(value)) { Ok(amr) } else { Err(TokenFault::Claim) }
}

/// The names of the levels that `claims` meet at `provider`, with those of `asserted`, which the provider enforces, and
/// with all that these imply. Values are compared exactly; no order of `acr` values is assumed (EAP-01).
pub fn met(
    provider: &IdentityProvider,
    claims: &Claims,
    amr: &[String],
    asserted: &BTreeSet<String>,
) -> BTreeSet<String> {
    let mut levels = asserted.clone();
    levels.extend(
        provider.assurance.iter().filter(|(_, level)| is_met(level, claims)).map(|(name, _)| name.clone()),
    );
    // `mfa` is always defined: by the operator, else by `mfa` in `amr` (8176-F-01).
    if !provider.assurance.contains_key(MFA) && amr.iter().any(|value| value == MFA) {
        levels.insert(MFA.to_owned());
    }
    if provider.infer_mfa_from_amr && has_two_factors(amr) {
        levels.insert(MFA.to_owned());
    }
    let implied: Vec<String> = levels
        .iter()
        .filter_map(|name| provider.assurance.get(name))
        .flat_map(|level| level.implies.iter().cloned())
        .collect();
    levels.extend(implied);
    levels
}

/// Whether `amr` shows two kinds of factor. A biometric counts only together with something that the user has.
fn has_two_factors(amr: &[String]) -> bool {
    let factors: BTreeSet<Factor> = amr.iter().filter_map(|value| factor(value)).collect();
    factors.contains(&Factor::Have) && factors.len() > 1
}

fn is_met(level: &AssuranceLevel, claims: &Claims) -> bool {
    level.any_of.iter().any(|condition| holds(condition, claims))
}

fn holds(condition: &ClaimCondition, claims: &Claims) -> bool {
    let Some(value) = claims.find(&condition.claim) else { return false };
    // A single text is an array of one.
    let has = |wanted: &String| match value {
        Value::String(text) => text == wanted,
        Value::Array(values) => values.iter().any(|value| value.as_str() == Some(wanted)),
        _ => false,
    };
    match &condition.test {
        ClaimTest::In(listed) => value.is_string() && listed.iter().any(has),
        // All listed values. An empty list is no condition, and must not hold for everyone.
        ClaimTest::Contains(listed) => !listed.is_empty() && listed.iter().all(has),
        ClaimTest::Any(listed) => listed.iter().any(has),
    }
}
