//! The causes of refusals that carry no data, in one table with a row for each cause.

use super::ErrorCode::*;
use super::shared::{CLIENT, POLICY, PROOF, REQUESTED_ACTOR, SCOPE, TARGET};
use super::{Wire, wire};
use crate::base::words::words;
use crate::oauth::grant::GrantType;

/// Declares the causes. A row has the variant, its word in the audit, its meaning, and its answer on the wire, which
/// is either an answer of its own (status, `error`, `reason`, `error_description`, and the section that asks for it) or
/// the name of an answer that several causes share.
macro_rules! causes {
    ($($variant:ident $word:literal, $meaning:literal => $wire:expr;)*) => {
        words! {
            /// The true cause of a refusal that carries no data. See [`Cause`](super::Cause).
            Plain { $(#[doc = $meaning] $variant => $word,)* }
        }

        impl Plain {
            /// What it means, in one sentence, for the page that lists them.
            #[cfg(test)]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// What the wire says of it.
            pub const fn wire(self) -> Wire {
                match self { $(Self::$variant => $wire,)* }
            }
        }
    };
}

causes! {
    // Every endpoint: the HTTP request and its form.
    MethodNotAllowed "method_not_allowed", "The HTTP method is not POST."
        => wire(405, InvalidRequest, "method_not_allowed",
            "use the POST method", "RFC 6749 §3.2");
    MediaType "media_type", "The body is not `application/x-www-form-urlencoded`."
        => wire(400, InvalidRequest, "media_type",
            "send the parameters in the body as application/x-www-form-urlencoded", "RFC 8693 §2.1");
    BodyTooLarge "body_too_large", "The body is larger than 64 KiB."
        => wire(413, InvalidRequest, "body_too_large",
            "send a body of at most 64 KiB", "RFC 9110 §15.5.14");
    BodyTimeout "body_timeout", "The body did not arrive within 10 seconds."
        => wire(408, InvalidRequest, "body_timeout",
            "send the whole body within 10 seconds", "RFC 9110 §15.5.9");
    FormMalformed "form_malformed", "The form has invalid percent-encoding, a NUL, or bytes that are not UTF-8."
        => wire(400, InvalidRequest, "form_malformed",
            "encode the parameters as UTF-8 with valid percent-encoding and without NUL", "RFC 6749 appendix B");
    TooManyParameters "too_many_parameters", "The form has more than 100 parameters."
        => wire(400, InvalidRequest, "too_many_parameters",
            "send at most 100 parameters", "RFC 6749 §5.2");
    ParameterRepeated "parameter_repeated", "A parameter that may be sent once was sent twice."
        => wire(400, InvalidRequest, "parameter_repeated",
            "send each parameter at most once, except resource and audience", "RFC 6749 §3.2");
    Throttled "throttled", "There were too many requests or failures."
        => wire(429, SlowDown, "throttled",
            "there were too many requests; try again after the time in the Retry-After header", "RFC 6585 §4");

    // Every endpoint: client authentication.
    NoCredentials "no_credentials", "The request has no client credentials."
        => CLIENT;
    SeveralMethods "several_methods", "The request uses more than one method of client authentication."
        => wire(400, InvalidRequest, "several_authentication_methods",
            "use exactly one method of client authentication", "RFC 6749 §2.3");
    BasicMalformed "basic_malformed", "The Authorization header cannot be read."
        => wire(400, InvalidRequest, "authorization_malformed",
            "send one Authorization header with the Basic scheme and the base64 encoding of the form-encoded client_id, \
             a colon and the form-encoded secret",
            "RFC 6749 §2.3.1");
    AssertionIncomplete "assertion_incomplete",
        "`client_assertion` is missing, or `client_assertion_type` is missing or unknown."
        => wire(400, InvalidRequest, "client_assertion_incomplete",
            "send client_assertion together with the client_assertion_type \
             urn:ietf:params:oauth:client-assertion-type:jwt-bearer, or jwt-spiffe in place of jwt-bearer for a JWT-SVID",
            "RFC 7521 §4.2");
    ClientUnknown "client_unknown", "No client has this identifier."
        => CLIENT;
    GrantAssertionMissing "grant_assertion_missing", "`assertion` is missing in the jwt-bearer grant."
        => wire(400, InvalidRequest, "assertion_missing",
            "send the credential of the platform as assertion", "RFC 7523 §2.1");
    ClientStopped "client_stopped", "An operator stopped the client."
        => CLIENT;
    SecretWrong "secret_wrong", "The secret is wrong or empty."
        => CLIENT;
    SecretExpired "secret_expired", "The secret has expired."
        => CLIENT;
    MethodNotRegistered "method_not_registered", "The client is registered for another authentication method."
        => CLIENT;
    CredentialNamesNoClient "credential_names_no_client",
        "The class of the platform's credential does not list the client that `client_id` names, or `client_id` is \
         missing and the class lists no client or several that authenticate so."
        => CLIENT;
    ClientIdMismatch "client_id_mismatch", "`client_id` names another client than the credential."
        => CLIENT;
    AssertionMalformed "assertion_malformed",
        "The assertion is not a JWT within the limits, or one of its claims has the wrong type."
        => CLIENT;
    AssertionAlgorithm "assertion_algorithm", "The `alg` of the assertion is not allowed."
        => CLIENT;
    AssertionKind "assertion_kind", "The `typ` of the assertion is that of another kind of token."
        => CLIENT;
    AssertionKeyUnknown "assertion_key_unknown", "No registered key of the client matches the assertion."
        => CLIENT;
    AssertionSignature "assertion_signature", "The signature of the assertion does not verify."
        => CLIENT;
    AssertionIssuer "assertion_issuer", "`iss` and `sub` of the assertion are not both the client."
        => CLIENT;
    AssertionAudience "assertion_audience",
        "`aud` of the assertion, whose signature is the client's, is not Deputy's issuer identifier alone."
        => wire(401, InvalidClient, "assertion_audience",
            "write the issuer of this server, and nothing else, as aud of the client assertion; for a library that can only \
             write the URL of the token endpoint, the operator can set assertion_audience of the client",
            "RFC 7523 §3, 7523bis-01");
    AssertionExpired "assertion_expired", "The assertion has no `exp`, or has expired."
        => CLIENT;
    AssertionTooLong "assertion_too_long",
        "`exp` of the assertion, whose signature is the client's, is more than five minutes ahead, or its `iat` is older \
         than that."
        => wire(401, InvalidClient, "assertion_too_long",
            "make a client assertion for each request, with an exp at most 5 minutes ahead and an iat at most 5 minutes old",
            "RFC 7523 §3, 7523-3-04");
    AssertionNotYetValid "assertion_not_yet_valid", "`nbf` or `iat` of the assertion lies in the future."
        => CLIENT;
    AssertionJti "assertion_jti", "The assertion has no `jti`, or one of more than 256 characters."
        => CLIENT;
    AssertionReplayed "assertion_replayed", "The assertion, whose signature is the client's, was used before."
        => wire(401, InvalidClient, "assertion_replayed",
            "this client assertion was used before; make one with a new jti for each request", "RFC 7523 §3, 7523-3-06");

    // Every endpoint: the client certificate.
    CertificateMissing "certificate_missing",
        "The client is registered for mutual TLS, and the request came without a client certificate."
        => CLIENT;
    CertificateRepeated "certificate_repeated", "The trusted proxy sent more than one header with a client certificate."
        => wire(400, InvalidRequest, "certificate_repeated",
            "the proxy in front of this server has to replace the header with the client certificate, and not to add one",
            "RFC 9440 §2.1");
    CertificateMalformed "certificate_malformed",
        "The header of the trusted proxy holds no X.509 certificate in the form that is configured, or one of more than 16 KiB."
        => CLIENT;
    CertificateExpired "certificate_expired", "The client certificate has expired, perhaps since the connection was made."
        => CLIENT;
    CertificateNotYetValid "certificate_not_yet_valid", "The client certificate is not valid yet."
        => CLIENT;
    CertificateUntrusted "certificate_untrusted",
        "No authority of `tls.client_ca_file` vouches for the client certificate."
        => CLIENT;
    CertificateOfAuthority "certificate_of_authority", "The client certificate is that of an authority (`CA:TRUE`)."
        => CLIENT;
    CertificatePurpose "certificate_purpose",
        "The client certificate is not for clients: its extendedKeyUsage lacks clientAuth."
        => CLIENT;
    CertificateSubject "certificate_subject",
        "The client certificate is good, and does not have the name that is registered for the client."
        => CLIENT;
    CertificateUnregistered "certificate_unregistered",
        "The client certificate is not among those in the `x5c` of the client's keys."
        => CLIENT;

    // The token endpoint: proof of possession.
    CertificateDemanded "certificate_demanded",
        "The client gets only tokens that are bound to a certificate, and the request came without one."
        => wire(400, InvalidRequest, "certificate_demanded",
            "send the request over mutual TLS with a client certificate, to the token endpoint in mtls_endpoint_aliases if \
             the metadata of this server has it",
            "RFC 8705 §3, 8705-3-02");
    ProofMissing "proof_missing",
        "The request has neither a DPoP proof nor a client certificate, and the client, the workload issuer, the target or \
         the subject token demands one. Or a key names the agent, and it is not proven by DPoP: a certificate names none."
        => wire(400, InvalidDpopProof, "proof_missing",
            "send a DPoP proof, or a client certificate over mutual TLS unless the agent is named by its key: the client, \
             the agent, the target or the subject token demands one",
            "RFC 9449 §5, RFC 9449 §5.2");
    ProofRepeated "proof_repeated", "The request has more than one `DPoP` header."
        => PROOF;
    ProofMalformed "proof_malformed",
        "The DPoP proof is empty, longer than 4 KiB, not a JWT, or one of its claims has the wrong type."
        => PROOF;
    ProofType "proof_type", "The `typ` of the DPoP proof is not `dpop+jwt`."
        => PROOF;
    ProofAlgorithm "proof_algorithm", "The `alg` of the DPoP proof is not one of `dpop.algorithms`."
        => PROOF;
    ProofKey "proof_key", "The `jwk` of the DPoP proof is missing, is not a public key, or does not fit its `alg`."
        => PROOF;
    ProofSignature "proof_signature", "The signature of the DPoP proof does not verify with its `jwk`."
        => PROOF;
    ProofMethod "proof_method", "`htm` of the DPoP proof is not the method of the request."
        => PROOF;
    ProofUrl "proof_url", "`htu` of the DPoP proof is not the URL of the token endpoint."
        => PROOF;
    ProofTime "proof_time", "`iat` of the DPoP proof is missing, or more than 60 seconds from now; or `exp` or `nbf` forbid it."
        => PROOF;
    ProofJti "proof_jti", "The DPoP proof has no `jti`, or one of more than 256 characters."
        => PROOF;
    ProofReplayed "proof_replayed", "The DPoP proof was used before."
        => PROOF;

    // The token endpoint: the grant.
    GrantTypeMissing "grant_type_missing", "`grant_type` is missing."
        => wire(400, InvalidRequest, "grant_type_missing",
            GrantType::ADVICE, "RFC 8693 §2.1");
    GrantTypeUnsupported "grant_type_unsupported", "Deputy does not serve this `grant_type`."
        => wire(400, UnsupportedGrantType, "grant_type_unsupported",
            GrantType::ADVICE, "RFC 6749 §5.2");
    GrantNotRegistered "grant_not_registered", "The client is not registered for this grant."
        => wire(400, UnauthorizedClient, "grant_not_registered",
            "the client is not registered for this grant", "RFC 6749 §5.2");

    // The token endpoint: the parameters of an exchange.
    SubjectTokenMissing "subject_token_missing", "`subject_token` is missing."
        => wire(400, InvalidRequest, "subject_token_missing",
            "send a subject_token", "RFC 8693 §2.1");
    SubjectTokenTypeMissing "subject_token_type_missing", "`subject_token_type` is missing."
        => wire(400, InvalidRequest, "subject_token_type_missing",
            "send a subject_token_type", "RFC 8693 §2.1");
    SubjectTokenTypeUnsupported "subject_token_type_unsupported",
        "Deputy does not exchange subject tokens of this `subject_token_type`."
        => wire(400, InvalidRequest, "subject_token_type_unsupported",
            "send the subject_token_type urn:ietf:params:oauth:token-type:id_token \
             or urn:ietf:params:oauth:token-type:access_token",
            "RFC 8693 §3");
    ActorTokenTypeMissing "actor_token_type_missing", "`actor_token` came without `actor_token_type`."
        => wire(400, InvalidRequest, "actor_token_type_missing",
            "send an actor_token_type with the actor_token", "RFC 8693 §2.1");
    ActorTokenMissing "actor_token_missing", "`actor_token_type` came without `actor_token`."
        => wire(400, InvalidRequest, "actor_token_missing",
            "send actor_token_type only with an actor_token", "RFC 8693 §2.1");
    ActorTokenTypeUnsupported "actor_token_type_unsupported",
        "Deputy does not accept actor tokens of this `actor_token_type`."
        => wire(400, InvalidRequest, "actor_token_type_unsupported",
            "send the actor_token_type urn:ietf:params:oauth:token-type:jwt", "RFC 8693 §3");
    RequestedTokenTypeUnsupported "requested_token_type_unsupported",
        "Deputy does not issue tokens of this `requested_token_type`."
        => wire(400, InvalidRequest, "requested_token_type_unsupported",
            "request urn:ietf:params:oauth:token-type:access_token, or omit requested_token_type",
            "RFC 8693 §2.2.1");
    PurposeMalformed "purpose_malformed", "`purpose` has more than 256 characters, or some that cannot be printed."
        => wire(400, InvalidRequest, "purpose_malformed",
            "send a purpose of 1 to 256 printable characters", "RFC 6749 §5.2");
    PurposeDiffers "purpose_differs", "`purpose` differs from the one with which the task began."
        => wire(400, InvalidRequest, "purpose_differs",
            "the task began with another purpose; omit purpose to join the task", "RFC 6749 §5.2");
    TooManyTasks "too_many_tasks", "The ID token has begun as many tasks as one may."
        => wire(400, InvalidRequest, "too_many_tasks",
            "obtain a new ID token, or name a task to join", "RFC 6749 §5.2");
    TaskWithoutUser "task_without_user",
        "`task` was sent in a request without a subject token, or `purpose` in one that begins no task."
        => wire(400, InvalidRequest, "task_without_user",
            "omit task; send purpose only with the issuer of this server as audience, which begins a task", "RFC 6749 §5.2");
    TaskOnLaterHop "task_on_later_hop", "`task` or `purpose` was sent on a later hop."
        => wire(400, InvalidRequest, "task_on_later_hop",
            "send task and purpose only when the subject token is an ID token", "RFC 6749 §5.2");
    RequestedActorMalformed "requested_actor_malformed",
        "`requested_actor` is neither `agent_…` nor `class:NAME`, or longer than 80 bytes."
        => REQUESTED_ACTOR;
    RequestedActorMisplaced "requested_actor_misplaced",
        "`requested_actor` was sent with the token of an identity provider or for a target, or `dpop_jkt` without \
         `requested_actor`."
        => wire(400, InvalidRequest, "requested_actor_misplaced",
            "send requested_actor, and dpop_jkt beside it, only with a task token and the issuer of this server as the \
             audience", "RFC 6749 §5.2");
    RequestedActorUnknown "requested_actor_unknown", "No agent and no class has the name in `requested_actor`."
        => REQUESTED_ACTOR;
    RequestedActorEnded "requested_actor_ended",
        "The agent in `requested_actor` is suspended, retired, banned or over."
        => REQUESTED_ACTOR;
    RequestedActorUnlisted "requested_actor_unlisted",
        "The class of the agent in `requested_actor` is not in `delegates_to` of the giver's class or client."
        => REQUESTED_ACTOR;
    DpopJktMalformed "dpop_jkt_malformed", "`dpop_jkt` is no thumbprint of a key."
        => wire(400, InvalidRequest, "dpop_jkt_malformed",
            "send as dpop_jkt the SHA-256 thumbprint of the key in base64url, which is 43 bytes long", "RFC 7638 §3");
    AuthorizationDetails "authorization_details", "No type of `authorization_details` is registered."
        => wire(400, InvalidAuthorizationDetails, "authorization_details_unsupported",
            "omit authorization_details; no type of it is registered", "RFC 9396 §5");

    // The token endpoint: the delegation chain.
    ChainLoop "chain_loop", "The actor is already in the delegation chain, or is the subject."
        => wire(400, InvalidRequest, "chain_loop",
            "the actor is already in the delegation chain", "RFC 8693 §2.2.2, 8693-F-09");
    ChainTooDeep "chain_too_deep", "The delegation chain would be deeper than is allowed."
        => wire(400, InvalidRequest, "chain_too_deep",
            "the delegation chain already has the greatest depth that is allowed", "RFC 8693 §2.2.2, 8693-4.1-10");

    // The token endpoint: the target.
    TargetMissing "target_missing", "Neither `resource` nor `audience` was sent."
        => wire(400, InvalidTarget, "target_missing",
            "name one target by resource or audience", "RFC 8707 §2");
    TargetMalformed "target_malformed", "`resource` is not an absolute URI without a fragment."
        => wire(400, InvalidTarget, "target_malformed",
            "send the resource as an absolute URI without a fragment", "RFC 8707 §2");
    TargetUnknown "target_unknown", "No target has this identifier."
        => TARGET;
    TargetStopped "target_stopped", "An operator stopped the target."
        => TARGET;
    TargetSeveral "target_several", "More than one target was named."
        => wire(400, InvalidTarget, "target_several",
            "name only one target for each token", "RFC 8707 §2, 8707-3-02");
    TargetNotAllowed "target_not_allowed", "The client or the class of the agent may not use the target."
        => TARGET;
    TargetNotInReach "target_not_in_reach",
        "A client or class that held a task token above may not use the target."
        => TARGET;
    TargetNotOnward "target_not_onward", "The target of the subject token does not list the target as onward."
        => wire(400, InvalidTarget, "target_not_onward",
            "the target of the subject token does not allow an exchange onward to this target",
            "RFC 8707 §2, 8693-F-06");
    TargetIsDeputy "target_is_deputy", "The target is Deputy itself, or a task token was requested on a later hop."
        => wire(400, InvalidTarget, "target_is_deputy",
            "name a registered target; a task token is issued only for a login or a handover", "RFC 8707 §2, 8707-3-01");

    // The token endpoint: the scope.
    BeginsNoTasks "begins_no_tasks",
        "A task of the agent's own was asked for, and neither its class nor its client may begin one."
        => wire(400, InvalidTarget, "begins_no_tasks",
            "name a target; this agent may begin no task of its own, which begins_tasks in the configuration allows",
            "RFC 8707 §2");
    NoAgentTokens "no_agent_tokens",
        "A token about the agent was asked for in the jwt-bearer grant, and its class gives none."
        => wire(400, InvalidTarget, "no_agent_tokens",
            "name the issuer of this server as audience; agents of this class get no tokens about themselves, which \
             agent_tokens in the configuration allows",
            "RFC 8707 §2");
    ScopeMissing "scope_missing", "`scope` is missing."
        => wire(400, InvalidScope, "scope_missing",
            "send a scope", "RFC 6749 §3.3");
    ScopeMalformed "scope_malformed", "`scope` has illegal characters or separators."
        => wire(400, InvalidScope, "scope_malformed",
            "send the scope as words that are separated by single spaces", "RFC 6749 §3.3");
    ScopeUnknownAtTarget "scope_unknown_at_target", "The target does not define the scope."
        => wire(400, InvalidScope, "scope_unknown_at_target",
            "request only scopes that the target defines", "RFC 6749 §5.2");
    ScopeNotInSubject "scope_not_in_subject", "The subject token does not have the scope."
        => wire(400, InvalidScope, "scope_not_in_subject",
            "request only scopes that the subject token has", "RFC 6749 §5.2, 8693-F-01");
    ScopeNeedsUser "scope_needs_user", "No user is behind the token, and the scope is only for tokens of users."
        => wire(400, InvalidScope, "scope_needs_user",
            "a requested scope is only for tokens that a user is behind; request scopes whose subjects include agent",
            "RFC 6749 §5.2");
    ScopeNeedsNoUser "scope_needs_no_user", "A user is behind the token, and the scope is only for tokens of agents."
        => wire(400, InvalidScope, "scope_needs_no_user",
            "a requested scope is only for tokens of agents that act for themselves; request it without a user",
            "RFC 6749 §5.2");
    ScopeNotInClient "scope_not_in_client", "The client may not have the scope."
        => SCOPE;
    ScopeNotInClass "scope_not_in_class", "The class of the agent may not have the scope."
        => SCOPE;
    ScopeNotInReach "scope_not_in_reach",
        "A client or class that held a task token above may not have the scope."
        => SCOPE;
    SeveralAnswers "several_answers", "More than one yes/no scope was requested."
        => wire(400, InvalidScope, "several_answers",
            "request only one yes/no scope of this target at a time", "RFC 6749 §5.2, YNC-01");

    // The token endpoint: answers and policy.
    AnswerUnavailable "answer_unavailable", "The answer is unknown, or no longer holds."
        => wire(400, InvalidRequest, "answer_unavailable",
            "the answer is not available", "RFC 8693 §2.2.2, YNC-03");
    AnswerNotForActor "answer_not_for_actor", "The class of the actor may not have the answer."
        => POLICY;
    PolicyDenied "policy_denied", "The policy denied the exchange."
        => POLICY;

    // Introspection and revocation.
    TokenMissing "token_missing", "`token` is missing."
        => wire(400, InvalidRequest, "token_missing",
            "send a token", "RFC 7662 §2.1, RFC 7009 §2.1");
    TokenOfOtherClient "token_of_other_client", "The token was issued to another client, or to another agent than the one that the credential names."
        => wire(400, InvalidRequest, "token_of_other_client",
            "a token can be revoked only by the client and the agent to which it was issued", "RFC 7009 §2.1");
    TokenKindNotRevocable "token_kind_not_revocable", "Tokens of this kind cannot be revoked here."
        => wire(400, UnsupportedTokenType, "token_kind_not_revocable",
            "tokens of this kind cannot be revoked at this endpoint", "RFC 7009 §2.2.1");
}
