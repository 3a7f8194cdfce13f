//! The kinds of tokens, with what is recorded of handovers.

use crate::base::time::Timestamp;
use crate::base::words::words;
use crate::oauth::{AgentId, Jkt, Recipient};

words! {
    /// What a delegation is for, in a word.
    TokenWord {
        Task => "task",
        Access => "access",
        Agent => "agent",
        Handover => "handover",
    }
}

/// What a delegation is for, with what is recorded of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Addressed to Deputy itself, good only for being exchanged by its current actor.
    Task,
    /// For a target.
    Access,
    /// For a target and about an agent itself, which acts for nobody. It belongs to no task.
    Agent,
    /// Addressed to Deputy itself, good only for the agent that accepts it.
    Handover(Box<Handover>),
}

impl TokenKind {
    pub const fn word(&self) -> TokenWord {
        match self {
            Self::Task => TokenWord::Task,
            Self::Access => TokenWord::Access,
            Self::Agent => TokenWord::Agent,
            Self::Handover(_) => TokenWord::Handover,
        }
    }

    pub fn handover(&self) -> Option<&Handover> {
        match self {
            Self::Handover(handover) => Some(handover),
            Self::Task | Self::Access | Self::Agent => None,
        }
    }
}

/// What is recorded of a handover: for whom it is, and who has accepted it. No claim says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    pub recipient: Recipient,
    /// The key that who accepts it has to prove, if the giver named one.
    pub key: Option<Jkt>,
    /// Until when an agent may accept it first. The one that has accepted it may do so again until its `exp`.
    pub accept_until: Timestamp,
    /// The agent that has accepted it: the first is the only one.
    pub accepted_by: Option<AgentId>,
}

impl Handover {
    /// Whether no other agent than this one has accepted it.
    pub fn is_open_to(&self, agent: &AgentId) -> bool {
        self.accepted_by.as_ref().is_none_or(|accepted_by| accepted_by == agent)
    }

    /// Whether no agent has accepted it in time.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.accepted_by.is_none() && now >= self.accept_until
    }
}
