//! Key pairs of those around Deputy, and signing with them.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// An ES256 key pair with a `kid`.
#[derive(Clone)]
pub struct Key {
    /// Its `kid`.
    pub kid: String,
    pkcs8: Vec<u8>,
    public: Vec<u8>,
}

impl Key {
    /// A new pair.
    pub fn new(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let pkcs8 = pair.to_pkcs8v1().unwrap().as_ref().to_vec();
        Self { kid: kid.to_owned(), pkcs8, public: pair.public_key().as_ref().to_vec() }
    }

    /// The pair in this PKCS#8.
    pub fn from_pkcs8(kid: &str, pkcs8: &[u8]) -> Self {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).unwrap();
        let public = pair.public_key().as_ref().to_vec();
        Self { kid: kid.to_owned(), pkcs8: pkcs8.to_vec(), public }
    }

    /// The same pair under another `kid`.
    pub fn named(&self, kid: &str) -> Self {
        Self { kid: kid.to_owned(), ..self.clone() }
    }

    /// The public key as an uncompressed point (SEC 1 §2.3.3).
    pub fn point(&self) -> &[u8] {
        &self.public
    }

    /// The public JWK (RFC 7517 §4).
    pub fn jwk(&self) -> Value {
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid,
            "x": URL_SAFE_NO_PAD.encode(&self.public[1..33]),
            "y": URL_SAFE_NO_PAD.encode(&self.public[33..65]),
        })
    }

    /// A key set of this one key.
    pub fn jwks(&self) -> Value {
        json!({"keys": [self.jwk()]})
    }

    /// Signs two encoded segments as they stand.
    pub fn sign_raw(&self, signing_input: &str) -> String {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.pkcs8).unwrap();
        let signature = pair.sign(&SystemRandom::new(), signing_input.as_bytes()).unwrap();
        format!("{signing_input}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// Signs a header and a payload given as JSON text, so that tests can write what no library would.
    pub fn sign_text(&self, header: &str, payload: &str) -> String {
        self.sign_bytes(header.as_bytes(), payload.as_bytes())
    }

    /// Signs a header and a payload given as bytes, which need not even be text.
    pub fn sign_bytes(&self, header: &[u8], payload: &[u8]) -> String {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        self.sign_raw(&format!("{}.{}", encode(header), encode(payload)))
    }

    /// Signs with header `alg` ES256 and this `kid`.
    pub fn sign(&self, payload: &Value) -> String {
        let header = json!({"alg": "ES256", "kid": self.kid});
        self.sign_text(&header.to_string(), &payload.to_string())
    }
}
