//! The keys of the other parties, and what they sign. Written apart from Deputy's own signing, so that a fault there
//! cannot hide here.

#![allow(dead_code, reason = "each test target uses its part")]

use std::sync::Arc;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// An ES256 key pair with a `kid`.
#[derive(Clone)]
pub struct Key {
    pub kid: String,
    pair: Arc<EcdsaKeyPair>,
}

impl Key {
    /// A new pair.
    pub fn new(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { kid: kid.to_owned(), pair: Arc::new(pair) }
    }

    /// The pair in this PKCS#8.
    pub fn from_pkcs8(kid: &str, pkcs8: &[u8]) -> Self {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).unwrap();
        Self { kid: kid.to_owned(), pair: Arc::new(pair) }
    }

    /// The same pair under another `kid`.
    pub fn named(&self, kid: &str) -> Self {
        Self { kid: kid.to_owned(), ..self.clone() }
    }

    /// The public key as an uncompressed point (SEC 1 §2.3.3).
    pub fn point(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// The public JWK (RFC 7517 §4).
    pub fn jwk(&self) -> Value {
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid,
            "x": URL_SAFE_NO_PAD.encode(&self.point()[1..33]),
            "y": URL_SAFE_NO_PAD.encode(&self.point()[33..65]),
        })
    }

    /// The SHA-256 thumbprint of the public key (RFC 7638 §3.2).
    pub fn thumbprint(&self) -> String {
        let jwk = self.jwk();
        let text = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        URL_SAFE_NO_PAD.encode(digest.as_ref())
    }

    /// A key set of this one key.
    pub fn jwks(&self) -> Value {
        json!({"keys": [self.jwk()]})
    }

    /// Signs two encoded segments, unchanged.
    pub fn sign_raw(&self, signing_input: &str) -> String {
        let signature = self.pair.sign(&SystemRandom::new(), signing_input.as_bytes()).unwrap();
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

    /// Signs claims as a JWT of this `typ`.
    pub fn sign_typed(&self, typ: &str, claims: &Value) -> String {
        let header = json!({"alg": "ES256", "typ": typ, "kid": self.kid});
        self.sign_text(&header.to_string(), &claims.to_string())
    }
}

/// How every opaque token begins.
pub const OPAQUE: &str = "dpt_at_";

/// The `jti` of a token of Deputy's own, by what is written in it.
pub fn jti_of(token: &str) -> String {
    match token.strip_prefix(OPAQUE) {
        None => claims_of(token)["jti"].as_str().expect("jti").to_owned(),
        Some(encoded) => {
            let bytes = URL_SAFE_NO_PAD.decode(encoded).expect("base64url");
            uuid::Uuid::from_slice(&bytes[..16]).expect("a UUID").to_string()
        }
    }
}

/// The header of a compact JWT, unverified.
pub fn header_of(token: &str) -> Value {
    segment(token, 0)
}

/// The claims of a compact JWT, unverified.
pub fn claims_of(token: &str) -> Value {
    segment(token, 1)
}

fn segment(token: &str, index: usize) -> Value {
    let segment = token.split('.').nth(index).expect("a compact JWT has three segments");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(segment).unwrap()).unwrap()
}

/// The same token with another signature: well-formed, and forged.
pub fn forged(token: &str) -> String {
    let (input, signature) = token.rsplit_once('.').expect("a compact JWT has three segments");
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[10] ^= 0x55;
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// Sixteen random bytes in hex, for identifiers that must not recur.
pub fn fresh_id() -> String {
    let mut bytes = [0u8; 16];
    SystemRandom::new().fill(&mut bytes).unwrap();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
