//! Introspection (RFC 7662): a resource server asks about the tokens that are meant for it.

use actix_web::HttpResponse;
use futures_util::future::try_join_all;
use serde_json::{Map, Value};

use crate::app::{App, Failure, Stop};
use crate::audit::counted::Alike;
use crate::audit::{Event, IntrospectionEvent, Kind, Outcome, Told, What};
use crate::base::time::Timestamp;
use crate::decision::is_active_for;
use crate::delegation::record::{DelegatorKind, TokenForm};
use crate::endpoint::forms::FormEndpoint;
use crate::endpoint::own::{Found, Presenting};
use crate::endpoint::phases;
use crate::http::caller::Caller;
use crate::http::reply;
use crate::issuance::recorded_claims;
use crate::metrics::Endpoint;
use crate::oauth::exchange::token_type_of;
use crate::oauth::{Confirmation, Jti, Params, Plain, TaskId};
use crate::store::{Change, Entry, Recorded};
use crate::verification::Presented;

/// Counted rows handed to the writer at a time.
const ROWS_AT_ONCE: usize = 256;

/// `POST /introspect` (RFC 7662 §2).
pub struct Introspection;

impl FormEndpoint for Introspection {
    const KIND: Kind = Kind::Introspection;
    const ENDPOINT: Endpoint = Endpoint::Introspect;

    type Answer = Value;

    async fn call(app: &App, caller: &Caller, params: &Params) -> Result<Value, Stop> {
        introspect(app, caller, params).await
    }

    fn reply(answer: &Value) -> HttpResponse {
        reply::ok(answer)
    }
}

/// Says whether a token is active, and what it holds (RFC 7662 §2).
///
/// # Errors
/// [`Stop`]: caller not authenticated, `token` missing, throttled, or failed. An inactive token is no error.
async fn introspect(app: &App, caller: &Caller, params: &Params) -> Result<Value, Stop> {
    let now = app.now().map_err(Stop::Failed)?;
    let config = app.config.load_full();
    let client = phases::authenticate(app, &config, caller, params, now, Kind::Introspection).await?;
    let server = &client.client().id;
    let what = What::Event(Outcome::Failed, Event::Introspection(IntrospectionEvent::default()));
    let told = Told::of_client(now, caller, &client, what);
    let record = |stop| phases::record_stop(app, caller, &client, told.clone(), Kind::Introspection, stop);
    let looked_up = match params.get("token") {
        None => Err(Plain::TokenMissing.into()),
        Some(token) => look_up(Presenting { app, config: &config, caller, client: server, now }, token).await,
    };
    let active = match looked_up {
        Ok(active) => active,
        Err(stop) => return Err(record(stop).await),
    };
    if !client.one_time().is_empty() {
        let entry = Entry { one_time: client.one_time().to_vec(), change: Change::Nothing, told: None, now };
        if let Recorded::Replayed(cause) = app.store.record(entry).await? {
            return Err(record(cause.into()).await);
        }
    }
    Ok(match active {
        None => serde_json::json!({"active": false}),
        Some(Active { jti, task, bound_to, delegator, claims }) => {
            let Told { requester, source, .. } = told;
            app.introspections.note(Alike { jti, task, requester, source });
            answer(claims, bound_to, delegator)
        }
    })
}

struct Active {
    jti: Jti,
    /// Absent for a token about an agent itself.
    task: Option<TaskId>,
    /// What it is bound to.
    bound_to: Option<Confirmation>,
    /// Whether a user or an agent is behind it.
    delegator: DelegatorKind,
    /// The token's own claims.
    claims: Map<String, Value>,
}

/// The token, if it is active for this resource server; `None` for every other case alike. It counts as a guess until it
/// is known not to be one, so that guesses are limited before they reach the database.
async fn look_up(presenting: Presenting<'_>, token: &str) -> Result<Option<Active>, Stop> {
    let throttle = presenting.app.throttle.load_full();
    let is_counted = throttle.takes_guess(presenting.client, presenting.now);
    let found = find(presenting, token, is_counted).await;
    match found {
        Ok(None) if !is_counted => Err(Plain::Throttled.into()),
        Ok(None) => Ok(None),
        Ok(Some(_)) | Err(_) => {
            if is_counted {
                throttle.give_guess_back(presenting.client);
            }
            Ok(found?)
        }
    }
}

async fn find(presenting: Presenting<'_>, token: &str, is_counted: bool) -> Result<Option<Active>, Failure> {
    let Presenting { app, config, client, now, .. } = presenting;
    let Ok(presented) = presenting.read(Presented::read(token)) else { return Ok(None) };
    // A caller that others make guess has to be answered about its good tokens all the same. Their signature, or the check
    // of an opaque token, tells them from guesses without the database.
    if !is_counted && presenting.verify(&presented).await?.is_err() {
        return Ok(None);
    }
    let Ok(Found { own, token }) = presenting.look_up(presented).await? else { return Ok(None) };
    if !is_active_for(config, client, &token, now) {
        return Ok(None);
    }
    let delegation = token.delegation();
    let claims = match &delegation.form {
        TokenForm::Jwt { .. } => own.into_claims(),
        TokenForm::Opaque { claims } => recorded_claims(&app.secrets, delegation.jti, claims)?,
    };
    Ok(Some(Active {
        jti: delegation.jti,
        task: token.task(),
        bound_to: delegation.bound_to,
        delegator: delegation.behalf.kind(),
        claims,
    }))
}

/// The token's own claims, `cnf` among them (RFC 7662 §2.2, RFC 8693 §7.4, RFC 9449 §6.2, RFC 8705 §3.2), and whether a
/// user or an agent is behind it; no more.
fn answer(
    mut members: Map<String, Value>,
    bound_to: Option<Confirmation>,
    delegator: DelegatorKind,
) -> Value {
    members.insert("active".to_owned(), Value::Bool(true));
    members.insert("delegator_kind".to_owned(), delegator.word().into());
    members.insert("token_type".to_owned(), token_type_of(bound_to).into());
    Value::Object(members)
}

/// Writes what was counted: one row for those that are [`Alike`].
///
/// # Errors
/// The store; what was not written is lost to the count, not to the answers.
pub async fn record_counted(app: &App, now: Timestamp) -> Result<(), Failure> {
    let mut counted = app.introspections.take().into_iter().peekable();
    while counted.peek().is_some() {
        // Together, so that they share a commit.
        let rows =
            counted.by_ref().take(ROWS_AT_ONCE).map(|(Alike { jti, task, requester, source }, count)| {
                let event = IntrospectionEvent { jti: Some(jti), task, count: Some(count) };
                app.store.record(Entry::note(Told {
                    at: now,
                    request: None,
                    requester,
                    source,
                    what: What::Event(Outcome::Granted, Event::Introspection(event)),
                }))
            });
        try_join_all(rows).await?;
    }
    Ok(())
}
