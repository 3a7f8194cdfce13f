//! The event of a credential that is pinned to a key.

use serde::{Deserialize, Serialize};

use crate::delegation::binding::PinnedUse;
use crate::oauth::{AgentId, CertificateHash, Confirmation, CredentialHash, Issuer, Jkt, TaskId};

/// A platform's credential and a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinEvent {
    pub credential: CredentialHash,
    /// Who issued the credential.
    pub issuer: Issuer,
    /// The agent that it names.
    pub agent: AgentId,
    /// The task of the token that was issued. It is absent where the credential was refused, and for a token about an agent
    /// itself, which has no task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The key that the request proved, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jkt: Option<Jkt>,
    /// The client certificate that the request proved, where it proved no key by DPoP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x5t: Option<CertificateHash>,
    /// When the credential expires, in whole seconds since the epoch.
    pub expires_at: i64,
}

impl PinEvent {
    /// The use of the credential of this agent, for a token in this task.
    pub fn of(used: &PinnedUse, agent: &AgentId, task: Option<TaskId>) -> Self {
        Self {
            credential: used.credential.hash,
            issuer: used.issuer.clone(),
            agent: agent.clone(),
            task,
            jkt: used.proven.and_then(Confirmation::key),
            x5t: used.proven.and_then(Confirmation::certificate),
            expires_at: used.credential.expires_at.seconds(),
        }
    }
}
