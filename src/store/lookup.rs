//! Readings that take more than one statement or a choice of statements.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::agents::AgentRow;
use super::audit::{AuditColumns, Conditions};
use super::rows::Key;
use super::statement::{Failure, Lock};
use super::tokens::Range;
use super::transaction::Transaction;
use super::{AuditFilter, AuditFound, StoreError, ending};
use crate::audit::{Kind, OutcomeKind, Row};
use crate::base::time::Timestamp;
use crate::delegation::record::{Delegation, Task};
use crate::oauth::{AgentId, TaskId};

/// The most audit rows that one reading gives.
const MOST_ROWS: u32 = 10_000;
/// The rows that one reading looks at for those of a client, an outcome or an event, where no index has them.
const STEP: i64 = 20_000;
/// The tasks of an agent in which its rows are looked for: those that began last.
const TASKS_OF_AGENT: i64 = 1000;
/// The rows in which a task begins: the first one, and those of the same instant.
const FIRST_ROWS: i64 = 10;

pub(super) async fn tasks<S: Transaction>(
    session: &mut S,
    live_at: Option<Timestamp>,
    agent: Option<&AgentId>,
    limit: u32,
) -> Result<Vec<Task>, Failure> {
    let live_at = live_at.map(Timestamp::millis);
    all(match agent {
        None => session.newest_tasks(live_at, limit.into()).await?,
        Some(agent) => session.tasks_with(agent.as_str(), live_at, limit.into()).await?,
    })
}

pub(super) async fn delegations<S: Transaction>(
    session: &mut S,
    task: TaskId,
    limit: u32,
) -> Result<Vec<Delegation>, Failure> {
    let rows = session.newest_tokens_in(&Range::below(&Key::from(task).0), limit.into()).await?;
    let mut tokens = all::<_, Delegation>(rows)?;
    tokens.sort_by_key(|token| (token.issued_at, token.jti));
    Ok(tokens)
}

/// Rows as what they mean.
pub(super) fn all<R, T: TryFrom<R, Error = StoreError>>(rows: Vec<R>) -> Result<Vec<T>, Failure> {
    rows.into_iter().map(|row| T::try_from(row).map_err(Failure::from)).collect()
}

/// The newest audit rows that match all of `filter`, oldest first.
pub(super) async fn audit<S: Transaction>(
    session: &mut S,
    filter: &AuditFilter,
) -> Result<AuditFound, Failure> {
    let most = filter.newest.unwrap_or(MOST_ROWS);
    let mut found = Newest { rows: BTreeMap::new(), most: most as usize };
    let mut left_at = None;
    let limit = i64::from(most);
    if let Some(jti) = filter.jti {
        found.add(session.audit_of_token(jti.into(), limit).await?, filter)?;
    } else if let Some(request) = filter.request {
        found.add(session.audit_of_request(request.into(), limit).await?, filter)?;
    } else if let Some(parent) = filter.parent {
        // A token's children are in its own task.
        let of_parent = session.audit_of_token(parent.into(), limit).await?;
        let tasks: BTreeSet<Key> = of_parent.iter().filter_map(|row| row.task).collect();
        for task in tasks {
            found.add(session.audit_of_parent(task, parent.into(), limit).await?, filter)?;
        }
    } else if let Some(task) = filter.task {
        let conditions = Conditions { task: Some(task.into()), ..conditions(filter) };
        found.add(session.audit_where(&conditions, limit).await?, filter)?;
        found.add(end_of_task(session, task).await?, filter)?;
    } else if let Some(agent) = &filter.agent {
        of_agent(session, agent, filter, &mut found).await?;
    } else {
        left_at = of_time(session, filter, &mut found).await?;
    }
    Ok(AuditFound { rows: found.in_order(), left_at })
}

/// What a filter says besides the agent, the task and the token.
fn conditions(filter: &AuditFilter) -> Conditions<'_> {
    Conditions {
        is_notable: false,
        agent: None,
        task: None,
        client: filter.client.as_ref().map(|client| client.as_str()),
        outcome: filter.outcome.map(OutcomeKind::word),
        event: filter.event.map(Kind::word),
        pattern: None,
        after: filter.since.map_or(i64::MIN, |since| since.millis().saturating_sub(1)),
        until: filter.until.map_or(i64::MAX, Timestamp::millis),
    }
}

/// Looks at the newest [`STEP`] rows for those that match. Gives the time up to which no row was looked at, where the
/// list is not full and there are older rows.
async fn of_time<S: Transaction>(
    session: &mut S,
    filter: &AuditFilter,
    found: &mut Newest,
) -> Result<Option<Timestamp>, Failure> {
    let limit = i64::try_from(found.most).unwrap_or(i64::MAX);
    let all = conditions(filter);
    let is_notable = filter.is_notable();
    let step = session.audit_step(is_notable, all.until, STEP.max(limit)).await?;
    // All rows of one instant are looked at together.
    let step = step.map(|at| at.min(all.until.saturating_sub(1))).filter(|at| *at > all.after);
    let conditions = Conditions { is_notable, after: step.unwrap_or(all.after), ..all };
    let rows = session.audit_where(&conditions, limit).await?;
    let is_full = rows.len() >= found.most;
    found.add(rows, filter)?;
    Ok(step.filter(|_| !is_full).map(Timestamp::from_millis))
}

/// The row that ended a task, which may name many.
async fn end_of_task<S: Transaction>(session: &mut S, task: TaskId) -> Result<Vec<AuditColumns>, Failure> {
    let found = session.tasks(&[task.into()], Lock::None).await?.pop();
    let row = found.and_then(|task| task.ended_row);
    let place = row.as_deref().and_then(|row| row.split_once(' '));
    let Some((chain, seq)) = place.and_then(|(chain, seq)| Some((chain, seq.parse::<i64>().ok()?))) else {
        return Ok(Vec::new());
    };
    session.audit_from(chain, seq.max(1), 1).await
}

/// Rows that an agent is in. They name it, or it was engaged in their task, in whatever chain. Each task is asked by
/// its index for what is newer than what was found in the others, so that one is read in part however long it is.
async fn of_agent<S: Transaction>(
    session: &mut S,
    agent: &AgentId,
    filter: &AuditFilter,
    found: &mut Newest,
) -> Result<(), Failure> {
    let limit = i64::try_from(found.most).unwrap_or(i64::MAX);
    let all = conditions(filter);
    let of_column = Conditions { agent: Some(agent.as_str()), ..all };
    found.add(session.audit_where(&of_column, limit).await?, filter)?;
    let pattern = format!("%\"{}\"%", agent.as_str());
    for task in session.tasks_with(agent.as_str(), None, TASKS_OF_AGENT).await? {
        let after = found.since().saturating_sub(1).max(all.after);
        let of_task = Conditions { task: Some(task.id), pattern: Some(&pattern), after, ..all };
        found.add(session.audit_where(&of_task, limit).await?, filter)?;
    }
    Ok(())
}

/// The first rows of a task, oldest first.
pub(super) async fn first_of_task<S: Transaction>(
    session: &mut S,
    task: TaskId,
) -> Result<Vec<Row>, Failure> {
    all(session.first_of_task(task.into(), FIRST_ROWS).await?)
}

/// The newest of the rows that were found so far, by time, chain and number.
struct Newest {
    rows: BTreeMap<(i64, String, i64), Row>,
    most: usize,
}

impl Newest {
    fn add(&mut self, columns: Vec<AuditColumns>, filter: &AuditFilter) -> Result<(), Failure> {
        for columns in columns {
            let row = Row::try_from(columns)?;
            if is_match(&row, filter) {
                let envelope = &row.envelope;
                self.rows.insert((envelope.at.millis(), envelope.chain.clone(), envelope.seq), row);
            }
            while self.rows.len() > self.most {
                self.rows.pop_first();
            }
        }
        Ok(())
    }

    /// The time before which a further row is not among the newest.
    fn since(&self) -> i64 {
        let is_full = self.rows.len() >= self.most;
        self.rows.first_key_value().filter(|_| is_full).map_or(i64::MIN, |((at, ..), _)| *at)
    }

    /// Oldest first: those of one chain by number, those of several by time.
    fn in_order(self) -> Vec<Row> {
        let mut rows: Vec<Row> = self.rows.into_values().collect();
        let chain = |row: &Row| row.envelope.chain.clone();
        if rows.windows(2).all(|pair| chain(&pair[0]) == chain(&pair[1])) {
            rows.sort_by_key(|row| row.envelope.seq);
        }
        rows
    }
}

fn is_match(row: &Row, filter: &AuditFilter) -> bool {
    let is_agents = |agent: &AgentId| row.agent() == Some(agent) || row.actors().contains(agent);
    filter.agent.as_ref().is_none_or(is_agents)
        && filter.task.is_none_or(|task| row.task() == Some(task) || row.end_of(task).is_some())
        && filter.jti.is_none_or(|jti| row.jti() == Some(jti))
        && filter.parent.is_none_or(|parent| row.parent() == Some(parent))
        && filter.request.is_none_or(|request| row.envelope.request == Some(request))
        && filter.client.as_ref().is_none_or(|client| row.client() == Some(client))
        && filter.outcome.is_none_or(|outcome| row.outcome.kind() == outcome)
        && filter.event.is_none_or(|event| row.event.kind() == event)
        && filter.since.is_none_or(|since| row.envelope.at >= since)
        && filter.until.is_none_or(|until| row.envelope.at <= until)
}

impl TryFrom<AuditColumns> for Row {
    type Error = StoreError;

    fn try_from(columns: AuditColumns) -> Result<Self, StoreError> {
        Self::parse(&columns.body).map_err(|_| StoreError::Row { table: "audit", column: "body" })
    }
}

/// These agents, as they are when all that has ended is on record.
pub(super) async fn agents<S: Transaction>(
    session: &mut S,
    ids: &[String],
) -> Result<Vec<AgentRow>, Failure> {
    let rows = session.agents(ids, Lock::None).await?;
    shown(session, rows).await
}

/// The newest agents, as they are when all that has ended is on record.
pub(super) async fn newest_agents<S: Transaction>(
    session: &mut S,
    limit: i64,
) -> Result<Vec<AgentRow>, Failure> {
    let rows = session.newest_agents(limit).await?;
    shown(session, rows).await
}

/// These agents, those that wait for their release as retired. A batch may be released between two readings, so that an
/// agent which neither waits nor was over is read once more.
async fn shown<S: Transaction>(session: &mut S, rows: Vec<AgentRow>) -> Result<Vec<AgentRow>, Failure> {
    let mut rows = ending::as_released(session, rows).await?;
    let unsure: Vec<String> =
        rows.iter().filter(|row| ending::may_retire(row)).map(|row| row.id.clone()).collect();
    if !unsure.is_empty() {
        let again = session.agents(&unsure, Lock::None).await?;
        let mut again: HashMap<String, AgentRow> =
            again.into_iter().map(|row| (row.id.clone(), row)).collect();
        for row in &mut rows {
            if let Some(later) = again.remove(&row.id) {
                *row = later;
            }
        }
    }
    Ok(rows)
}
