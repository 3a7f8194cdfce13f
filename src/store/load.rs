//! Reads everything that entries hang on: for the issues of a group in a few statements, inside their
//! transaction; for one request's own reading, outside.

use std::collections::BTreeSet;

use super::StoreError;
use super::ledger::Ledger;
use super::logins::LoginRow;
use super::rows::{Hash, Key};
use super::statement::{Done, Failure, Lock};
use super::subjects::SubjectRow;
use super::tasks::TaskRow;
use super::tokens::TokenRow;
use super::transaction::Transaction;
use crate::decision::Origin;
use crate::delegation::plan::LoginRecord;
use crate::delegation::record::{Agent, Lineage, Login, Subject, Task};
use crate::issuance::SignedToken;
use crate::oauth::{AgentId, Issuer, Jti, TaskId};

/// The keys that the issues of a group name.
#[derive(Default)]
struct Wanted {
    id_tokens: BTreeSet<Hash>,
    names: BTreeSet<(String, String)>,
    tasks: BTreeSet<Key>,
    tasks_of_parents: BTreeSet<Key>,
    logins: BTreeSet<Key>,
    agents: BTreeSet<String>,
    parents: BTreeSet<Key>,
}

impl Wanted {
    fn of<'a>(issues: impl IntoIterator<Item = &'a SignedToken>) -> Self {
        let mut wanted = Self::default();
        for issue in issues {
            let terms = issue.terms();
            wanted.agents.insert(terms.actor.id.as_str().to_owned());
            wanted.agents.extend(terms.proposal.chain.iter().map(|agent| agent.as_str().to_owned()));
            match &terms.origin {
                Origin::FirstHop(hop) => {
                    wanted.id_tokens.insert(Hash(terms.facts.id_token_hash));
                    let subject = &terms.subject;
                    wanted.names.insert((subject.issuer.as_str().to_owned(), subject.upstream.clone()));
                    wanted.tasks.extend(hop.named_task.map(Key::from));
                }
                Origin::Later { parent } => {
                    wanted.parents.insert(Key::from(*parent));
                    wanted.tasks_of_parents.insert(Key::from(terms.task));
                    wanted.logins.insert(Key::from(terms.login));
                }
            }
        }
        wanted
    }
}

fn list<T: Clone>(set: &BTreeSet<T>) -> Vec<T> {
    set.iter().cloned().collect()
}

/// Fills `ledger` with what `issues` hang on. Locks go in one order, subjects before agents before
/// tasks, each by id, as those of [`super::control`] do; what may have changed before its lock was
/// granted is read with the lock or after it.
pub(super) async fn load<S: Transaction>(
    session: &mut S,
    ledger: &mut Ledger,
    issues: &[&SignedToken],
) -> Done {
    let mut wanted = Wanted::of(issues.iter().copied());

    // Rows of `login` never change; which tasks an ID token fed has to be known to lock them.
    let fed = session.logins_of_id_tokens(&list(&wanted.id_tokens)).await?;
    wanted.tasks.extend(fed.iter().map(|login| login.task));
    for row in fed {
        ledger.know_login(row)?;
    }
    let parents =
        if S::LOCKS { Vec::new() } else { joined_parents(session, ledger, &wanted.parents).await? };
    if S::LOCKS {
        wanted.tasks.append(&mut wanted.tasks_of_parents);
    }
    let tasks = session.tasks(&list(&wanted.tasks), Lock::None).await?;
    let references: BTreeSet<Key> = tasks.iter().map(|task| task.subject).collect();

    if !references.is_empty() {
        for row in session.subjects(&list(&references), Lock::Share).await? {
            ledger.know_subject(row);
        }
    }
    if !wanted.names.is_empty() {
        for row in session.subjects_named(&list(&wanted.names), Lock::Share).await? {
            ledger.know_subject(row);
        }
    }
    for row in session.agents(&list(&wanted.agents), Lock::Share).await? {
        ledger.know_agent(row)?;
    }
    let tasks = if S::LOCKS { session.tasks(&list(&wanted.tasks), Lock::Share).await? } else { tasks };
    for row in tasks {
        ledger.know_task(row)?;
    }
    for (kid, revoked_at) in session.key_states(Lock::Share).await? {
        ledger.know_key(kid, revoked_at.is_none());
    }

    let parents = if S::LOCKS {
        for row in session.logins(&list(&wanted.logins)).await? {
            ledger.know_login(row)?;
        }
        session.tokens(&list(&wanted.parents)).await?
    } else {
        parents
    };
    let ancestors = ancestors_of(&parents, &wanted.parents)?;
    for row in session.tokens(&list(&ancestors)).await?.into_iter().chain(parents) {
        ledger.know_token(row)?;
    }
    Ok(())
}

/// Where nothing is locked, one join finds a parent with its login, task and user.
async fn joined_parents<S: Transaction>(
    session: &mut S,
    ledger: &mut Ledger,
    jtis: &BTreeSet<Key>,
) -> Result<Vec<TokenRow>, Failure> {
    let mut parents = Vec::with_capacity(jtis.len());
    for jti in jtis {
        if let Some((token, login, task, subject)) = session.lineage(*jti).await? {
            ledger.know_login(login)?;
            ledger.know_task(task)?;
            ledger.know_subject(subject);
            parents.push(token);
        }
    }
    Ok(parents)
}

/// The ancestors that the tokens' paths name, without those known already.
fn ancestors_of(tokens: &[TokenRow], known: &BTreeSet<Key>) -> Result<BTreeSet<Key>, StoreError> {
    let mut ancestors = BTreeSet::new();
    for token in tokens {
        let (_, jtis) = token.lineage()?;
        ancestors.extend(jtis.into_iter().filter(|jti| !known.contains(jti)));
    }
    Ok(ancestors)
}

/// One token with everything its life hangs on, by one join and its ancestors, agents and keys.
pub(super) async fn lineage<S: Transaction>(session: &mut S, jti: Jti) -> Result<Option<Lineage>, Failure> {
    let Some((token, login, task, subject)) = session.lineage(jti.into()).await? else {
        return Ok(None);
    };
    let agents: Vec<String> = token.actors.split(' ').map(str::to_owned).collect();
    let (_, mut jtis) = token.lineage()?;
    jtis.pop();
    let mut ledger = Ledger::default();
    if !jtis.is_empty() {
        for row in session.tokens(&jtis).await? {
            ledger.know_token(row)?;
        }
    }
    for row in session.agents(&agents, Lock::None).await? {
        ledger.know_agent(row)?;
    }
    for (kid, revoked_at) in session.key_states(Lock::None).await? {
        ledger.know_key(kid, revoked_at.is_none());
    }
    ledger.know_token(token)?;
    ledger.know_login(login)?;
    ledger.know_task(task)?;
    ledger.know_subject(subject);
    Ok(ledger.lineage(jti))
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
    let tasks: Vec<TaskRow> = session.tasks(&list(&ids), Lock::None).await?;
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
