//! How something came out, and what the transaction did.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::pin::PinEvent;
use crate::base::words::words;
use crate::delegation::record::EndReason;
use crate::delegation::stops::{StopNumber, Stoppable};
use crate::oauth::{AgentId, Cause, Jti, SubjectRef, TaskId};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    Granted,
    Refused {
        /// The true cause: [`Cause::word`].
        cause: Cow<'static, str>,
        /// What the wire said: [`crate::oauth::Wire::reason`].
        reason: Cow<'static, str>,
    },
    /// Something inside failed; nothing was given or changed.
    Failed,
}

words! {
    /// How something came out, without the cause.
    OutcomeKind {
        Granted => "granted",
        Refused => "refused",
        Failed => "failed",
    }
}

impl Outcome {
    pub fn refused(cause: &Cause) -> Self {
        Self::Refused { cause: Cow::Borrowed(cause.word()), reason: Cow::Borrowed(cause.wire().reason) }
    }

    pub const fn kind(&self) -> OutcomeKind {
        match self {
            Self::Granted => OutcomeKind::Granted,
            Self::Refused { .. } => OutcomeKind::Refused,
            Self::Failed => OutcomeKind::Failed,
        }
    }

    /// The word in the `outcome` column.
    pub const fn word(&self) -> &'static str {
        self.kind().word()
    }
}

/// What became of the pin of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pinned {
    /// The credential was pinned to the first key.
    First(PinEvent),
    /// The credential is pinned to another key.
    Refused(PinEvent),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    pub is_changed: bool,
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
    /// The number of the stop or lift.
    pub number: Option<StopNumber>,
    /// Whether what is stopped was met before; absent where that is not recorded.
    pub is_known: Option<bool>,
    /// What became of the pin of the actor's credential, which gets a row of its own.
    pub pin: Option<Pinned>,
    /// The tasks that a batch ended, and why.
    pub ended: Vec<TaskId>,
    pub ended_why: Option<EndReason>,
    /// The parties that came into the configuration, and those that it lacks.
    pub added: Vec<Stoppable>,
    pub removed: Vec<Stoppable>,
}
