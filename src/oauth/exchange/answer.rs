//! The answers of the token endpoint.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::oauth::ids::{AgentId, Issuer, RequestId, TaskId};
use crate::oauth::refusal::Cause;
use crate::oauth::scope::Scope;

/// The answer to a token request (RFC 6749 §5.1, RFC 8693 §2.2.1). Prints nothing of its token.
#[derive(Serialize)]
pub struct TokenResponse {
    pub access_token: String,
    /// `…:access_token`, or `…:jwt` for a handover; only of an exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_token_type: Option<&'static str>,
    /// `Bearer` or `DPoP`; `N_A` for a handover.
    pub token_type: &'static str,
    /// Seconds from `iat` to `exp`.
    pub expires_in: i64,
    /// What was granted.
    pub scope: Scope,
    /// The task, where it was begun or joined, or a handover was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The chain of actors, where a handover was accepted: who brought in the agent is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<Value>,
    /// The nonce for the next DPoP proof, which goes into the header `DPoP-Nonce` (RFC 9449 §8.2).
    #[serde(skip)]
    pub dpop_nonce: Option<String>,
}

impl std::fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenResponse").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// The chain of actors as the claim `act` (RFC 8693 §4.1), the current one outermost: identity members only.
pub struct ActClaim<'a> {
    /// Deputy, by which every actor is named.
    pub issuer: &'a Issuer,
    /// Current actor first.
    pub chain: &'a [AgentId],
}

impl Serialize for ActClaim<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some((actor, before)) = self.chain.split_first() {
            map.serialize_entry("iss", self.issuer)?;
            map.serialize_entry("sub", actor)?;
            if !before.is_empty() {
                map.serialize_entry("act", &ActClaim { issuer: self.issuer, chain: before })?;
            }
        }
        map.end()
    }
}

/// The body of a refusal: RFC code, description, and what Deputy adds.
pub fn refusal_body(cause: &Cause, request: RequestId) -> Value {
    let wire = cause.wire();
    let mut body = Map::new();
    body.insert("error".into(), wire.code.as_str().into());
    body.insert("error_description".into(), cause.description().into());
    body.insert("reason".into(), wire.reason.into());
    body.insert("request_id".into(), request.to_string().into());
    match cause {
        Cause::Assurance { acr_values, max_age, .. } => {
            if !acr_values.is_empty() {
                body.insert("acr_values".into(), acr_values.join(" ").into());
            }
            if let Some(max_age) = max_age {
                body.insert("max_age".into(), (*max_age).into());
            }
        }
        Cause::AuthTimeMissing { max_age } => {
            body.insert("max_age".into(), (*max_age).into());
        }
        Cause::CredentialPinned { retry_after } => {
            body.insert("retry_after".into(), (*retry_after).into());
        }
        // The quota's time is in the header `Retry-After`.
        Cause::AgentQuota { .. } | Cause::Plain(_) | Cause::Token(..) | Cause::NonceDemanded { .. } => {}
    }
    Value::Object(body)
}
