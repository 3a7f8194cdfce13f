//! What is handed to the writer, and what it answers.

use crate::audit::{Event, Told, What};
use crate::base::time::Timestamp;
use crate::decision::Revocation;
use crate::delegation::profile::Profile;
use crate::delegation::record::{AgentState, EndReason};
use crate::delegation::stops::{StopNumber, Stoppable};
use crate::issuance::SignedToken;
pub use crate::keys::KeyRow;
use crate::oauth::{AgentId, Cause, Issuer, OneTime, Plain, SubjectRef, TaskId};

/// One thing to write: all of it in one transaction, or none.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What the request used that may be used once only, used up with the entry (also by a refusal). If any of
    /// it was used before, nothing is written.
    pub one_time: Vec<OneTime>,
    pub change: Change,
    /// What is recorded of it. The row is made once the effect is known. Absent only where the request is counted
    /// instead (introspection).
    pub told: Option<Told>,
    /// The request's `now`: liveness is judged at this time, and the highest time seen is kept.
    pub now: Timestamp,
}

impl Entry {
    /// A row that goes with no change.
    pub fn note(told: Told) -> Self {
        Self { one_time: Vec::new(), change: Change::Nothing, now: told.at, told: Some(told) }
    }

    /// A stop or an administrative change with its row.
    pub fn control(control: Control, told: Told) -> Self {
        Self { one_time: Vec::new(), change: Change::Control(control), now: told.at, told: Some(told) }
    }

    /// Whether space on the disk is kept for it: it stops something or changes who may do what, or it is a part of a start
    /// or a reload, without which nothing could be stopped.
    pub(super) const fn has_space_kept(&self) -> bool {
        match &self.change {
            Change::Control(_) => !self.change.is_chore(),
            Change::Issue(..) => false,
            Change::Nothing => matches!(
                &self.told,
                Some(Told { what: What::Event(_, Event::Process(_) | Event::PolicyLoad(_)), .. })
            ),
        }
    }
}

/// What an entry changes.
#[derive(Clone, Debug)]
pub enum Change {
    /// Nothing but the audit row: a refusal, a note.
    Nothing,
    /// One signed token with all that comes with it, decided by the configuration of this generation. The transaction
    /// judges its permit once more.
    Issue(Box<SignedToken>, u64),
    /// A stop or an administrative change. Goes before the issues of its group.
    Control(Control),
}

impl Change {
    /// Whether it is a small part of work that can wait for requests.
    pub const fn is_chore(&self) -> bool {
        matches!(self, Self::Control(Control::Walk | Control::Sweep | Control::EndAgent { .. }))
    }
}

/// A stop or an administrative change.
#[derive(Clone, Debug)]
pub enum Control {
    /// Revokes a token and what ends with it (RFC 7009 §2.1). Already ended is success with nothing died.
    RevokeToken(Revocation),
    /// Ends a task: its tokens, engagements, answers; `task`-class agents with no other live task retire.
    EndTask { task: TaskId, why: EndReason },
    /// Stops something until it is lifted: everything issued until now that names it is dead, and nothing new begins.
    Stop { what: Whom, why: EndReason },
    /// Lifts a stop. Later logins and credentials begin anew.
    Lift { what: Whom },
    /// Changes an agent's state. `Suspended` ends its tokens, `Retired` and `Banned` are final and end the tasks that it
    /// began too. `Active` resumes a suspended agent and revives nothing.
    SetAgentState { agent: AgentId, state: AgentState, why: EndReason },
    /// Gives an agent that is not over a profile, or another one.
    SetProfile { agent: AgentId, profile: Box<Profile> },
    /// A configuration takes effect: stops every party that was ever configured and is not among these, and refuses
    /// what an earlier generation decided.
    TakeEffect { generation: u64, parties: Vec<Stoppable> },
    /// Ends a batch of the tasks that a stop ended, so that each has its row.
    Walk,
    /// Retires an agent that is over by itself: its time is up, or it was idle for too long. Nothing is done if it is not.
    EndAgent { agent: AgentId },
    /// Ends a batch of tasks whose time is up, retires their `task`-class agents, removes rows past their use.
    Sweep,
    /// Adds the very first signing key, unless another node has made one.
    AddFirstKey(Box<KeyRow>),
    /// Adds a key that will sign, and sets when those that sign now retire.
    RotateKeys { new: Box<KeyRow> },
    /// Distrusts a key at once, with everything that it signed. `spare` signs if no other key can.
    RevokeKey { kid: String, spare: Box<KeyRow> },
    /// Moves the times of the keys with a clock that was set back.
    SetKeysBack { from: Timestamp },
    /// Sets the highest time seen to `now`, and ends everything that was issued.
    ResetClock,
}

/// What an operator stops or lifts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// A user by their name at their provider. `reference` is theirs if they were never met.
    User {
        provider: Issuer,
        upstream: String,
        reference: SubjectRef,
    },
    Other(Stoppable),
}

impl Control {
    /// Whether it takes a number of its own, which its transaction raises first.
    pub const fn is_numbered(&self) -> bool {
        match self {
            Self::Stop { .. } | Self::Lift { .. } | Self::TakeEffect { .. } | Self::ResetClock => true,
            // The counter also makes the changes of keys wait for each other, on whichever node.
            Self::AddFirstKey(_)
            | Self::RotateKeys { .. }
            | Self::RevokeKey { .. }
            | Self::SetKeysBack { .. } => true,
            Self::SetAgentState { state, .. } => matches!(state, AgentState::Suspended | AgentState::Banned),
            Self::RevokeToken(_)
            | Self::EndTask { .. }
            | Self::EndAgent { .. }
            | Self::SetProfile { .. }
            | Self::Walk
            | Self::Sweep => false,
        }
    }
}

/// Why a control could not change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Impossible {
    /// The agent is in this state, which is final.
    AgentFinal(AgentState),
    /// A key that will sign was published already.
    KeyPrepared,
}

impl Impossible {
    /// The word in the audit.
    pub const fn word(self) -> &'static str {
        match self {
            Self::AgentFinal(_) => "agent_final",
            Self::KeyPrepared => "key_prepared",
        }
    }
}

/// What became of an entry.
#[derive(Clone, Debug)]
pub enum Recorded {
    /// Committed. For a control, how many tokens died.
    Done {
        /// Tokens that ended with it.
        died: u64,
        /// Whether it changed anything (a second revocation does not).
        changed: bool,
        /// The number that it took, if it took one.
        number: Option<StopNumber>,
        /// Whether what it names was met before; absent where that is not recorded.
        is_known: Option<bool>,
    },
    /// Nothing was written: something that may be used once only was used before. The cause says what.
    Replayed(Plain),
    /// Nothing was written: what the caller believed no longer holds. Read again, derive again.
    Changed,
    /// Nothing was written: the configuration that decided is no longer in force.
    Superseded,
    /// Nothing was written: it can never be.
    Refused(Cause),
    /// Nothing was changed, as the state does not allow it. That is recorded.
    Impossible(Impossible),
    /// Nothing was written: no such token, task, agent or user.
    NotFound,
}
