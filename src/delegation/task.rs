//! Begin or join (design.md 3, hop 0): what an ID token may do about tasks, from what is recorded of it.

use super::record::{Agent, AgentState, Login, Subject, Task, is_cut_off};
use crate::base::time::Timestamp;
use crate::oauth::{AgentId, ClientId, LoginId, Plain, Purpose, TaskId, TokenFault};

/// What is recorded about an ID token, its user and the agent, before it is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The user, if ever seen.
    pub subject: Option<Subject>,
    /// The agent that is to act, if ever seen.
    pub agent: Option<Agent>,
    /// Every login this ID token made, with its task, oldest first; of any client and agent.
    pub uses: Vec<(Login, Task)>,
    /// The task that the request names, if it exists.
    pub named: Option<Task>,
}

/// Who asks, with what.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The authenticated client.
    pub client: &'a ClientId,
    /// The agent that is to act.
    pub agent: &'a AgentId,
    /// The user's `auth_time`, in seconds.
    pub auth_time: i64,
    /// The `task` parameter.
    pub named_task: Option<TaskId>,
    /// The `purpose` parameter.
    pub purpose: Option<&'a Purpose>,
}

/// What a hop 0 does about the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskPlan {
    /// Begins a task with a new login.
    Begin,
    /// Joins a live task with an ID token new to it: adds a login.
    JoinWithNewLogin(TaskId),
    /// Joins a live task that this ID token already fed.
    Join(TaskId, LoginId),
}

/// Why a hop 0 may do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standstill {
    /// The subject token.
    Subject(TokenFault),
    /// The agent that is to act.
    Actor(TokenFault),
    /// The request.
    Plain(Plain),
}

/// Plans what the ID token does: joins the task it names, or the live one it fed for this client and
/// agent, or begins one.
///
/// # Errors
/// [`Standstill`]: user or agent were stopped since the login, the agent belongs to another client, the
/// ID token fed a task that is over, the named task is not theirs, or the purpose differs.
pub fn plan(standing: &Standing, asking: &Asking<'_>, now: Timestamp) -> Result<TaskPlan, Standstill> {
    if is_cut_off(standing.subject.as_ref().and_then(|subject| subject.cutoff), asking.auth_time) {
        return Err(Standstill::Subject(TokenFault::SubjectCutOff));
    }
    may_act(standing.agent.as_ref(), asking.client, asking.auth_time).map_err(Standstill::Actor)?;

    let is_theirs = |task: &Task| task.client == *asking.client && task.agent == *asking.agent;
    let is_spent = standing.uses.iter().any(|(_, task)| !task.is_live(now));
    let fed = |id: Option<TaskId>| {
        standing
            .uses
            .iter()
            .find(|(_, task)| is_theirs(task) && task.is_live(now) && id.is_none_or(|id| id == task.id))
    };

    let (task, plan) = match (asking.named_task, fed(asking.named_task)) {
        (_, Some((login, task))) => (task, TaskPlan::Join(task.id, login.id)),
        (None, None) if is_spent => return Err(Standstill::Subject(TokenFault::LoginSpent)),
        (None, None) => return Ok(TaskPlan::Begin),
        (Some(_), None) if is_spent => return Err(Standstill::Subject(TokenFault::LoginSpent)),
        (Some(id), None) => {
            let is_same_user = |task: &Task| {
                standing.subject.as_ref().is_some_and(|subject| subject.reference == task.subject)
            };
            let task = standing
                .named
                .as_ref()
                .filter(|task| task.id == id && is_theirs(task) && is_same_user(task) && task.is_live(now))
                .ok_or(Standstill::Subject(TokenFault::TaskUnknown))?;
            (task, TaskPlan::JoinWithNewLogin(task.id))
        }
    };
    match asking.purpose {
        Some(purpose) if task.purpose.as_ref() != Some(purpose) => {
            Err(Standstill::Plain(Plain::PurposeDiffers))
        }
        _ => Ok(plan),
    }
}

/// Whether a recorded agent may act for a login of `auth_time` through `client`. An agent never seen may.
///
/// # Errors
/// [`TokenFault::AgentEnded`], [`TokenFault::OtherClientsAgent`] (ATK-06), [`TokenFault::AgentCutOff`].
pub fn may_act(agent: Option<&Agent>, client: &ClientId, auth_time: i64) -> Result<(), TokenFault> {
    let Some(agent) = agent else { return Ok(()) };
    if agent.client != *client {
        return Err(TokenFault::OtherClientsAgent);
    }
    if agent.state != AgentState::Active {
        return Err(TokenFault::AgentEnded);
    }
    if is_cut_off(agent.cutoff, auth_time) {
        return Err(TokenFault::AgentCutOff);
    }
    Ok(())
}
