//! What would be granted: target, scope, details, assurance and policy.

use std::sync::Arc;

use super::{Bound, Denial, Held, Root, Unknown, Walk};
use crate::decision::facts::exchange_facts;
use crate::decision::question::WayIn;
use crate::decision::report::{PolicyReport, Proposal, Report};
use crate::delegation::actor::Acting;
use crate::delegation::assurance::{Demands, login_age_seconds};
use crate::delegation::binding::bound_to;
use crate::delegation::record::{Grounds, Handover, TokenKind};
use crate::delegation::rules::{self, Reach, Right};
use crate::oauth::{AskedScope, Audience, Cause, Plain, Recipient, TargetId};
use crate::policy::{BroughtIn, Delegator};

/// Whom the agent brings in, as policy sees it.
fn brought_in(right: Right<'_>, held: Held<'_>) -> Option<BroughtIn> {
    let (Right::HandOver(_, asked), Held::Token(_, record)) = (right, held) else { return None };
    match &asked.recipient {
        Recipient::Class(name) => Some(BroughtIn::Class(name.clone())),
        Recipient::Agent(id) => {
            let class = record.requested.as_ref().map(|agent| agent.class.clone())?;
            Some(BroughtIn::Agent { id: id.clone(), class })
        }
    }
}

impl Walk<'_> {
    /// Chooses the target: it is registered, and the client and the subject token can reach it. The scope takes part,
    /// because a task token reaches only the targets that define one of its scopes.
    pub(super) fn target(self, held: Held<'_>, bound: &Bound<'_>, acting: &Acting) -> Result<Reach, Plain> {
        let request = self.question.request;
        let (right, ceilings) = (bound.right, &bound.ceilings);
        if matches!(held, Held::Nothing(_)) {
            self.check_own(acting)?;
        }
        let reach =
            rules::choose_target(self.config, right, ceilings, &request.audience, request.scope.words())?;
        match &reach {
            Reach::One(target) if held.stops().close(&target.identifier) => Err(Plain::TargetStopped),
            Reach::One(_) | Reach::Task(_) | Reach::Handover(..) => Ok(reach),
        }
    }

    /// Whether the agent may ask for itself for this: a token about it, or a task of its own.
    fn check_own(self, acting: &Acting) -> Result<(), Plain> {
        let is_by_grant = self.question.way_in() == WayIn::Assertion;
        match self.question.request.audience {
            Audience::Deputy if !acting.begins_tasks(!is_by_grant) => Err(Plain::BeginsNoTasks),
            Audience::Target(_) if is_by_grant && !acting.has_agent_tokens() => Err(Plain::NoAgentTokens),
            _ => Ok(()),
        }
    }

    /// Checks that each requested scope is in the subject token, is defined by the target, and is allowed for the
    /// client and the agent's class. Where none was requested, it chooses from the default scopes. Returns the complete
    /// proposal.
    pub(super) fn scope(
        self,
        held: Held<'_>,
        bound: &Bound<'_>,
        acting: &Acting,
        reach: &Reach,
        report: &mut Report,
    ) -> Result<Proposal, Plain> {
        let limit = match held {
            Held::Login(login, _) => login.ceiling(),
            Held::Token(lineage, _) => Some(&lineage.delegation.scope),
            Held::Nothing(_) => None,
        };
        let kind = bound.root.kind();
        let scope = match &self.question.request.scope {
            AskedScope::These(asked) => asked.clone(),
            AskedScope::Default(words) => rules::default_scope(limit, &bound.ceilings, (reach, kind), words)?,
        };
        rules::narrow_scope(limit, &bound.ceilings, (reach, kind), &scope)?;
        let answer = rules::answered(reach, &scope)?;
        let own = || TargetId::new(self.config.issuer.as_str());
        let (kind, target, target_config) = match reach {
            Reach::Task(_) => (TokenKind::Task, own(), None),
            Reach::One(target) => {
                let kind =
                    if matches!(held, Held::Nothing(_)) { TokenKind::Agent } else { TokenKind::Access };
                (kind, target.identifier.clone(), Some(Arc::clone(target)))
            }
            Reach::Handover(_, asked) => {
                let handover = Handover::new(asked, self.now, self.config.tasks.accept_within);
                (TokenKind::Handover(Box::new(handover)), own(), None)
            }
        };
        let expires_at =
            rules::expires_at(self.config, reach, answer.is_some(), bound.latest, bound.issued_at);
        let proposal = Proposal {
            kind,
            target,
            target_config,
            scope,
            answer,
            chain: bound.chain.clone(),
            classes: rules::classes(bound.right, acting.class()),
            ancestors: rules::ancestors(bound.right),
            onward_from: match bound.right {
                Right::Onward(parent) => Some(parent.target.clone()),
                Right::Login | Right::Own | Right::Continue(_) | Right::HandOver(..) | Right::Accept(..) => {
                    None
                }
            },
            accepted_from: match bound.right {
                Right::Accept(parent, _) => parent.holder().cloned(),
                Right::Login | Right::Own | Right::Continue(_) | Right::Onward(_) | Right::HandOver(..) => {
                    None
                }
            },
            brings_in: brought_in(bound.right, held),
            bound_to: bound_to(bound.right, reach, &acting.client, self.question.proven())?,
            issued_at: bound.issued_at,
            expires_at,
        };
        report.who.chain.clone_from(&proposal.chain);
        report.asked.target = Some(proposal.target.clone());
        report.grant = Some(proposal.clone());
        Ok(proposal)
    }

    /// No type of `authorization_details` is registered (RFC 9396 §5).
    pub(super) const fn details(self) -> Result<(), Plain> {
        if self.question.request.has_authorization_details {
            return Err(Plain::AuthorizationDetails);
        }
        Ok(())
    }

    /// The login is strong and fresh enough for what is asked, by the rules as configured now. Where nobody signed in,
    /// only scopes can be had that are open to agents, which was checked with them.
    pub(super) fn assurance(
        self,
        bound: &Bound<'_>,
        proposal: &Proposal,
        reach: &Reach,
    ) -> Result<Demands, Cause> {
        let demands = Demands::of(&proposal.scope, reach.targets().map(AsRef::as_ref));
        let Some(login) = bound.root.login() else { return Ok(demands.without_login()) };
        let provider = match &bound.root {
            Root::Login { login, .. } => login.provider(),
            Root::Token { .. } | Root::Agent { .. } => self.provider_of(login)?,
        };
        demands.check(login, &provider.assurance, self.now)?;
        Ok(demands)
    }

    /// The actor may have the answer, and the policy set permits the exchange.
    pub(super) fn policy(
        self,
        bound: &Bound<'_>,
        acting: &Acting,
        proposal: &Proposal,
        demands: Demands,
        report: &mut Report,
    ) -> Result<Grounds, Denial> {
        if let Some(answer) = &proposal.answer
            && !acting.answers().contains(answer)
        {
            return Err(Plain::AnswerNotForActor.into());
        }
        let purpose = bound.root.task().and_then(|task| task.purpose.as_ref());
        let delegator = match bound.root.login() {
            Some(login) => Delegator::user(&login.facts, login_age_seconds(login, self.now)),
            None => Delegator::Agent(bound.root.task().map_or(&acting.id, |task| &task.agent).clone()),
        };
        let facts = exchange_facts(self.config, acting, proposal, delegator, purpose, demands, self.now);
        let decision = self.world.policy.decide(&facts);
        let (is_permit, is_error) = (decision.is_permit, decision.is_error);
        let grounds =
            Grounds { policy: decision.record.set.clone(), rules: decision.record.policies.clone() };
        report.policy = Some(PolicyReport { facts, decision });
        match (is_permit, is_error) {
            // If a rule cannot be evaluated, the result is unknown and not a denial, so the response is 503
            // (8693-2.2.2-06).
            (_, true) => Err(Denial::Unknown(Unknown::Policy)),
            (true, false) => Ok(grounds),
            (false, false) => Err(Plain::PolicyDenied.into()),
        }
    }
}
