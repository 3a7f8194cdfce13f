//! The report of a decision: every check in order with what it found, who asked for what, the facts that were
//! put to policy and what would be granted.

use std::sync::Arc;

use super::question::{Question, SubjectResult, WayIn};
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::delegation::record::{DelegatorKind, TokenKind};
use crate::oauth::{
    AgentId, Audience, Cause, ClientId, Confirmation, CredentialHash, Jti, LoginId, Purpose, Recipient,
    Scope, ScopeToken, SubjectRef, TargetId, TaskId,
};
use crate::policy::{self, BroughtIn, Facts};
use crate::registry::Target;
use crate::verification::LoginFacts;

/// The checks of a token request, in the order in which they are made (requirement 8693-2.1-23 of
/// `conformance/requirements.md`). The first check that fails is the one that is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The client authenticated.
    Client,
    /// The DPoP proof is good, and it is there if the client has to send one.
    Proof,
    /// The grant type is one that is served.
    Grant,
    /// The client is registered for the grant.
    GrantAllowed,
    /// All parameters are present and well-formed.
    Parameters,
    /// The subject token is verified and still valid by the record.
    Subject,
    /// The actor token is verified, and the client may present this actor.
    Actor,
    /// The actor may exchange this subject token, the chain is allowed to grow if it must, and enough lifetime is
    /// left.
    Binding,
    /// The target is registered, and the client and the subject token can reach it.
    Target,
    /// Each requested scope is in the subject token, is defined by the target, and is allowed for the client and the
    /// agent's class.
    Scope,
    /// `authorization_details` are of a registered type.
    Details,
    /// The login is strong and fresh enough.
    Assurance,
    /// The actor may have the answer, and the policy set permits the exchange.
    Policy,
    /// The yes/no answer is known and still holds.
    Answer,
}

impl Check {
    /// Every check, in order.
    pub const ALL: [Self; 14] = [
        Self::Client,
        Self::Proof,
        Self::Grant,
        Self::GrantAllowed,
        Self::Parameters,
        Self::Subject,
        Self::Actor,
        Self::Binding,
        Self::Target,
        Self::Scope,
        Self::Details,
        Self::Assurance,
        Self::Policy,
        Self::Answer,
    ];
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Passed,
    Failed(Cause),
    /// There is no result, because something that the check needs was not available.
    Unknown,
    /// The check was not made, because an earlier one had failed.
    NotReached,
}

/// The requested target and scopes, limited to names that occur in the configuration. Any other text may be a token or
/// a secret in the wrong place, and is not reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The target; Deputy's issuer where a task token was asked for.
    pub target: Option<TargetId>,
    pub scope: Option<Scope>,
    /// Whether no scope was requested, so that `scope` is the default that is configured.
    pub is_default_scope: bool,
}

/// The client, the agent, the user and the task of a request, as far as they are known when the checks end.
#[derive(Clone, Debug)]
pub struct Who {
    pub client: ClientId,
    /// How the credential of the agent came; absent where the request could not be read.
    pub way: Option<WayIn>,
    /// The agent that is to act.
    pub agent: Option<AgentId>,
    pub class: Option<String>,
    /// The chain of actors, current actor first. Until the scope check has passed, this is the chain of the subject
    /// token; afterwards it is the chain of the proposed token.
    pub chain: Vec<AgentId>,
    /// Whether a user or an agent is behind the task, as far as that is known.
    pub delegator: Option<DelegatorKind>,
    /// The user, if known to the record.
    pub subject: Option<SubjectRef>,
    /// The facts of the login that was presented; at the first hop only.
    pub presented: Option<Arc<LoginFacts>>,
    pub login: Option<LoginId>,
    pub task: Option<TaskId>,
    /// Whether this request would begin the task.
    pub begins_task: bool,
    /// What the task is for; at the first hop only.
    pub purpose: Option<Purpose>,
    /// The subject token, where it is one of Deputy's own.
    pub parent: Option<Jti>,
    /// Whom the agent asks to bring in, if the configuration or the record knows them.
    pub handed_to: Option<Recipient>,
    /// What the request proved: a key, or else its client certificate.
    pub proven: Option<Confirmation>,
    /// The platform's credential that the actor was presented by.
    pub credential: Option<CredentialHash>,
}

/// The facts that were given to the policy, and its decision.
#[derive(Clone, Debug)]
pub struct PolicyReport {
    /// The facts. Only tests read them now; a dry run will show them later.
    #[cfg_attr(not(test), expect(dead_code, reason = "only a dry run shows facts, and there is none yet"))]
    pub facts: Facts,
    /// The decision, with the rules that determined it.
    pub decision: policy::Decision,
}

/// The proposed token. Nothing in it exceeds the token that it is exchanged from.
#[derive(Clone, Debug)]
pub struct Proposal {
    pub kind: TokenKind,
    /// `aud`.
    pub target: TargetId,
    /// The configuration of the target; absent for a task token and for a handover.
    pub target_config: Option<Arc<Target>>,
    /// What was asked for, whole.
    pub scope: Scope,
    /// The yes/no scope that the token answers.
    pub answer: Option<ScopeToken>,
    /// The chain of actors, current actor first.
    pub chain: Vec<AgentId>,
    /// The class of each of them.
    pub classes: Vec<String>,
    /// The tokens above it, oldest first.
    pub ancestors: Vec<Jti>,
    /// The target of the subject token, where the exchange goes onward from it.
    pub onward_from: Option<TargetId>,
    /// The agent that handed over, where a handover is accepted.
    pub accepted_from: Option<AgentId>,
    /// Whom the agent brings in, where it hands over.
    pub brings_in: Option<BroughtIn>,
    /// The key or the certificate that it is bound to.
    pub bound_to: Option<Confirmation>,
    /// `iat`, in whole seconds.
    pub issued_at: Timestamp,
    /// `exp`, in whole seconds.
    pub expires_at: Timestamp,
}

impl Proposal {
    /// Seconds from `iat` to `exp`.
    pub const fn lifetime_seconds(&self) -> i64 {
        self.expires_at.seconds() - self.issued_at.seconds()
    }
}

/// What a token request is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Act {
    /// The agent asks for a token for itself.
    #[default]
    Exchange,
    /// The agent asks to bring in another.
    HandOver,
    /// The agent accepts a handover.
    Accept,
}

#[derive(Clone, Debug)]
pub struct Report {
    pub act: Act,
    pub asked: Asked,
    pub who: Who,
    /// What policy said; absent if it was not asked.
    pub policy: Option<PolicyReport>,
    /// What would be granted, once it is known.
    pub grant: Option<Proposal>,
    /// A birthdate of the login was malformed. The value is not kept.
    pub is_birthdate_malformed: bool,
    /// The check that ended the walk, and what it found; absent if all passed.
    stopped: Option<(Check, Found)>,
}

impl Report {
    /// The report of a request of which only the client is known.
    pub const fn of_client(client: ClientId) -> Self {
        Self {
            act: Act::Exchange,
            asked: Asked { target: None, scope: None, is_default_scope: false },
            who: Who {
                client,
                way: None,
                agent: None,
                class: None,
                chain: Vec::new(),
                delegator: None,
                subject: None,
                presented: None,
                login: None,
                task: None,
                begins_task: false,
                purpose: None,
                parent: None,
                handed_to: None,
                proven: None,
                credential: None,
            },
            policy: None,
            grant: None,
            is_birthdate_malformed: false,
            stopped: None,
        }
    }

    /// The report of a question before anything was checked.
    pub fn of(question: &Question<'_>, config: &Config) -> Self {
        let (client, request) = (question.client.client(), question.request);
        let mut report = Self::of_client(client.id.clone());
        let words = request.scope.words();
        let is_known = words.is_subset_of(&client.scopes);
        let scope = if is_known { words.clone() } else { config.registry.known_part_of(words) };
        report.who.way = Some(question.way_in());
        report.asked = Asked {
            scope: (!scope.is_empty()).then_some(scope),
            is_default_scope: request.scope.is_default(),
            target: match &request.audience {
                Audience::Target(target) => {
                    config.registry.targets.contains_key(target).then(|| target.clone())
                }
                _ => Some(TargetId::new(config.issuer.as_str())),
            },
        };
        if let SubjectResult::Own(Ok(own)) = &question.verified.subject {
            report.who.parent = Some(own.jti());
        }
        if let Some(asked) = &request.handover {
            report.act = Act::HandOver;
            let is_class = |name: &str| config.registry.class(name).is_some();
            let known = Some(&asked.recipient);
            let known = known.filter(|to| matches!(to, Recipient::Class(name) if is_class(name)));
            report.who.handed_to = known.cloned();
        }
        report.who.proven = question.proven();
        let workload = question.verified.actor.as_ref().ok().and_then(|acting| acting.workload.as_ref());
        report.who.credential = workload.map(|workload| workload.credential().hash);
        report
    }

    /// This report with `cause` found by `check`.
    #[must_use]
    pub fn refused_at(mut self, check: Check, cause: Cause) -> Self {
        self.refuse_at(check, cause);
        self
    }

    /// Notes that `check` found `cause`.
    pub fn refuse_at(&mut self, check: Check, cause: Cause) {
        self.stopped = Some((check, Found::Failed(cause)));
    }

    /// Notes that `check` could not be made, or that what it found could not be written.
    pub fn fail_at(&mut self, check: Check) {
        self.stopped = Some((check, Found::Unknown));
    }

    pub(super) fn stop(&mut self, check: Check, found: Found) {
        self.stopped = Some((check, found));
    }

    /// The check that ended the walk, and what it found; absent if all passed.
    pub const fn stopped(&self) -> Option<&(Check, Found)> {
        self.stopped.as_ref()
    }

    /// Every check with what it found, in order.
    pub fn checks(&self) -> [(Check, Found); Check::ALL.len()] {
        Check::ALL.map(|check| {
            let found = match &self.stopped {
                Some((at, found)) if check == *at => found.clone(),
                Some((at, _)) if check > *at => Found::NotReached,
                _ => Found::Passed,
            };
            (check, found)
        })
    }
}
