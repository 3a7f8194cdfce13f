//! The proof that a token is one that Deputy signed. Its fields are private: only this module and the
//! functions of [`super`] that verify can make one.

use serde_json::{Map, Value};

use crate::oauth::{Digest, Jti};

/// A token of Deputy's own whose form, kind, issuer and signature were verified. Whether it is still valid is
/// for the record to say.
#[derive(Debug)]
pub struct VerifiedOwn {
    jti: Jti,
    hash: Digest,
    kid: String,
    claims: Map<String, Value>,
}

impl VerifiedOwn {
    /// The caller has verified form, kind, issuer and signature.
    pub(super) const fn new(jti: Jti, hash: Digest, kid: String, claims: Map<String, Value>) -> Self {
        Self { jti, hash, kid, claims }
    }

    /// A token for tests of what comes after verification.
    #[cfg(test)]
    pub(crate) fn for_tests(jti: Jti, hash: Digest) -> Self {
        Self::new(jti, hash, String::new(), Map::new())
    }

    pub const fn jti(&self) -> Jti {
        self.jti
    }

    /// The keyed hash of the whole token, to be compared with the recorded one.
    pub const fn hash(&self) -> &Digest {
        &self.hash
    }

    /// The key that signed it.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its claims, for introspection.
    pub const fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}
