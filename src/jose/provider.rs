//! A crypto provider for jsonwebtoken that parses each key once.
//!
//! The shipped one parses and checks a private key at every signature, which costs ES256 two fifths of
//! its speed and RS256 more than half. This one looks the parsed key up by its bytes, and falls back to
//! the shipped one for algorithms Deputy does not use.

use std::sync::{Arc, LazyLock, Once};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self as aws, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, ParsedPublicKey, RsaEncoding,
    RsaKeyPair, VerificationAlgorithm,
};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, aws_lc};
use jsonwebtoken::errors::{Error, ErrorKind, Result};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey};
use moka::sync::Cache;

/// Parsed public keys kept: keys of issuers and clients come from outside, so the number is bounded.
const PUBLIC_KEYS: u64 = 4096;
/// Parsed private keys kept: Deputy's own, few at a time.
const PRIVATE_KEYS: u64 = 64;

/// Makes the cached-key provider that of the process. Idempotent; every entry to [`crate::jose`] that
/// needs it calls it, so nothing else has to.
pub fn install_provider() {
    static ONCE: Once = Once::new();
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory,
        verifier_factory,
        // The same functions as the shipped provider has; a `static` cannot copy them out of one.
        key_utils: jsonwebtoken::crypto::KeyUtils {
            rsa_pub_components_from_private_key: |der| {
                (aws_lc::DEFAULT_PROVIDER.key_utils.rsa_pub_components_from_private_key)(der)
            },
            rsa_pub_components_from_public_key: |der| {
                (aws_lc::DEFAULT_PROVIDER.key_utils.rsa_pub_components_from_public_key)(der)
            },
            ec_pub_components_from_private_key: |der, algorithm| {
                (aws_lc::DEFAULT_PROVIDER.key_utils.ec_pub_components_from_private_key)(der, algorithm)
            },
            ed_pub_components_from_private_key: |der, curve| {
                (aws_lc::DEFAULT_PROVIDER.key_utils.ed_pub_components_from_private_key)(der, curve)
            },
            compute_digest: |data, hash| (aws_lc::DEFAULT_PROVIDER.key_utils.compute_digest)(data, hash),
        },
    };
    // Refused only where a provider is in place already; signatures are then right, only slower.
    ONCE.call_once(|| {
        let _ = PROVIDER.install_default();
    });
}

enum PrivateKey {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

struct CachedSigner(Algorithm, Arc<PrivateKey>);

impl Signer<Vec<u8>> for CachedSigner {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, SignatureError> {
        match self.1.as_ref() {
            PrivateKey::Ec(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(SignatureError::from_source),
            PrivateKey::Ed(pair) => pair
                .try_sign(message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(SignatureError::from_source),
            PrivateKey::Rsa(pair, padding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*padding, &SystemRandom::new(), message, &mut signature)
                    .map(|()| signature)
                    .map_err(SignatureError::from_source)
            }
        }
    }
}

impl JwtSigner for CachedSigner {
    fn algorithm(&self) -> Algorithm {
        self.0
    }
}

struct CachedVerifier(Algorithm, Arc<ParsedPublicKey>);

impl Verifier<Vec<u8>> for CachedVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), SignatureError> {
        self.1.verify_sig(message, signature).map_err(SignatureError::from_source)
    }
}

impl JwtVerifier for CachedVerifier {
    fn algorithm(&self) -> Algorithm {
        self.0
    }
}

fn signer_factory(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    static KEYS: LazyLock<Cache<[u8; 32], Arc<PrivateKey>>> = LazyLock::new(|| Cache::new(PRIVATE_KEYS));
    let parse: fn(&[u8]) -> Option<PrivateKey> = match algorithm {
        Algorithm::ES256 => |der| parse_ec(&aws::ECDSA_P256_SHA256_FIXED_SIGNING, der),
        Algorithm::ES384 => |der| parse_ec(&aws::ECDSA_P384_SHA384_FIXED_SIGNING, der),
        Algorithm::EdDSA => |der| Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok().map(PrivateKey::Ed),
        Algorithm::RS256 => |der| parse_rsa(&aws::RSA_PKCS1_SHA256, der),
        Algorithm::PS256 => |der| parse_rsa(&aws::RSA_PSS_SHA256, der),
        _ => return (aws_lc::DEFAULT_PROVIDER.signer_factory)(algorithm, key),
    };
    if key.family() != algorithm.family() {
        return Err(ErrorKind::InvalidKeyFormat.into());
    }
    // A digest as the name, so that the cache holds no second copy of the key.
    let name = cache_name(*algorithm, &[key.as_bytes()]);
    let parsed = match KEYS.get(&name) {
        Some(parsed) => parsed,
        None => {
            let parsed = Arc::new(parse(key.as_bytes()).ok_or_else(|| unusable(*algorithm))?);
            KEYS.insert(name, Arc::clone(&parsed));
            parsed
        }
    };
    Ok(Box::new(CachedSigner(*algorithm, parsed)))
}

fn verifier_factory(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    static KEYS: LazyLock<Cache<[u8; 32], Arc<ParsedPublicKey>>> = LazyLock::new(|| Cache::new(PUBLIC_KEYS));
    if !is_served(*algorithm) {
        return (aws_lc::DEFAULT_PROVIDER.verifier_factory)(algorithm, key);
    }
    if key.family() != algorithm.family() {
        return Err(ErrorKind::InvalidKeyFormat.into());
    }
    let name = match key.kind() {
        DecodingKeyKind::SecretOrDer(bytes) => cache_name(*algorithm, &[bytes]),
        DecodingKeyKind::RsaModulusExponent { n, e } => cache_name(*algorithm, &[n, e]),
    };
    let parsed = match KEYS.get(&name) {
        Some(parsed) => parsed,
        None => {
            let parsed = Arc::new(parse_public(*algorithm, key).ok_or_else(|| unusable(*algorithm))?);
            KEYS.insert(name, Arc::clone(&parsed));
            parsed
        }
    };
    Ok(Box::new(CachedVerifier(*algorithm, parsed)))
}

const fn is_served(algorithm: Algorithm) -> bool {
    matches!(
        algorithm,
        Algorithm::ES256 | Algorithm::ES384 | Algorithm::EdDSA | Algorithm::RS256 | Algorithm::PS256
    )
}

/// SHA-256 over the algorithm and the parts, each with its length.
fn cache_name(algorithm: Algorithm, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    context.update(&[algorithm as u8]);
    for part in parts {
        context.update(&part.len().to_be_bytes());
        context.update(part);
    }
    let mut name = [0; 32];
    name.copy_from_slice(context.finish().as_ref());
    name
}

fn parse_ec(rules: &'static EcdsaSigningAlgorithm, der: &[u8]) -> Option<PrivateKey> {
    EcdsaKeyPair::from_pkcs8(rules, der).ok().map(PrivateKey::Ec)
}

fn parse_rsa(padding: &'static dyn RsaEncoding, der: &[u8]) -> Option<PrivateKey> {
    let pair = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der)).ok()?;
    Some(PrivateKey::Rsa(pair, padding))
}

/// Parses and checks a public key; an EC point has to be on its curve.
pub(super) fn parse_public(algorithm: Algorithm, key: &DecodingKey) -> Option<ParsedPublicKey> {
    let rules: &'static dyn VerificationAlgorithm = match algorithm {
        Algorithm::ES256 => &aws::ECDSA_P256_SHA256_FIXED,
        Algorithm::ES384 => &aws::ECDSA_P384_SHA384_FIXED,
        Algorithm::EdDSA => &aws::ED25519,
        Algorithm::RS256 => &aws::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::PS256 => &aws::RSA_PSS_2048_8192_SHA256,
        _ => return None,
    };
    match key.kind() {
        DecodingKeyKind::SecretOrDer(bytes) => ParsedPublicKey::new(rules, bytes).ok(),
        DecodingKeyKind::RsaModulusExponent { n, e } => {
            let rules = match algorithm {
                Algorithm::PS256 => &aws::RSA_PSS_2048_8192_SHA256,
                _ => &aws::RSA_PKCS1_2048_8192_SHA256,
            };
            aws::RsaPublicKeyComponents { n, e }.to_parsed_public_key(rules).ok()
        }
    }
}

fn unusable(algorithm: Algorithm) -> Error {
    match algorithm.family() {
        AlgorithmFamily::Ec => ErrorKind::InvalidEcdsaKey.into(),
        AlgorithmFamily::Ed => ErrorKind::InvalidEddsaKey.into(),
        _ => ErrorKind::InvalidKeyFormat.into(),
    }
}
