//! The admin socket and what its verbs do. Whoever may open the socket is the operator.

mod act;
mod clock;
mod explain;
mod show;

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use crate::app::Failure;

pub use clock::set_back as set_clock_back;

/// The routes of the socket.
pub fn routes(routes: &mut web::ServiceConfig) {
    routes
        .route("/agents", web::get().to(show::agents))
        .route("/agents/{id}", web::get().to(show::agent))
        .route("/agents/{id}/explain", web::get().to(explain::agent))
        .route("/agents/{id}/retire", web::post().to(act::retire_agent))
        .route("/agents/{id}/kill", web::post().to(act::kill_agent))
        .route("/agents/{id}/suspend", web::post().to(act::suspend_agent))
        .route("/agents/{id}/resume", web::post().to(act::resume_agent))
        .route("/tasks", web::get().to(show::tasks))
        .route("/tasks/{id}", web::get().to(show::task))
        .route("/tasks/{id}/end", web::post().to(act::end_task))
        .route("/subjects/end", web::post().to(act::end_subject))
        .route("/keys", web::get().to(show::keys))
        .route("/keys/rotate", web::post().to(act::rotate_keys))
        .route("/keys/{kid}/revoke", web::post().to(act::revoke_key))
        .route("/audit/trace", web::get().to(show::trace))
        .route("/clock/reset", web::post().to(clock::reset));
}

/// Why a verb did nothing.
enum NotDone {
    /// No such agent, task, user or key.
    NotFound(&'static str),
    /// The request is not understood, or not possible as things stand.
    Invalid(String),
    /// Something inside failed.
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for NotDone {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The answer of a verb: JSON; 404 not found, 400 not understood, 503 failed.
fn answer(result: Result<Value, NotDone>) -> HttpResponse {
    let error = |code: &str, text: String| json!({"error": code, "error_description": text});
    match result {
        Ok(body) => HttpResponse::Ok().json(body),
        Err(NotDone::NotFound(what)) => {
            HttpResponse::NotFound().json(error("not_found", format!("there is no such {what}")))
        }
        Err(NotDone::Invalid(what)) => HttpResponse::BadRequest().json(error("invalid_request", what)),
        Err(NotDone::Failed(failure)) => {
            tracing::error!(error = %failure, "an administrative verb failed");
            HttpResponse::ServiceUnavailable().json(error("temporarily_unavailable", failure.to_string()))
        }
    }
}
