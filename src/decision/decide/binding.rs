//! The binding: by which right the subject token is exchanged, and to which task and login the token will belong.

use std::sync::Arc;

use super::{Bound, Denial, Held, Root, Unknown, Walk};
use crate::base::time::Timestamp;
use crate::decision::report::Report;
use crate::delegation::actor::Acting;
use crate::delegation::binding::check_holder;
use crate::delegation::ceiling::Ceilings;
use crate::delegation::handover::check_requested;
use crate::delegation::plan::{Asking, LoginRecord, TaskPlan, plan};
use crate::delegation::record::{Delegator, Lineage, Login, SignedIn, Subject, Task};
use crate::delegation::rules::{self, Ends, Right, Source};
use crate::delegation::stops::StopNumber;
use crate::oauth::{Audience, Cause, Issuer, NamedTask, Recipient, TaskId, TokenFault};
use crate::verification::VerifiedLogin;

impl<'a> Walk<'a> {
    /// Checks that the actor may exchange this subject token, that the chain is allowed to grow if it must, and that
    /// enough lifetime is left.
    pub(super) fn binding(
        self,
        held: Held<'a>,
        acting: &'a Acting,
        report: &mut Report,
    ) -> Result<Bound<'a>, Denial> {
        let (source, root) = match held {
            Held::Login(login, record) => {
                let (provider, relying_party) = (&login.provider().issuer, login.relying_party.as_str());
                rules::check_may_act(login.may_act(), acting, &self.config.issuer, provider, relying_party)
                    .map_err(Cause::subject)?;
                let plan = self.plan(login, record, acting)?;
                let subject = self.user(login, record);
                let (task, recorded) = self.task_and_login(login, record, acting, plan, &subject)?;
                report.who.begins_task = plan == TaskPlan::Begin;
                report.who.purpose.clone_from(&task.purpose);
                let user = SignedIn { subject, login: recorded };
                (Source::Login, Root::Login { login, plan, user, task })
            }
            Held::Nothing(_) => {
                let task = self.own_task(acting);
                report.who.begins_task = task.is_some();
                report.who.purpose.clone_from(&self.question.request.purpose);
                (Source::Nothing, Root::Agent { task })
            }
            Held::Token(lineage, _) => {
                let Lineage { delegation, behind, task, .. } = lineage;
                (Source::Delegation(delegation), Root::Token { parent: delegation.jti, behind, task })
            }
        };
        report.who.task = root.task().map(|task| task.id);
        report.who.login = root.login().map(|login| login.id);
        report.who.delegator = Some(root.kind());
        let asked = self.question.request.handover.as_ref();
        let right = rules::bind(self.config, source, acting, asked).map_err(Cause::subject)?;
        check_holder(right, self.question.proven()).map_err(|fault| self.cause(fault))?;
        let ceilings = match held {
            Held::Login(..) | Held::Nothing(_) => Ceilings::of_actor(acting),
            Held::Token(lineage, _) => {
                Ceilings::of_token(&self.config.registry, right, lineage, acting).map_err(Cause::subject)?
            }
        };
        if let (Right::HandOver(parent, asked), Held::Token(_, record)) = (right, held) {
            let known = record.requested.as_ref();
            if let Some(agent) = known {
                report.who.handed_to = Some(Recipient::Agent(agent.id.clone()));
            }
            check_requested(&self.config.registry, (parent, acting), asked, known, self.now)?;
        }
        let chain = rules::extend_chain(right, &acting.id, self.config.tasks.max_chain_depth)?;
        let issued_at = Timestamp::from_seconds(self.now.seconds());
        let ends = Ends {
            task: root.task().map(|task| task.expires_at),
            login: root.login().map(|login| login.ends_at),
        };
        let latest = rules::latest_end(right, ends, issued_at).map_err(Cause::subject)?;
        Ok(Bound { right, ceilings, root, chain, latest, issued_at })
    }

    /// The task that an agent begins for itself, where that is what it asks for.
    fn own_task(self, acting: &Acting) -> Option<Task> {
        if self.question.request.audience != Audience::Deputy {
            return None;
        }
        let started_at = Timestamp::from_seconds(self.now.seconds());
        Some(Task {
            id: self.question.fresh.task,
            client: acting.client.id.clone(),
            agent: acting.id.clone(),
            delegator: Delegator::Agent,
            session: None,
            is_found_by_session: false,
            purpose: self.question.request.purpose.clone(),
            as_of: StopNumber::default(),
            started_at,
            expires_at: started_at.plus(self.config.tasks.max_lifetime),
            ended: None,
        })
    }

    pub(super) fn plan(
        self,
        login: &VerifiedLogin,
        record: &LoginRecord,
        acting: &Acting,
    ) -> Result<TaskPlan, Cause> {
        let asking = Asking {
            client: &acting.client.id,
            agent: &acting.to_agent(self.now),
            credential_at: acting.credential_at(),
            login: login.facts(),
            begins_until: login.begins_until(),
            lacks_nonce: login.lacks_nonce(),
            max_per_login: self.config.tasks.max_per_login,
            named_task: self.named_task()?,
            purpose: self.question.request.purpose.as_ref(),
        };
        plan(record, &asking, self.now).map_err(|fault| self.cause(fault))
    }

    /// The task that the request names. A value that is no task identifier is
    /// refused in the same way as an unknown task.
    pub(super) fn named_task(self) -> Result<Option<TaskId>, Cause> {
        match self.question.request.task {
            NamedTask::None => Ok(None),
            NamedTask::This(id) => Ok(Some(id)),
            NamedTask::Unreadable => Err(Cause::subject(TokenFault::TaskUnknown)),
        }
    }

    pub(super) fn user(self, login: &VerifiedLogin, record: &LoginRecord) -> Subject {
        record.subject.clone().unwrap_or_else(|| Subject {
            reference: self.question.fresh.subject,
            issuer: login.provider().issuer.clone(),
            upstream: login.subject().to_owned(),
            cutoff: None,
            is_stopped: false,
            stopped: StopNumber::default(),
        })
    }

    /// Whether access tokens of this provider are taken.
    fn takes_access_tokens(self, provider: &Issuer) -> bool {
        let provider = self.config.registry.identity_providers.get(provider);
        provider.is_some_and(|provider| !provider.access_tokens.is_empty())
    }

    pub(super) fn task_and_login(
        self,
        login: &VerifiedLogin,
        record: &LoginRecord,
        acting: &Acting,
        plan: TaskPlan,
        subject: &Subject,
    ) -> Result<(Task, Login), Denial> {
        let fresh = self.question.fresh;
        let session_end = login.session_ends_at();
        let task = match plan {
            TaskPlan::Begin => {
                let started_at = Timestamp::from_seconds(self.now.seconds());
                Task {
                    id: fresh.task,
                    client: acting.client.id.clone(),
                    agent: acting.id.clone(),
                    delegator: Delegator::User(subject.reference),
                    session: login.session,
                    is_found_by_session: login.session.is_some() && self.takes_access_tokens(&login.provider),
                    purpose: self.question.request.purpose.clone(),
                    as_of: StopNumber::default(),
                    started_at,
                    expires_at: started_at.plus(self.config.tasks.max_lifetime).min(session_end),
                    ended: None,
                }
            }
            TaskPlan::Join(id, _) | TaskPlan::JoinWithNewLogin(id) => {
                record.task(id).cloned().ok_or(Denial::Unknown(Unknown::Record))?
            }
        };
        if let TaskPlan::Join(_, id) = plan {
            let known = record.login(id).cloned().ok_or(Denial::Unknown(Unknown::Record))?;
            return Ok((task, known));
        }
        let login = Login {
            id: fresh.login,
            task: task.id,
            facts: Arc::clone(login.facts()),
            as_of: StopNumber::default(),
            ends_at: task.expires_at.min(login.ends_at()),
        };
        Ok((task, login))
    }
}
