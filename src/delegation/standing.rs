//! What tasks and agents have come to, where their own rows do not say so yet, for those who show them. Like
//! [`super::record::live`], this is a function of its inputs.

use super::record::{Agent, AgentState, Delegator, EndReason, Ended, Subject, Task};
use super::stops::{Stoppable, Stops, actor_names};
use crate::base::time::Timestamp;

/// Why a task is over, or why an agent may not act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    Ended(Ended),
    /// Something that it names was stopped.
    Stopped(Stoppable),
}

/// Why an agent that is on record as active may not act at `now`; `None` for any other.
pub fn agent_over(agent: &Agent, stops: &Stops, now: Timestamp) -> Option<Over> {
    if agent.state != AgentState::Active {
        return None;
    }
    let ended = agent.end_by_itself().filter(|end| now >= end.at).map(Over::Ended);
    ended.or_else(|| stops.standing(actor_names(agent, &agent.client)).map(Over::Stopped))
}

/// Why a task is over at `now`. Its user and the agent that began it are given where they are on record.
pub fn task_over(
    task: &Task,
    (subject, agent): (Option<&Subject>, Option<&Agent>),
    stops: &Stops,
    now: Timestamp,
) -> Option<Over> {
    if let Some(ended) = task.ended {
        return Some(Over::Ended(ended));
    }
    let stopped = match task.delegator {
        Delegator::User(_) => subject.and_then(|subject| stops.ending_task(task, Some(subject))),
        Delegator::Agent => stops.ending_task(task, None),
    };
    if let Some(party) = stopped {
        return Some(Over::Stopped(party));
    }
    if let Some(agent) = agent.filter(|agent| agent.state == AgentState::Banned) {
        return Some(Over::Stopped(Stoppable::Agent(agent.id.clone())));
    }
    let expired = Ended { at: task.expires_at, why: EndReason::Expired };
    (now >= task.expires_at).then_some(Over::Ended(expired))
}

#[cfg(test)]
mod tests;
