//! What is known of the login token of a first hop, for the decision that is made once more.

use super::Ledger;
use crate::decision::{FirstHop, Terms};
use crate::delegation::plan::LoginRecord;
use crate::delegation::record::{Login, SignedIn, Task};
use crate::store::readings::of_session;

impl Ledger {
    /// What was loaded of the login token, of its user and of the agent that is to act.
    pub(super) fn login_record(&self, terms: &Terms, hop: &FirstHop) -> LoginRecord {
        let SignedIn { subject, login: presented } = &hop.user;
        let name = (subject.issuer.clone(), subject.upstream.clone());
        let mut uses: Vec<(Login, Task)> = self
            .logins
            .values()
            .filter(|login| login.id_token_hash == presented.id_token_hash)
            .filter_map(|login| Some((login.clone(), self.tasks.get(&login.task)?.clone())))
            .collect();
        uses.sort_by_key(|(login, _)| login.id);
        LoginRecord {
            subject: self.names.get(&name).and_then(|reference| self.subjects.get(reference)).cloned(),
            agent: self.agents.get(&terms.actor.id).cloned(),
            uses,
            of_session: match of_session(presented, &terms.actor) {
                None => Vec::new(),
                Some(_) => self
                    .tasks
                    .values()
                    .filter(|task| task.session == presented.session && task.client == terms.client)
                    .cloned()
                    .collect(),
            },
            named: hop.named_task.and_then(|id| self.tasks.get(&id)).cloned(),
            stops: self.stops.clone(),
        }
    }
}
