//! What a client may revoke.

use crate::delegation::record::{Delegation, EndReason, Task, TokenKind};
use crate::oauth::{AgentId, ClientId, Jti, Plain};

/// What a revocation ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The token that was presented.
    pub jti: Jti,
    pub ends: Ends,
}

/// What ends with a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ends {
    /// The whole task: the agent that began it says that the work is done.
    Task,
    /// The token, everything below it, and the engagement of this agent in the task, which goes on.
    Engagement(AgentId),
    /// The token and everything below it.
    Token,
}

impl Revocation {
    /// The reason that is recorded.
    pub const fn why(&self) -> EndReason {
        match self.ends {
            Ends::Task => EndReason::TaskDone,
            Ends::Engagement(_) | Ends::Token => EndReason::Revoked,
        }
    }
}

/// Decides what `client` ends by revoking this token of `task` (RFC 7009 §2.1). Where the credential of a platform names
/// the `agent` that asks, only the tokens of that agent are its own; a handover is its giver's.
///
/// # Errors
/// [`Plain::TokenOfOtherClient`]: it was issued to another client, or it is another agent's.
pub fn revocation(
    client: &ClientId,
    agent: Option<&AgentId>,
    token: &Delegation,
    task: Option<&Task>,
) -> Result<Revocation, Plain> {
    if token.client != *client || agent.is_some_and(|agent| token.holder() != Some(agent)) {
        return Err(Plain::TokenOfOtherClient);
    }
    let is_begun_by = |agent: &AgentId| task.is_some_and(|task| *agent == task.agent);
    let ends = match (&token.kind, token.holder()) {
        (TokenKind::Task, Some(agent)) if is_begun_by(agent) => Ends::Task,
        (TokenKind::Task, Some(agent)) => Ends::Engagement(agent.clone()),
        (TokenKind::Handover(handover), _) => {
            handover.accepted_by.clone().map_or(Ends::Token, Ends::Engagement)
        }
        (TokenKind::Task, None) | (TokenKind::Access | TokenKind::Agent, _) => Ends::Token,
    };
    Ok(Revocation { jti: token.jti, ends })
}
