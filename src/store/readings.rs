//! Readings of several tables at once: what a decision rests on. Each database answers them in its own way.

use super::StoreError;
use super::agents::AgentRow;
use super::logins::LoginRow;
use super::rows::{Hash, Key};
use super::statement::Failure;
use super::subjects::SubjectRow;
use super::tasks::{OfSession, TaskRow};
use super::tokens::TokenRow;
use crate::decision::Origin;
use crate::delegation::alone::{AgentToken, KnownToken};
use crate::delegation::record::{
    Agent, Behalf, Behind, Delegation, Lineage, Login, SignedIn, Subject, Task, TokenKind,
};
use crate::delegation::stops::Stops;
use crate::issuance::SignedToken;
use crate::verification::{LoginFacts, LoginToken};

/// The keys of all that the tokens of a group depend on, each list sorted, so that locks are taken in one order.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// The login tokens of first hops.
    pub(super) id_tokens: Vec<Hash>,
    /// The sessions of first hops with an access token.
    pub(super) sessions: Vec<OfSession>,
    /// The users of first hops, by provider and name there.
    pub(super) names: Vec<(String, String)>,
    /// The tasks that first hops name or that their login tokens fed.
    pub(super) tasks: Vec<Key>,
    /// The tasks of later hops.
    pub(super) tasks_of_parents: Vec<Key>,
    /// The logins of later hops.
    pub(super) logins: Vec<Key>,
    /// The agents of all chains.
    pub(super) agents: Vec<String>,
    /// The subject tokens of later hops.
    pub(super) parents: Vec<Key>,
    /// The subject tokens of later hops and everything that is said to be above them.
    pub(super) ancestors: Vec<Key>,
}

impl Wanted {
    /// The keys that the tokens of a group name.
    pub(super) fn of(issues: &[&SignedToken]) -> Self {
        let mut wanted = Wanted::default();
        for issue in issues {
            let terms = issue.terms();
            wanted.agents.push(terms.actor.id.as_str().to_owned());
            let behalf = terms.behalf();
            let others = terms.proposal.chain.iter().chain(behalf.agent());
            wanted.agents.extend(others.map(|agent| agent.as_str().to_owned()));
            match &terms.origin {
                Origin::FirstHop(hop) => {
                    let SignedIn { subject, login } = &hop.user;
                    wanted.id_tokens.push(Hash(login.id_token_hash));
                    wanted.sessions.extend(of_session(login, &terms.actor));
                    wanted.names.push((subject.issuer.as_str().to_owned(), subject.upstream.clone()));
                    wanted.tasks.extend(hop.named_task.map(Key::from));
                }
                Origin::Agent { .. } => {}
                Origin::Later { parent, behind, .. } => {
                    wanted.parents.push(Key::from(*parent));
                    wanted.ancestors.push(Key::from(*parent));
                    wanted.ancestors.extend(terms.proposal.ancestors.iter().copied().map(Key::from));
                    wanted.tasks_of_parents.push(Key::from(terms.task));
                    wanted.logins.extend(behind.login().map(|login| Key::from(login.id)));
                }
            }
        }
        sort(&mut wanted.id_tokens);
        sort(&mut wanted.sessions);
        sort(&mut wanted.names);
        sort(&mut wanted.tasks_of_parents);
        sort(&mut wanted.logins);
        sort(&mut wanted.agents);
        sort(&mut wanted.parents);
        sort(&mut wanted.ancestors);
        wanted
    }

    /// Adds the tasks that login tokens fed.
    pub(super) fn fed_by(&mut self, logins: &[LoginRow]) {
        self.add_tasks(logins.iter().map(|login| login.task));
    }

    /// Adds tasks of first hops.
    pub(super) fn add_tasks(&mut self, tasks: impl IntoIterator<Item = Key>) {
        self.tasks.extend(tasks);
        sort(&mut self.tasks);
    }
}

/// The session whose tasks have to be known: that of an access token, which a renewed one joins.
pub(super) fn of_session(login: &LoginFacts, agent: &Agent) -> Option<OfSession> {
    let session = match &login.token {
        LoginToken::IdToken => None,
        LoginToken::AccessToken { .. } => login.session,
    };
    Some(OfSession {
        session: Hash(session?),
        client: agent.client.as_str().to_owned(),
        agent: agent.id.as_str().to_owned(),
    })
}

fn sort<T: Ord>(keys: &mut Vec<T>) {
    keys.sort_unstable();
    keys.dedup();
}

/// The rows of all that the tokens of a group depend on.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) subjects: Vec<SubjectRow>,
    pub(super) agents: Vec<AgentRow>,
    pub(super) tasks: Vec<TaskRow>,
    pub(super) logins: Vec<LoginRow>,
    pub(super) tokens: Vec<TokenRow>,
    /// Every key identifier, and when the key was revoked.
    pub(super) keys: Vec<(String, Option<i64>)>,
    /// Whether agents are still to be released from tasks that have ended.
    pub(super) is_releasing: bool,
}

/// One token with all that its validity depends on, as rows of one moment.
#[derive(Debug)]
pub(super) struct Found {
    /// How many stops there had been.
    pub(super) stops: i64,
    pub(super) token: TokenRow,
    /// The task; absent for a token about an agent itself.
    pub(super) task: Option<TaskRow>,
    /// The login and the user, where a user is behind the token.
    pub(super) login: Option<LoginRow>,
    pub(super) subject: Option<SubjectRow>,
    /// The tokens above it, in any order.
    pub(super) ancestors: Vec<TokenRow>,
    /// The agents that it depends on, in any order.
    pub(super) agents: Vec<AgentRow>,
    /// The identifiers of all keys that are not revoked.
    pub(super) trusted: Vec<String>,
}

/// Readings that each database answers in its own way.
pub(super) trait Readings {
    /// One token with all that its validity depends on; `None` if there is no such token.
    async fn lineage(&mut self, jti: Key) -> Result<Option<Found>, Failure>;

    /// The clock of the database server in milliseconds, where there is a server.
    async fn clock(&mut self) -> Result<Option<i64>, Failure>;

    /// What the tokens of a group depend on. Where there are locks, they are taken in one order: subjects before
    /// agents before tasks before keys, each by key. What may have changed before a lock was granted is read
    /// with the lock or after it.
    async fn gather(&mut self, wanted: &Wanted) -> Result<Gathered, Failure>;
}

/// Who is behind a token, by the records that its row names. `None` if one of them is missing.
pub(super) fn behind(token: &Delegation, login: Option<Login>, subject: Option<Subject>) -> Option<Behind> {
    Some(match &token.behalf {
        Behalf::User(_) => Behind::user(subject?, login?),
        Behalf::Agent(agent) => Behind::Agent(agent.clone()),
    })
}

impl Found {
    /// The rows as what they mean, without the stops. `None` if a token above is missing: housekeeping removes expired tokens in
    /// batches, oldest first, and what is left below them was never found either.
    pub(super) fn into_known(self) -> Result<Option<KnownToken>, StoreError> {
        let is_trusted = |row: &TokenRow| row.kid.as_ref().is_none_or(|kid| self.trusted.contains(kid));
        let is_key_trusted = is_trusted(&self.token) && self.ancestors.iter().all(is_trusted);
        let delegation = Delegation::try_from(self.token)?;
        let above = self.ancestors.into_iter().map(Delegation::try_from).collect::<Result<Vec<_>, _>>()?;
        let ancestors = delegation.ancestors.iter().map(|jti| above.iter().find(|token| token.jti == *jti));
        let Some(ancestors) = ancestors.map(Option::<&Delegation>::cloned).collect() else { return Ok(None) };
        let known = self.agents.into_iter().map(Agent::try_from).collect::<Result<Vec<_>, _>>()?;
        // An agent that is missing makes the chain incomplete, which `live` takes for ended.
        if delegation.kind == TokenKind::Agent {
            let agent = known.into_iter().next();
            let stops = Stops::default();
            let token = AgentToken { delegation, agent, is_key_trusted, stops };
            return Ok(Some(KnownToken::Alone(Box::new(token))));
        }
        let agents = delegation.agents().filter_map(|id| known.iter().find(|agent| agent.id == *id));
        let login = self.login.map(Login::try_from).transpose()?;
        let Some(behind) = behind(&delegation, login, self.subject.map(Subject::from)) else {
            return Ok(None);
        };
        let Some(task) = self.task else { return Ok(None) };
        Ok(Some(KnownToken::InTask(Box::new(Lineage {
            ancestors,
            agents: agents.cloned().collect(),
            task: Task::try_from(task)?,
            behind,
            delegation,
            is_key_trusted,
            stops: Stops::default(),
        }))))
    }
}
