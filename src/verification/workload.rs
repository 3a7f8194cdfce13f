//! Verifies the credential of a workload by the rules of its issuer. What only one platform has is in a file of its own.

mod aws;
mod azure;
mod event;
pub mod explained;
mod gcp;
mod github;
mod gitlab;
mod kubernetes;

use std::sync::Arc;

use serde_json::Value;

use super::verified_workload::{Build, Naming, Vouched};
use super::{Credential, VerifiedCredential};
use crate::base::text::is_shown;
use crate::base::time::{FOREIGN_LEEWAY, Timestamp};
use crate::jose::{Claims, UnverifiedToken};
use crate::oauth::{
    MAX_SPIFFE_ID, SpiffeId, TokenFault, WorkloadId, WorkloadIdForm, WorkloadIdKind, WorkloadIdValue,
};
use crate::registry::{
    AgentClass, BuildClaims, IdClaims, IdPart, IdReading, InstanceId, Preset, Registry, WorkloadIssuer,
};

/// The longest `sub` or value of an id taken, in bytes, but for SPIFFE IDs.
const MAX_ID: usize = 512;
/// The longest id of several values, in bytes.
const MAX_TEXT: usize = 1024;
/// The longest text taken of what an agent runs, in bytes.
const MAX_BUILD: usize = 256;
/// Claims that no credential of a workload has: those of logout tokens, DPoP proofs and introspection responses. What
/// marks an access token, such as `scope`, marks no other kind here: platforms write it into their credentials.
const FOREIGN_CLAIMS: [&str; 4] = ["events", "htm", "htu", "token_introspection"];

/// Refuses other kinds of token before any key is looked for. `JOSE` is what SPIFFE allows besides `JWT`.
pub fn check_kind(issuer: &WorkloadIssuer, token: &UnverifiedToken<'_>) -> Result<(), TokenFault> {
    let header = token.header();
    let is_plain = header.is_plain_jwt() || header.typ.as_deref() == Some("jose");
    let is_foreign = FOREIGN_CLAIMS.iter().any(|&name| token.unverified_claims().contains_key(name));
    // An SVID has no other header parameters (JWT-SVID §2).
    let is_other = issuer.preset == Preset::Spiffe && token.has_other_headers();
    if is_plain && !is_foreign && !is_other { Ok(()) } else { Err(TokenFault::Kind) }
}

/// The workload issuer of a token, by what it says unverified: its `iss`; or the trust domain of its `sub`, where that is
/// a SPIFFE ID. Then nothing depends on its `iss` (SPIFFE client authentication §8.1).
///
/// # Errors
/// [`TokenFault::Subject`]: the SPIFFE ID is malformed. [`TokenFault::IssuerUntrusted`]: no such issuer is configured.
pub fn issuer_of<'a>(
    registry: &'a Registry,
    token: &UnverifiedToken<'_>,
) -> Result<&'a Arc<WorkloadIssuer>, TokenFault> {
    let spiffe_id = token.claimed_subject().filter(|subject| SpiffeId::is_claimed_by(subject));
    let found = match spiffe_id {
        Some(id) => {
            let id = SpiffeId::parse(id).ok_or(TokenFault::Subject)?;
            registry.workload_issuers.get(&id.trust_domain.issuer())
        }
        None => token.claimed_issuer().and_then(|issuer| registry.workload_issuers.get(issuer)),
    };
    let is_right = |issuer: &&Arc<WorkloadIssuer>| (issuer.preset == Preset::Spiffe) == spiffe_id.is_some();
    found.filter(is_right).ok_or(TokenFault::IssuerUntrusted)
}

/// Judges the claims of a workload's token whose signature was verified.
pub fn judge(
    issuer: &WorkloadIssuer,
    claims: &Claims,
    signed: &str,
    now: Timestamp,
) -> Result<VerifiedCredential, TokenFault> {
    // Deputy's own value and nothing beside it: a token for another service is not for us.
    match claims.audiences().map_err(|_| TokenFault::Audience)?.as_slice() {
        [only] if *only == issuer.audience => {}
        _ => return Err(TokenFault::Audience),
    }
    // The chain would be dropped: an agent comes in as itself, and the exchange adds the level that names it.
    if claims.get("act").is_some() {
        return Err(TokenFault::ForeignChain);
    }
    check_platform(issuer, claims)?;
    let expires_at = check_times(issuer, claims, now)?;
    let subject = match claims.text("sub").map_err(|_| TokenFault::Subject)? {
        Some(sub) if sub.is_empty() || sub.len() > max_value(issuer) => return Err(TokenFault::Subject),
        sub => sub.map(str::to_owned),
    };
    let class = class(issuer, claims)?;
    let stable = || id(issuer, claims, WorkloadIdKind::Stable, &issuer.stable_id);
    let of_instance = issuer.instance_id.as_ref().filter(|_| class.lifetime.is_of_an_instance());
    let (naming, workload) = match of_instance {
        Some(InstanceId::Claims(of_instance)) => {
            let instance = id(issuer, claims, WorkloadIdKind::Instance, of_instance)?;
            let workload = stable().unwrap_or_else(|_| instance.clone()).text();
            (Naming::Id(instance), workload)
        }
        // The key is the holder's own choice, so that the workload has to be named by the issuer.
        Some(InstanceId::Key) => (Naming::Key, stable()?.text()),
        // Refused at load; were it ever missing, there is no id that never recurs.
        None if class.lifetime.is_of_an_instance() => return Err(TokenFault::Claim),
        None => {
            let stable = stable()?;
            let workload = stable.text();
            (Naming::Id(stable), workload)
        }
    };
    // A stop that was lifted takes later credentials only, and one of unknown age is none.
    let issued_at = claims.time("iat")?.map_or(i64::MIN, Timestamp::seconds);
    let vouched = Vouched {
        issuer: issuer.issuer.clone(),
        class: Arc::clone(class),
        subject,
        workload,
        issued_at,
        credential: Credential { hash: Credential::hash(signed), expires_at },
        build: build(claims, &class.build),
    };
    Ok(VerifiedCredential::new(vouched, naming))
}

/// What only one platform has to be asked, and no configuration turns off.
fn check_platform(issuer: &WorkloadIssuer, claims: &Claims) -> Result<(), TokenFault> {
    match issuer.preset {
        Preset::Kubernetes => kubernetes::check(claims),
        Preset::Gitlab => gitlab::check(claims),
        Preset::Aws => aws::check(claims),
        Preset::Gcp => gcp::check(claims),
        Preset::Azure => azure::check(&issuer.issuer, claims),
        // What is refused of these depends on the class, or nothing is.
        Preset::Github | Preset::Generic | Preset::Spiffe => Ok(()),
    }
}

/// The longest `sub` or value of an id, in bytes.
fn max_value(issuer: &WorkloadIssuer) -> usize {
    if issuer.preset == Preset::Spiffe { MAX_SPIFFE_ID } else { MAX_ID }
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
    // Without `iat` what is left of its life is bounded the same way, and so it is of a JWT-SVID, which need not have one.
    let begins = issued_at.filter(|_| issuer.preset != Preset::Spiffe).unwrap_or(soon);
    if expires_at > begins.plus(issuer.max_token_lifetime) {
        return Err(TokenFault::TooOld);
    }
    Ok(expires_at)
}

/// The first class whose condition the claims meet, and which takes what started the workflow or pipeline.
fn class<'a>(issuer: &'a WorkloadIssuer, claims: &Claims) -> Result<&'a Arc<AgentClass>, TokenFault> {
    let fitting =
        || issuer.classes.iter().filter(|class| class.when.as_ref().is_none_or(|when| when.holds(claims)));
    let Some(event) = event::of(issuer.preset, claims)? else {
        return fitting().next().ok_or(TokenFault::NoClass);
    };
    let found = fitting().find(|class| event.is_taken_by(class));
    found.ok_or_else(|| if fitting().next().is_some() { TokenFault::Event } else { TokenFault::NoClass })
}

/// The id, of all its parts in order.
fn id(
    issuer: &WorkloadIssuer,
    claims: &Claims,
    kind: WorkloadIdKind,
    of: &IdClaims,
) -> Result<WorkloadId, TokenFault> {
    let most = max_value(issuer);
    let mut values = Vec::with_capacity(of.0.len());
    for part in &of.0 {
        match value(claims, part, most)? {
            Some(value) => values.push(value),
            None if part.is_optional => {}
            None => return Err(TokenFault::Claim),
        }
    }
    let id = WorkloadId { kind, values };
    let is_taken = (1..=MAX_TEXT.max(most)).contains(&id.text().len());
    if is_taken { Ok(id) } else { Err(TokenFault::Claim) }
}

/// One value: a string, or a whole number as some issuers write theirs.
fn value(claims: &Claims, part: &IdPart, most: usize) -> Result<Option<WorkloadIdValue>, TokenFault> {
    let Some(found) = part.claims.iter().find_map(|claim| claims.find(claim)) else { return Ok(None) };
    let (form, text) = match found {
        Value::String(text) => (WorkloadIdForm::Text, text.clone()),
        Value::Number(number) if number.is_u64() => (WorkloadIdForm::Number, number.to_string()),
        _ => return Err(TokenFault::Claim),
    };
    let text = match part.reading {
        IdReading::Whole => text,
        IdReading::Path => github::path(&text).to_owned(),
    };
    // What is recorded is text, in which no database takes NUL and an operator expects to see every character.
    let is_taken = (1..=most).contains(&text.len()) && text.chars().all(is_shown);
    if is_taken { Ok(Some(WorkloadIdValue { form, text })) } else { Err(TokenFault::Claim) }
}

/// What the workload runs. It decides nothing, so that what cannot be recorded is left out.
fn build(claims: &Claims, of: &BuildClaims) -> Build {
    let text = |claim: &Option<String>| {
        let found = claims.find(claim.as_deref()?)?.as_str()?;
        let is_taken = (1..=MAX_BUILD).contains(&found.len()) && found.chars().all(is_shown);
        is_taken.then(|| found.to_owned())
    };
    Build { software: text(&of.software), version: text(&of.version), image: text(&of.image) }
}
