//! Revocation (RFC 7009): a token and everything below it, durably before the answer.

use actix_web::HttpResponse;

use crate::app::{App, Stop};
use crate::audit::{Event, Kind, Outcome, RevocationEvent, Told, What};
use crate::client_auth::AuthenticatedClient;
use crate::decision::revocation;
use crate::delegation::alone::KnownToken;
use crate::endpoint::forms::FormEndpoint;
use crate::endpoint::own::{Found, Presenting};
use crate::endpoint::phases;
use crate::http::caller::Caller;
use crate::http::reply;
use crate::keys::AgentOf;
use crate::metrics::Endpoint;
use crate::oauth::{AgentId, Cause, Params, Plain};
use crate::store::{Change, Control, Entry, Recorded};
use crate::verification::{Presented, VerifiedProof, is_foreign_kind};

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

/// Which agent asks.
struct Asking {
    /// The agent that the credential of a platform names, alone or with the key that the request proves.
    agent: Option<AgentId>,
    /// The proof of that key. Where no key names the agent, none is looked at.
    proof: Option<VerifiedProof>,
}

impl Asking {
    /// # Errors
    /// A key names the agent, and its proof is missing or bad.
    fn of(presenting: Presenting<'_>, client: &AuthenticatedClient) -> Result<Self, Cause> {
        let Presenting { app, config, caller, now, .. } = presenting;
        let Some(platform) = client.platform() else { return Ok(Self { agent: None, proof: None }) };
        let credential = platform.credential();
        let proof = match credential.is_named_by_key() {
            true => VerifiedProof::of_request(config, &app.secrets, (&caller.dpop, "/revoke"), now)?,
            false => None,
        };
        let workload = credential.presented_with(proof.as_ref().map(VerifiedProof::thumbprint));
        let workload = workload.ok_or(Plain::ProofMissing)?;
        let agent = app.secrets.agent_id(AgentOf::Workload(workload.issuer(), workload.id()));
        Ok(Self { agent: Some(agent), proof })
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
    let asking = Asking::of(presenting, client)?;
    let token = Presented::read(params.get("token").ok_or(Plain::TokenMissing)?);
    let change = match presenting.find(token.clone()).await.map_err(Stop::Failed)? {
        Err(_) if is_foreign_kind(config, &token) => {
            return Err(Plain::TokenKindNotRevocable.into());
        }
        // With another signature it is another token, which was not issued: there is nothing to revoke.
        Err(fault) => {
            event.not_ours = Some(fault);
            Change::Nothing
        }
        Ok(Found { token, .. }) => {
            let delegation = token.delegation();
            event.jti = Some(delegation.jti);
            event.task = token.task();
            event.agent = delegation.holder().cloned();
            event.chain = delegation.chain.clone();
            event.subject = token.user();
            event.target = Some(delegation.target.clone());
            let task = match &token {
                KnownToken::InTask(lineage) => Some(&lineage.task),
                KnownToken::Alone(_) => None,
            };
            let revocation = revocation(&client.client().id, asking.agent.as_ref(), delegation, task)?;
            event.why = Some(revocation.why());
            Change::Control(Control::RevokeToken(revocation))
        }
    };
    let used = asking.proof.as_ref().map(VerifiedProof::used);
    let one_time = client.one_time().iter().chain(used).cloned().collect();
    let entry = Entry { one_time, change, told: Some(told(event.clone())), now };
    match app.store.record(entry).await? {
        Recorded::Replayed(cause) => Err(cause.into()),
        _ => Ok(()),
    }
}
