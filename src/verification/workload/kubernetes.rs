//! Projected service account tokens of Kubernetes.

use crate::jose::Claims;
use crate::oauth::TokenFault;

/// The claims that only the tokens have which clusters write into secrets (they never expire).
const LEGACY_CLAIMS: [&str; 2] =
    ["kubernetes.io/serviceaccount/secret.name", "kubernetes.io/serviceaccount/namespace"];

/// Refuses a legacy token even where an `exp` was added to it.
pub fn check(claims: &Claims) -> Result<(), TokenFault> {
    match LEGACY_CLAIMS.iter().any(|&name| claims.get(name).is_some()) {
        true => Err(TokenFault::LegacyToken),
        false => Ok(()),
    }
}
