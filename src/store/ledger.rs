//! What a transaction may write, decided without I/O: the state it loaded, the entries of the group one
//! after the other, and the rows that come of them. Both backends decide by this.

mod checks;
mod login;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::agents::AgentRow;
use super::entry::Recorded;
use super::logins::{AnswerRow, LoginRow};
use super::one_time::OneTimeRow;
use super::pins::PinRow;
use super::quotas::{Birth, QuotaCounts};
use super::readings::{Gathered, behind};
use super::rows::{Hash, Key};
use super::subjects::SubjectRow;
use super::tasks::{EngagementRow, TaskRow};
use super::tokens::{Acceptance, TokenRow};
use super::{Entry, StoreError, one_time};
use crate::audit::Effect;
use crate::base::time::Timestamp;
use crate::decision::{Confirmed, FirstHop, Origin, Placement, Terms, confirm};
use crate::delegation::plan::TaskPlan;
use crate::delegation::record::{
    Agent, Delegation, Delegator, Lineage, Login, LoginFacts, SignedIn, Subject, Task, TokenForm, TokenKind,
};
use crate::delegation::recorded::{self, AgentRecord, TokenRecord};
use crate::delegation::stops::{StopNumber, Stops};
use crate::issuance::SignedToken;
use crate::oauth::{AgentId, Confirmation, Digest, Issuer, Jti, LoginId, OneTime, Plain, SubjectRef, TaskId};

/// Every record that the new tokens of a group depend on, and what becomes of them.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    subjects: HashMap<SubjectRef, Subject>,
    names: HashMap<(Issuer, String), SubjectRef>,
    agents: HashMap<AgentId, Agent>,
    tasks: HashMap<TaskId, Task>,
    logins: HashMap<LoginId, Login>,
    tokens: HashMap<Jti, Delegation>,
    is_key_trusted: HashMap<String, bool>,
    used: HashSet<Hash>,
    /// The keys and certificates that credentials are pinned to.
    pins: HashMap<Hash, Confirmation>,
    /// The stops that the transaction has seen, which every row that it writes carries.
    as_of: StopNumber,
    stops: Stops,
    quotas: Arc<QuotaCounts>,
    /// The agents to be created that count against quotas.
    pub(super) births: Vec<Birth>,
    pub(super) writes: Writes,
}

/// Rows to be written, parents before children.
#[derive(Debug, Default)]
pub(super) struct Writes {
    pub(super) subjects: Vec<SubjectRow>,
    pub(super) agents: Vec<AgentRow>,
    /// Known agents whose last exchange is written down.
    pub(super) seen: Vec<AgentRow>,
    pub(super) tasks: Vec<TaskRow>,
    pub(super) logins: Vec<LoginRow>,
    pub(super) answers: Vec<AnswerRow>,
    pub(super) engagements: Vec<EngagementRow>,
    pub(super) tokens: Vec<TokenRow>,
    pub(super) one_time: Vec<OneTimeRow>,
    pub(super) pins: Vec<PinRow>,
    /// The handovers that are accepted for the first time.
    pub(super) acceptances: Vec<Acceptance>,
}

impl Ledger {
    pub(super) fn know_used(&mut self, keys: impl IntoIterator<Item = Hash>) {
        self.used.extend(keys);
    }

    pub(super) fn know_pins(&mut self, rows: Vec<PinRow>) -> Result<(), StoreError> {
        for row in rows {
            self.pins.insert(row.credential, row.cnf.read("pin")?);
        }
        Ok(())
    }

    pub(super) fn know(&mut self, gathered: Gathered) -> Result<(), StoreError> {
        let Gathered { subjects, agents, tasks, logins, tokens, keys, is_releasing: _ } = gathered;
        subjects.into_iter().for_each(|row| self.know_subject(row));
        agents.into_iter().try_for_each(|row| self.know_agent(row))?;
        tasks.into_iter().try_for_each(|row| self.know_task(row))?;
        logins.into_iter().try_for_each(|row| self.know_login(row))?;
        tokens.into_iter().try_for_each(|row| self.know_token(row))?;
        for (kid, revoked_at) in keys {
            self.is_key_trusted.insert(kid, revoked_at.is_none());
        }
        Ok(())
    }

    /// A ledger that judges new agents by these counts.
    pub(super) fn new(quotas: Arc<QuotaCounts>) -> Self {
        Self { quotas, ..Self::default() }
    }

    pub(super) const fn begin(&mut self, as_of: StopNumber) {
        self.as_of = as_of;
    }

    pub(super) fn know_stops(&mut self, stops: Stops) {
        self.stops = stops;
    }

    /// The sessions of all that was loaded, and of what is to be issued.
    pub(super) fn sessions(&self, issues: &[&SignedToken]) -> impl Iterator<Item = Digest> {
        let tasks = self.tasks.values().filter_map(|task| task.session);
        let logins = self.logins.values().filter_map(|login| login.session);
        let presented = issues.iter().filter_map(|token| token.terms().user()?.login.session);
        tasks.chain(logins).chain(presented)
    }

    /// The agents of all that was loaded, and of what is to be issued.
    pub(super) fn agents<'a>(&'a self, issues: &'a [&SignedToken]) -> impl Iterator<Item = &'a Agent> {
        self.agents.values().chain(issues.iter().map(|token| &token.terms().actor))
    }

    fn know_subject(&mut self, row: SubjectRow) {
        let subject = Subject::from(row);
        self.names.insert((subject.issuer.clone(), subject.upstream.clone()), subject.reference);
        self.subjects.insert(subject.reference, subject);
    }

    fn know_agent(&mut self, row: AgentRow) -> Result<(), StoreError> {
        let agent = Agent::try_from(row)?;
        self.agents.insert(agent.id.clone(), agent);
        Ok(())
    }

    fn know_task(&mut self, row: TaskRow) -> Result<(), StoreError> {
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
}

impl Ledger {
    /// The first of what the entry uses once that was used before, in the database or earlier in the group, as a cause.
    pub(super) fn find_replay(&self, entry: &Entry) -> Option<Plain> {
        let used = entry.one_time.iter().find(|used| self.used.contains(&one_time::key(used)));
        used.map(OneTime::replayed)
    }

    /// Uses up what an entry that is going to be written may use once only.
    pub(super) fn use_up(&mut self, entry: &Entry) {
        for used in &entry.one_time {
            let row = OneTimeRow::from(used);
            if self.used.insert(row.hash) {
                self.writes.one_time.push(row);
            }
        }
    }

    /// Judges one signed token against everything known, earlier tokens of the group included. What may be
    /// written is added to [`Ledger::writes`], and `effect` is completed.
    ///
    /// # Errors
    /// What else becomes of the entry.
    pub(super) fn judge(
        &mut self,
        token: &SignedToken,
        effect: &mut Effect,
        now: Timestamp,
    ) -> Result<(), Recorded> {
        // The key was revoked since the caller read the keys: sign again with another (JWKS-05).
        if !self.trusts(token.form()) {
            return Err(Recorded::Changed);
        }
        let terms = token.terms();
        let placement = match confirm(token.permit(), &self.locked(terms), now) {
            Confirmed::Write(placement) => placement,
            Confirmed::Changed => return Err(Recorded::Changed),
            Confirmed::Refused(cause) => return Err(Recorded::Refused(cause)),
        };
        let delegation = token.delegation(self.as_of);
        if self.is_stillborn(&delegation, terms, placement) {
            return Err(Recorded::Changed);
        }
        let pinned = terms.pin.as_ref().map(|used| self.check_pin(used, terms, effect, now)).transpose()?;
        let birth = self.check_quotas(terms, now)?;
        match &terms.origin {
            Origin::FirstHop(hop) => self.write_first_hop(token, hop, placement)?,
            Origin::Agent { task: Some(task) } => {
                self.begin_task(Task { as_of: self.as_of, ..task.as_ref().clone() });
            }
            Origin::Agent { task: None } => {}
            Origin::Later { parent, .. } => {
                if placement.is_new_in_task {
                    self.writes.engagements.push(engagement(&terms.actor.id, terms.task, now));
                }
                if placement.is_first_acceptance {
                    self.accept(*parent, &terms.actor.id);
                }
            }
        }
        if let Some((row, first)) = pinned.flatten() {
            self.pins.insert(row.credential, first);
            self.writes.pins.push(row);
        }
        self.births.extend(birth);
        effect.is_changed = true;
        effect.agent_created = self.add_agent(&terms.actor, now);
        effect.subject = placement.subject;
        effect.jti = Some(terms.jti);
        self.writes.tokens.push(TokenRow::from(&delegation));
        Ok(())
    }

    /// Notes that an agent has accepted a handover, for those that come later in the group too.
    fn accept(&mut self, handover: Jti, agent: &AgentId) {
        if let Some(Delegation { kind: TokenKind::Handover(handover), .. }) = self.tokens.get_mut(&handover) {
            handover.accepted_by = Some(agent.clone());
        }
        self.writes
            .acceptances
            .push(Acceptance { handover: handover.into(), agent: agent.as_str().to_owned() });
    }

    /// Whether a stop that was numbered after this transaction began would end what it is about to write. Then it has to
    /// be decided again in another one.
    fn is_stillborn(&self, token: &Delegation, terms: &Terms, placement: Placement) -> bool {
        let agents = token.agents().filter_map(|id| self.agents.get(id)).cloned();
        let mut agents: Vec<Agent> = agents.collect();
        if !self.agents.contains_key(&terms.actor.id) {
            agents.push(terms.actor.clone());
        }
        let is_first_ended = match &terms.origin {
            Origin::FirstHop(hop) => {
                let task = self.tasks.get(&terms.task).cloned();
                let task = task.unwrap_or_else(|| Task { as_of: self.as_of, ..hop.task.clone() });
                let SignedIn { subject, login } = &hop.user;
                let known = placement.subject.and_then(|reference| self.subjects.get(&reference));
                let subject = known.unwrap_or(subject);
                let login = match hop.plan {
                    TaskPlan::Join(..) => login.clone(),
                    _ => Login { as_of: self.as_of, ..login.clone() },
                };
                self.stops.end_task(&task, Some(subject)) || self.stops.end_login(&login, subject)
            }
            Origin::Agent { task } => {
                let task = task.as_ref().map(|task| Task { as_of: self.as_of, ..task.as_ref().clone() });
                task.is_some_and(|task| self.stops.end_task(&task, None))
            }
            Origin::Later { .. } => false,
        };
        is_first_ended || self.stops.end_token(token, &agents)
    }

    /// What the permit is about, as it was read inside the transaction.
    fn locked(&self, terms: &Terms) -> recorded::Recorded {
        match &terms.origin {
            Origin::FirstHop(hop) => recorded::Recorded::Login(Box::new(self.login_record(terms, hop))),
            Origin::Agent { .. } => recorded::Recorded::Agent(Box::new(AgentRecord {
                agent: self.agents.get(&terms.actor.id).cloned(),
                stops: self.stops.clone(),
            })),
            Origin::Later { parent, .. } => recorded::Recorded::Token(Box::new(TokenRecord {
                lineage: self.lineage(*parent),
                actor: self.agents.get(&terms.actor.id).cloned(),
                ..TokenRecord::default()
            })),
        }
    }

    fn write_first_hop(
        &mut self,
        token: &SignedToken,
        hop: &FirstHop,
        placement: Placement,
    ) -> Result<(), Recorded> {
        let terms = token.terms();
        let slot = match hop.plan {
            // (Token, slot) is unique in the database, so of two nodes that begin tasks with one token at once, one has
            // to judge again: it then joins the task, or counts one task more.
            TaskPlan::Begin => Key(self.times_used(&hop.user.login).to_be_bytes()),
            TaskPlan::Join(task, _) | TaskPlan::JoinWithNewLogin(task) => Key::from(task),
        };
        let login = Login { as_of: self.as_of, ..hop.user.login.clone() };
        let login_row = LoginRow::new(&login, slot).map_err(|_| Recorded::Changed)?;
        let reference = placement.subject.unwrap_or(hop.user.subject.reference);
        if placement.is_new_subject {
            let subject = &hop.user.subject;
            self.names.insert((subject.issuer.clone(), subject.upstream.clone()), reference);
            self.subjects.insert(reference, subject.clone());
            self.writes.subjects.push(SubjectRow::from(subject));
        }
        if hop.plan == TaskPlan::Begin {
            let delegator = Delegator::User(reference);
            self.begin_task(Task { delegator, as_of: self.as_of, ..hop.task.clone() });
        }
        if !matches!(hop.plan, TaskPlan::Join(..)) {
            self.writes.logins.push(login_row);
            self.logins.insert(login.id, login);
        }
        self.writes.answers.extend(token.answers().iter().map(|answer| AnswerRow {
            login: hop.user.login.id.into(),
            task: terms.task.into(),
            target: answer.target.as_str().to_owned(),
            scope: answer.scope.as_str().to_owned(),
            sealed: answer.sealed.clone(),
        }));
        Ok(())
    }

    /// Whether the key that signed a token is trusted, if one did.
    fn trusts(&self, form: &TokenForm) -> bool {
        form.kid().is_none_or(|kid| self.is_key_trusted.get(kid) == Some(&true))
    }

    /// A task that begins is found by the row of its agent, if that is created with it.
    fn begin_task(&mut self, task: Task) {
        let by_agent = self.agents.contains_key(&task.agent);
        self.writes.tasks.push(TaskRow::new(&task, by_agent));
        self.tasks.insert(task.id, task);
    }

    fn add_agent(&mut self, actor: &Agent, now: Timestamp) -> bool {
        let is_new = !self.agents.contains_key(&actor.id);
        if is_new {
            let agent = actor.seen_first(now);
            let first_task =
                self.writes.tasks.iter().rev().find(|task| !task.by_agent && task.agent == agent.id.as_str());
            let first_task = first_task.map(|task| task.id);
            self.writes.agents.push(AgentRow { first_task, ..AgentRow::from(&agent) });
            self.agents.insert(agent.id.clone(), agent);
        } else if let Some(agent) = self.agents.get_mut(&actor.id).and_then(|known| known.see(actor, now)) {
            self.writes.seen.retain(|row| row.id != agent.id.as_str());
            self.writes.seen.push(AgentRow::from(&*agent));
        }
        is_new
    }

    /// How often the login token of this first hop was used before.
    fn times_used(&self, presented: &LoginFacts) -> u128 {
        self.logins.values().filter(|login| login.id_token_hash == presented.id_token_hash).count() as u128
    }

    /// A token with every record that its validity depends on, from what was loaded. `None` if it is not there.
    pub(super) fn lineage(&self, jti: Jti) -> Option<Lineage> {
        let delegation = self.tokens.get(&jti)?.clone();
        let ancestors: Option<Vec<Delegation>> =
            delegation.ancestors.iter().map(|jti| self.tokens.get(jti).cloned()).collect();
        let ancestors = ancestors?;
        let task = self.tasks.get(&delegation.task)?.clone();
        let is_key_trusted =
            std::iter::once(&delegation).chain(&ancestors).all(|token| self.trusts(&token.form));
        let login = delegation.behalf.login().and_then(|login| self.logins.get(&login)).cloned();
        let subject = task.delegator.user().and_then(|user| self.subjects.get(&user)).cloned();
        Some(Lineage {
            behind: behind(&delegation, login, subject)?,
            // One that is missing makes the chain incomplete, which `live` takes for ended.
            agents: delegation.agents().filter_map(|id| self.agents.get(id)).cloned().collect(),
            task,
            ancestors,
            delegation,
            is_key_trusted,
            stops: self.stops.clone(),
        })
    }
}

fn engagement(agent: &AgentId, task: TaskId, now: Timestamp) -> EngagementRow {
    EngagementRow { agent: agent.as_str().to_owned(), task: task.into(), since: now.millis(), ended_at: None }
}
