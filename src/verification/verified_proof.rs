//! The proof that a request was made by the holder of a key. Its fields are private: only [`super::dpop`] can make one.

use crate::oauth::{Jkt, OneTime};

/// A DPoP proof that was verified for this request (RFC 9449 §4.3).
#[derive(Clone, Debug)]
pub struct VerifiedProof {
    thumbprint: Jkt,
    used: OneTime,
}

impl VerifiedProof {
    /// The caller has verified the proof by its own key.
    pub(super) const fn new(thumbprint: Jkt, used: OneTime) -> Self {
        Self { thumbprint, used }
    }

    /// A proof for tests of what comes after verification.
    #[cfg(test)]
    pub(crate) const fn for_tests(thumbprint: Jkt) -> Self {
        let until = crate::base::time::Timestamp::from_seconds(0);
        Self::new(thumbprint, OneTime::Proof { key: thumbprint, jti: [0; 32], until })
    }

    /// The key that was proven.
    pub const fn thumbprint(&self) -> Jkt {
        self.thumbprint
    }

    /// Its `jti`, to be used up in the transaction of the answer.
    pub const fn used(&self) -> &OneTime {
        &self.used
    }
}
