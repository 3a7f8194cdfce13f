//! What the endpoints that take a form have in common: read, call, reply.

use std::time::Instant;

use actix_web::{HttpRequest, HttpResponse, web};

use super::phases;
use super::stopped::stopped;
use crate::app::{App, Stop};
use crate::audit::Kind;
use crate::http::caller::Caller;
use crate::http::form;
use crate::metrics::{Endpoint, Outcome};
use crate::oauth::{Cause, Params, Plain};

/// An endpoint that takes a form from a client.
pub trait FormEndpoint: 'static {
    /// The kind of event that its requests are recorded as.
    const KIND: Kind;
    /// How its requests are counted.
    const ENDPOINT: Endpoint;

    /// What it answers with.
    type Answer;

    /// Answers one request.
    ///
    /// # Errors
    /// [`Stop`]: refused or failed, and recorded or counted.
    fn call(app: &App, caller: &Caller, params: &Params) -> impl Future<Output = Result<Self::Answer, Stop>>;

    /// How the answer looks.
    fn reply(answer: &Self::Answer) -> HttpResponse;
}

/// Handles a `POST` to the endpoint `E`.
pub async fn post<E: FormEndpoint>(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let begun = Instant::now();
    let caller = caller(&app, &request);
    let outcome = match form::read(&request, payload).await {
        Ok(params) => E::call(&app, &caller, &params).await,
        Err(cause) => Err(refuse(&app, &caller, E::KIND, cause).await),
    };
    let response = match outcome {
        Ok(answer) => {
            app.metrics.count(E::ENDPOINT, Outcome::Ok);
            E::reply(&answer)
        }
        Err(stop) => stopped(&app, &caller, E::ENDPOINT, &stop),
    };
    app.metrics.time(E::ENDPOINT, begun.elapsed());
    response
}

/// Who sent the request.
pub fn caller(app: &App, request: &HttpRequest) -> Caller {
    let config = app.config.load();
    Caller::of(request, &config, app.request_id())
}

/// Refuses any other method at the endpoint `E`.
pub async fn other_method<E: FormEndpoint>(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    let caller = caller(&app, &request);
    let stop = refuse(&app, &caller, E::KIND, Plain::MethodNotAllowed.into()).await;
    stopped(&app, &caller, E::ENDPOINT, &stop)
}

/// Records a refusal of a request before its client is authenticated.
async fn refuse(app: &App, caller: &Caller, kind: Kind, cause: Cause) -> Stop {
    let now = match app.now() {
        Ok(now) => now,
        Err(failure) => return Stop::Failed(failure),
    };
    // A body that is sent slowly holds a connection, so it counts as a failure.
    if cause == Plain::BodyTimeout.into() {
        app.throttle.load().note_failure(caller.source, None, now);
    }
    match phases::record_unauthenticated(app, caller, kind, cause.clone(), None, now).await {
        Ok(()) => Stop::Refused(cause),
        Err(stop) => stop,
    }
}
