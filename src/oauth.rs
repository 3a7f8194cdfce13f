//! The wire as types: parameters, scopes, identifiers, token types, error codes and refusals. It is parsed once,
//! here; inside there are no raw strings with meaning.

mod assertion_type;
mod confirmation;
pub mod exchange;
mod fingerprint;
pub mod grant;
mod handover;
pub mod ids;
pub mod one_time;
mod opaque;
pub mod params;
pub mod refusal;
mod resource;
pub mod scope;
mod spiffe;
mod workload_id;

pub use assertion_type::AssertionType;
pub use confirmation::Confirmation;
pub use exchange::{
    AskedScope, Audience, DeclaredType, ExchangeRequest, NamedTask, SubjectToken, TokenResponse,
};
pub use fingerprint::{CertificateHash, CredentialHash, Jkt};
pub use grant::{GrantType, TokenRequest};
pub use handover::{HandoverRequest, Recipient};
pub use ids::{
    AgentId, ClientId, Digest, Issuer, Jti, LoginId, Purpose, RequestId, SubjectRef, TargetId, TaskId,
};
pub use one_time::OneTime;
pub use opaque::{OPAQUE_CHECK, OPAQUE_RANDOM, OpaqueToken};
pub use params::Params;
pub use refusal::{Cause, Plain, PresentedAs, TokenFault};
pub use resource::ResourceUri;
pub use scope::{Scope, ScopeToken};
pub use spiffe::{MAX_SPIFFE_ID, SpiffeId, TrustDomain};
pub use workload_id::{WorkloadId, WorkloadIdForm, WorkloadIdKind, WorkloadIdValue};
