//! Verbs that change something: each is one durable entry with its audit row.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{NotDone, answer, show};
use crate::app::App;
use crate::audit::{AuditRow, Event, Outcome};
use crate::delegation::record::{AgentState, EndReason};
use crate::http::json;
use crate::keys;
use crate::oauth::{AgentId, Issuer, TaskId};
use crate::store::{Change, Control, Entry, Recorded};

async fn record(app: &App, control: Control, row: AuditRow, what: &'static str) -> Result<Value, NotDone> {
    let now = row.at;
    let entry = Entry { one_time: Vec::new(), change: Change::Control(control), audit: Some(row), now };
    match app.store.record(entry).await? {
        Recorded::Done { died, changed, .. } => Ok(json!({"changed": changed, "died": died})),
        Recorded::NotFound => Err(NotDone::NotFound(what)),
        Recorded::Refused(_) | Recorded::Changed | Recorded::Replayed => {
            Err(NotDone::Invalid(format!("the {what} is in a state that does not allow this")))
        }
    }
}

async fn set_agent(app: &App, id: &str, state: AgentState, why: EndReason) -> HttpResponse {
    let agent = AgentId::new(id);
    let mut row = AuditRow::new(app.clock.now(), Event::AgentState, Outcome::Granted);
    row.agent = Some(agent.clone());
    row.detail = Some(format!("{} ({})", state.word(), why.word()));
    answer(record(app, Control::SetAgentState { agent, state, why }, row, "agent").await)
}

/// `POST /agents/{id}/retire`: final; its work is done.
pub async fn retire_agent(app: web::Data<App>, id: web::Path<String>) -> HttpResponse {
    set_agent(&app, &id, AgentState::Retired, EndReason::Operator).await
}

/// `POST /agents/{id}/kill`: final; it is stopped.
pub async fn kill_agent(app: web::Data<App>, id: web::Path<String>) -> HttpResponse {
    set_agent(&app, &id, AgentState::Banned, EndReason::KillSwitch).await
}

/// `POST /agents/{id}/suspend`
pub async fn suspend_agent(app: web::Data<App>, id: web::Path<String>) -> HttpResponse {
    set_agent(&app, &id, AgentState::Suspended, EndReason::Suspended).await
}

/// `POST /agents/{id}/resume`: it may get new tokens; none comes back.
pub async fn resume_agent(app: web::Data<App>, id: web::Path<String>) -> HttpResponse {
    set_agent(&app, &id, AgentState::Active, EndReason::Operator).await
}

/// `POST /tasks/{id}/end`
pub async fn end_task(app: web::Data<App>, id: web::Path<String>) -> HttpResponse {
    let Some(task) = TaskId::parse(&id) else { return answer(Err(NotDone::NotFound("task"))) };
    let mut row = AuditRow::new(app.clock.now(), Event::TaskEnd, Outcome::Granted);
    row.task = Some(task);
    row.detail = Some(EndReason::Operator.word().to_owned());
    answer(record(&app, Control::EndTask { task, why: EndReason::Operator }, row, "task").await)
}

/// The body of `POST /subjects/end`.
#[derive(Deserialize)]
struct EndSubject {
    issuer: String,
    subject: String,
}

/// `POST /subjects/end`: every task of a user, and every login of theirs up to now.
pub async fn end_subject(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    answer(
        async {
            let body: EndSubject = json::read(&request, payload).await?;
            let mut row = AuditRow::new(app.clock.now(), Event::SubjectStop, Outcome::Granted);
            row.provider = Some(body.issuer.clone());
            let control = Control::StopSubject {
                issuer: Issuer::new(body.issuer),
                upstream: body.subject,
                why: EndReason::KillSwitch,
            };
            record(&app, control, row, "user").await
        }
        .await,
    )
}

/// `POST /keys/rotate`: publishes a key now, which signs one cache age later.
pub async fn rotate_keys(app: web::Data<App>) -> HttpResponse {
    answer(
        async {
            let now = app.clock.now();
            let config = app.config.load_full();
            let rows = app.store.list_keys().await?;
            if rows.iter().any(|row| row.revoked_at.is_none() && row.active_from > now) {
                return Err(NotDone::Invalid(
                    "a key is already prepared; it signs at its `active_from`".to_owned(),
                ));
            }
            let active_from = keys::announce(now, config.keys.jwks_max_age);
            let algorithm = config.keys.signing_algorithm;
            let new = keys::new_key(algorithm, now, active_from, &app.secrets, app.entropy.as_ref())?;
            let kid = new.kid.clone();
            put(&app, keys::rotate(&rows, new), format!("prepared {kid}")).await
        }
        .await,
    )
}

/// `POST /keys/{kid}/revoke`: distrusted at once, with every token it signed.
pub async fn revoke_key(app: web::Data<App>, kid: web::Path<String>) -> HttpResponse {
    answer(
        async {
            let now = app.clock.now();
            let config = app.config.load_full();
            let rows = app.store.list_keys().await?;
            let algorithm = config.keys.signing_algorithm;
            let spare = keys::new_key(algorithm, now, now, &app.secrets, app.entropy.as_ref())?;
            let rows = keys::revoke(&rows, &kid, now, spare).ok_or(NotDone::NotFound("key"))?;
            put(&app, rows, format!("revoked {kid}")).await
        }
        .await,
    )
}

async fn put(app: &App, rows: Vec<crate::store::KeyRow>, detail: String) -> Result<Value, NotDone> {
    let now = app.clock.now();
    let mut row = AuditRow::new(now, Event::Key, Outcome::Granted);
    row.detail = Some(detail);
    record(app, Control::PutKeys(rows), row, "key").await?;
    app.refresh_keys().await?;
    let rows = app.store.list_keys().await?;
    Ok(json!({"keys": rows.iter().map(|row| show::key_json(row, now)).collect::<Vec<_>>()}))
}
