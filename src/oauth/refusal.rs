//! Every refusal Deputy can give: one true cause each for the audit, and what the wire says of it.

use std::fmt;

use super::grant::GrantType;
use super::ids::RequestId;
use crate::base::words::words;

/// An OAuth error code with its HTTP status (RFC 6749 §5.2, RFC 8693 §2.2.2, RFC 8707 §2, RFC 9396 §5, RFC 7009 §2.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// 400; 405, 408 and 413 where the cause says so.
    InvalidRequest,
    /// 401.
    InvalidClient,
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
    /// 429 with `Retry-After`.
    SlowDown,
}

impl ErrorCode {
    /// The `error` member.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidAuthorizationDetails => "invalid_authorization_details",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::SlowDown => "slow_down",
        }
    }
}

/// Which of the two presented tokens of an exchange is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActorOrSubject {
    /// `subject_token`.
    Subject,
    /// `actor_token`.
    Actor,
}

words! {
    /// What is wrong with a presented token, or with its binding to the caller. The wire never tells
    /// one from another (8693-2.2.2-04); the audit does.
    TokenFault {
        /// Not a compact JWS within the limits, or not strict JSON inside.
        Malformed => "malformed",
        /// `alg` is not allowed for this kind or issuer.
        Algorithm => "algorithm",
        /// `crit` is present.
        Critical => "critical_header",
        /// No key of the issuer fits.
        KeyUnknown => "key_unknown",
        /// The signature does not verify.
        Signature => "signature",
        /// `typ` or the claims belong to another kind of token.
        Kind => "kind",
        /// `iss` is not configured.
        IssuerUntrusted => "issuer_untrusted",
        /// `aud` is not what this kind demands.
        Audience => "audience",
        /// The relying party it was issued to is no source for this client.
        RelyingParty => "relying_party",
        /// `azp` is missing or wrong.
        AuthorizedParty => "authorized_party",
        /// `sub` missing, empty, too long, not ASCII, or in a reserved form.
        Subject => "subject",
        /// A claim is missing or of the wrong type.
        Claim => "claim",
        /// Expired.
        Expired => "expired",
        /// Before `nbf`.
        NotYetValid => "not_yet_valid",
        /// `iat` lies ahead.
        IssuedAhead => "issued_ahead",
        /// `iat` is older than the age limit of the kind, or its life longer than allowed.
        TooOld => "too_old",
        /// `auth_time` missing.
        AuthTimeMissing => "auth_time_missing",
        /// The login is older than the session limit.
        SessionTooOld => "session_too_old",
        /// Too little life is left to pass on.
        TooLittleLife => "too_little_life",
        /// Signed by us, but never recorded: a key is misused.
        NeverIssued => "never_issued",
        /// Signed by a key that was revoked.
        KeyRevoked => "key_revoked",
        /// Revoked, itself or an ancestor.
        Revoked => "revoked",
        /// Its task ended.
        TaskEnded => "task_ended",
        /// Its login's session ended.
        LoginEnded => "login_ended",
        /// An agent of its chain is suspended, retired or banned.
        AgentEnded => "agent_ended",
        /// The user's logins up to a time were cut off.
        SubjectCutOff => "subject_cut_off",
        /// The agent's or client's logins up to a time were cut off.
        AgentCutOff => "agent_cut_off",
        /// Its client, target, provider or workload issuer is no longer configured.
        PartyRemoved => "party_removed",
        /// Neither its current actor nor its audience registered to exchange onward.
        NotYours => "not_yours",
        /// `may_act` names someone else, or is malformed.
        MayAct => "may_act",
        /// The ID token fed a task that is over.
        LoginSpent => "login_spent",
        /// `task` names no live task of this user, client and agent.
        TaskUnknown => "task_unknown",
        /// The workload's claims fit no class.
        NoClass => "no_class",
        /// The class does not list this client.
        ClassNotForClient => "class_not_for_client",
        /// The agent belongs to another client.
        OtherClientsAgent => "other_clients_agent",
        /// A client with a secret may not be the actor itself.
        SecretClientAsAgent => "secret_client_as_agent",
        /// An agent where a user is demanded.
        SubjectIsAgent => "subject_is_agent",
    }
}

words! {
    /// The true cause of a refusal that carries no data. See [`Cause`].
    Plain {
        /// Not POST.
        MethodNotAllowed => "method_not_allowed",
        /// Not `application/x-www-form-urlencoded`.
        MediaType => "media_type",
        /// Body over 64 KiB.
        BodyTooLarge => "body_too_large",
        /// The body did not arrive in 10 s.
        BodyTimeout => "body_timeout",
        /// Bad percent-encoding, NUL, or not UTF-8.
        FormMalformed => "form_malformed",
        /// More than 100 parameters.
        TooManyParameters => "too_many_parameters",
        /// A single-valued parameter came twice.
        ParameterRepeated => "parameter_repeated",
        /// Too many requests or failures.
        Throttled => "throttled",
        /// No client credentials.
        NoCredentials => "no_credentials",
        /// More than one method of client authentication.
        SeveralMethods => "several_methods",
        /// The Authorization header cannot be read.
        BasicMalformed => "basic_malformed",
        /// `client_assertion_type` missing or unknown, or `client_assertion` missing.
        AssertionIncomplete => "assertion_incomplete",
        /// No such client.
        ClientUnknown => "client_unknown",
        /// Wrong or empty secret.
        SecretWrong => "secret_wrong",
        /// The secret has expired.
        SecretExpired => "secret_expired",
        /// Not the method registered for the client.
        MethodNotRegistered => "method_not_registered",
        /// `client_id` names another client than the credential.
        ClientIdMismatch => "client_id_mismatch",
        /// The assertion is no JWT within the limits, or a claim has the wrong type.
        AssertionMalformed => "assertion_malformed",
        /// Its `alg` is not allowed.
        AssertionAlgorithm => "assertion_algorithm",
        /// Its `typ` is that of another kind.
        AssertionKind => "assertion_kind",
        /// No registered key fits.
        AssertionKeyUnknown => "assertion_key_unknown",
        /// The signature does not verify.
        AssertionSignature => "assertion_signature",
        /// `iss` and `sub` are not both the client.
        AssertionIssuer => "assertion_issuer",
        /// `aud` is not the issuer alone.
        AssertionAudience => "assertion_audience",
        /// No `exp`, or expired.
        AssertionExpired => "assertion_expired",
        /// `exp` more than five minutes ahead, or `iat` older than that.
        AssertionTooLong => "assertion_too_long",
        /// `nbf` or `iat` ahead.
        AssertionNotYetValid => "assertion_not_yet_valid",
        /// No `jti`, or over 256 characters.
        AssertionJti => "assertion_jti",
        /// Its `jti` was spent.
        AssertionReplayed => "assertion_replayed",
        /// `grant_type` missing.
        GrantTypeMissing => "grant_type_missing",
        /// `grant_type` not served.
        GrantTypeUnsupported => "grant_type_unsupported",
        /// The client is not registered for the grant.
        GrantNotRegistered => "grant_not_registered",
        /// `subject_token` missing.
        SubjectTokenMissing => "subject_token_missing",
        /// `subject_token_type` missing.
        SubjectTokenTypeMissing => "subject_token_type_missing",
        /// `subject_token_type` not taken here.
        SubjectTokenTypeUnsupported => "subject_token_type_unsupported",
        /// `actor_token` without type.
        ActorTokenTypeMissing => "actor_token_type_missing",
        /// `actor_token_type` without token.
        ActorTokenMissing => "actor_token_missing",
        /// `actor_token_type` not taken here.
        ActorTokenTypeUnsupported => "actor_token_type_unsupported",
        /// `requested_token_type` not issued here.
        RequestedTokenTypeUnsupported => "requested_token_type_unsupported",
        /// `purpose` over 256 characters or not printable.
        PurposeMalformed => "purpose_malformed",
        /// `purpose` differs from the one the task began with.
        PurposeDiffers => "purpose_differs",
        /// `task` or `purpose` on a later hop.
        TaskOnLaterHop => "task_on_later_hop",
        /// The actor is already in the chain, or is the subject.
        ChainLoop => "chain_loop",
        /// The chain would be deeper than allowed.
        ChainTooDeep => "chain_too_deep",
        /// Neither `resource` nor `audience`.
        TargetMissing => "target_missing",
        /// Not an absolute URI without fragment.
        TargetMalformed => "target_malformed",
        /// Not a registered target.
        TargetUnknown => "target_unknown",
        /// More than one target.
        TargetSeveral => "target_several",
        /// Not among the client's or the agent class's targets.
        TargetNotAllowed => "target_not_allowed",
        /// Not on the onward list of the subject token's target.
        TargetNotOnward => "target_not_onward",
        /// Deputy itself, or a task token at a later hop.
        TargetIsDeputy => "target_is_deputy",
        /// No `scope`.
        ScopeMissing => "scope_missing",
        /// A scope token with illegal characters or separators.
        ScopeMalformed => "scope_malformed",
        /// Not defined by the target.
        ScopeUnknownAtTarget => "scope_unknown_at_target",
        /// Not in the subject token.
        ScopeNotInSubject => "scope_not_in_subject",
        /// Not among the client's scopes.
        ScopeNotInClient => "scope_not_in_client",
        /// Not among the agent class's scopes.
        ScopeNotInClass => "scope_not_in_class",
        /// More than one yes/no scope for an answering target.
        SeveralAnswers => "several_answers",
        /// No type of `authorization_details` is registered.
        AuthorizationDetails => "authorization_details",
        /// The answer is unknown, or no longer holds.
        AnswerUnavailable => "answer_unavailable",
        /// The actor's class may not have the answer.
        AnswerNotForActor => "answer_not_for_actor",
        /// Policy denied.
        PolicyDenied => "policy_denied",
        /// `token` missing.
        TokenMissing => "token_missing",
        /// The token was issued to another client.
        TokenOfOtherClient => "token_of_other_client",
        /// A kind of token that cannot be revoked here.
        TokenKindNotRevocable => "token_kind_not_revocable",
    }
}

/// The true cause of a refusal, for the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A cause without data.
    Plain(Plain),
    /// A fault of a presented token or of its binding.
    Token(ActorOrSubject, TokenFault),
    /// The login does not meet what a scope asks (RFC 9470 §3, 9470-F-01).
    Assurance {
        /// `in` values of the failed level for `acr`, for the caller to ask its provider for.
        acr_values: Vec<String>,
        /// The age of `auth_time` demanded, in seconds.
        max_age: Option<u32>,
    },
}

#[allow(non_upper_case_globals, missing_docs, reason = "constants that read as the variants they stand for")]
impl Cause {
    pub const FormMalformed: Self = Self::Plain(Plain::FormMalformed);
    pub const TooManyParameters: Self = Self::Plain(Plain::TooManyParameters);
    pub const ParameterRepeated: Self = Self::Plain(Plain::ParameterRepeated);
}

impl From<Plain> for Cause {
    fn from(plain: Plain) -> Self {
        Self::Plain(plain)
    }
}

impl Cause {
    /// A fault of the subject token.
    pub const fn subject(fault: TokenFault) -> Self {
        Self::Token(ActorOrSubject::Subject, fault)
    }

    /// A fault of the actor token.
    pub const fn actor(fault: TokenFault) -> Self {
        Self::Token(ActorOrSubject::Actor, fault)
    }

    /// The stable word for the audit: what truly happened.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Plain(plain) => plain.word(),
            Self::Token(_, fault) => fault.word(),
            Self::Assurance { .. } => "assurance_insufficient",
        }
    }

    /// What the wire says of it.
    pub const fn wire(&self) -> Wire {
        match self {
            Self::Token(ActorOrSubject::Subject, _) => SUBJECT_TOKEN,
            Self::Token(ActorOrSubject::Actor, _) => ACTOR_TOKEN,
            Self::Assurance { .. } => ASSURANCE,
            Self::Plain(plain) => plain.wire(),
        }
    }

    /// Every cause once, for the generated table.
    pub fn all() -> Vec<Cause> {
        let mut all: Vec<Cause> = Plain::ALL.iter().copied().map(Cause::Plain).collect();
        all.extend(TokenFault::ALL.iter().map(|&fault| Cause::subject(fault)));
        all.extend(TokenFault::ALL.iter().map(|&fault| Cause::actor(fault)));
        all.push(Cause::Assurance { acr_values: Vec::new(), max_age: None });
        all
    }
}

/// What the wire says: status, code, stable reason, fixed description, and where that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    /// HTTP status.
    pub status: u16,
    /// `error`.
    pub code: ErrorCode,
    /// `reason`: a stable machine word.
    pub reason: &'static str,
    /// `error_description`: what the caller has to change. Within `%x20-21 / %x23-5B / %x5D-7E`.
    pub description: &'static str,
    /// The section that asks for it.
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
    "the subject token cannot be exchanged by this client; obtain a new one",
    "RFC 8693 §2.2.2",
);
const ACTOR_TOKEN: Wire = wire(
    400,
    ErrorCode::InvalidRequest,
    "actor_token_unacceptable",
    "the actor token cannot be used by this client; obtain a new one",
    "RFC 8693 §2.2.2",
);
const ASSURANCE: Wire = wire(
    400,
    ErrorCode::InvalidRequest,
    "assurance_insufficient",
    "the login is too weak or too old for a requested scope; sign the user in again with acr_values and max_age as given",
    "RFC 8693 §2.2.2, RFC 9470 §3",
);
const CLIENT: Wire = wire(
    401,
    ErrorCode::InvalidClient,
    "client_authentication_failed",
    "client authentication failed; check the client_id, the registered method and the credential",
    "RFC 6749 §5.2",
);
const POLICY: Wire = wire(
    400,
    ErrorCode::InvalidRequest,
    "policy_denied",
    "policy does not permit this exchange; the operator can look it up by request_id",
    "RFC 8693 §2.2.2",
);

impl Plain {
    /// What the wire says of it.
    pub const fn wire(self) -> Wire {
        use ErrorCode::*;
        match self {
            Self::MethodNotAllowed => {
                wire(405, InvalidRequest, "method_not_allowed", "use POST", "RFC 6749 §3.2")
            }
            Self::MediaType => wire(
                400,
                InvalidRequest,
                "media_type",
                "send the parameters as application/x-www-form-urlencoded in the body",
                "RFC 8693 §2.1",
            ),
            Self::BodyTooLarge => {
                wire(413, InvalidRequest, "body_too_large", "send at most 64 KiB", "design 8")
            }
            Self::BodyTimeout => {
                wire(408, InvalidRequest, "body_timeout", "send the whole body within 10 seconds", "design 8")
            }
            Self::FormMalformed => wire(
                400,
                InvalidRequest,
                "form_malformed",
                "encode the parameters as UTF-8 with valid percent-encoding and no NUL",
                "RFC 6749 appendix B",
            ),
            Self::TooManyParameters => {
                wire(400, InvalidRequest, "too_many_parameters", "send at most 100 parameters", "design 8")
            }
            Self::ParameterRepeated => wire(
                400,
                InvalidRequest,
                "parameter_repeated",
                "send each parameter but resource and audience at most once",
                "RFC 6749 §3.2",
            ),
            Self::Throttled => wire(
                429,
                SlowDown,
                "throttled",
                "too many requests; try again after Retry-After",
                "RFC 6585 §4",
            ),
            Self::SeveralMethods => wire(
                400,
                InvalidRequest,
                "several_authentication_methods",
                "use exactly one method of client authentication",
                "RFC 6749 §2.3",
            ),
            Self::BasicMalformed => wire(
                400,
                InvalidRequest,
                "authorization_malformed",
                "send one Authorization header: Basic, base64 of form-encoded client_id, a colon, form-encoded secret",
                "RFC 6749 §2.3.1",
            ),
            Self::AssertionIncomplete => wire(
                400,
                InvalidRequest,
                "client_assertion_incomplete",
                "send client_assertion with client_assertion_type urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "RFC 7521 §4.2",
            ),
            Self::NoCredentials
            | Self::ClientUnknown
            | Self::SecretWrong
            | Self::SecretExpired
            | Self::MethodNotRegistered
            | Self::ClientIdMismatch
            | Self::AssertionMalformed
            | Self::AssertionAlgorithm
            | Self::AssertionKind
            | Self::AssertionKeyUnknown
            | Self::AssertionSignature
            | Self::AssertionIssuer
            | Self::AssertionAudience
            | Self::AssertionExpired
            | Self::AssertionTooLong
            | Self::AssertionNotYetValid
            | Self::AssertionJti
            | Self::AssertionReplayed => CLIENT,
            Self::GrantTypeMissing => {
                wire(400, InvalidRequest, "grant_type_missing", GrantType::ADVICE, "RFC 8693 §2.1")
            }
            Self::GrantTypeUnsupported => {
                wire(400, UnsupportedGrantType, "grant_type_unsupported", GrantType::ADVICE, "RFC 6749 §5.2")
            }
            Self::GrantNotRegistered => wire(
                400,
                UnauthorizedClient,
                "grant_not_registered",
                "the client is not registered for this grant",
                "RFC 6749 §5.2",
            ),
            Self::SubjectTokenMissing => {
                wire(400, InvalidRequest, "subject_token_missing", "send subject_token", "RFC 8693 §2.1")
            }
            Self::SubjectTokenTypeMissing => wire(
                400,
                InvalidRequest,
                "subject_token_type_missing",
                "send subject_token_type",
                "RFC 8693 §2.1",
            ),
            Self::SubjectTokenTypeUnsupported => wire(
                400,
                InvalidRequest,
                "subject_token_type_unsupported",
                "send subject_token_type urn:ietf:params:oauth:token-type:id_token or :access_token",
                "RFC 8693 §3",
            ),
            Self::ActorTokenTypeMissing => wire(
                400,
                InvalidRequest,
                "actor_token_type_missing",
                "send actor_token_type with actor_token",
                "RFC 8693 §2.1",
            ),
            Self::ActorTokenMissing => wire(
                400,
                InvalidRequest,
                "actor_token_missing",
                "send actor_token_type only with actor_token",
                "RFC 8693 §2.1",
            ),
            Self::ActorTokenTypeUnsupported => wire(
                400,
                InvalidRequest,
                "actor_token_type_unsupported",
                "send actor_token_type urn:ietf:params:oauth:token-type:jwt",
                "RFC 8693 §3",
            ),
            Self::RequestedTokenTypeUnsupported => wire(
                400,
                InvalidRequest,
                "requested_token_type_unsupported",
                "ask for urn:ietf:params:oauth:token-type:access_token or leave requested_token_type out",
                "RFC 8693 §2.2.1",
            ),
            Self::PurposeMalformed => wire(
                400,
                InvalidRequest,
                "purpose_malformed",
                "send purpose as 1 to 256 printable characters",
                "design 3",
            ),
            Self::PurposeDiffers => wire(
                400,
                InvalidRequest,
                "purpose_differs",
                "the task began with another purpose; leave purpose out to join it",
                "design 3",
            ),
            Self::TaskOnLaterHop => wire(
                400,
                InvalidRequest,
                "task_on_later_hop",
                "send task and purpose only with an ID token",
                "design 3",
            ),
            Self::ChainLoop => wire(
                400,
                InvalidRequest,
                "chain_loop",
                "the actor is already in the delegation chain",
                "8693-F-09",
            ),
            Self::ChainTooDeep => wire(
                400,
                InvalidRequest,
                "chain_too_deep",
                "the delegation chain has reached its greatest depth",
                "8693-4.1-10",
            ),
            Self::TargetMissing => wire(
                400,
                InvalidTarget,
                "target_missing",
                "name one target as resource or audience",
                "RFC 8707 §2",
            ),
            Self::TargetMalformed => wire(
                400,
                InvalidTarget,
                "target_malformed",
                "send resource as an absolute URI without fragment",
                "RFC 8707 §2",
            ),
            Self::TargetUnknown | Self::TargetNotAllowed => wire(
                400,
                InvalidTarget,
                "target_unknown",
                "name a target that is registered and open to this client",
                "RFC 8707 §2",
            ),
            Self::TargetSeveral => {
                wire(400, InvalidTarget, "target_several", "name one target per token", "8707-3-02")
            }
            Self::TargetNotOnward => wire(
                400,
                InvalidTarget,
                "target_not_onward",
                "this target does not follow onward from the subject token",
                "8693-F-06",
            ),
            Self::TargetIsDeputy => wire(
                400,
                InvalidTarget,
                "target_is_deputy",
                "name a registered target; a task token comes only from an ID token",
                "8707-3-01",
            ),
            Self::ScopeMissing => wire(400, InvalidScope, "scope_missing", "send scope", "RFC 6749 §3.3"),
            Self::ScopeMalformed => wire(
                400,
                InvalidScope,
                "scope_malformed",
                "send scope as words separated by single spaces",
                "RFC 6749 §3.3",
            ),
            Self::ScopeUnknownAtTarget => wire(
                400,
                InvalidScope,
                "scope_unknown_at_target",
                "ask only for scopes that the target defines",
                "RFC 6749 §5.2",
            ),
            Self::ScopeNotInSubject => wire(
                400,
                InvalidScope,
                "scope_not_in_subject",
                "ask only for scopes that the subject token holds",
                "8693-F-01",
            ),
            Self::ScopeNotInClient | Self::ScopeNotInClass => wire(
                400,
                InvalidScope,
                "scope_not_allowed",
                "ask only for scopes open to this client and agent",
                "8693-F-01",
            ),
            Self::SeveralAnswers => wire(
                400,
                InvalidScope,
                "several_answers",
                "ask this target for one yes/no scope at a time",
                "YNC-01",
            ),
            Self::AuthorizationDetails => wire(
                400,
                InvalidAuthorizationDetails,
                "authorization_details_unsupported",
                "no type of authorization_details is registered; leave it out",
                "RFC 9396 §5",
            ),
            Self::AnswerUnavailable => {
                wire(400, InvalidRequest, "answer_unavailable", "the answer is not available", "YNC-03")
            }
            Self::AnswerNotForActor | Self::PolicyDenied => POLICY,
            Self::TokenMissing => {
                wire(400, InvalidRequest, "token_missing", "send token", "RFC 7662 §2.1, RFC 7009 §2.1")
            }
            Self::TokenOfOtherClient => wire(
                400,
                InvalidRequest,
                "token_of_other_client",
                "only the client that a token was issued to can revoke it",
                "RFC 7009 §2.1",
            ),
            Self::TokenKindNotRevocable => wire(
                400,
                UnsupportedTokenType,
                "token_kind_not_revocable",
                "this kind of token is not revoked here",
                "RFC 7009 §2.2.1",
            ),
        }
    }
}

/// A refusal on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The true cause, for the audit.
    pub cause: Cause,
    /// The request it answers.
    pub request: RequestId,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl std::error::Error for Cause {}

#[cfg(test)]
mod tests;
