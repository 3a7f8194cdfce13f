//! What is to be told, before the row is made: the writer makes it once the effect is known.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::envelope::Requester;
use super::event::Event;
use crate::base::time::Timestamp;
use crate::decision::{Check, Report};
use crate::oauth::{AgentId, Cause, ClientId, Jti, RequestId, SubjectRef, TaskId};

/// How it came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It was done as asked.
    Granted,
    /// It was refused.
    Refused {
        /// The true cause: [`Cause::word`].
        cause: Cow<'static, str>,
        /// What the wire said: [`crate::oauth::Wire::reason`].
        reason: Cow<'static, str>,
    },
    /// Something inside failed; nothing was given or changed.
    Failed,
}

impl Outcome {
    /// Refused, for this cause.
    pub fn refused(cause: &Cause) -> Self {
        Self::Refused { cause: Cow::Borrowed(cause.word()), reason: Cow::Borrowed(cause.wire().reason) }
    }

    /// The word in the `outcome` column.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Refused { .. } => "refused",
            Self::Failed => "failed",
        }
    }
}

/// What is to be told in a row.
#[derive(Clone, Debug)]
pub struct Told {
    /// When it happened.
    pub at: Timestamp,
    /// In which request.
    pub request: Option<RequestId>,
    /// Who asked for it.
    pub requester: Requester,
    /// The address that an unauthenticated request came from.
    pub source: Option<IpAddr>,
    /// What happened.
    pub what: What,
}

/// What happened, as far as it is known before the effect.
#[derive(Clone, Debug)]
pub enum What {
    /// A token request, by the report of its decision.
    Exchange(Arc<Report>),
    /// Anything else.
    Event(Outcome, Event),
}

impl Told {
    /// A request of an authenticated client.
    pub const fn of_client(at: Timestamp, request: RequestId, client: ClientId, what: What) -> Self {
        Self { at, request: Some(request), requester: Requester::Client { client }, source: None, what }
    }

    /// Something the operator did.
    pub const fn of_operator(at: Timestamp, event: Event) -> Self {
        let what = What::Event(Outcome::Granted, event);
        Self { at, request: None, requester: Requester::Operator, source: None, what }
    }

    /// Something the server did by itself.
    pub const fn of_server(at: Timestamp, outcome: Outcome, event: Event) -> Self {
        let what = What::Event(outcome, event);
        Self { at, request: None, requester: Requester::Server, source: None, what }
    }

    /// This, refused for `cause`. A report keeps the check at which it had stopped, if it had.
    pub fn refuse(&mut self, cause: &Cause) {
        match &mut self.what {
            What::Exchange(report) if report.stopped().is_none() => {
                Arc::make_mut(report).refuse_at(Check::Binding, cause.clone());
            }
            What::Exchange(_) => {}
            What::Event(outcome, _) => *outcome = Outcome::refused(cause),
        }
    }

    /// This, failed.
    pub fn fail(&mut self) {
        match &mut self.what {
            What::Exchange(report) if report.stopped().is_none() => {
                Arc::make_mut(report).fail_at(Check::Answer);
            }
            What::Exchange(_) => {}
            What::Event(outcome, _) => *outcome = Outcome::Failed,
        }
    }
}

/// What the transaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// Whether anything changed.
    pub is_changed: bool,
    /// How many tokens ended.
    pub died: u64,
    /// The user, as recorded.
    pub subject: Option<SubjectRef>,
    /// The agent that was found.
    pub agent: Option<AgentId>,
    /// Whether an agent was created.
    pub agent_created: bool,
    /// The task that was found.
    pub task: Option<TaskId>,
    /// The token that was found or issued.
    pub jti: Option<Jti>,
}
