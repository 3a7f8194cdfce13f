//! The reply to a request that was refused or failed: counted, and a failure is logged here, once.

use actix_web::HttpResponse;

use crate::app::{App, Stop};
use crate::http::caller::Caller;
use crate::http::reply;

/// Replies to a request that was stopped at `endpoint`, which is its label in the metrics.
pub fn stopped(app: &App, caller: &Caller, endpoint: &'static str, stop: &Stop) -> HttpResponse {
    let count = |reason: &str| app.metrics.answers.with_label_values(&[endpoint, reason]).inc();
    match stop {
        Stop::Refused(cause) => {
            count(cause.wire().reason);
            reply::refused(caller, cause)
        }
        Stop::Failed(failure) => {
            count("temporarily_unavailable");
            app.metrics.failures.inc();
            tracing::error!(request.id = %caller.request, error = %failure,
                "a request failed and nothing was given");
            reply::failed(caller.request, failure.may_have_changed(), failure.retry_after())
        }
    }
}
