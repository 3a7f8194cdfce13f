//! The rules that let a token come from another: whose it is to exchange, how the chain grows, and how scope,
//! target and lifetime shrink. Each is a few lines and a function of its inputs. `decision::decide` calls them
//! in the order of 8693-2.1-23.

use std::sync::Arc;

use super::actor::Acting;
use super::ceiling::Ceilings;
use super::handover::check_acceptor;
use super::record::{Delegation, DelegatorKind, Handover, TokenKind};
use crate::base::time::{Lifetime, Timestamp};
use crate::config::{Config, MAX_TOKEN_LIFETIME};
use crate::oauth::{AgentId, Audience, HandoverRequest, Issuer, Jti, Plain, Scope, ScopeToken, TokenFault};
use crate::registry::{ScopeRule, Target};
use crate::verification::MayAct;

/// An input with less than this left is refused, instead of issuing a token dead on arrival (8693-F-03).
pub const LEAST_REMAINING_LIFE: Lifetime = Lifetime::from_seconds(5);

/// No token about an agent itself lives longer, whatever is configured for its target.
const LONGEST: Lifetime = Lifetime::from_seconds(MAX_TOKEN_LIFETIME);

/// A token that holds a yes/no answer lives no longer than this (YNC-13).
pub const ANSWER_LIFETIME: Lifetime = Lifetime::from_seconds(120);

/// What is exchanged.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// An ID token.
    Login,
    /// A Deputy token, found live.
    Delegation(&'a Delegation),
    /// Nothing: an agent asks for itself.
    Nothing,
}

/// By which right it is exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right<'a> {
    /// Hop 0: the ID token was issued to a source of this client.
    Login,
    /// An agent asks for itself, for a token about it or for a task of its own.
    Own,
    /// A task token by the agent whose it is.
    Continue(&'a Delegation),
    /// A token by its audience, registered to exchange onward.
    Onward(&'a Delegation),
    /// A task token by its current actor, which asks to bring in another agent.
    HandOver(&'a Delegation, &'a HandoverRequest),
    /// A handover, with what is recorded of it, by the agent that it is for.
    Accept(&'a Delegation, &'a Handover),
}

impl<'a> Right<'a> {
    /// The token that is exchanged, where it is one of Deputy's own.
    pub const fn parent(self) -> Option<&'a Delegation> {
        match self {
            Self::Login | Self::Own => None,
            Self::Continue(parent)
            | Self::Onward(parent)
            | Self::HandOver(parent, _)
            | Self::Accept(parent, _) => Some(parent),
        }
    }
}

/// The ends of everything that a token depends on.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// Absent for a token about an agent itself, which belongs to no task.
    pub task: Option<Timestamp>,
    /// The login's session, where a user is behind the token.
    pub login: Option<Timestamp>,
}

/// The identifiers of the tokens above a token issued by this right, oldest first.
pub fn ancestors(right: Right<'_>) -> Vec<Jti> {
    let parent = right.parent().into_iter();
    parent.flat_map(|parent| parent.ancestors.iter().copied().chain([parent.jti])).collect()
}

/// Whether the actor is one that the token's `may_act` allows (RFC 8693 §4.4). A token without `may_act`
/// restricts nothing. `relying_party` is the one that the token was issued to, by its id at the provider.
pub fn check_may_act(
    may_act: Option<&MayAct>,
    acting: &Acting,
    deputy: &Issuer,
    provider: &Issuer,
    relying_party: &str,
) -> Result<(), TokenFault> {
    match may_act {
        Some(named) if !acting.is_named_by(named, deputy, provider, Some((provider, relying_party))) => {
            Err(TokenFault::MayAct)
        }
        _ => Ok(()),
    }
}

/// Decides who may exchange a token (8693-F-05, 8693-F-06). A task token may be exchanged by the agent whose token it is,
/// its current actor, through the client to which it was issued; that agent alone may hand it over. An access token may be
/// exchanged by its audience, if a client is registered to exchange onward for it. A handover may be exchanged by the agent
/// that it is for. `asked` is the wish to hand over.
///
/// # Errors
/// [`TokenFault::NotYours`]: also an access token in the hands of its own actor. As [`check_acceptor`] of a handover.
pub fn bind<'a>(
    config: &Config,
    source: Source<'a>,
    acting: &Acting,
    asked: Option<&'a HandoverRequest>,
) -> Result<Right<'a>, TokenFault> {
    let parent = match source {
        Source::Login => return Ok(Right::Login),
        Source::Nothing => return Ok(Right::Own),
        Source::Delegation(parent) => parent,
    };
    let is_holder = parent.client == acting.client.id && parent.holder() == Some(&acting.id);
    let is_audience = || {
        let target = config.registry.targets.get(&parent.target);
        target.is_some_and(|target| target.exchange_client.as_ref() == Some(&acting.client.id))
    };
    match (&parent.kind, asked) {
        (TokenKind::Task, None) if is_holder => Ok(Right::Continue(parent)),
        (TokenKind::Task, Some(asked)) if is_holder => Ok(Right::HandOver(parent, asked)),
        (TokenKind::Access, None) if is_audience() => Ok(Right::Onward(parent)),
        (TokenKind::Handover(handover), None) => {
            check_acceptor(&config.registry, parent, handover, acting)?;
            Ok(Right::Accept(parent, handover))
        }
        _ => Err(TokenFault::NotYours),
    }
}

/// How the chain grows (RFC 8693 §4.1): at hop 0 it begins, and an agent that asks for itself has none, because it acts for
/// nobody. Continuing and handing over copy it, going onward and accepting a handover add exactly one level in front. Prior
/// actors come from the subject token's record only. A handover has to leave a level for the agent that accepts it.
///
/// # Errors
/// No agent twice (8693-F-09), the one whose task it is included; never more levels than configured (8693-4.1-10).
pub fn extend_chain(right: Right<'_>, actor: &AgentId, max_depth: u8) -> Result<Vec<AgentId>, Plain> {
    let chain = match right {
        Right::Login => vec![actor.clone()],
        Right::Own => Vec::new(),
        Right::Continue(parent) | Right::HandOver(parent, _) => parent.chain.clone(),
        Right::Onward(parent) | Right::Accept(parent, _) if parent.agents().any(|before| before == actor) => {
            return Err(Plain::ChainLoop);
        }
        Right::Onward(parent) | Right::Accept(parent, _) => {
            std::iter::once(actor).chain(&parent.chain).cloned().collect()
        }
    };
    let to_come = usize::from(matches!(right, Right::HandOver(..)));
    if chain.len() + to_come > usize::from(max_depth) {
        return Err(Plain::ChainTooDeep);
    }
    Ok(chain)
}

/// The class of each agent of the chain: of the current actor as it is now, of those before as they were.
pub fn classes(right: Right<'_>, current: &str) -> Vec<String> {
    let before = match right {
        Right::Login | Right::Own => &[],
        Right::Continue(parent) | Right::HandOver(parent, _) => parent.classes.get(1..).unwrap_or_default(),
        Right::Onward(parent) | Right::Accept(parent, _) => parent.classes.as_slice(),
    };
    std::iter::once(current.to_owned()).chain(before.iter().cloned()).collect()
}

/// What the token is for.
#[derive(Clone, Debug)]
pub enum Reach {
    /// Deputy itself: every target of the ceilings that defines one of its scopes.
    Task(Vec<Arc<Target>>),
    /// Deputy itself, for the agent that is asked for: as far as the task token that is handed over.
    Handover(Vec<Arc<Target>>, HandoverRequest),
    One(Arc<Target>),
}

impl Reach {
    /// Whether a token with this scope may be one that `kind` is behind: each word has to be open to it at a target in
    /// reach that defines it.
    ///
    /// # Errors
    /// [`Plain::ScopeUnknownAtTarget`], [`Plain::ScopeNeedsUser`], [`Plain::ScopeNeedsNoUser`].
    fn check_subjects(&self, asked: &Scope, kind: DelegatorKind) -> Result<(), Plain> {
        for word in asked.tokens() {
            let mut rules =
                self.targets().flat_map(|target| &target.scopes).filter(|(own, _)| own.as_str() == word);
            let Some((_, first)) = rules.next() else { return Err(Plain::ScopeUnknownAtTarget) };
            let is_open = |rule: &ScopeRule| match kind {
                DelegatorKind::User => rule.subjects.user,
                DelegatorKind::Agent => rule.subjects.agent,
            };
            if !is_open(first) && !rules.any(|(_, rule)| is_open(rule)) {
                return Err(match kind {
                    DelegatorKind::User => Plain::ScopeNeedsNoUser,
                    DelegatorKind::Agent => Plain::ScopeNeedsUser,
                });
            }
        }
        Ok(())
    }

    /// The targets whose gates the scope has to pass: the target, or for a task token or a handover all in reach.
    pub fn targets(&self) -> impl Iterator<Item = &Arc<Target>> {
        match self {
            Self::Task(targets) | Self::Handover(targets, _) => targets.iter(),
            Self::One(target) => std::slice::from_ref(target).iter(),
        }
    }
}

/// Which target, and whether it is in reach (8707-2.2-02).
///
/// # Errors
/// Several, unknown, not in the ceilings, not on the onward list, or Deputy itself.
pub fn choose_target(
    config: &Config,
    right: Right<'_>,
    ceilings: &Ceilings<'_>,
    audience: &Audience,
    asked: &Scope,
) -> Result<Reach, Plain> {
    let id = match audience {
        Audience::Several => return Err(Plain::TargetSeveral),
        Audience::DeputyAsResource => return Err(Plain::TargetIsDeputy),
        Audience::Deputy => {
            let in_reach = |target: &&Arc<Target>| {
                ceilings.check_target(&target.identifier).is_ok()
                    && target.scopes.keys().any(|scope| asked.contains(scope.as_str()))
            };
            let targets = || config.registry.targets.values().filter(in_reach).cloned().collect();
            return match right {
                Right::Login | Right::Own | Right::Accept(..) => Ok(Reach::Task(targets())),
                Right::HandOver(_, asked) => Ok(Reach::Handover(targets(), asked.clone())),
                Right::Continue(_) | Right::Onward(_) => Err(Plain::TargetIsDeputy),
            };
        }
        Audience::Target(id) => id,
    };
    let target = config.registry.targets.get(id).ok_or(Plain::TargetUnknown)?;
    if let Right::Onward(parent) = right {
        let is_listed =
            config.registry.targets.get(&parent.target).is_some_and(|from| from.onward.contains(id));
        if !is_listed {
            return Err(Plain::TargetNotOnward);
        }
    }
    ceilings.check_target(id)?;
    Ok(Reach::One(target.clone()))
}

/// Those of the default scopes of a target that the subject token and the ceilings hold, and that are open to who is behind
/// the token: what is granted if a request names none. `limit` is the most that the subject token grants.
///
/// # Errors
/// [`Plain::ScopeMissing`]: none of them is left.
pub fn default_scope(
    limit: Option<&Scope>,
    ceilings: &Ceilings<'_>,
    (reach, kind): (&Reach, DelegatorKind),
    defaults: &Scope,
) -> Result<Scope, Plain> {
    let is_held = |word: &ScopeToken| {
        let word = Scope::from_tokens([word]);
        narrow_scope(limit, ceilings, (reach, kind), &word).is_ok()
    };
    let words: Vec<ScopeToken> =
        defaults.tokens().filter_map(ScopeToken::parse).filter(|word| is_held(word)).collect();
    if words.is_empty() { Err(Plain::ScopeMissing) } else { Ok(Scope::from_tokens(&words)) }
}

/// Scope never grows (8693-F-01): what was asked has to be in the subject token, at the target (for a
/// task token or a handover at some target in reach) and open there to who is behind the token, and in the ceilings; it is
/// granted whole or refused. `limit` is the
/// most that the subject token grants; a login has none unless it is an access token that is its own ceiling.
///
/// # Errors
/// The first of these that lacks a word.
pub fn narrow_scope(
    limit: Option<&Scope>,
    ceilings: &Ceilings<'_>,
    (reach, kind): (&Reach, DelegatorKind),
    asked: &Scope,
) -> Result<(), Plain> {
    if limit.is_some_and(|limit| !asked.is_subset_of(limit)) {
        return Err(Plain::ScopeNotInSubject);
    }
    reach.check_subjects(asked, kind)?;
    ceilings.check_scope(asked)
}

/// The yes/no scope that the token answers: at most one (YNC-01). A task token answers none.
pub fn answered(reach: &Reach, asked: &Scope) -> Result<Option<ScopeToken>, Plain> {
    let Reach::One(target) = reach else { return Ok(None) };
    let mut answered = target.answers.keys().filter(|scope| asked.contains(scope.as_str()));
    match (answered.next(), answered.next()) {
        (first, None) => Ok(first.cloned()),
        (_, Some(_)) => Err(Plain::SeveralAnswers),
    }
}

/// The latest time at which anything issued by this right may end: the earliest end of the task, of the
/// login's session and of the subject token (8693-F-02).
///
/// # Errors
/// [`TokenFault::TooLittleLife`] when that is less than [`LEAST_REMAINING_LIFE`] away (8693-F-03).
pub fn latest_end(right: Right<'_>, ends: Ends, issued_at: Timestamp) -> Result<Timestamp, TokenFault> {
    let parent = right.parent().map(|parent| parent.expires_at);
    let Some(latest) = ends.task.into_iter().chain(ends.login).chain(parent).min() else {
        return Ok(issued_at.plus(LONGEST));
    };
    if latest < issued_at.plus(LEAST_REMAINING_LIFE) {
        return Err(TokenFault::TooLittleLife);
    }
    Ok(latest)
}

/// When the token ends: a task token and a handover live as long as they may, a token for a target as long as is configured
/// for it, one that holds an answer no longer than [`ANSWER_LIFETIME`]; never later than `latest`. Whole seconds.
pub fn expires_at(
    config: &Config,
    reach: &Reach,
    has_answer: bool,
    latest: Timestamp,
    issued_at: Timestamp,
) -> Timestamp {
    let own = match reach {
        Reach::Task(_) | Reach::Handover(..) => latest,
        Reach::One(target) => {
            let lifetime = target.lifetime.unwrap_or(config.tokens.lifetime);
            issued_at.plus(if has_answer { lifetime.min(ANSWER_LIFETIME) } else { lifetime })
        }
    };
    Timestamp::from_seconds(own.min(latest).seconds())
}
