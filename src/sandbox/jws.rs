//! Keys and compact JWS of the sandbox's own parties: ES256 and nothing else (RFC 7515, RFC 7518 §3.4).
//!
//! Deputy has its own tools for this in `jose`; the parties here are others, so they bring their own.

use std::fmt;

use anyhow::Context as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A P-256 key pair of one party. Prints its key id alone.
pub struct SigningKey {
    kid: String,
    pair: EcdsaKeyPair,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A new key under this key id.
    ///
    /// # Errors
    /// The crypto library could not make one.
    pub fn generate(kid: &str) -> anyhow::Result<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).context("make a P-256 key")?;
        Ok(Self { kid: kid.to_owned(), pair })
    }

    /// The public key as a JWK (RFC 7517 §4).
    pub fn public_jwk(&self) -> Value {
        // The public key is an uncompressed point: 0x04, 32 bytes of x, 32 bytes of y.
        let point = self.pair.public_key().as_ref();
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid,
            "x": URL_SAFE_NO_PAD.encode(point.get(1..33).unwrap_or_default()),
            "y": URL_SAFE_NO_PAD.encode(point.get(33..65).unwrap_or_default()),
        })
    }

    /// A set of this one key (RFC 7517 §5).
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.public_jwk()] })
    }

    /// Signs bytes: the 64-byte form of RFC 7518 §3.4.
    ///
    /// # Errors
    /// The crypto library refused.
    pub fn sign(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        let signature = self.pair.sign(&SystemRandom::new(), message).context("sign")?;
        Ok(signature.as_ref().to_vec())
    }

    /// Signs claims into a compact JWS with this `typ`.
    ///
    /// # Errors
    /// As [`SigningKey::sign`].
    pub fn sign_jwt(&self, typ: &str, claims: &Value) -> anyhow::Result<String> {
        let header = json!({ "alg": "ES256", "typ": typ, "kid": self.kid });
        let input = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = self.sign(input.as_bytes())?;
        Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// Whether `signature` is of `message` by the P-256 key of this JWK.
pub fn is_signed_by(jwk: &Value, message: &[u8], signature: &[u8]) -> bool {
    let coordinate =
        |name: &str| jwk.get(name).and_then(Value::as_str).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let (Some(x), Some(y)) = (coordinate("x"), coordinate("y")) else { return false };
    let point = [&[4][..], &x, &y].concat();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
}

/// A decoded JWT. Its signature is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The JOSE header.
    pub header: Value,
    /// The claims.
    pub claims: Value,
}

impl Decoded {
    /// A claim that is a string; empty if it is not there.
    pub fn text(&self, claim: &str) -> &str {
        self.claims.get(claim).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Decodes a compact JWS without verifying it. `None` if it is none.
pub fn decode(token: &str) -> Option<Decoded> {
    let mut parts = token.split('.');
    let mut next = || URL_SAFE_NO_PAD.decode(parts.next()?).ok();
    let (header, claims, _signature) = (next()?, next()?, next()?);
    let object = |bytes: &[u8]| serde_json::from_slice(bytes).ok().filter(Value::is_object);
    Some(Decoded { header: object(&header)?, claims: object(&claims)? })
}

/// Verifies a compact ES256 JWS with the key of this set that its `kid` names, and decodes it.
pub fn verify(token: &str, jwks: &Value) -> Option<Decoded> {
    let decoded = decode(token)?;
    let (input, signature) = token.rsplit_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    let kid = decoded.header.get("kid")?;
    let key = jwks.get("keys")?.as_array()?.iter().find(|key| key.get("kid") == Some(kid))?;
    let is_es256 = decoded.header.get("alg").and_then(Value::as_str) == Some("ES256");
    (is_es256 && is_signed_by(key, input.as_bytes(), &signature)).then_some(decoded)
}

/// Whether this looks like a compact JWS.
pub fn is_jws(text: &str) -> bool {
    text.starts_with("eyJ") && text.bytes().filter(|&b| b == b'.').count() == 2
}

/// A token as it may be shown: the first characters of the header, never the signature.
pub fn shorten(token: &str) -> String {
    let start: String = token.chars().take(7).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_token_verifies_with_its_own_key_and_no_other() {
        let (ours, theirs) = (SigningKey::generate("k").unwrap(), SigningKey::generate("k").unwrap());
        let token = ours.sign_jwt("JWT", &json!({"sub": "alice"})).unwrap();
        assert_eq!(verify(&token, &ours.jwks()).unwrap().text("sub"), "alice");
        assert_eq!(verify(&token, &theirs.jwks()), None);
    }

    #[test]
    fn a_changed_claim_breaks_the_signature() {
        let key = SigningKey::generate("k").unwrap();
        let token = key.sign_jwt("JWT", &json!({"sub": "alice"})).unwrap();
        let other = key.sign_jwt("JWT", &json!({"sub": "mallory"})).unwrap();
        let [header, _, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
        let spliced = format!("{header}.{}.{signature}", other.split('.').nth(1).unwrap());
        assert_eq!(verify(&spliced, &key.jwks()), None);
        assert_eq!(decode(&spliced).unwrap().text("sub"), "mallory");
    }

    #[test]
    fn what_is_shown_of_a_token_holds_nothing_of_its_signature() {
        let token = SigningKey::generate("k").unwrap().sign_jwt("JWT", &json!({})).unwrap();
        assert!(is_jws(&token));
        assert!(shorten(&token).chars().count() <= 8);
    }
}
