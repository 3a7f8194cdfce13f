//! Agents: who vouches for them, and their state.

use super::count::AgentsOf;
use super::rows::{bad, ended, row};
use super::statement::{Done, Lock, Rows};
use super::{StoreError, schema};
use crate::base::time::Timestamp;
use crate::delegation::record::{Agent, AgentState, Provenance};
use crate::delegation::stops::StopNumber;
use crate::oauth::{AgentId, ClientId, Issuer};
use crate::registry::AgentLifetime;

row! {
    AgentRow of agent {
        id: String,
        client: String,
        issuer: Option<String>,
        workload: Option<String>,
        instance: Option<String>,
        class: String,
        lifetime: String,
        state: String,
        ended_at: Option<i64>,
        ended_why: Option<String>,
        stopped: i64,
        first_seen: i64,
    }
}

impl From<&Agent> for AgentRow {
    fn from(agent: &Agent) -> Self {
        let (issuer, workload, instance) = match &agent.provenance {
            Provenance::Client => (None, None, None),
            Provenance::Workload { issuer, workload, instance } => {
                (Some(issuer.as_str().to_owned()), Some(workload.clone()), instance.clone())
            }
        };
        Self {
            id: agent.id.as_str().to_owned(),
            client: agent.client.as_str().to_owned(),
            issuer,
            workload,
            instance,
            class: agent.class.clone(),
            lifetime: agent.lifetime.word().to_owned(),
            state: agent.state.word().to_owned(),
            ended_at: agent.ended.map(|ended| ended.at.millis()),
            ended_why: agent.ended.map(|ended| ended.why.word().to_owned()),
            stopped: agent.stopped.get(),
            first_seen: agent.first_seen.millis(),
        }
    }
}

impl TryFrom<AgentRow> for Agent {
    type Error = StoreError;

    fn try_from(row: AgentRow) -> Result<Self, StoreError> {
        let lifetime = AgentLifetime::parse(&row.lifetime).ok_or(bad("agent", "lifetime"))?;
        let state = AgentState::parse(&row.state).ok_or(bad("agent", "state"))?;
        let provenance = match (row.issuer, row.workload) {
            (None, None) => Provenance::Client,
            (Some(issuer), Some(workload)) => {
                Provenance::Workload { issuer: Issuer::new(issuer), workload, instance: row.instance }
            }
            _ => return Err(bad("agent", "workload")),
        };
        Ok(Self {
            ended: ended(row.ended_at, row.ended_why.as_deref(), "agent", "ended_why")?,
            id: AgentId::new(row.id),
            client: ClientId::new(row.client),
            provenance,
            class: row.class,
            lifetime,
            state,
            stopped: StopNumber::new(row.stopped),
            first_seen: Timestamp::from_millis(row.first_seen),
        })
    }
}

pub(super) trait Agents {
    async fn agents(&mut self, ids: &[String], lock: Lock) -> Rows<AgentRow>;
    async fn newest_agents(&mut self, limit: i64) -> Rows<AgentRow>;
    /// Agents that are not over, at most `limit`.
    async fn live_agents(&mut self, of: AgentsOf<'_>, limit: i64) -> Rows<String>;
    async fn insert_agents(&mut self, rows: &[AgentRow]) -> Done;
    /// Sets state, end and the number of the stop.
    async fn change_agent(&mut self, agent: &AgentRow) -> Done;
}

/// Implements [`Agents`] for a session type; `$db` runs its queries.
macro_rules! agents {
    ($session:ident, $db:ident) => {
        const _: () = {
            use diesel::{
                BoolExpressionMethods as _, ExpressionMethods as _, QueryDsl as _, SelectableHelper as _,
            };
            use $crate::store::agents::{AgentRow, Agents};
            use $crate::store::count::AgentsOf;
            use $crate::store::schema::agent;
            use $crate::store::statement::{Done, Lock, Rows};

            impl Agents for $session<'_> {
                async fn agents(&mut self, ids: &[String], lock: Lock) -> Rows<AgentRow> {
                    Ok($db!(by self, AgentRow, agent, id, ids, lock))
                }
                async fn newest_agents(&mut self, limit: i64) -> Rows<AgentRow> {
                    let query = agent::table
                        .order((agent::first_seen.desc(), agent::id))
                        .limit(limit)
                        .select(AgentRow::as_select());
                    Ok($db!(load self, query)?)
                }
                async fn live_agents(&mut self, of: AgentsOf<'_>, limit: i64) -> Rows<String> {
                    let live = agent::table.filter(agent::ended_at.is_null()).limit(limit).select(agent::id);
                    Ok(match of {
                        AgentsOf::One(id) => $db!(load self, live.filter(agent::id.eq(id)))?,
                        AgentsOf::Client(client) => $db!(load self, live.filter(agent::client.eq(client)))?,
                        AgentsOf::Issuer(issuer) => $db!(load self, live.filter(agent::issuer.eq(issuer)))?,
                        AgentsOf::Class(class) => $db!(load self, live.filter(agent::class.eq(class)))?,
                        AgentsOf::Workload(issuer, id) => {
                            let is_it = agent::workload.eq(id).or(agent::instance.eq(id));
                            $db!(load self, live.filter(agent::issuer.eq(issuer)).filter(is_it))?
                        }
                    })
                }
                async fn insert_agents(&mut self, rows: &[AgentRow]) -> Done {
                    $db!(insert self, agent, rows)
                }
                async fn change_agent(&mut self, row: &AgentRow) -> Done {
                    $db!(execute self,
                        diesel::update(agent::table.find(&row.id)).set((
                            agent::state.eq(&row.state),
                            agent::ended_at.eq(row.ended_at),
                            agent::ended_why.eq(&row.ended_why),
                            agent::stopped.eq(row.stopped),
                        ))
                    )?;
                    Ok(())
                }
            }
        };
    };
}
pub(super) use agents;
