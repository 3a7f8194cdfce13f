//! Verbs that change something: each is one durable entry with its audit row.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{NotDone, answer, operator, show, stop, user};
use crate::app::{App, Failure};
use crate::audit::{AgentStateEvent, Event, KeyAct, KeyEvent};
use crate::delegation::record::{AgentState, EndReason};
use crate::delegation::stops::StopKind;
use crate::http::json;
use crate::keys;
use crate::oauth::{AgentId, TaskId};
use crate::store::{Control, Entry, Impossible, Recorded};

/// Has one control carried out, and says what it came to.
pub(super) async fn record(
    app: &App,
    control: Control,
    event: Event,
    what: &'static str,
) -> Result<Map<String, Value>, NotDone> {
    let has_tokens = matches!(control, Control::EndTask { .. });
    let told = operator::told(app.latest(), event);
    match app.store.record(Entry::control(control, told)).await? {
        Recorded::Done { died, changed, number, is_known } => {
            let mut answer = Map::new();
            answer.insert("changed".to_owned(), changed.into());
            if has_tokens {
                answer.insert("died".to_owned(), died.into());
            }
            if let Some(is_known) = is_known {
                answer.insert("known".to_owned(), is_known.into());
            }
            if let Some(number) = number {
                answer.insert("number".to_owned(), number.get().into());
            }
            Ok(answer)
        }
        Recorded::NotFound => Err(NotDone::NotFound(what)),
        Recorded::Impossible(Impossible::AgentFinal(state)) => {
            Err(NotDone::Impossible(format!("the {what} is {}, and stays so", state.word())))
        }
        Recorded::Impossible(Impossible::KeyPrepared) => {
            Err(NotDone::Impossible("a key is already prepared; it signs at its `active_from`".to_owned()))
        }
        // A control presents nothing to be used up and is not judged by a permit, so only others can be in its way.
        Recorded::Refused(_) | Recorded::Changed | Recorded::Superseded | Recorded::Replayed(_) => {
            Err(NotDone::Failed(Failure::Contention))
        }
    }
}

async fn set_agent(app: &App, id: &str, state: AgentState, why: EndReason) -> HttpResponse {
    let agent = AgentId::new(id);
    let event =
        Event::AgentState(AgentStateEvent { agent: agent.clone(), state, why, changed: None, number: None });
    // The older verbs are about agents that were met; only `deputy kill` remembers others.
    if app.store.find_agent(&agent).await.is_ok_and(|found| found.is_none()) {
        return answer(Err(NotDone::NotFound("agent")));
    }
    answer(record(app, Control::SetAgentState { agent, state, why }, event, "agent").await.map(Value::Object))
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
    answer(stop::end_task(&app, task, why).await.map(Value::Object))
}

/// The body of `POST /subjects/end`.
#[derive(Deserialize)]
struct EndSubject {
    issuer: Option<String>,
    subject: String,
}

/// `POST /subjects/end`: stops a user, which is what `POST /stops` does too.
pub async fn end_subject(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    answer(
        async {
            let EndSubject { issuer, subject } = json::read(&request, payload).await?;
            let what = user::named_by(&app, issuer.as_deref(), &subject).await?;
            stop::stop(&app, StopKind::User, what).await.map(Value::Object)
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
            let active_from = keys::announce(now, config.keys.jwks_max_age);
            let algorithm = config.keys.signing_algorithm;
            let new = keys::new_key(algorithm, now, active_from, &app.secrets, app.entropy.as_ref())?;
            let kid = new.kid.clone();
            change_keys(&app, Control::RotateKeys { new: Box::new(new) }, KeyAct::Prepared, kid).await
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
            let algorithm = config.keys.signing_algorithm;
            let spare = keys::new_key(algorithm, now, now, &app.secrets, app.entropy.as_ref())?;
            let kid = kid.into_inner();
            let control = Control::RevokeKey { kid: kid.clone(), spare: Box::new(spare) };
            change_keys(&app, control, KeyAct::Revoked, kid).await
        }
        .await,
    )
}

/// `POST /keys/refresh`: forgets the fetched keys of other parties; no key is trusted until its source is asked again.
pub async fn refresh_keys(app: web::Data<App>) -> HttpResponse {
    app.verifier.forget_fetched();
    let event = Event::Key(KeyEvent { act: KeyAct::Refreshed, kid: None, changed: None });
    let told = operator::told(app.latest(), event);
    let recorded = app.store.record(Entry::note(told)).await;
    answer(recorded.map(|_| json!({"refreshed": true})).map_err(NotDone::from))
}

async fn change_keys(app: &App, control: Control, act: KeyAct, kid: String) -> Result<Value, NotDone> {
    let now = app.latest();
    let event = Event::Key(KeyEvent { act, kid: Some(kid), changed: None });
    let mut answer = record(app, control, event, "key").await?;
    app.refresh_keys().await?;
    let rows = app.store.list_keys().await?;
    answer.insert("keys".to_owned(), rows.iter().map(|row| show::key_json(row, now)).collect());
    Ok(Value::Object(answer))
}
