//! How tokens and tasks end, whatever ends them: a control, or their time.

use std::collections::BTreeSet;

use super::agents::AgentRow;
use super::rows::Key;
use super::statement::{Done, Failure, Lock};
use super::tasks::TaskRow;
use super::tokens::Range;
use super::transaction::Transaction;
use crate::base::time::Timestamp;
use crate::delegation::record::{Agent, AgentState, EndReason};
use crate::registry::AgentLifetime;

/// What a control came to: whether it changed anything, and how many tokens died of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) is_changed: bool,
    pub(super) died: u64,
}

impl Effect {
    pub(super) const fn and(self, other: Self) -> Self {
        Self { is_changed: self.is_changed || other.is_changed, died: self.died.saturating_add(other.died) }
    }
}

/// Revokes the tokens of a range that are not revoked; those that were still live died of it.
pub(super) async fn revoke_range<S: Transaction>(
    session: &mut S,
    range: &Range,
    why: EndReason,
    now: Timestamp,
) -> Result<Effect, Failure> {
    let (died, changed) = session.revoke(range, now.millis(), why.word()).await?;
    Ok(Effect { is_changed: changed > 0, died })
}

/// Ends tasks that have not ended: their tokens, engagements and answers; retires `task`-class agents
/// that work in no other live task.
pub(super) async fn end_tasks<S: Transaction>(
    session: &mut S,
    ids: &BTreeSet<Key>,
    why: EndReason,
    now: Timestamp,
) -> Result<Effect, Failure> {
    let ids: Vec<Key> = ids.iter().copied().collect();
    if ids.is_empty() {
        return Ok(Effect::default());
    }
    let engaged = session.engaged_in(&ids).await?;
    let agents = session.agents(&engaged, Lock::Update).await?;
    let open: Vec<TaskRow> = session.tasks(&ids, Lock::Update).await?;
    let open: Vec<Key> = open.iter().filter(|task| task.ended_at.is_none()).map(|task| task.id).collect();
    if open.is_empty() {
        return Ok(Effect::default());
    }
    // An agent that was engaged before the task could be locked.
    let engaged_since: Vec<String> =
        session.engaged_in(&open).await?.into_iter().filter(|agent| !engaged.contains(agent)).collect();
    let mut agents = agents;
    if !engaged_since.is_empty() {
        agents.extend(session.agents(&engaged_since, Lock::Update).await?);
    }
    let mut effect = Effect { is_changed: true, died: 0 };
    for task in open {
        effect.died = effect.died.saturating_add(session.end(task, now.millis(), why.word()).await?);
    }
    retire_idle(session, agents, why, now).await?;
    Ok(effect)
}

/// Retires those of these agents that were made for a task and have none left.
async fn retire_idle<S: Transaction>(
    session: &mut S,
    rows: Vec<AgentRow>,
    why: EndReason,
    now: Timestamp,
) -> Done {
    let mut candidates = Vec::new();
    for row in rows {
        let agent = Agent::try_from(row.clone())?;
        let is_over = matches!(agent.state, AgentState::Retired | AgentState::Banned);
        if agent.lifetime == AgentLifetime::Task && !is_over {
            candidates.push(row);
        }
    }
    if candidates.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = candidates.iter().map(|row| row.id.clone()).collect();
    let busy = session.live_tasks_with(&ids, now.millis()).await?;
    for mut row in candidates {
        if busy.iter().all(|(agent, _)| *agent != row.id) {
            AgentState::Retired.word().clone_into(&mut row.state);
            row.ended_at = Some(now.millis());
            row.ended_why = Some(why.word().to_owned());
            session.change_agent(&row).await?;
        }
    }
    Ok(())
}
