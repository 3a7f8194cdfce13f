//! A public key bound to one algorithm, from a JWK (RFC 7517, RFC 7518 §6, RFC 8037 §2).

use std::sync::Arc;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, EcdsaVerificationAlgorithm, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::VerifyingKey;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use serde_json::{Map, Value};

use super::{Algorithm, JoseError};

/// Bits of an RSA modulus taken.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Members that only private or symmetric keys have (JWKS-01).
const PRIVATE: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// A public key bound to one algorithm (8725-3.1-02), checked when it was made. Cheap to clone.
#[derive(Clone)]
pub struct PublicKey(Arc<Inner>);

struct Inner {
    algorithm: Algorithm,
    key: DecodingKey,
    /// A key for ECDSA, as aws-lc parsed it when it was checked (ADR 9).
    parsed: Option<ParsedPublicKey>,
    material: Vec<u8>,
}

/// The algorithms that a key fits, and the key in the forms of [`Inner`].
type Parts = (&'static [Algorithm], DecodingKey, Option<ParsedPublicKey>, Vec<u8>);

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({})", self.0.algorithm.as_str())
    }
}

impl PublicKey {
    /// Every algorithm this JWK may be used with, each as a key of its own: the one it names in `alg`,
    /// or all that its type allows (for RSA without `alg`: RS256 and PS256).
    ///
    /// # Errors
    /// [`JoseError::Key`] for private and symmetric keys, keys not for signatures (`use`, `key_ops`),
    /// unknown types and curves, RSA under 2048 or over 8192 bits or with a strange exponent, points
    /// that are not on the curve.
    pub fn from_jwk(jwk: &Map<String, Value>) -> Result<Vec<Self>, JoseError> {
        if is_secret(jwk) || !is_for_verifying(jwk) {
            return Err(JoseError::Key);
        }
        let (fitting, key, parsed, material): Parts = match (text(jwk, "kty"), text(jwk, "crv")) {
            (Some("RSA"), _) => {
                let (n, e) = (unsigned(jwk, "n")?, unsigned(jwk, "e")?);
                check_rsa(&n, &e)?;
                let parts = RsaPublicKeyComponents { n: &n, e: &e };
                parts.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).map_err(|_| JoseError::Key)?;
                let key = DecodingKey::from_rsa_raw_components(&n, &e);
                (&[Algorithm::RS256, Algorithm::PS256], key, None, [n, e].concat())
            }
            (Some("EC"), Some("P-256")) => ec(jwk, 32, &[Algorithm::ES256], &ECDSA_P256_SHA256_FIXED)?,
            (Some("EC"), Some("P-384")) => ec(jwk, 48, &[Algorithm::ES384], &ECDSA_P384_SHA384_FIXED)?,
            (Some("OKP"), Some("Ed25519")) => {
                let x = octets(jwk, "x", 32)?;
                // Anyone can sign any message under a point of small order (8725-3.4-01).
                let point = x.as_slice().try_into().map_err(|_| JoseError::Key)?;
                if VerifyingKey::from_bytes(point).map_or(true, |key| key.is_weak()) {
                    return Err(JoseError::Key);
                }
                (&[Algorithm::EdDSA], DecodingKey::from_ed_der(&x), None, x)
            }
            _ => return Err(JoseError::Key),
        };
        let named = match jwk.get("alg") {
            None => None,
            Some(Value::String(name)) => Some(Algorithm::parse(name).ok_or(JoseError::Key)?),
            Some(_) => return Err(JoseError::Key),
        };
        let keys: Vec<Self> = fitting
            .iter()
            .filter(|&&algorithm| named.is_none_or(|named| named == algorithm))
            .map(|&algorithm| {
                let (key, parsed, material) = (key.clone(), parsed.clone(), material.clone());
                Self(Arc::new(Inner { algorithm, key, parsed, material }))
            })
            .collect();
        if keys.is_empty() { Err(JoseError::Key) } else { Ok(keys) }
    }

    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// Verifies `signature`, base64url without padding, over `message`. ECDSA signatures are R and S
    /// side by side, each in [1, n-1] (RFC 7518 §3.4).
    pub fn verify(&self, message: &[u8], signature: &str) -> Result<(), JoseError> {
        let is_by_key = match &self.0.parsed {
            // aws-lc takes R and S in this form alone, and refuses any other length.
            Some(key) => {
                URL_SAFE_NO_PAD.decode(signature).is_ok_and(|octets| key.verify_sig(message, &octets).is_ok())
            }
            None => jsonwebtoken::crypto::verify(signature, message, &self.0.key, library(self.0.algorithm))
                .unwrap_or(false),
        };
        if is_by_key { Ok(()) } else { Err(JoseError::Signature) }
    }

    /// Its SHA-256 thumbprint (RFC 7638).
    ///
    /// # Errors
    /// [`JoseError::Key`], but not for keys that were read from a JWK.
    pub fn thumbprint(&self) -> Result<[u8; 32], JoseError> {
        let jwk = Jwk::from_decoding_key(&self.0.key, Some(library(self.0.algorithm)));
        let text = jwk.and_then(|jwk| jwk.thumbprint(ThumbprintHash::SHA256)).map_err(|_| JoseError::Key)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| JoseError::Key)?;
        bytes.try_into().map_err(|_| JoseError::Key)
    }

    /// The numbers that the key consists of.
    pub(super) fn material(&self) -> &[u8] {
        &self.0.material
    }

    /// Whether both are the same key for the same algorithm.
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.algorithm == other.0.algorithm && self.0.material == other.0.material
    }
}

/// Whether a JWK is a private or symmetric key (JWKS-01).
pub(super) fn is_secret(jwk: &Map<String, Value>) -> bool {
    PRIVATE.iter().any(|&member| jwk.contains_key(member))
}

/// The same algorithm in jsonwebtoken's words.
pub(super) const fn library(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::ES256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::ES384 => jsonwebtoken::Algorithm::ES384,
        Algorithm::EdDSA => jsonwebtoken::Algorithm::EdDSA,
        Algorithm::PS256 => jsonwebtoken::Algorithm::PS256,
        Algorithm::RS256 => jsonwebtoken::Algorithm::RS256,
    }
}

/// `use` is absent or `sig`, `key_ops` absent or with `verify` (RFC 7517 §4.2, §4.3).
fn is_for_verifying(jwk: &Map<String, Value>) -> bool {
    let is_use_right = jwk.get("use").is_none_or(|value| value == "sig");
    let is_ops_right = jwk
        .get("key_ops")
        .is_none_or(|ops| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify")));
    is_use_right && is_ops_right
}

fn text<'a>(jwk: &'a Map<String, Value>, member: &str) -> Option<&'a str> {
    jwk.get(member).and_then(Value::as_str)
}

fn octets(jwk: &Map<String, Value>, member: &str, length: usize) -> Result<Vec<u8>, JoseError> {
    let encoded = text(jwk, member).ok_or(JoseError::Key)?;
    let octets = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| JoseError::Key)?;
    if octets.len() == length { Ok(octets) } else { Err(JoseError::Key) }
}

/// A Base64urlUInt (RFC 7518 §2); leading zero octets, which some issuers write, are dropped.
fn unsigned(jwk: &Map<String, Value>, member: &str) -> Result<Vec<u8>, JoseError> {
    let encoded = text(jwk, member).ok_or(JoseError::Key)?;
    let octets = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| JoseError::Key)?;
    let zeros = octets.iter().take_while(|&&octet| octet == 0).count();
    Ok(octets[zeros..].to_vec())
}

fn ec(
    jwk: &Map<String, Value>,
    length: usize,
    algorithms: &'static [Algorithm],
    rules: &'static EcdsaVerificationAlgorithm,
) -> Result<Parts, JoseError> {
    // Uncompressed (SEC 1 §2.3.3): the point at infinity cannot be written in this form.
    let point = [vec![4], octets(jwk, "x", length)?, octets(jwk, "y", length)?].concat();
    let parsed = ParsedPublicKey::new(rules, &point).map_err(|_| JoseError::Key)?;
    Ok((algorithms, DecodingKey::from_ec_der(&point), Some(parsed), point))
}

fn check_rsa(n: &[u8], e: &[u8]) -> Result<(), JoseError> {
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    let is_odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
    // 3 to 2^32: 1 is no exponent at all, and greater ones only cost time.
    let is_exponent = e.len() <= 4 && is_odd(e) && e != [1];
    if RSA_BITS.contains(&bits) && is_odd(n) && is_exponent { Ok(()) } else { Err(JoseError::Key) }
}

#[cfg(test)]
mod tests;
