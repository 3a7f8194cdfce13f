//! What a stop would end, counted up to a limit, so that an operator sees it before they do it.

use super::StopCount;
use super::entry::Whom;
use super::rows::Hash;
use super::statement::Failure;
use super::stops::BEGINNING;
use super::tasks::OpenTask;
use super::transaction::Transaction;
use crate::delegation::stops::Stoppable;

/// As many tasks or agents are counted at most.
const LIMIT: i64 = 10_000;
/// As many open tasks are read by one statement.
const READ: i64 = 1000;

/// Which agents a stop is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum AgentsOf<'a> {
    One(&'a str),
    Client(&'a str),
    Issuer(&'a str),
    Class(&'a str),
    /// Of an issuer, by the stable or the instance id.
    Workload(&'a str, &'a str),
}

/// Counts the open tasks and the agents that are not over.
pub(super) async fn count_stopped<S: Transaction>(
    session: &mut S,
    what: &Whom,
) -> Result<StopCount, Failure> {
    let mut count = StopCount { limit: LIMIT as usize, ..StopCount::default() };
    let party = match what {
        Whom::User { provider, upstream, .. } => {
            let name = (provider.as_str().to_owned(), upstream.clone());
            let found = session.subjects_named(&[name], super::statement::Lock::None).await?.pop();
            let Some(subject) = found else { return Ok(count) };
            count.tasks = session.next_of_subject(subject.reference, BEGINNING, LIMIT).await?.len();
            return Ok(count);
        }
        Whom::Other(party) => party,
    };
    let agents = match party {
        Stoppable::Agent(agent) => Some(AgentsOf::One(agent.as_str())),
        Stoppable::Client(client) => Some(AgentsOf::Client(client.as_str())),
        Stoppable::Issuer(issuer) => Some(AgentsOf::Issuer(issuer.as_str())),
        Stoppable::Class(class) => Some(AgentsOf::Class(class)),
        Stoppable::Workload(issuer, id) => Some(AgentsOf::Workload(issuer.as_str(), id)),
        Stoppable::User(_)
        | Stoppable::Session(_)
        | Stoppable::Target(_)
        | Stoppable::Provider(_)
        | Stoppable::RelyingParty(..)
        | Stoppable::Everything => None,
    };
    if let Some(agents) = agents {
        count.agents = session.live_agents(agents, LIMIT).await?.len();
    }
    count.tasks = match party {
        Stoppable::Agent(agent) => session.next_of_agent(agent.as_str(), BEGINNING, LIMIT).await?.len(),
        Stoppable::Client(_) | Stoppable::Provider(_) | Stoppable::Session(_) => {
            count_tasks(session, party).await?
        }
        _ => 0,
    };
    Ok(count)
}

/// The open tasks that name a client, a provider or a session, among those that are read.
async fn count_tasks<S: Transaction>(session: &mut S, party: &Stoppable) -> Result<usize, Failure> {
    let (mut place, mut found) = (BEGINNING, 0);
    // Enough of those that do not name it are passed over to find the limit where one in ten does.
    for _ in 0..100 {
        let tasks: Vec<(OpenTask, Option<String>)> = session.next_open(place, READ).await?;
        found += tasks.iter().filter(|(task, provider)| names(task, provider.as_deref(), party)).count();
        match tasks.last() {
            Some(((id, ..), _)) if (tasks.len() as i64) == READ && (found as i64) < LIMIT => place = *id,
            _ => break,
        }
    }
    Ok(found.min(LIMIT as usize))
}

/// Whether a task, whose user is of this provider if it has one, names this party.
pub(super) fn names((_, client, session, _): &OpenTask, provider: Option<&str>, party: &Stoppable) -> bool {
    match party {
        Stoppable::Client(id) => client == id.as_str(),
        Stoppable::Provider(issuer) => provider == Some(issuer.as_str()),
        Stoppable::Session(hash) => *session == Some(Hash(*hash)),
        Stoppable::Everything => true,
        Stoppable::User(_)
        | Stoppable::Agent(_)
        | Stoppable::Workload(..)
        | Stoppable::Class(_)
        | Stoppable::Target(_)
        | Stoppable::RelyingParty(..)
        | Stoppable::Issuer(_) => false,
    }
}
