//! The token exchange request and answer (RFC 8693 §2.1, §2.2.1).

mod answer;

pub use answer::{ActClaim, TokenResponse, refusal_body};

use super::confirmation::Confirmation;
use super::handover::HandoverRequest;
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
    /// Any JWT: a workload's credential, a subject token that says itself which kind it is, or a handover.
    pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
}

/// The `token_type` of a token that is shown as a bearer token (RFC 6750). One that is bound to a certificate is too
/// (RFC 8705 §3).
const BEARER: &str = "Bearer";
/// The `token_type` of a token that is bound to the key of a DPoP proof (RFC 9449 §5).
const DPOP: &str = "DPoP";
/// The `token_type` of what is no access token (RFC 8693 §2.2.1).
pub const NOT_APPLICABLE: &str = "N_A";

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
    /// A handover, which is good only for the agent that accepts it.
    pub const HANDOVER: &str = "handover+jwt";
    pub const ALL: [&str; 3] = [ACCESS, TASK, HANDOVER];
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
    /// There is none: an agent asks for itself.
    None,
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
    /// Whom the agent asks to bring in; absent where it asks for a token for itself.
    pub handover: Option<HandoverRequest>,
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
        let actor = parse_actor(params)?;
        let declared = DeclaredType::parse(subject_type).ok_or(Plain::SubjectTokenTypeUnsupported)?;
        let subject = subject_token(declared, reading);
        let hands_over = params.get("requested_actor").is_some();
        let issued = if hands_over { token_type::JWT } else { token_type::ACCESS_TOKEN };
        if params.get("requested_token_type").is_some_and(|asked| asked != issued) {
            return Err(Plain::RequestedTokenTypeUnsupported.into());
        }
        let task = match params.get("task").map(TaskId::parse) {
            None => NamedTask::None,
            Some(Some(id)) => NamedTask::This(id),
            Some(None) => NamedTask::Unreadable,
        };
        let purpose = parse_purpose(params)?;
        if subject == SubjectToken::Own && (task != NamedTask::None || purpose.is_some()) {
            return Err(Plain::TaskOnLaterHop.into());
        }
        let audience = parse_audience(params, reading)?;
        if hands_over && (subject != SubjectToken::Own || audience != Audience::Deputy) {
            return Err(Plain::RequestedActorMisplaced.into());
        }
        let handover = HandoverRequest::parse(params)?;
        let scope = parse_scope(params, &audience, reading)?;
        Ok(Self {
            subject,
            actor,
            audience,
            scope,
            task,
            purpose,
            handover,
            has_authorization_details: params.get("authorization_details").is_some(),
        })
    }
}

impl ExchangeRequest {
    /// Parses a request by which an agent asks for itself, without a subject token: for a token about itself at a target,
    /// or with Deputy's issuer as `audience` for a task of its own, which alone has a `purpose`.
    ///
    /// # Errors
    /// The first fault found.
    pub fn parse_of_agent(params: &Params, reading: Reading<'_>) -> Result<Self, Cause> {
        let actor = parse_actor(params)?;
        let purpose = parse_purpose(params)?;
        let audience = parse_audience(params, reading)?;
        if params.get("task").is_some() || (purpose.is_some() && audience != Audience::Deputy) {
            return Err(Plain::TaskWithoutUser.into());
        }
        if params.get("requested_actor").or(params.get("dpop_jkt")).is_some() {
            return Err(Plain::RequestedActorMisplaced.into());
        }
        let scope = parse_scope(params, &audience, reading)?;
        Ok(Self {
            subject: SubjectToken::None,
            actor,
            audience,
            scope,
            task: NamedTask::None,
            purpose,
            handover: None,
            has_authorization_details: params.get("authorization_details").is_some(),
        })
    }
}

/// `actor_token` with its type.
fn parse_actor(params: &Params) -> Result<Option<PresentedToken>, Cause> {
    match (params.get("actor_token"), params.get("actor_token_type")) {
        (Some(_), None) => Err(Plain::ActorTokenTypeMissing.into()),
        (None, Some(_)) => Err(Plain::ActorTokenMissing.into()),
        (None, None) => Ok(None),
        (Some(token), Some(token_type::JWT)) => Ok(Some(PresentedToken(token.to_owned()))),
        (Some(_), Some(_)) => Err(Plain::ActorTokenTypeUnsupported.into()),
    }
}

fn parse_purpose(params: &Params) -> Result<Option<Purpose>, Cause> {
    let text = params.get("purpose");
    Ok(text.map(|text| Purpose::parse(text).ok_or(Plain::PurposeMalformed)).transpose()?)
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

#[cfg(test)]
mod tests;
