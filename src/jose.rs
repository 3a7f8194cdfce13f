//! Tools for JWTs: a strict scan, decoding, verifying a signature, signing, and the allowed algorithms.
//!
//! A compact JWS becomes an [`UnverifiedToken`] by a scan that is stricter than any library behind it.
//! Only [`UnverifiedToken::verify`] with a [`PublicKey`] turns it into [`Claims`].

mod algorithm;
mod claims;
mod ecdsa;
mod json;
mod key;
mod key_set;
mod remembered;
mod signing;
mod token;

pub use algorithm::Algorithm;
pub use claims::{Claims, find_claim};
#[cfg(test)]
pub use json::{Limits, parse_object};
pub use key::PublicKey;
pub use key_set::{KeyForm, KeySet};
pub use remembered::RememberedSignatures;
pub use signing::{SigningKey, dummy_verify};
pub use token::{Header, Scanned, UnverifiedToken};

/// What is wrong with a token or a key, before its claims mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoseError {
    /// Not a compact JWS within the limits, or not strict JSON inside.
    #[error("not a compact JWS of strict JSON within the limits")]
    Malformed,
    /// `crit` is present (RFC 7515 §4.1.11): no extension is understood here.
    #[error("a critical header is not understood")]
    Critical,
    /// `alg` is missing, unknown, or not that of the key.
    #[error("algorithm missing, unknown or not that of the key")]
    Algorithm,
    /// `cty` or another sign of a nested or unencoded payload.
    #[error("not a plain JWT")]
    Kind,
    /// A claim has the wrong JSON type or an impossible value.
    #[error("a claim has the wrong type")]
    Claim,
    /// The key cannot be used for signatures of this algorithm.
    #[error("key is not usable")]
    Key,
    /// The signature does not verify.
    #[error("signature does not verify")]
    Signature,
    /// The crypto library refused to sign.
    #[error("signing failed")]
    Signing,
}
