//! Room 4: a presented token becomes a verified one: issuer trust, keys, signature, audience, time.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::config::{AgentClass, Config, IdentityProvider};
use crate::delegation::record::Digest;
use crate::protocol::{ClientId, Issuer, Jti, TokenFault};
use crate::time::Timestamp;

/// Why a token was not verified.
#[derive(Debug)]
pub enum NotVerified {
    /// The token is at fault.
    Fault(TokenFault),
    /// The issuer's keys cannot be had, and none are known: 503.
    Unavailable(String),
}

impl From<TokenFault> for NotVerified {
    fn from(fault: TokenFault) -> Self {
        Self::Fault(fault)
    }
}

/// Claims a predicate needs. Held only inside the exchange call; `Debug` prints nothing of them.
#[derive(Default)]
pub struct PredicateClaims(Map<String, Value>);

impl PredicateClaims {
    /// Holds these.
    pub const fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    /// One of them.
    pub fn get(&self, claim: &str) -> Option<&Value> {
        self.0.get(claim)
    }
}

impl std::fmt::Debug for PredicateClaims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PredicateClaims(…)")
    }
}

/// Who may act next, as a verified token says (RFC 8693 §4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MayAct {
    /// `iss`; absent means the issuer of the token it stands in.
    pub issuer: Option<String>,
    /// `sub`.
    pub subject: String,
    /// Other members: compared, and never matched by anything we know, so they only restrict.
    pub has_other_identity_members: bool,
}

/// An ID token, checked as a relying party would (OIDC Core §3.1.3.7, security-bcp H).
#[derive(Debug)]
#[non_exhaustive]
pub struct VerifiedIdToken {
    /// SHA-256 of the token as presented.
    pub hash: Digest,
    /// Its provider.
    pub provider: Arc<IdentityProvider>,
    /// The relying party it was issued to: a source for this client.
    pub relying_party: String,
    /// `sub`, or the configured subject claim.
    pub subject: String,
    /// In seconds.
    pub auth_time: i64,
    /// As received.
    pub acr: Option<String>,
    /// As received.
    pub amr: Vec<String>,
    /// Assurance levels its claims meet.
    pub levels: BTreeSet<String>,
    /// `sid`, hashed with the issuer.
    pub session: Option<Digest>,
    /// `may_act`.
    pub may_act: Option<MayAct>,
    /// The claims that policy may see.
    pub policy_claims: Map<String, Value>,
    /// The claims that predicates need: each predicate's claim, and a claim named like its scope.
    pub predicate_claims: PredicateClaims,
}

/// A workload's credential (workload-identity 1).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VerifiedWorkload {
    /// Who vouches.
    pub issuer: Issuer,
    /// The first class whose condition holds.
    pub class: Arc<AgentClass>,
    /// The credential's `sub`.
    pub subject: Option<String>,
    /// The stable id, or for a `task` class the instance id.
    pub id: String,
}

/// A Deputy token, signature and form checked; whether it lives is the record's to say.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VerifiedOwn {
    /// Its `jti`.
    pub jti: Jti,
    /// Its keyed hash, to compare with the record's.
    pub hash: Digest,
    /// The key that signed it.
    pub kid: String,
    /// `typ` was `task+jwt`.
    pub is_task_token: bool,
    /// Its claims, for introspection.
    pub claims: Map<String, Value>,
    /// `may_act`.
    pub may_act: Option<MayAct>,
}

/// Remote keys and rules of all configured issuers.
pub struct Verifier {
    _private: (),
}

#[expect(clippy::unimplemented, clippy::unused_async, unused_variables, reason = "filled in next")]
impl Verifier {
    /// Verifies an ID token presented by `client`.
    pub async fn id_token(
        &self,
        config: &Config,
        token: &str,
        client: &ClientId,
        now: Timestamp,
    ) -> Result<VerifiedIdToken, NotVerified> {
        unimplemented!()
    }

    /// Verifies a workload's token and finds its class.
    pub async fn workload(
        &self,
        config: &Config,
        token: &str,
        now: Timestamp,
    ) -> Result<VerifiedWorkload, NotVerified> {
        unimplemented!()
    }

    /// Whether this is a token of a configured provider or workload issuer, by its unverified `iss`
    /// (RFC 7009 §2.2.1: a kind that is recognised and not revoked here).
    pub fn is_foreign_kind(&self, config: &Config, token: &str) -> bool {
        unimplemented!()
    }

    /// Verifies form, kind, issuer and signature of a token of Deputy's own. Not its life.
    pub fn own(
        &self,
        config: &Config,
        ring: &crate::keys::KeyRing,
        secrets: &crate::keys::NodeSecrets,
        token: &str,
    ) -> Result<VerifiedOwn, NotVerified> {
        unimplemented!()
    }
}
