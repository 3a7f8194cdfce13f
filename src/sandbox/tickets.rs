//! The tickets API: a resource server that believes only what it can verify, and verifies twice:
//! offline by Deputy's keys (RFC 9068 §4) and by asking Deputy whether the token still lives (RFC 7662).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use actix_web::web::{Data, Form, Query, ServiceConfig, get, post};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::jws::{self, Decoded};
use super::wire::{Credential, Wire, form, lock};
use crate::base::time::Clock;

/// Its name at Deputy: `aud` of the tokens it takes.
pub const TARGET: &str = "tickets";

/// The API.
pub struct Tickets {
    /// Speaks for it.
    pub wire: Wire,
    /// Deputy's issuer identifier.
    pub issuer: String,
    /// Its client at Deputy, for introspection.
    pub client_id: String,
    /// That client's secret.
    pub client_secret: String,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
    /// Deputy's keys, once fetched.
    pub keys: Mutex<Option<Value>>,
}

/// What it answers instead of what was asked for.
struct Problem {
    status: StatusCode,
    error: &'static str,
    why: String,
}

impl Problem {
    fn token(why: impl Into<String>) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, error: "invalid_token", why: why.into() }
    }

    fn forbidden(error: &'static str, why: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, error, why: why.into() }
    }

    fn response(self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        // RFC 6750 §3
        if self.status != StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((WWW_AUTHENTICATE, format!("Bearer error=\"{}\"", self.error)));
        }
        response.json(json!({ "error": self.error, "why": self.why }))
    }
}

impl Tickets {
    async fn keys(&self) -> Result<Value, Problem> {
        if let Some(keys) = lock(&self.keys).clone() {
            return Ok(keys);
        }
        let url = format!("{}/jwks", self.issuer);
        let keys = self.wire.off_tape().get("Deputy", &url, Credential::None).await;
        let keys = keys.ok().filter(|answer| answer.status == 200).ok_or_else(unavailable)?.body;
        *lock(&self.keys) = Some(keys.clone());
        Ok(keys)
    }

    /// Signature, kind, issuer, audience and time, with nothing but Deputy's public keys (RFC 9068 §4).
    async fn verify_offline(&self, token: &str) -> Result<Decoded, Problem> {
        let verified = jws::verify(token, &self.keys().await?)
            .ok_or_else(|| Problem::token("offline: not signed by Deputy"))?;
        let typ = verified.header.get("typ").and_then(Value::as_str).unwrap_or_default();
        if typ != "at+jwt" {
            return Err(Problem::token(format!("offline: of the kind {typ}, not an access token")));
        }
        if verified.text("iss") != self.issuer || verified.text("aud") != TARGET {
            return Err(Problem::token("offline: not for this API"));
        }
        let expires_at = verified.claims.get("exp").and_then(Value::as_i64).unwrap_or_default();
        if expires_at <= self.clock.now().seconds() {
            return Err(Problem::token("offline: expired"));
        }
        Ok(verified)
    }

    /// Whether Deputy says that the token lives, and says of it what the token says.
    async fn ask_deputy(&self, token: &str, offline: &Decoded) -> Result<(), Problem> {
        let url = format!("{}/introspect", self.issuer);
        let credential = Credential::Basic(&self.client_id, &self.client_secret);
        let answer = self.wire.post("Deputy", &url, form([("token", token)]), credential).await;
        let answer = answer.ok().filter(|answer| answer.status == 200).ok_or_else(unavailable)?.body;
        if answer.get("active") != Some(&Value::Bool(true)) {
            return Err(Problem::token("introspection: no longer active"));
        }
        let differs = ["iss", "sub", "aud", "scope", "act", "txn", "jti"]
            .into_iter()
            .find(|claim| answer.get(claim) != offline.claims.get(claim));
        match differs {
            Some(claim) => Err(Problem::token(format!("introspection: another {claim} than in the token"))),
            None => Ok(()),
        }
    }

    /// Verifies both ways, and that the scope is there.
    async fn accept(&self, token: &str, scope: &str) -> Result<Decoded, Problem> {
        let verified = self.verify_offline(token).await?;
        self.ask_deputy(token, &verified).await?;
        if !verified.text("scope").split(' ').any(|word| word == scope) {
            return Err(Problem::forbidden(
                "insufficient_scope",
                format!("the token does not allow {scope}"),
            ));
        }
        Ok(verified)
    }

    async fn search(&self, token: &str, wanted: &str) -> Result<Value, Problem> {
        self.accept(token, "tickets:search").await?;
        Ok(json!({
            "found": [format!("moonlight-concert, {wanted}, 38 EUR, adults only")],
            "checked": "offline, introspection",
        }))
    }

    /// Sells to users who were shown to be of age: by an answer about the same user, in the same task, got
    /// for the very agent that books.
    async fn book(&self, token: &str, form: &HashMap<String, String>) -> Result<Value, Problem> {
        let booking = self.accept(token, "tickets:book").await?;
        let Some(answer) = form.get("age_answer").filter(|answer| !answer.is_empty()) else {
            return Err(Problem::forbidden(
                "age_not_shown",
                "send an age answer: age_over_18, as a token of its own",
            ));
        };
        let answer = self.accept(answer, "age_over_18").await?;
        for claim in ["sub", "txn"] {
            if answer.claims.get(claim).is_none() || answer.claims.get(claim) != booking.claims.get(claim) {
                return Err(Problem::forbidden("age_not_shown", format!("the answer is of another {claim}")));
            }
        }
        let asked_for = answer.claims.pointer("/act/act");
        if asked_for.is_none() || asked_for != booking.claims.get("act") {
            return Err(Problem::forbidden("age_not_shown", "the answer was got for another agent"));
        }
        if answer.claims.get("age_over_18") != Some(&Value::Bool(true)) {
            return Err(Problem::forbidden("too_young", "this event is for adults"));
        }
        Ok(json!({
            "booked": { "event": form.get("event"), "seat": "row 7, seat 12" },
            "checked": ["both tokens twice", "same sub", "same txn", "the answer's inner act is the booking's act"],
        }))
    }
}

fn unavailable() -> Problem {
    Problem {
        status: StatusCode::SERVICE_UNAVAILABLE,
        error: "unavailable",
        why: "Deputy does not answer".into(),
    }
}

/// The routes of the API.
pub fn routes(tickets: &Arc<Tickets>) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    let state = Data::from(tickets.clone());
    move |config| {
        config
            .app_data(state.clone())
            .route("/search", get().to(serve_search))
            .route("/book", post().to(serve_book));
    }
}

fn bearer(request: &HttpRequest) -> Result<String, Problem> {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("Bearer "));
    token.map(str::to_owned).ok_or_else(|| Problem::token("no bearer token"))
}

fn respond(result: Result<Value, Problem>) -> HttpResponse {
    result.map_or_else(Problem::response, |body| HttpResponse::Ok().json(body))
}

async fn serve_search(
    request: HttpRequest,
    tickets: Data<Tickets>,
    query: Query<HashMap<String, String>>,
) -> HttpResponse {
    let wanted = query.get("q").map_or("any", String::as_str);
    match bearer(&request) {
        Ok(token) => respond(tickets.search(&token, wanted).await),
        Err(problem) => problem.response(),
    }
}

async fn serve_book(
    request: HttpRequest,
    tickets: Data<Tickets>,
    form: Form<HashMap<String, String>>,
) -> HttpResponse {
    match bearer(&request) {
        Ok(token) => respond(tickets.book(&token, &form).await),
        Err(problem) => problem.response(),
    }
}

#[cfg(test)]
mod tests;
