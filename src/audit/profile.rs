//! The event of an agent that was given a profile.

use serde::{Deserialize, Serialize};

use crate::delegation::profile::Member;
use crate::oauth::AgentId;

/// An agent, and which members its profile has now. The texts themselves may name people, and nothing can be removed from
/// the record, so that they are in the profile alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentProfileEvent {
    pub agent: AgentId,
    /// The members that the profile has.
    pub members: Vec<Member>,
    /// Whether anything changed by this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
}
