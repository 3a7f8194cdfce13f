//! What can be asked of the store outside of a transaction that writes. Every reading fails with a [`StoreError`] if
//! the database fails, or if a row does not parse.

use super::agents::Agents as _;
use super::census::{self, Census as _, LiveAgents};
use super::keys::Keys as _;
use super::logins::Logins as _;
use super::numbers::{HIGHEST_TIME, Numbers as _};
use super::readings::Readings as _;
use super::statement::Lock;
use super::stops::{StopRow, StopRows as _};
use super::tasks::Tasks as _;
use super::{Backend, KeyRow, Store, StoreError, Whom, count, load, lookup, postgres};
use crate::audit::Row;
use crate::base::time::Timestamp;
use crate::delegation::plan::LoginRecord;
use crate::delegation::record::{Agent, Delegation, EndReason, Lineage, LoginFacts, Task};
use crate::delegation::stops::{Stop, Stoppable};
use crate::oauth::{AgentId, Jti, LoginId, RequestId, ScopeToken, TargetId, TaskId};

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
    /// The newest so many, given back oldest first; 10,000 where nothing is said.
    pub newest: Option<u32>,
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

    /// A delegation with every record that its validity depends on.
    pub async fn find_lineage(&self, jti: Jti) -> Result<Option<Lineage>, StoreError> {
        let memory = &self.inner.memory;
        read!(self, |session| load::lineage(session, memory, jti))
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

    /// How many agents are on record as live, by workload issuer and class. At most a million are counted.
    pub async fn live_agents(&self) -> Result<Vec<LiveAgents>, StoreError> {
        let rows = read!(self, |session| session.count_live_agents())?;
        rows.into_iter().map(LiveAgents::try_from).collect()
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
        read!(self, |session| lookup::audit(session, filter))
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
