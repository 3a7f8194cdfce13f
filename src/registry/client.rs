//! Clients (RFC 6749 §2): who they are, how they authenticate, and the most that they may ask for.

use std::collections::BTreeSet;

use super::{KeySource, Reach};
use crate::base::time::Timestamp;
use crate::jose::Algorithm;
use crate::oauth::{ClientId, GrantType, Scope, ScopeToken, TargetId};

/// How a client authenticates: exactly one registered method.
#[expect(clippy::large_enum_variant, reason = "a handful in memory, each behind an Arc")]
#[derive(Clone, Debug)]
pub enum ClientAuthentication {
    /// RFC 7523 §2.2.
    PrivateKeyJwt {
        /// Registered keys.
        keys: KeySource,
        /// How `jwks_uri` is reached.
        reach: Reach,
        /// ES256, PS256, EdDSA; RS256 where the client asks for it.
        algorithms: BTreeSet<Algorithm>,
    },
    /// RFC 6749 §2.3.1, in the header.
    ClientSecretBasic(Vec<ClientSecret>),
    /// RFC 6749 §2.3.1, in the body.
    ClientSecretPost(Vec<ClientSecret>),
}

/// One of at most two live secrets, as read from its file; never printed.
#[derive(Clone)]
pub struct ClientSecret {
    pub value: secrecy::SecretString,
    /// Refused from then on.
    pub expires_at: Option<Timestamp>,
}

impl std::fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientSecret(…)")
    }
}

/// `[[client]]`
#[derive(Clone, Debug)]
pub struct Client {
    pub id: ClientId,
    /// Its one method.
    pub authentication: ClientAuthentication,
    /// The grants it may use.
    pub grants: BTreeSet<GrantType>,
    /// A client with a secret may be the actor itself only with this.
    pub may_act_as_agent: bool,
    /// Scopes at most.
    pub scopes: Scope,
    /// Targets at most.
    pub targets: BTreeSet<TargetId>,
    /// Yes/no scopes its own agent may have answered.
    pub answers: BTreeSet<ScopeToken>,
}

impl Client {
    /// Whether it may use this grant.
    pub fn may_use(&self, grant: GrantType) -> bool {
        self.grants.contains(&grant)
    }
}
