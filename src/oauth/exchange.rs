//! The token exchange request and answer (RFC 8693 §2.1, §2.2.1).

use serde::Serialize;
use serde_json::{Map, Value};

use super::confirmation::Confirmation;
use super::ids::{Issuer, Purpose, TargetId, TaskId};
use super::params::Params;
use super::refusal::{Cause, Plain};
use super::resource::ResourceUri;
use super::scope::Scope;

/// Token type identifiers (RFC 8693 §3) that mean something here.
pub mod token_type {
    /// An access token: of this server, or of an identity provider.
    pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
    /// An OpenID Connect ID token.
    pub const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
    /// Any JWT: a workload's credential, or a subject token that says itself which kind it is.
    pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
}

/// The `token_type` of a token that is shown as a bearer token (RFC 6750). One that is bound to a certificate is too
/// (RFC 8705 §3).
const BEARER: &str = "Bearer";
/// The `token_type` of a token that is bound to the key of a DPoP proof (RFC 9449 §5).
const DPOP: &str = "DPoP";

/// The `token_type` of a token that is bound to this, or to nothing.
pub const fn token_type_of(bound_to: Option<Confirmation>) -> &'static str {
    match bound_to {
        Some(Confirmation::Key(_)) => DPOP,
        Some(Confirmation::Certificate(_)) | None => BEARER,
    }
}

/// The `typ` of each kind of token that this server issues.
pub mod own_typ {
    /// An access token (RFC 9068 §2.1).
    pub const ACCESS: &str = "at+jwt";
    /// A task token: no resource server can take it for an access token.
    pub const TASK: &str = "task+jwt";
    pub const ALL: [&str; 2] = [ACCESS, TASK];
}

/// A token as presented. Prints nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct PresentedToken(String);

impl PresentedToken {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PresentedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PresentedToken(…)")
    }
}

/// What the caller says that a subject token is (`subject_token_type`, RFC 8693 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeclaredType {
    IdToken,
    AccessToken,
    /// Any JWT: the token says itself which kind it is.
    Jwt,
}

impl DeclaredType {
    fn parse(urn: &str) -> Option<Self> {
        match urn {
            token_type::ID_TOKEN => Some(Self::IdToken),
            token_type::ACCESS_TOKEN => Some(Self::AccessToken),
            token_type::JWT => Some(Self::Jwt),
            _ => None,
        }
    }
}

/// The subject token by who issued it, as far as it says so itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectToken {
    /// Hop 0: a token of an identity provider, with its declared type.
    Login(DeclaredType),
    /// A later hop.
    Own,
}

/// The scope that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskedScope {
    /// These words, all of which are granted or none.
    These(Scope),
    /// None was named: those of these words, which are configured for the target, that the ceiling and the subject token
    /// hold.
    Default(Scope),
}

impl AskedScope {
    /// The words, as far as they are known before the subject token is.
    pub const fn words(&self) -> &Scope {
        match self {
            Self::These(scope) | Self::Default(scope) => scope,
        }
    }

    pub const fn is_default(&self) -> bool {
        matches!(self, Self::Default(_))
    }
}

/// What the parser of an exchange has to know besides the parameters.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// Deputy's own issuer.
    pub issuer: &'a Issuer,
    /// The `iss` that the subject token claims, unverified.
    pub claimed_issuer: Option<&'a str>,
    /// The target that is registered under this URI, however it is spelled.
    pub target_of: &'a dyn Fn(&ResourceUri) -> Option<TargetId>,
    /// The scope that is configured for requests that name this target and no scope.
    pub default_scope: &'a dyn Fn(&TargetId) -> Option<Scope>,
}

/// What the token is to be for, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// `audience` is Deputy's issuer: a task token.
    Deputy,
    /// A registered target by its identifier, or what else was named.
    Target(TargetId),
    /// More than one, which is refused in its turn.
    Several,
    /// `resource` is Deputy itself, which is refused in its turn.
    DeputyAsResource,
}

/// The task that a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedTask {
    None,
    This(TaskId),
    /// A text that can name no task, such as a derived `txn`.
    Unreadable,
}

/// An exchange request whose parameters are present and well-formed.
#[derive(Clone, Debug)]
pub struct ExchangeRequest {
    /// What `subject_token` is.
    pub subject: SubjectToken,
    /// `actor_token`, of type `…:jwt`.
    pub actor: Option<PresentedToken>,
    /// `resource` and `audience`.
    pub audience: Audience,
    /// `scope`, or what is configured for a request without it.
    pub scope: AskedScope,
    /// The `task` parameter.
    pub task: NamedTask,
    /// The `purpose` parameter.
    pub purpose: Option<Purpose>,
    /// Whether `authorization_details` was sent.
    pub has_authorization_details: bool,
}

impl ExchangeRequest {
    /// Parses presence and syntax of all parameters, in the order of 8693-2.1-23.
    ///
    /// # Errors
    /// The first fault found.
    pub fn parse(params: &Params, reading: Reading<'_>) -> Result<Self, Cause> {
        params.get("subject_token").ok_or(Plain::SubjectTokenMissing)?;
        let subject_type = params.get("subject_token_type").ok_or(Plain::SubjectTokenTypeMissing)?;
        let actor = match (params.get("actor_token"), params.get("actor_token_type")) {
            (Some(_), None) => return Err(Plain::ActorTokenTypeMissing.into()),
            (None, Some(_)) => return Err(Plain::ActorTokenMissing.into()),
            (None, None) => None,
            (Some(token), Some(token_type::JWT)) => Some(PresentedToken(token.to_owned())),
            (Some(_), Some(_)) => return Err(Plain::ActorTokenTypeUnsupported.into()),
        };
        let declared = DeclaredType::parse(subject_type).ok_or(Plain::SubjectTokenTypeUnsupported)?;
        let subject = subject_token(declared, reading);
        if params.get("requested_token_type").is_some_and(|asked| asked != token_type::ACCESS_TOKEN) {
            return Err(Plain::RequestedTokenTypeUnsupported.into());
        }
        let task = match params.get("task").map(TaskId::parse) {
            None => NamedTask::None,
            Some(Some(id)) => NamedTask::This(id),
            Some(None) => NamedTask::Unreadable,
        };
        let purpose = match params.get("purpose") {
            Some(text) => Some(Purpose::parse(text).ok_or(Plain::PurposeMalformed)?),
            None => None,
        };
        if subject == SubjectToken::Own && (task != NamedTask::None || purpose.is_some()) {
            return Err(Plain::TaskOnLaterHop.into());
        }
        let audience = parse_audience(params, reading)?;
        let scope = parse_scope(params, &audience, reading)?;
        Ok(Self {
            subject,
            actor,
            audience,
            scope,
            task,
            purpose,
            has_authorization_details: params.get("authorization_details").is_some(),
        })
    }
}

/// A token of Deputy's own comes from Deputy by its `iss`. An ID token never does, and the form of a token that has no
/// `iss` is a fault of whichever kind it was declared to be.
fn subject_token(declared: DeclaredType, reading: Reading<'_>) -> SubjectToken {
    if declared == DeclaredType::IdToken {
        return SubjectToken::Login(declared);
    }
    match reading.claimed_issuer {
        Some(issuer) if issuer == reading.issuer.as_str() => SubjectToken::Own,
        None if declared == DeclaredType::AccessToken => SubjectToken::Own,
        _ => SubjectToken::Login(declared),
    }
}

/// `scope`. It may be left out for a target that has default scopes (RFC 6749 §3.3), and never for a task token.
fn parse_scope(params: &Params, audience: &Audience, reading: Reading<'_>) -> Result<AskedScope, Cause> {
    match (params.get("scope"), audience) {
        (Some(scope), _) => Ok(AskedScope::These(Scope::parse(scope).ok_or(Plain::ScopeMalformed)?)),
        (None, Audience::Target(target)) => {
            let scope = (reading.default_scope)(target).ok_or(Plain::ScopeMissing)?;
            Ok(AskedScope::Default(scope))
        }
        (None, Audience::Deputy | Audience::Several | Audience::DeputyAsResource) => {
            Err(Plain::ScopeMissing.into())
        }
    }
}

/// `resource` (an absolute URI without fragment, RFC 8707 §2) and `audience` (a name, compared byte for byte). A target
/// that is named more than once is one target.
fn parse_audience(params: &Params, reading: Reading<'_>) -> Result<Audience, Cause> {
    let mut found = Vec::new();
    for resource in params.all("resource") {
        let resource = ResourceUri::parse(resource).ok_or(Plain::TargetMalformed)?;
        found.push(if ResourceUri::parse(reading.issuer.as_str()).as_ref() == Some(&resource) {
            Audience::DeputyAsResource
        } else {
            let registered = (reading.target_of)(&resource);
            Audience::Target(registered.unwrap_or_else(|| TargetId::new(resource.as_str())))
        });
    }
    for audience in params.all("audience") {
        found.push(if audience == reading.issuer.as_str() {
            Audience::Deputy
        } else {
            Audience::Target(TargetId::new(audience))
        });
    }
    let first = found.first().ok_or(Plain::TargetMissing)?;
    if found.iter().any(|other| other != first) {
        return Ok(Audience::Several);
    }
    Ok(found.swap_remove(0))
}

/// The answer to an exchange (RFC 8693 §2.2.1). Prints nothing of its token.
#[derive(Serialize)]
pub struct TokenResponse {
    pub access_token: String,
    /// `…:access_token`.
    pub issued_token_type: &'static str,
    /// `Bearer` or `DPoP`.
    pub token_type: &'static str,
    /// Seconds from `iat` to `exp`.
    pub expires_in: i64,
    /// What was granted.
    pub scope: Scope,
    /// The task, at hop 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The nonce for the next DPoP proof, which goes into the header `DPoP-Nonce` (RFC 9449 §8.2).
    #[serde(skip)]
    pub dpop_nonce: Option<String>,
}

impl std::fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenResponse").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// The body of a refusal: RFC code, description, and what Deputy adds.
pub fn refusal_body(cause: &Cause, request: super::ids::RequestId) -> Value {
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

#[cfg(test)]
mod tests;
