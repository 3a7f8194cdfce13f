//! The proof that a token is one that Deputy issued. Its fields are private: only this module and the comparison in
//! [`super::PresentedOwn::compare`] can make one.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::oauth::{Digest, Jti};

/// The very token that was recorded under its `jti` when it was signed. Whether it is still valid is for the record to
/// say.
#[derive(Debug)]
pub struct VerifiedOwn {
    jti: Jti,
    hash: Digest,
    claims: Arc<Map<String, Value>>,
}

impl VerifiedOwn {
    /// The caller has found `hash`, the keyed hash of the whole token, in its record.
    pub(super) const fn new(jti: Jti, hash: Digest, claims: Arc<Map<String, Value>>) -> Self {
        Self { jti, hash, claims }
    }

    /// A token for tests of what comes after verification.
    #[cfg(test)]
    pub(crate) fn for_tests(jti: Jti, hash: Digest) -> Self {
        Self::new(jti, hash, Arc::default())
    }

    pub const fn jti(&self) -> Jti {
        self.jti
    }

    /// Whether a record that was read again is that of this token.
    pub fn is_recorded_as(&self, recorded: &Digest) -> bool {
        use subtle::ConstantTimeEq as _;
        self.hash.ct_eq(recorded).into()
    }

    /// The claims of a JWT, for introspection. Those of an opaque token are in its record.
    pub fn into_claims(self) -> Map<String, Value> {
        Arc::unwrap_or_clone(self.claims)
    }
}
