//! The token endpoint (RFC 6749 §3.2). It owns the phases of a request, so that no grant can forget one.

mod exchange;
mod grant;
mod phases;

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;

use self::phases::{Call, Stopped};
use crate::app::{App, Stop};
use crate::audit::Kind;
use crate::decision::Report;
use crate::endpoint::forms::FormEndpoint;
use crate::endpoint::phases::authenticate;
use crate::http::caller::Caller;
use crate::http::reply;
use crate::oauth::{Params, TokenRequest, TokenResponse};

/// `POST /token` (RFC 8693 §2).
pub struct Token;

impl FormEndpoint for Token {
    const KIND: Kind = Kind::Exchange;
    const LABEL: &'static str = "token";

    type Answer = TokenResponse;

    async fn call(app: &App, caller: &Caller, params: &Params) -> Result<TokenResponse, Stop> {
        token(app, caller, params).await
    }

    fn reply(answer: &TokenResponse) -> HttpResponse {
        reply::ok(answer)
    }

    fn observe(app: &App, took: Duration) {
        app.metrics.exchange_seconds.observe(took.as_secs_f64());
    }
}

/// Answers a token request. A grant comes into play only when the client is authenticated and registered for it,
/// and every refusal is recorded.
async fn token(app: &App, caller: &Caller, params: &Params) -> Result<TokenResponse, Stop> {
    let _announced = app.store.announce();
    let now = app.now().map_err(Stop::Failed)?;
    let world = app.world();
    let client = authenticate(app, &world.config, caller, params, now, Token::KIND).await?;
    let call = Call { app, caller, world: &world, client: &client, now };
    let outcome = match grant::read(client.client(), params, &world.config) {
        Ok(request) => answer(&call, &request).await,
        Err((check, cause)) => {
            let report = Report::of_client(client.client().id.clone()).refused_at(check, cause.clone());
            Err(Stopped::Unrecorded(Arc::new(report), cause.into()))
        }
    };
    match outcome {
        Ok(response) => Ok(response),
        Err(stopped) => Err(call.record(stopped).await),
    }
}

/// Calls the grant that was asked for.
async fn answer(call: &Call<'_>, request: &TokenRequest) -> Result<TokenResponse, Stopped> {
    match request {
        TokenRequest::Exchange(request) => exchange::exchange(call, request).await,
    }
}
