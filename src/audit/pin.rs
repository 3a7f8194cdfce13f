//! The event of a credential that is pinned to a key.

use serde::{Deserialize, Serialize};

use crate::delegation::binding::PinnedUse;
use crate::oauth::{AgentId, CredentialHash, Issuer, Jkt};

/// A platform's credential and a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinEvent {
    pub credential: CredentialHash,
    /// Who issued the credential.
    pub issuer: Issuer,
    /// The agent that it names.
    pub agent: AgentId,
    /// The key that the request proved, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jkt: Option<Jkt>,
    /// When the credential expires, in whole seconds since the epoch.
    pub expires_at: i64,
}

impl PinEvent {
    /// The use of the credential of this agent.
    pub fn of(used: &PinnedUse, agent: &AgentId) -> Self {
        Self {
            credential: used.credential.hash,
            issuer: used.issuer.clone(),
            agent: agent.clone(),
            jkt: used.proven,
            expires_at: used.credential.expires_at.seconds(),
        }
    }
}
