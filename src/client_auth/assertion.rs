//! `private_key_jwt`: RFC 7521 §4.2, RFC 7523 §3, draft rfc7523bis.

use std::collections::BTreeSet;

use crate::base::digest::sha256;
use crate::base::time::{FOREIGN_LEEWAY, Lifetime, Timestamp};
use crate::config::Config;
use crate::jose::{Algorithm, Claims, Header, JoseError, PublicKey, Scanned, dummy_verify};
use crate::oauth::{ClientId, OneTime, Plain};
use crate::registry::{AssertionAudience, Client, ClientAuthentication};
use crate::verification::{ClientKeys, KeyFault, Verifier};

use super::Rejected;

/// How far ahead `exp` and how far back `iat` may lie (7523-3-04, 7523-3-05).
const MAX_LIFE: Lifetime = Lifetime::from_seconds(300);
/// The longest `jti`, in characters (CA-STATE-04).
const MAX_JTI: usize = 256;

/// Whether the assertion proves `client`. Gives back the `jti` to be used up in the transaction of the
/// answer, so that a replay is found there (7523-3-06).
pub async fn prove(
    config: &Config,
    verifier: &Verifier,
    client: Option<&Client>,
    scanned: Scanned<'_>,
    now: Timestamp,
) -> Result<OneTime, Rejected> {
    let scanned = scanned.map_err(fault)?;
    let Some(client) = client else {
        dummy_verify(&scanned);
        return Err(Plain::ClientUnknown.into());
    };
    let ClientAuthentication::PrivateKeyJwt { keys, reach, algorithms, audience } = &client.authentication
    else {
        dummy_verify(&scanned);
        return Err(Plain::MethodNotRegistered.into());
    };
    let registered = ClientKeys { source: keys, reach, is_local: config.is_local };
    let key = match registered_key(verifier, scanned.header(), registered, algorithms, now).await {
        Ok(key) => key,
        Err(rejected) => {
            dummy_verify(&scanned);
            return Err(rejected);
        }
    };
    let claims = verifier.verify_of_client(registered, &scanned, &key, now).await.map_err(fault)?;
    Ok(judge(config, client, *audience, &claims, now)?)
}

/// The client's key that fits the header of its assertion.
async fn registered_key(
    verifier: &Verifier,
    header: &Header,
    registered: ClientKeys<'_>,
    algorithms: &BTreeSet<Algorithm>,
    now: Timestamp,
) -> Result<PublicKey, Rejected> {
    if !header.is_plain_jwt() && header.typ.as_deref() != Some("client-authentication+jwt") {
        return Err(Plain::AssertionKind.into());
    }
    if !algorithms.contains(&header.algorithm) {
        return Err(Plain::AssertionAlgorithm.into());
    }
    verifier.client_key(registered, header, now).await.map_err(|fault| match fault {
        KeyFault::Unknown => Plain::AssertionKeyUnknown.into(),
        KeyFault::Unavailable(why) => Rejected::Unavailable(why),
    })
}

fn fault(error: JoseError) -> Plain {
    match error {
        JoseError::Malformed | JoseError::Critical | JoseError::Claim => Plain::AssertionMalformed,
        JoseError::Kind => Plain::AssertionKind,
        JoseError::Algorithm => Plain::AssertionAlgorithm,
        JoseError::Key => Plain::AssertionKeyUnknown,
        JoseError::Signature | JoseError::Signing => Plain::AssertionSignature,
    }
}

/// The claims of an assertion whose signature is the client's.
fn judge(
    config: &Config,
    client: &Client,
    audience: AssertionAudience,
    claims: &Claims,
    now: Timestamp,
) -> Result<OneTime, Plain> {
    let malformed = |_| Plain::AssertionMalformed;
    let id = Some(client.id.as_str());
    if claims.text("iss").map_err(malformed)? != id || claims.text("sub").map_err(malformed)? != id {
        return Err(Plain::AssertionIssuer);
    }
    // One audience, as a string or as the one member of an array. It is the issuer, because an endpoint's URL or a
    // second audience would let another server pass the assertion on (7523bis-01 to -04); where the operator allows
    // it, it may be the token endpoint, at every endpoint alike.
    let [only] = claims.audiences().map_err(|_| Plain::AssertionAudience)?[..] else {
        return Err(Plain::AssertionAudience);
    };
    let takes_endpoint = audience == AssertionAudience::IssuerOrEndpoint;
    if only != config.issuer.as_str() && !(takes_endpoint && only == config.token_endpoint()) {
        return Err(Plain::AssertionAudience);
    }
    let soon = now.plus(FOREIGN_LEEWAY);
    let expires_at = claims.time("exp").map_err(malformed)?.ok_or(Plain::AssertionExpired)?;
    if now >= expires_at.plus(FOREIGN_LEEWAY) {
        return Err(Plain::AssertionExpired);
    }
    if expires_at > soon.plus(MAX_LIFE) {
        return Err(Plain::AssertionTooLong);
    }
    let issued_at = claims.time("iat").map_err(malformed)?;
    let not_before = claims.time("nbf").map_err(malformed)?;
    if issued_at.into_iter().chain(not_before).any(|from| from > soon) {
        return Err(Plain::AssertionNotYetValid);
    }
    if issued_at.is_some_and(|iat| now > iat.plus(MAX_LIFE)) {
        return Err(Plain::AssertionTooLong);
    }
    let jti = claims.text("jti").map_err(malformed)?.ok_or(Plain::AssertionJti)?;
    if !(1..=MAX_JTI).contains(&jti.chars().count()) {
        return Err(Plain::AssertionJti);
    }
    Ok(used(&client.id, jti, expires_at))
}

/// The replay record. It includes the client, so that nobody can use up the `jti` of another client, and it is kept
/// for as long as the assertion could still pass the checks of time (CA-STATE-03).
fn used(client: &ClientId, jti: &str, expires_at: Timestamp) -> OneTime {
    OneTime::Assertion {
        client: client.clone(),
        jti: sha256([jti.as_bytes()]),
        until: expires_at.plus(FOREIGN_LEEWAY),
    }
}
