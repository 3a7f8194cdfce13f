//! `/token`, `/introspect`, `/revoke`: extract, call the corridor, respond.

use std::time::Instant;

use actix_web::{HttpRequest, HttpResponse, web};

use super::token::exchange;
use super::{introspect, revoke};
use crate::app::{App, Stop};
use crate::audit::Kind;
use crate::endpoint::phases;
use crate::http::caller::Caller;
use crate::http::{form, reply as answer};
use crate::oauth::{Cause, Params, Plain};

/// `POST /token` (RFC 8693 §2).
pub async fn token(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let begun = Instant::now();
    let response = match open(&app, &request, payload, Kind::Exchange).await {
        Err((caller, stop)) => answer::stop(&app, &caller, "token", &stop),
        Ok((caller, params)) => match exchange::exchange(&app, &caller, &params).await {
            Ok(granted) => {
                app.metrics.answers.with_label_values(&["token", "ok"]).inc();
                answer::ok(&granted)
            }
            Err(stop) => answer::stop(&app, &caller, "token", &stop),
        },
    };
    app.metrics.exchange_seconds.observe(begun.elapsed().as_secs_f64());
    response
}

/// `POST /introspect` (RFC 7662 §2).
pub async fn introspect(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    match open(&app, &request, payload, Kind::Introspection).await {
        Err((caller, stop)) => answer::stop(&app, &caller, "introspect", &stop),
        Ok((caller, params)) => match introspect::introspect(&app, &caller, &params).await {
            Ok(body) => {
                app.metrics.answers.with_label_values(&["introspect", "ok"]).inc();
                answer::ok(&body)
            }
            Err(stop) => answer::stop(&app, &caller, "introspect", &stop),
        },
    }
}

/// `POST /revoke` (RFC 7009 §2).
pub async fn revoke(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    match open(&app, &request, payload, Kind::Revocation).await {
        Err((caller, stop)) => answer::stop(&app, &caller, "revoke", &stop),
        Ok((caller, params)) => match revoke::revoke(&app, &caller, &params).await {
            Ok(()) => {
                app.metrics.answers.with_label_values(&["revoke", "ok"]).inc();
                answer::empty()
            }
            Err(stop) => answer::stop(&app, &caller, "revoke", &stop),
        },
    }
}

/// Any other method at a form endpoint.
pub async fn other_method(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    let caller = form::caller(&request, &app.config.load().listen, app.request_id());
    let cause: Cause = Plain::MethodNotAllowed.into();
    let kind = match request.path().rsplit('/').next() {
        Some("introspect") => Kind::Introspection,
        Some("revoke") => Kind::Revocation,
        _ => Kind::Exchange,
    };
    let stop = note(&app, &caller, kind, cause).await;
    answer::stop(&app, &caller, "method", &stop)
}

/// The caller and the parameters; or the refusal, already recorded or counted.
async fn open(
    app: &App,
    request: &HttpRequest,
    payload: web::Payload,
    kind: Kind,
) -> Result<(Caller, Params), (Caller, Stop)> {
    let caller = form::caller(request, &app.config.load().listen, app.request_id());
    match form::read(request, payload).await {
        Ok(params) => Ok((caller, params)),
        Err(cause) => {
            let stop = note(app, &caller, kind, cause).await;
            Err((caller, stop))
        }
    }
}

async fn note(app: &App, caller: &Caller, kind: Kind, cause: Cause) -> Stop {
    let now = match app.now() {
        Ok(now) => now,
        Err(failure) => return Stop::Failed(failure),
    };
    match phases::record_unauthenticated(app, caller, kind, cause.clone(), None, now).await {
        Ok(()) => Stop::Refused(cause),
        Err(stop) => stop,
    }
}
