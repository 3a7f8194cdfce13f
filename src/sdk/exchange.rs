//! What a client asks the token endpoint for.

use crate::oauth::GrantType;
use crate::oauth::exchange::token_type::{ACCESS_TOKEN, ID_TOKEN, JWT};

/// The parameters of a token request: of an exchange (RFC 8693 §2.1), or of an agent for itself.
#[derive(Clone)]
pub struct Exchange<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Exchange<'a> {
    /// Exchanges `subject_token`, which is of this token type.
    pub fn of(subject_token: &'a str, subject_token_type: &'a str) -> Self {
        Self(vec![("grant_type", GrantType::TokenExchange.word())])
            .with("subject_token", subject_token)
            .with("subject_token_type", subject_token_type)
    }

    /// Asks for a token about the client's agent itself, or for a task of its own (RFC 6749 §4.4).
    pub fn of_client() -> Self {
        Self(vec![("grant_type", GrantType::ClientCredentials.word())])
    }

    /// Asks for the same by nothing but the credential of the agent's platform, which is the client's
    /// [`Credential::PlatformAsGrant`](super::Credential::PlatformAsGrant) (RFC 7523 §2.1).
    pub fn of_agent() -> Self {
        Self(vec![("grant_type", GrantType::JwtBearer.word())])
    }

    /// Exchanges an ID token of the user.
    pub fn of_id_token(subject_token: &'a str) -> Self {
        Self::of(subject_token, ID_TOKEN)
    }

    /// Exchanges a token that the server issued.
    pub fn of_access_token(subject_token: &'a str) -> Self {
        Self::of(subject_token, ACCESS_TOKEN)
    }

    /// Exchanges a handover, which the agent accepts that it is for.
    pub fn of_handover(handover: &'a str) -> Self {
        Self::of(handover, JWT)
    }

    /// Hands over: asks for what the agent `requested_actor` (`agent_…`, or any of `class:NAME`) can accept. The subject
    /// token is a task token, and the audience the issuer of the server.
    #[must_use]
    pub fn hand_over_to(self, requested_actor: &'a str) -> Self {
        self.with("requested_actor", requested_actor)
    }

    /// Hands over to the holder of this key alone, by its thumbprint (RFC 7638).
    #[must_use]
    pub fn to_key(self, dpop_jkt: &'a str) -> Self {
        self.with("dpop_jkt", dpop_jkt)
    }

    /// Acts by this credential of a workload.
    #[must_use]
    pub fn actor(self, actor_token: &'a str) -> Self {
        self.with("actor_token", actor_token).with("actor_token_type", JWT)
    }

    /// Names the target. The server's issuer, as the target, asks for a task token.
    #[must_use]
    pub fn audience(self, name: &'a str) -> Self {
        self.with("audience", name)
    }

    /// Asks for these scopes, which spaces separate.
    #[must_use]
    pub fn scope(self, scope: &'a str) -> Self {
        self.with("scope", scope)
    }

    /// Adds any other parameter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &'a str) -> Self {
        self.0.push((name, value));
        self
    }

    /// The form.
    pub fn params(&self) -> &[(&'static str, &'a str)] {
        &self.0
    }
}
