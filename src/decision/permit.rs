//! The permit: the proof that a token may be issued. Its field is private, so only [`super::decide`] makes one, and
//! [`crate::issuance::issue`] requires one.

use super::report::Proposal;
use crate::base::time::Timestamp;
use crate::delegation::answers::SealedAnswer;
use crate::delegation::binding::PinnedUse;
use crate::delegation::plan::TaskPlan;
use crate::delegation::quota::AgentQuotas;
use crate::delegation::record::{Agent, Behalf, Behind, Grounds, SignedIn, Task};
use crate::oauth::{AgentId, ClientId, Jti, PresentedAs, Purpose, ScopeToken, TargetId, TaskId};

/// The proof that everything was checked and a token may be issued on these terms.
#[derive(Clone, Debug)]
pub struct Permit {
    terms: Terms,
}

impl Permit {
    pub(super) const fn new(terms: Terms) -> Self {
        Self { terms }
    }

    /// A permit for tests of what comes after the decision.
    #[cfg(test)]
    pub(crate) const fn for_tests(terms: Terms) -> Self {
        Self::new(terms)
    }

    /// The terms, to be read.
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }
}

/// What may be issued, and on what grounds.
#[derive(Clone, Debug)]
pub struct Terms {
    pub jti: Jti,
    pub proposal: Proposal,
    /// The client it is issued to.
    pub client: ClientId,
    /// What the actor was presented as, which decides whose fault a later refusal is.
    pub agent_presented_as: PresentedAs,
    /// When the actor's credential was issued, in whole seconds since the epoch; absent for a client's own agent.
    pub credential_at: Option<i64>,
    /// The row of the current actor, to be inserted if it is not yet recorded. An existing row is left unchanged.
    pub actor: Agent,
    /// The task; for a token about the agent itself its own identifier.
    pub task: TaskId,
    /// What policy let it through.
    pub grounds: Grounds,
    /// Where the token comes from.
    pub origin: Origin,
    /// The use of the actor's credential, where that is pinned to a key.
    pub pin: Option<PinnedUse>,
    /// The quotas that the creation of the actor counts against.
    pub quotas: Option<AgentQuotas>,
    pub answer: Option<GivenAnswer>,
    /// The answers of the login that are to be kept with it, where (target, scope) has none yet.
    pub answers: Vec<KnownAnswer>,
}

/// Who is behind a token that is to be issued.
#[derive(Clone, Copy, Debug)]
pub enum OnBehalfOf<'a> {
    /// A user. At the first hop their reference counts only if they are not yet recorded.
    User(&'a SignedIn),
    /// The agent whose task it is.
    Agent(&'a AgentId),
}

impl Terms {
    /// Who is behind the token.
    pub const fn on_behalf_of(&self) -> OnBehalfOf<'_> {
        match &self.origin {
            Origin::FirstHop(hop) => OnBehalfOf::User(&hop.user),
            Origin::Agent { .. } => OnBehalfOf::Agent(&self.actor.id),
            Origin::Later { behind: Behind::User(user), .. } => OnBehalfOf::User(user),
            Origin::Later { behind: Behind::Agent(agent), .. } => OnBehalfOf::Agent(agent),
        }
    }

    /// The user that is behind the token, with their login.
    pub const fn user(&self) -> Option<&SignedIn> {
        match self.on_behalf_of() {
            OnBehalfOf::User(user) => Some(user),
            OnBehalfOf::Agent(_) => None,
        }
    }

    /// The task that the token belongs to. A token about an agent itself belongs to none.
    pub const fn in_task(&self) -> Option<TaskId> {
        match &self.origin {
            Origin::Agent { task: None } => None,
            Origin::FirstHop(_) | Origin::Agent { task: Some(_) } | Origin::Later { .. } => Some(self.task),
        }
    }

    /// On whose behalf the token is issued, as it is recorded.
    pub fn behalf(&self) -> Behalf {
        match self.on_behalf_of() {
            OnBehalfOf::User(user) => Behalf::User(user.login.id),
            OnBehalfOf::Agent(agent) => Behalf::Agent(agent.clone()),
        }
    }
}

/// Where a token comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A login token.
    FirstHop(Box<FirstHop>),
    /// The agent itself. It begins this task, or gets a token about itself.
    Agent { task: Option<Box<Task>> },
    /// A token of Deputy's own. An accepted one is a handover.
    Later { parent: Jti, behind: Behind, is_accepted: bool },
}

/// What the first hop does with the task: it begins one, or joins one.
#[derive(Clone, Debug)]
pub struct FirstHop {
    pub plan: TaskPlan,
    /// The task as it begins, or as it was found.
    pub task: Task,
    /// The user, and the login as it is added, or as it was found.
    pub user: SignedIn,
    /// Until when the login token may begin a task, or join one that it has not fed; absent if it always may.
    pub begins_until: Option<Timestamp>,
    /// Whether the login token begins no task because it has no `nonce`; it may join one.
    pub lacks_nonce: bool,
    /// As many tasks may one login token begin.
    pub max_per_login: u32,
    /// The `task` parameter.
    pub named_task: Option<TaskId>,
    /// The `purpose` parameter.
    pub purpose: Option<Purpose>,
}

/// One answer of a login for one target. `Debug` does not show its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownAnswer {
    /// The target that answers it.
    pub target: TargetId,
    pub scope: ScopeToken,
    /// The value, and until when it may be given.
    pub answer: SealedAnswer,
}

/// The yes/no answer that a token carries. `Debug` omits the value, because it can reveal that the user is a minor.
#[derive(Clone, PartialEq, Eq)]
pub struct GivenAnswer {
    /// The scope, which is also the name of the claim.
    pub scope: ScopeToken,
    pub value: bool,
}

impl std::fmt::Debug for GivenAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GivenAnswer").field("scope", &self.scope).finish_non_exhaustive()
    }
}
