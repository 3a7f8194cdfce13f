//! Verbs that only look.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{NotDone, answer, profile};
use crate::app::App;
use crate::base::time::Timestamp;
use crate::delegation::record::{Agent, AgentState, Delegation, Ended, Provenance, Task, live};
use crate::delegation::standing::{Over, agent_over, task_over};
use crate::keys::{self, KeyRow};
use crate::oauth::{AgentId, Jti, TaskId, TokenFault};
use crate::store::Surroundings;

/// The most records one list shows.
pub(super) const MOST: u32 = 1000;

/// A list that was read with one record more than is shown, as the member `name` of an answer. The answer says so if
/// something is left out, which is the oldest.
pub(super) fn list<T>(name: &str, mut records: Vec<T>, oldest: Oldest, shown: impl Fn(&T) -> Value) -> Value {
    let is_cut = cut(&mut records, oldest);
    listed(name, &records, is_cut, shown)
}

/// The records as an answer. `is_cut` says that there are older ones.
fn listed<T>(name: &str, records: &[T], is_cut: bool, shown: impl Fn(&T) -> Value) -> Value {
    let mut answer = json!({name: records.iter().map(shown).collect::<Vec<_>>()});
    if is_cut {
        answer["left_out"] = json!(format!("only the newest {MOST} of more {name} are shown"));
    }
    answer
}

/// Where the oldest record of a list is.
#[derive(Clone, Copy)]
pub(super) enum Oldest {
    First,
    Last,
}

/// Leaves the newest [`MOST`] records, and returns whether there were more.
pub(super) fn cut<T>(records: &mut Vec<T>, oldest: Oldest) -> bool {
    let surplus = records.len().saturating_sub(MOST as usize);
    match oldest {
        Oldest::First => drop(records.drain(..surplus)),
        Oldest::Last => records.truncate(MOST as usize),
    }
    surplus > 0
}

/// `GET /agents`: newest first.
pub async fn agents(app: web::Data<App>) -> HttpResponse {
    answer(
        async {
            let agents = app.store.list_agents(MOST + 1).await?;
            let around = app.store.find_surroundings(&[], &agents).await?;
            let now = app.latest();
            let shown = |agent: &Agent| agent_json(agent, agent_over(agent, &around.stops, now).as_ref());
            Ok(list("agents", agents, Oldest::Last, shown))
        }
        .await,
    )
}

/// `GET /agents/{id}`
pub async fn agent(app: web::Data<App>, id: web::Path<String>) -> HttpResponse {
    answer(
        async {
            let agent = app.store.find_agent(&AgentId::new(id.as_str())).await?;
            let agents = [agent.ok_or(NotDone::NotFound("agent"))?];
            let around = app.store.find_surroundings(&[], &agents).await?;
            let [agent] = &agents;
            let profile = app.store.find_profile(&agent.id).await?;
            let mut body = agent_json(agent, agent_over(agent, &around.stops, app.latest()).as_ref());
            if let Some(body) = body.as_object_mut() {
                body.extend(profile::shown(profile.as_ref()));
            }
            Ok(body)
        }
        .await,
    )
}

/// The query of `GET /tasks`.
#[derive(Deserialize)]
pub struct TasksQuery {
    live: Option<bool>,
    agent: Option<String>,
}

/// `GET /tasks`: newest first.
pub async fn tasks(app: web::Data<App>, query: web::Query<TasksQuery>) -> HttpResponse {
    let now = app.latest();
    let live_at = query.live.unwrap_or(false).then_some(now);
    let agent = query.agent.as_deref().map(AgentId::new);
    answer(
        async {
            let mut tasks = app.store.list_tasks(live_at, agent.as_ref(), MOST + 1).await?;
            // Before those are left out that a stop has ended, so that older ones are still said to be missing.
            let is_cut = cut(&mut tasks, Oldest::Last);
            let around = app.store.find_surroundings(&tasks, &[]).await?;
            if live_at.is_some() {
                tasks.retain(|task| over(task, &around, now).is_none());
            }
            let shown = |task: &Task| task_json(task, over(task, &around, now).as_ref());
            Ok(listed("tasks", &tasks, is_cut, shown))
        }
        .await,
    )
}

/// `GET /tasks/{id}`: the task and its newest delegations, oldest first.
pub async fn task(app: web::Data<App>, id: web::Path<String>) -> HttpResponse {
    answer(
        async {
            let id = TaskId::parse(&id).ok_or(NotDone::NotFound("task"))?;
            let task = app.store.find_task(id).await?.ok_or(NotDone::NotFound("task"))?;
            let delegations = app.store.list_delegations(id, MOST + 1).await?;
            let now = app.latest();
            let around = app.store.find_surroundings(std::slice::from_ref(&task), &[]).await?;
            let over = over(&task, &around, now);
            let faults = faults(&app, &delegations, over.as_ref(), now).await?;
            let mut body = task_json(&task, over.as_ref());
            let shown = |token: &Delegation| delegation_json(token, faults.get(&token.jti).copied());
            let delegations = list("delegations", delegations, Oldest::First, shown);
            if let (Some(body), Value::Object(delegations)) = (body.as_object_mut(), delegations) {
                body.extend(delegations);
            }
            Ok(body)
        }
        .await,
    )
}

/// Why the task is over.
pub(super) fn over(task: &Task, around: &Surroundings, now: Timestamp) -> Option<Over> {
    let subject = around.subjects.iter().find(|subject| Some(subject.reference) == task.delegator.user());
    let agent = around.agents.iter().find(|agent| agent.id == task.agent);
    task_over(task, (subject, agent), &around.stops, now)
}

/// Those of a task's tokens that are not valid any more, each with the fault that introspection would find.
async fn faults(
    app: &App,
    tokens: &[Delegation],
    task: Option<&Over>,
    now: Timestamp,
) -> Result<BTreeMap<Jti, TokenFault>, NotDone> {
    let mut faults = BTreeMap::new();
    for token in tokens {
        let fault = if token.revoked.is_some() {
            Err(TokenFault::Revoked)
        } else if now >= token.expires_at {
            Err(TokenFault::Expired)
        } else if task.is_some() {
            Err(TokenFault::TaskEnded)
        } else {
            let lineage = app.store.find_lineage(token.jti).await?;
            lineage.map_or(Err(TokenFault::NotRecorded), |lineage| live(&lineage, now))
        };
        faults.extend(fault.err().map(|fault| (token.jti, fault)));
    }
    Ok(faults)
}

/// `GET /keys`
pub async fn keys(app: web::Data<App>) -> HttpResponse {
    let now = app.latest();
    answer(
        async {
            let rows = app.store.list_keys().await?;
            Ok(json!({"keys": rows.iter().map(|row| key_json(row, now)).collect::<Vec<_>>()}))
        }
        .await,
    )
}

/// An agent as shown: with its state as recorded, or the end that is not on record yet. `over` says why an agent that is
/// on record as active may not act.
pub fn agent_json(agent: &Agent, over: Option<&Over>) -> Value {
    let (issuer, stable, id) = match &agent.provenance {
        Provenance::Client => (None, None, None),
        Provenance::Workload { issuer, workload, instance } => {
            (Some(issuer.as_str()), Some(workload), Some(instance.as_ref().unwrap_or(workload)))
        }
    };
    json!({
        "agent": agent.id,
        "client": agent.client,
        "class": agent.class,
        "lifetime": agent.lifetime,
        "workload_issuer": issuer,
        "stable_id": stable,
        "workload_id": id,
        "state": ended_of(over).map_or(agent.state, |_| AgentState::Retired),
        "may_act": agent.state == AgentState::Active && over.is_none(),
        "stopped_by": stopped_by(over),
        "ended": ended_json(agent.ended.or(ended_of(over))),
        "first_seen": agent.first_seen.to_string(),
        "last_seen": agent.last_seen.to_string(),
        "ends_at": agent.end_by_itself().map(|end| end.at.to_string()),
        "software": agent.build.software,
        "version": agent.build.version,
        "image": agent.build.image,
    })
}

/// The end that is known, on record or not.
fn ended_of(over: Option<&Over>) -> Option<Ended> {
    match over {
        Some(Over::Ended(ended)) => Some(*ended),
        _ => None,
    }
}

/// The party by whose stop it is over.
fn stopped_by(over: Option<&Over>) -> Option<String> {
    match over {
        Some(Over::Stopped(party)) => Some(party.to_string()),
        _ => None,
    }
}

fn task_json(task: &Task, over: Option<&Over>) -> Value {
    json!({
        "task": task.id,
        "client": task.client,
        "agent": task.agent,
        "delegator_kind": task.delegator.kind(),
        "subject": task.delegator.user(),
        "purpose": task.purpose,
        "is_live": over.is_none(),
        "stopped_by": stopped_by(over),
        "started_at": task.started_at.to_string(),
        "expires_at": task.expires_at.to_string(),
        "ended": ended_json(ended_of(over)),
    })
}

fn delegation_json(delegation: &Delegation, fault: Option<TokenFault>) -> Value {
    let mut shown = json!({
        "jti": delegation.jti,
        "state": fault.map_or("live", TokenFault::word),
        "parent": delegation.ancestors.last(),
        "kind": delegation.kind.word(),
        "client": delegation.client,
        "target": delegation.target,
        "scope": delegation.scope,
        "chain": delegation.chain,
        "issued_at": delegation.issued_at.to_string(),
        "expires_at": delegation.expires_at.to_string(),
        "revoked": ended_json(delegation.revoked),
    });
    if let Some(handover) = delegation.kind.handover() {
        shown["handed_to"] = json!(handover.recipient);
        shown["accept_until"] = json!(handover.accept_until.to_string());
        shown["accepted_by"] = json!(handover.accepted_by);
    }
    shown
}

/// A signing key as shown: never its private part.
pub fn key_json(row: &KeyRow, now: Timestamp) -> Value {
    json!({
        "kid": row.kid,
        "algorithm": row.algorithm,
        "state": keys::state(row, now).word(),
        "published_at": row.published_at.to_string(),
        "active_from": row.active_from.to_string(),
        "retired_at": row.retired_at.map(|at| at.to_string()),
        "revoked_at": row.revoked_at.map(|at| at.to_string()),
    })
}

fn ended_json(ended: Option<Ended>) -> Value {
    ended.map_or(Value::Null, |ended| json!({"at": ended.at.to_string(), "why": ended.why.word()}))
}
