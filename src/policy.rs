//! Room 6, pure: a derived delegation becomes a permit, or a reason. Cedar decides; it can only tighten.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::audit::PolicyRecord;
use crate::protocol::{AgentId, ClientId, Issuer, Scope, TargetId};
use crate::time::Timestamp;

/// The facts that policy sees of one exchange. Nothing in it is unverified.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The current actor: the principal.
    pub actor: &'a AgentId,
    /// Its class (`client` for a client's own agent).
    pub class: &'a str,
    /// The workload issuer that vouches for it; absent for a client's own agent.
    pub workload_issuer: Option<&'a Issuer>,
    /// The authenticated client.
    pub client: &'a ClientId,
    /// Agents before it, newest first. For information: no default rule grants by it (8693-4.1-05).
    pub prior_actors: &'a [AgentId],
    /// The target: the resource. Deputy's issuer for a task token.
    pub target: &'a TargetId,
    /// Whether a task token is asked for.
    pub is_task_token: bool,
    /// The target of the subject token, where the exchange goes onward from it.
    pub onward_from: Option<&'a TargetId>,
    /// Whether the new target is on that target's onward list (always true after the hard rules).
    pub is_listed_onward: bool,
    /// What would be granted.
    pub scope: &'a Scope,
    /// Yes/no scopes that would be answered in the token.
    pub answers: &'a BTreeSet<String>,
    /// Yes/no scopes that the actor's class (or the client, for its own agent) lists.
    pub class_answers: &'a BTreeSet<String>,
    /// Scopes of the grant that the configuration marks: `max_age` demanded.
    pub fresh_scopes: &'a BTreeSet<String>,
    /// Scopes of the grant that the configuration marks `sensitive`.
    pub sensitive_scopes: &'a BTreeSet<String>,
    /// Levels of `act` the token would have.
    pub depth: u8,
    /// 0 for an ID token, else 1 and up.
    pub hop: u8,
    /// Whether a purpose was given when the task began.
    pub has_purpose: bool,
    /// The purpose.
    pub purpose: Option<&'a str>,
    /// The provider.
    pub provider: &'a Issuer,
    /// Assurance levels met by the login.
    pub levels: &'a BTreeSet<String>,
    /// As received.
    pub acr: Option<&'a str>,
    /// As received.
    pub amr: &'a [String],
    /// Seconds since `auth_time`.
    pub login_age_seconds: i64,
    /// The greatest age the strictest marked scope allows, if any.
    pub max_age_seconds: Option<i64>,
    /// Claims of the ID token that the provider's `policy_claims` lists.
    pub claims: &'a Map<String, Value>,
    /// Life of the token to be, in seconds.
    pub lifetime_seconds: i64,
    /// The request's time.
    pub now: Timestamp,
}

/// What policy decided, with its record for the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it permits. An error is a deny.
    pub is_permit: bool,
    /// Whether evaluation failed.
    pub is_error: bool,
    /// For the audit.
    pub record: PolicyRecord,
}

/// A validated policy set, immutable; a new one replaces it as a whole.
pub struct PolicySet {
    _private: (),
}

#[expect(clippy::unimplemented, unused_variables, reason = "filled in next")]
impl PolicySet {
    /// Decides one exchange.
    pub fn decide(&self, facts: &Facts<'_>) -> Decision {
        unimplemented!()
    }
}

/// The policy set in force, swapped as a whole.
pub struct ActivePolicy {
    _private: (),
}

#[expect(clippy::unimplemented, reason = "filled in next")]
impl ActivePolicy {
    /// The set in force.
    pub fn current(&self) -> std::sync::Arc<PolicySet> {
        unimplemented!()
    }
}
