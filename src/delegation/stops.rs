//! Stops: what was stopped, and what dies of it. Everything here is a function of its inputs.
//!
//! One counter numbers the stops and lifts of a database. Every row carries the counter as its transaction found it,
//! and is dead if something that it names was stopped under a higher number. So a stop is one small row, whatever
//! depends on it, and no clocks are compared.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::record::{Agent, Delegation, Login, Provenance, Subject, Task};
use crate::base::time::{FOREIGN_LEEWAY, Timestamp};
use crate::base::words::words;
use crate::oauth::{AgentId, ClientId, Digest, Issuer, SubjectRef, TargetId};
use crate::registry::Registry;
use crate::verification::{LoginFacts, access_token_party};

/// How many stops and lifts there had been at some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StopNumber(i64);

impl StopNumber {
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for StopNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

words! {
    /// What can be stopped.
    StopKind {
        User => "user",
        /// A session of a user at their provider.
        Session => "session",
        Agent => "agent",
        /// A workload, by its stable id or its instance id at its issuer.
        Workload => "workload",
        /// A class of agents.
        Class => "class",
        Client => "client",
        Target => "target",
        /// An identity provider.
        Provider => "provider",
        /// A client of an identity provider whose ID tokens are taken, or whose access tokens for an audience are.
        RelyingParty => "relying_party",
        /// A workload issuer.
        Issuer => "issuer",
        /// Everything that was issued: what a reset of the clock ends.
        Everything => "everything",
    }
}

impl StopKind {
    /// Whether it is a matter of logins: those made later begin anew although the stop was not lifted.
    pub const fn is_of_logins(self) -> bool {
        matches!(self, Self::User | Self::Session)
    }

    /// Whether tasks end with it. With the others, tokens and logins end, and tasks go on.
    pub const fn ends_tasks(self) -> bool {
        matches!(
            self,
            Self::User | Self::Session | Self::Agent | Self::Client | Self::Provider | Self::Everything
        )
    }
}

/// Something that can be stopped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stoppable {
    User(SubjectRef),
    /// `sid`, hashed together with the issuer.
    Session(Digest),
    Agent(AgentId),
    Workload(Issuer, String),
    Class(String),
    Client(ClientId),
    Target(TargetId),
    Provider(Issuer),
    /// The provider, and the relying party's client id there.
    RelyingParty(Issuer, String),
    Issuer(Issuer),
    Everything,
}

impl Stoppable {
    pub const fn kind(&self) -> StopKind {
        match self {
            Self::User(_) => StopKind::User,
            Self::Session(_) => StopKind::Session,
            Self::Agent(_) => StopKind::Agent,
            Self::Workload(..) => StopKind::Workload,
            Self::Class(_) => StopKind::Class,
            Self::Client(_) => StopKind::Client,
            Self::Target(_) => StopKind::Target,
            Self::Provider(_) => StopKind::Provider,
            Self::RelyingParty(..) => StopKind::RelyingParty,
            Self::Issuer(_) => StopKind::Issuer,
            Self::Everything => StopKind::Everything,
        }
    }

    /// Its name within its kind, as it is recorded. A user is named by the reference, a session by its hash.
    pub fn name(&self) -> String {
        match self {
            Self::User(reference) => reference.to_string(),
            Self::Session(hash) => data_encoding::HEXLOWER.encode(hash),
            Self::Agent(id) => id.to_string(),
            Self::Workload(issuer, id) | Self::RelyingParty(issuer, id) => format!("{issuer}|{id}"),
            Self::Class(name) => name.clone(),
            Self::Client(id) => id.to_string(),
            Self::Target(id) => id.to_string(),
            Self::Provider(issuer) | Self::Issuer(issuer) => issuer.to_string(),
            Self::Everything => String::new(),
        }
    }

    /// The party of this kind and name, as [`Stoppable::name`] writes it.
    pub fn parse(kind: StopKind, name: &str) -> Option<Self> {
        let pair = || name.split_once('|').map(|(issuer, id)| (Issuer::new(issuer), id.to_owned()));
        Some(match kind {
            StopKind::User => Self::User(SubjectRef::parse(name)?),
            StopKind::Session => {
                Self::Session(data_encoding::HEXLOWER.decode(name.as_bytes()).ok()?.try_into().ok()?)
            }
            StopKind::Agent => Self::Agent(AgentId::new(name)),
            StopKind::Workload => pair().map(|(issuer, id)| Self::Workload(issuer, id))?,
            StopKind::Class => Self::Class(name.to_owned()),
            StopKind::Client => Self::Client(ClientId::new(name)),
            StopKind::Target => Self::Target(TargetId::new(name)),
            StopKind::Provider => Self::Provider(Issuer::new(name)),
            StopKind::RelyingParty => pair().map(|(issuer, id)| Self::RelyingParty(issuer, id))?,
            StopKind::Issuer => Self::Issuer(Issuer::new(name)),
            StopKind::Everything => Self::Everything,
        })
    }
}

impl fmt::Display for Stoppable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind().word(), self.name())
    }
}

/// Every party that a configuration names.
pub fn configured(registry: &Registry) -> Vec<Stoppable> {
    let mut parties: Vec<Stoppable> = registry.clients.keys().cloned().map(Stoppable::Client).collect();
    parties.extend(registry.targets.keys().cloned().map(Stoppable::Target));
    for (issuer, provider) in &registry.identity_providers {
        parties.push(Stoppable::Provider(issuer.clone()));
        let mut relying_parties: BTreeSet<String> = provider.relying_parties.keys().cloned().collect();
        relying_parties.extend(provider.access_tokens.iter().flat_map(|source| {
            source.authorized_parties.iter().map(|party| access_token_party(&source.audience, party))
        }));
        parties.extend(relying_parties.into_iter().map(|id| Stoppable::RelyingParty(issuer.clone(), id)));
    }
    for (issuer, registered) in &registry.workload_issuers {
        parties.push(Stoppable::Issuer(issuer.clone()));
        parties.extend(registered.classes.iter().map(|class| Stoppable::Class(class.name.clone())));
    }
    parties
}

/// The last stop of a party, or the lift of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    pub number: StopNumber,
    /// Whether nothing begins any longer until it is lifted.
    pub stands: bool,
    /// Logins and credentials up to this time begin nothing: the time of the lift, and for a user or a session that of
    /// the stop.
    pub not_before: Option<Timestamp>,
}

impl Stop {
    /// Whether it prevents something new, for a login or a credential of this time (seconds since the epoch).
    fn prevents(&self, kind: StopKind, time: i64) -> bool {
        (self.stands && !kind.is_of_logins()) || is_cut_off(self.not_before, time)
    }

    /// Whether a row that carries this number dies of it.
    fn ends(&self, kind: StopKind, as_of: StopNumber) -> bool {
        as_of < self.number || (self.stands && !kind.is_of_logins())
    }
}

/// Whether a login or a credential of this time (whole seconds since the epoch) lies at or before `not_before` and
/// the leeway for the clock of its issuer.
pub fn is_cut_off(not_before: Option<Timestamp>, time: i64) -> bool {
    not_before.is_some_and(|limit| Timestamp::from_seconds(time) <= limit.plus(FOREIGN_LEEWAY))
}

/// The stops that a judgement has to know: of all configured parties, and of those sessions and workloads that were
/// looked for. Users and agents carry their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stops(Arc<HashMap<Stoppable, Stop>>);

impl FromIterator<(Stoppable, Stop)> for Stops {
    fn from_iter<I: IntoIterator<Item = (Stoppable, Stop)>>(stops: I) -> Self {
        Self(Arc::new(stops.into_iter().collect()))
    }
}

impl Stops {
    /// These, and some more.
    pub fn add(&mut self, stops: Vec<(Stoppable, Stop)>) {
        if !stops.is_empty() {
            Arc::make_mut(&mut self.0).extend(stops);
        }
    }

    pub fn of(&self, party: &Stoppable) -> Option<&Stop> {
        self.0.get(party)
    }

    fn find(
        &self,
        parties: impl IntoIterator<Item = Stoppable>,
        found: impl Fn(StopKind, &Stop) -> bool,
    ) -> Option<Stoppable> {
        if self.0.is_empty() {
            return None;
        }
        parties.into_iter().find(|party| self.of(party).is_some_and(|stop| found(party.kind(), stop)))
    }

    fn any(
        &self,
        parties: impl IntoIterator<Item = Stoppable>,
        found: impl Fn(StopKind, &Stop) -> bool,
    ) -> bool {
        self.find(parties, found).is_some()
    }

    /// The first of these parties of which a stop stands.
    pub fn standing(&self, parties: impl IntoIterator<Item = Stoppable>) -> Option<Stoppable> {
        self.find(parties, |_, stop| stop.stands)
    }

    /// The party by whose stop a task is dead, where [`Stops::end_task`] says that it is.
    pub fn ending_task(&self, task: &Task, subject: Option<&Subject>) -> Option<Stoppable> {
        let stopped = subject.filter(|subject| task.as_of < subject.stopped);
        let of_user = stopped.map(|subject| Stoppable::User(subject.reference));
        of_user.or_else(|| self.find(task_names(task, subject), |kind, stop| stop.ends(kind, task.as_of)))
    }

    /// Whether a row that carries `as_of` and names these parties is dead.
    fn end(&self, as_of: StopNumber, parties: impl IntoIterator<Item = Stoppable>) -> bool {
        self.any(parties, |kind, stop| stop.ends(kind, as_of))
    }

    /// Whether one of these parties may begin nothing, by a login or a credential of this time.
    pub fn prevent(&self, time: i64, parties: impl IntoIterator<Item = Stoppable>) -> bool {
        self.any(parties, |kind, stop| stop.prevents(kind, time))
    }

    /// Whether a stop of one of these parties stands.
    pub fn stand(&self, parties: impl IntoIterator<Item = Stoppable>) -> bool {
        self.any(parties, |_, stop| stop.stands)
    }

    /// Whether a task is dead by a stop of what its row names. Its user, if it has one, and its agent carry their own.
    pub fn end_task(&self, task: &Task, subject: Option<&Subject>) -> bool {
        self.ending_task(task, subject).is_some()
    }

    /// Whether a login is dead by a stop of what its row names.
    pub fn end_login(&self, login: &Login, subject: &Subject) -> bool {
        login.as_of < subject.stopped || self.end(login.as_of, login_names(login))
    }

    /// Whether a token is dead by a stop of what its row names; `agents` are those that it depends on.
    pub fn end_token(&self, token: &Delegation, agents: &[Agent]) -> bool {
        let stopped = agents_of(token, agents).any(|agent| token.as_of < agent.stopped);
        stopped || self.end(token.as_of, token_names(token, agents))
    }

    /// Whether a token about an agent itself, which has no task that could end, is dead by a stop of what its row names.
    pub fn end_alone(&self, token: &Delegation, agent: &Agent) -> bool {
        self.end_token(token, std::slice::from_ref(agent)) || self.end(token.as_of, [Stoppable::Everything])
    }

    /// Whether nothing more is issued for this target.
    pub fn close(&self, target: &TargetId) -> bool {
        self.of(&Stoppable::Target(target.clone())).is_some_and(|stop| stop.stands)
    }
}

fn task_names(task: &Task, subject: Option<&Subject>) -> impl Iterator<Item = Stoppable> {
    [Stoppable::Everything, Stoppable::Client(task.client.clone())]
        .into_iter()
        .chain(subject.map(|subject| Stoppable::Provider(subject.issuer.clone())))
        .chain(task.session.map(Stoppable::Session))
}

/// The parties that a login names besides its user.
pub fn login_names(login: &LoginFacts) -> impl Iterator<Item = Stoppable> {
    let provider = &login.provider;
    let party = Stoppable::RelyingParty(provider.clone(), login.party());
    [Stoppable::Provider(provider.clone()), party].into_iter().chain(login.session.map(Stoppable::Session))
}

fn token_names<'a>(token: &'a Delegation, agents: &'a [Agent]) -> impl Iterator<Item = Stoppable> + use<'a> {
    [Stoppable::Client(token.client.clone()), Stoppable::Target(token.target.clone())]
        .into_iter()
        .chain(token.classes.iter().cloned().map(Stoppable::Class))
        .chain(agents_of(token, agents).flat_map(|agent| workload_names(&agent.provenance)))
}

/// Those of `agents` that a token depends on.
fn agents_of<'a>(token: &'a Delegation, agents: &'a [Agent]) -> impl Iterator<Item = &'a Agent> {
    agents.iter().filter(|agent| token.agents().any(|id| *id == agent.id))
}

/// The issuer and the workload that vouch for an agent.
pub fn workload_names(provenance: &Provenance) -> Vec<Stoppable> {
    match provenance {
        Provenance::Client => Vec::new(),
        Provenance::Workload { issuer, workload, instance } => {
            let mut names = vec![
                Stoppable::Issuer(issuer.clone()),
                Stoppable::Workload(issuer.clone(), workload.clone()),
            ];
            names.extend(instance.iter().map(|id| Stoppable::Workload(issuer.clone(), id.clone())));
            names
        }
    }
}

/// The parties that an agent names when it is about to act for a client.
pub fn actor_names(agent: &Agent, client: &ClientId) -> Vec<Stoppable> {
    let mut names = workload_names(&agent.provenance);
    names.push(Stoppable::Class(agent.class.clone()));
    names.push(Stoppable::Client(client.clone()));
    names
}

#[cfg(test)]
mod tests;
