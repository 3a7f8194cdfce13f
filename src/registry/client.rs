//! Clients (RFC 6749 §2): who they are, how they authenticate, and the most that they may ask for.

use std::collections::{BTreeMap, BTreeSet};

use super::{AgentClass, Delegate, KeySource, Proof, Reach, SubjectName};
use crate::base::time::Timestamp;
use crate::jose::Algorithm;
use crate::oauth::{AgentId, ClientId, GrantType, Scope, ScopeToken, TargetId};

/// How a client authenticates: exactly one registered method.
#[derive(Clone, Debug)]
pub enum ClientAuthentication {
    /// RFC 7523 §2.2.
    PrivateKeyJwt {
        keys: KeySource,
        /// How `jwks_uri` is reached.
        reach: Reach,
        /// ES256, PS256, EdDSA; RS256 where the client asks for it.
        algorithms: BTreeSet<Algorithm>,
        /// The `aud` of its assertions.
        audience: AssertionAudience,
    },
    /// RFC 6749 §2.3.1, in the header.
    ClientSecretBasic(Vec<ClientSecret>),
    /// RFC 6749 §2.3.1, in the body.
    ClientSecretPost(Vec<ClientSecret>),
    /// A certificate of an authority that is trusted, with this name in it (RFC 8705 §2.1).
    Tls(SubjectName),
    /// A certificate that is itself among the client's keys (RFC 8705 §2.2).
    SelfSignedTls {
        /// The key sets that have it as `x5c`.
        keys: KeySource,
        /// How `jwks_uri` is reached.
        reach: Reach,
    },
    /// The credential of its agents' platform, by a class that lists the client: nothing is registered for it.
    Workload,
}

/// What may be the `aud` of a client's assertions.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AssertionAudience {
    /// Deputy's issuer (draft-ietf-oauth-rfc7523bis).
    #[default]
    Issuer,
    /// The issuer, or the URL of the token endpoint as RFC 7523 §3 had it.
    IssuerOrEndpoint,
}

impl ClientAuthentication {
    /// Whether it is itself proof of a key, so that a credential that was seen is worth nothing.
    pub const fn proves_key(&self) -> bool {
        match self {
            Self::PrivateKeyJwt { .. } | Self::Tls(_) | Self::SelfSignedTls { .. } => true,
            Self::ClientSecretBasic(_) | Self::ClientSecretPost(_) | Self::Workload => false,
        }
    }

    /// Whether it is a client certificate (RFC 8705 §2).
    pub const fn is_certificate(&self) -> bool {
        matches!(self, Self::Tls(_) | Self::SelfSignedTls { .. })
    }

    /// Where the keys of the client are, if some are registered.
    pub const fn keys(&self) -> Option<&KeySource> {
        match self {
            Self::PrivateKeyJwt { keys, .. } | Self::SelfSignedTls { keys, .. } => Some(keys),
            Self::ClientSecretBasic(_) | Self::ClientSecretPost(_) | Self::Tls(_) | Self::Workload => None,
        }
    }
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

impl ClientSecret {
    /// Least entropy of a secret, because it is kept as a fast keyed hash.
    const LEAST_BITS: f64 = 160.0;

    /// Whether `secret` can hold 160 random bits, judged by its length and the alphabet it seems drawn from.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    pub fn check_strength(secret: &str) -> Result<(), &'static str> {
        if !secret.bytes().all(|b| matches!(b, 0x20..=0x7e)) {
            return Err("holds characters that are not printable ASCII (RFC 6749 appendix A.2)");
        }
        /// The bits of a character, and whether it is of the alphabet.
        type Alphabet = (f64, fn(u8) -> bool);
        let alphabets: [Alphabet; 5] = [
            (3.32, |b| b.is_ascii_digit()),
            (4.0, |b| matches!(b, b'0'..=b'9' | b'a'..=b'f')),
            (4.0, |b| matches!(b, b'0'..=b'9' | b'A'..=b'F')),
            (5.0, |b| matches!(b, b'0'..=b'9' | b'a'..=b'z')),
            (5.0, |b| matches!(b, b'0'..=b'9' | b'A'..=b'Z')),
        ];
        let smallest = alphabets.iter().find(|(_, has)| secret.bytes().all(has));
        let bits_each = smallest.map_or(6.0, |(bits, _)| *bits);
        let characters = u32::try_from(secret.len()).unwrap_or(u32::MAX);
        if f64::from(characters) * bits_each < Self::LEAST_BITS {
            return Err("is too short for 160 random bits");
        }
        if secret.bytes().collect::<BTreeSet<u8>>().len() < 8 {
            return Err("repeats a few characters");
        }
        Ok(())
    }
}

/// `[[client]]`
#[derive(Clone, Debug)]
pub struct Client {
    pub id: ClientId,
    pub authentication: ClientAuthentication,
    pub grants: BTreeSet<GrantType>,
    /// A client with a secret may be the actor itself only with this.
    pub may_act_as_agent: bool,
    /// Whether it may begin tasks of its own, which no user is behind.
    pub begins_tasks: bool,
    /// Whether it has to prove a key at the token endpoint.
    pub proof: Proof,
    /// Whether it gets no token without a client certificate (`tls_client_certificate_bound_access_tokens`).
    pub is_certificate_bound: bool,
    /// Scopes at most.
    pub scopes: Scope,
    /// Targets at most.
    pub targets: BTreeSet<TargetId>,
    /// What it gets for a target if it names no scope. It replaces the target's own default.
    pub default_scopes: BTreeMap<TargetId, Scope>,
    /// Yes/no scopes its own agent may have answered.
    pub answers: BTreeSet<ScopeToken>,
    /// The agents that its own agent may bring in.
    pub delegates_to: BTreeSet<Delegate>,
}

impl Client {
    /// Whether the credential of a platform is all that it has.
    pub const fn is_workload(&self) -> bool {
        matches!(self.authentication, ClientAuthentication::Workload)
    }

    /// An agent that no client presents, as the client that it is for itself: its class is its whole ceiling.
    pub fn of_agent(agent: &AgentId, class: &AgentClass) -> Self {
        Self {
            id: ClientId::new(agent.as_str()),
            authentication: ClientAuthentication::Workload,
            grants: BTreeSet::from([GrantType::JwtBearer]),
            may_act_as_agent: true,
            begins_tasks: false,
            proof: Proof::default(),
            is_certificate_bound: false,
            scopes: class.scopes.clone(),
            targets: class.targets.clone(),
            default_scopes: BTreeMap::new(),
            answers: BTreeSet::new(),
            delegates_to: BTreeSet::new(),
        }
    }

    /// Whether it may use this grant.
    pub fn may_use(&self, grant: GrantType) -> bool {
        self.grants.contains(&grant)
    }
}
