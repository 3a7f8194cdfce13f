//! The proof that a login token was verified. Its fields are private: only this module and the functions of
//! [`super`] that verify can make one.

use std::ops::Deref;
use std::sync::Arc;

use super::{LoginFacts, LoginToken, MayAct, PredicateClaims};
use crate::base::time::Timestamp;
use crate::oauth::Scope;
use crate::registry::IdentityProvider;

/// An ID token that was checked as a relying party would check it (OIDC Core §3.1.3.7, security BCP), or an access token
/// that was checked as its audience would.
///
/// It reads like its [`LoginFacts`].
#[derive(Debug)]
pub struct VerifiedLogin {
    facts: Arc<LoginFacts>,
    provider: Arc<IdentityProvider>,
    subject: String,
    may_act: Option<MayAct>,
    predicate_claims: PredicateClaims,
    ceiling: Option<Scope>,
    lacks_nonce: bool,
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
        Self {
            facts: Arc::new(facts),
            provider,
            subject,
            may_act,
            predicate_claims,
            ceiling: None,
            lacks_nonce: false,
        }
    }

    /// The same login, whose token grants no more than this scope.
    pub(super) fn with_ceiling(self, ceiling: Scope) -> Self {
        Self { ceiling: Some(ceiling), ..self }
    }

    /// The same login, whose token lacks the `nonce` that its provider is configured to require.
    pub(super) fn without_nonce(self) -> Self {
        Self { lacks_nonce: true, ..self }
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

    /// The most scope that may be asked for with it; absent if the token does not limit it.
    pub const fn ceiling(&self) -> Option<&Scope> {
        self.ceiling.as_ref()
    }

    /// When the user's session ends: no task that it begins lives longer.
    pub fn session_ends_at(&self) -> Timestamp {
        Timestamp::from_seconds(self.facts.since()).plus(self.provider.max_session)
    }

    /// When the login ends: no token that comes of it lives longer. An access token ends it by its own `exp`.
    pub fn ends_at(&self) -> Timestamp {
        match &self.facts.token {
            LoginToken::IdToken => self.session_ends_at(),
            LoginToken::AccessToken { expires_at, .. } => self.session_ends_at().min(*expires_at),
        }
    }

    /// Until when the token may begin a task, or join one that it has not fed: an ID token until it has its provider's
    /// greatest age. Absent for an access token, which only its own `exp` limits.
    pub fn begins_until(&self) -> Option<Timestamp> {
        match &self.facts.token {
            LoginToken::IdToken => {
                Some(Timestamp::from_seconds(self.facts.issued_at).plus(self.provider.max_id_token_age))
            }
            LoginToken::AccessToken { .. } => None,
        }
    }

    /// Whether the token begins no task because it has no `nonce`. It may join one.
    pub const fn lacks_nonce(&self) -> bool {
        self.lacks_nonce
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
