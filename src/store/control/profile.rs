//! The full profile of an agent.

use super::{At, Outcome};
use crate::audit;
use crate::delegation::profile::Profile;
use crate::delegation::record::{Agent, AgentState};
use crate::oauth::AgentId;
use crate::store::entry::{Impossible, Recorded};
use crate::store::profiles::ProfileRow;
use crate::store::statement::{Failure, Lock};
use crate::store::transaction::Transaction;

/// Gives an agent that is not over a profile, or another one. Its identifier and all that it has stay as they are.
pub(super) async fn set<S: Transaction>(
    session: &mut S,
    id: &AgentId,
    profile: &Profile,
    effect: &mut audit::Effect,
    at: At<'_>,
) -> Result<Outcome, Failure> {
    let Some(row) = session.agents(&[id.as_str().to_owned()], Lock::Update).await?.pop() else {
        return Ok(Err(Recorded::NotFound));
    };
    let agent = Agent::try_from(row)?;
    effect.agent = Some(id.clone());
    let state = if agent.is_over(at.now) { AgentState::Retired } else { agent.state };
    if state.is_final() {
        return Ok(Err(Recorded::Impossible(Impossible::AgentFinal(state))));
    }
    let new = ProfileRow::of(id, profile);
    effect.is_changed = session.profile(&new.agent).await?.pop().as_ref() != Some(&new);
    if effect.is_changed {
        session.put_profile(&new).await?;
    }
    Ok(Ok(()))
}
