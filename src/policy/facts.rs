//! The facts that policy sees of one exchange, as plain values.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::base::time::Timestamp;
use crate::oauth::{AgentId, ClientId, Issuer, Purpose, Scope, ScopeToken, TargetId};
use crate::verification::LoginFacts;

/// Whom an agent brings in by handing over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BroughtIn {
    /// One agent, which is of this class (`client` for a client's own agent).
    Agent { id: AgentId, class: String },
    /// Any agent of this class.
    Class(String),
}

/// Who lets an agent act.
#[derive(Clone, Debug)]
pub enum Delegator {
    User {
        login: Arc<LoginFacts>,
        /// Whole seconds since `auth_time`.
        login_age_seconds: i64,
    },
    /// An agent, in a task of its own: no user is behind it.
    Agent(AgentId),
}

impl Delegator {
    /// A user, by a login of this age.
    pub fn user(login: &Arc<LoginFacts>, login_age_seconds: i64) -> Self {
        Self::User { login: Arc::clone(login), login_age_seconds }
    }

    /// The agent that is its own delegator.
    pub const fn agent(&self) -> Option<&AgentId> {
        match self {
            Self::User { .. } => None,
            Self::Agent(agent) => Some(agent),
        }
    }

    pub(super) fn login(&self) -> Option<&LoginFacts> {
        match self {
            Self::User { login, .. } => Some(login),
            Self::Agent(_) => None,
        }
    }

    /// The word of the fact `delegator_kind`.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Agent(_) => "agent",
        }
    }
}

/// The facts that policy sees of one exchange. Nothing in it is unverified.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The current actor: the principal.
    pub actor: AgentId,
    /// Its class (`client` for a client's own agent).
    pub class: String,
    /// The workload issuer that vouches for it; absent for a client's own agent.
    pub workload_issuer: Option<Issuer>,
    pub client: ClientId,
    /// The agents before it, newest first, including the one whose task it is. For information: no default rule grants by
    /// it (8693-4.1-05).
    pub prior_actors: Vec<AgentId>,
    /// The target: the resource. Deputy's issuer for a task token.
    pub target: TargetId,
    /// Whether a task token is asked for.
    pub is_task_token: bool,
    /// Whom the agent brings in: then the action is `delegate`, and this is the resource in place of the target.
    pub brings_in: Option<BroughtIn>,
    /// The agent that handed over, where a handover is accepted.
    pub accepted_from: Option<AgentId>,
    /// The target of the subject token, where the exchange goes onward from it.
    pub onward_from: Option<TargetId>,
    /// Whether the new target is on the onward list of that target, as configured. True where the exchange does
    /// not go onward.
    pub is_listed_onward: bool,
    pub scope: Scope,
    /// The yes/no scopes that would be answered in the token.
    pub answers: BTreeSet<ScopeToken>,
    /// The yes/no scopes that the actor's class (or the client, for its own agent) lists.
    pub class_answers: BTreeSet<ScopeToken>,
    /// The scopes of the grant for which a greatest age of the login is configured.
    pub fresh_scopes: BTreeSet<String>,
    /// The scopes of the grant that the configuration marks `sensitive`.
    pub sensitive_scopes: BTreeSet<String>,
    /// The levels of `act` that the token would have.
    pub depth: u8,
    /// 0 for a login token, else 1 and up.
    pub hop: u8,
    /// The purpose that was given when the task began.
    pub purpose: Option<Purpose>,
    /// Who lets the actor act.
    pub delegator: Delegator,
    /// The greatest age, in seconds, that the strictest of the fresh scopes allows.
    pub max_age_seconds: Option<i64>,
    /// The lifetime of the token to be, in seconds.
    pub lifetime_seconds: i64,
    pub now: Timestamp,
}

impl Facts {
    /// The age of the login. Where nobody signed in it counts as made at the epoch, like one that does not say when it was.
    pub(super) const fn login_age_seconds(&self) -> i64 {
        match &self.delegator {
            Delegator::User { login_age_seconds, .. } => *login_age_seconds,
            Delegator::Agent(_) => self.now.seconds(),
        }
    }
}
