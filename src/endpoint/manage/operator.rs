//! Who the operator is: the user of the machine whose process opened the admin socket. What that user does is recorded
//! with the uid, and a verb that did nothing is recorded too.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::{Error, web};

use crate::app::App;
use crate::audit::{Event, Outcome, Told, VerbEvent, What};
use crate::base::time::Timestamp;
use crate::store::Entry;

/// The longest path that is recorded, in bytes of ASCII.
const MAX_VERB: usize = 256;

tokio::task_local! {
    /// The user whose verb is being carried out. Every handler is called by [`act`], which sets it.
    static UID: Option<u32>;
}

/// The user at the other end of a connection to the admin socket.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub uid: u32,
}

/// The user whose verb is being carried out, where the system told it.
pub fn uid() -> Option<u32> {
    UID.try_with(|uid| *uid).ok().flatten()
}

/// What is recorded of an act of the operator.
pub fn told(at: Timestamp, event: Event) -> Told {
    Told::of_operator(at, uid(), event)
}

/// Carries out a verb that changes something, and records it if it did nothing: then no handler has.
pub async fn act<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let uid = request.conn_data::<Peer>().map(|peer| peer.uid);
    UID.scope(uid, async {
        let response = next.call(request).await?;
        if let (Some(outcome), Some(app)) =
            (outcome(response.status()), response.request().app_data::<web::Data<App>>())
        {
            record(app, response.request().path(), outcome).await;
        }
        Ok(response)
    })
    .await
}

/// How a verb came out that did nothing; `None` if it did something.
fn outcome(status: StatusCode) -> Option<Outcome> {
    let refused = |why: &'static str| Some(Outcome::Refused { cause: why.into(), reason: why.into() });
    match status {
        status if status.is_success() => None,
        // The transaction that found it has recorded it.
        StatusCode::CONFLICT => None,
        StatusCode::NOT_FOUND => refused("not_found"),
        status if status.is_client_error() => refused("invalid_request"),
        _ => Some(Outcome::Failed),
    }
}

async fn record(app: &App, path: &str, outcome: Outcome) {
    let verb = path.chars().filter(char::is_ascii_graphic).take(MAX_VERB).collect();
    let mut told = told(app.latest(), Event::Verb(VerbEvent { verb }));
    if let What::Event(granted, _) = &mut told.what {
        *granted = outcome;
    }
    if let Err(error) = app.store.record(Entry::note(told)).await {
        // The operator was told already that nothing was done.
        tracing::warn!(%error, "a verb that did nothing could not be recorded");
    }
}
