//! `/token`, `/introspect`, `/revoke`: extract, call the corridor, respond.

use std::time::Instant;

use actix_web::{HttpRequest, HttpResponse, web};

use super::{answer, form};
use crate::app::{App, Stop};
use crate::audit::Event;
use crate::peer::{self, Peer};
use crate::protocol::{Cause, Params, Plain};
use crate::{exchange, introspection, revocation};

/// `POST /token` (RFC 8693 §2).
pub async fn token(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let begun = Instant::now();
    let response = match open(&app, &request, payload, Event::Exchange).await {
        Err((peer, stop)) => answer::stop(&app, &peer, "token", &stop),
        Ok((peer, params)) => match exchange::exchange(&app, &peer, &params).await {
            Ok(granted) => {
                app.metrics.answers.with_label_values(&["token", "ok"]).inc();
                answer::ok(&granted)
            }
            Err(stop) => answer::stop(&app, &peer, "token", &stop),
        },
    };
    app.metrics.exchange_seconds.observe(begun.elapsed().as_secs_f64());
    response
}

/// `POST /introspect` (RFC 7662 §2).
pub async fn introspect(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    match open(&app, &request, payload, Event::Introspection).await {
        Err((peer, stop)) => answer::stop(&app, &peer, "introspect", &stop),
        Ok((peer, params)) => match introspection::introspect(&app, &peer, &params).await {
            Ok(body) => {
                app.metrics.answers.with_label_values(&["introspect", "ok"]).inc();
                answer::ok(&body)
            }
            Err(stop) => answer::stop(&app, &peer, "introspect", &stop),
        },
    }
}

/// `POST /revoke` (RFC 7009 §2).
pub async fn revoke(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    match open(&app, &request, payload, Event::Revocation).await {
        Err((peer, stop)) => answer::stop(&app, &peer, "revoke", &stop),
        Ok((peer, params)) => match revocation::revoke(&app, &peer, &params).await {
            Ok(()) => {
                app.metrics.answers.with_label_values(&["revoke", "ok"]).inc();
                answer::empty()
            }
            Err(stop) => answer::stop(&app, &peer, "revoke", &stop),
        },
    }
}

/// Any other method at a form endpoint.
pub async fn other_method(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    let peer = form::peer(&request, &app.config.load().listen, app.request_id());
    let cause: Cause = Plain::MethodNotAllowed.into();
    let event = match request.path().rsplit('/').next() {
        Some("introspect") => Event::Introspection,
        Some("revoke") => Event::Revocation,
        _ => Event::Exchange,
    };
    let stop = note(&app, &peer, event, cause).await;
    answer::stop(&app, &peer, "method", &stop)
}

/// The peer and the parameters; or the refusal, already recorded or counted.
async fn open(
    app: &App,
    request: &HttpRequest,
    payload: web::Payload,
    event: Event,
) -> Result<(Peer, Params), (Peer, Stop)> {
    let peer = form::peer(request, &app.config.load().listen, app.request_id());
    match form::read(request, payload).await {
        Ok(params) => Ok((peer, params)),
        Err(cause) => {
            let stop = note(app, &peer, event, cause).await;
            Err((peer, stop))
        }
    }
}

async fn note(app: &App, peer: &Peer, event: Event, cause: Cause) -> Stop {
    let now = match app.now() {
        Ok(now) => now,
        Err(failure) => return Stop::Failed(failure),
    };
    match peer::record_stranger(app, peer, event, cause.clone(), None, now).await {
        Ok(()) => Stop::Refused(cause),
        Err(stop) => stop,
    }
}
