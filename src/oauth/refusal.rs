//! Every refusal that Deputy can give: its true cause for the audit, and its answer on the wire.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

mod cause;
mod fault;
mod shared;

pub use cause::Plain;
pub use fault::TokenFault;

/// An OAuth error code with its HTTP status (RFC 6749 §5.2, RFC 8693 §2.2.2, RFC 8707 §2, RFC 9396 §5, RFC 7009 §2.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// 400; 405, 408 and 413 where the cause says so.
    InvalidRequest,
    /// 401.
    InvalidClient,
    /// 400, only in the jwt-bearer grant.
    InvalidGrant,
    /// 400.
    UnauthorizedClient,
    /// 400.
    UnsupportedGrantType,
    /// 400.
    InvalidScope,
    /// 400.
    InvalidTarget,
    /// 400.
    InvalidAuthorizationDetails,
    /// 400, only at `/revoke`.
    UnsupportedTokenType,
    /// 400 (RFC 9449 §5).
    InvalidDpopProof,
    /// 400 with `DPoP-Nonce` (RFC 9449 §8).
    UseDpopNonce,
    /// 429 with `Retry-After`.
    SlowDown,
    /// 429 with `Retry-After`, where a quota is used up.
    TemporarilyUnavailable,
}

impl ErrorCode {
    /// The `error` member.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidAuthorizationDetails => "invalid_authorization_details",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::UseDpopNonce => "use_dpop_nonce",
            Self::SlowDown => "slow_down",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }
}

/// What the token at fault was presented as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PresentedAs {
    /// `subject_token`.
    Subject,
    /// `actor_token`, beside client authentication.
    Actor,
    /// The credential of a platform that authenticates its client.
    Credential,
    /// The assertion of the jwt-bearer grant.
    Grant,
}

/// The true cause of a refusal, for the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A cause without data.
    Plain(Plain),
    /// A fault of a presented token or of its binding.
    Token(PresentedAs, TokenFault),
    /// The login does not meet what a scope asks (RFC 9470 §3, 9470-F-01).
    Assurance {
        /// `in` values of the failed level for `acr`, for the caller to ask its provider for.
        acr_values: Vec<String>,
        /// The age of `auth_time` demanded, in seconds.
        max_age: Option<u32>,
        /// What the failed level looks for, where it has no `acr_values`: `` `mfa` in `amr` ``.
        looked_for: Option<String>,
    },
    /// The login token does not say when the user signed in, and nothing else is wrong with it (OIDC Core §2).
    AuthTimeMissing {
        /// The `max_age`, in seconds, with which a provider has to say so.
        max_age: u32,
    },
    /// The DPoP proof lacks a current nonce (RFC 9449 §8).
    NonceDemanded {
        /// The one to use.
        nonce: Arc<str>,
    },
    /// The platform credential of the actor is pinned to another key than the one that the request proves, if any.
    CredentialPinned {
        /// Seconds until the credential expires.
        retry_after: i64,
    },
    /// The agent is not known yet, and there are as many of its workload issuer or class as there may be.
    AgentQuota {
        /// Seconds until another may be created.
        retry_after: i64,
    },
}

impl From<Plain> for Cause {
    fn from(plain: Plain) -> Self {
        Self::Plain(plain)
    }
}

impl Cause {
    /// A fault of the subject token.
    pub const fn subject(fault: TokenFault) -> Self {
        Self::Token(PresentedAs::Subject, fault)
    }

    /// A fault of the actor token.
    pub const fn actor(fault: TokenFault) -> Self {
        Self::Token(PresentedAs::Actor, fault)
    }

    /// A fault of the credential of a platform that was to authenticate its client.
    pub const fn credential(fault: TokenFault) -> Self {
        Self::Token(PresentedAs::Credential, fault)
    }

    /// The stable word for the audit: what truly happened.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Plain(plain) => plain.word(),
            Self::Token(_, fault) => fault.word(),
            Self::Assurance { .. } => "assurance_insufficient",
            Self::AuthTimeMissing { .. } => "auth_time_missing",
            Self::NonceDemanded { .. } => "nonce_demanded",
            Self::CredentialPinned { .. } => "credential_pinned",
            Self::AgentQuota { .. } => "agent_quota",
        }
    }

    /// What it means, in one sentence, for the page that lists them.
    #[cfg(test)]
    pub const fn meaning(&self) -> &'static str {
        match self {
            Self::Plain(plain) => plain.meaning(),
            Self::Token(_, fault) => fault.meaning(),
            Self::Assurance { .. } => "The login does not meet the level that a requested scope requires.",
            Self::AuthTimeMissing { .. } => {
                "`auth_time` is missing, and the provider or the `access_token` entry is configured to require it."
            }
            Self::NonceDemanded { .. } => "The DPoP proof has no `nonce`, or one that is not current.",
            Self::CredentialPinned { .. } => {
                "The actor's credential was first used with another key, and this request does not prove that key: the \
                 key is lost, or the credential is stolen."
            }
            Self::AgentQuota { .. } => {
                "The agent is new, and a quota of its workload issuer or class is used up."
            }
        }
    }

    /// Its answer on the wire.
    pub const fn wire(&self) -> Wire {
        match self {
            Self::Token(PresentedAs::Subject, _) => SUBJECT_TOKEN,
            Self::Token(PresentedAs::Actor, _) => ACTOR_TOKEN,
            Self::Token(PresentedAs::Credential, _) => shared::CLIENT,
            Self::Token(PresentedAs::Grant, _) => GRANT,
            Self::Assurance { .. } => ASSURANCE,
            Self::AuthTimeMissing { .. } => AUTH_TIME,
            Self::NonceDemanded { .. } => NONCE,
            Self::CredentialPinned { .. } => PINNED,
            Self::AgentQuota { .. } => QUOTA,
            Self::Plain(plain) => plain.wire(),
        }
    }

    /// Its `error_description`: that of [`Cause::wire`], unless only this refusal knows what the caller has to change.
    pub fn description(&self) -> Cow<'static, str> {
        match self {
            Self::Assurance { looked_for: Some(looked_for), .. } => {
                // The operator chose the words, and the RFC which characters there may be.
                let is_legal = |c: char| matches!(c, ' '..='!' | '#'..='[' | ']'..='~');
                let looked_for: String = looked_for.chars().filter(|c| is_legal(*c)).collect();
                format!(
                    "the login is too weak for a requested scope, which needs {looked_for}; sign the user in again so \
                     that the token says so"
                )
                .into()
            }
            other => other.wire().description.into(),
        }
    }

    /// Every cause once, for the generated table.
    pub fn all() -> Vec<Cause> {
        let mut all: Vec<Cause> = Plain::ALL.iter().copied().map(Cause::Plain).collect();
        all.extend(TokenFault::ALL.iter().map(|&fault| Cause::subject(fault)));
        all.extend(TokenFault::ALL.iter().map(|&fault| Cause::actor(fault)));
        all.extend(TokenFault::ALL.iter().map(|&fault| Cause::credential(fault)));
        all.extend(TokenFault::ALL.iter().map(|&fault| Cause::Token(PresentedAs::Grant, fault)));
        all.push(Cause::Assurance { acr_values: Vec::new(), max_age: None, looked_for: None });
        all.push(Cause::AuthTimeMissing { max_age: 0 });
        all.push(Cause::NonceDemanded { nonce: Arc::from("") });
        all.push(Cause::CredentialPinned { retry_after: 0 });
        all.push(Cause::AgentQuota { retry_after: 0 });
        all
    }
}

/// The answer to a refused request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    pub status: u16,
    /// `error`.
    pub code: ErrorCode,
    /// `reason`: a stable machine word.
    pub reason: &'static str,
    /// `error_description`: what the caller has to change. Within `%x20-21 / %x23-5B / %x5D-7E`.
    pub description: &'static str,
    /// The sections that ask for the refusal, or from which the error code comes. Identifiers such as `8693-F-01` are
    /// requirements of the conformance tests (`conformance/requirements.md`).
    pub section: &'static str,
}

const fn wire(
    status: u16,
    code: ErrorCode,
    reason: &'static str,
    description: &'static str,
    section: &'static str,
) -> Wire {
    Wire { status, code, reason, description, section }
}

const SUBJECT_TOKEN: Wire = wire(
    400,
    ErrorCode::InvalidRequest,
    "subject_token_unacceptable",
    "this client cannot exchange this subject token; obtain a new one",
    "RFC 8693 §2.2.2",
);
const ACTOR_TOKEN: Wire = wire(
    400,
    ErrorCode::InvalidRequest,
    "actor_token_unacceptable",
    "this client cannot use this actor token; obtain a new one",
    "RFC 8693 §2.2.2",
);
/// The same for every fault: a credential that was seen proves no key, so that a reason would be told to a thief.
const GRANT: Wire = wire(
    400,
    ErrorCode::InvalidGrant,
    "assertion_unacceptable",
    "this assertion gives no token; obtain a new credential from the platform",
    "RFC 7523 §3.1",
);
const ASSURANCE: Wire = wire(
    400,
    ErrorCode::InvalidRequest,
    "assurance_insufficient",
    "the login is too weak or too old for a requested scope; sign the user in again with the acr_values and max_age of this answer",
    "RFC 8693 §2.2.2, RFC 9470 §3",
);
const AUTH_TIME: Wire = wire(
    400,
    ErrorCode::InvalidRequest,
    "auth_time_missing",
    "the subject_token does not say when the user signed in; ask the provider with the max_age of this answer, so that \
     auth_time is in the token",
    "RFC 8693 §2.2.2, OIDC-3.1.3.7-09",
);
const NONCE: Wire = wire(
    400,
    ErrorCode::UseDpopNonce,
    "nonce_demanded",
    "repeat the request with a new DPoP proof that has the nonce of the DPoP-Nonce header",
    "RFC 9449 §8",
);
const PINNED: Wire = wire(
    400,
    ErrorCode::InvalidRequest,
    "credential_pinned",
    "the credential of the actor is bound to another key; prove that key, or obtain a new credential",
    "RFC 8693 §2.2.2",
);

const QUOTA: Wire = wire(
    429,
    ErrorCode::TemporarilyUnavailable,
    "agent_quota",
    "the quota for new agents of this platform or class is used up; try again after the time in the Retry-After header",
    "RFC 6585 §4",
);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl std::error::Error for Cause {}

#[cfg(test)]
mod tests;
