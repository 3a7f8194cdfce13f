//! Revocation (RFC 7009): a token and everything below it, durably before the answer.

use actix_web::HttpResponse;

use crate::app::{App, Stop};
use crate::audit::{Event, Kind, Outcome, RevocationEvent, Told, What};
use crate::client_auth::AuthenticatedClient;
use crate::decision::revocation;
use crate::endpoint::forms::FormEndpoint;
use crate::endpoint::own::{Found, Presenting};
use crate::endpoint::phases;
use crate::http::caller::Caller;
use crate::http::reply;
use crate::jose::UnverifiedToken;
use crate::keys::AgentOf;
use crate::metrics::Endpoint;
use crate::oauth::{Params, Plain};
use crate::store::{Change, Control, Entry, Recorded};
use crate::verification;

/// `POST /revoke` (RFC 7009 §2).
pub struct Revocation;

impl FormEndpoint for Revocation {
    const KIND: Kind = Kind::Revocation;
    const ENDPOINT: Endpoint = Endpoint::Revoke;

    type Answer = ();

    async fn call(app: &App, caller: &Caller, params: &Params) -> Result<(), Stop> {
        revoke(app, caller, params).await
    }

    fn reply((): &()) -> HttpResponse {
        reply::empty()
    }
}

/// Revokes a token (RFC 7009 §2): an access token or a handover with its subtree, or by a task token the whole task where
/// its agent began the task, else the subtree and the engagement of the agent.
/// A token that is unknown, expired or malformed is a success too (RFC 7009 §2.2).
///
/// # Errors
/// [`Stop`]: not authenticated, `token` missing, another client's, a kind not revoked here, or failed.
async fn revoke(app: &App, caller: &Caller, params: &Params) -> Result<(), Stop> {
    let now = app.now().map_err(Stop::Failed)?;
    let config = app.config.load_full();
    let client = phases::authenticate(app, &config, caller, params, now, Kind::Revocation).await?;
    let mut event = RevocationEvent::default();
    let told = |event| {
        let what = What::Event(Outcome::Granted, Event::Revocation(event));
        Told::of_client(now, caller, &client, what)
    };
    let presenting = Presenting { app, config: &config, caller, client: &client.client().id, now };
    match run(presenting, &client, params, &mut event, &told).await {
        Ok(()) => Ok(()),
        Err(stop) => {
            Err(phases::record_stop(app, caller, &client, told(event), Kind::Revocation, stop).await)
        }
    }
}

async fn run(
    presenting: Presenting<'_>,
    client: &AuthenticatedClient,
    params: &Params,
    event: &mut RevocationEvent,
    told: &impl Fn(RevocationEvent) -> Told,
) -> Result<(), Stop> {
    let Presenting { app, config, now, .. } = presenting;
    let token = UnverifiedToken::scan(params.get("token").ok_or(Plain::TokenMissing)?);
    let change = match presenting.find(token.clone()).await.map_err(Stop::Failed)? {
        Err(_) if verification::is_foreign_kind(config, &token) => {
            return Err(Plain::TokenKindNotRevocable.into());
        }
        // With another signature it is another token, which was not issued: there is nothing to revoke.
        Err(fault) => {
            event.not_ours = Some(fault);
            Change::Nothing
        }
        Ok(Found { lineage, .. }) => {
            let delegation = &lineage.delegation;
            event.jti = Some(delegation.jti);
            event.task = Some(lineage.task.id);
            event.agent = delegation.holder().cloned();
            event.chain = delegation.chain.clone();
            event.subject = lineage.behind.subject().map(|subject| subject.reference);
            event.target = Some(delegation.target.clone());
            let agent = client.platform().map(|credential| {
                let workload = credential.workload();
                app.secrets.agent_id(AgentOf::Workload(workload.issuer(), workload.id()))
            });
            let revocation = revocation(&client.client().id, agent.as_ref(), delegation, &lineage.task)?;
            event.why = Some(revocation.why());
            Change::Control(Control::RevokeToken(revocation))
        }
    };
    let entry = Entry { one_time: client.one_time().to_vec(), change, told: Some(told(event.clone())), now };
    match app.store.record(entry).await? {
        Recorded::Replayed(cause) => Err(cause.into()),
        _ => Ok(()),
    }
}
