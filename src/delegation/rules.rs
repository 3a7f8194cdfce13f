//! The rules that let a token come from another: whose it is to exchange, how the chain grows, and how
//! scope, target and lifetime shrink. Each is a few lines and a function of its inputs; `derive` calls
//! them in the order of 8693-2.1-23.

use std::sync::Arc;

use super::actor::Acting;
use super::record::{Delegation, TokenKind};
use crate::base::time::{Lifetime, Timestamp};
use crate::config::{Config, Target};
use crate::oauth::{AgentId, Audience, Cause, Jti, Plain, Scope, ScopeToken, TargetId, TokenFault};

/// An input with less than this left is refused, instead of issuing a token dead on arrival (8693-F-03).
pub const LEAST_REMAINING_LIFE: Lifetime = Lifetime::from_seconds(5);

/// A token that holds a yes/no answer lives no longer than this (YNC-13).
pub const ANSWER_LIFETIME: Lifetime = Lifetime::from_seconds(120);

/// What is exchanged.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// An ID token.
    Login,
    /// A Deputy token, found live.
    Delegation(&'a Delegation),
}

/// By which right it is exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right<'a> {
    /// Hop 0: the ID token was issued to a source of this client.
    Login,
    /// A task token by its current actor.
    Continue(&'a Delegation),
    /// A token by its audience, registered to exchange onward.
    Onward(&'a Delegation),
}

/// When the things a token hangs on end.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// The task.
    pub task: Timestamp,
    /// The login's session.
    pub login: Timestamp,
}

/// What may be issued, before assurance and policy: nothing in it exceeds its source.
#[derive(Clone, Debug)]
pub struct Derived {
    /// Task or access token.
    pub kind: TokenKind,
    /// `aud`.
    pub target: TargetId,
    /// Its configuration; absent for a task token.
    pub target_config: Option<Arc<Target>>,
    /// The targets whose gates the scope has to pass: the target, or for a task token all in reach.
    pub reach: Vec<Arc<Target>>,
    /// What is granted: what was asked, whole.
    pub scope: Scope,
    /// The yes/no scope that the token answers.
    pub answer: Option<ScopeToken>,
    /// Agents, current actor first.
    pub chain: Vec<AgentId>,
    /// Ancestors' `jti`s, oldest first.
    pub ancestors: Vec<Jti>,
    /// The subject token's target, when exchanged onward.
    pub onward_from: Option<TargetId>,
    /// `iat`, whole seconds.
    pub issued_at: Timestamp,
    /// `exp`, whole seconds.
    pub expires_at: Timestamp,
}

/// Derives what may be issued: binding, chain, target, scope, lifetime, in this order.
///
/// # Errors
/// The first rule that refuses.
pub fn derive(
    config: &Config,
    source: Source<'_>,
    acting: &Acting,
    audience: &Audience,
    asked: &Scope,
    ends: Ends,
    now: Timestamp,
) -> Result<Derived, Cause> {
    let right = bind(config, source, acting).map_err(Cause::subject)?;
    let chain = extend_chain(right, &acting.id, config.tasks.max_chain_depth)?;
    let reach = choose_target(config, right, acting, audience, asked)?;
    narrow_scope(right, acting, &reach, asked)?;
    let answer = answered(&reach, asked)?;
    let issued_at = Timestamp::from_seconds(now.seconds());
    let expires_at = shorten(config, right, &reach, answer.is_some(), ends, issued_at)?;
    let (kind, target, target_config) = match &reach {
        Reach::Task(_) => (TokenKind::Task, TargetId::new(config.issuer.as_str()), None),
        Reach::One(target) => (TokenKind::Access, target.identifier.clone(), Some(target.clone())),
    };
    let (ancestors, onward_from) = match right {
        Right::Login => (Vec::new(), None),
        Right::Continue(parent) => (below(parent), None),
        Right::Onward(parent) => (below(parent), Some(parent.target.clone())),
    };
    let reach = match reach {
        Reach::Task(targets) => targets,
        Reach::One(target) => vec![target],
    };
    Ok(Derived {
        kind,
        target,
        target_config,
        reach,
        scope: asked.clone(),
        answer,
        chain,
        ancestors,
        onward_from,
        issued_at,
        expires_at,
    })
}

fn below(parent: &Delegation) -> Vec<Jti> {
    parent.ancestors.iter().copied().chain([parent.jti]).collect()
}

/// Whose token it is to exchange (8693-F-05, F-06): a task token its current actor's, through the
/// client it was issued to; an access token its audience's, where registered to exchange onward.
///
/// # Errors
/// [`TokenFault::NotYours`]: also an access token in the hands of its own actor.
pub fn bind<'a>(config: &Config, source: Source<'a>, acting: &Acting) -> Result<Right<'a>, TokenFault> {
    let parent = match source {
        Source::Login => return Ok(Right::Login),
        Source::Delegation(parent) => parent,
    };
    let is_allowed = match parent.kind {
        TokenKind::Task => parent.client == acting.client.id && parent.actor() == Some(&acting.id),
        TokenKind::Access => config
            .targets
            .get(&parent.target)
            .is_some_and(|target| target.exchange_client.as_ref() == Some(&acting.client.id)),
    };
    match (is_allowed, parent.kind) {
        (true, TokenKind::Task) => Ok(Right::Continue(parent)),
        (true, TokenKind::Access) => Ok(Right::Onward(parent)),
        (false, _) => Err(TokenFault::NotYours),
    }
}

/// How the chain grows (RFC 8693 §4.1): at hop 0 it begins, continuing copies it, going onward adds
/// exactly one level in front. Prior actors come from the subject token's record only.
///
/// # Errors
/// No agent twice (8693-F-09); never more levels than configured (8693-4.1-10).
pub fn extend_chain(right: Right<'_>, actor: &AgentId, max_depth: u8) -> Result<Vec<AgentId>, Plain> {
    let chain = match right {
        Right::Login => vec![actor.clone()],
        Right::Continue(parent) => parent.chain.clone(),
        Right::Onward(parent) if parent.chain.contains(actor) => return Err(Plain::ChainLoop),
        Right::Onward(parent) => std::iter::once(actor).chain(&parent.chain).cloned().collect(),
    };
    if chain.len() > usize::from(max_depth) {
        return Err(Plain::ChainTooDeep);
    }
    Ok(chain)
}

/// What the token is for.
#[derive(Clone, Debug)]
pub enum Reach {
    /// Deputy itself: every target of the ceiling that defines one of its scopes.
    Task(Vec<Arc<Target>>),
    /// One target.
    One(Arc<Target>),
}

/// Which target, and whether it is in reach (8707-2.2-02).
///
/// # Errors
/// Several, unknown, not in the ceiling, not on the onward list, or Deputy itself.
pub fn choose_target(
    config: &Config,
    right: Right<'_>,
    acting: &Acting,
    audience: &Audience,
    asked: &Scope,
) -> Result<Reach, Plain> {
    let id = match audience {
        Audience::Several => return Err(Plain::TargetSeveral),
        Audience::DeputyAsResource => return Err(Plain::TargetIsDeputy),
        Audience::Deputy if right != Right::Login => return Err(Plain::TargetIsDeputy),
        Audience::Deputy => {
            let in_reach = |target: &&Arc<Target>| {
                acting.may_reach(&target.identifier)
                    && target.scopes.keys().any(|scope| asked.contains(scope.as_str()))
            };
            return Ok(Reach::Task(config.targets.values().filter(in_reach).cloned().collect()));
        }
        Audience::Target(id) => id,
    };
    let target = config.targets.get(id).ok_or(Plain::TargetUnknown)?;
    if let Right::Onward(parent) = right {
        let is_listed = config.targets.get(&parent.target).is_some_and(|from| from.onward.contains(id));
        if !is_listed {
            return Err(Plain::TargetNotOnward);
        }
    }
    if !acting.may_reach(id) {
        return Err(Plain::TargetNotAllowed);
    }
    Ok(Reach::One(target.clone()))
}

/// Scope never grows (8693-F-01): what was asked has to be in the subject token, at the target (for a
/// task token at some target in reach), the client's and the class's; it is granted whole or refused.
///
/// # Errors
/// The first of the four that lacks a word.
pub fn narrow_scope(right: Right<'_>, acting: &Acting, reach: &Reach, asked: &Scope) -> Result<(), Plain> {
    let is_defined = match reach {
        Reach::One(target) => asked.is_subset_of(&target.scope()),
        Reach::Task(targets) => asked
            .tokens()
            .all(|word| targets.iter().any(|target| target.scopes.keys().any(|own| own.as_str() == word))),
    };
    if let Right::Continue(parent) | Right::Onward(parent) = right
        && !asked.is_subset_of(&parent.scope)
    {
        return Err(Plain::ScopeNotInSubject);
    }
    if !is_defined {
        return Err(Plain::ScopeUnknownAtTarget);
    }
    acting.check_scope(asked)
}

/// The yes/no scope that the token answers: at most one (YNC-01).
fn answered(reach: &Reach, asked: &Scope) -> Result<Option<ScopeToken>, Plain> {
    let Reach::One(target) = reach else { return Ok(None) };
    let mut answered = target.answers.keys().filter(|scope| asked.contains(scope.as_str()));
    match (answered.next(), answered.next()) {
        (first, None) => Ok(first.cloned()),
        (_, Some(_)) => Err(Plain::SeveralAnswers),
    }
}

/// Lifetime never grows (8693-F-02): `exp` is at most the source's, the login's and the task's end.
///
/// # Errors
/// [`TokenFault::TooLittleLife`] when the source has nothing worth passing on.
fn shorten(
    config: &Config,
    right: Right<'_>,
    reach: &Reach,
    has_answer: bool,
    ends: Ends,
    issued_at: Timestamp,
) -> Result<Timestamp, Cause> {
    let mut bound = ends.task.min(ends.login);
    if let Right::Continue(parent) | Right::Onward(parent) = right {
        bound = bound.min(parent.expires_at);
    }
    if bound < issued_at.plus(LEAST_REMAINING_LIFE) {
        return Err(Cause::subject(TokenFault::TooLittleLife));
    }
    let own = match reach {
        Reach::Task(_) => bound,
        Reach::One(target) => {
            let lifetime = target.lifetime.unwrap_or(config.tokens.lifetime);
            issued_at.plus(if has_answer { lifetime.min(ANSWER_LIFETIME) } else { lifetime })
        }
    };
    Ok(Timestamp::from_seconds(own.min(bound).seconds()))
}

#[cfg(test)]
mod properties;
