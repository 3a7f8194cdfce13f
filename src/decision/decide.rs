//! The one order of checks. Each check is a function of [`Walk`], in the files beside this one.

mod answer;
mod binding;
mod grant;
mod tokens;

use super::permit::{FirstHop, GivenAnswer, KnownAnswer, Origin, Permit, Terms};
use super::question::{Question, World};
use super::report::{Check, Found, Proposal, Report};
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::delegation::actor::Acting;
use crate::delegation::binding::PinnedUse;
use crate::delegation::ceiling::Ceilings;
use crate::delegation::plan::{LoginRecord, TaskPlan};
use crate::delegation::quota::AgentQuotas;
use crate::delegation::record::{Behind, DelegatorKind, Grounds, Lineage, Login, SignedIn, Task};
use crate::delegation::recorded::{AgentRecord, Recorded, TokenRecord};
use crate::delegation::rules::Right;
use crate::delegation::stops::Stops;
use crate::oauth::{AgentId, Cause, Jti, TaskId};
use crate::verification::{KeysUnknown, VerifiedLogin};

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

/// What was not available.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The key of a presented token.
    IssuerKeys(KeysUnknown),
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
    let unread = Unread::default();
    let walk = Walk { config: &world.config, world, question, now };
    let outcome = walk.walk(recorded, &unread, &mut report);
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

/// A result whose error names the check that failed.
type At<T> = Result<T, (Check, Denial)>;

trait AtCheck<T> {
    fn at(self, check: Check) -> At<T>;
}

impl<T, E: Into<Denial>> AtCheck<T> for Result<T, E> {
    fn at(self, check: Check) -> At<T> {
        self.map_err(|error| (check, error.into()))
    }
}

/// What is assumed where nothing was read: nothing is known.
#[derive(Default)]
struct Unread {
    login: LoginRecord,
    agent: AgentRecord,
}

/// The subject token, once it is known to be good.
#[derive(Clone, Copy)]
enum Held<'a> {
    Login(&'a VerifiedLogin, &'a LoginRecord),
    Token(&'a Lineage, &'a TokenRecord),
    /// None: the agent asks for itself.
    Nothing(&'a AgentRecord),
}

impl Held<'_> {
    /// The stops of what the records name.
    const fn stops(&self) -> &Stops {
        match self {
            Self::Login(_, record) => &record.stops,
            Self::Token(lineage, _) => &lineage.stops,
            Self::Nothing(record) => &record.stops,
        }
    }
}

/// What the new token goes back to.
enum Root<'a> {
    /// A login token.
    Login { login: &'a VerifiedLogin, plan: TaskPlan, user: SignedIn, task: Task },
    /// A token of Deputy's own.
    Token { parent: Jti, behind: &'a Behind, task: &'a Task },
    /// The agent itself, with the task that it begins, if it asks for one.
    Agent { task: Option<Task> },
}

impl Root<'_> {
    /// The login by which a user is behind the token.
    const fn login(&self) -> Option<&Login> {
        match self {
            Self::Login { user, .. } => Some(&user.login),
            Self::Token { behind, .. } => behind.login(),
            Self::Agent { .. } => None,
        }
    }

    const fn kind(&self) -> DelegatorKind {
        match self {
            Self::Login { .. } => DelegatorKind::User,
            Self::Token { behind, .. } => behind.kind(),
            Self::Agent { .. } => DelegatorKind::Agent,
        }
    }

    /// The task of the new token; absent for one about the agent itself.
    const fn task(&self) -> Option<&Task> {
        match self {
            Self::Login { task, .. } => Some(task),
            Self::Token { task, .. } => Some(task),
            Self::Agent { task } => task.as_ref(),
        }
    }
}

/// The result of the binding check: the rule that allows this actor to exchange the subject token, the task of the new
/// token, and what it goes back to.
struct Bound<'a> {
    right: Right<'a>,
    /// What the new token may be for and grant at most.
    ceilings: Ceilings<'a>,
    root: Root<'a>,
    chain: Vec<AgentId>,
    /// The new token expires at this time at the latest.
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
    fn walk(self, recorded: &'a Recorded, unread: &'a Unread, report: &mut Report) -> At<Permit> {
        let held = self.subject(recorded, unread, report).at(Check::Subject)?;
        let acting = self.actor(held, report).at(Check::Actor)?;
        let bound = self.binding(held, acting, report).at(Check::Binding)?;
        let reach = self.target(held, &bound, acting).at(Check::Target)?;
        let proposal = self.scope(held, &bound, acting, &reach, report).at(Check::Scope)?;
        self.details().at(Check::Details)?;
        let demands = self.assurance(&bound, &proposal, &reach).at(Check::Assurance)?;
        let grounds = self.policy(&bound, acting, &proposal, demands, report).at(Check::Policy)?;
        let (answer, answers) = self.answer(held, &bound, &proposal, report).at(Check::Answer)?;
        Ok(self.permit(bound, acting, proposal, grounds, (answer, answers)))
    }

    fn permit(
        self,
        bound: Bound<'_>,
        acting: &Acting,
        proposal: Proposal,
        grounds: Grounds,
        (answer, answers): (Option<GivenAnswer>, Vec<KnownAnswer>),
    ) -> Permit {
        let Bound { right, root, .. } = bound;
        let jti = self.question.fresh.jti;
        let task_id = root.task().map_or_else(|| TaskId::new(jti.uuid()), |task| task.id);
        let origin = match root {
            Root::Agent { task } => Origin::Agent { task: task.map(Box::new) },
            Root::Token { parent, behind, .. } => {
                let is_accepted = matches!(right, Right::Accept(..));
                Origin::Later { parent, behind: behind.clone(), is_accepted }
            }
            Root::Login { login, plan, user, task } => Origin::FirstHop(Box::new(FirstHop {
                plan,
                task,
                user,
                begins_until: login.begins_until(),
                lacks_nonce: login.lacks_nonce(),
                max_per_login: self.config.tasks.max_per_login,
                // It was read before, so it is one that names a task.
                named_task: self.named_task().unwrap_or_default(),
                purpose: self.question.request.purpose.clone(),
            })),
        };
        Permit::new(Terms {
            jti,
            proposal,
            client: acting.client.id.clone(),
            agent_presented_as: self.question.agent_presented_as(),
            credential_at: acting.credential_at(),
            actor: acting.to_agent(self.now),
            task: task_id,
            grounds,
            origin,
            pin: PinnedUse::of(&self.config.registry, acting, self.question.proven()),
            quotas: AgentQuotas::of(&self.config.registry, acting),
            answer,
            answers,
        })
    }
}
