//! The answers that several causes share.

use super::ErrorCode::*;
use super::{Wire, wire};

/// Client authentication failed. The answer does not say why (RFC 6749 §5.2), except for faults of an assertion that are
/// found when its signature was proven: who signed it holds the key of the client.
pub(super) const CLIENT: Wire = wire(
    401,
    InvalidClient,
    "client_authentication_failed",
    "client authentication failed; check the client_id, the registered authentication method and the credential",
    "RFC 6749 §5.2",
);
/// The target does not exist, or this client may not use it. The answer does not say which.
pub(super) const TARGET: Wire = wire(
    400,
    InvalidTarget,
    "target_unknown",
    "name a registered target that this client may use",
    "RFC 8707 §2",
);
/// The scope is defined, but not for this client or this agent.
pub(super) const SCOPE: Wire = wire(
    400,
    InvalidScope,
    "scope_not_allowed",
    "request only scopes that this client and this agent may have",
    "RFC 6749 §5.2, 8693-F-01",
);
/// Policy, or what counts as policy.
pub(super) const POLICY: Wire = wire(
    400,
    InvalidRequest,
    "policy_denied",
    "policy does not permit this exchange; the operator can look up the reason by the request_id",
    "RFC 8693 §2.2.2",
);

/// The agent cannot bring in this one. The answer does not say whether it exists.
pub(super) const REQUESTED_ACTOR: Wire = wire(
    400,
    InvalidRequest,
    "requested_actor_unacceptable",
    "name as requested_actor a class that this agent may bring in, as class:NAME, or one agent of such a class by its \
     identifier",
    "RFC 8693 §2.2.2",
);

/// Something is wrong with the DPoP proof.
pub(super) const PROOF: Wire = wire(
    400,
    InvalidDpopProof,
    "proof_invalid",
    "send one DPoP header with a new proof: typ dpop+jwt, a listed alg, the public key as jwk, htm POST, htu of the \
     token endpoint, the current time as iat, and a jti that was never used",
    "RFC 9449 §4.3, RFC 9449 §5",
);
