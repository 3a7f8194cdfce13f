//! What the corridors of `/token`, `/introspect` and `/revoke` share: who asks, authenticating the
//! client, finding a token of Deputy's own, and recording what was refused.

use std::net::IpAddr;

use crate::app::{App, Failure, Stop};
use crate::audit::{AuditRow, Event, Outcome};
use crate::client::{self, AuthenticatedClient, NotAuthenticated};
use crate::config::Config;
use crate::delegation::record::Lineage;
use crate::protocol::{Cause, ClientId, Params, Plain, RequestId, TokenFault};
use crate::store::{Change, Entry, Recorded};
use crate::time::Timestamp;
use crate::verification::{NotVerified, VerifiedOwn};

/// Who sent one request. Prints no credentials.
pub struct Peer {
    /// Its address, through trusted proxies.
    pub source: IpAddr,
    /// Every `Authorization` header.
    pub authorization: Vec<Vec<u8>>,
    /// The request's id.
    pub request: RequestId,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer").field("request", &self.request).finish_non_exhaustive()
    }
}

/// Authenticates the client, throttles failures, and records them.
///
/// # Errors
/// [`Stop`]: not authenticated, and recorded or counted; or its keys cannot be had.
pub async fn authenticate(
    app: &App,
    config: &Config,
    peer: &Peer,
    params: &Params,
    now: Timestamp,
    event: Event,
) -> Result<AuthenticatedClient, Stop> {
    if app.doorstep.is_shut_out(peer.source, now) {
        record_stranger(app, peer, event, Plain::Throttled.into(), None, now).await?;
        return Err(Plain::Throttled.into());
    }
    let authorization: Vec<&[u8]> = peer.authorization.iter().map(Vec::as_slice).collect();
    let answer = client::authenticate(config, &app.verifier, &app.secrets, &authorization, params, now).await;
    match answer {
        Ok(client) => Ok(client),
        Err(NotAuthenticated::Unavailable(what)) => Err(Stop::Failed(Failure::IssuerKeys(what))),
        Err(NotAuthenticated::Refused { cause, claimed, .. }) => {
            record_stranger(app, peer, event, cause.clone(), claimed.clone(), now).await?;
            let is_client_fault = cause.wire().status == 401;
            if is_client_fault && app.doorstep.note_failure(peer.source, claimed.as_ref(), now) {
                return Err(Plain::Throttled.into());
            }
            Err(cause.into())
        }
    }
}

/// Records the refusal of a request that nobody authenticated: a row of its own up to a rate per
/// source, above it counted (design.md 8).
///
/// # Errors
/// The row cannot be written: then nothing else is answered either.
pub async fn record_stranger(
    app: &App,
    peer: &Peer,
    event: Event,
    cause: Cause,
    claimed: Option<ClientId>,
    now: Timestamp,
) -> Result<(), Stop> {
    if !app.doorstep.takes_row(peer.source, now) {
        return Ok(());
    }
    let mut row = AuditRow::new(now, event, Outcome::Refused);
    row.request = Some(peer.request);
    row.source = Some(peer.source);
    row.client = claimed;
    row.cause = Some(cause.word().to_owned());
    row.reason = Some(cause.wire().reason.to_owned());
    app.store.record(Entry { spend: None, change: Change::Nothing, audit: Some(row), now }).await?;
    Ok(())
}

/// Writes the counted row for strangers' refusals that got none of their own.
///
/// # Errors
/// The store.
pub async fn record_counted(app: &App, now: Timestamp) -> Result<(), Failure> {
    let Some(count) = app.doorstep.take_counted() else { return Ok(()) };
    let mut row = AuditRow::new(now, Event::Exchange, Outcome::Refused);
    row.count = Some(count);
    row.cause = Some("strangers".to_owned());
    row.reason = Some(Plain::NoCredentials.wire().reason.to_owned());
    app.store.record(Entry { spend: None, change: Change::Nothing, audit: Some(row), now }).await?;
    Ok(())
}

/// Records how an authenticated client's request was refused or failed, spending its assertion in the
/// same transaction, and gives back what the wire is to say: a replay comes before everything.
pub async fn record_stop(
    app: &App,
    peer: &Peer,
    client: &AuthenticatedClient,
    mut row: AuditRow,
    stop: Stop,
) -> Stop {
    let now = row.at;
    let event = row.event;
    if let Stop::Refused(Cause::Plain(Plain::AssertionReplayed)) = stop {
        return replayed(app, peer, client, event, now).await;
    }
    match &stop {
        Stop::Refused(cause) => {
            row.outcome = Outcome::Refused;
            forget_the_unbegun(&mut row);
            row.cause = Some(cause.word().to_owned());
            row.reason = Some(cause.wire().reason.to_owned());
            if let Cause::Token(_, TokenFault::NeverIssued) = cause {
                app.metrics.never_issued.inc();
                tracing::error!(client.id = %client.client.id, request.id = %peer.request,
                    "a token with a good signature of ours was never recorded: a signing key may be misused");
            }
        }
        Stop::Failed(_) => {
            row.outcome = Outcome::Failed;
            forget_the_unbegun(&mut row);
        }
    }
    let entry = Entry { spend: client.spend.clone(), change: Change::Nothing, audit: Some(row), now };
    match (app.store.record(entry).await, stop) {
        (Ok(Recorded::Replayed), _) => replayed(app, peer, client, event, now).await,
        (Ok(_), stop) | (Err(_), stop @ Stop::Failed(_)) => stop,
        (Err(error), Stop::Refused(_)) => Stop::Failed(error.into()),
    }
}

/// A refused hop 0 begins nothing: the ids it would have had name nothing.
fn forget_the_unbegun(row: &mut AuditRow) {
    if std::mem::take(&mut row.task_begun) {
        row.task = None;
        row.login = None;
    }
}

async fn replayed(
    app: &App,
    peer: &Peer,
    client: &AuthenticatedClient,
    event: Event,
    now: Timestamp,
) -> Stop {
    let cause = Cause::from(Plain::AssertionReplayed);
    let claimed = Some(client.client.id.clone());
    match record_stranger(app, peer, event, cause.clone(), claimed.clone(), now).await {
        Err(stop) => stop,
        Ok(()) if app.doorstep.note_failure(peer.source, claimed.as_ref(), now) => {
            Stop::Refused(Plain::Throttled.into())
        }
        Ok(()) => Stop::Refused(cause),
    }
}

/// Verifies a token of Deputy's own; a key that is not known may have been made by another node.
///
/// # Errors
/// [`NotVerified`].
pub async fn verify_own(app: &App, config: &Config, token: &str) -> Result<VerifiedOwn, NotVerified> {
    let first = app.verifier.own(config, &app.ring.load(), &app.secrets, token);
    match first {
        Err(NotVerified::Fault(TokenFault::KeyUnknown)) if app.may_refresh_keys() => {
            app.refresh_keys().await.map_err(|error| NotVerified::Unavailable(error.to_string()))?;
            app.verifier.own(config, &app.ring.load(), &app.secrets, token)
        }
        other => other,
    }
}

/// The record of a verified token: the very token that was issued under this `jti`, not only the id.
///
/// # Errors
/// The store.
pub async fn find_own(app: &App, own: &VerifiedOwn) -> Result<Option<Lineage>, Failure> {
    use subtle::ConstantTimeEq as _;
    let lineage = app.store.find_lineage(own.jti).await?;
    Ok(lineage.filter(|lineage| bool::from(lineage.delegation.hash.ct_eq(&own.hash))))
}
