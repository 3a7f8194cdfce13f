//! How tasks end, whatever ends them: a control, or their time. Their tokens need no change: a token is refused when its
//! task has ended.

use super::agents::AgentRow;
use super::control::At;
use super::count::names;
use super::rows::{Key, bad};
use super::statement::{Done, Failure, Lock};
use super::stops::{BEGINNING, StopRow};
use super::tasks::{End, OpenTask, TaskRow};
use super::transaction::Transaction;
use crate::audit;
use crate::base::time::Lifetime;
use crate::delegation::record::{AgentState, EndReason};
use crate::delegation::stops::Stoppable;
use crate::registry::AgentLifetime;

/// Tasks ended by one entry at most, and agents released that entered them.
pub(super) const BATCH: i64 = 25;
/// Open tasks that are looked at for one batch at most.
const LOOKED_AT: i64 = 1000;
/// Unfinished stops that are looked at for one batch at most.
const UNFINISHED: i64 = 20;
/// For so long after a stop, a transaction that began before it may still write a task that carries a lower number.
const UNDER_WAY: Lifetime = Lifetime::from_seconds(6);

/// Why tasks end, and by which entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending<'a> {
    pub(super) why: EndReason,
    pub(super) at: At<'a>,
}

/// Ends those of these tasks that have not ended, with their answers, and releases the first of the agents engaged in
/// them: `task`-class agents that work in no other live task retire. The others are released by [`walk`]. Gives the tasks
/// that it ended.
pub(super) async fn end<S: Transaction>(
    session: &mut S,
    ids: &[Key],
    ending: Ending<'_>,
) -> Result<Vec<Key>, Failure> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let engaged = session.engaged_in(ids, BATCH).await?;
    let agents = session.agents(&engaged, Lock::Update).await?;
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    let open: Vec<TaskRow> = session.tasks(&ids, Lock::Update).await?;
    let open: Vec<Key> = open.iter().filter(|task| task.ended_at.is_none()).map(|task| task.id).collect();
    if open.is_empty() {
        return Ok(open);
    }
    // The next agents, and any that was engaged before the task could be locked.
    let to_release =
        session.engaged_in(&open, BATCH + 1).await?.iter().any(|agent| engaged.binary_search(agent).is_err());
    let Ending { why, at } = ending;
    let end = End { at: at.now.millis(), why: why.word(), row: at.row, to_release };
    session.end(&open, &engaged, &end).await?;
    retire_idle(session, agents, ending).await?;
    Ok(open)
}

/// Ends the engagements of agents, which are locked, in a task that goes on. One that was made for a task and has none left
/// is retired.
pub(super) async fn leave<S: Transaction>(
    session: &mut S,
    task: Key,
    agents: Vec<AgentRow>,
    ending: Ending<'_>,
) -> Done {
    let ids: Vec<String> = agents.iter().map(|row| row.id.clone()).collect();
    session.end_engagements(&[task], &ids, ending.at.now.millis()).await?;
    retire_idle(session, agents, ending).await
}

/// Releases a batch of the agents that are still engaged in tasks which have ended.
async fn release<S: Transaction>(
    session: &mut S,
    effect: &mut audit::Effect,
    at: At<'_>,
) -> Result<(), Failure> {
    let mut tasks = session.tasks_to_release(BATCH).await?;
    let Some(why) = tasks.first().and_then(|task| task.ended_why.clone()) else { return Ok(()) };
    tasks.retain(|task| task.ended_why.as_ref() == Some(&why));
    let why = EndReason::parse(&why).ok_or(bad("task", "ended_why"))?;
    let tasks: Vec<Key> = tasks.into_iter().map(|task| task.id).collect();
    let engaged = session.engaged_in(&tasks, BATCH).await?;
    let agents = session.agents(&engaged, Lock::Update).await?;
    session.end_engagements(&tasks, &engaged, at.now.millis()).await?;
    retire_idle(session, agents, Ending { why, at }).await?;
    if (engaged.len() as i64) < BATCH {
        session.note_released(&tasks).await?;
    }
    effect.is_changed = true;
    Ok(())
}

/// These agents as they are once the tasks that have ended have released them: one that was made for a task and has none
/// left is retired, whether or not that is on record yet.
pub(super) async fn as_released<S: Transaction>(
    session: &mut S,
    mut rows: Vec<AgentRow>,
) -> Result<Vec<AgentRow>, Failure> {
    let ids: Vec<String> = rows.iter().filter(|row| may_retire(row)).map(|row| row.id.clone()).collect();
    if ids.is_empty() {
        return Ok(rows);
    }
    let leaving = session.leaving(&ids).await?;
    if leaving.is_empty() {
        return Ok(rows);
    }
    let busy = session.busy_agents(&ids, i64::MIN).await?;
    for (id, ended_at, ended_why) in leaving {
        if let Some(row) = rows.iter_mut().find(|row| row.id == id && !busy.contains(&row.id)) {
            AgentState::Retired.word().clone_into(&mut row.state);
            (row.ended_at, row.ended_why) = (ended_at, ended_why);
        }
    }
    Ok(rows)
}

/// Whether an agent was made for a task and is not over.
pub(super) fn may_retire(row: &AgentRow) -> bool {
    row.lifetime == AgentLifetime::Task.word() && row.ended_at.is_none()
}

/// Releases a batch of agents, or ends a batch of the tasks that an unfinished stop ended. It is called again as long as
/// it changes something.
pub(super) async fn walk<S: Transaction>(
    session: &mut S,
    effect: &mut audit::Effect,
    at: At<'_>,
) -> Result<(), Failure> {
    release(session, effect, at).await?;
    if effect.is_changed {
        return Ok(());
    }
    for stop in session.unfinished_stops(UNFINISHED).await? {
        let (mut found, next) = concerned(session, &stop, stop.place.unwrap_or(BEGINNING)).await?;
        found.retain(|(_, as_of)| *as_of < stop.number || matches!(stop.party(), Ok(Stoppable::Agent(_))));
        let ids: Vec<Key> = found.into_iter().map(|(id, _)| id).collect();
        let why = stop.why()?;
        let ended = end(session, &ids, Ending { why, at }).await?;
        // A young stop is walked again later, not at once.
        let is_young = at.now.millis() < stop.at.saturating_add(UNDER_WAY.millis());
        session.move_stop(&stop, next.or(is_young.then_some(BEGINNING))).await?;
        if next.is_some() || !ended.is_empty() {
            effect.is_changed = true;
            effect.ended = ended.into_iter().map(Into::into).collect();
            effect.ended_why = Some(why);
            break;
        }
    }
    Ok(())
}

/// The next tasks that a stop names, with the stops as of which they began, and where to go on from.
async fn concerned<S: Transaction>(
    session: &mut S,
    stop: &StopRow,
    place: Key,
) -> Result<(Vec<(Key, i64)>, Option<Key>), Failure> {
    let party = stop.party()?;
    let (tasks, limit): (Vec<(OpenTask, bool)>, i64) = match &party {
        Stoppable::User(reference) => {
            let tasks = session.next_of_subject((*reference).into(), place, BATCH).await?;
            (tasks.into_iter().map(|task| (task, true)).collect(), BATCH)
        }
        Stoppable::Agent(agent) => {
            let tasks = session.next_of_agent(agent.as_str(), place, BATCH).await?;
            (tasks.into_iter().map(|task| (task, true)).collect(), BATCH)
        }
        other => {
            let tasks = session.next_open(place, LOOKED_AT).await?;
            let tasks = tasks.into_iter().map(|(task, provider)| {
                let is_concerned = names(&task, provider.as_deref(), other);
                (task, is_concerned)
            });
            (tasks.collect(), LOOKED_AT)
        }
    };
    let is_last = (tasks.len() as i64) < limit;
    let mut found = Vec::new();
    for ((id, _, _, as_of), is_concerned) in &tasks {
        if *is_concerned {
            found.push((*id, *as_of));
        }
        if found.len() as i64 == BATCH {
            return Ok((found, Some(*id)));
        }
    }
    let next = tasks.last().map(|((id, ..), _)| *id).filter(|_| !is_last);
    Ok((found, next))
}

/// Retires those of these agents that were made for a task and have none left.
async fn retire_idle<S: Transaction>(session: &mut S, rows: Vec<AgentRow>, ending: Ending<'_>) -> Done {
    let Ending { why, at } = ending;
    let candidates: Vec<AgentRow> = rows.into_iter().filter(may_retire).collect();
    if candidates.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = candidates.iter().map(|row| row.id.clone()).collect();
    let busy = session.busy_agents(&ids, at.now.millis()).await?;
    for mut row in candidates {
        if !busy.contains(&row.id) {
            AgentState::Retired.word().clone_into(&mut row.state);
            row.ended_at = Some(at.now.millis());
            row.ended_why = Some(why.word().to_owned());
            session.change_agent(&row).await?;
        }
    }
    Ok(())
}
