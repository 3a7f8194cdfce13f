//! What started a workflow of GitHub or a pipeline of GitLab.

use serde_json::Value;

use crate::jose::Claims;
use crate::oauth::TokenFault;
use crate::registry::{AgentClass, Preset};

/// What started it.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    preset: Preset,
    name: &'a str,
}

/// What started it, on a platform that has events.
///
/// # Errors
/// [`TokenFault::Claim`]: without it nobody knows whether it runs what somebody only proposes.
pub fn of(preset: Preset, claims: &Claims) -> Result<Option<Event<'_>>, TokenFault> {
    let Some(claim) = preset.event_claim() else { return Ok(None) };
    let name = claims.get(claim).and_then(Value::as_str).ok_or(TokenFault::Claim)?;
    Ok(Some(Event { preset, name }))
}

impl Event<'_> {
    /// Whether a class takes what this event started: the events that it lists, else any but those of proposals.
    pub fn is_taken_by(self, class: &AgentClass) -> bool {
        match &class.events {
            Some(listed) => listed.contains(self.name),
            None => !self.preset.is_of_proposal(self.name),
        }
    }
}
