//! Whether a login token begins a task or joins one, from what is recorded of it.

use super::fault::Fault;
use super::record::{Agent, Login, Subject, Task};
use super::stops::{Stops, actor_names, is_cut_off, login_names};
use crate::base::time::Timestamp;
use crate::oauth::{ClientId, LoginId, Plain, Purpose, TaskId, TokenFault};
use crate::verification::{LoginFacts, LoginToken};

/// What is recorded of a login token, its user and the agent that is to act.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginRecord {
    /// The user, if known.
    pub subject: Option<Subject>,
    /// The agent that is to act, if known.
    pub agent: Option<Agent>,
    /// Every login that this token made, with its task, oldest first, of any client and agent.
    pub uses: Vec<(Login, Task)>,
    /// Of an access token with a session: tasks of the same session that the same client began. Among them are the newest
    /// of this agent that had not ended, and one that was stopped if there is any.
    pub of_session: Vec<Task>,
    /// The task that the request names, if it exists.
    pub named: Option<Task>,
    /// The stops of what the login and the agent name.
    pub stops: Stops,
}

impl LoginRecord {
    /// A task among those that were read.
    pub fn task(&self, id: TaskId) -> Option<&Task> {
        let tasks = self.uses.iter().map(|(_, task)| task).chain(&self.named).chain(&self.of_session);
        tasks.into_iter().find(|task| task.id == id)
    }

    /// Whether a task of this user is dead by a stop of what it names.
    fn is_stopped(&self, task: &Task) -> bool {
        self.subject.as_ref().is_some_and(|subject| self.stops.end_task(task, Some(subject)))
    }

    /// Whether a task was stopped: it ended by a stop, or is dead by one that was not yet noted in its row.
    fn was_stopped(&self, task: &Task) -> bool {
        task.ended.is_some_and(|ended| ended.why.is_stop()) || (task.ended.is_none() && self.is_stopped(task))
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
    /// Until when the login token may begin a task, or join one that it has not fed; absent if it always may.
    pub begins_until: Option<Timestamp>,
    /// Whether the login token begins no task because it has no `nonce`; it may join one.
    pub lacks_nonce: bool,
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
/// agent, or begins one. An access token that is new joins the newest live task of its session in the same way.
///
/// # Errors
/// [`Fault::Subject`] where the user was stopped since the login, where the token fed no live task and is too old to begin
/// or newly join one, where it is spent ([`is_spent`]), where a task of its session was stopped, where it lacks the
/// `nonce` to begin one, or where the named task is not one of this user, client and agent. [`Fault::Actor`] as [`check_agent`].
/// [`Fault::Request`] where the purpose differs from the one that the task began with, or where the token has begun as
/// many tasks as it may.
pub fn plan(record: &LoginRecord, asking: &Asking<'_>, now: Timestamp) -> Result<TaskPlan, Fault> {
    check_user(record, asking.login).map_err(Fault::Subject)?;
    check_agent(record.agent.as_ref(), asking.client, now).map_err(Fault::Actor)?;
    check_actor_stops(&record.stops, asking).map_err(Fault::Actor)?;

    let is_theirs = |task: &Task| task.client == *asking.client && task.agent == asking.agent.id;
    let is_live = |task: &Task| task.is_live(now) && !record.is_stopped(task);
    let is_same_user = |task: &Task| {
        record.subject.as_ref().is_some_and(|user| task.delegator.user() == Some(user.reference))
    };
    let fed = record.uses.iter().find(|(_, task)| {
        is_theirs(task) && is_live(task) && asking.named_task.is_none_or(|id| id == task.id)
    });

    let (task, plan) = match (asking.named_task, fed) {
        (_, Some((login, task))) => (task, TaskPlan::Join(task.id, login.id)),
        (_, None) if asking.begins_until.is_some_and(|until| now > until) => {
            return Err(Fault::Subject(TokenFault::TooOld));
        }
        (_, None) if is_spent(record, asking.login, now) => {
            return Err(Fault::Subject(TokenFault::LoginSpent));
        }
        (None, None) if record.uses.len() >= asking.max_per_login as usize => {
            return Err(Fault::Request(Plain::TooManyTasks));
        }
        (None, None) => {
            let of_session = record.of_session.iter();
            let joined = of_session.filter(|task| is_theirs(task) && is_same_user(task) && is_live(task));
            match joined.max_by_key(|task| task.id) {
                Some(task) => (task, TaskPlan::JoinWithNewLogin(task.id)),
                None if record.of_session.iter().any(|task| record.was_stopped(task)) => {
                    return Err(Fault::Subject(TokenFault::SessionStopped));
                }
                None if asking.lacks_nonce => return Err(Fault::Subject(TokenFault::NonceMissing)),
                None => return Ok(TaskPlan::Begin),
            }
        }
        (Some(id), None) => {
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

/// Whether the token may begin or newly join nothing, whatever agent or client presents it. An ID token is proof of one
/// sign-in and is spent by any task of it that is over. An access token stays good for as long as its provider says, and
/// is spent only by a task of it that was stopped.
fn is_spent(record: &LoginRecord, login: &LoginFacts, now: Timestamp) -> bool {
    record.uses.iter().any(|(_, task)| match &login.token {
        LoginToken::IdToken => !task.is_live(now) || record.is_stopped(task),
        LoginToken::AccessToken { .. } => record.was_stopped(task),
    })
}

/// Whether a login may still be used: its user, session, relying party and provider were not stopped since. A user
/// never met was not.
pub fn check_user(record: &LoginRecord, login: &LoginFacts) -> Result<(), TokenFault> {
    let user = record.subject.as_ref();
    let is_cut_off = is_cut_off(user.and_then(|user| user.cutoff), login.since());
    // Without `auth_time`, a renewed token of an old sign-in looks like a new one.
    let is_undated = login.auth_time.is_none();
    let is_stopped =
        is_undated && (user.is_some_and(|user| user.is_stopped) || record.stops.stand(login_names(login)));
    if is_cut_off || is_stopped || record.stops.prevent(login.since(), login_names(login)) {
        return Err(TokenFault::SubjectCutOff);
    }
    Ok(())
}

/// Whether this agent may begin something for this client: nothing that they name is stopped, nor was stopped and
/// lifted since the login or since the agent's credential was issued.
fn check_actor_stops(stops: &Stops, asking: &Asking<'_>) -> Result<(), TokenFault> {
    let is_prevented = |time| stops.prevent(time, actor_names(asking.agent, asking.client));
    if is_prevented(asking.login.since()) {
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

#[cfg(test)]
mod tests;
