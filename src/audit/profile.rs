//! The event of an agent that was given a profile.

use serde::{Deserialize, Serialize};

use crate::delegation::profile::Member;
use crate::oauth::AgentId;

/// An agent, and what is said of it now. The texts are in its profile and not in the record, which nothing can be taken
/// out of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentProfileEvent {
    pub agent: AgentId,
    /// The members that the profile has.
    pub members: Vec<Member>,
    /// Whether anything changed by this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
}
