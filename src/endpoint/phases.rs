//! What token, introspection and revocation requests have in common: authenticating the client, and recording what was
//! refused.

use crate::app::{App, Failure, Stop};
use crate::audit::{Event, Kind, Outcome, Requester, Told, UnauthenticatedEvent, What};
use crate::base::time::Timestamp;
use crate::client_auth::{self, AuthenticatedClient, NotAuthenticated, RequestKind};
use crate::config::Config;
use crate::delegation::stops::Stoppable;
use crate::http::caller::Caller;
use crate::oauth::{Cause, ClientId, GrantType, OneTime, Params, Plain, PresentedAs, TokenFault};
use crate::store::{Change, Entry, Recorded};
use crate::verification::VerifiedProof;

/// Authenticates the client, throttles failures, and records them.
///
/// # Errors
/// [`Stop`]: not authenticated, and recorded or counted; or its keys cannot be had.
pub async fn authenticate(
    app: &App,
    config: &Config,
    caller: &Caller,
    params: &Params,
    now: Timestamp,
    kind: Kind,
) -> Result<AuthenticatedClient, Stop> {
    let authorization: Vec<&[u8]> = caller.authorization.iter().map(Vec::as_slice).collect();
    let kind_of_request = request_kind(kind, params);
    let proven = || {
        let endpoint = match kind_of_request {
            RequestKind::Revocation => "/revoke",
            _ => "/token",
        };
        let proof = VerifiedProof::of_request(config, &app.secrets, (&caller.dpop, endpoint), now)?;
        Ok(proof.as_ref().map(VerifiedProof::thumbprint))
    };
    let request = client_auth::Request {
        authorization: &authorization,
        params,
        kind: kind_of_request,
        proven: &proven,
        certificate: caller.certificate.as_ref().map(Option::as_deref).map_err(|cause| *cause),
    };
    let answer = client_auth::authenticate(config, &app.verifier, &app.secrets, request, now).await;
    match answer {
        Ok(client) if app.store.is_stopped(&Stoppable::Client(client.client().id.clone())) => {
            caller.note_client(&client.client().id);
            let cause = match kind_of_request {
                RequestKind::JwtBearer => Cause::Token(PresentedAs::Grant, TokenFault::AgentCutOff),
                _ => Plain::ClientStopped.into(),
            };
            let claimed = Some(client.client().id.clone());
            record_unauthenticated(app, caller, kind, cause.clone(), claimed, now).await?;
            Err(cause.into())
        }
        Ok(client) => {
            caller.note_client(&client.client().id);
            Ok(client)
        }
        // Only what does not verify is throttled: others behind the same address must not shut a client out.
        Err(_) if app.throttle.load().is_shut_out(caller.source, now) => {
            record_unauthenticated(app, caller, kind, Plain::Throttled.into(), None, now).await?;
            Err(Plain::Throttled.into())
        }
        Err(NotAuthenticated::Unavailable(what)) => {
            // Anyone can name a key that nobody knows, and is to be logged no more often than for a wrong credential.
            app.throttle.load().note_failure(caller.source, None, now);
            Err(Stop::Failed(Failure::IssuerKeys(what)))
        }
        Err(NotAuthenticated::Refused { cause, claimed }) => {
            if let Some(client) = &claimed {
                caller.note_client(client);
            }
            record_unauthenticated(app, caller, kind, cause.clone(), claimed.clone(), now).await?;
            let is_client_fault =
                cause.wire().status == 401 || matches!(cause, Cause::Token(PresentedAs::Grant, _));
            if is_client_fault && app.throttle.load().note_failure(caller.source, claimed.as_ref(), now) {
                return Err(Plain::Throttled.into());
            }
            Err(cause.into())
        }
    }
}

fn request_kind(kind: Kind, params: &Params) -> RequestKind {
    match kind {
        Kind::Revocation => RequestKind::Revocation,
        Kind::Introspection => RequestKind::Introspection,
        _ if GrantType::of(params) == Ok(GrantType::JwtBearer) => RequestKind::JwtBearer,
        _ => RequestKind::Token,
    }
}

/// Records the refusal of a request that nobody authenticated: a row of its own up to a rate per
/// source, above it counted.
///
/// # Errors
/// The row cannot be written. The request then fails, because no refusal goes unrecorded.
pub async fn record_unauthenticated(
    app: &App,
    caller: &Caller,
    kind: Kind,
    cause: Cause,
    claimed: Option<ClientId>,
    now: Timestamp,
) -> Result<(), Stop> {
    if !app.throttle.load().takes_row(caller.source, now) {
        return Ok(());
    }
    let told = Told {
        at: now,
        request: Some(caller.request),
        requester: Requester::Unauthenticated { client: claimed },
        source: caller.recorded_source,
        what: What::Event(Outcome::refused(&cause), Event::of_unauthenticated(kind)),
    };
    app.store.record(Entry::note(told)).await?;
    Ok(())
}

/// Writes the counted row for refusals of unauthenticated callers that got none of their own.
pub async fn record_counted(app: &App, now: Timestamp) -> Result<(), Failure> {
    let Some(count) = app.throttle.load().take_counted() else { return Ok(()) };
    let outcome = Outcome::refused(&Plain::NoCredentials.into());
    let event = Event::Unauthenticated(UnauthenticatedEvent { count });
    app.store.record(Entry::note(Told::of_server(now, outcome, event))).await?;
    Ok(())
}

/// Records how an authenticated client's request was refused or failed, and uses its assertion up in the same
/// transaction. It returns what the reply is to say: a replayed assertion comes before every other fault.
pub async fn record_stop(
    app: &App,
    caller: &Caller,
    client: &AuthenticatedClient,
    told: Told,
    kind: Kind,
    stop: Stop,
) -> Stop {
    record_stop_using(app, caller, client, told, kind, stop, client.one_time().to_vec()).await
}

/// As [`record_stop`], and uses up `used` instead. If something of it but the assertion was used before, nothing is
/// written, and that is what is returned.
pub async fn record_stop_using(
    app: &App,
    caller: &Caller,
    client: &AuthenticatedClient,
    mut told: Told,
    kind: Kind,
    stop: Stop,
    used: Vec<OneTime>,
) -> Stop {
    let now = told.at;
    if let Stop::Refused(Cause::Plain(Plain::AssertionReplayed)) = stop {
        return replayed(app, caller, client, kind, now).await;
    }
    match &stop {
        Stop::Refused(cause) => told.refuse(cause),
        Stop::Failed(_) => told.fail(),
    }
    let entry = Entry { one_time: used, change: Change::Nothing, told: Some(told), now };
    match (app.store.record(entry).await, stop) {
        (Ok(Recorded::Replayed(Plain::AssertionReplayed)), _) => {
            replayed(app, caller, client, kind, now).await
        }
        (Ok(Recorded::Replayed(cause)), _) => cause.into(),
        (Ok(_), stop) | (Err(_), stop @ Stop::Failed(_)) => stop,
        (Err(error), Stop::Refused(_)) => Stop::Failed(error.into()),
    }
}

async fn replayed(
    app: &App,
    caller: &Caller,
    client: &AuthenticatedClient,
    kind: Kind,
    now: Timestamp,
) -> Stop {
    let cause = Cause::from(Plain::AssertionReplayed);
    let claimed = Some(client.client().id.clone());
    match record_unauthenticated(app, caller, kind, cause.clone(), claimed.clone(), now).await {
        Err(stop) => stop,
        Ok(()) if app.throttle.load().note_failure(caller.source, claimed.as_ref(), now) => {
            Stop::Refused(Plain::Throttled.into())
        }
        Ok(()) => Stop::Refused(cause),
    }
}

#[cfg(test)]
mod tests;
