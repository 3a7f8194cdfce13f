//! What the store knows of the tokens of one request, as plain values that were read before the decision.

use super::answers::SealedAnswer;
use super::plan::LoginRecord;
use super::record::{Agent, Lineage};
use super::stops::Stops;

/// What was read for one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Recorded {
    /// Nothing was read. A first hop, or a request of an agent for itself, may be decided like this. It assumes that no
    /// record speaks against it, and the writing transaction verifies that.
    #[default]
    Unread,
    /// What is recorded of a login token, its user and the agent that is to act.
    Login(Box<LoginRecord>),
    /// What is recorded of an agent that asks for itself.
    Agent(Box<AgentRecord>),
    /// What is recorded of a token of Deputy's own.
    Token(Box<TokenRecord>),
}

/// What is recorded of an agent that asks for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentRecord {
    /// The agent, if known.
    pub agent: Option<Agent>,
    /// The stops of what it names.
    pub stops: Stops,
}

impl Recorded {
    /// Whether nothing was read.
    pub const fn is_unread(&self) -> bool {
        matches!(self, Self::Unread)
    }
}

/// What is recorded of a token of Deputy's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenRecord {
    /// The token with its ancestors, task, user with their login, and agents; absent if it was never issued.
    pub lineage: Option<Lineage>,
    /// The agent that is to act, where it was read and is known.
    pub actor: Option<Agent>,
    /// The agent that a handover names by its identifier, if it is known.
    pub requested: Option<Agent>,
    /// The login's answer to the yes/no scope that is asked of the target, opened; absent if there is none.
    pub answer: Option<SealedAnswer>,
}
