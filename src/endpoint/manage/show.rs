//! Verbs that only look.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{NotDone, answer};
use crate::app::App;
use crate::base::time::Timestamp;
use crate::delegation::record::{Agent, Delegation, Ended, Provenance, Task};
use crate::keys::{self, KeyRow};
use crate::oauth::{AgentId, Jti, RequestId, TaskId};
use crate::store::AuditFilter;

/// The most records one list shows.
pub(super) const MOST: u32 = 1000;

/// A list that was read with one record more than is shown, as the member `name` of an answer. The answer says so if
/// something is left out, which is the oldest.
pub(super) fn list<T>(name: &str, mut records: Vec<T>, oldest: Oldest, shown: impl Fn(&T) -> Value) -> Value {
    let is_cut = cut(&mut records, oldest);
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
            Ok(list("agents", agents, Oldest::Last, agent_json))
        }
        .await,
    )
}

/// `GET /agents/{id}`
pub async fn agent(app: web::Data<App>, id: web::Path<String>) -> HttpResponse {
    answer(
        async {
            let agent = app.store.find_agent(&AgentId::new(id.as_str())).await?;
            Ok(agent_json(&agent.ok_or(NotDone::NotFound("agent"))?))
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
            let tasks = app.store.list_tasks(live_at, agent.as_ref(), MOST + 1).await?;
            Ok(list("tasks", tasks, Oldest::Last, |task| task_json(task, now)))
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
            let mut body = task_json(&task, app.latest());
            let delegations = list("delegations", delegations, Oldest::First, delegation_json);
            if let (Some(body), Value::Object(delegations)) = (body.as_object_mut(), delegations) {
                body.extend(delegations);
            }
            Ok(body)
        }
        .await,
    )
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

/// The query of `GET /audit/trace`: exactly one of them.
#[derive(Deserialize)]
pub struct TraceQuery {
    agent: Option<String>,
    task: Option<String>,
    jti: Option<String>,
    request: Option<String>,
}

/// `GET /audit/trace`: the newest rows, oldest first.
pub async fn trace(app: web::Data<App>, query: web::Query<TraceQuery>) -> HttpResponse {
    answer(
        async {
            let invalid =
                |what: &str| NotDone::Invalid(format!("`{what}` is not an identifier of that kind"));
            let filter = AuditFilter {
                agent: query.agent.as_deref().map(AgentId::new),
                task: query
                    .task
                    .as_deref()
                    .map(|id| TaskId::parse(id).ok_or_else(|| invalid("task")))
                    .transpose()?,
                jti: query
                    .jti
                    .as_deref()
                    .map(|id| Jti::parse(id).ok_or_else(|| invalid("jti")))
                    .transpose()?,
                request: query
                    .request
                    .as_deref()
                    .map(|id| RequestId::parse(id).ok_or_else(|| invalid("request")))
                    .transpose()?,
                newest: Some(MOST + 1),
                ..AuditFilter::default()
            };
            // What was counted a moment ago belongs to the story too.
            crate::endpoint::introspect::record_counted(&app, app.latest()).await?;
            let rows = app.store.list_audit(&filter).await?;
            Ok(list(
                "rows",
                rows,
                Oldest::First,
                |row| json!({"chain": row.envelope.chain, "seq": row.envelope.seq, "row": row}),
            ))
        }
        .await,
    )
}

/// An agent as shown.
pub fn agent_json(agent: &Agent) -> Value {
    let (issuer, id) = match &agent.provenance {
        Provenance::Client => (None, None),
        Provenance::Workload { issuer, workload, instance } => {
            (Some(issuer.as_str()), Some(instance.as_ref().unwrap_or(workload).as_str()))
        }
    };
    json!({
        "agent": agent.id,
        "client": agent.client,
        "class": agent.class,
        "lifetime": agent.lifetime,
        "workload_issuer": issuer,
        "workload_id": id,
        "state": agent.state,
        "ended": ended_json(agent.ended),
        "first_seen": agent.first_seen.to_string(),
        "last_seen": agent.last_seen.to_string(),
        "ends_at": agent.end_by_itself().map(|end| end.at.to_string()),
        "software": agent.build.software,
        "version": agent.build.version,
        "image": agent.build.image,
    })
}

fn task_json(task: &Task, now: Timestamp) -> Value {
    json!({
        "task": task.id,
        "client": task.client,
        "agent": task.agent,
        "subject": task.subject,
        "purpose": task.purpose,
        "is_live": task.is_live(now),
        "started_at": task.started_at.to_string(),
        "expires_at": task.expires_at.to_string(),
        "ended": ended_json(task.ended),
    })
}

fn delegation_json(delegation: &Delegation) -> Value {
    json!({
        "jti": delegation.jti,
        "parent": delegation.ancestors.last(),
        "kind": delegation.kind,
        "client": delegation.client,
        "target": delegation.target,
        "scope": delegation.scope,
        "chain": delegation.chain,
        "issued_at": delegation.issued_at.to_string(),
        "expires_at": delegation.expires_at.to_string(),
        "revoked": ended_json(delegation.revoked),
    })
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
