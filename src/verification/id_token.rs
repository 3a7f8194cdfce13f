//! An ID token, checked as a relying party would check it (OIDC Core §3.1.3.7), except for the nonce: Deputy did
//! not start the login (OIDC-3.1.3.7-08). How old the login is is checked as well. How old the token may be depends on
//! what it is used for, which the decision knows.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{LoginFacts, LoginToken, MayAct, PredicateClaims, VerifiedLogin, check_subject, levels};
use crate::base::digest::{sha256, sha256_of_parts};
use crate::base::time::{FOREIGN_LEEWAY, Timestamp};
use crate::config::Config;
use crate::jose::Claims;
use crate::oauth::{ClientId, Digest, TokenFault};
use crate::registry::IdentityProvider;

/// Claims that only other kinds of token have: logout tokens, DPoP proofs, introspection responses
/// (OIDC-3.1.3.7-11).
pub(super) const FOREIGN_CLAIMS: [&str; 4] = ["events", "htm", "htu", "token_introspection"];
/// The longest `acr`, `amr` member, `azp` or `sid` taken, in bytes.
const MAX_TEXT: usize = 255;

/// Judges the claims of an ID token whose signature was verified with a key of `provider`. Its issuer is right,
/// because `provider` was found by it. `signed` is the text that was signed.
pub fn judge(
    config: &Config,
    provider: &Arc<IdentityProvider>,
    claims: &Claims,
    signed: &str,
    client: &ClientId,
    now: Timestamp,
) -> Result<VerifiedLogin, TokenFault> {
    let relying_party = relying_party(provider, claims)?;
    let sub = claims.text("sub")?.ok_or(TokenFault::Claim)?;
    let expires_at = claims.time("exp")?.ok_or(TokenFault::Claim)?;
    let issued_at = claims.time("iat")?.ok_or(TokenFault::Claim)?;
    if now >= expires_at.plus(FOREIGN_LEEWAY) {
        return Err(TokenFault::Expired);
    }
    let is_source = provider.relying_parties.get(&relying_party);
    if !is_source.is_some_and(|party| party.clients.contains(client)) {
        return Err(TokenFault::RelyingParty);
    }
    let auth_time = check_times(provider, claims, issued_at, now)?;
    let subject = subject(provider, claims, sub)?;
    let acr = bounded(claims.text("acr")?)?;
    let amr = levels::amr(claims)?;
    let session = session(provider, claims)?;

    let facts = LoginFacts {
        id_token_hash: sha256([signed.as_bytes()]),
        provider: provider.issuer.clone(),
        relying_party,
        token: LoginToken::IdToken,
        issued_at: issued_at.seconds(),
        auth_time: Some(auth_time),
        levels: levels::met(provider, claims, &amr),
        acr,
        amr,
        session,
        policy_claims: pick(claims, provider.policy_claims.iter().map(String::as_str)),
    };
    let may_act = MayAct::read(claims)?;
    let predicate_claims = predicate_claims(config, claims);
    Ok(VerifiedLogin::new(facts, Arc::clone(provider), subject, may_act, predicate_claims))
}

/// The relying party that the token was issued to: `azp` if it is present, else the only audience
/// (OIDC-3.1.3.7-03, -05). Every audience has to be a relying party of the provider.
fn relying_party(provider: &IdentityProvider, claims: &Claims) -> Result<String, TokenFault> {
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => {
            many.iter().map(Value::as_str).collect::<Option<_>>().ok_or(TokenFault::Claim)?
        }
        _ => return Err(TokenFault::Audience),
    };
    let is_known = |aud: &str| provider.relying_parties.contains_key(aud);
    if audiences.is_empty() || !audiences.iter().copied().all(is_known) {
        return Err(TokenFault::Audience);
    }
    match (claims.get("azp"), audiences.as_slice()) {
        (Some(Value::String(azp)), _) if audiences.contains(&azp.as_str()) => Ok(azp.clone()),
        (Some(Value::String(_)), _) => Err(TokenFault::AuthorizedParty),
        (Some(_), _) => Err(TokenFault::Claim),
        (None, [only]) => Ok((*only).to_owned()),
        (None, _) => Err(TokenFault::AuthorizedParty),
    }
}

/// `iat` and `exp` of a token that may be of any age: it has not expired, and begins no later than now.
pub(super) fn times(claims: &Claims, now: Timestamp) -> Result<(Timestamp, Timestamp), TokenFault> {
    let expires_at = claims.time("exp")?.ok_or(TokenFault::Claim)?;
    let issued_at = claims.time("iat")?.ok_or(TokenFault::Claim)?;
    if now >= expires_at.plus(FOREIGN_LEEWAY) {
        return Err(TokenFault::Expired);
    }
    if claims.time("nbf")?.is_some_and(|nbf| nbf > now.plus(FOREIGN_LEEWAY)) {
        return Err(TokenFault::NotYetValid);
    }
    check_not_ahead(issued_at, now)?;
    Ok((issued_at, expires_at))
}

/// Refuses a time that lies in the future.
pub(super) fn check_not_ahead(time: Timestamp, now: Timestamp) -> Result<(), TokenFault> {
    if time > now.plus(FOREIGN_LEEWAY) { Err(TokenFault::IssuedAhead) } else { Ok(()) }
}

/// Checks `nbf`, how far ahead `iat` is, and `auth_time`, which `iat` never replaces
/// (OIDC-3.1.3.7-07, -09). Returns `auth_time` in seconds.
fn check_times(
    provider: &IdentityProvider,
    claims: &Claims,
    issued_at: Timestamp,
    now: Timestamp,
) -> Result<i64, TokenFault> {
    let soon = now.plus(FOREIGN_LEEWAY);
    if claims.time("nbf")?.is_some_and(|nbf| nbf > soon) {
        return Err(TokenFault::NotYetValid);
    }
    if issued_at > soon {
        return Err(TokenFault::IssuedAhead);
    }
    let auth_time = claims.time("auth_time")?.ok_or(TokenFault::AuthTimeMissing)?;
    if auth_time > soon {
        return Err(TokenFault::IssuedAhead);
    }
    if now >= auth_time.plus(provider.max_session) {
        return Err(TokenFault::SessionTooOld);
    }
    Ok(auth_time.seconds())
}

/// The user's identifier. `sub` is checked even if another claim names the user: every ID token has one.
pub(super) fn subject(provider: &IdentityProvider, claims: &Claims, sub: &str) -> Result<String, TokenFault> {
    check_subject(sub)?;
    let named = claims.find(&provider.subject_claim).and_then(Value::as_str).ok_or(TokenFault::Subject)?;
    check_subject(named)?;
    Ok(named.to_owned())
}

/// The session, by a hash of `sid` together with the issuer.
pub(super) fn session(provider: &IdentityProvider, claims: &Claims) -> Result<Option<Digest>, TokenFault> {
    let sid = bounded(claims.text("sid")?)?;
    Ok(sid.map(|sid| sha256_of_parts([provider.issuer.as_str().as_bytes(), sid.as_bytes()])))
}

/// Whether a text is short enough to be recorded, and without control characters, which no record of it can hold.
pub(super) fn is_taken(text: &str) -> bool {
    text.len() <= MAX_TEXT && !text.chars().any(char::is_control)
}

pub(super) fn bounded(text: Option<&str>) -> Result<Option<String>, TokenFault> {
    match text {
        Some(text) if !is_taken(text) => Err(TokenFault::Claim),
        text => Ok(text.map(str::to_owned)),
    }
}

/// Those of the listed claims that are present, by the names that the list has for them.
pub(super) fn pick<'a>(claims: &Claims, names: impl Iterator<Item = &'a str>) -> Map<String, Value> {
    names.filter_map(|name| Some((name.to_owned(), claims.find(name)?.clone()))).collect()
}

/// Each predicate's claim, and a claim named like its scope: the provider's own answer.
fn predicate_claims(config: &Config, claims: &Claims) -> PredicateClaims {
    let names = config.registry.predicates.values().flat_map(|p| [p.claim.as_str(), p.scope.as_str()]);
    PredicateClaims::new(pick(claims, names))
}
