//! Whether a login token begins a task or joins one, from what is recorded of it.

use super::fault::Fault;
use super::record::{Agent, Login, Subject, Task};
use super::stops::{Stops, actor_names, is_cut_off, login_names};
use crate::base::time::Timestamp;
use crate::oauth::{ClientId, LoginId, Plain, Purpose, TaskId, TokenFault};
use crate::verification::LoginFacts;

/// What is recorded of a login token, its user and the agent that is to act.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginRecord {
    /// The user, if known.
    pub subject: Option<Subject>,
    /// The agent that is to act, if known.
    pub agent: Option<Agent>,
    /// Every login that this token made, with its task, oldest first, of any client and agent.
    pub uses: Vec<(Login, Task)>,
    /// The task that the request names, if it exists.
    pub named: Option<Task>,
    /// The stops of what the login and the agent name.
    pub stops: Stops,
}

impl LoginRecord {
    /// A task among those that were read.
    pub fn task(&self, id: TaskId) -> Option<&Task> {
        self.uses.iter().map(|(_, task)| task).chain(&self.named).find(|task| task.id == id)
    }

    /// Whether a task of this user is dead by a stop of what it names.
    fn is_stopped(&self, task: &Task) -> bool {
        self.subject.as_ref().is_some_and(|subject| self.stops.end_task(task, subject))
    }

    /// A login among those that were read.
    pub fn login(&self, id: LoginId) -> Option<&Login> {
        self.uses.iter().map(|(login, _)| login).find(|login| login.id == id)
    }
}

/// Who asks to use a login token, and for which task.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    pub client: &'a ClientId,
    /// The agent that is to act, as it would be recorded.
    pub agent: &'a Agent,
    /// When its credential was issued, in whole seconds since the epoch; absent for a client's own agent.
    pub credential_at: Option<i64>,
    /// What the login token says.
    pub login: &'a LoginFacts,
    /// As many tasks may one login token begin.
    pub max_per_login: u32,
    /// The `task` parameter.
    pub named_task: Option<TaskId>,
    /// The `purpose` parameter.
    pub purpose: Option<&'a Purpose>,
}

/// What a first hop does about the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskPlan {
    /// Begins a task with a new login.
    Begin,
    /// Joins a live task with a token that is new to it, and so adds a login.
    JoinWithNewLogin(TaskId),
    /// Joins a live task that this token already fed.
    Join(TaskId, LoginId),
}

/// Plans what the token does: it joins the task that is named, or the live one that it fed for this client and
/// agent, or begins one.
///
/// # Errors
/// [`Fault::Subject`] where the user was stopped since the login, where the token fed a task that is over, or
/// where the named task is not one of this user, client and agent. [`Fault::Actor`] as [`check_agent`].
/// [`Fault::Request`] where the purpose differs from the one that the task began with, or where the token has begun as
/// many tasks as it may.
pub fn plan(record: &LoginRecord, asking: &Asking<'_>, now: Timestamp) -> Result<TaskPlan, Fault> {
    check_user(record, asking.login).map_err(Fault::Subject)?;
    check_agent(record.agent.as_ref(), asking.client, now).map_err(Fault::Actor)?;
    check_actor_stops(&record.stops, asking).map_err(Fault::Actor)?;

    let is_theirs = |task: &Task| task.client == *asking.client && task.agent == asking.agent.id;
    let is_live = |task: &Task| task.is_live(now) && !record.is_stopped(task);
    let is_spent = record.uses.iter().any(|(_, task)| !is_live(task));
    let fed = record.uses.iter().find(|(_, task)| {
        is_theirs(task) && is_live(task) && asking.named_task.is_none_or(|id| id == task.id)
    });

    let (task, plan) = match (asking.named_task, fed) {
        (_, Some((login, task))) => (task, TaskPlan::Join(task.id, login.id)),
        (_, None) if is_spent => return Err(Fault::Subject(TokenFault::LoginSpent)),
        (None, None) if record.uses.len() >= asking.max_per_login as usize => {
            return Err(Fault::Request(Plain::TooManyTasks));
        }
        (None, None) => return Ok(TaskPlan::Begin),
        (Some(id), None) => {
            let is_same_user = |task: &Task| {
                record.subject.as_ref().is_some_and(|subject| subject.reference == task.subject)
            };
            let task = record
                .named
                .as_ref()
                .filter(|task| task.id == id && is_theirs(task) && is_same_user(task) && is_live(task))
                .ok_or(Fault::Subject(TokenFault::TaskUnknown))?;
            (task, TaskPlan::JoinWithNewLogin(task.id))
        }
    };
    match asking.purpose {
        Some(purpose) if task.purpose.as_ref() != Some(purpose) => Err(Fault::Request(Plain::PurposeDiffers)),
        _ => Ok(plan),
    }
}

/// Whether a login may still be used: its user, session, relying party and provider were not stopped since. A user
/// never met was not.
pub fn check_user(record: &LoginRecord, login: &LoginFacts) -> Result<(), TokenFault> {
    let cutoff = record.subject.as_ref().and_then(|user| user.cutoff);
    let names = login_names(&login.provider, &login.relying_party, login.session);
    if is_cut_off(cutoff, login.auth_time) || record.stops.prevent(login.auth_time, names) {
        return Err(TokenFault::SubjectCutOff);
    }
    Ok(())
}

/// Whether this agent may begin something for this client: nothing that they name is stopped, nor was stopped and
/// lifted since the login or since the agent's credential was issued.
fn check_actor_stops(stops: &Stops, asking: &Asking<'_>) -> Result<(), TokenFault> {
    let is_prevented = |time| stops.prevent(time, actor_names(asking.agent, asking.client));
    if is_prevented(asking.login.auth_time) {
        return Err(TokenFault::AgentCutOff);
    }
    check_credential(stops, asking.agent, asking.client, asking.credential_at)
}

/// Whether a credential of this time may bring an agent in, for this client.
///
/// # Errors
/// [`TokenFault::AgentCutOff`]: something that they name is stopped, or was lifted since.
pub fn check_credential(
    stops: &Stops,
    agent: &Agent,
    client: &ClientId,
    credential_at: Option<i64>,
) -> Result<(), TokenFault> {
    // A client's own agent shows no credential that has a time: only what is stopped still prevents it.
    let time = credential_at.unwrap_or(i64::MAX);
    match stops.prevent(time, actor_names(agent, client)) {
        true => Err(TokenFault::AgentCutOff),
        false => Ok(()),
    }
}

/// Whether a recorded agent may be presented by `client`. An agent never met may.
/// This is a question about the agent's state and has nothing to do with the claim `may_act`.
///
/// # Errors
/// [`TokenFault::OtherClientsAgent`] (8693-F-04), [`TokenFault::AgentEnded`].
pub fn check_agent(agent: Option<&Agent>, client: &ClientId, now: Timestamp) -> Result<(), TokenFault> {
    let Some(agent) = agent else { return Ok(()) };
    if agent.client != *client {
        return Err(TokenFault::OtherClientsAgent);
    }
    if !agent.may_act(now) {
        return Err(TokenFault::AgentEnded);
    }
    Ok(())
}
