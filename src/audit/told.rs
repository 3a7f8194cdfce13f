//! What is to be told, before the row is made: the writer makes it once the effect is known.

use std::net::IpAddr;
use std::sync::Arc;

use super::effect::Outcome;
use super::envelope::Requester;
use super::event::Event;
use crate::base::time::Timestamp;
use crate::decision::{Check, Report};
use crate::oauth::{Cause, ClientId, RequestId};

/// What is to be told in a row.
#[derive(Clone, Debug)]
pub struct Told {
    pub at: Timestamp,
    pub request: Option<RequestId>,
    pub requester: Requester,
    /// The address that an unauthenticated request came from.
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
    pub const fn of_client(at: Timestamp, request: RequestId, client: ClientId, what: What) -> Self {
        Self { at, request: Some(request), requester: Requester::Client { client }, source: None, what }
    }

    /// Something the operator did.
    pub const fn of_operator(at: Timestamp, event: Event) -> Self {
        let what = What::Event(Outcome::Granted, event);
        Self { at, request: None, requester: Requester::Operator, source: None, what }
    }

    /// Something the server did by itself.
    pub const fn of_server(at: Timestamp, outcome: Outcome, event: Event) -> Self {
        let what = What::Event(outcome, event);
        Self { at, request: None, requester: Requester::Server, source: None, what }
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
