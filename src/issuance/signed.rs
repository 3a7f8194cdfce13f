//! The proof that a token was signed on the terms of a permit. Its fields are private: only [`super::issue`] makes
//! one, and the store records nothing less.

use crate::decision::{Permit, Terms};
use crate::delegation::record::{Delegation, Digest};
use crate::delegation::stops::StopNumber;
use crate::oauth::{ScopeToken, TargetId};

/// A signed token, as it has to be recorded before it is returned. The token itself is not in it.
#[derive(Clone, Debug)]
pub struct SignedToken {
    permit: Permit,
    kid: String,
    hash: Digest,
    answers: Vec<SealedAnswerRow>,
}

/// One sealed answer of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedAnswerRow {
    /// The target that answers it.
    pub target: TargetId,
    pub scope: ScopeToken,
    /// The value, and until when it may be given, sealed.
    pub sealed: Vec<u8>,
}

impl SignedToken {
    /// The caller has signed the token and sealed the answers.
    pub(super) const fn new(
        permit: Permit,
        kid: String,
        hash: Digest,
        answers: Vec<SealedAnswerRow>,
    ) -> Self {
        Self { permit, kid, hash, answers }
    }

    /// A signed token for tests of what comes after issuing.
    #[cfg(test)]
    pub(crate) const fn for_tests(
        permit: Permit,
        kid: String,
        hash: Digest,
        answers: Vec<SealedAnswerRow>,
    ) -> Self {
        Self::new(permit, kid, hash, answers)
    }

    /// The permit it was signed on.
    pub const fn permit(&self) -> &Permit {
        &self.permit
    }

    /// The terms of that permit.
    pub const fn terms(&self) -> &Terms {
        self.permit.terms()
    }

    /// The key that signed it.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The answers to be kept with the login.
    pub fn answers(&self) -> &[SealedAnswerRow] {
        &self.answers
    }

    /// The token as it is recorded, after so many stops.
    pub fn delegation(&self, as_of: StopNumber) -> Delegation {
        let Terms { jti, proposal, client, task, grounds, .. } = self.terms();
        Delegation {
            jti: *jti,
            kind: proposal.kind.clone(),
            task: *task,
            behalf: self.terms().behalf(),
            ancestors: proposal.ancestors.clone(),
            chain: proposal.chain.clone(),
            classes: proposal.classes.clone(),
            client: client.clone(),
            target: proposal.target.clone(),
            scope: proposal.scope.clone(),
            issued_at: proposal.issued_at,
            expires_at: proposal.expires_at,
            kid: self.kid.clone(),
            grounds: grounds.clone(),
            as_of,
            bound_to: proposal.bound_to,
            hash: self.hash,
            revoked: None,
        }
    }
}
