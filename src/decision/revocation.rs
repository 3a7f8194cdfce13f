//! What a client may revoke.

use crate::delegation::record::{Delegation, EndReason, TokenKind};
use crate::oauth::{AgentId, ClientId, Jti, Plain};

/// What a revocation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The token that was presented.
    pub jti: Jti,
    /// The reason that is recorded. Revoking a task token means that the work is done, and ends the whole task.
    pub why: EndReason,
}

/// Decides what `client` ends by revoking this token (RFC 7009 §2.1). Where the credential of a platform names the
/// `agent` that asks, only the tokens of that agent are its own.
///
/// # Errors
/// [`Plain::TokenOfOtherClient`]: it was issued to another client, or it is another agent's.
pub fn revocation(
    client: &ClientId,
    agent: Option<&AgentId>,
    token: &Delegation,
) -> Result<Revocation, Plain> {
    if token.client != *client || agent.is_some_and(|agent| token.holder() != Some(agent)) {
        return Err(Plain::TokenOfOtherClient);
    }
    let why = match token.kind {
        TokenKind::Task => EndReason::TaskDone,
        TokenKind::Access | TokenKind::Agent => EndReason::Revoked,
    };
    Ok(Revocation { jti: token.jti, why })
}
