//! What is recorded of each outcome, as types. The store puts rows on the chain.

pub mod counted;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;
use crate::oauth::{AgentId, ClientId, Jti, LoginId, RequestId, Scope, SubjectRef, TargetId, TaskId};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A token request.
    Exchange,
    /// A revocation request.
    Revocation,
    /// An introspection request refused, or introspections counted per (token, resource server).
    Introspection,
    /// A task ended (operator, or its agent; a revoked task token has both words).
    TaskEnd,
    /// An agent was suspended, resumed, retired or banned.
    AgentState,
    /// A user was cut off.
    SubjectStop,
    /// A signing key was prepared, activated, retired or revoked.
    Key,
    /// The policy set was loaded, or a new one refused.
    PolicyLoad,
    /// The configuration took effect, or parties left it.
    Configuration,
    /// The record of the highest time seen was reset by an operator.
    ClockReset,
    /// The server started or stopped.
    Process,
}

/// How it came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Done as asked.
    Granted,
    /// Refused; `cause` says why.
    Refused,
    /// Something inside failed; nothing was given.
    Failed,
}

/// What policy said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRecord {
    /// `permit`, `deny` or `error`.
    pub decision: String,
    /// The `@id`s of the policies that determined it, sorted.
    pub policies: Vec<String>,
    /// SHA-256 of the set, hex, its first 16 digits.
    pub set: String,
}

/// One row, before the chain numbers it. Everything absent is left out of the stored JSON.
///
/// Never holds a token, a secret, a name of a user or an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: Event,
    /// How it came out.
    pub outcome: Outcome,
    /// Which request; absent for what happens by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// Whose request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// The current actor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// Its class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Whether this exchange created the agent; filled in by the store.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub agent_created: bool,
    /// The whole chain, current actor first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<AgentId>,
    /// The user, by reference; filled in by the store where the reference is not known before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectRef>,
    /// The task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// Whether this exchange began the task.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub task_begun: bool,
    /// What the task is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginId>,
    /// The provider, at hop 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Assurance levels met by the login, at hop 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<String>,
    /// The issued token, or the one revoked or asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<Jti>,
    /// The token it was exchanged from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Jti>,
    /// `task` or `access`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_kind: Option<String>,
    /// The target asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetId>,
    /// The scope asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_asked: Option<Scope>,
    /// The scope granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// `exp` of the issued token, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// The true cause of a refusal: [`crate::oauth::Cause::word`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What the wire said: [`crate::oauth::Wire::reason`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What policy said, if it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyRecord>,
    /// How many tokens died; filled in by the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub died: Option<u64>,
    /// How many requests this row stands for, when not one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Where an unauthenticated request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// Anything else, as a short fixed-form text (key ids, policy set hashes, file names, states).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl AuditRow {
    /// A row of `event` and `outcome` at `at`, with nothing else in it yet.
    pub const fn new(at: Timestamp, event: Event, outcome: Outcome) -> Self {
        Self {
            at,
            event,
            outcome,
            request: None,
            client: None,
            agent: None,
            class: None,
            agent_created: false,
            chain: Vec::new(),
            subject: None,
            task: None,
            task_begun: false,
            purpose: None,
            login: None,
            provider: None,
            levels: Vec::new(),
            jti: None,
            parent: None,
            token_kind: None,
            target: None,
            scope_asked: None,
            scope: None,
            expires_at: None,
            cause: None,
            reason: None,
            policy: None,
            died: None,
            count: None,
            source: None,
            detail: None,
        }
    }

    /// The canonical JSON that is hashed and stored: members in the order of this type, no spaces.
    pub fn body(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
