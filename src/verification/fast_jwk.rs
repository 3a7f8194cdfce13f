//! A JSON Web Key for openidconnect that verifies with aws-lc, several times faster than its own.

use std::sync::Arc;

use openidconnect::core::{CoreJsonWebKeyType, CoreJsonWebKeyUse, CoreJwsSigningAlgorithm};
use openidconnect::{
    JsonWebKey, JsonWebKeyAlgorithm, JsonWebKeyId, JwsSigningAlgorithm as _, SignatureVerificationError,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::jose::Algorithm;
use crate::jose::{PublicKey, UnverifiedToken};

/// The key chosen for one token, with the text that its signature covers.
///
/// openidconnect is shown a projection of the token: the claims it judges, no others, so that a claim
/// it would not parse (a birthdate that is a number, an `updated_at` that is a date) cannot make a
/// good login unusable. The signature belongs to the whole text as presented; this key therefore
/// verifies over that text, and never over the projection that it is called with.
#[derive(Clone)]
pub struct FastJwk(Arc<Chosen>);

struct Chosen {
    kid: Option<JsonWebKeyId>,
    kind: CoreJsonWebKeyType,
    algorithm: CoreJwsSigningAlgorithm,
    key: PublicKey,
    signing_input: String,
    signature: String,
}

impl FastJwk {
    /// For this token alone.
    pub fn new(token: &UnverifiedToken<'_>, key: &PublicKey) -> Self {
        let algorithm = algorithm(key.algorithm());
        let kind = algorithm.key_type().unwrap_or(CoreJsonWebKeyType::RSA);
        Self(Arc::new(Chosen {
            kid: token.header().kid.clone().map(JsonWebKeyId::new),
            kind,
            algorithm,
            key: key.clone(),
            signing_input: token.signing_input().to_owned(),
            signature: token.signature().to_owned(),
        }))
    }
}

/// The same algorithm in openidconnect's words.
pub const fn algorithm(algorithm: Algorithm) -> CoreJwsSigningAlgorithm {
    match algorithm {
        Algorithm::ES256 => CoreJwsSigningAlgorithm::EcdsaP256Sha256,
        Algorithm::ES384 => CoreJwsSigningAlgorithm::EcdsaP384Sha384,
        Algorithm::EdDSA => CoreJwsSigningAlgorithm::EdDsa,
        Algorithm::PS256 => CoreJwsSigningAlgorithm::RsaSsaPssSha256,
        Algorithm::RS256 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    }
}

impl JsonWebKey for FastJwk {
    type KeyUse = CoreJsonWebKeyUse;
    type SigningAlgorithm = CoreJwsSigningAlgorithm;

    fn key_id(&self) -> Option<&JsonWebKeyId> {
        self.0.kid.as_ref()
    }

    fn key_type(&self) -> &CoreJsonWebKeyType {
        &self.0.kind
    }

    fn key_use(&self) -> Option<&CoreJsonWebKeyUse> {
        Some(&CoreJsonWebKeyUse::Signature)
    }

    fn signing_alg(&self) -> JsonWebKeyAlgorithm<&CoreJwsSigningAlgorithm> {
        JsonWebKeyAlgorithm::Algorithm(&self.0.algorithm)
    }

    fn new_symmetric(_: Vec<u8>) -> Self {
        // openidconnect makes one only for HS256 and its like with a client secret; none is ever given.
        unreachable!("no symmetric key is ever made")
    }

    fn verify_signature(
        &self,
        signature_alg: &CoreJwsSigningAlgorithm,
        _projection: &[u8],
        _signature: &[u8],
    ) -> Result<(), SignatureVerificationError> {
        if *signature_alg != self.0.algorithm {
            return Err(SignatureVerificationError::DisallowedAlg("not that of the key".to_owned()));
        }
        self.0
            .key
            .verify(self.0.signing_input.as_bytes(), &self.0.signature)
            .map_err(|_| SignatureVerificationError::CryptoError("signature does not verify".to_owned()))
    }

    fn hash_bytes(&self, _: &[u8], _: &CoreJwsSigningAlgorithm) -> Result<Vec<u8>, String> {
        Err("at_hash and c_hash are not judged here".to_owned())
    }
}

impl std::fmt::Debug for FastJwk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.key.fmt(f)
    }
}

// The trait asks for both; a key for one token is never read or written.
impl<'de> Deserialize<'de> for FastJwk {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("made for one token, never read"))
    }
}

impl Serialize for FastJwk {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("made for one token, never written"))
    }
}
