//! The audit record as types. The store numbers the rows and puts them on the chain.
//!
//! A row is an [`Envelope`], which every row has, an [`Outcome`], and an [`Event`] with the members of its kind. It
//! is made by [`Row::of`], in one place, after the effect of what it describes is known.

pub mod counted;
mod effect;
mod envelope;
mod event;
mod exchange;
mod in_words;
mod pin;
mod profile;
mod server;
#[cfg(test)]
mod tests;
mod told;

use serde::{Deserialize, Serialize};

pub use effect::{Effect, Outcome, OutcomeKind, Pinned};
pub use envelope::{Envelope, Requester, VERSION};
pub use event::{
    AgentStateEvent, Event, IntrospectionEvent, KeyAct, KeyEvent, Kind, RevocationEvent, StopEvent,
    TaskEndEvent, TasksEndEvent, UnauthenticatedEvent,
};
pub use exchange::ExchangeEvent;
pub use pin::PinEvent;
pub use profile::AgentProfileEvent;
pub use server::{ClockResetEvent, ConfigurationEvent, PolicyLoadEvent, ProcessAct, ProcessEvent, VerbEvent};
pub use told::{Told, What};

use crate::decision::Act;
use crate::delegation::record::EndReason;
use crate::oauth::{AgentId, ClientId, Jti, SubjectRef, TaskId};

/// One row of the audit log. What is absent is left out of the stored JSON.
///
/// It never holds a token, a secret, a name of a user or a yes/no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    #[serde(flatten)]
    pub envelope: Envelope,
    #[serde(flatten)]
    pub outcome: Outcome,
    #[serde(flatten)]
    pub event: Event,
}

/// Why a stored body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It has a version that this program does not know.
    #[error("the body is of version {0}, which this deputy does not know")]
    Version(u64),
    /// It is not the canonical JSON of a row.
    #[error("the body is no audit row")]
    Body,
}

impl Row {
    /// The row of what happened, now that its effect is known: the one place where rows are made.
    pub fn of(told: &Told, effect: &Effect, chain: &str, seq: i64) -> Self {
        let envelope = Envelope {
            version: VERSION,
            chain: chain.to_owned(),
            seq,
            at: told.at,
            request: told.request,
            requester: told.requester.clone(),
            source: told.source,
        };
        let (outcome, event) = match &told.what {
            What::Exchange(report) => {
                let (outcome, event) = exchange::told(report, effect);
                let event = Box::new(event);
                let event = match report.act {
                    Act::Exchange => Event::Exchange(event),
                    Act::HandOver => Event::Handover(event),
                    Act::Accept => Event::Accept(event),
                };
                (outcome, event)
            }
            What::Event(outcome, event) => (outcome.clone(), event.clone().completed(effect)),
        };
        Self { envelope, outcome, event }
    }

    /// The canonical JSON that is hashed and stored: members in the order of these types, no spaces.
    pub fn body(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a stored body.
    ///
    /// # Errors
    /// [`Unreadable`]: its version is not known, or it is not the very text that [`Row::body`] writes. Text that
    /// says more, says it twice, or says it in another order is not a row.
    pub fn parse(body: &str) -> Result<Self, Unreadable> {
        #[derive(Deserialize)]
        struct Versioned {
            v: u64,
        }
        let Versioned { v } = serde_json::from_str(body).map_err(|_| Unreadable::Body)?;
        if v != u64::from(VERSION) {
            return Err(Unreadable::Version(v));
        }
        let row: Self = serde_json::from_str(body).map_err(|_| Unreadable::Body)?;
        if row.body() == body { Ok(row) } else { Err(Unreadable::Body) }
    }

    /// The client that asked, or that an unauthenticated caller claimed to be.
    pub const fn client(&self) -> Option<&ClientId> {
        match &self.envelope.requester {
            Requester::Client { client, .. } => Some(client),
            Requester::Unauthenticated { client } => client.as_ref(),
            Requester::Operator { .. } | Requester::Server => None,
        }
    }

    /// The true cause of a refusal.
    pub fn cause(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Refused { cause, .. } => Some(cause),
            Outcome::Granted | Outcome::Failed => None,
        }
    }

    /// The exchange, if the row describes one. To hand over and to accept are exchanges.
    pub const fn exchange(&self) -> Option<&ExchangeEvent> {
        match &self.event {
            Event::Exchange(event) | Event::Handover(event) | Event::Accept(event) => Some(event),
            _ => None,
        }
    }

    /// The agent that the row is about.
    pub const fn agent(&self) -> Option<&AgentId> {
        match &self.event {
            Event::Exchange(event) | Event::Handover(event) | Event::Accept(event) => event.agent.as_ref(),
            Event::Revocation(event) => event.agent.as_ref(),
            Event::TaskEnd(event) => event.agent.as_ref(),
            Event::AgentState(event) => Some(&event.agent),
            Event::AgentProfile(event) => Some(&event.agent),
            Event::Pin(event) | Event::PinRefused(event) => Some(&event.agent),
            Event::Introspection(_)
            | Event::TasksEnd(_)
            | Event::Stop(_)
            | Event::Lift(_)
            | Event::Key(_)
            | Event::ClockReset(_)
            | Event::Configuration(_)
            | Event::PolicyLoad(_)
            | Event::Process(_)
            | Event::Verb(_)
            | Event::Unauthenticated(_) => None,
        }
    }

    /// The chain of actors, current actor first.
    pub fn actors(&self) -> &[AgentId] {
        match &self.event {
            Event::Exchange(event) | Event::Handover(event) | Event::Accept(event) => &event.chain,
            Event::Revocation(event) => &event.chain,
            _ => &[],
        }
    }

    /// The task that the row is about.
    pub const fn task(&self) -> Option<TaskId> {
        match &self.event {
            Event::Exchange(event) | Event::Handover(event) | Event::Accept(event) => event.task,
            Event::Revocation(event) => event.task,
            Event::Introspection(event) => event.task,
            Event::TaskEnd(event) => Some(event.task),
            Event::Pin(event) | Event::PinRefused(event) => event.task,
            Event::AgentState(_)
            | Event::AgentProfile(_)
            | Event::TasksEnd(_)
            | Event::Stop(_)
            | Event::Lift(_)
            | Event::Key(_)
            | Event::ClockReset(_)
            | Event::Configuration(_)
            | Event::PolicyLoad(_)
            | Event::Process(_)
            | Event::Verb(_)
            | Event::Unauthenticated(_) => None,
        }
    }

    /// Why the row ended this task; `None` if it did not.
    pub fn end_of(&self, task: TaskId) -> Option<EndReason> {
        match (&self.outcome, &self.event) {
            (Outcome::Granted, Event::TaskEnd(event)) if event.changed != Some(false) => {
                (event.task == task).then_some(event.why)
            }
            (Outcome::Granted, Event::TasksEnd(event)) if event.tasks.contains(&task) => event.why,
            (Outcome::Granted, Event::Revocation(event)) if event.task == Some(task) => {
                event.why.filter(|why| *why == EndReason::TaskDone)
            }
            _ => None,
        }
    }

    /// The token that the row is about.
    pub const fn jti(&self) -> Option<Jti> {
        match &self.event {
            Event::Exchange(event) | Event::Handover(event) | Event::Accept(event) => event.jti,
            Event::Revocation(event) => event.jti,
            Event::Introspection(event) => event.jti,
            _ => None,
        }
    }

    /// The token that the row's token was exchanged from.
    pub const fn parent(&self) -> Option<Jti> {
        match &self.event {
            Event::Exchange(event) | Event::Handover(event) | Event::Accept(event) => event.parent,
            _ => None,
        }
    }

    /// The user that the row is about.
    pub const fn subject(&self) -> Option<SubjectRef> {
        match &self.event {
            Event::Exchange(event) | Event::Handover(event) | Event::Accept(event) => event.subject,
            Event::Revocation(event) => event.subject,
            Event::TaskEnd(event) => event.subject,
            Event::Stop(event) | Event::Lift(event) => event.subject,
            Event::Introspection(_)
            | Event::TasksEnd(_)
            | Event::AgentState(_)
            | Event::AgentProfile(_)
            | Event::Pin(_)
            | Event::PinRefused(_)
            | Event::Key(_)
            | Event::ClockReset(_)
            | Event::Configuration(_)
            | Event::PolicyLoad(_)
            | Event::Process(_)
            | Event::Verb(_)
            | Event::Unauthenticated(_) => None,
        }
    }
}
