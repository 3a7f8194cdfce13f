//! The reply to a request that was refused or failed: counted and logged here, once.

use actix_web::HttpResponse;

use crate::app::{App, Failure, Stop};
use crate::http::caller::Caller;
use crate::http::reply;
use crate::metrics::{Endpoint, Outcome};
use crate::oauth::Cause;
use crate::verification::KeysUnknown;

/// Replies to a request that was stopped at `endpoint`.
pub fn stopped(app: &App, caller: &Caller, endpoint: Endpoint, stop: &Stop) -> HttpResponse {
    match stop {
        Stop::Refused(cause) => {
            app.metrics.count_refusal(endpoint, cause.wire().reason);
            log_refusal(caller, endpoint, cause);
            reply::refused(caller, cause)
        }
        Stop::Failed(failure) => {
            app.metrics.count(endpoint, Outcome::Failed);
            log_failure(caller, endpoint, failure);
            reply::failed(caller.request, failure.may_have_changed(), failure.retry_after())
        }
    }
}

/// One line for a refusal. Everything in it is a word of Deputy's own or an identifier of the configuration.
fn log_refusal(caller: &Caller, endpoint: Endpoint, cause: &Cause) {
    let (wire, client) = (cause.wire(), caller.client().map_or("", |client| client.as_str()));
    if let Cause::NonceDemanded { .. } = cause {
        // A part of each first request with a proof, and no fault.
        tracing::debug!(request.id = %caller.request, client.id = client, "a nonce is demanded");
        return;
    }
    tracing::info!(request.id = %caller.request, client.id = client, endpoint = endpoint.word(),
        error = wire.code.as_str(), reason = wire.reason, cause = cause.word(), "a request was refused");
}

fn log_failure(caller: &Caller, endpoint: Endpoint, failure: &Failure) {
    let client = caller.client().map_or("", |client| client.as_str());
    if let Failure::IssuerKeys(KeysUnknown::NotAskedAgain) = failure {
        // Any caller can name a key that nobody knows, so this is told like a refusal, and is no error of the server.
        tracing::info!(request.id = %caller.request, client.id = client, endpoint = endpoint.word(),
            error = %failure, reason = "temporarily_unavailable", "a request was not answered");
        return;
    }
    tracing::error!(request.id = %caller.request, client.id = client, endpoint = endpoint.word(), error = %failure,
        "a request failed and nothing was given");
}
