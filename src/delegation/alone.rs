//! Tokens about an agent itself, which belong to no task.

use super::record::{Agent, Delegation, Lineage};
use super::stops::Stops;
use crate::base::time::Timestamp;
use crate::oauth::{SubjectRef, TaskId, TokenFault};

/// A token about an agent itself, with every record that its validity depends on, as they were at one moment. It is never a
/// subject token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentToken {
    pub delegation: Delegation,
    /// The agent that it is about; absent where there is no record of it.
    pub agent: Option<Agent>,
    /// Whether the key that signed it is still trusted.
    pub is_key_trusted: bool,
    /// The stops of what the records name.
    pub stops: Stops,
}

impl AgentToken {
    /// Whether it lives at `now`: as [`live`](super::record::live), for a token that nothing is above.
    ///
    /// # Errors
    /// The fault that ends it.
    pub fn live(&self, now: Timestamp) -> Result<(), TokenFault> {
        let Self { delegation, agent, is_key_trusted, stops } = self;
        if !is_key_trusted {
            return Err(TokenFault::KeyRevoked);
        }
        if now >= delegation.expires_at {
            return Err(TokenFault::Expired);
        }
        if delegation.revoked.is_some() {
            return Err(TokenFault::Revoked);
        }
        let agent = agent.as_ref().filter(|agent| agent.may_act(now)).ok_or(TokenFault::AgentEnded)?;
        if stops.end_alone(delegation, agent) {
            return Err(TokenFault::Stopped);
        }
        Ok(())
    }
}

/// A token of Deputy's own, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownToken {
    /// One that belongs to a task.
    InTask(Box<Lineage>),
    /// One about an agent itself.
    Alone(Box<AgentToken>),
}

impl KnownToken {
    pub const fn delegation(&self) -> &Delegation {
        match self {
            Self::InTask(lineage) => &lineage.delegation,
            Self::Alone(token) => &token.delegation,
        }
    }

    /// The task that it belongs to.
    pub const fn task(&self) -> Option<TaskId> {
        match self {
            Self::InTask(lineage) => Some(lineage.task.id),
            Self::Alone(_) => None,
        }
    }

    /// The user behind it.
    pub fn user(&self) -> Option<SubjectRef> {
        match self {
            Self::InTask(lineage) => lineage.behind.subject().map(|subject| subject.reference),
            Self::Alone(_) => None,
        }
    }

    pub fn in_task(self) -> Option<Lineage> {
        match self {
            Self::InTask(lineage) => Some(*lineage),
            Self::Alone(_) => None,
        }
    }
}
