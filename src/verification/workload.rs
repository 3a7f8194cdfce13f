//! Verifies the credential of a workload by the rules of its issuer (preset `generic`).

use std::sync::Arc;

use serde_json::Value;

use super::id_token::FOREIGN_CLAIMS;
use super::{Credential, VerifiedWorkload};
use crate::base::text::is_shown;
use crate::base::time::{FOREIGN_LEEWAY, Timestamp};
use crate::jose::{Claims, UnverifiedToken};
use crate::oauth::{TokenFault, WorkloadId, WorkloadIdForm, WorkloadIdKind};
use crate::registry::{AgentClass, AgentLifetime, WorkloadIssuer};

/// The longest `sub` or id of a workload taken, in bytes.
const MAX_ID: usize = 512;

/// Refuses other kinds of token before any key is looked for. `JOSE` is what SPIFFE allows besides `JWT`.
pub fn check_kind(token: &UnverifiedToken<'_>) -> Result<(), TokenFault> {
    let header = token.header();
    let is_plain = header.is_plain_jwt() || header.typ.as_deref() == Some("jose");
    let is_foreign = FOREIGN_CLAIMS.iter().any(|&name| token.unverified_claims().contains_key(name));
    if is_plain && !is_foreign { Ok(()) } else { Err(TokenFault::Kind) }
}

/// Judges the claims of a workload's token whose signature was verified.
pub fn judge(
    issuer: &WorkloadIssuer,
    claims: &Claims,
    signed: &str,
    now: Timestamp,
) -> Result<VerifiedWorkload, TokenFault> {
    // Deputy's own value and nothing beside it: a token for another service is not for us.
    match claims.audiences().map_err(|_| TokenFault::Audience)?.as_slice() {
        [only] if *only == issuer.audience => {}
        _ => return Err(TokenFault::Audience),
    }
    let expires_at = check_times(issuer, claims, now)?;
    let subject = match claims.text("sub").map_err(|_| TokenFault::Subject)? {
        Some(sub) if sub.is_empty() || sub.len() > MAX_ID => return Err(TokenFault::Subject),
        sub => sub.map(str::to_owned),
    };
    let class = class(issuer, claims).ok_or(TokenFault::NoClass)?;
    let stable = || id(claims, WorkloadIdKind::Stable, &issuer.stable_id_claim);
    let (id, workload) = match class.lifetime {
        AgentLifetime::Principal => {
            let stable = stable()?;
            let workload = stable.text.clone();
            (stable, workload)
        }
        AgentLifetime::Task => {
            // Refused at load without; were it ever missing, there is no id that never recurs.
            let claim = issuer.instance_id_claim.as_ref().ok_or(TokenFault::Claim)?;
            let instance = id(claims, WorkloadIdKind::Instance, claim)?;
            let workload = stable().map_or_else(|_| instance.text.clone(), |stable| stable.text);
            (instance, workload)
        }
    };
    // A stop that was lifted takes later credentials only, and one of unknown age is none.
    let issued_at = claims.time("iat")?.map_or(i64::MIN, Timestamp::seconds);
    let credential = Credential { hash: Credential::hash(signed), expires_at };
    let issuer = issuer.issuer.clone();
    Ok(VerifiedWorkload::new(issuer, Arc::clone(class), subject, id, workload, issued_at, credential))
}

/// Gives `exp`.
fn check_times(issuer: &WorkloadIssuer, claims: &Claims, now: Timestamp) -> Result<Timestamp, TokenFault> {
    let soon = now.plus(FOREIGN_LEEWAY);
    let expires_at = claims.time("exp")?.ok_or(TokenFault::Claim)?;
    if now >= expires_at.plus(FOREIGN_LEEWAY) {
        return Err(TokenFault::Expired);
    }
    if claims.time("nbf")?.is_some_and(|nbf| nbf > soon) {
        return Err(TokenFault::NotYetValid);
    }
    let issued_at = claims.time("iat")?;
    if issued_at.is_some_and(|iat| iat > soon) {
        return Err(TokenFault::IssuedAhead);
    }
    // Without `iat` (a JWT-SVID may lack it) what is left of its life is bounded the same way.
    let begins = issued_at.unwrap_or(soon);
    if expires_at > begins.plus(issuer.max_token_lifetime) {
        return Err(TokenFault::TooOld);
    }
    Ok(expires_at)
}

fn class<'a>(issuer: &'a WorkloadIssuer, claims: &Claims) -> Option<&'a Arc<AgentClass>> {
    issuer
        .classes
        .iter()
        .find(|class| class.when.as_ref().is_none_or(|(claim, equals)| claims.find(claim) == Some(equals)))
}

/// The id: a string, or a whole number as some issuers write theirs.
fn id(claims: &Claims, kind: WorkloadIdKind, path: &str) -> Result<WorkloadId, TokenFault> {
    let (form, text) = match claims.find(path) {
        Some(Value::String(text)) => (WorkloadIdForm::Text, text.clone()),
        Some(Value::Number(number)) if number.is_u64() => (WorkloadIdForm::Number, number.to_string()),
        _ => return Err(TokenFault::Claim),
    };
    // What is recorded is text, in which no database takes NUL and an operator expects to see every character.
    let is_taken = (1..=MAX_ID).contains(&text.len()) && text.chars().all(is_shown);
    if is_taken { Ok(WorkloadId { kind, form, text }) } else { Err(TokenFault::Claim) }
}
