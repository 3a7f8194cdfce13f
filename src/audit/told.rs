//! What is to be told, before the row is made: the writer makes it once the effect is known.

use std::net::IpAddr;
use std::sync::Arc;

use super::effect::{Outcome, Pinned};
use super::envelope::Requester;
use super::event::Event;
use crate::base::time::Timestamp;
use crate::client_auth::AuthenticatedClient;
use crate::decision::{Check, Report};
use crate::http::caller::Caller;
use crate::oauth::{Cause, RequestId};

/// What is to be told in a row.
#[derive(Clone, Debug)]
pub struct Told {
    pub at: Timestamp,
    pub request: Option<RequestId>,
    pub requester: Requester,
    /// The address that a request over HTTP came from, as it is recorded.
    pub source: Option<IpAddr>,
    pub what: What,
}

/// What happened, as far as it is known before the effect.
#[derive(Clone, Debug)]
pub enum What {
    /// A token request, by the report of its decision.
    Exchange(Arc<Report>),
    Event(Outcome, Event),
}

impl Told {
    /// A request of an authenticated client.
    pub fn of_client(at: Timestamp, caller: &Caller, client: &AuthenticatedClient, what: What) -> Self {
        let requester =
            Requester::Client { client: client.client().id.clone(), kid: client.kid().map(str::to_owned) };
        Self { at, request: Some(caller.request), requester, source: caller.recorded_source, what }
    }

    /// Something the operator did, from a process of the user `uid`.
    pub const fn of_operator(at: Timestamp, uid: Option<u32>, event: Event) -> Self {
        let what = What::Event(Outcome::Granted, event);
        Self { at, request: None, requester: Requester::Operator { uid }, source: None, what }
    }

    /// Something the server did by itself.
    pub const fn of_server(at: Timestamp, outcome: Outcome, event: Event) -> Self {
        let what = What::Event(outcome, event);
        Self { at, request: None, requester: Requester::Server, source: None, what }
    }

    /// What is told in a row of its own about the pin of the actor's credential, beside the row of the request.
    pub fn of_pin(&self, pinned: &Pinned, cause: Option<&Cause>) -> Self {
        let outcome = cause.map_or(Outcome::Granted, Outcome::refused);
        let event = match pinned {
            Pinned::First(event) => Event::Pin(Box::new(event.clone())),
            Pinned::Refused(event) => Event::PinRefused(Box::new(event.clone())),
        };
        Self { what: What::Event(outcome, event), ..self.clone() }
    }

    /// This, refused for `cause`. A report keeps the check at which it had stopped, if it had.
    pub fn refuse(&mut self, cause: &Cause) {
        match &mut self.what {
            What::Exchange(report) if report.stopped().is_none() => {
                Arc::make_mut(report).refuse_at(Check::Binding, cause.clone());
            }
            What::Exchange(_) => {}
            What::Event(outcome, _) => *outcome = Outcome::refused(cause),
        }
    }

    /// This, refused because of the state of what it is about.
    pub fn not_done(&mut self, why: &'static str) {
        if let What::Event(outcome, _) = &mut self.what {
            let word = std::borrow::Cow::Borrowed(why);
            *outcome = Outcome::Refused { cause: word.clone(), reason: word };
        }
    }

    pub fn fail(&mut self) {
        match &mut self.what {
            What::Exchange(report) if report.stopped().is_none() => {
                Arc::make_mut(report).fail_at(Check::Answer);
            }
            What::Exchange(_) => {}
            What::Event(outcome, _) => *outcome = Outcome::Failed,
        }
    }
}
