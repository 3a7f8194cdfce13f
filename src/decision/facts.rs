//! What an exchange puts to policy.

use std::sync::Arc;

use super::report::Proposal;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::delegation::actor::Acting;
use crate::delegation::assurance::{Demands, login_age_seconds};
use crate::delegation::record::{Login, TokenKind};
use crate::oauth::Purpose;
use crate::policy::Facts;

/// The facts of one exchange, worked out from what would be granted.
pub fn exchange_facts(
    config: &Config,
    acting: &Acting,
    proposal: &Proposal,
    login: &Login,
    purpose: Option<&Purpose>,
    demands: Demands,
    now: Timestamp,
) -> Facts {
    Facts {
        actor: acting.id.clone(),
        class: acting.class().to_owned(),
        workload_issuer: acting.workload_issuer().cloned(),
        client: acting.client.id.clone(),
        prior_actors: proposal.chain.get(1..).unwrap_or_default().to_vec(),
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
        login: Arc::clone(&login.facts),
        login_age_seconds: login_age_seconds(login, now),
        max_age_seconds: demands.max_age_seconds.map(i64::from),
        lifetime_seconds: proposal.lifetime_seconds(),
        now,
    }
}

/// Whether the target is on the onward list of the subject token's target. It is read from the configuration again, so
/// that the policy does not depend on the result of the target check.
fn is_listed_onward(config: &Config, proposal: &Proposal) -> bool {
    proposal.onward_from.as_ref().is_none_or(|from| {
        config.registry.targets.get(from).is_some_and(|from| from.onward.contains(&proposal.target))
    })
}
