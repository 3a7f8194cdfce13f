//! The permit: the proof that a token may be issued. Its field is private, so only [`super::decide`] makes one, and
//! [`crate::issuance::issue`] requires one.

use std::sync::Arc;

use super::report::Proposal;
use crate::base::time::Timestamp;
use crate::delegation::answers::SealedAnswer;
use crate::delegation::binding::PinnedUse;
use crate::delegation::plan::TaskPlan;
use crate::delegation::quota::AgentQuotas;
use crate::delegation::record::{Agent, Grounds, Login, Subject, Task};
use crate::oauth::{ClientId, Jti, LoginId, Purpose, ScopeToken, TargetId, TaskId};
use crate::verification::LoginFacts;

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
    /// Whether the actor was presented by an actor token, which decides whose fault a later refusal is.
    pub has_actor_token: bool,
    /// When the actor's credential was issued, in whole seconds since the epoch; absent for a client's own agent.
    pub credential_at: Option<i64>,
    /// The row of the current actor, to be inserted if it is not yet recorded. An existing row is left unchanged.
    pub actor: Agent,
    /// The user. The reference is used only if the user is not yet recorded.
    pub subject: Subject,
    pub task: TaskId,
    pub login: LoginId,
    pub facts: Arc<LoginFacts>,
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

/// Where a token comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A login token.
    FirstHop(Box<FirstHop>),
    /// A token of Deputy's own. An accepted one is a handover.
    Later { parent: Jti, is_accepted: bool },
}

/// What the first hop does with the task: it begins one, or joins one.
#[derive(Clone, Debug)]
pub struct FirstHop {
    pub plan: TaskPlan,
    /// The task as it begins, or as it was found.
    pub task: Task,
    /// The login as it is added, or as it was found.
    pub login: Login,
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
