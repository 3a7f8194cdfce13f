//! The node's secrets: master key, the keys derived from it, signing keys and their rotation (design.md 7).

use std::path::Path;

use crate::delegation::record::Digest;
use crate::entropy::Entropy;
use crate::protocol::{AgentId, Issuer, TaskId};
use crate::store::KeyRow;
use crate::time::{Lifetime, Timestamp};

/// Why the keys cannot be used; stops the start, or is answered with 503.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file, and what is wrong with it (missing, not 32 bytes, readable by others).
    #[error("master key file `{path}`: {what}")]
    MasterKey {
        /// Which file.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// Sealed under another master key, or damaged.
    #[error("sealed value does not open: wrong master key, or damaged")]
    Sealed,
    /// No key may sign now.
    #[error("no signing key is active")]
    NoActiveKey,
    /// The crypto library refused.
    #[error("cryptographic operation failed")]
    Crypto,
}

/// What a sealed value is for; part of the associated data.
#[derive(Clone, Copy, Debug)]
pub enum SealPurpose<'a> {
    /// A signing key, by kid.
    SigningKey(&'a str),
    /// An answer: login, target, scope, as one text.
    Answer(&'a str),
    /// The audit checkpoint key of this chain.
    CheckpointKey(&'a str),
}

/// Keys derived from the master key by HKDF-SHA-256, one label each. Prints nothing.
pub struct NodeSecrets {
    _private: (),
}

#[expect(clippy::unimplemented, unused_variables, reason = "filled in next")]
impl NodeSecrets {
    /// Makes a master key file: 32 random bytes, mode 0600, never over an existing one.
    pub fn create(path: &Path, entropy: &dyn Entropy) -> Result<(), KeyError> {
        unimplemented!()
    }

    /// Reads the master key and derives.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        unimplemented!()
    }

    /// From 32 bytes, for tests and the sandbox.
    pub fn from_master(master: &[u8; 32]) -> Self {
        unimplemented!()
    }

    /// The keyed hash under which a token is kept.
    pub fn token_hash(&self, token: &str) -> Digest {
        unimplemented!()
    }

    /// The keyed hash under which a client secret is compared.
    pub fn secret_hash(&self, secret: &[u8]) -> Digest {
        unimplemented!()
    }

    /// `pw_` and base64url of HMAC(len|issuer|len|sector|len|subject) (yes-no-claims 5, OIDC Core §8.1).
    pub fn pairwise_subject(&self, issuer: &Issuer, subject: &str, sector: &str) -> String {
        unimplemented!()
    }

    /// The `txn` that targets of a sector see instead of the task id: `tx_` and base64url of a keyed hash.
    pub fn pairwise_txn(&self, task: TaskId, sector: &str) -> String {
        unimplemented!()
    }

    /// `agent_` and 128 bits in lower-case base32: stable per (workload issuer, id), or per client.
    /// `party` is `client` or the workload issuer, `id` the client id or the workload's id.
    pub fn agent_id(&self, party: &str, id: &str) -> AgentId {
        unimplemented!()
    }

    /// Seals with AES-256-GCM, a random nonce in front.
    pub fn seal(
        &self,
        purpose: SealPurpose<'_>,
        plain: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, KeyError> {
        unimplemented!()
    }

    /// Opens what [`NodeSecrets::seal`] sealed for the same purpose.
    pub fn open(
        &self,
        purpose: SealPurpose<'_>,
        sealed: &[u8],
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, KeyError> {
        unimplemented!()
    }
}

/// The signing keys as of one reading of the store: one that signs, and all that are published.
/// Behind it one `Signer` a key, so that a KMS can come later.
pub struct KeyRing {
    _private: (),
}

/// A signed compact JWS and the key that signed it.
pub struct Signed {
    /// The token.
    pub token: String,
    /// The key.
    pub kid: String,
}

#[expect(clippy::unimplemented, unused_variables, reason = "filled in next")]
impl KeyRing {
    /// Unseals and parses the rows.
    pub fn from_rows(rows: &[KeyRow], secrets: &NodeSecrets) -> Result<Self, KeyError> {
        unimplemented!()
    }

    /// Signs `claims` (serialised JSON object) with the key that is active at `now`; header `typ`, `alg`, `kid`.
    pub fn sign(&self, typ: &str, claims: &[u8], now: Timestamp) -> Result<Signed, KeyError> {
        unimplemented!()
    }

    /// The JWKS document at `now` (RFC 7517 §5): prepared, active, and retired keys whose last token
    /// has not yet expired; never revoked ones; public members only, `use`, `alg`, `kid`.
    pub fn jwks(&self, now: Timestamp, longest_token: Lifetime) -> String {
        unimplemented!()
    }

    /// The public key of `kid`, unless revoked, as [`crate::jose`] verifies with it.
    pub fn verifying_key(&self, kid: &str) -> Option<&crate::jose::PublicKey> {
        unimplemented!()
    }
}

/// A new key: prepared, signing from `active_from` (at once only for the very first).
#[expect(clippy::unimplemented, unused_variables, reason = "filled in next")]
pub fn new_key(
    algorithm: crate::config::Algorithm,
    published_at: Timestamp,
    active_from: Timestamp,
    secrets: &NodeSecrets,
    entropy: &dyn Entropy,
) -> Result<KeyRow, KeyError> {
    unimplemented!()
}

/// What rotation does to the rows at `now`: inserts a prepared key that signs one cache age (and a
/// margin) later, and sets the retirement of the one that signs today to that moment. Pure.
#[expect(clippy::unimplemented, unused_variables, reason = "filled in next")]
pub fn rotate(rows: &[KeyRow], new: KeyRow) -> Vec<KeyRow> {
    unimplemented!()
}
