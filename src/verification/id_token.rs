//! An ID token, checked as a relying party would check it (OIDC Core §3.1.3.7), except for the nonce: Deputy did
//! not start the login (OIDC-3.1.3.7-08). How old the login is is checked as well. How old the token may be depends on
//! what it is used for, which the decision knows.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    LoginFacts, LoginToken, MayAct, NotALogin, PredicateClaims, VerifiedLogin, check_subject, levels,
};
use crate::base::digest::{sha256, sha256_of_parts};
use crate::base::time::{FOREIGN_LEEWAY, Timestamp};
use crate::config::Config;
use crate::jose::Claims;
use crate::oauth::{ClientId, Digest, TokenFault};
use crate::registry::{AuthTime, IdentityProvider, RelyingParty};

/// Claims that only other kinds of token have: logout tokens, DPoP proofs, introspection responses
/// (OIDC-3.1.3.7-11).
pub(super) const FOREIGN_CLAIMS: [&str; 4] = ["events", "htm", "htu", "token_introspection"];

/// Judges the claims of an ID token whose signature was verified with a key of `provider`. Its issuer is right,
/// because `provider` was found by it. `signed` is the text that was signed.
///
/// # Errors
/// The first fault. That `auth_time` is missing comes last, because the caller is told of it.
pub fn judge(
    config: &Config,
    provider: &Arc<IdentityProvider>,
    claims: &Claims,
    signed: &str,
    client: &ClientId,
    now: Timestamp,
) -> Result<VerifiedLogin, NotALogin> {
    let (relying_party, source) = relying_party(provider, claims.members())?;
    let sub = claims.text("sub")?.ok_or(TokenFault::Claim)?;
    let (issued_at, _) = times(claims, now)?;
    if !source.clients.contains(client) {
        return Err(TokenFault::RelyingParty.into());
    }
    let auth_time = auth_time(provider, claims, issued_at, now)?;
    let subject = subject(provider, claims, sub)?;
    let acr = recordable(claims.text("acr")?)?;
    let amr = levels::amr(claims)?;
    let session = session(provider, claims)?;

    let facts = LoginFacts {
        id_token_hash: sha256([signed.as_bytes()]),
        provider: provider.issuer.clone(),
        relying_party: relying_party.to_owned(),
        token: LoginToken::IdToken,
        issued_at: issued_at.seconds(),
        auth_time: auth_time.map(Timestamp::seconds),
        levels: levels::met(provider, claims, &amr, &BTreeSet::new()),
        acr,
        amr,
        session,
        policy_claims: pick(claims, provider.policy_claims.iter().map(String::as_str)),
    };
    let may_act = MayAct::read(claims)?;
    check_has_auth_time(provider.auth_time, auth_time, provider)?;
    let predicate_claims = predicate_claims(config, claims);
    let login = VerifiedLogin::new(facts, Arc::clone(provider), subject, may_act, predicate_claims);
    let has_nonce = claims.get("nonce").and_then(Value::as_str).is_some_and(|nonce| !nonce.is_empty());
    Ok(if provider.requires_nonce && !has_nonce { login.without_nonce() } else { login })
}

/// The relying party that the token was issued to, which is in `aud`: the one that `azp` names or that lists `azp` under
/// its `authorized_parties`, else the only audience (OIDC-3.1.3.7-03, -05). Every other audience has to be a relying
/// party of the provider, or one that this relying party lists.
///
/// # Errors
/// The fault of `aud` or of `azp`.
pub fn relying_party<'a>(
    provider: &'a IdentityProvider,
    claims: &Map<String, Value>,
) -> Result<(&'a str, &'a RelyingParty), TokenFault> {
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => {
            many.iter().map(Value::as_str).collect::<Option<_>>().ok_or(TokenFault::Claim)?
        }
        _ => return Err(TokenFault::Audience),
    };
    let mut among: Vec<_> =
        provider.relying_parties.iter().filter(|(id, _)| audiences.contains(&id.as_str())).collect();
    match claims.get("azp") {
        None if audiences.len() == 1 => {}
        None => among.clear(),
        Some(Value::String(azp)) if among.iter().any(|(id, _)| *id == azp) => {
            among.retain(|(id, _)| *id == azp)
        }
        Some(Value::String(azp)) => among.retain(|(_, party)| party.authorized_parties.contains(azp)),
        Some(_) => return Err(TokenFault::Claim),
    }
    let is_configured = |audience: &&str| provider.relying_parties.contains_key(*audience);
    let [(id, party)] = among.as_slice() else {
        // Without a relying party of ours in it, the token is for somebody else.
        let is_ours = audiences.iter().any(is_configured);
        return Err(if is_ours { TokenFault::AuthorizedParty } else { TokenFault::Audience });
    };
    let is_known = |audience: &&str| is_configured(audience) || party.other_audiences.contains(audience);
    if audiences.iter().all(is_known) { Ok((id.as_str(), party)) } else { Err(TokenFault::Audience) }
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

/// When the user signed in, as far as the token says so. It has to be in the past, and the session that counts from it,
/// or from `iat` where it is missing, must not be over (OIDC-3.1.3.7-09).
pub(super) fn auth_time(
    provider: &IdentityProvider,
    claims: &Claims,
    issued_at: Timestamp,
    now: Timestamp,
) -> Result<Option<Timestamp>, TokenFault> {
    let auth_time = claims.time("auth_time")?;
    let since = auth_time.unwrap_or(issued_at);
    check_not_ahead(since, now)?;
    if now >= since.plus(provider.max_session) {
        return Err(TokenFault::SessionTooOld);
    }
    Ok(auth_time)
}

/// Refuses a token without `auth_time` where it is required. The caller is told which `max_age` to ask the provider for: a
/// provider that is asked with one has to say when the user signed in (OIDC Core §3.1.2.1).
pub(super) fn check_has_auth_time(
    rule: AuthTime,
    auth_time: Option<Timestamp>,
    provider: &IdentityProvider,
) -> Result<(), NotALogin> {
    match (rule, auth_time) {
        (AuthTime::Required, None) => {
            Err(NotALogin::AuthTimeMissing { max_age: provider.max_session.seconds() })
        }
        (AuthTime::Required, Some(_)) | (AuthTime::Optional, _) => Ok(()),
    }
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
    let sid = recordable(claims.text("sid")?)?;
    Ok(sid.map(|sid| sha256_of_parts([provider.issuer.as_str().as_bytes(), sid.as_bytes()])))
}

/// Whether a text is without control characters, which no record of it can hold.
pub(super) fn is_recordable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

pub(super) fn recordable(text: Option<&str>) -> Result<Option<String>, TokenFault> {
    match text {
        Some(text) if !is_recordable(text) => Err(TokenFault::Claim),
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
