//! Which assurance levels a login meets. Each provider defines its levels as conditions on the claims.

use std::collections::BTreeSet;

use serde_json::Value;

use super::id_token::is_taken;
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

/// The values of `amr`; none if it is absent.
///
/// # Errors
/// [`TokenFault::Claim`]: it is no array of short texts.
pub fn amr(claims: &Claims) -> Result<Vec<String>, TokenFault> {
    let amr: Vec<String> = claims.texts("amr")?.unwrap_or_default().into_iter().map(str::to_owned).collect();
    if amr.iter().all(|value| is_taken(value)) { Ok(amr) } else { Err(TokenFault::Claim) }
}

/// The names of the levels that `claims` meet at `provider`. Values are compared exactly; no order of
/// `acr` values is assumed (EAP-01).
pub fn met(provider: &IdentityProvider, claims: &Claims, amr: &[String]) -> BTreeSet<String> {
    let mut levels: BTreeSet<String> = provider
        .assurance
        .iter()
        .filter(|(_, level)| is_met(level, claims))
        .map(|(name, _)| name.clone())
        .collect();
    // `mfa` is always defined: by the operator, else by `mfa` in `amr` (8176-F-01).
    if !provider.assurance.contains_key(MFA) && amr.iter().any(|value| value == MFA) {
        levels.insert(MFA.to_owned());
    }
    if provider.infer_mfa_from_amr && has_two_factors(amr) {
        levels.insert(MFA.to_owned());
    }
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
    match &condition.test {
        ClaimTest::In(listed) => value.as_str().is_some_and(|text| listed.iter().any(|one| one == text)),
        // All listed values. An empty list is no condition, and must not hold for everyone.
        ClaimTest::Contains(listed) => {
            !listed.is_empty()
                && value.as_array().is_some_and(|values| {
                    listed.iter().all(|one| values.iter().any(|value| value == &Value::from(one.as_str())))
                })
        }
    }
}
