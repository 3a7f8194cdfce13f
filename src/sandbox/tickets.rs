//! The tickets API: a resource server that believes only what it can verify, and verifies twice:
//! offline by Deputy's keys (RFC 9068 §4) and by asking Deputy whether the token still lives (RFC 7662). A token that
//! is bound to a key is taken only with a proof of that key (RFC 9449 §7).

mod possession;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use actix_web::http::StatusCode;
use actix_web::http::header::WWW_AUTHENTICATE;
use actix_web::web::{Data, Form, Json, Query, ServiceConfig, get, post};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde_json::{Value, json};

use super::wire::{Wire, lock};
use crate::base::time::Clock;
use crate::jose::{Claims, KeySet, UnverifiedToken};
use crate::sdk::{Client, Introspection};
use possession::{Proofs, Shown};

/// Its name at Deputy: `aud` of the tokens it takes.
pub const TARGET: &str = "tickets";

pub struct Tickets {
    pub wire: Wire,
    /// Its client at Deputy, for introspection.
    pub deputy: Client,
    pub clock: Arc<dyn Clock>,
    /// Where it is: what a proof has to name.
    pub url: String,
    /// Deputy's keys, once fetched.
    pub keys: Mutex<Option<Arc<KeySet>>>,
    /// The proofs that were taken.
    pub proofs: Mutex<Proofs>,
}

/// What it answers instead of what was asked for.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
struct Problem {
    status: StatusCode,
    error: &'static str,
    why: String,
}

impl Problem {
    fn token(why: impl Into<String>) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, error: "invalid_token", why: why.into() }
    }

    fn proof(why: &'static str) -> Self {
        let why = format!("possession: the proof is {why}");
        Self { status: StatusCode::UNAUTHORIZED, error: "invalid_dpop_proof", why }
    }

    fn forbidden(error: &'static str, why: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, error, why: why.into() }
    }
}

impl ResponseError for Problem {
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        // RFC 6750 §3, RFC 9449 §7.1
        if self.status != StatusCode::SERVICE_UNAVAILABLE {
            for scheme in ["Bearer", "DPoP"] {
                response.append_header((WWW_AUTHENTICATE, format!("{scheme} error=\"{}\"", self.error)));
            }
        }
        response.json(json!({ "error": self.error, "why": self.why }))
    }
}

impl Tickets {
    async fn keys(&self) -> Result<Arc<KeySet>, Problem> {
        if let Some(keys) = lock(&self.keys).clone() {
            return Ok(keys);
        }
        let url = format!("{}/jwks", self.deputy.issuer());
        let answer = self.wire.off_tape().get("Deputy", &url, None).await;
        let answer = answer.ok().filter(|answer| answer.status == 200).ok_or_else(unavailable)?;
        let keys = KeySet::parse(answer.body.to_string().as_bytes()).map_err(|_| unavailable())?;
        Ok(lock(&self.keys).insert(Arc::new(keys)).clone())
    }

    /// Signature, kind, issuer, audience and time, with nothing but Deputy's public keys (RFC 9068 §4).
    async fn verify_offline(&self, token: &str) -> Result<Claims, Problem> {
        let keys = self.keys().await?;
        let unsigned = || Problem::token("offline: not signed by Deputy");
        let token = UnverifiedToken::scan(token).map_err(|_| unsigned())?;
        let typ = token.header().typ.clone().unwrap_or_default();
        let key = keys.choose(token.header()).ok_or_else(unsigned)?;
        let claims = token.verify(key).map_err(|_| unsigned())?;
        if typ != "at+jwt" {
            return Err(Problem::token(format!("offline: of the kind {typ}, not an access token")));
        }
        if text(&claims, "iss") != self.deputy.issuer() || text(&claims, "aud") != TARGET {
            return Err(Problem::token("offline: not for this API"));
        }
        let expires_at = claims.time("exp").ok().flatten();
        if expires_at.is_none_or(|at| at.seconds() <= self.clock.now().seconds()) {
            return Err(Problem::token("offline: expired"));
        }
        Ok(claims)
    }

    /// Whether Deputy says that the token lives, and says of it what the token says.
    async fn ask_deputy(&self, token: &str, offline: &Claims) -> Result<(), Problem> {
        let answer = self.deputy.introspect(&self.wire.to("Deputy"), token).await;
        let Introspection { active, body } = answer.map_err(|_| unavailable())?;
        if !active {
            return Err(Problem::token("introspection: no longer active"));
        }
        let differs = ["iss", "sub", "aud", "scope", "act", "txn", "jti", "cnf"]
            .into_iter()
            .find(|claim| body.get(claim) != offline.get(claim));
        match differs {
            Some(claim) => Err(Problem::token(format!("introspection: another {claim} than in the token"))),
            None => Ok(()),
        }
    }

    /// Whether an API that does not ask Deputy would believe this token.
    pub async fn believes_offline(&self, token: &str) -> bool {
        self.verify_offline(token).await.is_ok()
    }

    /// Verifies a token both ways, and that the scope is there.
    async fn verify(&self, token: &str, scope: &str) -> Result<Claims, Problem> {
        let verified = self.verify_offline(token).await?;
        self.ask_deputy(token, &verified).await?;
        if !text(&verified, "scope").split(' ').any(|word| word == scope) {
            return Err(Problem::forbidden(
                "insufficient_scope",
                format!("the token does not allow {scope}"),
            ));
        }
        Ok(verified)
    }

    /// The same for the token that a request is authorized by. Anyone who shows it has to hold its key.
    async fn accept(&self, shown: &Shown, scope: &str) -> Result<Claims, Problem> {
        let verified = self.verify(&shown.token, scope).await?;
        self.check_possession(&verified, shown)?;
        Ok(verified)
    }

    async fn search(&self, shown: &Shown, wanted: &str) -> Result<Value, Problem> {
        let verified = self.accept(shown, "tickets:search").await?;
        let checked = ["offline", "introspection", "proof"];
        let checked = checked.into_iter().take(if verified.get("cnf").is_some() { 3 } else { 2 });
        Ok(json!({
            "found": [format!("moonlight-concert, {wanted}, 38 EUR, 18+")],
            "checked": checked.collect::<Vec<_>>().join(", "),
        }))
    }

    /// How many tickets were sold, for agents that ask for themselves: nobody is behind such a token, so that it is about
    /// the agent and names no other actor.
    async fn sales(&self, shown: &Shown) -> Result<Value, Problem> {
        let verified = self.accept(shown, "sales:count").await?;
        if verified.get("act").is_some() || !text(&verified, "sub").starts_with("agent_") {
            return Err(Problem::forbidden("agents_only", "the token is not about an agent itself"));
        }
        Ok(json!({ "sold": 41, "asked_by": text(&verified, "sub") }))
    }

    /// Sells to users who were shown to be of age: by an answer about the same user, in the same task, got
    /// for the very agent that books. The answer authorizes nothing by itself, so that it needs no proof of the key of
    /// the agent that got it: the agent that books hands it in.
    async fn book(&self, shown: &Shown, form: &HashMap<String, String>) -> Result<Value, Problem> {
        let booking = self.accept(shown, "tickets:book").await?;
        let Some(answer) = form.get("age_answer").filter(|answer| !answer.is_empty()) else {
            return Err(Problem::forbidden(
                "age_not_shown",
                "send an age answer: age_over_18, as a token of its own",
            ));
        };
        let answer = self.verify(answer, "age_over_18").await?;
        for claim in ["sub", "txn"] {
            if answer.get(claim).is_none() || answer.get(claim) != booking.get(claim) {
                return Err(Problem::forbidden("age_not_shown", format!("the answer is of another {claim}")));
            }
        }
        let asked_for = answer.get("act").and_then(|act| act.get("act"));
        if asked_for.is_none() || asked_for != booking.get("act") {
            return Err(Problem::forbidden("age_not_shown", "the answer was got for another agent"));
        }
        if answer.get("age_over_18") != Some(&Value::Bool(true)) {
            return Err(Problem::forbidden("too_young", "this event is for adults"));
        }
        Ok(json!({
            "booked": { "event": form.get("event"), "seat": "row 7, seat 12" },
            "checked": ["sub", "txn", "act"],
        }))
    }
}

/// A claim that is a string; empty if it is none.
fn text<'a>(claims: &'a Claims, name: &str) -> &'a str {
    claims.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn unavailable() -> Problem {
    let why = "Deputy does not answer".to_owned();
    Problem { status: StatusCode::SERVICE_UNAVAILABLE, error: "unavailable", why }
}

pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/search", get().to(serve_search))
        .route("/book", post().to(serve_book))
        .route("/sales", get().to(serve_sales));
}

async fn serve_search(
    request: HttpRequest,
    tickets: Data<Tickets>,
    query: Query<HashMap<String, String>>,
) -> Result<Json<Value>, Problem> {
    let wanted = query.get("q").map_or("any", String::as_str);
    tickets.search(&Shown::read(&request)?, wanted).await.map(Json)
}

async fn serve_sales(request: HttpRequest, tickets: Data<Tickets>) -> Result<Json<Value>, Problem> {
    tickets.sales(&Shown::read(&request)?).await.map(Json)
}

async fn serve_book(
    request: HttpRequest,
    tickets: Data<Tickets>,
    form: Form<HashMap<String, String>>,
) -> Result<Json<Value>, Problem> {
    tickets.book(&Shown::read(&request)?, &form).await.map(Json)
}

#[cfg(test)]
mod tests;
