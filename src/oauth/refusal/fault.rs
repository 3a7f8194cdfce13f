//! What can be wrong with a presented token: one table, one row a fault.

use crate::base::words::words;

/// Declares the faults. A row is the variant, its word in the audit, and its meaning.
macro_rules! faults {
    ($($variant:ident $word:literal, $meaning:literal;)*) => {
        words! {
            /// What is wrong with a presented token, or with its binding to the caller. The answer is the same for all
            /// of them (8693-2.2.2-04); the audit has the fault.
            TokenFault { $(#[doc = $meaning] $variant => $word,)* }
        }

        impl TokenFault {
            /// What it means, in one sentence, for the page that lists them.
            #[cfg(test)]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

faults! {
    Malformed "malformed", "The token is not a compact JWS within the limits, or does not contain strict JSON.";
    Algorithm "algorithm", "`alg` is not allowed for this kind of token or for this issuer.";
    Critical "critical_header", "The header has `crit`.";
    KeyUnknown "key_unknown", "No key of the issuer matches.";
    Signature "signature", "The signature does not verify.";
    SignatureChanged "signature_changed",
        "The token is one that Deputy issued, but its signature was changed into the other one that is valid.";
    Kind "kind",
        "`typ`, another header parameter or the claims are those of another kind of token, or it was declared to be one.";
    IssuerUntrusted "issuer_untrusted",
        "`iss`, or the trust domain of a SPIFFE ID, is not configured, or not for this kind of token.";
    Audience "audience", "`aud` is not what this kind of token requires.";
    RelyingParty "relying_party", "The client may not use tokens that were issued to this relying party or for this audience.";
    AuthorizedParty "authorized_party",
        "`azp` is missing or wrong; of a workload of Entra, `azp` or `appid`, whichever its version has, or `ver`.";
    Condition "condition", "The claims meet the `when` of no `access_token` entry for this audience and party.";
    NotAPerson "not_a_person", "The access token was issued to an application for itself, not for a person.";
    NotAWorkload "not_a_workload",
        "The credential is one of a person, or of an application that acts for a person, and not that of a workload.";
    OtherTenant "other_tenant", "`tid` is missing, or is not the tenant that the issuer names.";
    ForeignChain "foreign_chain",
        "The access token, or the credential of a workload, names a party that acts already, which an exchange would drop \
         from the chain.";
    BoundToKey "bound_to_key",
        "The access token is bound to a key by `cnf`, and the client is not the audience at which possession was proven.";
    Subject "subject", "`sub` is missing, empty, too long, not ASCII, of a reserved form, or a malformed SPIFFE ID.";
    Claim "claim", "A claim is missing or has the wrong type.";
    Expired "expired", "The token has expired.";
    NotYetValid "not_yet_valid", "`nbf` lies in the future.";
    IssuedAhead "issued_ahead", "`iat` lies in the future.";
    TooOld "too_old",
        "`iat` is older than this kind of token may be, or the lifetime is longer than is allowed. An ID token that is \
         too old to begin a task still joins the live task that it fed.";
    NonceMissing "nonce_missing",
        "`nonce` is missing, and the provider is configured so that a token without it begins no task.";
    SessionTooOld "session_too_old", "The login is older than a session may be.";
    TooLittleLife "too_little_life", "Too little of the lifetime is left to issue another token.";
    NeverIssued "never_issued", "Deputy's key signed the token, but Deputy never recorded it: the key is misused.";
    NotRecorded "not_recorded",
        "No record fits the token. It is an opaque token, or a JWT whose signature was not verified because the client presents \
         too many of them.";
    KeyRevoked "key_revoked", "The key that signed the token was revoked.";
    Revoked "revoked", "The token, or one that it was derived from, was revoked.";
    TaskEnded "task_ended", "The task of the token has ended.";
    LoginEnded "login_ended", "The session of the login has ended.";
    AgentEnded "agent_ended", "An agent in the delegation chain is suspended, retired or banned.";
    SubjectCutOff "subject_cut_off", "The user, their session or their provider was stopped since the login.";
    AgentCutOff "agent_cut_off",
        "The agent, its class, its workload, the workload's issuer or the client was stopped since the login or since \
         the credential was issued.";
    Stopped "stopped",
        "A client, target, agent, class, workload or workload issuer that the token names was stopped since it was issued.";
    PartyRemoved "party_removed", "A party that the token names is no longer configured.";
    NotYours "not_yours", "The client is neither the current actor nor registered to exchange tokens of this audience.";
    OtherKey "other_key",
        "The token is bound to another key than the one that the request proves, or the handover names another key.";
    HandedToAnother "handed_to_another",
        "The handover is for another agent or class, another agent has accepted it, or its giver presents it.";
    HandoverExpired "handover_expired", "No agent accepted the handover within `tasks.accept_within_seconds`.";
    MayAct "may_act", "`may_act` names another party, or is malformed.";
    LoginSpent "login_spent",
        "The ID token was already used for a task that has ended, or the access token for one that was stopped.";
    SessionStopped "session_stopped",
        "A task of this session was stopped, so that no access token of the session begins another for this client.";
    TaskUnknown "task_unknown", "`task` does not name a running task of this user, client and agent.";
    NoClass "no_class", "The claims of the workload meet the condition of no agent class.";
    Event "event",
        "The workflow or pipeline was started by an event that no agent class takes; one of a pull request or merge \
         request has to be listed.";
    LegacyToken "legacy_token", "The token is a legacy service account token, which never expires.";
    ClassNotForClient "class_not_for_client", "The agent class does not list this client.";
    OtherClientsAgent "other_clients_agent", "The agent belongs to another client.";
    OtherCredential "other_credential",
        "The actor token is not the credential of the platform that authenticated the client.";
    OtherClient "other_client", "`client_id` names another client than the one that the agent is of.";
    AboutAgent "about_agent", "The token is about an agent itself, and such a token is not exchanged.";
    SecretClientAsAgent "secret_client_as_agent",
        "A client that authenticates with a secret cannot be the actor itself.";
}
