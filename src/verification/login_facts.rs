//! What a login token said of the user's sign-in.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::oauth::{Digest, Issuer};

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
    /// `auth_time`, in whole seconds since the epoch.
    pub auth_time: i64,
    /// `sid`, hashed together with the issuer.
    pub session: Option<Digest>,
    /// The claims that the provider's `policy_claims` lists.
    pub policy_claims: Map<String, Value>,
}
