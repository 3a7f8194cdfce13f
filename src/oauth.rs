//! The wire as types: parameters, scopes, identifiers, token types, error codes and refusals. It is parsed once,
//! here; inside there are no raw strings with meaning.

pub mod exchange;
pub mod grant;
pub mod ids;
pub mod one_time;
pub mod params;
pub mod refusal;
pub mod scope;

pub use exchange::{Audience, ExchangeRequest, NamedTask, PresentedToken, SubjectToken, TokenResponse};
pub use grant::{GrantType, TokenRequest};
pub use ids::{
    AgentId, ClientId, Digest, Issuer, Jti, LoginId, Purpose, RequestId, SubjectRef, TargetId, TaskId,
};
pub use one_time::OneTime;
pub use params::Params;
pub use refusal::{ActorOrSubject, Cause, ErrorCode, Plain, TokenFault, Wire};
pub use scope::{Scope, ScopeToken};
