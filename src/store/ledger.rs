//! What a transaction may write, decided without I/O: the state it loaded, the entries of the group one
//! after the other, and the rows that come of them. Both backends decide by this.

use std::collections::{HashMap, HashSet};

use aws_lc_rs::digest::{Context, SHA256};

use super::entry::{HopZero, Issue, Origin, RecordRefusal, Recorded, SpentAssertion};
use super::rows::{
    AgentRow, AnswerRow, EngagementRow, Hash, Key, LoginRow, SpentRow, SubjectRow, TaskRow, TokenRow,
};
use super::{Entry, StoreError};
use crate::audit::AuditRow;
use crate::base::time::Timestamp;
use crate::delegation::record::{Agent, Delegation, Lineage, Login, Subject, Task, live};
use crate::delegation::task::{Asking, Standing, Standstill, TaskPlan, may_act, plan};
use crate::oauth::{AgentId, Issuer, Jti, LoginId, SubjectRef, TaskId, TokenFault};

/// Everything that the issues of a group hang on, and what they come to.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    subjects: HashMap<SubjectRef, Subject>,
    names: HashMap<(Issuer, String), SubjectRef>,
    agents: HashMap<AgentId, Agent>,
    tasks: HashMap<TaskId, Task>,
    logins: HashMap<LoginId, Login>,
    tokens: HashMap<Jti, Delegation>,
    is_key_trusted: HashMap<String, bool>,
    spent: HashSet<Hash>,
    /// To be written.
    pub(super) writes: Writes,
}

/// Rows to be written, parents before children.
#[derive(Debug, Default)]
pub(super) struct Writes {
    pub(super) subjects: Vec<SubjectRow>,
    pub(super) agents: Vec<AgentRow>,
    pub(super) tasks: Vec<TaskRow>,
    pub(super) logins: Vec<LoginRow>,
    pub(super) answers: Vec<AnswerRow>,
    pub(super) engagements: Vec<EngagementRow>,
    pub(super) tokens: Vec<TokenRow>,
    pub(super) spent: Vec<SpentRow>,
}

/// The key under which a client's assertion is spent.
pub(super) fn spent_key(spend: &SpentAssertion) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(&spend.jti_hash);
    context.update(spend.client.as_str().as_bytes());
    let mut key = [0; 32];
    key.copy_from_slice(context.finish().as_ref());
    Hash(key)
}

/// Loading.
impl Ledger {
    pub(super) fn know_spent(&mut self, keys: impl IntoIterator<Item = Hash>) {
        self.spent.extend(keys);
    }

    pub(super) fn know_subject(&mut self, row: SubjectRow) {
        let subject = Subject::from(row);
        self.names.insert((subject.issuer.clone(), subject.upstream.clone()), subject.reference);
        self.subjects.insert(subject.reference, subject);
    }

    pub(super) fn know_agent(&mut self, row: AgentRow) -> Result<(), StoreError> {
        let agent = Agent::try_from(row)?;
        self.agents.insert(agent.id.clone(), agent);
        Ok(())
    }

    pub(super) fn know_task(&mut self, row: TaskRow) -> Result<(), StoreError> {
        let task = Task::try_from(row)?;
        self.tasks.insert(task.id, task);
        Ok(())
    }

    pub(super) fn know_login(&mut self, row: LoginRow) -> Result<(), StoreError> {
        let login = Login::try_from(row)?;
        self.logins.insert(login.id, login);
        Ok(())
    }

    pub(super) fn know_token(&mut self, row: TokenRow) -> Result<(), StoreError> {
        let token = Delegation::try_from(row)?;
        self.tokens.insert(token.jti, token);
        Ok(())
    }

    pub(super) fn know_key(&mut self, kid: String, is_trusted: bool) {
        self.is_key_trusted.insert(kid, is_trusted);
    }
}

/// Deciding.
impl Ledger {
    /// Whether the assertion was spent before, in the database or earlier in the group.
    pub(super) fn is_replay(&self, entry: &Entry) -> bool {
        entry.spend.as_ref().is_some_and(|spend| self.spent.contains(&spent_key(spend)))
    }

    /// Spends the assertion of an entry that is going to be written.
    pub(super) fn spend(&mut self, entry: &Entry) {
        if let Some(spend) = &entry.spend {
            let hash = spent_key(spend);
            self.spent.insert(hash);
            self.writes.spent.push(SpentRow { hash, until: spend.until.millis() });
        }
    }

    /// Judges one issue against everything known, earlier issues of the group included. What may be
    /// written is added to [`Ledger::writes`], and `audit` is completed.
    ///
    /// # Errors
    /// What else becomes of the entry.
    pub(super) fn judge(
        &mut self,
        issue: &Issue,
        audit: &mut AuditRow,
        now: Timestamp,
    ) -> Result<SubjectRef, Recorded> {
        // A key revoked since the caller read the keys: sign again with another (I8).
        if self.is_key_trusted.get(&issue.delegation.kid) != Some(&true) {
            return Err(Recorded::Changed);
        }
        let subject = match &issue.origin {
            Origin::HopZero(hop) => self.judge_hop_zero(issue, hop, now)?,
            Origin::Later { parent } => self.judge_later(issue, *parent, now)?,
        };
        audit.agent_created = self.add_agent(issue, now);
        audit.subject = Some(subject);
        audit.jti = audit.jti.or(Some(issue.delegation.jti));
        audit.task = audit.task.or(Some(issue.delegation.task));
        audit.login = audit.login.or(Some(issue.delegation.login));
        audit.agent.get_or_insert_with(|| issue.actor.id.clone());
        self.writes.tokens.push(TokenRow::from(&issue.delegation));
        Ok(subject)
    }

    fn judge_hop_zero(
        &mut self,
        issue: &Issue,
        hop: &HopZero,
        now: Timestamp,
    ) -> Result<SubjectRef, Recorded> {
        let asking = Asking {
            client: &issue.delegation.client,
            agent: &issue.actor.id,
            auth_time: hop.login.auth_time,
            named_task: hop.named_task,
            purpose: hop.purpose.as_ref(),
        };
        let standing = self.standing(hop, &issue.actor.id);
        let known = standing.subject.as_ref().map(|subject| subject.reference);
        let planned = plan(&standing, &asking, now).map_err(|standstill| {
            Recorded::Refused(match standstill {
                Standstill::Subject(fault) => RecordRefusal::Subject(fault),
                Standstill::Actor(fault) => RecordRefusal::Actor(fault),
                Standstill::Plain(plain) => RecordRefusal::Plain(plain),
            })
        })?;
        let (task, login) = match planned {
            TaskPlan::Begin => (hop.task.id, hop.login.id),
            TaskPlan::JoinWithNewLogin(task) => (task, hop.login.id),
            TaskPlan::Join(task, login) => (task, login),
        };
        let delegation = &issue.delegation;
        let is_as_planned = planned == hop.plan
            && delegation.task == task
            && delegation.login == login
            && delegation.ancestors.is_empty();
        if !is_as_planned || (planned != TaskPlan::Join(task, login) && hop.login.task != task) {
            return Err(Recorded::Changed);
        }
        let slot = if planned == TaskPlan::Begin { beginning(&hop.task) } else { Key::from(task) };
        let login_row = LoginRow::new(&hop.login, slot).map_err(|_| Recorded::Changed)?;
        let subject = known.unwrap_or(hop.subject.reference);
        if known.is_none() {
            self.names.insert((hop.subject.issuer.clone(), hop.subject.upstream.clone()), subject);
            self.subjects.insert(subject, hop.subject.clone());
            self.writes.subjects.push(SubjectRow::from(&hop.subject));
        }
        if planned == TaskPlan::Begin {
            let task = Task { subject, ..hop.task.clone() };
            self.writes.tasks.push(TaskRow::from(&task));
            self.tasks.insert(task.id, task);
        }
        if !matches!(planned, TaskPlan::Join(..)) {
            self.writes.logins.push(login_row);
            self.logins.insert(hop.login.id, hop.login.clone());
        }
        self.writes.answers.extend(hop.answers.iter().map(|answer| AnswerRow {
            login: login.into(),
            task: task.into(),
            target: answer.target.as_str().to_owned(),
            scope: answer.scope.as_str().to_owned(),
            sealed: answer.sealed.clone(),
        }));
        Ok(subject)
    }

    fn judge_later(&mut self, issue: &Issue, parent: Jti, now: Timestamp) -> Result<SubjectRef, Recorded> {
        let refused = |fault| Recorded::Refused(RecordRefusal::Subject(fault));
        let lineage = self.lineage(parent).ok_or(refused(TokenFault::NeverIssued))?;
        let (own, from) = (&issue.delegation, &lineage.delegation);
        let is_child = own.task == from.task
            && own.login == from.login
            && own.expires_at <= from.expires_at
            && own.ancestors.split_last() == Some((&parent, from.ancestors.as_slice()))
            && own.chain.ends_with(&from.chain)
            && own.chain.len() <= from.chain.len() + 1
            && own.chain.first() == Some(&issue.actor.id);
        if !is_child {
            return Err(Recorded::Changed);
        }
        live(&lineage, now).map_err(refused)?;
        may_act(self.agents.get(&issue.actor.id), &issue.actor.client, lineage.login.auth_time)
            .map_err(|fault| Recorded::Refused(RecordRefusal::Actor(fault)))?;
        if own.chain.len() > from.chain.len() {
            self.writes.engagements.push(engagement(&issue.actor.id, own.task, now));
        }
        Ok(lineage.subject.reference)
    }

    fn add_agent(&mut self, issue: &Issue, now: Timestamp) -> bool {
        let is_new = !self.agents.contains_key(&issue.actor.id);
        if is_new {
            let agent = Agent { first_seen: now, ..issue.actor.clone() };
            self.writes.agents.push(AgentRow::from(&agent));
            self.agents.insert(agent.id.clone(), agent);
        }
        is_new
    }

    fn standing(&self, hop: &HopZero, agent: &AgentId) -> Standing {
        let name = (hop.subject.issuer.clone(), hop.subject.upstream.clone());
        let mut uses: Vec<(Login, Task)> = self
            .logins
            .values()
            .filter(|login| login.id_token_hash == hop.login.id_token_hash)
            .filter_map(|login| Some((login.clone(), self.tasks.get(&login.task)?.clone())))
            .collect();
        uses.sort_by_key(|(login, _)| login.id);
        Standing {
            subject: self.names.get(&name).and_then(|reference| self.subjects.get(reference)).cloned(),
            agent: self.agents.get(agent).cloned(),
            uses,
            named: hop.named_task.and_then(|id| self.tasks.get(&id)).cloned(),
        }
    }

    /// A token with everything its life hangs on, from what is known. `None` if it is not there.
    pub(super) fn lineage(&self, jti: Jti) -> Option<Lineage> {
        let delegation = self.tokens.get(&jti)?.clone();
        let ancestors: Option<Vec<Delegation>> =
            delegation.ancestors.iter().map(|jti| self.tokens.get(jti).cloned()).collect();
        let ancestors = ancestors?;
        let task = self.tasks.get(&delegation.task)?.clone();
        let is_key_trusted = std::iter::once(&delegation)
            .chain(&ancestors)
            .all(|token| self.is_key_trusted.get(&token.kid) == Some(&true));
        Some(Lineage {
            login: self.logins.get(&delegation.login)?.clone(),
            subject: self.subjects.get(&task.subject)?.clone(),
            // One that is missing makes the chain incomplete, which `live` takes for ended.
            agents: delegation.chain.iter().filter_map(|id| self.agents.get(id)).cloned().collect(),
            task,
            ancestors,
            delegation,
            is_key_trusted,
        })
    }
}

/// What an ID token is used up for when it begins a task: to begin one for this client and agent. Where it
/// joins a task, that is the task's id. (ID token, slot) is unique in the database, so two nodes that begin
/// at once begin one task.
fn beginning(task: &Task) -> Key {
    let mut context = Context::new(&SHA256);
    for part in [task.client.as_str(), task.agent.as_str()] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut slot = [0; 16];
    slot.copy_from_slice(&context.finish().as_ref()[..16]);
    Key(slot)
}

fn engagement(agent: &AgentId, task: TaskId, now: Timestamp) -> EngagementRow {
    EngagementRow { agent: agent.as_str().to_owned(), task: task.into(), since: now.millis(), ended_at: None }
}
