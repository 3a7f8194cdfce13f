//! The one order of checks.

use std::sync::Arc;

use super::facts::exchange_facts;
use super::permit::{FirstHop, GivenAnswer, KnownAnswer, Origin, Permit, Terms};
use super::question::{Question, SubjectResult, World};
use super::report::{Check, Found, PolicyReport, Proposal, Report};
use crate::base::time::Timestamp;
use crate::config::{Config, IdentityProvider};
use crate::delegation::actor::Acting;
use crate::delegation::answers::{self, Answer, SealedAnswer};
use crate::delegation::assurance::Demands;
use crate::delegation::fault::Fault;
use crate::delegation::plan::{Asking, LoginRecord, TaskPlan, check_agent, check_user, plan};
use crate::delegation::record::{Lineage, Login, Subject, Task, TokenKind, live};
use crate::delegation::recorded::Recorded;
use crate::delegation::rules::{self, Ends, Reach, Right, Source};
use crate::oauth::{AgentId, Cause, NamedTask, Plain, ScopeToken, TargetId, TaskId, TokenFault};
use crate::verification::{LoginFacts, NotVerified, VerifiedLogin};

/// What was decided, and the report of how.
#[derive(Debug)]
pub struct Decision {
    /// Every check with what it found.
    pub report: Report,
    /// A permit, or why there is none.
    pub outcome: Result<Permit, Denial>,
}

/// Why there is no permit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The request is refused, for this cause.
    Refused(Cause),
    /// The question cannot be answered now; nothing is given (503).
    Unknown(Unknown),
}

/// What could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The keys of the issuer of a presented token.
    IssuerKeys(String),
    /// The answer of a policy rule, which could not be evaluated.
    Policy,
    /// What is recorded of the subject token, which was not read.
    Record,
}

impl<C: Into<Cause>> From<C> for Denial {
    fn from(cause: C) -> Self {
        Self::Refused(cause.into())
    }
}

/// Decides one token exchange (RFC 8693 §2), in the order of [`Check`]. The first check that fails decides.
///
/// The function is pure: the record was read before, identifiers were made before, and `now` is a value.
pub fn decide(world: &World, question: &Question<'_>, recorded: &Recorded, now: Timestamp) -> Decision {
    let mut report = Report::of(question, &world.config);
    let unknown = LoginRecord::default();
    let walk = Walk { config: &world.config, world, question, now };
    let outcome = walk.walk(recorded, &unknown, &mut report);
    let outcome = outcome.map_err(|(check, denial)| {
        let found = match &denial {
            Denial::Refused(cause) => Found::Failed(cause.clone()),
            Denial::Unknown(_) => Found::Unknown,
        };
        report.stop(check, found);
        denial
    });
    Decision { report, outcome }
}

/// A failure of the check that it happened at.
type At<T> = Result<T, (Check, Denial)>;

trait AtCheck<T> {
    fn at(self, check: Check) -> At<T>;
}

impl<T, E: Into<Denial>> AtCheck<T> for Result<T, E> {
    fn at(self, check: Check) -> At<T> {
        self.map_err(|error| (check, error.into()))
    }
}

/// The subject token, once it is known to be good.
#[derive(Clone, Copy)]
enum Held<'a> {
    Login(&'a VerifiedLogin, &'a LoginRecord),
    Token(&'a Lineage, Option<&'a SealedAnswer>),
}

/// What the binding found: by which right the subject token is exchanged, and what the token will belong to.
struct Bound<'a> {
    right: Right<'a>,
    subject: Subject,
    task: Task,
    login: Login,
    plan: Option<TaskPlan>,
    chain: Vec<AgentId>,
    /// Nothing issued may live longer.
    latest: Timestamp,
    issued_at: Timestamp,
}

/// One walk through the checks.
#[derive(Clone, Copy)]
struct Walk<'a> {
    config: &'a Config,
    world: &'a World,
    question: &'a Question<'a>,
    now: Timestamp,
}

impl<'a> Walk<'a> {
    fn walk(self, recorded: &'a Recorded, unknown: &'a LoginRecord, report: &mut Report) -> At<Permit> {
        let held = self.subject(recorded, unknown, report).at(Check::Subject)?;
        let acting = self.actor(held, report).at(Check::Actor)?;
        let bound = self.binding(held, acting, report).at(Check::Binding)?;
        let reach = self.target(&bound, acting).at(Check::Target)?;
        let proposal = self.scope(&bound, acting, &reach, report).at(Check::Scope)?;
        self.details().at(Check::Details)?;
        let demands = self.assurance(held, &bound, &proposal, &reach).at(Check::Assurance)?;
        self.policy(&bound, acting, &proposal, demands, report).at(Check::Policy)?;
        let (answer, answers) = self.answer(held, &bound, &proposal, report).at(Check::Answer)?;
        Ok(self.permit(bound, acting, proposal, answer, answers))
    }

    /// The subject token is verified, and by the record it is still valid.
    fn subject(
        self,
        recorded: &'a Recorded,
        unknown: &'a LoginRecord,
        report: &mut Report,
    ) -> Result<Held<'a>, Denial> {
        match &self.question.verified.subject {
            SubjectResult::Login(result) => {
                let login = result.as_ref().map_err(|error| not_verified(error, Cause::subject))?;
                let record = match recorded {
                    Recorded::Login(record) => record,
                    Recorded::Unread | Recorded::Token(_) => unknown,
                };
                report.who.presented = Some(Arc::clone(login.facts()));
                report.who.subject = record.subject.as_ref().map(|subject| subject.reference);
                check_user(record.subject.as_ref(), login.auth_time).map_err(Cause::subject)?;
                Ok(Held::Login(login, record))
            }
            SubjectResult::Own(result) => {
                result.as_ref().map_err(|error| not_verified(error, Cause::subject))?;
                let Recorded::Token(record) = recorded else { return Err(Denial::Unknown(Unknown::Record)) };
                let lineage = record.lineage.as_ref().ok_or(Cause::subject(TokenFault::NeverIssued))?;
                report.who.task = Some(lineage.task.id);
                report.who.login = Some(lineage.login.id);
                report.who.subject = Some(lineage.subject.reference);
                report.who.chain.clone_from(&lineage.delegation.chain);
                live(lineage, self.now).map_err(Cause::subject)?;
                self.provider_of(&lineage.login)?;
                Ok(Held::Token(lineage, record.answer.as_ref()))
            }
        }
    }

    /// The provider of a recorded login, which has to be configured still.
    fn provider_of(self, login: &LoginFacts) -> Result<&'a Arc<IdentityProvider>, Cause> {
        let provider = self.config.identity_providers.get(&login.provider);
        provider.ok_or(Cause::subject(TokenFault::PartyRemoved))
    }

    /// The actor token is verified, the client may present this actor, and the record does not speak against it.
    fn actor(self, held: Held<'_>, report: &mut Report) -> Result<&'a Acting, Denial> {
        let acting =
            self.question.verified.actor.as_ref().map_err(|error| not_verified(error, Cause::actor))?;
        report.who.agent = Some(acting.id.clone());
        report.who.class = Some(acting.class().to_owned());
        acting.check().map_err(Cause::actor)?;
        if let Held::Login(login, record) = held {
            check_agent(record.agent.as_ref(), &acting.client.id, login.auth_time)
                .map_err(|fault| self.cause(Fault::Actor(fault)))?;
        }
        Ok(acting)
    }

    fn cause(self, fault: Fault) -> Cause {
        fault.cause(self.question.has_actor_token())
    }

    /// The subject token is this actor's to exchange, the chain may grow, and enough life is left.
    fn binding(self, held: Held<'a>, acting: &Acting, report: &mut Report) -> Result<Bound<'a>, Denial> {
        let (source, plan, subject, task, login) = match held {
            Held::Login(login, record) => {
                let (provider, relying_party) = (&login.provider().issuer, login.relying_party.as_str());
                rules::check_may_act(login.may_act(), acting, &self.config.issuer, provider, relying_party)
                    .map_err(Cause::subject)?;
                let plan = self.plan(login, record, acting)?;
                let subject = self.user(login, record);
                let (task, login) = self.task_and_login(login, record, acting, plan, &subject)?;
                report.who.begins_task = plan == TaskPlan::Begin;
                report.who.purpose.clone_from(&task.purpose);
                (Source::Login, Some(plan), subject, task, login)
            }
            Held::Token(lineage, _) => {
                let (subject, task) = (lineage.subject.clone(), lineage.task.clone());
                (Source::Delegation(&lineage.delegation), None, subject, task, lineage.login.clone())
            }
        };
        report.who.task = Some(task.id);
        report.who.login = Some(login.id);
        let right = rules::bind(self.config, source, acting).map_err(Cause::subject)?;
        let chain = rules::extend_chain(right, &acting.id, self.config.tasks.max_chain_depth)?;
        let issued_at = Timestamp::from_seconds(self.now.seconds());
        let ends = Ends { task: task.expires_at, login: login.ends_at };
        let latest = rules::latest_end(right, ends, issued_at).map_err(Cause::subject)?;
        Ok(Bound { right, subject, task, login, plan, chain, latest, issued_at })
    }

    fn plan(self, login: &VerifiedLogin, record: &LoginRecord, acting: &Acting) -> Result<TaskPlan, Cause> {
        let asking = Asking {
            client: &acting.client.id,
            agent: &acting.id,
            auth_time: login.auth_time,
            named_task: self.named_task()?,
            purpose: self.question.request.purpose.as_ref(),
        };
        plan(record, &asking, self.now).map_err(|fault| self.cause(fault))
    }

    /// The task that the request names. A text that names none gets the answer of an unknown task.
    fn named_task(self) -> Result<Option<TaskId>, Cause> {
        match self.question.request.task {
            NamedTask::None => Ok(None),
            NamedTask::This(id) => Ok(Some(id)),
            NamedTask::Unreadable => Err(Cause::subject(TokenFault::TaskUnknown)),
        }
    }

    fn user(self, login: &VerifiedLogin, record: &LoginRecord) -> Subject {
        record.subject.clone().unwrap_or_else(|| Subject {
            reference: self.question.fresh.subject,
            issuer: login.provider().issuer.clone(),
            upstream: login.subject().to_owned(),
            cutoff: None,
        })
    }

    fn task_and_login(
        self,
        login: &VerifiedLogin,
        record: &LoginRecord,
        acting: &Acting,
        plan: TaskPlan,
        subject: &Subject,
    ) -> Result<(Task, Login), Denial> {
        let fresh = self.question.fresh;
        let session_end = Timestamp::from_seconds(login.auth_time).plus(login.provider().max_session);
        let task = match plan {
            TaskPlan::Begin => {
                let started_at = Timestamp::from_seconds(self.now.seconds());
                Task {
                    id: fresh.task,
                    client: acting.client.id.clone(),
                    agent: acting.id.clone(),
                    subject: subject.reference,
                    purpose: self.question.request.purpose.clone(),
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
            ends_at: task.expires_at.min(session_end),
        };
        Ok((task, login))
    }

    /// The target is known and in reach.
    fn target(self, bound: &Bound<'_>, acting: &Acting) -> Result<Reach, Plain> {
        let request = self.question.request;
        rules::choose_target(self.config, bound.right, acting, &request.audience, &request.scope)
    }

    /// The scope is held, defined and within the ceiling; with it everything that would be granted is known.
    fn scope(
        self,
        bound: &Bound<'_>,
        acting: &Acting,
        reach: &Reach,
        report: &mut Report,
    ) -> Result<Proposal, Plain> {
        let asked = &self.question.request.scope;
        rules::narrow_scope(bound.right, acting, reach, asked)?;
        let answer = rules::answered(reach, asked)?;
        let (kind, target, target_config) = match reach {
            Reach::Task(_) => (TokenKind::Task, TargetId::new(self.config.issuer.as_str()), None),
            Reach::One(target) => (TokenKind::Access, target.identifier.clone(), Some(Arc::clone(target))),
        };
        let expires_at =
            rules::expires_at(self.config, reach, answer.is_some(), bound.latest, bound.issued_at);
        let proposal = Proposal {
            kind,
            target,
            target_config,
            scope: asked.clone(),
            answer,
            chain: bound.chain.clone(),
            ancestors: rules::ancestors(bound.right),
            onward_from: match bound.right {
                Right::Onward(parent) => Some(parent.target.clone()),
                Right::Login | Right::Continue(_) => None,
            },
            issued_at: bound.issued_at,
            expires_at,
        };
        report.who.chain.clone_from(&proposal.chain);
        report.asked.target = Some(proposal.target.clone());
        report.grant = Some(proposal.clone());
        Ok(proposal)
    }

    /// No type of `authorization_details` is registered (RFC 9396 §5).
    const fn details(self) -> Result<(), Plain> {
        if self.question.request.has_authorization_details {
            return Err(Plain::AuthorizationDetails);
        }
        Ok(())
    }

    /// The login is strong and fresh enough for what is asked, by the rules as configured now.
    fn assurance(
        self,
        held: Held<'_>,
        bound: &Bound<'_>,
        proposal: &Proposal,
        reach: &Reach,
    ) -> Result<Demands, Cause> {
        let demands = Demands::of(&proposal.scope, reach.targets().map(AsRef::as_ref));
        let provider = match held {
            Held::Login(login, _) => login.provider(),
            Held::Token(..) => self.provider_of(&bound.login)?,
        };
        demands.check(&bound.login, &provider.assurance, self.now)?;
        Ok(demands)
    }

    /// The actor may have the answer, and the policy set permits the exchange.
    fn policy(
        self,
        bound: &Bound<'_>,
        acting: &Acting,
        proposal: &Proposal,
        demands: Demands,
        report: &mut Report,
    ) -> Result<(), Denial> {
        if let Some(answer) = &proposal.answer
            && !acting.answers().contains(answer)
        {
            return Err(Plain::AnswerNotForActor.into());
        }
        let purpose = bound.task.purpose.as_ref();
        let facts = exchange_facts(self.config, acting, proposal, &bound.login, purpose, demands, self.now);
        let decision = self.world.policy.decide(&facts);
        let (is_permit, is_error) = (decision.is_permit, decision.is_error);
        report.policy = Some(PolicyReport { facts, decision });
        match (is_permit, is_error) {
            // A rule that could not be evaluated is no rule that denies: nobody knows, so 503 (8693-2.2.2-06).
            (_, true) => Err(Denial::Unknown(Unknown::Policy)),
            (true, false) => Ok(()),
            (false, false) => Err(Plain::PolicyDenied.into()),
        }
    }

    /// The answer that the token carries, and those that are kept with the login.
    fn answer(
        self,
        held: Held<'_>,
        bound: &Bound<'_>,
        proposal: &Proposal,
        report: &mut Report,
    ) -> Result<(Option<GivenAnswer>, Vec<KnownAnswer>), Plain> {
        let known = match held {
            Held::Login(login, _) => self.answers_of(login, proposal, bound.task.expires_at, report),
            Held::Token(..) => Vec::new(),
        };
        let Some(scope) = &proposal.answer else { return Ok((None, known)) };
        let answer = match held {
            Held::Login(..) => known
                .iter()
                .find(|known| known.target == proposal.target && known.scope == *scope)
                .map(|known| &known.answer),
            Held::Token(_, recorded) => recorded,
        };
        let value = self.give(proposal, scope, answer)?;
        Ok((Some(GivenAnswer { scope: scope.clone(), value }), known))
    }

    /// The boolean, if it still holds and the target may have it.
    fn give(
        self,
        proposal: &Proposal,
        scope: &ScopeToken,
        answer: Option<&SealedAnswer>,
    ) -> Result<bool, Plain> {
        let rule = proposal.target_config.as_ref().and_then(|target| target.answers.get(scope));
        let value = answer.zip(rule).and_then(|(answer, rule)| answer.at(self.now, rule));
        value.ok_or(Plain::AnswerUnavailable)
    }

    /// Every answer that the granted scope asks of this login, for every target that answers it.
    fn answers_of(
        self,
        login: &VerifiedLogin,
        proposal: &Proposal,
        task_end: Timestamp,
        report: &mut Report,
    ) -> Vec<KnownAnswer> {
        let mut known = Vec::new();
        for (scope, predicate) in &self.config.predicates {
            if !proposal.scope.contains(scope.as_str()) {
                continue;
            }
            let claim = login.predicate_claims().get(&predicate.claim);
            let direct = login.predicate_claims().get(scope.as_str());
            for target in self.config.targets.values() {
                let Some(rule) = target.answers.get(scope) else { continue };
                let (question, zone) = (&predicate.question, &rule.zone);
                match answers::evaluate(question, claim, direct, zone, self.now, task_end) {
                    Some(answer) => known.push(KnownAnswer {
                        target: target.identifier.clone(),
                        scope: scope.clone(),
                        answer,
                    }),
                    // A malformed claim is the provider's to mend: the record says so, without the value.
                    None => {
                        let invalid = Answer::Unknown(answers::Unknown::Invalid);
                        report.is_birthdate_malformed |=
                            answers::answer(question, claim, direct, zone, self.now) == invalid;
                    }
                }
            }
        }
        known
    }

    fn permit(
        self,
        bound: Bound<'_>,
        acting: &Acting,
        proposal: Proposal,
        answer: Option<GivenAnswer>,
        answers: Vec<KnownAnswer>,
    ) -> Permit {
        let Bound { right, subject, task, login, plan, .. } = bound;
        let (task_id, login_id, facts) = (task.id, login.id, Arc::clone(&login.facts));
        let origin = match (right, plan) {
            (Right::Continue(parent) | Right::Onward(parent), _) => Origin::Later { parent: parent.jti },
            (Right::Login, plan) => Origin::FirstHop(Box::new(FirstHop {
                plan: plan.unwrap_or(TaskPlan::Begin),
                task,
                login,
                // It was read before, so it is one that names a task.
                named_task: self.named_task().unwrap_or_default(),
                purpose: self.question.request.purpose.clone(),
            })),
        };
        Permit::new(Terms {
            jti: self.question.fresh.jti,
            proposal,
            client: acting.client.id.clone(),
            has_actor_token: self.question.has_actor_token(),
            actor: acting.to_agent(self.now),
            subject,
            task: task_id,
            login: login_id,
            facts,
            origin,
            answer,
            answers,
        })
    }
}

fn not_verified(error: &NotVerified, cause: fn(TokenFault) -> Cause) -> Denial {
    match error {
        NotVerified::Fault(fault) => Denial::Refused(cause(*fault)),
        NotVerified::Unavailable(what) => Denial::Unknown(Unknown::IssuerKeys(what.clone())),
    }
}
