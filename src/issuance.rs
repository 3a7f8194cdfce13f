//! Room 7: a permit becomes claims and a signed token (RFC 9068, RFC 8693 §4).

use serde::Serialize;
use serde::ser::SerializeMap as _;

use crate::base::time::Timestamp;
use crate::config::{Config, SubjectForm};
use crate::delegation::record::{Digest, TokenKind};
use crate::delegation::rules::Derived;
use crate::keys::{KeyError, KeyRing, NodeSecrets};
use crate::oauth::{AgentId, ClientId, Issuer, Jti, Scope, ScopeToken, TaskId};

/// The facts of the login a token descends from: from the record, never from a token.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The provider.
    pub provider: &'a Issuer,
    /// The user's `sub` there.
    pub upstream: &'a str,
    /// As received.
    pub acr: Option<&'a str>,
    /// As received.
    pub amr: &'a [String],
    /// As received.
    pub auth_time: i64,
}

/// Everything that goes into one token.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// Its identifier.
    pub jti: Jti,
    /// What was derived and permitted.
    pub derived: &'a Derived,
    /// The authenticated client.
    pub client: &'a ClientId,
    /// The task.
    pub task: TaskId,
    /// The login's facts.
    pub facts: Facts<'a>,
    /// The yes/no answer: claim and value.
    pub answer: Option<(&'a ScopeToken, bool)>,
}

/// A signed token, not yet recorded. Prints nothing of itself.
pub struct IssuedToken {
    /// The compact JWS.
    pub token: String,
    /// The key that signed it.
    pub kid: String,
    /// Its keyed hash, for the record.
    pub hash: Digest,
}

impl std::fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuedToken").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// `typ` of a task token: no resource server can take it for an access token.
pub const TASK_TYP: &str = "task+jwt";
/// `typ` of an access token (RFC 9068 §2.1).
pub const ACCESS_TYP: &str = "at+jwt";

/// Signs the token of `grant`.
///
/// # Errors
/// [`KeyError`]: no key is active, or the crypto library refused.
pub fn issue(
    config: &Config,
    ring: &KeyRing,
    secrets: &NodeSecrets,
    grant: &Grant<'_>,
    now: Timestamp,
) -> Result<IssuedToken, KeyError> {
    let claims = claims(config, secrets, grant);
    let payload = serde_json::to_vec(&claims).map_err(|_| KeyError::Crypto)?;
    let typ = match grant.derived.kind {
        TokenKind::Task => TASK_TYP,
        TokenKind::Access => ACCESS_TYP,
    };
    let signed = ring.sign(typ, &payload, now)?;
    let hash = secrets.token_hash(&signed.token);
    Ok(IssuedToken { token: signed.token, kid: signed.kid, hash })
}

/// The claims of one token (RFC 9068 §2.2, RFC 8693 §4). What identifies the user or the login across
/// targets is left out for pairwise ones.
pub fn claims<'a>(config: &'a Config, secrets: &NodeSecrets, grant: &Grant<'a>) -> Claims<'a> {
    let Grant { derived, facts, .. } = grant;
    let target = derived.target_config.as_deref();
    let form = target.and_then(|target| target.subject).unwrap_or(config.tokens.subject);
    let sector = target.map_or(config.issuer.as_str(), |target| target.sector.as_str());
    let is_pairwise = form == SubjectForm::Pairwise;
    let is_pairwise_target = is_pairwise && target.is_some();
    let shows_acr = !is_pairwise_target || target.is_some_and(|target| target.claims.contains("acr"));
    Claims {
        iss: &config.issuer,
        sub: if is_pairwise {
            secrets.pairwise_subject(facts.provider, facts.upstream, sector)
        } else {
            facts.upstream.to_owned()
        },
        aud: derived.target.as_str().to_owned(),
        exp: derived.expires_at.seconds(),
        iat: derived.issued_at.seconds(),
        jti: grant.jti,
        client_id: grant.client,
        scope: derived.scope.clone(),
        act: Act { issuer: &config.issuer, chain: derived.chain.clone() },
        txn: if is_pairwise_target {
            secrets.pairwise_txn(grant.task, sector)
        } else {
            grant.task.to_string()
        },
        acr: facts.acr.filter(|_| shows_acr),
        amr: if is_pairwise_target { &[] } else { facts.amr },
        auth_time: (!is_pairwise_target).then_some(facts.auth_time),
        answer: Answer(grant.answer),
    }
}

/// The claims of a token as they are serialised.
#[derive(Serialize)]
pub struct Claims<'a> {
    iss: &'a Issuer,
    sub: String,
    aud: String,
    exp: i64,
    iat: i64,
    jti: Jti,
    client_id: &'a ClientId,
    scope: Scope,
    act: Act<'a>,
    txn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    amr: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(flatten)]
    answer: Answer<'a>,
}

/// One flat boolean named like its scope, or nothing.
struct Answer<'a>(Option<(&'a ScopeToken, bool)>);

impl Serialize for Answer<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some((scope, value)) = self.0 {
            map.serialize_entry(scope.as_str(), &value)?;
        }
        map.end()
    }
}

/// Nested actors, the current one outermost (RFC 8693 §4.1): identity members only.
struct Act<'a> {
    issuer: &'a Issuer,
    chain: Vec<AgentId>,
}

impl Serialize for Act<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Level { issuer: self.issuer, chain: &self.chain }.serialize(serializer)
    }
}

struct Level<'a> {
    issuer: &'a Issuer,
    chain: &'a [AgentId],
}

impl Serialize for Level<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some((actor, before)) = self.chain.split_first() {
            map.serialize_entry("iss", self.issuer)?;
            map.serialize_entry("sub", actor)?;
            if !before.is_empty() {
                map.serialize_entry("act", &Level { issuer: self.issuer, chain: before })?;
            }
        }
        map.end()
    }
}
