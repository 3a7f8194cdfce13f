//! Verbs that change something: each is one durable entry with its audit row.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{NotDone, answer, operator, show};
use crate::app::App;
use crate::audit::{AgentStateEvent, Event, KeyAct, KeyEvent, SubjectStopEvent, TaskEndEvent};
use crate::delegation::record::{AgentState, EndReason};
use crate::http::json;
use crate::keys;
use crate::oauth::{AgentId, Issuer, TaskId};
use crate::store::{Control, Entry, KeyRow, Recorded};

async fn record(app: &App, control: Control, event: Event, what: &'static str) -> Result<Value, NotDone> {
    let told = operator::told(app.latest(), event);
    match app.store.record(Entry::control(control, told)).await? {
        Recorded::Done { died, changed, .. } => Ok(json!({"changed": changed, "died": died})),
        Recorded::NotFound => Err(NotDone::NotFound(what)),
        Recorded::Refused(_) | Recorded::Changed | Recorded::Replayed => {
            Err(NotDone::Invalid(format!("the {what} is in a state that does not allow this")))
        }
    }
}

async fn set_agent(app: &App, id: &str, state: AgentState, why: EndReason) -> HttpResponse {
    let agent = AgentId::new(id);
    let event = Event::AgentState(AgentStateEvent { agent: agent.clone(), state, why, died: None });
    answer(record(app, Control::SetAgentState { agent, state, why }, event, "agent").await)
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
    let why = EndReason::Operator;
    let event = Event::TaskEnd(TaskEndEvent { task, agent: None, subject: None, why, died: None });
    answer(record(&app, Control::EndTask { task, why }, event, "task").await)
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
            let EndSubject { issuer, subject: upstream } = json::read(&request, payload).await?;
            let why = EndReason::KillSwitch;
            let event = SubjectStopEvent { provider: issuer.clone(), subject: None, why, died: None };
            let control = Control::StopSubject { issuer: Issuer::new(issuer), upstream, why };
            record(&app, control, Event::SubjectStop(event), "user").await
        }
        .await,
    )
}

/// `POST /keys/rotate`: publishes a key now, which signs one cache age later.
pub async fn rotate_keys(app: web::Data<App>) -> HttpResponse {
    answer(
        async {
            let now = app.latest();
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
            put(&app, keys::rotate(&rows, new), KeyAct::Prepared, kid).await
        }
        .await,
    )
}

/// `POST /keys/{kid}/revoke`: distrusted at once, with every token it signed.
pub async fn revoke_key(app: web::Data<App>, kid: web::Path<String>) -> HttpResponse {
    answer(
        async {
            let now = app.latest();
            let config = app.config.load_full();
            let rows = app.store.list_keys().await?;
            let algorithm = config.keys.signing_algorithm;
            let spare = keys::new_key(algorithm, now, now, &app.secrets, app.entropy.as_ref())?;
            let rows = keys::revoke(&rows, &kid, now, spare).ok_or(NotDone::NotFound("key"))?;
            put(&app, rows, KeyAct::Revoked, kid.into_inner()).await
        }
        .await,
    )
}

/// `POST /keys/refresh`: forgets the fetched keys of other parties; no key is trusted until its source is asked again.
pub async fn refresh_keys(app: web::Data<App>) -> HttpResponse {
    app.verifier.forget_fetched();
    let event = Event::Key(KeyEvent { act: KeyAct::Refreshed, kid: None });
    let told = operator::told(app.clock.now(), event);
    let recorded = app.store.record(Entry::note(told)).await;
    answer(recorded.map(|_| json!({"refreshed": true})).map_err(NotDone::from))
}

async fn put(app: &App, rows: Vec<KeyRow>, act: KeyAct, kid: String) -> Result<Value, NotDone> {
    let now = app.latest();
    let event = Event::Key(KeyEvent { act, kid: Some(kid) });
    record(app, Control::PutKeys(rows), event, "key").await?;
    app.refresh_keys().await?;
    let rows = app.store.list_keys().await?;
    Ok(json!({"keys": rows.iter().map(|row| show::key_json(row, now)).collect::<Vec<_>>()}))
}
