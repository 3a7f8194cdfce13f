//! Tasks, and the agents engaged in them.

use super::rows::{Hash, Key, bad, ended, row};
use super::statement::{Done, Lock, Rows};
use super::{StoreError, schema};
use crate::base::time::Timestamp;
use crate::delegation::record::{Delegator, EndReason, Task};
use crate::delegation::stops::StopNumber;
use crate::oauth::{AgentId, ClientId, Purpose};

row! {
    TaskRow of task {
        id: Key,
        client: String,
        agent: String,
        by_agent: bool,
        subject: Option<Key>,
        session: Option<Hash>,
        by_session: bool,
        purpose: Option<String>,
        as_of: i64,
        started_at: i64,
        expires_at: i64,
        ended_at: Option<i64>,
        ended_why: Option<String>,
        ended_row: Option<String>,
        to_release: bool,
    }
}

impl TaskRow {
    /// The row of a new task; `by_agent` says that it is not the first task of its agent.
    pub(super) fn new(task: &Task, by_agent: bool) -> Self {
        Self {
            by_agent,
            id: task.id.into(),
            client: task.client.as_str().to_owned(),
            agent: task.agent.as_str().to_owned(),
            subject: task.delegator.user().map(Key::from),
            session: task.session.map(Hash),
            by_session: task.is_found_by_session,
            as_of: task.as_of.get(),
            purpose: task.purpose.as_ref().map(|purpose| purpose.as_str().to_owned()),
            started_at: task.started_at.millis(),
            expires_at: task.expires_at.millis(),
            ended_at: task.ended.map(|ended| ended.at.millis()),
            ended_why: task.ended.map(|ended| ended.why.word().to_owned()),
            ended_row: None,
            to_release: false,
        }
    }
}

impl TryFrom<TaskRow> for Task {
    type Error = StoreError;

    fn try_from(row: TaskRow) -> Result<Self, StoreError> {
        let purpose = match row.purpose {
            Some(text) => Some(Purpose::parse(&text).ok_or(bad("task", "purpose"))?),
            None => None,
        };
        Ok(Self {
            ended: ended(row.ended_at, row.ended_why.as_deref(), "task", "ended_why")?,
            id: row.id.into(),
            client: ClientId::new(row.client),
            agent: AgentId::new(row.agent),
            delegator: row.subject.map_or(Delegator::Agent, |user| Delegator::User(user.into())),
            session: row.session.map(|hash| hash.0),
            is_found_by_session: row.by_session,
            as_of: StopNumber::new(row.as_of),
            purpose,
            started_at: Timestamp::from_millis(row.started_at),
            expires_at: Timestamp::from_millis(row.expires_at),
        })
    }
}

row! {
    /// One agent working in a task that another began.
    EngagementRow of engagement {
        agent: String,
        task: Key,
        since: i64,
        ended_at: Option<i64>,
    }
}

/// Each engagement once, in the order of their keys: one statement may not write a row twice, and two writers
/// take the locks of rows that are there already in the same order.
pub(super) fn distinct(rows: &[EngagementRow]) -> Vec<EngagementRow> {
    let mut rows = rows.to_vec();
    rows.sort_by(|one, other| {
        (&one.agent, one.task, one.since).cmp(&(&other.agent, other.task, other.since))
    });
    rows.dedup_by(|later, first| (&later.agent, later.task) == (&first.agent, first.task));
    rows
}

/// What a walk over open tasks has to know of each: its id, client, session, and the stops as of which it began.
pub(super) type OpenTask = (Key, String, Option<Hash>, i64);

/// A session of a user, with a client and the agent that is to act for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OfSession {
    pub(super) session: Hash,
    pub(super) client: String,
    pub(super) agent: String,
}

/// The words of the ends that are stops.
pub(super) fn stops() -> impl Iterator<Item = &'static str> {
    EndReason::ALL.iter().filter(|why| why.is_stop()).map(|why| why.word())
}

/// How tasks end.
#[derive(Clone, Copy, Debug)]
pub(super) struct End<'a> {
    pub(super) at: i64,
    pub(super) why: &'a str,
    /// The audit row that names them, as chain and number.
    pub(super) row: &'a str,
    /// Whether agents are left that are still engaged in them.
    pub(super) to_release: bool,
}

/// An agent that is engaged in a task which has ended, with when and why that was.
pub(super) type Leaving = (String, Option<i64>, Option<String>);

pub(super) trait Tasks {
    async fn tasks(&mut self, ids: &[Key], lock: Lock) -> Rows<TaskRow>;
    async fn newest_tasks(&mut self, live_at: Option<i64>, limit: i64) -> Rows<TaskRow>;
    /// Of the tasks that a client began in a session: the newest of this agent that has not ended, and one that was stopped.
    async fn tasks_of_session(&mut self, of: &OfSession, now: i64) -> Rows<Key>;
    async fn tasks_with(&mut self, agent: &str, live_at: Option<i64>, limit: i64) -> Rows<TaskRow>;
    /// The next open tasks of one user after `place`.
    async fn next_of_subject(&mut self, subject: Key, place: Key, limit: i64) -> Rows<OpenTask>;
    /// The next open tasks that an agent began, after `place`.
    async fn next_of_agent(&mut self, agent: &str, place: Key, limit: i64) -> Rows<OpenTask>;
    /// The next open tasks of all after `place`, with the provider of the user where there is a user.
    async fn next_open(&mut self, place: Key, limit: i64) -> Rows<(OpenTask, Option<String>)>;
    /// Those of these agents that are engaged in a task which has not ended and not expired.
    async fn busy_agents(&mut self, agents: &[String], now: i64) -> Rows<String>;
    async fn expired_tasks(&mut self, now: i64, limit: i64) -> Rows<Key>;
    /// Agents engaged in these tasks: those that began one that has not ended, and the first so many by an open
    /// engagement.
    async fn engaged_in(&mut self, tasks: &[Key], limit: i64) -> Rows<String>;
    /// Those of these agents that are engaged in a task which has ended and has agents to release.
    async fn leaving(&mut self, agents: &[String]) -> Rows<Leaving>;
    /// The next tasks that have ended and have agents to release.
    async fn tasks_to_release(&mut self, limit: i64) -> Rows<TaskRow>;
    /// No agent is engaged in these tasks any longer.
    async fn note_released(&mut self, tasks: &[Key]) -> Done;
    async fn insert_tasks(&mut self, rows: &[TaskRow]) -> Done;
    /// Ends those of these tasks that have not ended.
    async fn end_tasks(&mut self, tasks: &[Key], end: &End<'_>) -> Done;
    /// Keeps what is there, and opens again what had ended.
    async fn open_engagements(&mut self, rows: &[EngagementRow]) -> Done;
    async fn end_engagements(&mut self, tasks: &[Key], agents: &[String], at: i64) -> Done;
}

/// Implements [`Tasks`] for a session type; `$db` runs its queries.
macro_rules! tasks {
    ($session:ident, $db:ident) => {
        const _: () = {
            use diesel::{
                BoolExpressionMethods as _, ExpressionMethods as _, JoinOnDsl as _,
                NullableExpressionMethods as _, QueryDsl as _, SelectableHelper as _,
            };
            use $crate::store::rows::Key;
            use $crate::store::schema::{agent, engagement, subject, task};
            use $crate::store::statement::{Done, Lock, Rows};
            use $crate::store::tasks::{
                End, EngagementRow, Leaving, OfSession, OpenTask, TaskRow, Tasks, stops,
            };

            impl Tasks for $session<'_> {
                async fn tasks(&mut self, ids: &[Key], lock: Lock) -> Rows<TaskRow> {
                    Ok($db!(by self, TaskRow, task, id, ids, lock))
                }
                async fn newest_tasks(&mut self, live_at: Option<i64>, limit: i64) -> Rows<TaskRow> {
                    let query = task::table.order(task::id.desc()).limit(limit).select(TaskRow::as_select());
                    match live_at {
                        None => Ok($db!(load self, query)?),
                        Some(at) => {
                            let live = task::ended_at.is_null().and(task::expires_at.gt(at));
                            Ok($db!(load self, query.filter(live))?)
                        }
                    }
                }
                async fn tasks_of_session(&mut self, of: &OfSession, now: i64) -> Rows<Key> {
                    // Only these are in the index.
                    let is_theirs = task::session.eq(of.session).and(task::client.eq(&of.client));
                    let theirs = task::table.filter(task::by_session.and(is_theirs));
                    let is_open = task::ended_why.is_null().and(task::expires_at.gt(now));
                    let open = theirs
                        .clone()
                        .filter(is_open.and(task::agent.eq(&of.agent)))
                        .order(task::id.desc())
                        .limit(1)
                        .select(task::id);
                    let mut found: Vec<Key> = $db!(load self, open)?;
                    // The index has the reasons one after the other, so that no session is too long for it.
                    let stopped = theirs.filter(task::ended_why.eq_any(stops())).limit(1).select(task::id);
                    found.append(&mut $db!(load self, stopped)?);
                    Ok(found)
                }
                async fn tasks_with(
                    &mut self,
                    of: &str,
                    live_at: Option<i64>,
                    limit: i64,
                ) -> Rows<TaskRow> {
                    let first = agent::table
                        .inner_join(task::table.on(agent::first_task.eq(task::id.nullable())))
                        .filter(agent::id.eq(of))
                        .select(TaskRow::as_select());
                    let began = task::table
                        .filter(task::by_agent.and(task::agent.eq(of)))
                        .order(task::id.desc())
                        .limit(limit)
                        .select(TaskRow::as_select());
                    let entered = engagement::table
                        .inner_join(task::table.on(task::id.eq(engagement::task)))
                        .filter(engagement::agent.eq(of))
                        .order(engagement::task.desc())
                        .limit(limit)
                        .select(TaskRow::as_select());
                    let mut tasks: Vec<TaskRow>;
                    match live_at {
                        None => {
                            tasks = $db!(load self, first)?;
                            tasks.append(&mut $db!(load self, began)?);
                            tasks.append(&mut $db!(load self, entered)?);
                        }
                        Some(at) => {
                            let is_live = task::ended_at.is_null().and(task::expires_at.gt(at));
                            tasks = $db!(load self, first.filter(is_live))?;
                            tasks.append(&mut $db!(load self, began.filter(is_live))?);
                            tasks.append(&mut $db!(load self, entered.filter(is_live))?);
                        }
                    }
                    tasks.sort_unstable_by(|one, other| other.id.cmp(&one.id));
                    tasks.dedup_by_key(|task| task.id);
                    tasks.truncate(usize::try_from(limit).unwrap_or(0));
                    Ok(tasks)
                }
                async fn next_of_subject(&mut self, subject: Key, place: Key, limit: i64) -> Rows<OpenTask> {
                    let query = task::table
                        .filter(task::subject.eq(subject).and(task::ended_at.is_null()))
                        .filter(task::id.gt(place))
                        .order(task::id)
                        .limit(limit)
                        .select((task::id, task::client, task::session, task::as_of));
                    Ok($db!(load self, query)?)
                }
                async fn next_of_agent(&mut self, of: &str, place: Key, limit: i64) -> Rows<OpenTask> {
                    let is_next = task::ended_at.is_null().and(task::id.gt(place));
                    let columns = (task::id, task::client, task::session, task::as_of);
                    let first = agent::table
                        .inner_join(task::table.on(agent::first_task.eq(task::id.nullable())))
                        .filter(agent::id.eq(of))
                        .filter(is_next)
                        .select(columns);
                    let later = task::table
                        .filter(task::by_agent.and(task::agent.eq(of)))
                        .filter(is_next)
                        .order(task::id)
                        .limit(limit)
                        .select(columns);
                    let mut tasks: Vec<OpenTask> = $db!(load self, first)?;
                    tasks.append(&mut $db!(load self, later)?);
                    tasks.sort_unstable_by_key(|task| task.0);
                    tasks.truncate(usize::try_from(limit).unwrap_or(0));
                    Ok(tasks)
                }
                async fn next_open(&mut self, place: Key, limit: i64) -> Rows<(OpenTask, Option<String>)> {
                    let query = task::table
                        .left_join(subject::table.on(subject::reference.nullable().eq(task::subject)))
                        .filter(task::ended_at.is_null().and(task::id.gt(place)))
                        .order(task::id)
                        .limit(limit)
                        .select((
                            (task::id, task::client, task::session, task::as_of),
                            subject::issuer.nullable(),
                        ));
                    Ok($db!(load self, query)?)
                }
                async fn busy_agents(&mut self, agents: &[String], now: i64) -> Rows<String> {
                    let is_live = task::ended_at.is_null().and(task::expires_at.gt(now));
                    let first = agent::table
                        .inner_join(task::table.on(agent::first_task.eq(task::id.nullable())))
                        .filter(agent::id.eq_any(agents).and(is_live))
                        .select(agent::id);
                    let began = task::table
                        .filter(task::by_agent.and(task::agent.eq_any(agents)).and(is_live))
                        .select(task::agent)
                        .distinct();
                    let entered = engagement::table
                        .inner_join(task::table.on(task::id.eq(engagement::task)))
                        .filter(engagement::agent.eq_any(agents).and(engagement::ended_at.is_null()))
                        .filter(is_live)
                        .select(engagement::agent)
                        .distinct();
                    let mut busy: Vec<String> = $db!(load self, first)?;
                    busy.append(&mut $db!(load self, began)?);
                    busy.append(&mut $db!(load self, entered)?);
                    Ok(busy)
                }
                async fn expired_tasks(&mut self, now: i64, limit: i64) -> Rows<Key> {
                    let query = task::table
                        .filter(task::ended_at.is_null().and(task::expires_at.le(now)))
                        .order(task::expires_at)
                        .limit(limit)
                        .select(task::id);
                    Ok($db!(load self, query)?)
                }
                async fn engaged_in(&mut self, tasks: &[Key], limit: i64) -> Rows<String> {
                    let began = task::table
                        .filter(task::id.eq_any(tasks).and(task::ended_at.is_null()))
                        .select(task::agent);
                    let entered = engagement::table
                        .filter(engagement::task.eq_any(tasks).and(engagement::ended_at.is_null()))
                        .order(engagement::agent)
                        .limit(limit)
                        .select(engagement::agent)
                        .distinct();
                    let mut agents: Vec<String> = $db!(load self, began)?;
                    agents.append(&mut $db!(load self, entered)?);
                    agents.sort_unstable();
                    agents.dedup();
                    Ok(agents)
                }
                async fn leaving(&mut self, agents: &[String]) -> Rows<Leaving> {
                    let query = task::table
                        .inner_join(engagement::table.on(engagement::task.eq(task::id)))
                        .filter(task::to_release)
                        .filter(engagement::agent.eq_any(agents).and(engagement::ended_at.is_null()))
                        .select((engagement::agent, task::ended_at, task::ended_why));
                    Ok($db!(load self, query)?)
                }
                async fn tasks_to_release(&mut self, limit: i64) -> Rows<TaskRow> {
                    let query = task::table
                        .filter(task::to_release)
                        .order(task::id)
                        .limit(limit)
                        .select(TaskRow::as_select());
                    Ok($db!(load self, query)?)
                }
                async fn note_released(&mut self, tasks: &[Key]) -> Done {
                    let rows = task::table.filter(task::id.eq_any(tasks));
                    $db!(execute self, diesel::update(rows).set(task::to_release.eq(false)))?;
                    Ok(())
                }
                async fn insert_tasks(&mut self, rows: &[TaskRow]) -> Done {
                    $db!(insert self, task, rows)
                }
                async fn end_tasks(&mut self, keys: &[Key], end: &End<'_>) -> Done {
                    let open = task::table.filter(task::id.eq_any(keys).and(task::ended_at.is_null()));
                    $db!(execute self,
                        diesel::update(open).set((
                            task::ended_at.eq(end.at),
                            task::ended_why.eq(end.why),
                            task::ended_row.eq(end.row),
                            task::to_release.eq(end.to_release),
                        ))
                    )?;
                    Ok(())
                }
                async fn open_engagements(&mut self, rows: &[EngagementRow]) -> Done {
                    let rows = $crate::store::tasks::distinct(rows);
                    $db!(upsert self, &rows, "ON CONFLICT (agent, task) DO UPDATE SET ended_at = NULL", |row| {
                        diesel::insert_into(engagement::table)
                            .values(row)
                            .on_conflict((engagement::agent, engagement::task))
                            .do_update()
                            .set(engagement::ended_at.eq(None::<i64>))
                    })
                }
                async fn end_engagements(&mut self, keys: &[Key], agents: &[String], at: i64) -> Done {
                    let rows = engagement::table
                        .filter(engagement::task.eq_any(keys).and(engagement::agent.eq_any(agents)))
                        .filter(engagement::ended_at.is_null());
                    $db!(execute self, diesel::update(rows).set(engagement::ended_at.eq(at)))?;
                    Ok(())
                }
            }
        };
    };
}
pub(super) use tasks;
