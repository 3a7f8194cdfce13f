//! Reads what the tokens of a group depend on inside their transaction, and what a single request needs outside it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ledger::Ledger;
use super::logins::LoginRow;
use super::readings::{Wanted, of_session};
use super::rows::{Hash, Key};
use super::statement::{Done, Failure, Lock};
use super::stops::{Known, Memory, STOP_COUNTER};
use super::subjects::SubjectRow;
use super::tasks::TaskRow;
use super::tokens::TokenRow;
use super::transaction::Transaction;
use super::{StoreError, Surroundings, ending, lookup};
use crate::base::time::Timestamp;
use crate::delegation::alone::KnownToken;
use crate::delegation::plan::LoginRecord;
use crate::delegation::record::{Agent, Login, LoginFacts, Subject, Task};
use crate::delegation::recorded::AgentRecord;
use crate::delegation::stops::StopNumber;
use crate::issuance::SignedToken;
use crate::oauth::{Jti, TaskId};

/// Fills `ledger` with what the tokens of a group depend on. `logins` are those that their login tokens made: rows of
/// `login` never change, and which tasks a login token fed has to be known to lock them.
pub(super) async fn load<S: Transaction>(
    session: &mut S,
    ledger: &mut Ledger,
    wanted: &mut Wanted,
    logins: &[LoginRow],
    issues: &[&SignedToken],
    (known, now): (&Known, Timestamp),
) -> Done {
    for row in logins {
        ledger.know_login(row.clone())?;
    }
    wanted.fed_by(logins);
    for of in std::mem::take(&mut wanted.sessions) {
        let tasks = session.tasks_of_session(&of, now.millis()).await?;
        wanted.add_tasks(tasks);
    }
    let mut gathered = session.gather(wanted).await?;
    if gathered.is_releasing {
        gathered.agents = ending::as_released(session, gathered.agents).await?;
    }
    // The ancestors of a token are read from its path, not taken from the caller.
    let unnamed = unnamed_ancestors(&gathered.tokens, wanted)?;
    ledger.know(gathered)?;
    for row in session.tokens(&unnamed).await? {
        ledger.know_token(row)?;
    }
    let stops = known.about(session, ledger.sessions(issues), ledger.agents(issues)).await?;
    ledger.know_stops(stops);
    Ok(())
}

/// The tokens above the parents by their paths that were not read with them.
fn unnamed_ancestors(tokens: &[TokenRow], wanted: &Wanted) -> Result<Vec<Key>, StoreError> {
    let mut unnamed = Vec::new();
    for token in tokens {
        let (_, jtis) = token.lineage()?;
        unnamed.extend(jtis.into_iter().filter(|jti| wanted.ancestors.binary_search(jti).is_err()));
    }
    unnamed.sort_unstable();
    unnamed.dedup();
    Ok(unnamed)
}

/// One token with every record that its validity depends on.
pub(super) async fn token<S: Transaction>(
    session: &mut S,
    memory: &Memory,
    jti: Jti,
) -> Result<Option<KnownToken>, Failure> {
    let known = memory.known();
    let Some(found) = session.lineage(jti.into()).await? else { return Ok(None) };
    let known = up_to(session, memory, known, found.stops).await?;
    let Some(mut token) = found.into_known()? else { return Ok(None) };
    match &mut token {
        KnownToken::InTask(lineage) => {
            let of_login = lineage.behind.login().and_then(|login| login.session);
            let sessions = lineage.task.session.into_iter().chain(of_login);
            lineage.stops = known.about(session, sessions, lineage.agents.iter()).await?;
        }
        KnownToken::Alone(token) => {
            token.stops = known.about(session, std::iter::empty(), token.agent.iter()).await?;
        }
    }
    Ok(Some(token))
}

/// What is known of the stops, read again where the database has more of them.
async fn up_to<S: Transaction>(
    session: &mut S,
    memory: &Memory,
    known: Arc<Known>,
    number: i64,
) -> Result<Arc<Known>, Failure> {
    let known = known.up_to(session, StopNumber::new(number)).await?;
    memory.remember(&known);
    Ok(known)
}

/// What is recorded of an agent that asks for itself.
pub(super) async fn agent_record<S: Transaction>(
    session: &mut S,
    memory: &Memory,
    agent: &Agent,
) -> Result<AgentRecord, Failure> {
    let known = memory.known();
    let number = session.number(STOP_COUNTER).await?.unwrap_or(0);
    let known = up_to(session, memory, known, number).await?;
    let stops = known.about(session, std::iter::empty(), std::iter::once(agent)).await?;
    let found = session.agents(&[agent.id.as_str().to_owned()], Lock::None).await?.pop();
    Ok(AgentRecord { agent: found.map(Agent::try_from).transpose()?, stops })
}

/// What is recorded about a login token, its user and an agent.
pub(super) async fn login_record<S: Transaction>(
    session: &mut S,
    memory: &Memory,
    login: &LoginFacts,
    upstream: &str,
    agent: Option<&Agent>,
    named: Option<TaskId>,
    now: Timestamp,
) -> Result<LoginRecord, Failure> {
    let known = memory.known();
    let number = session.number(STOP_COUNTER).await?.unwrap_or(0);
    let known = up_to(session, memory, known, number).await?;
    let logins: Vec<LoginRow> = session.logins_of_id_tokens(&[Hash(login.id_token_hash)]).await?;
    let mut ids: BTreeSet<Key> = logins.iter().map(|login| login.task).collect();
    ids.extend(named.map(Key::from));
    let of_session = match agent.and_then(|agent| of_session(login, agent)) {
        Some(of) => session.tasks_of_session(&of, now.millis()).await?,
        None => Vec::new(),
    };
    ids.extend(&of_session);
    let tasks: Vec<TaskRow> = session.tasks(&ids.iter().copied().collect::<Vec<_>>(), Lock::None).await?;
    let tasks = tasks.into_iter().map(Task::try_from).collect::<Result<Vec<_>, _>>()?;
    let find = |id: TaskId| tasks.iter().find(|task| task.id == id).cloned();

    let mut uses = Vec::with_capacity(logins.len());
    for login in logins {
        let login = Login::try_from(login)?;
        if let Some(task) = find(login.task) {
            uses.push((login, task));
        }
    }
    uses.sort_by_key(|(login, _)| login.id);

    let sessions = tasks.iter().filter_map(|task| task.session).chain(login.session);
    let stops = known.about(session, sessions, agent.into_iter()).await?;
    let name = (login.provider.as_str().to_owned(), upstream.to_owned());
    let subjects: Vec<SubjectRow> = session.subjects_named(&[name], Lock::None).await?;
    let agents: Vec<String> = agent.map(|agent| agent.id.as_str().to_owned()).into_iter().collect();
    let mut agents = session.agents(&agents, Lock::None).await?;
    Ok(LoginRecord {
        subject: subjects.into_iter().next().map(Subject::from),
        agent: agents.pop().map(Agent::try_from).transpose()?,
        uses,
        of_session: of_session.into_iter().filter_map(|id| find(id.into())).collect(),
        named: named.and_then(find),
        stops,
    })
}

/// What these tasks and agents depend on besides their own rows.
pub(super) async fn surroundings<S: Transaction>(
    session: &mut S,
    memory: &Memory,
    tasks: &[Task],
    agents: &[Agent],
) -> Result<Surroundings, Failure> {
    let known = memory.known();
    let number = session.number(STOP_COUNTER).await?.unwrap_or(0);
    let known = up_to(session, memory, known, number).await?;
    let subjects: BTreeSet<Key> =
        tasks.iter().filter_map(|task| task.delegator.user()).map(Key::from).collect();
    let subjects = session.subjects(&subjects.into_iter().collect::<Vec<_>>(), Lock::None).await?;
    let ids: BTreeSet<String> = tasks.iter().map(|task| task.agent.as_str().to_owned()).collect();
    let of_tasks = lookup::agents(session, &ids.into_iter().collect::<Vec<_>>()).await?;
    let sessions = tasks.iter().filter_map(|task| task.session);
    Ok(Surroundings {
        stops: known.about(session, sessions, agents.iter()).await?,
        subjects: subjects.into_iter().map(Subject::from).collect(),
        agents: lookup::all(of_tasks)?,
    })
}
