//! Verifies the DPoP proof of a request (RFC 9449 §4.3).

use url::Url;

use super::VerifiedProof;
use crate::base::digest::sha256;
use crate::base::time::{CLOCK_TOLERANCE, FOREIGN_LEEWAY, Lifetime, Timestamp};
use crate::config::{Config, DpopNonce};
use crate::jose::{Claims, JoseError, UnverifiedToken};
use crate::keys::NodeSecrets;
use crate::oauth::{Cause, Jkt, OneTime, Plain};

/// The longest `DPoP` header taken, in bytes.
const MAX_HEADER: usize = 4096;
/// The longest `jti` taken, in characters.
const MAX_JTI: usize = 256;
/// How far `iat` may be from now, in both directions.
const WINDOW: Lifetime = FOREIGN_LEEWAY;
/// How long a nonce is taken after it was made.
const NONCE_LIFE: Lifetime = Lifetime::from_seconds(300);
/// The `typ` of a proof.
const TYP: &str = "dpop+jwt";
/// The method of the endpoints that take proofs.
const METHOD: &str = "POST";

impl VerifiedProof {
    /// The proof of a request to the endpoint of this path, from every `DPoP` header that it has; `None` where it has none.
    ///
    /// # Errors
    /// The first of the faults whose `reason` is `proof_invalid`. Last, [`Cause::NonceDemanded`] with a nonce.
    pub fn of_request(
        config: &Config,
        secrets: &NodeSecrets,
        (headers, path): (&[Vec<u8>], &str),
        now: Timestamp,
    ) -> Result<Option<Self>, Cause> {
        let header = match headers {
            [] => return Ok(None),
            [one] => one,
            _ => return Err(Plain::ProofRepeated.into()),
        };
        let text = std::str::from_utf8(header).map_err(|_| Plain::ProofMalformed)?.trim();
        if text.len() > MAX_HEADER {
            return Err(Plain::ProofMalformed.into());
        }
        let (scanned, key) = UnverifiedToken::scan_with_own_key(text).map_err(fault)?;
        if scanned.header().typ.as_deref() != Some(TYP) {
            return Err(Plain::ProofType.into());
        }
        if !config.dpop.algorithms.contains(&key.algorithm()) {
            return Err(Plain::ProofAlgorithm.into());
        }
        let thumbprint = Jkt::new(key.thumbprint().map_err(fault)?);
        let claims = scanned.verify(&key).map_err(fault)?;
        let used = judge(config, path, (thumbprint, &claims), now)?;
        if config.dpop.nonce == DpopNonce::Required && !has_current_nonce(secrets, &claims, now) {
            return Err(Cause::NonceDemanded { nonce: secrets.dpop_nonce(now).into() });
        }
        Ok(Some(Self::new(thumbprint, used)))
    }
}

fn fault(error: JoseError) -> Plain {
    match error {
        JoseError::Malformed | JoseError::Critical | JoseError::Claim => Plain::ProofMalformed,
        JoseError::Kind => Plain::ProofType,
        JoseError::Algorithm => Plain::ProofAlgorithm,
        JoseError::Key => Plain::ProofKey,
        JoseError::Signature | JoseError::Signing => Plain::ProofSignature,
    }
}

/// The claims of a proof whose signature is that of its own key. Gives back the `jti`, to be used up in the
/// transaction of the answer.
fn judge(
    config: &Config,
    path: &str,
    (key, claims): (Jkt, &Claims),
    now: Timestamp,
) -> Result<OneTime, Plain> {
    let malformed = |_| Plain::ProofMalformed;
    if claims.text("htm").map_err(malformed)? != Some(METHOD) {
        return Err(Plain::ProofMethod);
    }
    let url = claims.text("htu").map_err(malformed)?.ok_or(Plain::ProofUrl)?;
    // Most clients write it as it is published, and nothing has to be parsed.
    if !config.urls_of(path).any(|own| own == url) {
        let url = normalised(url).ok_or(Plain::ProofUrl)?;
        if !config.urls_of(path).any(|own| normalised(&own).is_some_and(|own| own == url)) {
            return Err(Plain::ProofUrl);
        }
    }
    let issued_at = claims.time("iat").map_err(malformed)?.ok_or(Plain::ProofTime)?;
    let is_over = claims.time("exp").map_err(malformed)?.is_some_and(|exp| now >= exp.plus(FOREIGN_LEEWAY));
    let is_early = claims.time("nbf").map_err(malformed)?.is_some_and(|nbf| nbf > now.plus(FOREIGN_LEEWAY));
    let until = issued_at.plus(WINDOW);
    if now > until || issued_at > now.plus(WINDOW) || is_over || is_early {
        return Err(Plain::ProofTime);
    }
    let jti = claims.text("jti").map_err(malformed)?.ok_or(Plain::ProofJti)?;
    if !(1..=MAX_JTI).contains(&jti.chars().count()) {
        return Err(Plain::ProofJti);
    }
    Ok(OneTime::Proof { key, jti: sha256([jti.as_bytes()]), until })
}

/// Whether the proof has a nonce that this or another node made a short time ago. The clock of another node may be
/// ahead of this one by what is tolerated.
fn has_current_nonce(secrets: &NodeSecrets, claims: &Claims, now: Timestamp) -> bool {
    let nonce = claims.text("nonce").ok().flatten();
    nonce
        .and_then(|nonce| secrets.dpop_nonce_time(nonce))
        .is_some_and(|made_at| now < made_at.plus(NONCE_LIFE) && made_at <= now.plus(CLOCK_TOLERANCE))
}

/// A URL without query and fragment after normalisation by syntax and scheme (RFC 3986 §6.2.2, §6.2.3). `None` for what is no
/// URL with a host, and for one with credentials.
fn normalised(text: &str) -> Option<String> {
    let mut url = Url::parse(text).ok().filter(Url::has_host)?;
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = with_plain_unreserved(url.path());
    Some(format!("{}{path}", url.origin().ascii_serialization()))
}

/// Writes the unreserved characters of a path as themselves, and every other escape in capitals.
fn with_plain_unreserved(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        let digits = after.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') => {
                plain.push(char::from(byte));
                rest = &after[2..];
            }
            Some(byte) => {
                plain.push_str(&format!("%{byte:02X}"));
                rest = &after[2..];
            }
            None => {
                plain.push('%');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}
