//! What a server says: an issued token, an introspection, or why not.

use std::fmt;

use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use serde_json::Value;

use super::{Response, Unreachable};

/// The response to a token exchange (RFC 8693 §2.2.1).
#[derive(Clone)]
pub struct Issued {
    /// The issued token.
    pub access_token: String,
    /// The granted scope, where the server states it.
    pub scope: Option<String>,
    /// The lifetime in seconds, where the server states it.
    pub expires_in: Option<i64>,
    /// The task that began with this exchange or that a handover is part of, which only Deputy states.
    pub task: Option<String>,
    /// All members, the token included.
    pub body: Value,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("scope", &self.scope).field("task", &self.task).finish_non_exhaustive()
    }
}

impl Issued {
    pub(super) fn read(body: Value) -> Result<Self, Error> {
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            access_token: text("access_token").ok_or(Error::Answer("holds no `access_token`"))?,
            scope: text("scope"),
            expires_in: body.get("expires_in").and_then(Value::as_i64),
            task: text("task"),
            body,
        })
    }
}

/// The response to an introspection (RFC 7662 §2.2).
#[derive(Clone, Debug)]
pub struct Introspection {
    /// Whether the token is active.
    pub active: bool,
    /// All members, `active` included.
    pub body: Value,
}

impl Introspection {
    pub(super) fn read(body: Value) -> Result<Self, Error> {
        let active = body.get("active").and_then(Value::as_bool);
        let active = active.ok_or(Error::Answer("does not say whether the token is active"))?;
        Ok(Self { active, body })
    }
}

/// An OAuth error response (RFC 6749 §5.2), with the members that Deputy adds.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// `error`, where the body is an OAuth error at all.
    pub error: Option<String>,
    /// `error_description`.
    pub description: Option<String>,
    /// `reason`, the finer code of Deputy.
    pub reason: Option<String>,
    /// `request_id`, by which an operator of Deputy finds the record of the request.
    pub request_id: Option<String>,
    /// After how many seconds another attempt makes sense, by the body or by the header `Retry-After`.
    pub retry_after: Option<i64>,
    /// All members; null where the body is no JSON.
    pub body: Value,
}

impl Refusal {
    fn read(response: &Response) -> Self {
        let body = response.json();
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let header = response.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        Self {
            status: response.status,
            error: text("error"),
            description: text("error_description"),
            reason: text("reason"),
            request_id: text("request_id"),
            retry_after: body.get("retry_after").and_then(Value::as_i64).or(header),
            body,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some(error) => write!(f, "{} {error}", self.status.as_u16()),
            None => write!(f, "the server answered {}", self.status),
        }?;
        self.reason.as_ref().map_or(Ok(()), |reason| write!(f, " ({reason})"))
    }
}

/// Why a request failed. No variant holds a token or a secret.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The issuer is no URL with a host.
    #[error("this is no issuer URL")]
    Issuer,
    /// The certificate authorities are no PEM certificates.
    #[error("no PEM certificates")]
    Roots,
    /// The HTTP client cannot be built.
    #[error("http client: {0}")]
    Http(String),
    /// There is no metadata of an authorization server of that name (RFC 8414 §3.3).
    #[error("no metadata of an authorization server of that name (RFC 8414)")]
    Metadata,
    /// The metadata names no such endpoint.
    #[error("the server's metadata has no `{0}`")]
    NoEndpoint(&'static str),
    /// The client assertion could not be signed.
    #[error("the client assertion could not be signed")]
    Assertion,
    /// The proof of a key could not be signed.
    #[error("the proof of the key could not be signed")]
    Proof,
    /// No whole response came.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The server refused.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The server accepted the request, but its response is not the one that the specification describes.
    #[error("the answer {0}")]
    Answer(&'static str),
}

/// The JSON of a 200; null for an empty body. Anything else is a refusal.
pub(super) fn accepted(response: &Response) -> Result<Value, Error> {
    match response.status {
        StatusCode::OK => Ok(response.json()),
        _ => Err(Error::Refused(Box::new(Refusal::read(response)))),
    }
}
