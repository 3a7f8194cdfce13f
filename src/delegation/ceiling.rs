//! Ceilings: what a client and a class of agents may have at most, by the configuration in force.

use std::collections::BTreeSet;

use super::actor::{Acting, CLIENT_CLASS};
use super::record::{Delegation, Lineage, TokenKind};
use super::rules::Right;
use crate::oauth::{Plain, Scope, TargetId, TokenFault};
use crate::registry::{AgentClass, Client, Delegate, Registry};

/// The ceiling of an agent: its client's, and that of its class unless it is the client's own agent.
#[derive(Clone, Copy, Debug)]
pub struct Ceiling<'a> {
    client: &'a Client,
    class: Option<&'a AgentClass>,
}

impl<'a> Ceiling<'a> {
    /// The ceiling of an agent of this client.
    pub const fn new(client: &'a Client, class: Option<&'a AgentClass>) -> Self {
        Self { client, class }
    }

    /// The ceiling of the agent that holds a token, by the client and the class that are recorded with it.
    ///
    /// # Errors
    /// [`TokenFault::PartyRemoved`]: the configuration lacks one of the two.
    pub fn of_holder(registry: &'a Registry, token: &Delegation) -> Result<Self, TokenFault> {
        let client = registry.clients.get(&token.client).ok_or(TokenFault::PartyRemoved)?;
        let class = match token.classes.first().map(String::as_str) {
            Some(CLIENT_CLASS) => None,
            Some(name) => Some(registry.class(name).ok_or(TokenFault::PartyRemoved)?.as_ref()),
            None => return Err(TokenFault::PartyRemoved),
        };
        Ok(Self { client, class })
    }

    /// Whether it holds this target.
    pub fn may_reach(&self, target: &TargetId) -> bool {
        self.client.targets.contains(target) && self.class.is_none_or(|class| class.targets.contains(target))
    }

    /// Whether it holds this scope.
    ///
    /// # Errors
    /// Not the client's; not the class's.
    pub fn check_scope(&self, scope: &Scope) -> Result<(), Plain> {
        if !scope.is_subset_of(&self.client.scopes) {
            return Err(Plain::ScopeNotInClient);
        }
        match self.class {
            Some(class) if !scope.is_subset_of(&class.scopes) => Err(Plain::ScopeNotInClass),
            _ => Ok(()),
        }
    }

    /// The agents that it lets the agent bring in: those that the class lists where there is one, else the client's.
    pub fn delegates_to(&self) -> &'a BTreeSet<Delegate> {
        self.class.map_or(&self.client.delegates_to, |class| &class.delegates_to)
    }
}

/// The ceilings that bound a token together: that of the actor, and those of everybody who held a task token above it.
/// So an agent that accepts a handover reaches no target that its giver could not reach, although they may have words of the
/// scope in common that many targets define.
#[derive(Clone, Debug)]
pub struct Ceilings<'a> {
    actor: Ceiling<'a>,
    above: Vec<Ceiling<'a>>,
}

impl<'a> Ceilings<'a> {
    /// The ceiling of the actor alone.
    pub fn of_actor(acting: &'a Acting) -> Self {
        Self { actor: acting.ceiling(), above: Vec::new() }
    }

    /// The ceilings that bound what comes of a token of Deputy's own by this right.
    ///
    /// # Errors
    /// [`TokenFault::PartyRemoved`]: the configuration lacks a client or a class that held a task token.
    pub fn of_token(
        registry: &'a Registry,
        right: Right<'_>,
        lineage: &Lineage,
        acting: &'a Acting,
    ) -> Result<Self, TokenFault> {
        let tokens = match right {
            // What is for a target leads onward as the operator lists it for that target.
            Right::Login | Right::Own | Right::Onward(_) => return Ok(Self::of_actor(acting)),
            Right::Continue(_) | Right::HandOver(..) | Right::Accept(..) => {
                lineage.ancestors.iter().chain([&lineage.delegation])
            }
        };
        let held = tokens.filter(|token| token.kind == TokenKind::Task);
        let above = held.map(|token| Ceiling::of_holder(registry, token)).collect::<Result<_, _>>()?;
        Ok(Self { actor: acting.ceiling(), above })
    }

    /// Whether all of them hold this target.
    ///
    /// # Errors
    /// Not the actor's; not that of somebody above.
    pub fn check_target(&self, target: &TargetId) -> Result<(), Plain> {
        match self.above.iter().all(|ceiling| ceiling.may_reach(target)) {
            _ if !self.actor.may_reach(target) => Err(Plain::TargetNotAllowed),
            false => Err(Plain::TargetNotInReach),
            true => Ok(()),
        }
    }

    /// Whether all of them hold this scope.
    ///
    /// # Errors
    /// As [`Ceiling::check_scope`] of the actor; not that of somebody above.
    pub fn check_scope(&self, scope: &Scope) -> Result<(), Plain> {
        self.actor.check_scope(scope)?;
        match self.above.iter().all(|ceiling| ceiling.check_scope(scope).is_ok()) {
            true => Ok(()),
            false => Err(Plain::ScopeNotInReach),
        }
    }
}

#[cfg(test)]
mod tests;
