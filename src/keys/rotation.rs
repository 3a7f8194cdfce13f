//! Prepared, active, retired, revoked: functions of rows and a time. Nothing here does I/O.

use super::KeyRow;
use super::{KeyError, NodeSecrets, SealPurpose};
use crate::base::entropy::Entropy;
use crate::base::time::{Lifetime, Timestamp};
use crate::jose::{Algorithm, SigningKey};

/// Beyond one cache age, for clocks and slow fetches (JWKS-03).
const ANNOUNCE_MARGIN: Lifetime = Lifetime::from_seconds(60);

/// What a key may do at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published, does not sign yet.
    Prepared,
    /// Signs, unless a newer one does.
    Active,
    /// Signs no more; what it signed is still believed.
    Retired,
    /// Believed no more.
    Revoked,
}

impl KeyState {
    /// The word in lists.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }
}

/// What the key of `row` may do at `now`. A revocation is in effect from the moment it is recorded, whatever the
/// clock says afterwards (JWKS-05).
pub fn state(row: &KeyRow, now: Timestamp) -> KeyState {
    if row.revoked_at.is_some() {
        KeyState::Revoked
    } else if row.retired_at.is_some_and(|at| now >= at) {
        KeyState::Retired
    } else if now < row.active_from {
        KeyState::Prepared
    } else {
        KeyState::Active
    }
}

/// When a key published at `now` may sign: one cache age of `/jwks` and a margin later (JWKS-03).
pub fn announce(now: Timestamp, jwks_max_age: Lifetime) -> Timestamp {
    now.plus(jwks_max_age).plus(ANNOUNCE_MARGIN)
}

/// A new key: prepared, signing from `active_from` (at once only for the very first).
pub fn new_key(
    algorithm: Algorithm,
    published_at: Timestamp,
    active_from: Timestamp,
    secrets: &NodeSecrets,
    entropy: &dyn Entropy,
) -> Result<KeyRow, KeyError> {
    let key = SigningKey::generate(algorithm).map_err(|_| KeyError::Crypto)?;
    let sealed = secrets.seal(SealPurpose::SigningKey(key.kid()), key.pkcs8(), entropy)?;
    Ok(KeyRow {
        kid: key.kid().to_owned(),
        algorithm: algorithm.as_str().to_owned(),
        public_jwk: serde_json::Value::Object(key.jwk().clone()).to_string(),
        sealed,
        published_at,
        active_from,
        retired_at: None,
        revoked_at: None,
    })
}

/// What rotation does to the rows: inserts `new`, prepared until its `active_from` (see [`announce`]),
/// and sets the retirement of every other key that would still sign then to that moment. Pure; gives
/// back the rows to write.
pub fn rotate(rows: &[KeyRow], new: KeyRow) -> Vec<KeyRow> {
    let until = new.active_from;
    rows.iter()
        .filter(|row| row.revoked_at.is_none() && row.retired_at.is_none_or(|at| at > until))
        .map(|row| KeyRow { retired_at: Some(until), ..row.clone() })
        .chain(std::iter::once(new.clone()))
        .collect()
}

/// The rows after the clock was set back from `highest` to `now`. Each key is in the state in which it was, so the key
/// that signed continues to sign. Pure.
pub fn set_back(rows: &[KeyRow], highest: Timestamp, now: Timestamp) -> Vec<KeyRow> {
    let by = highest.millis_since(now);
    if by <= 0 {
        return Vec::new();
    }
    let back = |at: Timestamp| Timestamp::from_millis(at.millis().saturating_sub(by));
    rows.iter()
        .filter(|row| row.revoked_at.is_none())
        .map(|row| KeyRow {
            published_at: back(row.published_at),
            active_from: back(row.active_from),
            retired_at: row.retired_at.map(back),
            ..row.clone()
        })
        .collect()
}

/// What revoking `kid` at `now` does to the rows (JWKS-05): its private part is emptied and it is
/// believed no more, at once. `None` where there is no such key, nothing to write where it was revoked
/// before. Pure.
///
/// A prepared key is simply dropped, and the one that signs goes on. Where the key that signs is
/// revoked, a key already published signs from now on; only without one does `spare` (new, published at
/// `now`) sign at once, unannounced, because the alternative is to issue nothing for a cache age. Verifiers
/// that meet its unknown `kid` fetch the key set again.
pub fn revoke(rows: &[KeyRow], kid: &str, now: Timestamp, spare: KeyRow) -> Option<Vec<KeyRow>> {
    let revoked = rows.iter().find(|row| row.kid == kid)?;
    if revoked.revoked_at.is_some() {
        return Some(Vec::new());
    }
    let mut written = vec![KeyRow { revoked_at: Some(now), sealed: Vec::new(), ..revoked.clone() }];
    let others = || rows.iter().filter(|row| row.kid != kid && row.revoked_at.is_none());
    let signer = others().filter(|row| state(row, now) == KeyState::Active).max_by_key(|r| r.active_from);
    let prepared =
        others().filter(|row| state(row, now) == KeyState::Prepared).min_by_key(|row| row.active_from);
    match (signer, prepared) {
        // Its retirement may have been set for the key that is gone: it goes on until the next one.
        (Some(signer), next) => {
            let retired_at = next.map(|next| next.active_from);
            if signer.retired_at != retired_at {
                written.push(KeyRow { retired_at, ..signer.clone() });
            }
        }
        (None, Some(next)) => written.push(KeyRow { active_from: now, ..next.clone() }),
        (None, None) => {
            written.push(KeyRow { published_at: now, active_from: now, retired_at: None, ..spare });
        }
    }
    Some(written)
}

#[cfg(test)]
mod tests;
