//! What an exchange puts to policy.

use super::report::Proposal;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::delegation::actor::Acting;
use crate::delegation::assurance::Demands;
use crate::delegation::record::TokenKind;
use crate::oauth::{AgentId, Purpose};
use crate::policy::{Delegator, Facts};

/// The facts of one exchange, worked out from what would be granted.
pub fn exchange_facts(
    config: &Config,
    acting: &Acting,
    proposal: &Proposal,
    delegator: Delegator,
    purpose: Option<&Purpose>,
    demands: Demands,
    now: Timestamp,
) -> Facts {
    Facts {
        actor: acting.id.clone(),
        class: acting.class().to_owned(),
        workload_issuer: acting.workload_issuer().cloned(),
        client: acting.client.id.clone(),
        prior_actors: prior_actors(proposal, &delegator),
        target: proposal.target.clone(),
        is_task_token: proposal.kind == TokenKind::Task,
        brings_in: proposal.brings_in.clone(),
        accepted_from: proposal.accepted_from.clone(),
        onward_from: proposal.onward_from.clone(),
        is_listed_onward: is_listed_onward(config, proposal),
        scope: proposal.scope.clone(),
        answers: proposal.answer.iter().cloned().collect(),
        class_answers: acting.answers().clone(),
        fresh_scopes: demands.fresh_scopes,
        sensitive_scopes: demands.sensitive_scopes,
        depth: u8::try_from(proposal.chain.len()).unwrap_or(u8::MAX),
        hop: u8::try_from(proposal.ancestors.len()).unwrap_or(u8::MAX),
        purpose: purpose.cloned(),
        delegator,
        max_age_seconds: demands.max_age_seconds.map(i64::from),
        lifetime_seconds: proposal.lifetime_seconds(),
        now,
    }
}

/// The agents before the one that acts, newest first. The agent whose task it is counts as one of them.
fn prior_actors(proposal: &Proposal, delegator: &Delegator) -> Vec<AgentId> {
    let before = proposal.chain.get(1..).unwrap_or_default();
    let first = delegator.agent().filter(|_| !proposal.chain.is_empty());
    before.iter().chain(first).cloned().collect()
}

/// Whether the target is on the onward list of the subject token's target. It is read from the configuration again, so
/// that the policy does not depend on the result of the target check.
fn is_listed_onward(config: &Config, proposal: &Proposal) -> bool {
    proposal.onward_from.as_ref().is_none_or(|from| {
        config.registry.targets.get(from).is_some_and(|from| from.onward.contains(&proposal.target))
    })
}
