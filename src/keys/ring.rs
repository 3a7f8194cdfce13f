//! The signing keys as of one reading of the store.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::KeyRow;
use super::rotation::{KeyState, state};
use super::{KeyError, NodeSecrets, SealPurpose};
use crate::base::time::{FOREIGN_LEEWAY, Lifetime, Timestamp};
use crate::jose::{Algorithm, PublicKey, SigningKey};
use crate::oauth::exchange::own_typ;

/// Signs with one key. In memory today; a KMS is another implementation.
pub trait Signer: Send + Sync {
    /// A compact JWS of `claims`, a serialised JSON object, with header `typ`, `alg` and `kid`.
    fn sign(&self, typ: &str, claims: &[u8]) -> Result<String, KeyError>;
}

/// A signing key in memory.
struct MemorySigner {
    key: SigningKey,
    /// The header segments of [`own_typ::ALL`], made once.
    headers: [String; own_typ::ALL.len()],
}

impl MemorySigner {
    fn new(key: SigningKey) -> Self {
        let headers = own_typ::ALL.map(|typ| key.header_segment(typ));
        Self { key, headers }
    }
}

impl Signer for MemorySigner {
    fn sign(&self, typ: &str, claims: &[u8]) -> Result<String, KeyError> {
        let signed = match own_typ::ALL.iter().position(|&known| known == typ) {
            Some(at) => self.key.sign_compact(&self.headers[at], claims),
            None => self.key.sign_compact(&self.key.header_segment(typ), claims),
        };
        signed.map_err(|_| KeyError::Crypto)
    }
}

/// The signing keys as of one reading of the store: one that signs, and all that are published.
/// Behind it one [`Signer`] a key, so that a KMS can come later.
pub struct KeyRing {
    /// The how-manyeth reading of the store this is, counted when the reading began.
    reading: u64,
    keys: Vec<RingKey>,
    revoked: Vec<String>,
}

struct RingKey {
    row: KeyRow,
    parsed: Arc<Parsed>,
}

/// What is made of the sealed private part of a row.
struct Parsed {
    jwk: Map<String, Value>,
    public: PublicKey,
    signer: Box<dyn Signer>,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.row.kid)).finish()
    }
}

/// A signed compact JWS and the key that signed it.
#[derive(Debug)]
pub struct Signed {
    pub token: String,
    pub kid: String,
}

impl KeyRing {
    /// No key.
    pub const fn empty() -> Self {
        Self { reading: 0, keys: Vec::new(), revoked: Vec::new() }
    }

    /// Unseals and parses the rows.
    ///
    /// # Errors
    /// As of [`KeyRing::renewed`].
    pub fn from_rows(rows: &[KeyRow], secrets: &NodeSecrets) -> Result<Self, KeyError> {
        Self::empty().renewed(0, rows, secrets)
    }

    /// The ring of another reading. A private key is unsealed once, and not again while its sealed part stays as it is;
    /// one that was revoked is dropped.
    ///
    /// # Errors
    /// [`KeyError::Sealed`] under another master key or where a row does not belong to its `kid`,
    /// [`KeyError::Crypto`] for a key that does not parse.
    pub fn renewed(&self, reading: u64, rows: &[KeyRow], secrets: &NodeSecrets) -> Result<Self, KeyError> {
        let (live, revoked): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.revoked_at.is_none());
        let key = |row: &KeyRow| -> Result<RingKey, KeyError> {
            let is_same = |known: &&RingKey| {
                let known = &known.row;
                (&known.kid, &known.algorithm, &known.sealed) == (&row.kid, &row.algorithm, &row.sealed)
            };
            let parsed = match self.keys.iter().find(is_same) {
                Some(known) => known.parsed.clone(),
                None => Arc::new(parse(row, secrets)?),
            };
            Ok(RingKey { row: row.clone(), parsed })
        };
        let keys = live.into_iter().map(key).collect::<Result<_, _>>()?;
        Ok(Self { reading, keys, revoked: revoked.into_iter().map(|row| row.kid.clone()).collect() })
    }

    /// Whether the reading of this ring began after that of `other`.
    pub const fn is_newer_than(&self, other: &Self) -> bool {
        self.reading > other.reading
    }

    /// Signs `claims` (serialised JSON object) with the key that is active at `now`; header `typ`, `alg`, `kid`.
    ///
    /// # Errors
    /// [`KeyError::NoActiveKey`], [`KeyError::Crypto`].
    pub fn sign(&self, typ: &str, claims: &[u8], now: Timestamp) -> Result<Signed, KeyError> {
        let key = self.active(now).ok_or(KeyError::NoActiveKey)?;
        Ok(Signed { token: key.parsed.signer.sign(typ, claims)?, kid: key.row.kid.clone() })
    }

    fn active(&self, now: Timestamp) -> Option<&RingKey> {
        let active = self.keys.iter().filter(|key| state(&key.row, now) == KeyState::Active);
        active.max_by_key(|key| (key.row.active_from, &key.row.kid))
    }

    /// The JWKS document at `now` (RFC 7517 §5): prepared, active, and retired keys whose last token
    /// has not yet expired; never revoked ones; public members only, `use`, `alg`, `kid`.
    pub fn jwks(&self, now: Timestamp, longest_token: Lifetime) -> String {
        let keys: Vec<Value> = self
            .keys
            .iter()
            .filter(|key| key.row.published_at <= now)
            .filter(|key| {
                let last_use = |at: Timestamp| at.plus(longest_token).plus(FOREIGN_LEEWAY);
                key.row.retired_at.is_none_or(|at| now < last_use(at))
            })
            .map(|key| Value::Object(key.parsed.jwk.clone()))
            .collect();
        serde_json::json!({ "keys": keys }).to_string()
    }

    /// The public key of `kid`, unless revoked, as [`crate::jose`] verifies with it.
    pub fn verifying_key(&self, kid: &str) -> Option<&PublicKey> {
        self.keys.iter().find(|key| key.row.kid == kid).map(|key| &key.parsed.public)
    }

    /// Whether `kid` is a key of ours that was revoked.
    pub fn is_revoked(&self, kid: &str) -> bool {
        self.revoked.iter().any(|revoked| revoked == kid)
    }
}

fn parse(row: &KeyRow, secrets: &NodeSecrets) -> Result<Parsed, KeyError> {
    let algorithm = Algorithm::parse(&row.algorithm).ok_or(KeyError::Crypto)?;
    let pkcs8 = secrets.open(SealPurpose::SigningKey(&row.kid), &row.sealed)?;
    let key = SigningKey::from_pkcs8(algorithm, pkcs8).map_err(|_| KeyError::Crypto)?;
    if key.kid() != row.kid {
        return Err(KeyError::Sealed);
    }
    // The published key is derived again from the private one: an edited `public_jwk` has no effect.
    let public = key.public().map_err(|_| KeyError::Crypto)?;
    Ok(Parsed { jwk: key.jwk().clone(), public, signer: Box::new(MemorySigner::new(key)) })
}

#[cfg(test)]
mod tests;
