//! A client assertion (RFC 7523 §2.2) signed with a key from a PEM file.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;

use super::CliError;
use crate::config::Algorithm;
use crate::entropy::{SystemEntropy, uuid_v7};
use crate::time::{Clock as _, SystemClock};

/// How long an assertion is good, in seconds.
const LIFETIME_SECONDS: i64 = 60;

/// A client's private key, bound to one algorithm.
pub(super) struct SigningKey {
    key: Key,
    algorithm: Algorithm,
    kid: Option<String>,
}

enum Key {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    /// Reads PKCS#8 PEM. Without `algorithm` the key says which: ES256, EdDSA or PS256.
    pub(super) fn read(pem: &str, algorithm: Option<&str>, kid: Option<String>) -> Result<Self, CliError> {
        let unusable = || {
            CliError::Failed(
                "the client key is no PKCS#8 PEM of a P-256, Ed25519 or RSA (2048 bits or more) key; \
                 `openssl pkcs8 -topk8 -nocrypt` converts others"
                    .to_owned(),
            )
        };
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| unusable())?;
        let der = der.secret_pkcs8_der();
        let (key, fits): (_, &[Algorithm]) =
            if let Ok(key) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
                (Key::P256(key), &[Algorithm::ES256])
            } else if let Ok(key) = Ed25519KeyPair::from_pkcs8(der) {
                (Key::Ed25519(key), &[Algorithm::EdDSA])
            } else if let Ok(key) = RsaKeyPair::from_pkcs8(der) {
                (Key::Rsa(key), &[Algorithm::PS256, Algorithm::RS256])
            } else {
                return Err(unusable());
            };
        let algorithm = match algorithm {
            None => fits[0],
            Some(name) => {
                let fitting = Algorithm::parse(name).filter(|algorithm| fits.contains(algorithm));
                fitting.ok_or_else(|| CliError::Usage(format!("`{name}` does not fit the client key")))?
            }
        };
        Ok(Self { key, algorithm, kid })
    }

    /// A new assertion of `client` for `issuer` alone.
    pub(super) fn assertion(&self, client: &str, issuer: &str) -> Result<String, CliError> {
        let failed = || CliError::Failed("the client assertion could not be signed".to_owned());
        let now = SystemClock.now();
        let jti = uuid_v7(&SystemEntropy::default(), now).map_err(|_| failed())?;
        let mut header = json!({"alg": self.algorithm.as_str(), "typ": "client-authentication+jwt"});
        if let Some(kid) = &self.kid {
            header["kid"] = json!(kid);
        }
        let claims = json!({
            "iss": client,
            "sub": client,
            "aud": issuer,
            "jti": jti,
            "iat": now.seconds(),
            "exp": now.seconds() + LIFETIME_SECONDS,
        });
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = self.sign(signed.as_bytes()).ok_or_else(failed)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.key {
            Key::P256(key) => Some(key.sign(&random, message).ok()?.as_ref().to_vec()),
            Key::Ed25519(key) => Some(key.sign(message).as_ref().to_vec()),
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                let done = if self.algorithm == Algorithm::RS256 {
                    key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                } else {
                    key.sign(&RSA_PSS_SHA256, &random, message, &mut signature)
                };
                done.ok().map(|()| signature)
            }
        }
    }
}
