//! Agents: who vouches for them, and their state.

use super::count::AgentsOf;
use super::rows::{Key, bad, ended, row};
use super::statement::{Done, Lock, Rows};
use super::{StoreError, schema};
use crate::base::time::{Lifetime, Timestamp};
use crate::delegation::record::{Agent, AgentState, Build, Provenance};
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
        last_seen: i64,
        idle: Option<i64>,
        expires_at: Option<i64>,
        ends_at: Option<i64>,
        software: Option<String>,
        version: Option<String>,
        image: Option<String>,
        first_task: Option<Key>,
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
            last_seen: agent.last_seen.millis(),
            idle: agent.idle.map(Lifetime::millis),
            expires_at: agent.expires_at.map(Timestamp::millis),
            ends_at: agent.end_by_itself().map(|end| end.at.millis()),
            software: agent.build.software.clone(),
            version: agent.build.version.clone(),
            image: agent.build.image.clone(),
            first_task: None,
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
            last_seen: Timestamp::from_millis(row.last_seen),
            idle: row.idle.map(idle).transpose()?,
            expires_at: row.expires_at.map(Timestamp::from_millis),
            build: Build { software: row.software, version: row.version, image: row.image },
        })
    }
}

fn idle(millis: i64) -> Result<Lifetime, StoreError> {
    let seconds = u32::try_from(millis / 1000).map_err(|_| bad("agent", "idle"))?;
    Ok(Lifetime::from_seconds(seconds))
}

pub(super) trait Agents {
    async fn agents(&mut self, ids: &[String], lock: Lock) -> Rows<AgentRow>;
    async fn newest_agents(&mut self, limit: i64) -> Rows<AgentRow>;
    /// Agents that are not over, at most `limit`.
    async fn live_agents(&mut self, of: AgentsOf<'_>, limit: i64) -> Rows<String>;
    /// Agents that are over by themselves, but not on record, at most `limit`.
    async fn agents_over(&mut self, now: i64, limit: i64) -> Rows<AgentRow>;
    async fn insert_agents(&mut self, rows: &[AgentRow]) -> Done;
    /// Writes down the last exchange of agents that are there. Those that may not be idle are waited for; of the others,
    /// those that another transaction holds are left out, so that no two wait for each other.
    async fn note_seen(&mut self, rows: &[AgentRow]) -> Done;
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
                async fn agents_over(&mut self, now: i64, limit: i64) -> Rows<AgentRow> {
                    let query = agent::table
                        .filter(agent::ended_at.is_null().and(agent::ends_at.le(now)))
                        .order((agent::ends_at, agent::id))
                        .limit(limit)
                        .select(AgentRow::as_select());
                    Ok($db!(load self, query)?)
                }
                async fn note_seen(&mut self, rows: &[AgentRow]) -> Done {
                    let others: Vec<&str> =
                        rows.iter().filter(|row| row.idle.is_none()).map(|row| row.id.as_str()).collect();
                    let free: Vec<String> = if others.is_empty() {
                        Vec::new()
                    } else {
                        let query =
                            agent::table.filter(agent::id.eq_any(others)).order(agent::id).select(agent::id);
                        $db!(free self, query)
                    };
                    let mut rows = rows.to_vec();
                    rows.retain(|row| row.idle.is_some() || free.contains(&row.id));
                    rows.sort_by(|one, other| one.id.cmp(&other.id));
                    $db!(upsert self, &rows, "ON CONFLICT (id) DO UPDATE SET last_seen = EXCLUDED.last_seen, \
                        ends_at = EXCLUDED.ends_at, software = EXCLUDED.software, version = EXCLUDED.version, \
                        image = EXCLUDED.image", |row| {
                        diesel::update(agent::table.find(&row.id)).set((
                            agent::last_seen.eq(row.last_seen),
                            agent::ends_at.eq(row.ends_at),
                            agent::software.eq(&row.software),
                            agent::version.eq(&row.version),
                            agent::image.eq(&row.image),
                        ))
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
