//! The verbs of the admin socket. Who may open the socket is the operator.

pub mod act;
pub mod audit;
pub mod clock;
pub mod explain;
pub mod operator;
pub mod profile;
pub mod show;
pub mod stop;
pub mod user;

use actix_web::HttpResponse;
use serde_json::{Value, json};

use crate::app::Failure;
use crate::http::json::NotTaken;

/// Why a verb did nothing.
enum NotDone {
    /// No such agent, task, user or key.
    NotFound(&'static str),
    /// The request is malformed.
    Invalid(String),
    /// The state does not allow it. The transaction that found it has recorded it.
    Impossible(String),
    /// Something inside failed.
    Failed(Failure),
}

impl From<NotTaken> for NotDone {
    fn from(error: NotTaken) -> Self {
        Self::Invalid(error.to_string())
    }
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
        Err(NotDone::Impossible(what)) => HttpResponse::Conflict().json(error("conflict", what)),
        Err(NotDone::Failed(failure)) => {
            tracing::error!(error = %failure, "an administrative verb failed");
            HttpResponse::ServiceUnavailable().json(error("temporarily_unavailable", failure.to_string()))
        }
    }
}

#[cfg(test)]
mod tests;
