//! Readings that take more than one statement or a choice of statements.

use std::collections::BTreeMap;

use super::audit::AuditColumns;
use super::rows::Key;
use super::statement::Failure;
use super::tokens::Range;
use super::transaction::Transaction;
use super::{AuditFilter, StoreError};
use crate::audit::Row;
use crate::base::time::Timestamp;
use crate::delegation::record::{Delegation, Task};
use crate::oauth::{AgentId, TaskId};

/// Rows read by one statement when a whole chain is.
const BATCH: i64 = 1000;

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
) -> Result<Vec<Delegation>, Failure> {
    let rows = session.tokens_in(&Range::below(&Key::from(task).0)).await?;
    let mut tokens = all::<_, Delegation>(rows)?;
    tokens.sort_by_key(|token| (token.issued_at, token.jti));
    Ok(tokens)
}

/// Rows as what they mean.
pub(super) fn all<R, T: TryFrom<R, Error = StoreError>>(rows: Vec<R>) -> Result<Vec<T>, Failure> {
    rows.into_iter().map(|row| T::try_from(row).map_err(Failure::from)).collect()
}

/// Audit rows that match all of `filter`, oldest first.
pub(super) async fn audit<S: Transaction>(
    session: &mut S,
    filter: &AuditFilter,
) -> Result<Vec<Row>, Failure> {
    let mut found: BTreeMap<(String, i64), Row> = BTreeMap::new();
    for columns in candidates(session, filter).await? {
        let row = Row::try_from(columns)?;
        if is_match(&row, filter) {
            found.insert((row.envelope.chain.clone(), row.envelope.seq), row);
        }
    }
    let mut rows: Vec<Row> = found.into_values().collect();
    let chain = |row: &Row| row.envelope.chain.clone();
    let is_one_chain = rows.windows(2).all(|pair| chain(&pair[0]) == chain(&pair[1]));
    if !is_one_chain {
        rows.sort_by_key(|row| (row.envelope.at, chain(row), row.envelope.seq));
    }
    if let Some(newest) = filter.newest {
        let surplus = rows.len().saturating_sub(newest as usize);
        rows.drain(..surplus);
    }
    Ok(rows)
}

/// Rows among which all that match are, by the narrowest column.
async fn candidates<S: Transaction>(
    session: &mut S,
    filter: &AuditFilter,
) -> Result<Vec<AuditColumns>, Failure> {
    if let Some(jti) = filter.jti {
        return session.audit_of_token(jti.into()).await;
    }
    if let Some(request) = filter.request {
        return session.audit_of_request(request.into()).await;
    }
    if let Some(parent) = filter.parent {
        // A token's children are in its own task.
        let of_parent = session.audit_of_token(parent.into()).await?;
        let tasks: Vec<Key> = of_parent.iter().filter_map(|row| row.task).collect();
        return session.audit_of_tasks(&tasks).await;
    }
    if let Some(task) = filter.task {
        return session.audit_of_tasks(&[task.into()]).await;
    }
    if let Some(agent) = &filter.agent {
        // In whatever chain it was, it was engaged in that chain's task.
        return session.audit_of_agent(agent.as_str()).await;
    }
    let mut rows = Vec::new();
    for key in session.checkpoint_keys().await? {
        match filter.newest {
            Some(newest) => rows.extend(session.audit_newest(&key.chain, newest.into()).await?),
            None => loop {
                let last =
                    rows.last().filter(|row: &&AuditColumns| row.chain == key.chain).map_or(0, |row| row.seq);
                let batch = session.audit_from(&key.chain, last.saturating_add(1), BATCH).await?;
                if batch.is_empty() {
                    break;
                }
                rows.extend(batch);
            },
        }
    }
    Ok(rows)
}

fn is_match(row: &Row, filter: &AuditFilter) -> bool {
    let is_agents = |agent: &AgentId| row.agent() == Some(agent) || row.actors().contains(agent);
    filter.agent.as_ref().is_none_or(is_agents)
        && filter.task.is_none_or(|task| row.task() == Some(task))
        && filter.jti.is_none_or(|jti| row.jti() == Some(jti))
        && filter.parent.is_none_or(|parent| row.parent() == Some(parent))
        && filter.request.is_none_or(|request| row.envelope.request == Some(request))
}

impl TryFrom<AuditColumns> for Row {
    type Error = StoreError;

    fn try_from(columns: AuditColumns) -> Result<Self, StoreError> {
        Self::parse(&columns.body).map_err(|_| StoreError::Row { table: "audit", column: "body" })
    }
}
