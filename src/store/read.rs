//! What can be asked of the store outside of a transaction that writes. Every reading fails with a [`StoreError`] if
//! the database fails, or if a row does not parse.

use super::agents::Agents as _;
use super::census::{self, Census as _, LiveAgents};
use super::chains::{StoredRow, Stretch};
use super::keys::Keys as _;
use super::logins::Logins as _;
use super::numbers::{HIGHEST_TIME, Numbers as _};
use super::profiles::Profiles as _;
use super::readings::Readings as _;
use super::statement::Lock;
use super::stops::{StopRow, StopRows as _};
use super::subjects::Subjects as _;
use super::tasks::Tasks as _;
use super::{Backend, KeyRow, Store, StoreError, Whom, chains, count, load, lookup, postgres};
use crate::audit::{Kind, OutcomeKind, Row};
use crate::base::time::Timestamp;
use crate::delegation::alone::KnownToken;
use crate::delegation::plan::LoginRecord;
use crate::delegation::profile::Profile;
use crate::delegation::record::{Agent, Delegation, EndReason, Lineage, LoginFacts, Subject, Task};
use crate::delegation::recorded::AgentRecord;
use crate::delegation::stops::{Stop, Stoppable, Stops};
use crate::oauth::{
    AgentId, ClientId, Issuer, Jti, LoginId, RequestId, ScopeToken, SubjectRef, TargetId, TaskId,
};

/// Which audit rows: all that are given must match.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Of this agent, anywhere in the chain.
    pub agent: Option<AgentId>,
    pub task: Option<TaskId>,
    /// About this token.
    pub jti: Option<Jti>,
    /// About a token exchanged from this one.
    pub parent: Option<Jti>,
    pub request: Option<RequestId>,
    /// That this client asked for, or a caller that claimed to be it.
    pub client: Option<ClientId>,
    pub outcome: Option<OutcomeKind>,
    pub event: Option<Kind>,
    /// Not earlier than this.
    pub since: Option<Timestamp>,
    /// Not later than this.
    pub until: Option<Timestamp>,
    /// The newest so many, given back oldest first; 10,000 where nothing is said.
    pub newest: Option<u32>,
}

impl AuditFilter {
    /// Whether the rows that it is about are among those that are few: see [`super::audit::NOTABLE`].
    pub(super) fn is_notable(&self) -> bool {
        let is_frequent = |event: Kind| {
            matches!(
                event,
                Kind::Exchange
                    | Kind::Handover
                    | Kind::Accept
                    | Kind::Revocation
                    | Kind::Introspection
                    | Kind::Pin
                    | Kind::TaskEnd
                    | Kind::TasksEnd
                    | Kind::AgentState
            )
        };
        self.outcome.is_some_and(|outcome| outcome != OutcomeKind::Granted)
            || self.event.is_some_and(|event| !is_frequent(event))
    }
}

/// Audit rows that were found.
#[derive(Clone, Debug, Default)]
pub struct AuditFound {
    /// Oldest first.
    pub rows: Vec<Row>,
    /// Older rows, up to and with this time, were not looked at. `None` if the list is full or nothing is left.
    pub left_at: Option<Timestamp>,
}

/// A stop as it is recorded.
#[derive(Clone, Debug)]
pub struct StopFound {
    pub party: Stoppable,
    pub stop: Stop,
    pub at: Timestamp,
    pub why: EndReason,
    /// Whether tasks remain to be ended for it.
    pub is_unfinished: bool,
}

/// What tasks and agents depend on besides their own rows, as of one moment.
#[derive(Clone, Debug)]
pub struct Surroundings {
    pub stops: Stops,
    /// The users of the tasks.
    pub subjects: Vec<Subject>,
    /// The agents that began the tasks.
    pub agents: Vec<Agent>,
}

/// What a stop would end, each counted up to a limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct StopCount {
    pub agents: usize,
    pub tasks: usize,
    pub limit: usize,
}

/// Reads with a connection of whichever database it is. On PostgreSQL a lost connection is replaced once.
macro_rules! read {
    ($store:expr, |$session:ident| $work:expr) => {
        match &$store.inner.backend {
            Backend::Sqlite(database) => {
                let mut reader = database.reader()?;
                let $session = &mut reader.session()?;
                $work.await.map_err(StoreError::from)
            }
            Backend::Postgres(database) => {
                let mut is_last_try = false;
                loop {
                    let reader = database.reader().await?;
                    let outcome = {
                        let $session = &mut postgres::Session(&reader);
                        postgres::patiently($work).await
                    };
                    if let Some(outcome) = database.settle(reader, outcome, is_last_try) {
                        break outcome;
                    }
                    is_last_try = true;
                }
            }
        }
    };
}

impl Store {
    /// What is recorded about a login token, its user and an agent.
    pub async fn find_login_record(
        &self,
        login: &LoginFacts,
        upstream: &str,
        agent: Option<&Agent>,
        named: Option<TaskId>,
        now: Timestamp,
    ) -> Result<LoginRecord, StoreError> {
        let memory = &self.inner.memory;
        read!(self, |session| load::login_record(session, memory, login, upstream, agent, named, now))
    }

    /// A token with every record that its validity depends on.
    pub async fn find_token(&self, jti: Jti) -> Result<Option<KnownToken>, StoreError> {
        let memory = &self.inner.memory;
        read!(self, |session| load::token(session, memory, jti))
    }

    /// A token that belongs to a task, with every record that its validity depends on.
    pub async fn find_lineage(&self, jti: Jti) -> Result<Option<Lineage>, StoreError> {
        Ok(self.find_token(jti).await?.and_then(KnownToken::in_task))
    }

    /// What is recorded of an agent that asks for itself.
    pub async fn find_agent_record(&self, agent: &Agent) -> Result<AgentRecord, StoreError> {
        let memory = &self.inner.memory;
        read!(self, |session| load::agent_record(session, memory, agent))
    }

    /// A sealed answer of a login.
    pub async fn find_answer(
        &self,
        login: LoginId,
        target: &TargetId,
        scope: &ScopeToken,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        read!(self, |session| session.answer(login.into(), target.as_str(), scope.as_str()))
    }

    pub async fn find_agent(&self, id: &AgentId) -> Result<Option<Agent>, StoreError> {
        let ids = [id.as_str().to_owned()];
        let mut rows = read!(self, |session| lookup::agents(session, &ids))?;
        rows.pop().map(Agent::try_from).transpose()
    }

    /// What operators say of an agent. One that has no profile is of the minimal one.
    pub async fn find_profile(&self, id: &AgentId) -> Result<Option<Profile>, StoreError> {
        let mut rows = read!(self, |session| session.profile(id.as_str()))?;
        rows.pop().map(Profile::try_from).transpose()
    }

    /// Agents, newest first, at most `limit`.
    pub async fn list_agents(&self, limit: u32) -> Result<Vec<Agent>, StoreError> {
        let rows = read!(self, |session| lookup::newest_agents(session, limit.into()))?;
        rows.into_iter().map(Agent::try_from).collect()
    }

    /// Agents that are over by themselves at `now` and not on record as retired, at most `limit`.
    pub async fn list_agents_over(&self, now: Timestamp, limit: u32) -> Result<Vec<Agent>, StoreError> {
        let rows = read!(self, |session| session.agents_over(now.millis(), limit.into()))?;
        rows.into_iter().map(Agent::try_from).collect()
    }

    /// Counts the agents that are on record as live, by workload issuer and class, for the quotas and for operators.
    pub async fn count_live_agents(&self) -> Result<Vec<LiveAgents>, StoreError> {
        let before = self.inner.quotas.created();
        let rows = read!(self, |session| session.count_live_agents())?;
        let counted: Vec<LiveAgents> =
            rows.into_iter().map(LiveAgents::try_from).collect::<Result<_, _>>()?;
        self.inner.quotas.put_live(&counted, before);
        Ok(counted)
    }

    /// How many tasks are on record as live. At most a million are counted.
    pub async fn live_tasks(&self) -> Result<u64, StoreError> {
        census::count(read!(self, |session| session.count_live_tasks())?)
    }

    pub async fn find_task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        let ids = [id.into()];
        let mut rows = read!(self, |session| session.tasks(&ids, Lock::None))?;
        rows.pop().map(Task::try_from).transpose()
    }

    /// Tasks, newest first, at most `limit`; only live ones where `live_at` is given; of one agent
    /// (any engagement) where `agent` is given.
    pub async fn list_tasks(
        &self,
        live_at: Option<Timestamp>,
        agent: Option<&AgentId>,
        limit: u32,
    ) -> Result<Vec<Task>, StoreError> {
        read!(self, |session| lookup::tasks(session, live_at, agent, limit))
    }

    /// The newest delegations of a task, at most `limit`, oldest first.
    pub async fn list_delegations(&self, task: TaskId, limit: u32) -> Result<Vec<Delegation>, StoreError> {
        read!(self, |session| lookup::delegations(session, task, limit))
    }

    /// What these tasks and agents depend on besides their own rows.
    pub async fn find_surroundings(
        &self,
        tasks: &[Task],
        agents: &[Agent],
    ) -> Result<Surroundings, StoreError> {
        let memory = &self.inner.memory;
        read!(self, |session| load::surroundings(session, memory, tasks, agents))
    }

    /// The user of this reference.
    pub async fn find_user(&self, reference: SubjectRef) -> Result<Option<Subject>, StoreError> {
        let keys = [reference.into()];
        Ok(read!(self, |session| session.subjects(&keys, Lock::None))?.pop().map(Subject::from))
    }

    /// The user of this name at a provider.
    pub async fn find_user_named(
        &self,
        provider: &Issuer,
        upstream: &str,
    ) -> Result<Option<Subject>, StoreError> {
        let names = [(provider.as_str().to_owned(), upstream.to_owned())];
        Ok(read!(self, |session| session.subjects_named(&names, Lock::None))?.pop().map(Subject::from))
    }

    /// The last stop of a party, or its lift.
    pub async fn find_stop(&self, party: &Stoppable) -> Result<Option<StopFound>, StoreError> {
        let (kind, name) = (party.kind().word(), party.name());
        let row = read!(self, |session| session.stop(kind, &name, Lock::None))?.pop();
        row.as_ref().map(StopRow::found).transpose()
    }

    /// The newest stops, at most `limit`.
    pub async fn list_stops(&self, limit: u32) -> Result<Vec<StopFound>, StoreError> {
        let rows = read!(self, |session| session.newest_stops(limit.into()))?;
        rows.iter().map(StopRow::found).collect()
    }

    /// What a stop would end: open tasks, and agents that are not over.
    pub async fn count_stopped(&self, what: &Whom) -> Result<StopCount, StoreError> {
        read!(self, |session| count::count_stopped(session, what))
    }

    /// Every signing key ever made and not yet removed, oldest first.
    pub async fn list_keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        let rows = read!(self, |session| session.signing_keys())?;
        Ok(rows.into_iter().map(KeyRow::from).collect())
    }

    /// Audit rows, oldest first.
    pub async fn list_audit(&self, filter: &AuditFilter) -> Result<Vec<Row>, StoreError> {
        Ok(self.search_audit(filter).await?.rows)
    }

    /// Audit rows, oldest first, and whether there may be older ones that were not looked at.
    pub async fn search_audit(&self, filter: &AuditFilter) -> Result<AuditFound, StoreError> {
        read!(self, |session| lookup::audit(session, filter))
    }

    /// The part of each chain that was written between two times.
    pub async fn list_chains(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<Vec<Stretch>, StoreError> {
        read!(self, |session| chains::stretches(session, since, until))
    }

    /// The rows of a chain after this number, in order and as they are stored, at most `limit`.
    pub async fn list_chain(
        &self,
        chain: &str,
        after: i64,
        limit: u32,
    ) -> Result<Vec<StoredRow>, StoreError> {
        read!(self, |session| chains::rows(session, chain, after, limit))
    }

    /// The first audit rows of a task, oldest first: among them the one in which it began.
    pub async fn list_beginning(&self, task: TaskId) -> Result<Vec<Row>, StoreError> {
        read!(self, |session| lookup::first_of_task(session, task))
    }

    /// What the clock of the database server shows; `None` where the database is a file of this machine.
    pub async fn database_time(&self) -> Result<Option<Timestamp>, StoreError> {
        let millis = read!(self, |session| session.clock())?;
        Ok(millis.map(Timestamp::from_millis))
    }

    /// The highest time ever recorded, to the second.
    pub async fn highest_time(&self) -> Result<Option<Timestamp>, StoreError> {
        let highest = read!(self, |session| session.number(HIGHEST_TIME))?;
        Ok(highest.filter(|millis| *millis > 0).map(Timestamp::from_millis))
    }
}
