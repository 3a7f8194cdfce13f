//! Signing with a private key held in memory.
//!
//! aws-lc signs here without jsonwebtoken, which would parse the private key again for every signature
//! (docs/adr/0009-jsonwebtoken-backend.md).

use std::sync::LazyLock;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
    RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::key::library;
use super::{Algorithm, JoseError, PublicKey, UnverifiedToken};

/// A private key bound to one algorithm, with its public JWK. Prints neither.
pub struct SigningKey {
    algorithm: Algorithm,
    kid: String,
    jwk: Map<String, Value>,
    private: Private,
    pkcs8: Zeroizing<Vec<u8>>,
}

/// A parsed private key, with the rules of its algorithm.
enum Private {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({}, {})", self.algorithm.as_str(), self.kid)
    }
}

impl SigningKey {
    /// Makes a new key: P-256, P-384, Ed25519, or RSA of 2048 bits.
    ///
    /// # Errors
    /// [`JoseError::Signing`] where the crypto library refuses.
    pub fn generate(algorithm: Algorithm) -> Result<Self, JoseError> {
        let pkcs8 = match algorithm {
            Algorithm::ES256 => generate_ec(&ECDSA_P256_SHA256_FIXED_SIGNING)?,
            Algorithm::ES384 => generate_ec(&ECDSA_P384_SHA384_FIXED_SIGNING)?,
            Algorithm::EdDSA => Ed25519KeyPair::generate()
                .and_then(|pair| pair.to_pkcs8v1())
                .map_err(|_| JoseError::Signing)?
                .as_ref()
                .to_vec(),
            Algorithm::RS256 | Algorithm::PS256 => RsaKeyPair::generate(KeySize::Rsa2048)
                .and_then(|pair| AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair))
                .map_err(|_| JoseError::Signing)?
                .as_ref()
                .to_vec(),
        };
        Self::from_pkcs8(algorithm, Zeroizing::new(pkcs8))
    }

    /// Reads a PKCS#8 document (RFC 5208).
    ///
    /// # Errors
    /// [`JoseError::Key`] where it is no key of this algorithm.
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, JoseError> {
        let private = Private::parse(algorithm, &pkcs8).ok_or(JoseError::Key)?;
        let public = private.public();
        let mut jwk =
            Jwk::from_decoding_key(&public, Some(library(algorithm))).map_err(|_| JoseError::Key)?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| JoseError::Key)?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        match serde_json::to_value(&jwk) {
            Ok(Value::Object(jwk)) => Ok(Self { algorithm, kid, jwk, private, pkcs8 }),
            _ => Err(JoseError::Key),
        }
    }

    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The same key under another `kid` than its thumbprint.
    #[must_use]
    pub fn named(mut self, kid: &str) -> Self {
        kid.clone_into(&mut self.kid);
        self.jwk.insert("kid".to_owned(), kid.into());
        self
    }

    /// Its `kid`: the thumbprint of its public key (RFC 7638), unless it was [`named`](Self::named).
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its public JWK with `kid`, `alg` and `use`.
    pub const fn jwk(&self) -> &Map<String, Value> {
        &self.jwk
    }

    /// # Errors
    /// [`JoseError::Key`], but not for keys that were generated here.
    pub fn public(&self) -> Result<PublicKey, JoseError> {
        PublicKey::from_jwk(&self.jwk)?.pop().ok_or(JoseError::Key)
    }

    /// The PKCS#8 document, to be sealed.
    pub const fn pkcs8(&self) -> &Zeroizing<Vec<u8>> {
        &self.pkcs8
    }

    /// Signs `message`; the signature in base64url.
    pub fn sign(&self, message: &[u8]) -> Result<String, JoseError> {
        let random = SystemRandom::new();
        let signature = match &self.private {
            Private::Ec(pair) => {
                pair.sign(&random, message).map(|signature| URL_SAFE_NO_PAD.encode(signature))
            }
            Private::Ed(pair) => pair.try_sign(message).map(|signature| URL_SAFE_NO_PAD.encode(signature)),
            Private::Rsa(pair, padding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*padding, &random, message, &mut signature)
                    .map(|()| URL_SAFE_NO_PAD.encode(signature))
            }
        };
        signature.map_err(|_| JoseError::Signing)
    }

    /// The first segment of tokens of this `typ` signed by this key.
    pub fn header_segment(&self, typ: &str) -> String {
        let header = serde_json::json!({ "alg": self.algorithm.as_str(), "kid": self.kid, "typ": typ });
        URL_SAFE_NO_PAD.encode(header.to_string())
    }

    /// A compact JWS (RFC 7515 §3.1) of `claims`, a serialised JSON object, under a segment made by
    /// [`SigningKey::header_segment`].
    pub fn sign_compact(&self, header_segment: &str, claims: &[u8]) -> Result<String, JoseError> {
        let mut token = String::with_capacity(header_segment.len() + claims.len() * 4 / 3 + 360);
        token.push_str(header_segment);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.sign(token.as_bytes())?;
        token.push('.');
        token.push_str(&signature);
        Ok(token)
    }

    /// A compact JWS of `claims` with this `typ`.
    pub fn sign_jwt(&self, typ: &str, claims: &Value) -> Result<String, JoseError> {
        self.sign_compact(&self.header_segment(typ), claims.to_string().as_bytes())
    }
}

impl SigningKey {
    /// A compact JWS of `claims` with this `typ`, whose header has the public key: a DPoP proof (RFC 9449 §4.2).
    pub fn sign_proof(&self, typ: &str, claims: &Value) -> Result<String, JoseError> {
        let mut jwk = self.jwk.clone();
        jwk.retain(|name, _| matches!(name.as_str(), "kty" | "crv" | "x" | "y" | "n" | "e"));
        let header = serde_json::json!({ "alg": self.algorithm.as_str(), "typ": typ, "jwk": jwk });
        self.sign_compact(&URL_SAFE_NO_PAD.encode(header.to_string()), claims.to_string().as_bytes())
    }
}

impl Private {
    fn parse(algorithm: Algorithm, pkcs8: &[u8]) -> Option<Self> {
        let rsa = |padding| RsaKeyPair::from_pkcs8(pkcs8).ok().map(|pair| Self::Rsa(pair, padding));
        let ec = |rules| EcdsaKeyPair::from_pkcs8(rules, pkcs8).ok().map(Self::Ec);
        match algorithm {
            Algorithm::ES256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::ES384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::EdDSA => Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).ok().map(Self::Ed),
            Algorithm::RS256 => rsa(&RSA_PKCS1_SHA256),
            Algorithm::PS256 => rsa(&RSA_PSS_SHA256),
        }
    }

    fn public(&self) -> DecodingKey {
        match self {
            Self::Ec(pair) => DecodingKey::from_ec_der(pair.public_key().as_ref()),
            Self::Ed(pair) => DecodingKey::from_ed_der(pair.public_key().as_ref()),
            Self::Rsa(pair, _) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                DecodingKey::from_rsa_raw_components(&public.n, &public.e)
            }
        }
    }
}

fn generate_ec(rules: &'static EcdsaSigningAlgorithm) -> Result<Vec<u8>, JoseError> {
    EcdsaKeyPair::generate(rules)
        .and_then(|pair| pair.to_pkcs8v1())
        .map(|document| document.as_ref().to_vec())
        .map_err(|_| JoseError::Signing)
}

/// Spends the time of one signature check on a token that is refused anyway, so that the time of a refusal does not
/// show whether the client is unknown or its credential is wrong (CA-ALL-04). The check is one by the algorithm of the
/// token, because a check by RSA takes another time than one by an elliptic curve.
pub fn dummy_verify(token: &UnverifiedToken<'_>) {
    static KEYS: LazyLock<Vec<PublicKey>> = LazyLock::new(dummy_keys);
    let algorithm = token.header().algorithm;
    if let Some(key) = KEYS.iter().find(|key| key.algorithm() == algorithm) {
        // INVARIANT: the answer is not looked at, so that it does not matter who holds the key.
        let _ = key.verify(token.signing_input().as_bytes(), token.signature());
    }
}

/// A key for each algorithm. To make one for RSA would keep the first request waiting for primes, and any odd modulus
/// takes the same time.
fn dummy_keys() -> Vec<PublicKey> {
    let curves = [Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA];
    let curves =
        curves.into_iter().filter_map(|algorithm| SigningKey::generate(algorithm).ok()?.public().ok());
    let modulus = URL_SAFE_NO_PAD.encode([0xc3; 256]);
    let rsa = serde_json::json!({"kty": "RSA", "n": modulus, "e": "AQAB"});
    let rsa = rsa.as_object().and_then(|jwk| PublicKey::from_jwk(jwk).ok());
    curves.chain(rsa.into_iter().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_can_be_spent_on_every_algorithm() {
        let mut algorithms: Vec<&str> = dummy_keys().iter().map(|key| key.algorithm().as_str()).collect();
        algorithms.sort_unstable();
        assert_eq!(algorithms, ["ES256", "ES384", "EdDSA", "PS256", "RS256"]);
    }
}
