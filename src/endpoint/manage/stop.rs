//! Stops and lifts: one verb for everything that can be stopped.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::act::record;
use super::{NotDone, answer, user};
use crate::app::App;
use crate::audit::{Event, StopEvent, TaskEndEvent};
use crate::base::digest::sha256_of_parts;
use crate::base::time::{FOREIGN_LEEWAY, Timestamp};
use crate::delegation::record::EndReason;
use crate::delegation::stops::{StopKind, Stoppable};
use crate::http::json;
use crate::oauth::ids::AGENT_PREFIX;
use crate::oauth::{Issuer, TaskId};
use crate::store::{Control, StopFound, Whom};

/// As many stops are listed at most.
const LISTED: u32 = 1000;

/// What is to be stopped, as the operator names it: `ISSUER|ID` for sessions, workloads and relying parties, the same or
/// the reference of the record for users, else the plain name.
#[derive(Debug, Deserialize)]
pub struct Named {
    pub kind: StopKind,
    pub name: String,
}

impl Named {
    async fn whom(&self, app: &App) -> Result<Whom, NotDone> {
        let invalid = || {
            NotDone::Invalid(format!(
                "`{}` cannot be the name of something of the kind `{}`",
                self.name,
                self.kind.word()
            ))
        };
        let pair = || {
            let (issuer, id) = self.name.split_once('|').ok_or_else(invalid)?;
            if issuer.is_empty() || id.is_empty() { Err(invalid()) } else { Ok((Issuer::new(issuer), id)) }
        };
        Ok(match self.kind {
            StopKind::User => user::named(app, &self.name).await?,
            StopKind::Session => {
                let (provider, session) = pair()?;
                Whom::Other(Stoppable::Session(sha256_of_parts([
                    provider.as_str().as_bytes(),
                    session.as_bytes(),
                ])))
            }
            StopKind::Everything => return Err(invalid()),
            kind => {
                let is_name = match kind {
                    StopKind::Workload | StopKind::RelyingParty => pair().is_ok(),
                    StopKind::Agent => self.name.starts_with(AGENT_PREFIX),
                    _ => !self.name.is_empty(),
                };
                let named = Stoppable::parse(kind, &self.name).filter(|_| is_name);
                Whom::Other(named.ok_or_else(invalid)?)
            }
        })
    }
}

fn event(kind: StopKind, whom: &Whom, why: Option<EndReason>) -> StopEvent {
    let name = match whom {
        // Who the user is at the provider stays out of the audit log.
        Whom::User { provider, .. } => provider.to_string(),
        Whom::Other(party) => party.name(),
    };
    StopEvent { kind, name, subject: None, why, changed: None, known: None, number: None }
}

/// Stops what is named.
pub(super) async fn stop(app: &App, kind: StopKind, what: Whom) -> Result<Map<String, Value>, NotDone> {
    let why = EndReason::KillSwitch;
    let event = Event::Stop(event(kind, &what, Some(why)));
    let mut answer = record(app, Control::Stop { what, why }, event, kind.word()).await?;
    if kind.is_of_logins() {
        answer.insert("logins_after".to_owned(), logins_after(app.latest()).into());
    }
    Ok(answer)
}

/// The time after which a login or a credential has to be made to begin something, where this is the time of the stop or
/// of its lift.
pub(super) fn logins_after(time: Timestamp) -> String {
    time.plus(FOREIGN_LEEWAY).to_string()
}

/// Ends one task.
pub(super) async fn end_task(app: &App, task: TaskId, why: EndReason) -> Result<Map<String, Value>, NotDone> {
    let event =
        Event::TaskEnd(TaskEndEvent { task, agent: None, subject: None, why, changed: None, died: None });
    record(app, Control::EndTask { task, why }, event, "task").await
}

/// `POST /stops`
pub async fn post(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    answer(
        async {
            let named: Named = json::read(&request, payload).await?;
            let what = named.whom(&app).await?;
            stop(&app, named.kind, what).await.map(Value::Object)
        }
        .await,
    )
}

/// `POST /lifts`
pub async fn lift(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    answer(
        async {
            let named: Named = json::read(&request, payload).await?;
            let what = named.whom(&app).await?;
            let event = Event::Lift(event(named.kind, &what, None));
            let mut answer = record(&app, Control::Lift { what }, event, named.kind.word()).await?;
            let is_changed = answer.get("changed") == Some(&Value::Bool(true));
            if is_changed && !matches!(named.kind, StopKind::Target | StopKind::Agent) {
                answer.insert("logins_after".to_owned(), logins_after(app.latest()).into());
            }
            Ok(Value::Object(answer))
        }
        .await,
    )
}

/// `POST /stops/count`: what a stop would end, counted up to a limit. Nothing is written.
pub async fn count(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    answer(
        async {
            let named: Named = json::read(&request, payload).await?;
            let what = named.whom(&app).await?;
            let count = app.store.count_stopped(&what).await?;
            Ok(json!({"agents": count.agents, "tasks": count.tasks, "limit": count.limit}))
        }
        .await,
    )
}

/// `GET /stops`: the newest first.
pub async fn list(app: web::Data<App>) -> HttpResponse {
    answer(
        async {
            let stops = app.store.list_stops(LISTED).await?;
            Ok(json!({"stops": stops.iter().map(shown).collect::<Vec<_>>()}))
        }
        .await,
    )
}

pub(super) fn shown(found: &StopFound) -> Value {
    json!({
        "kind": found.party.kind(),
        "name": found.party.name(),
        "number": found.stop.number,
        "at": found.at,
        "stands": found.stop.stands,
        "why": found.why,
        "ending": found.is_unfinished,
    })
}
