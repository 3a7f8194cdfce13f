//! The event of a token request, made from the report of its decision: the one place that does so.

use serde::{Deserialize, Serialize};

use super::effect::{Effect, Outcome};
use crate::decision::{Found, Report, WayIn};
use crate::delegation::record::{DelegatorKind, TokenWord};
use crate::oauth::{
    AgentId, CertificateHash, Confirmation, CredentialHash, Jkt, Jti, LoginId, Purpose, Recipient, Scope,
    SubjectRef, TargetId, TaskId,
};
use crate::policy::PolicyRecord;
use crate::verification::LoginToken;

/// A token request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExchangeEvent {
    /// How the credential of the agent came; absent where the request could not be read.
    #[serde(rename = "way_in", default, skip_serializing_if = "Option::is_none")]
    pub way: Option<WayIn>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Whether this exchange created the agent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub agent_created: bool,
    /// The whole chain, current actor first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<AgentId>,
    /// Whether a user or an agent is behind the task; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegator_kind: Option<DelegatorKind>,
    /// The user, by reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// Whether this exchange began the task.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub task_begun: bool,
    /// What the task is for; at the first hop only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginId>,
    /// The provider; at the first hop only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The audience of the provider's access token that was presented, as configured; absent for an ID token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_audience: Option<String>,
    /// The assurance levels that the login met; at the first hop only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<Jti>,
    /// The token it was exchanged from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Jti>,
    /// Whom the agent brings in, as `agent_…` or `class:NAME`; only where it hands over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed_to: Option<Recipient>,
    /// Until when the handover may be accepted first, in whole seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_until: Option<i64>,
    /// The agent that handed over; only where the agent accepts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_from: Option<AgentId>,
    /// The kind of the issued token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_kind: Option<TokenWord>,
    /// The target that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetId>,
    /// The scope that was asked for, as far as the configuration knows its words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_asked: Option<Scope>,
    /// Whether the request named no scope, so that `scope_asked` is the default that is configured.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub scope_defaulted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// `exp` of the issued token, in whole seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// The key that the request proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jkt: Option<Jkt>,
    /// The client certificate that the request proved, where it proved no key by DPoP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x5t: Option<CertificateHash>,
    /// Whether the issued token is bound to that key or certificate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bound: bool,
    /// The platform's credential that the actor was presented by, as a hash of its signing input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialHash>,
    /// What policy said, if it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyRecord>,
    /// Whether a birthdate of the login was malformed. The value is not kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub birthdate_malformed: bool,
}

/// Outcome and event of a token request.
pub(super) fn told(report: &Report, effect: &Effect) -> (Outcome, ExchangeEvent) {
    let outcome = match report.stopped() {
        None => Outcome::Granted,
        Some((_, Found::Failed(cause))) => Outcome::refused(cause),
        Some(_) => Outcome::Failed,
    };
    let who = &report.who;
    let granted = report.grant.as_ref().filter(|_| outcome == Outcome::Granted);
    // A first hop that is not granted begins nothing: the identifiers it would have had name nothing.
    let is_unbegun = who.begins_task && outcome != Outcome::Granted;
    let event = ExchangeEvent {
        way: who.way,
        agent: who.agent.clone(),
        class: who.class.clone(),
        agent_created: effect.agent_created,
        chain: who.chain.clone(),
        delegator_kind: who.delegator,
        subject: effect.subject.or(who.subject),
        task: who.task.filter(|_| !is_unbegun),
        task_begun: who.begins_task && !is_unbegun,
        purpose: who.purpose.clone(),
        login: who.login.filter(|_| !is_unbegun),
        provider: who.presented.as_ref().map(|facts| facts.provider.to_string()),
        subject_audience: who.presented.as_ref().and_then(|facts| match &facts.token {
            LoginToken::IdToken => None,
            LoginToken::AccessToken { audience, .. } => Some(audience.clone()),
        }),
        levels: who.presented.iter().flat_map(|facts| facts.levels.iter().cloned()).collect(),
        jti: effect.jti,
        parent: who.parent,
        handed_to: who.handed_to.clone(),
        accept_until: granted
            .and_then(|grant| grant.kind.handover())
            .map(|handover| handover.accept_until.seconds()),
        accepted_from: granted.and_then(|grant| grant.accepted_from.clone()),
        token_kind: granted.map(|grant| grant.kind.word()),
        target: report.asked.target.clone(),
        scope_asked: report.asked.scope.clone(),
        scope_defaulted: report.asked.is_default_scope,
        scope: granted.map(|grant| grant.scope.clone()),
        expires_at: granted.map(|grant| grant.expires_at.seconds()),
        jkt: who.proven.and_then(Confirmation::key),
        x5t: who.proven.and_then(Confirmation::certificate),
        bound: granted.is_some_and(|grant| grant.bound_to.is_some()),
        credential: who.credential,
        policy: report.policy.as_ref().map(|policy| policy.decision.record.clone()),
        birthdate_malformed: report.is_birthdate_malformed,
    };
    (outcome, event)
}
