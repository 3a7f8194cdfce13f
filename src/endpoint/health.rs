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

/// `GET /metrics`: the Prometheus text format. What changes by itself is looked at now.
pub async fn metrics(app: web::Data<App>) -> HttpResponse {
    note_state(&app);
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(app.metrics.render())
}

/// Sets the gauges that show how things are at this moment. Nothing of it waits or reads from the database.
fn note_state(app: &App) {
    let metrics = &app.metrics;
    metrics.writer_queue.set(i64::try_from(app.store.waiting()).unwrap_or(i64::MAX));
    if let Some(expiry) = app.certificate.as_ref().and_then(|certificate| certificate.expires_at()) {
        metrics.certificate_expiry.with_label_values::<&str>(&[]).set(expiry.seconds());
    }
    let config = app.config.load();
    // An issuer that left the configuration leaves the metrics.
    metrics.keys_age.reset();
    metrics.keys_failing.reset();
    for found in app.verifier.issuer_keys(&config, app.latest()) {
        let labels = [found.kind, found.issuer.as_str()];
        metrics.keys_failing.with_label_values(&labels).set(found.has_failed.into());
        if let Some(age) = found.age {
            metrics.keys_age.with_label_values(&labels).set(age);
        }
    }
}
