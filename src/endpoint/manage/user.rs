//! Users, as an operator names them: by the reference that the record has, or by their name at their provider.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::stop::{logins_after, shown};
use super::{NotDone, answer};
use crate::app::{App, Failure};
use crate::base::entropy::uuid_v7;
use crate::delegation::record::Subject;
use crate::delegation::stops::Stoppable;
use crate::oauth::{Issuer, SubjectRef};
use crate::store::Whom;

/// The user that is named: `ISSUER|ID`, or the reference that the record has.
pub(super) async fn named(app: &App, name: &str) -> Result<Whom, NotDone> {
    match name.split_once('|') {
        Some((issuer, id)) if !issuer.is_empty() && !id.is_empty() => named_at(app, Issuer::new(issuer), id),
        Some(_) => Err(invalid(name)),
        None => {
            let reference = SubjectRef::parse(name).ok_or_else(|| invalid(name))?;
            found(app.store.find_user(reference).await?).map(whom)
        }
    }
}

/// A user of a provider, who need not have been met.
fn named_at(app: &App, provider: Issuer, upstream: &str) -> Result<Whom, NotDone> {
    let reference = uuid_v7(app.entropy.as_ref(), app.clock.now()).map_err(Failure::from)?;
    Ok(Whom::User { provider, upstream: upstream.to_owned(), reference: SubjectRef::new(reference) })
}

/// The user of this name at the provider that is given. Without one it is the user of this reference, or else of this name
/// at the only provider.
pub(super) async fn named_by(app: &App, issuer: Option<&str>, subject: &str) -> Result<Whom, NotDone> {
    if let Some(issuer) = issuer {
        return named(app, &format!("{issuer}|{subject}")).await;
    }
    if let Some(reference) = SubjectRef::parse(subject)
        && let Some(user) = app.store.find_user(reference).await?
    {
        return Ok(whom(user));
    }
    let config = app.config.load();
    let mut providers = config.registry.identity_providers.keys();
    match (providers.next(), providers.next()) {
        (Some(provider), None) => named_at(app, provider.clone(), subject),
        _ => Err(NotDone::Invalid(
            "the issuer is needed: the configuration has not exactly one identity provider".to_owned(),
        )),
    }
}

fn whom(user: Subject) -> Whom {
    Whom::User { provider: user.issuer, upstream: user.upstream, reference: user.reference }
}

fn found(user: Option<Subject>) -> Result<Subject, NotDone> {
    user.ok_or(NotDone::NotFound("user"))
}

fn invalid(name: &str) -> NotDone {
    NotDone::Invalid(format!(
        "`{name}` names no user: write `ISSUER|ID`, or the reference that the record has"
    ))
}

/// The query of `GET /subjects`.
#[derive(Deserialize)]
pub struct UserQuery {
    name: String,
}

/// `GET /subjects`: a user with the reference, the name at the provider, the tasks that go on, and the stops.
pub async fn show(app: web::Data<App>, query: web::Query<UserQuery>) -> HttpResponse {
    answer(user(&app, &query.name).await)
}

async fn user(app: &App, name: &str) -> Result<Value, NotDone> {
    let named = named(app, name).await?;
    let Whom::User { provider, upstream, .. } = &named else { return Err(invalid(name)) };
    let user = found(app.store.find_user_named(provider, upstream).await?)?;
    let count = app.store.count_stopped(&named).await?;
    let mut stops = Vec::new();
    for party in [Stoppable::User(user.reference), Stoppable::Provider(user.issuer.clone())] {
        stops.extend(app.store.find_stop(&party).await?);
    }
    Ok(json!({
        "subject": user.reference,
        "issuer": user.issuer,
        "id": user.upstream,
        "live_tasks": count.tasks,
        "is_stopped": user.is_stopped,
        "logins_after": user.cutoff.map(logins_after),
        "stops": stops.iter().map(shown).collect::<Vec<_>>(),
    }))
}
