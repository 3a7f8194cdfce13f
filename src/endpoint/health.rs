//! The management listener: health, readiness, metrics. No secrets, no names.

use actix_web::{HttpResponse, web};

use crate::app::App;

/// `GET /healthz`: the process answers.
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

/// `GET /readyz`: a token could be issued. A commit that wrote succeeded within the last two seconds, into the
/// database that was opened and has space, and the clock is not behind and agrees with that of the database. The log says why not, where that is found.
pub async fn readyz(app: web::Data<App>) -> HttpResponse {
    match app.readiness() {
        Ok(()) => HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ready\n"),
        Err(_) => {
            HttpResponse::ServiceUnavailable().content_type("text/plain; charset=utf-8").body("not ready\n")
        }
    }
}

/// `GET /metrics`: the Prometheus text format.
pub async fn metrics(app: web::Data<App>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(app.metrics.render())
}
