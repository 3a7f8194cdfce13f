//! The proof that a login token was verified. Its fields are private: only this module and the functions of
//! [`super`] that verify can make one.

use std::ops::Deref;
use std::sync::Arc;

use super::{LoginFacts, MayAct, PredicateClaims};
use crate::registry::IdentityProvider;

/// An ID token that was checked as a relying party would check it (OIDC Core §3.1.3.7, security BCP).
///
/// It reads like its [`LoginFacts`].
#[derive(Debug)]
pub struct VerifiedLogin {
    facts: Arc<LoginFacts>,
    provider: Arc<IdentityProvider>,
    subject: String,
    may_act: Option<MayAct>,
    predicate_claims: PredicateClaims,
}

impl VerifiedLogin {
    /// The caller has verified signature, issuer, audience and times.
    pub(super) fn new(
        facts: LoginFacts,
        provider: Arc<IdentityProvider>,
        subject: String,
        may_act: Option<MayAct>,
        predicate_claims: PredicateClaims,
    ) -> Self {
        Self { facts: Arc::new(facts), provider, subject, may_act, predicate_claims }
    }

    /// A login for tests of what comes after verification.
    #[cfg(test)]
    pub(crate) fn for_tests(
        facts: LoginFacts,
        provider: Arc<IdentityProvider>,
        subject: &str,
        may_act: Option<MayAct>,
        predicate_claims: PredicateClaims,
    ) -> Self {
        Self::new(facts, provider, subject.to_owned(), may_act, predicate_claims)
    }

    /// The facts, to be kept with the record of the login.
    pub const fn facts(&self) -> &Arc<LoginFacts> {
        &self.facts
    }

    /// The provider, as configured when the token was verified.
    pub const fn provider(&self) -> &Arc<IdentityProvider> {
        &self.provider
    }

    /// The user at the provider: `sub`, or the configured subject claim.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Who may act next, if the token says so (RFC 8693 §4.4).
    pub const fn may_act(&self) -> Option<&MayAct> {
        self.may_act.as_ref()
    }

    /// The claims that predicates need. They are not recorded.
    pub const fn predicate_claims(&self) -> &PredicateClaims {
        &self.predicate_claims
    }
}

impl Deref for VerifiedLogin {
    type Target = LoginFacts;

    fn deref(&self) -> &LoginFacts {
        &self.facts
    }
}
