//! What is handed to the writer, and what it answers.

use crate::audit::Told;
use crate::base::time::Timestamp;
use crate::delegation::record::{AgentState, EndReason};
use crate::issuance::SignedToken;
pub use crate::keys::KeyRow;
use crate::oauth::{AgentId, Cause, ClientId, Issuer, Jti, OneTime, TargetId, TaskId};

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
}

/// What an entry changes.
#[derive(Clone, Debug)]
pub enum Change {
    /// Nothing but the audit row: a refusal, a note.
    Nothing,
    /// One signed token with all that comes with it. The transaction judges its permit once more.
    Issue(Box<SignedToken>),
    /// A stop or an administrative change. Goes before the issues of its group.
    Control(Control),
}

/// A stop or an administrative change.
#[derive(Clone, Debug)]
pub enum Control {
    /// Revokes a token and everything below it; for a task token ends the task (RFC 7009 §2.1).
    /// Already ended is success with nothing died.
    RevokeToken { jti: Jti, why: EndReason },
    /// Ends a task: its tokens, engagements, answers; `task`-class agents with no other live task retire.
    EndTask { task: TaskId, why: EndReason },
    /// Ends every live task of a user and sets their cutoff to `now`.
    StopSubject { issuer: Issuer, upstream: String, why: EndReason },
    /// Changes an agent's state. Leaving `Active` revokes every token with it in the chain and what is
    /// below, ends its engagements and the tasks it began; `Retired` and `Banned` are final and set its
    /// cutoff. `Active` resumes a suspended agent and revives nothing.
    SetAgentState { agent: AgentId, state: AgentState, why: EndReason },
    /// Parties left the configuration: revokes what depends on them and remembers the new set.
    Reconcile {
        /// Those that left are remembered as configured until the next time: the configuration before is
        /// still being worked by, and what it lets through is revoked then.
        keeps_those_that_left: bool,
        /// Clients now configured.
        clients: Vec<ClientId>,
        /// Targets now configured.
        targets: Vec<TargetId>,
        /// Providers now configured.
        providers: Vec<Issuer>,
        /// Workload issuers now configured.
        workload_issuers: Vec<Issuer>,
    },
    /// Ends tasks whose time is up, retires their `task`-class agents, removes rows past their use.
    Sweep,
    /// Inserts or changes signing keys.
    PutKeys(Vec<KeyRow>),
    /// Sets the highest time seen to `now`.
    ResetClock,
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
    },
    /// Nothing was written: something that may be used once only was used before.
    Replayed,
    /// Nothing was written: what the caller believed no longer holds. Read again, derive again.
    Changed,
    /// Nothing was written: it can never be.
    Refused(Cause),
    /// Nothing was written: no such token, task, agent or user.
    NotFound,
}
