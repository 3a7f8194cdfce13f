//! What a login token said of the user's sign-in.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::base::time::Timestamp;
use crate::oauth::{Digest, Issuer};

/// Which kind of token a login is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginToken {
    /// An ID token: proof of a sign-in. It begins one task for a client and agent.
    IdToken,
    /// An access token of the provider.
    AccessToken {
        /// The audience of the configuration that it was taken for.
        audience: String,
        /// `exp`, which also ends its login.
        expires_at: Timestamp,
    },
}

/// The facts of one login that everything issued from it rests on. They are read from a verified token once,
/// recorded with the login, and never read from a token again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginFacts {
    /// SHA-256 of the text that was signed in the token, which identifies the token.
    pub id_token_hash: Digest,
    /// The identity provider that issued it.
    pub provider: Issuer,
    /// The relying party it was issued to, by its client id at the provider.
    pub relying_party: String,
    /// The names of the assurance levels that its claims met.
    pub levels: BTreeSet<String>,
    pub acr: Option<String>,
    pub amr: Vec<String>,
    pub token: LoginToken,
    /// `iat`, in whole seconds since the epoch.
    pub issued_at: i64,
    /// `auth_time`, in whole seconds since the epoch. A token may lack it where its provider is configured so.
    pub auth_time: Option<i64>,
    /// `sid`, hashed together with the issuer.
    pub session: Option<Digest>,
    /// The claims that the provider's `policy_claims` lists.
    pub policy_claims: Map<String, Value>,
}

impl LoginFacts {
    /// When the session began as far as the token tells, in whole seconds since the epoch: `auth_time`, else `iat`, which
    /// is never earlier.
    pub fn since(&self) -> i64 {
        self.auth_time.unwrap_or(self.issued_at)
    }

    /// The name, within its provider, of the party to which the token was issued. Every audience of access tokens is a
    /// party of its own.
    pub fn party(&self) -> String {
        match &self.token {
            LoginToken::IdToken => self.relying_party.clone(),
            LoginToken::AccessToken { audience, .. } => access_token_party(audience, &self.relying_party),
        }
    }
}

/// The name of an application at a provider whose access tokens for this audience are taken.
pub fn access_token_party(audience: &str, authorized_party: &str) -> String {
    format!("{audience}|{authorized_party}")
}
