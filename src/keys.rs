//! The node's secrets: master key, the keys derived from it, signing keys and their rotation.

mod ring;
mod rotation;
mod secrets;

pub use ring::{KeyRing, Signed};
pub use rotation::{announce, new_key, revoke, rotate, set_back, state};
pub use secrets::{AgentOf, MASTER, NodeSecrets, SealPurpose, is_of_own_user, is_private};

use crate::base::time::Timestamp;

/// A signing key as stored. `sealed` is its PKCS#8 under the master key.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// RFC 7638 thumbprint.
    pub kid: String,
    pub algorithm: String,
    /// The public JWK as published.
    pub public_jwk: String,
    /// Sealed private key; emptied when revoked.
    pub sealed: Vec<u8>,
    /// Since when it is published.
    pub published_at: Timestamp,
    /// From when it may sign.
    pub active_from: Timestamp,
    /// Until when it signs; absent for the newest.
    pub retired_at: Option<Timestamp>,
    /// Distrusted since.
    pub revoked_at: Option<Timestamp>,
}

impl std::fmt::Debug for KeyRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRow").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Why the keys cannot be used; stops the start, or is answered with 503.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file, and what is wrong with it (missing, not 32 bytes, readable by others).
    #[error("master key file `{path}`: {what}")]
    MasterKey { path: String, what: String },
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

impl From<crate::base::entropy::EntropyUnavailable> for KeyError {
    fn from(_: crate::base::entropy::EntropyUnavailable) -> Self {
        Self::Crypto
    }
}
