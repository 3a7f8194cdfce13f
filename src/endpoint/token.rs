//! The token endpoint (RFC 6749 §3.2). It owns the phases of a request, so that no grant can forget one.

mod exchange;
mod grant;
mod phases;

use actix_web::HttpResponse;

use self::phases::{Call, Stopped};
use crate::app::{App, Failure, Stop};
use crate::audit::Kind;
use crate::decision::Check;
use crate::endpoint::forms::FormEndpoint;
use crate::endpoint::phases::authenticate;
use crate::http::caller::Caller;
use crate::http::reply;
use crate::metrics::Endpoint;
use crate::oauth::{Params, TokenRequest, TokenResponse};
use crate::verification::Presented;

/// How often a request is answered anew because the configuration was replaced under it.
const RELOADS: u8 = 3;

/// `POST /token` (RFC 8693 §2).
pub struct Token;

impl FormEndpoint for Token {
    const KIND: Kind = Kind::Exchange;
    const ENDPOINT: Endpoint = Endpoint::Token;

    type Answer = TokenResponse;

    async fn call(app: &App, caller: &Caller, params: &Params) -> Result<TokenResponse, Stop> {
        token(app, caller, params).await
    }

    fn reply(answer: &TokenResponse) -> HttpResponse {
        reply::token(answer)
    }
}

/// Answers a token request. A grant comes into play only when the client is authenticated and registered for it,
/// and every refusal is recorded.
async fn token(app: &App, caller: &Caller, params: &Params) -> Result<TokenResponse, Stop> {
    let _announced = app.store.announce();
    for _ in 0..RELOADS {
        if let Some(outcome) = token_by(app, caller, params).await {
            return outcome;
        }
        // Until the configuration that is being put in force can be seen.
        drop(app.changing.read().await);
    }
    Err(Stop::Failed(Failure::Contention))
}

/// Answers a token request by the configuration that is in force at its beginning; `None` if another one took its place
/// before anything was written.
async fn token_by(app: &App, caller: &Caller, params: &Params) -> Option<Result<TokenResponse, Stop>> {
    let now = match app.now() {
        Ok(now) => now,
        Err(failure) => return Some(Err(Stop::Failed(failure))),
    };
    let world = app.world();
    let client = match authenticate(app, &world.config, caller, params, now, Token::KIND).await {
        Ok(client) => client,
        Err(stop) => return Some(Err(stop)),
    };
    let (proof, fault) = match Call::proof_of(app, &world.config, caller, &client, now) {
        Ok(proof) => (proof, None),
        Err(cause) => (None, Some(cause)),
    };
    let call = Call { app, caller, world: &world, client: &client, proof: proof.as_ref(), now };
    // A request without a subject token is refused as that before the scan of it counts.
    let subject = Presented::read(params.get("subject_token").unwrap_or_default());
    let outcome = match (fault, grant::read(&client, params, &subject, &world.config)) {
        (Some(cause), _) => Err(call.refused(Check::Proof, cause)),
        (None, Err((check, cause))) => Err(call.refused(check, cause)),
        (None, Ok(request)) => answer(&call, &request, &subject).await,
    };
    match outcome {
        Ok(response) => Some(Ok(TokenResponse { dpop_nonce: call.next_nonce(), ..response })),
        Err(Stopped::Superseded) => None,
        Err(stopped) => Some(Err(call.record(stopped).await)),
    }
}

/// Calls the grant that was asked for.
async fn answer(
    call: &Call<'_>,
    request: &TokenRequest,
    subject: &Presented<'_>,
) -> Result<TokenResponse, Stopped> {
    match request {
        TokenRequest::Exchange(request) | TokenRequest::OfAgent(request) => {
            exchange::exchange(call, request, subject).await
        }
    }
}
