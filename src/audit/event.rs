//! What happened: one variant a kind, with the members of that kind.

use serde::{Deserialize, Serialize};

use super::effect::Effect;
use super::exchange::ExchangeEvent;
use super::pin::PinEvent;
use super::profile::AgentProfileEvent;
use super::server::{ClockResetEvent, ConfigurationEvent, PolicyLoadEvent, ProcessEvent, VerbEvent};
use crate::base::words::words;
use crate::delegation::record::{AgentState, EndReason};
use crate::delegation::stops::{StopKind, StopNumber};
use crate::oauth::{AgentId, Jti, SubjectRef, TargetId, TaskId, TokenFault};

words! {
    Kind {
        /// A token request.
        Exchange => "exchange",
        /// An agent brought in another, or asked to.
        Handover => "handover",
        /// An agent accepted a handover, or asked to.
        Accept => "accept",
        Revocation => "revocation",
        Introspection => "introspection",
        /// Refusals of unauthenticated callers that were only counted.
        Unauthenticated => "unauthenticated",
        TaskEnd => "task_end",
        /// A batch of tasks ended, by a stop or because their time was up.
        TasksEnd => "tasks_end",
        AgentState => "agent_state",
        AgentProfile => "agent_profile",
        /// Something was stopped.
        Stop => "stop",
        /// A stop was lifted.
        Lift => "lift",
        Key => "key",
        /// A platform's credential was pinned to a key.
        Pin => "pin",
        /// A pinned credential was presented without its key: an alert.
        PinRefused => "pin_refused",
        /// The policy set was loaded, or a new one was refused.
        PolicyLoad => "policy_load",
        /// The configuration took effect.
        Configuration => "configuration",
        /// The highest time seen was reset.
        ClockReset => "clock_reset",
        /// The server started or stopped, or was told to read its configuration again.
        Process => "process",
        /// A verb of an operator did nothing.
        Verb => "verb",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A token request.
    Exchange(Box<ExchangeEvent>),
    /// A token request by which an agent brings in another.
    Handover(Box<ExchangeEvent>),
    /// A token request by which an agent accepts a handover.
    Accept(Box<ExchangeEvent>),
    Revocation(RevocationEvent),
    /// Introspections: a request that was refused, or granted ones that were counted.
    Introspection(IntrospectionEvent),
    /// Refusals of unauthenticated callers, counted because their sources had used up their rate of rows.
    Unauthenticated(UnauthenticatedEvent),
    /// A task ended by an operator. The end of a task by its agent is recorded as the revocation of the task token.
    TaskEnd(TaskEndEvent),
    /// An agent was suspended, resumed, retired or banned.
    AgentState(AgentStateEvent),
    /// An operator gave an agent a profile.
    AgentProfile(AgentProfileEvent),
    /// A batch of tasks ended, by a stop or because their time was up.
    TasksEnd(TasksEndEvent),
    /// Something was stopped by an operator: whatever names it is dead.
    Stop(StopEvent),
    /// An operator lifted a stop.
    Lift(StopEvent),
    /// A signing key was made, prepared, revoked or set back with the clock.
    Key(KeyEvent),
    /// A platform's credential was pinned to the first key that was proven beside it.
    Pin(Box<PinEvent>),
    /// A pinned credential was presented with another key or with none: the key is lost, or the credential is stolen.
    PinRefused(Box<PinEvent>),
    /// The policy set was loaded, or a new one was refused.
    PolicyLoad(PolicyLoadEvent),
    /// The configuration takes or took effect.
    Configuration(ConfigurationEvent),
    /// The highest time seen was reset by an operator.
    ClockReset(ClockResetEvent),
    /// The server started or stopped, or was told to read its configuration again.
    Process(ProcessEvent),
    /// A verb of an operator did nothing. One that did something has the event of what it did.
    Verb(VerbEvent),
}

/// A revocation request (RFC 7009).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationEvent {
    /// The token that was presented, where it is one of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<Jti>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// Its chain of actors, current actor first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<AgentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetId>,
    /// Why it ends: `task_done` ends its whole task. Absent if there was nothing to revoke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<EndReason>,
    /// The fault for which the presented text is no token of ours, so that there was nothing to revoke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_ours: Option<TokenFault>,
    /// How many tokens ended with it; 1,000 stand for as many or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub died: Option<u64>,
}

/// Introspections (RFC 7662).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntrospectionEvent {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<Jti>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// How many requests the row represents; absent for a single request that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// Refusals of unauthenticated callers that were only counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnauthenticatedEvent {
    pub count: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskEndEvent {
    pub task: TaskId,
    /// The agent that began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectRef>,
    pub why: EndReason,
    /// Whether it ended by this; a task that had ended before did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
    /// How many tokens ended with it; 1,000 stand for as many or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub died: Option<u64>,
}

/// The tasks that one batch ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TasksEndEvent {
    pub tasks: Vec<TaskId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<EndReason>,
}

/// A change of an agent's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStateEvent {
    pub agent: AgentId,
    /// The state that was asked for.
    pub state: AgentState,
    pub why: EndReason,
    /// Whether the state changed by this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
    /// The number of the stop, where this is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<StopNumber>,
}

/// A stop, or the lift of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopEvent {
    pub kind: StopKind,
    /// What was stopped, within its kind. For a user this is the provider; who they are is in `subject`.
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<EndReason>,
    /// Whether anything changed by this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
    /// Whether it was met before; absent where that is not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<bool>,
    /// The number that it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<StopNumber>,
}

words! {
    /// What was done with signing keys.
    KeyAct {
        /// The very first key was made; it signs at once.
        First => "first",
        /// A key was published, which signs one cache age later.
        Prepared => "prepared",
        /// A key was revoked, with every token it signed.
        Revoked => "revoked",
        /// The times of the keys were set back with the clock.
        SetBack => "set_back",
        /// The fetched keys of other parties were forgotten.
        Refreshed => "refreshed",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyEvent {
    pub act: KeyAct,
    /// The key; absent where it was done to all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// Whether anything changed by this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
}

impl Event {
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Exchange(_) => Kind::Exchange,
            Self::Handover(_) => Kind::Handover,
            Self::Accept(_) => Kind::Accept,
            Self::Revocation(_) => Kind::Revocation,
            Self::Introspection(_) => Kind::Introspection,
            Self::Unauthenticated(_) => Kind::Unauthenticated,
            Self::TaskEnd(_) => Kind::TaskEnd,
            Self::AgentState(_) => Kind::AgentState,
            Self::AgentProfile(_) => Kind::AgentProfile,
            Self::TasksEnd(_) => Kind::TasksEnd,
            Self::Stop(_) => Kind::Stop,
            Self::Lift(_) => Kind::Lift,
            Self::Key(_) => Kind::Key,
            Self::Pin(_) => Kind::Pin,
            Self::PinRefused(_) => Kind::PinRefused,
            Self::PolicyLoad(_) => Kind::PolicyLoad,
            Self::Configuration(_) => Kind::Configuration,
            Self::ClockReset(_) => Kind::ClockReset,
            Self::Process(_) => Kind::Process,
            Self::Verb(_) => Kind::Verb,
        }
    }

    /// The event of a request whose caller did not authenticate. Only its kind is recorded.
    pub fn of_unauthenticated(kind: Kind) -> Self {
        match kind {
            Kind::Revocation => Self::Revocation(RevocationEvent::default()),
            Kind::Introspection => Self::Introspection(IntrospectionEvent::default()),
            _ => Self::Exchange(Box::default()),
        }
    }

    /// This event, completed with what is known only from its effect.
    #[must_use]
    pub(super) fn completed(mut self, effect: &Effect) -> Self {
        let died = Some(effect.died);
        match &mut self {
            Self::Revocation(event) if event.why.is_some() => {
                event.jti = event.jti.or(effect.jti);
                event.task = event.task.or(effect.task);
                event.subject = event.subject.or(effect.subject);
                event.agent = event.agent.take().or_else(|| effect.agent.clone());
                event.died = died;
            }
            Self::TaskEnd(event) => {
                event.subject = event.subject.or(effect.subject);
                event.agent = event.agent.take().or_else(|| effect.agent.clone());
                event.changed = Some(effect.is_changed);
                event.died = died;
            }
            Self::TasksEnd(event) => {
                event.tasks.clone_from(&effect.ended);
                event.why = effect.ended_why;
            }
            Self::AgentState(event) => {
                event.changed = Some(effect.is_changed);
                event.number = effect.number;
            }
            Self::AgentProfile(event) => event.changed = Some(effect.is_changed),
            Self::Stop(event) | Self::Lift(event) => {
                event.subject = event.subject.or(effect.subject);
                event.changed = Some(effect.is_changed);
                event.known = effect.is_known;
                event.number = effect.number;
            }
            Self::Configuration(event) => {
                event.added = effect.added.iter().map(ToString::to_string).collect();
                event.removed = effect.removed.iter().map(ToString::to_string).collect();
                event.number = effect.number;
            }
            Self::Key(event) if event.act != KeyAct::Refreshed => event.changed = Some(effect.is_changed),
            Self::ClockReset(event) => event.number = effect.number,
            Self::Exchange(_)
            | Self::Handover(_)
            | Self::Accept(_)
            | Self::Revocation(_)
            | Self::Introspection(_)
            | Self::Unauthenticated(_)
            | Self::Key(_)
            | Self::Pin(_)
            | Self::PinRefused(_)
            | Self::PolicyLoad(_)
            | Self::Process(_)
            | Self::Verb(_) => {}
        }
        self
    }
}
