//! What every grant has in common: what it is called with, and how its outcome is recorded.

use std::sync::Arc;

use crate::app::{App, Failure, Stop};
use crate::audit::{Kind, Told, What};
use crate::base::time::Timestamp;
use crate::client_auth::AuthenticatedClient;
use crate::decision::{Report, World};
use crate::endpoint::phases;
use crate::http::caller::Caller;

/// A token request whose client is authenticated: what a grant is called with.
pub struct Call<'a> {
    pub app: &'a App,
    /// Who sent the request.
    pub caller: &'a Caller,
    /// The configuration and the policy that decide it.
    pub world: &'a World,
    pub client: &'a AuthenticatedClient,
    pub now: Timestamp,
}

/// Why there is no token.
pub enum Stopped {
    /// Still to be recorded, by this report.
    Unrecorded(Arc<Report>, Stop),
    /// The transaction that found it has recorded it.
    Recorded(Stop),
    /// The configuration that decided is no longer in force: nothing was written or used up.
    Superseded,
}

impl Call<'_> {
    /// What is recorded of this request: the report, from which the row is made once the effect is known.
    pub fn told(&self, report: Arc<Report>) -> Told {
        debug_assert_eq!(report.who.client, self.client.client().id, "a report of another client");
        Told::of_client(self.now, self.caller, self.client, What::Exchange(report))
    }

    /// Records why there is no token, and returns what the reply is to say.
    pub async fn record(&self, stopped: Stopped) -> Stop {
        let (report, stop) = match stopped {
            Stopped::Recorded(stop) => return stop,
            Stopped::Superseded => return Stop::Failed(Failure::Contention),
            Stopped::Unrecorded(report, stop) => (report, stop),
        };
        let told = self.told(report);
        phases::record_stop(self.app, self.caller, self.client, told, Kind::Exchange, stop).await
    }
}
