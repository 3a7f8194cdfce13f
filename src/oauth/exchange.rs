//! The token exchange request and answer (RFC 8693 §2.1, §2.2.1).

use serde::Serialize;
use serde_json::{Map, Value};
use url::Url;

use super::ids::{Issuer, Purpose, TargetId, TaskId};
use super::params::Params;
use super::refusal::{Cause, Plain};
use super::scope::Scope;

/// Token type identifiers (RFC 8693 §3) that mean something here.
pub mod token_type {
    /// An access token issued by this server.
    pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
    /// An OpenID Connect ID token.
    pub const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
    /// Any JWT; here a workload's credential.
    pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
}

/// The `token_type` of a token that is bound to no key (RFC 6750).
pub const BEARER: &str = "Bearer";
/// The `token_type` of a token that is bound to the key of a DPoP proof (RFC 9449 §5).
pub const DPOP: &str = "DPoP";

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

/// The subject token by its declared type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectToken {
    /// Hop 0.
    IdToken(PresentedToken),
    /// A later hop.
    Own(PresentedToken),
}

/// What the token is to be for, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// `audience` is Deputy's issuer: a task token.
    Deputy,
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
    /// `subject_token` with its type.
    pub subject: SubjectToken,
    /// `actor_token`, of type `…:jwt`.
    pub actor: Option<PresentedToken>,
    /// `resource` and `audience`.
    pub audience: Audience,
    /// `scope`.
    pub scope: Scope,
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
    pub fn parse(params: &Params, issuer: &Issuer) -> Result<Self, Cause> {
        let subject = params.get("subject_token").ok_or(Plain::SubjectTokenMissing)?;
        let subject_type = params.get("subject_token_type").ok_or(Plain::SubjectTokenTypeMissing)?;
        let actor = match (params.get("actor_token"), params.get("actor_token_type")) {
            (Some(_), None) => return Err(Plain::ActorTokenTypeMissing.into()),
            (None, Some(_)) => return Err(Plain::ActorTokenMissing.into()),
            (None, None) => None,
            (Some(token), Some(token_type::JWT)) => Some(PresentedToken(token.to_owned())),
            (Some(_), Some(_)) => return Err(Plain::ActorTokenTypeUnsupported.into()),
        };
        let subject = PresentedToken(subject.to_owned());
        let subject = match subject_type {
            token_type::ID_TOKEN => SubjectToken::IdToken(subject),
            token_type::ACCESS_TOKEN => SubjectToken::Own(subject),
            _ => return Err(Plain::SubjectTokenTypeUnsupported.into()),
        };
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
        if matches!(subject, SubjectToken::Own(_)) && (task != NamedTask::None || purpose.is_some()) {
            return Err(Plain::TaskOnLaterHop.into());
        }
        let audience = parse_audience(params, issuer)?;
        let scope = params.get("scope").ok_or(Plain::ScopeMissing)?;
        let scope = Scope::parse(scope).ok_or(Plain::ScopeMalformed)?;
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

/// `resource` (an absolute URI without fragment, RFC 8707 §2) and `audience` (a name).
fn parse_audience(params: &Params, issuer: &Issuer) -> Result<Audience, Cause> {
    let mut found = Vec::new();
    for resource in params.all("resource") {
        // The literal text is the identifier; the parse only checks its form.
        let is_absolute = Url::parse(resource).is_ok() && !resource.contains('#');
        if !is_absolute || resource.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(Plain::TargetMalformed.into());
        }
        found.push(if resource == issuer.as_str() {
            Audience::DeputyAsResource
        } else {
            Audience::Target(TargetId::new(resource))
        });
    }
    for audience in params.all("audience") {
        found.push(if audience == issuer.as_str() {
            Audience::Deputy
        } else {
            Audience::Target(TargetId::new(audience))
        });
    }
    match found.len() {
        0 => Err(Plain::TargetMissing.into()),
        1 => Ok(found.swap_remove(0)),
        _ => Ok(Audience::Several),
    }
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

/// The body of a refusal: RFC code, fixed description, and what Deputy adds.
pub fn refusal_body(cause: &Cause, request: super::ids::RequestId) -> Value {
    let wire = cause.wire();
    let mut body = Map::new();
    body.insert("error".into(), wire.code.as_str().into());
    body.insert("error_description".into(), wire.description.into());
    body.insert("reason".into(), wire.reason.into());
    body.insert("request_id".into(), request.to_string().into());
    if let Cause::Assurance { acr_values, max_age } = cause {
        if !acr_values.is_empty() {
            body.insert("acr_values".into(), acr_values.join(" ").into());
        }
        if let Some(max_age) = max_age {
            body.insert("max_age".into(), (*max_age).into());
        }
    }
    if let Cause::CredentialPinned { retry_after } = cause {
        body.insert("retry_after".into(), (*retry_after).into());
    }
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "subject_token=a.b.c&subject_token_type=urn:ietf:params:oauth:token-type:id_token";

    fn parse(rest: &str) -> Result<ExchangeRequest, Cause> {
        let params = Params::parse(format!("{BASE}&{rest}").as_bytes())?;
        ExchangeRequest::parse(&params, &Issuer::new("https://deputy.example"))
    }

    fn refused(rest: &str) -> Plain {
        match parse(rest).unwrap_err() {
            Cause::Plain(plain) => plain,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_issuer_as_audience_asks_for_a_task_token_and_as_resource_for_nothing() {
        let audience = |rest: &str| parse(&format!("{rest}&scope=a")).unwrap().audience;
        assert_eq!(audience("audience=https://deputy.example"), Audience::Deputy);
        assert_eq!(audience("resource=https://deputy.example"), Audience::DeputyAsResource);
        assert_eq!(
            audience("resource=https://a.example/x?y=1"),
            Audience::Target(TargetId::new("https://a.example/x?y=1"))
        );
        assert_eq!(audience("resource=https://a.example&audience=b"), Audience::Several);
    }

    #[test]
    fn a_resource_that_is_no_absolute_uri_without_fragment_is_malformed() {
        for resource in [
            "/calendar",
            "calendar",
            "//api.example/x",
            "https://",
            "https://api.example/x%23fragment",
            "https://api.example/x%23",
            "https://api.example/%20x",
            "https://api.example/x%0a",
        ] {
            let refused = refused(&format!("resource={resource}&scope=a"));
            assert_eq!(refused, Plain::TargetMalformed, "{resource}");
        }
        assert!(parse("resource=https://api.example/x&scope=a").is_ok());
    }

    #[test]
    fn scope_is_required_and_its_separators_are_single_spaces() {
        assert_eq!(refused("audience=b"), Plain::ScopeMissing);
        for scope in ["a%20%20b", "a%09b", "%20a", "a%20", "a%22b", "a%5cb", "%c3%a9"] {
            assert_eq!(refused(&format!("audience=b&scope={scope}")), Plain::ScopeMalformed, "{scope}");
        }
        assert_eq!(parse("audience=b&scope=b%20a").unwrap().scope, Scope::parse("a b").unwrap());
    }

    #[test]
    fn type_and_token_of_the_actor_come_together() {
        assert_eq!(refused("actor_token=x"), Plain::ActorTokenTypeMissing);
        assert_eq!(
            refused("actor_token=&actor_token_type=urn:ietf:params:oauth:token-type:jwt"),
            Plain::ActorTokenMissing
        );
        assert!(parse("actor_token=&actor_token_type=&audience=b&scope=a").unwrap().actor.is_none());
    }
}
