//! A key set as read (RFC 7517 §5, JWKS-08, JWKS-09).

use serde_json::Value;

use super::json::{Limits, parse_object};
use super::{Header, JoseError, PublicKey};
use crate::config::Algorithm;

/// The most keys taken from one set.
const MAX_KEYS: usize = 100;
/// The longest `kid` kept: no token can name a longer one.
const MAX_KID: usize = 128;

/// The usable public keys of one issuer or client.
#[derive(Debug, Default)]
pub struct KeySet(Vec<(Option<String>, PublicKey)>);

impl KeySet {
    /// Reads a JWKS document. Members and keys that are not understood, are private or symmetric, or
    /// are not for verifying signatures are passed over.
    ///
    /// # Errors
    /// [`JoseError::Malformed`] where it is no strict JSON object with an array `keys`, over 512 kB, or
    /// has more than 100 keys.
    pub fn parse(document: &[u8]) -> Result<Self, JoseError> {
        let document = parse_object(document, Limits::KEY_SET)?;
        let Some(Value::Array(keys)) = document.get("keys") else { return Err(JoseError::Malformed) };
        if keys.len() > MAX_KEYS {
            return Err(JoseError::Malformed);
        }
        let mut set = Vec::new();
        for jwk in keys.iter().filter_map(Value::as_object) {
            let kid = match jwk.get("kid") {
                None => None,
                Some(Value::String(kid)) if kid.len() <= MAX_KID => Some(kid.clone()),
                Some(_) => continue,
            };
            for key in PublicKey::from_jwk(jwk).unwrap_or_default() {
                if !set
                    .iter()
                    .any(|(seen, other): &(Option<String>, PublicKey)| *seen == kid && other.is_same(&key))
                {
                    set.push((kid.clone(), key));
                }
            }
        }
        Ok(Self(set))
    }

    /// The one key that fits the header by `kid` and `alg`; without a `kid`, the only key of that
    /// algorithm (7515-4.1.4-01). `None` where none fits, or more than one.
    pub fn choose(&self, header: &Header) -> Option<&PublicKey> {
        let mut fitting = self.0.iter().filter(|(kid, key)| {
            key.algorithm() == header.algorithm && (header.kid.is_none() || *kid == header.kid)
        });
        match (fitting.next(), fitting.next()) {
            (Some((_, key)), None) => Some(key),
            _ => None,
        }
    }

    /// The algorithm of each usable key.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.0.iter().map(|(_, key)| key.algorithm())
    }

    /// Whether there is no usable key in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
