//! Reads what the tokens of a group depend on inside their transaction, and what a single request needs outside it.

use std::collections::BTreeSet;

use super::StoreError;
use super::ledger::Ledger;
use super::logins::LoginRow;
use super::readings::{Found, Wanted};
use super::rows::{Hash, Key};
use super::statement::{Done, Failure, Lock};
use super::subjects::SubjectRow;
use super::tasks::TaskRow;
use super::tokens::TokenRow;
use super::transaction::Transaction;
use crate::delegation::plan::LoginRecord;
use crate::delegation::record::{Agent, Lineage, Login, Subject, Task};
use crate::oauth::{AgentId, Issuer, Jti, TaskId};

/// Fills `ledger` with what the tokens of a group depend on. `logins` are those that their login tokens made: rows of
/// `login` never change, and which tasks a login token fed has to be known to lock them.
pub(super) async fn load<S: Transaction>(
    session: &mut S,
    ledger: &mut Ledger,
    wanted: &mut Wanted,
    logins: &[LoginRow],
) -> Done {
    for row in logins {
        ledger.know_login(row.clone())?;
    }
    wanted.fed_by(logins);
    let gathered = session.gather(wanted).await?;
    // The ancestors of a token are read from its path, not taken from the caller.
    let unnamed = unnamed_ancestors(&gathered.tokens, wanted)?;
    ledger.know(gathered)?;
    for row in session.tokens(&unnamed).await? {
        ledger.know_token(row)?;
    }
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
pub(super) async fn lineage<S: Transaction>(session: &mut S, jti: Jti) -> Result<Option<Lineage>, Failure> {
    let found = session.lineage(jti.into()).await?;
    Ok(found.map(Found::into_lineage).transpose()?.flatten())
}

/// What is recorded about an ID token, its user and an agent.
pub(super) async fn login_record<S: Transaction>(
    session: &mut S,
    id_token_hash: &[u8; 32],
    (issuer, upstream): (&Issuer, &str),
    agent: Option<&AgentId>,
    named: Option<TaskId>,
) -> Result<LoginRecord, Failure> {
    let logins: Vec<LoginRow> = session.logins_of_id_tokens(&[Hash(*id_token_hash)]).await?;
    let mut ids: BTreeSet<Key> = logins.iter().map(|login| login.task).collect();
    ids.extend(named.map(Key::from));
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

    let name = (issuer.as_str().to_owned(), upstream.to_owned());
    let subjects: Vec<SubjectRow> = session.subjects_named(&[name], Lock::None).await?;
    let agents: Vec<String> = agent.map(|agent| agent.as_str().to_owned()).into_iter().collect();
    let mut agents = session.agents(&agents, Lock::None).await?;
    Ok(LoginRecord {
        subject: subjects.into_iter().next().map(Subject::from),
        agent: agents.pop().map(Agent::try_from).transpose()?,
        uses,
        named: named.and_then(find),
    })
}
