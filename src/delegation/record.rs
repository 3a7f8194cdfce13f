//! What Deputy knows of subjects, agents, tasks, logins and delegations, and the one
//! predicate that says whether a delegation still lives.

mod behind;
mod token_kind;

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use super::form::TokenForm;
pub use behind::{Behalf, Behind, Delegator, DelegatorKind, SignedIn};

use super::stops::{StopNumber, Stops};
use crate::base::time::{Lifetime, Timestamp};
use crate::base::words::words;
pub use crate::oauth::Digest;
use crate::oauth::{
    AgentId, ClientId, Confirmation, Issuer, Jti, LoginId, Purpose, Scope, SubjectRef, TargetId, TaskId,
    TokenFault,
};
use crate::registry::AgentLifetime;
pub use crate::verification::{Build, LoginFacts};
pub use token_kind::{Handover, TokenKind, TokenWord};

/// A user: (`iss`, `sub`) at their provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Random; what the audit names.
    pub reference: SubjectRef,
    pub issuer: Issuer,
    /// Their `sub` there.
    pub upstream: String,
    /// Logins up to this time begin nothing.
    pub cutoff: Option<Timestamp>,
    /// Whether a stop of theirs stands. Then a login that does not say when they signed in begins nothing, however new the
    /// token is.
    pub is_stopped: bool,
    /// The number of their last stop, or of its lift.
    pub stopped: StopNumber,
}

/// Who vouches for an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Provenance {
    /// The client itself: its own agent.
    Client,
    /// A workload issuer's credential.
    Workload {
        issuer: Issuer,
        /// Its stable id.
        workload: String,
        /// Its instance id, where the agent is an instance of it.
        instance: Option<String>,
    },
}

words! {
    /// An agent's state. `Retired` and `Banned` are final.
    AgentState {
        /// May act.
        Active => "active",
        /// Its tokens ended; it may get new ones once resumed.
        Suspended => "suspended",
        /// Done.
        Retired => "retired",
        /// Stopped.
        Banned => "banned",
    }
}

impl AgentState {
    /// Whether no agent leaves this state.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Retired | Self::Banned)
    }
}

words! {
    /// Why something ended.
    EndReason {
        /// The agent that began the task said so.
        TaskDone => "task_done",
        /// Its time was up.
        Expired => "expired",
        /// It was idle for longer than an instance of its class may be.
        Idle => "idle",
        /// Its client revoked it.
        Revoked => "revoked",
        /// An operator ended the task.
        Operator => "operator",
        /// An operator stopped the agent or user.
        KillSwitch => "kill_switch",
        /// An operator suspended the agent.
        Suspended => "suspended",
        /// A client, target, provider or workload issuer was taken out of the configuration.
        PartyRemoved => "party_removed",
        /// The signing key was revoked.
        KeyRevoked => "key_revoked",
    }
}

impl EndReason {
    /// This reason in words, as they stand in brackets behind what ended.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::TaskDone => "its work was done",
            Self::Expired => "its time was up",
            Self::Idle => "it was idle for too long",
            Self::Revoked => "its client revoked it",
            Self::Operator => "an operator ended it",
            Self::KillSwitch => "kill switch",
            Self::Suspended => "suspension by an operator",
            Self::PartyRemoved => "a party was taken out of the configuration",
            Self::KeyRevoked => "the signing key was revoked",
        }
    }

    /// Whether a task that ended like this was stopped: it was neither finished by its own agent, nor over by the clock.
    pub const fn is_stop(self) -> bool {
        !matches!(self, Self::TaskDone | Self::Expired)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    pub at: Timestamp,
    pub why: EndReason,
}

/// The party that acts (minimal profile).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// `act.sub`.
    pub id: AgentId,
    /// The client that first presented it. The agent is refused when another client presents it (8693-F-04).
    pub client: ClientId,
    /// Who vouches for it.
    pub provenance: Provenance,
    /// Its class; the client's own agent has `client`.
    pub class: String,
    /// How long it lives.
    pub lifetime: AgentLifetime,
    pub state: AgentState,
    /// When and why it left `Active` for good.
    pub ended: Option<Ended>,
    /// The number of its last stop or suspension.
    pub stopped: StopNumber,
    /// Created in the transaction of its first exchange.
    pub first_seen: Timestamp,
    /// Its last exchange, to within [`SEEN_STEP`].
    pub last_seen: Timestamp,
    /// How long it may be idle, as its class had it when it was created.
    pub idle: Option<Lifetime>,
    /// When its time is up, as its class had it when it was created.
    pub expires_at: Option<Timestamp>,
    /// What its platform said at its last exchange of the software that it runs.
    pub build: Build,
}

/// An exchange is written down as an agent's last one when the one written is older than this.
pub const SEEN_STEP: Lifetime = Lifetime::from_seconds(15);

impl Agent {
    /// From when on it is over by itself, and why: its time is up, or it was idle for too long. The last exchange may be
    /// later than the one that is written down, so that an agent is never idle too early.
    pub fn end_by_itself(&self) -> Option<Ended> {
        let up = self.expires_at.map(|at| Ended { at, why: EndReason::Expired });
        let idle = self.idle.map(|idle| {
            let at = self.last_seen.plus(SEEN_STEP).plus(idle);
            Ended { at, why: EndReason::Idle }
        });
        up.into_iter().chain(idle).min_by_key(|end| end.at)
    }

    /// Whether it is over at `now`, although that is not on record yet.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.end_by_itself().is_some_and(|end| now >= end.at)
    }

    /// The record of an agent that was never met, as its first exchange at `now` creates it.
    pub fn seen_first(&self, now: Timestamp) -> Self {
        let ttl = self.expires_at.map(|at| at.millis_since(self.first_seen));
        let expires_at = ttl.map(|millis| Timestamp::from_millis(now.millis().saturating_add(millis)));
        Self { first_seen: now, last_seen: now, expires_at, ..self.clone() }
    }

    /// Notes an exchange at `now`, with what its platform says of it now. Gives the record if it is to be written.
    pub fn see(&mut self, presented: &Self, now: Timestamp) -> Option<&mut Self> {
        (now > self.last_seen.plus(SEEN_STEP)).then(|| {
            self.last_seen = now;
            self.build = presented.build.clone();
            self
        })
    }

    /// Whether it may act at `now`.
    pub fn may_act(&self, now: Timestamp) -> bool {
        self.state == AgentState::Active && !self.is_over(now)
    }
}

/// One purpose for which one user lets one agent act, or for which an agent acts for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// `task` and `txn`.
    pub id: TaskId,
    /// Whose agent began it.
    pub client: ClientId,
    /// Which agent began it.
    pub agent: AgentId,
    pub delegator: Delegator,
    /// The session of the login that it began with.
    pub session: Option<Digest>,
    /// Whether it is found by its session: an access token of the session may join it, or may not begin another if it was
    /// stopped. That is so where the provider's access tokens were taken when it began.
    pub is_found_by_session: bool,
    pub purpose: Option<Purpose>,
    /// The stops that there had been when it began.
    pub as_of: StopNumber,
    pub started_at: Timestamp,
    /// Until when at most.
    pub expires_at: Timestamp,
    /// Over, when and why.
    pub ended: Option<Ended>,
}

impl Task {
    /// Whether it goes on at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended.is_none() && now < self.expires_at
    }
}

/// One login token that fed a task. It reads like its [`LoginFacts`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub id: LoginId,
    pub task: TaskId,
    /// What the token said of the user's sign-in.
    pub facts: Arc<LoginFacts>,
    /// The stops that there had been when it was recorded.
    pub as_of: StopNumber,
    /// Nothing that comes from it lives longer: the earliest of the task's end, the session's beginning plus the
    /// provider's limit, and the `exp` of an access token.
    pub ends_at: Timestamp,
}

impl Deref for Login {
    type Target = LoginFacts;

    fn deref(&self) -> &LoginFacts {
        &self.facts
    }
}

/// What policy let a token through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grounds {
    /// The hash of the policy set.
    pub policy: String,
    /// The rules that determined the decision.
    pub rules: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// Its `jti`.
    pub jti: Jti,
    pub kind: TokenKind,
    /// The task. A token about an agent itself belongs to none: it is alone, under its own identifier.
    pub task: TaskId,
    pub behalf: Behalf,
    /// Ancestors' `jti`s, oldest first, without its own.
    pub ancestors: Vec<Jti>,
    /// The agents that act for another party, current actor first (RFC 8693 §4.1). It is empty in a token of an agent
    /// that acts for itself.
    pub chain: Vec<AgentId>,
    /// The class of each of [`Delegation::agents`], as it was when the token was issued.
    pub classes: Vec<String>,
    /// The client it was issued to.
    pub client: ClientId,
    /// `aud`.
    pub target: TargetId,
    /// What it grants.
    pub scope: Scope,
    /// `iat`.
    pub issued_at: Timestamp,
    /// `exp`.
    pub expires_at: Timestamp,
    pub form: TokenForm,
    /// The policy set that decided, and its rules that determined the decision.
    pub grounds: Grounds,
    /// The stops that there had been when it was issued.
    pub as_of: StopNumber,
    /// The key or the certificate that it is bound to (`cnf`, RFC 9449 §6.1, RFC 8705 §3.1).
    pub bound_to: Option<Confirmation>,
    /// SHA-256 of the whole token, keyed.
    pub hash: Digest,
    /// Revoked, when and why.
    pub revoked: Option<Ended>,
}

impl Delegation {
    /// Every agent that it depends on: those of the chain, current actor first, and the one whose task it is where no user
    /// is behind it.
    pub fn agents(&self) -> impl Iterator<Item = &AgentId> {
        self.chain.iter().chain(self.behalf.agent())
    }

    /// The agent whose token it is: the current actor, or the agent that acts for itself.
    pub fn holder(&self) -> Option<&AgentId> {
        self.agents().next()
    }
}

/// A delegation with every record that its validity depends on, as they were at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    pub delegation: Delegation,
    /// Its ancestors, oldest first.
    pub ancestors: Vec<Delegation>,
    pub task: Task,
    pub behind: Behind,
    /// Every agent that it depends on, in the order of [`Delegation::agents`].
    pub agents: Vec<Agent>,
    /// Whether the keys that signed it and its ancestors, as far as they are signed, are still trusted.
    pub is_key_trusted: bool,
    /// The stops of what the records name.
    pub stops: Stops,
}

/// Whether a delegation lives at `now`: the one predicate of exchange and introspection, re-read in the writing
/// transaction. No row of its lineage has ended or expired, and none names anything that was stopped since the row was
/// written. Parties that the configuration in force lacks are not its concern, but [`named`]'s.
///
/// # Errors
/// The fault that ends it. Of several faults, the most specific one is returned.
pub fn live(lineage: &Lineage, now: Timestamp) -> Result<(), TokenFault> {
    let Lineage { delegation, ancestors, task, behind, agents, is_key_trusted, stops } = lineage;
    if !is_key_trusted {
        return Err(TokenFault::KeyRevoked);
    }
    if now >= delegation.expires_at {
        return Err(TokenFault::Expired);
    }
    if task.ended.is_some() || now >= task.expires_at {
        return Err(TokenFault::TaskEnded);
    }
    if delegation.revoked.is_some() || ancestors.iter().any(|ancestor| ancestor.revoked.is_some()) {
        return Err(TokenFault::Revoked);
    }
    if ancestors.iter().any(|ancestor| now >= ancestor.expires_at) {
        return Err(TokenFault::Expired);
    }
    if behind.login().is_some_and(|login| now >= login.ends_at) {
        return Err(TokenFault::LoginEnded);
    }
    if delegation.kind.handover().is_some_and(|handover| handover.is_over(now)) {
        return Err(TokenFault::HandoverExpired);
    }
    if agents.len() != delegation.agents().count() || !agents.iter().all(|agent| agent.may_act(now)) {
        return Err(TokenFault::AgentEnded);
    }
    let is_login_ended = |user: &SignedIn| stops.end_login(&user.login, &user.subject);
    if stops.end_task(task, behind.subject()) || matches!(behind, Behind::User(user) if is_login_ended(user))
    {
        return Err(TokenFault::SubjectCutOff);
    }
    let mut tokens = std::iter::once(delegation).chain(ancestors);
    if tokens.any(|token| stops.end_token(token, agents)) {
        return Err(TokenFault::Stopped);
    }
    Ok(())
}
