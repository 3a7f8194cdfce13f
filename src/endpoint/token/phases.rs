//! What every grant has in common: what it is called with, and how its outcome is recorded.

use crate::app::{App, Stop};
use crate::audit::{AuditRow, Event, Outcome};
use crate::base::time::Timestamp;
use crate::client_auth::AuthenticatedClient;
use crate::decision::{Report, World};
use crate::endpoint::phases;
use crate::http::caller::Caller;

/// A token request whose client is authenticated: what a grant is called with.
pub struct Call<'a> {
    /// The server.
    pub app: &'a App,
    /// Who sent the request.
    pub caller: &'a Caller,
    /// The configuration and the policy that decide it.
    pub world: &'a World,
    /// The client.
    pub client: &'a AuthenticatedClient,
    /// The time of the request.
    pub now: Timestamp,
}

/// Why a grant gives no token, and the report that the refusal is recorded from.
pub type Stopped = (Box<Report>, Stop);

impl Call<'_> {
    /// The audit row of this request, from the report of its decision.
    pub fn row(&self, report: &Report) -> AuditRow {
        row(report, self.caller, self.now)
    }

    /// Records why there is no token, and returns what the reply is to say.
    pub async fn record(&self, (report, stop): Stopped) -> Stop {
        phases::record_stop(self.app, self.caller, self.client, self.row(&report), stop).await
    }
}

/// The audit row of an exchange, from its report.
fn row(report: &Report, caller: &Caller, now: Timestamp) -> AuditRow {
    let mut row = AuditRow::new(now, Event::Exchange, Outcome::Granted);
    let who = &report.who;
    row.request = Some(caller.request);
    row.client = Some(who.client.clone());
    row.agent.clone_from(&who.agent);
    row.class.clone_from(&who.class);
    row.chain.clone_from(&who.chain);
    row.subject = who.subject;
    row.task = who.task;
    row.task_begun = who.begins_task;
    row.purpose = who.purpose.as_ref().map(|purpose| purpose.as_str().to_owned());
    row.login = who.login;
    row.parent = who.parent;
    if let Some(facts) = &who.presented {
        row.provider = Some(facts.provider.to_string());
        row.levels = facts.levels.iter().cloned().collect();
    }
    row.target.clone_from(&report.asked.target);
    row.scope_asked.clone_from(&report.asked.scope);
    row.policy = report.policy.as_ref().map(|policy| policy.decision.record.clone());
    if report.is_birthdate_malformed {
        row.detail = Some("birthdate_invalid".to_owned());
    }
    if let (Some(grant), None) = (&report.grant, report.stopped()) {
        row.token_kind = Some(match grant.kind {
            crate::delegation::record::TokenKind::Task => "task".to_owned(),
            crate::delegation::record::TokenKind::Access => "access".to_owned(),
        });
        row.scope = Some(grant.scope.clone());
        row.expires_at = Some(grant.expires_at.seconds());
    }
    row
}
