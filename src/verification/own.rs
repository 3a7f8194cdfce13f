//! A token of Deputy's own, come back (9068-4).

use serde_json::Value;

use super::{MayAct, VerifiedOwn};
use crate::config::Config;
use crate::jose::UnverifiedToken;
use crate::keys::KeyRing;
use crate::oauth::exchange::own_typ;
use crate::oauth::{Digest, Jti, TokenFault};

/// Form, kind, issuer, key and signature. Expiry and everything else about its life is in the record.
pub fn verify(config: &Config, ring: &KeyRing, token: &str, hash: Digest) -> Result<VerifiedOwn, TokenFault> {
    let scanned = UnverifiedToken::scan(token)?;
    if scanned.claimed_issuer() != Some(config.issuer.as_str()) {
        return Err(TokenFault::IssuerUntrusted);
    }
    if !scanned.header().typ.as_deref().is_some_and(|typ| own_typ::ALL.contains(&typ)) {
        return Err(TokenFault::Kind);
    }
    let kid = scanned.header().kid.clone().ok_or(TokenFault::KeyUnknown)?;
    let key = match ring.verifying_key(&kid) {
        Some(key) => key,
        None if ring.is_revoked(&kid) => return Err(TokenFault::KeyRevoked),
        None => return Err(TokenFault::KeyUnknown),
    };
    let claims = scanned.verify(key)?;
    let jti = claims.get("jti").and_then(Value::as_str).and_then(Jti::parse).ok_or(TokenFault::Claim)?;
    claims.time("exp")?.ok_or(TokenFault::Claim)?;
    claims.text("sub")?.filter(|sub| !sub.is_empty()).ok_or(TokenFault::Subject)?;
    // Deputy issues no `may_act`; a malformed one is refused like any malformed claim (8693-4.4-04).
    MayAct::read(&claims)?;
    Ok(VerifiedOwn::new(jti, hash, kid, claims.into_map()))
}

/// Whether what was found good before is so still: its key is trusted, and the issuer is ours. A `kid` is the
/// thumbprint of its key, so the same `kid` is the same key.
pub fn still_holds(config: &Config, ring: &KeyRing, known: &VerifiedOwn) -> bool {
    ring.verifying_key(known.kid()).is_some()
        && known.claims().get("iss").and_then(Value::as_str) == Some(config.issuer.as_str())
}
