//! The proof that a token was made on the terms of a permit. Its fields are private: only [`super::issue`] makes
//! one, and the store records nothing less.

use crate::decision::{Permit, Terms};
use crate::delegation::record::{Delegation, Digest, TokenForm};
use crate::delegation::stops::StopNumber;
use crate::oauth::{ScopeToken, TargetId};

/// A token that was made, as it has to be recorded before it is returned. The token itself is not in it.
#[derive(Clone, Debug)]
pub struct SignedToken {
    permit: Permit,
    form: TokenForm,
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
    /// The caller has made the token and sealed the answers.
    pub(super) const fn new(
        permit: Permit,
        form: TokenForm,
        hash: Digest,
        answers: Vec<SealedAnswerRow>,
    ) -> Self {
        Self { permit, form, hash, answers }
    }

    /// A signed token for tests of what comes after issuing.
    #[cfg(test)]
    pub(crate) const fn for_tests(
        permit: Permit,
        form: TokenForm,
        hash: Digest,
        answers: Vec<SealedAnswerRow>,
    ) -> Self {
        Self::new(permit, form, hash, answers)
    }

    /// The permit it was signed on.
    pub const fn permit(&self) -> &Permit {
        &self.permit
    }

    /// The terms of that permit.
    pub const fn terms(&self) -> &Terms {
        self.permit.terms()
    }

    /// In which form it is given out.
    pub const fn form(&self) -> &TokenForm {
        &self.form
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
            form: self.form.clone(),
            grounds: grounds.clone(),
            as_of,
            bound_to: proposal.bound_to,
            hash: self.hash,
            revoked: None,
        }
    }
}
