//! Signatures of other kinds than ES256, good ones and those that must never do.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A key pair for one algorithm.
#[derive(Clone)]
pub struct OtherKey {
    /// Its `kid`.
    pub kid: String,
    /// Its `alg`: RS256, PS256, ES384 or EdDSA.
    pub algorithm: &'static str,
    pkcs8: Vec<u8>,
    jwk: Value,
}

impl OtherKey {
    /// A new pair for `algorithm`.
    pub fn new(kid: &str, algorithm: &'static str) -> Self {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (pkcs8, mut jwk) = match algorithm {
            "RS256" | "PS256" => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
                let public = pair.public_key();
                let jwk = json!({
                    "kty": "RSA",
                    "n": encode(public.modulus().big_endian_without_leading_zero()),
                    "e": encode(public.exponent().big_endian_without_leading_zero()),
                });
                (pair.as_der().unwrap().as_ref().to_vec(), jwk)
            }
            "ES384" => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
                let public = pair.public_key().as_ref();
                let jwk = json!({
                    "kty": "EC", "crv": "P-384", "x": encode(&public[1..49]), "y": encode(&public[49..97]),
                });
                (pair.to_pkcs8v1().unwrap().as_ref().to_vec(), jwk)
            }
            "EdDSA" => {
                let pair = Ed25519KeyPair::generate().unwrap();
                let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())});
                (pair.to_pkcs8().unwrap().as_ref().to_vec(), jwk)
            }
            other => panic!("no key of a test signs `{other}`"),
        };
        jwk["kid"] = kid.into();
        jwk["use"] = "sig".into();
        jwk["alg"] = algorithm.into();
        Self { kid: kid.to_owned(), algorithm, pkcs8, jwk }
    }

    /// The public JWK.
    pub fn jwk(&self) -> Value {
        self.jwk.clone()
    }

    /// A key set of this one key.
    pub fn jwks(&self) -> Value {
        json!({"keys": [self.jwk()]})
    }

    /// Signs a header and a payload given as JSON text, whatever the header says.
    pub fn sign_text(&self, header: &str, payload: &str) -> String {
        let input = signing_input(header, payload);
        let rng = SystemRandom::new();
        let signature = match self.algorithm {
            "RS256" | "PS256" => {
                let pair = RsaKeyPair::from_pkcs8(&self.pkcs8).unwrap();
                let mut signature = vec![0; pair.public_modulus_len()];
                let padding: &'static dyn aws_lc_rs::signature::RsaEncoding =
                    if self.algorithm == "RS256" { &RSA_PKCS1_SHA256 } else { &RSA_PSS_SHA256 };
                pair.sign(padding, &rng, input.as_bytes(), &mut signature).unwrap();
                signature
            }
            "ES384" => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &self.pkcs8).unwrap();
                pair.sign(&rng, input.as_bytes()).unwrap().as_ref().to_vec()
            }
            _ => {
                let pair = Ed25519KeyPair::from_pkcs8(&self.pkcs8).unwrap();
                pair.sign(input.as_bytes()).as_ref().to_vec()
            }
        };
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// `HS256` with this secret.
pub fn hmac_signed(secret: &[u8], header: &str, payload: &str) -> String {
    let input = signing_input(header, payload);
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
    let tag = aws_lc_rs::hmac::sign(&key, input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
}

/// No signature at all: the third segment is empty.
pub fn unsigned(header: &str, payload: &str) -> String {
    format!("{}.", signing_input(header, payload))
}

fn signing_input(header: &str, payload: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
}
