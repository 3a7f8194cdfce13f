//! Stops and administrative changes, each in order with its own statements, inside the group's transaction.
//!
//! Locks go in the order of [`super::readings::Readings::gather`]: the user, then agents by id, then tasks by id.
//! A row is locked before anything that depends on it is read, so that a token which was committed before is seen and
//! stopped, and one that is written later sees the stop.

use std::collections::BTreeSet;

use super::ending::{Effect, end_tasks, revoke_range};
use super::entry::{Control, Recorded};
use super::keys::SigningKeyRow;
use super::parties::PartyRow;
use super::rows::Key;
use super::statement::{Failure, Lock};
use super::sweep;
use super::tasks::TaskRow;
use super::tokens::{Range, TokenRow};
use super::transaction::Transaction;
use crate::audit;
use crate::base::time::Timestamp;
use crate::delegation::record::{Agent, AgentState, EndReason, Task, TokenKind};
use crate::oauth::{AgentId, Issuer, Jti};

/// Does it, and notes in `found` what it came to.
///
/// # Errors
/// `Ok(Err(_))` is what else becomes of the entry; nothing was written then.
pub(super) async fn run<S: Transaction>(
    session: &mut S,
    control: &Control,
    found: &mut audit::Effect,
    now: Timestamp,
) -> Result<Result<(), Recorded>, Failure> {
    let effect = match control {
        Control::RevokeToken { jti, why } => revoke_token(session, *jti, *why, found, now).await?,
        Control::EndTask { task, why } => {
            let id = Key::from(*task);
            match session.tasks(&[id], Lock::None).await?.pop() {
                None => None,
                Some(row) => {
                    note_task(found, row)?;
                    Some(end_tasks(session, &BTreeSet::from([id]), *why, now).await?)
                }
            }
        }
        Control::StopSubject { issuer, upstream, why } => {
            stop_subject(session, (issuer, upstream), *why, found, now).await?
        }
        Control::SetAgentState { agent, state, why } => {
            set_agent_state(session, agent, *state, *why, now).await?
        }
        Control::Reconcile { keeps_those_that_left, clients, targets, providers, workload_issuers } => {
            let now_configured = [
                ("client", clients.iter().map(|id| id.as_str()).collect::<BTreeSet<_>>()),
                ("target", targets.iter().map(|id| id.as_str()).collect()),
                ("provider", providers.iter().map(Issuer::as_str).collect()),
                ("workload_issuer", workload_issuers.iter().map(Issuer::as_str).collect()),
            ];
            Some(reconcile(session, &now_configured, *keeps_those_that_left, now).await?)
        }
        Control::Sweep => Some(sweep::sweep(session, now).await?),
        Control::PutKeys(keys) => {
            for key in keys {
                session.put_key(&SigningKeyRow::from(key)).await?;
            }
            Some(Effect { is_changed: !keys.is_empty(), died: 0 })
        }
        // The time itself is set by the writer, which knows that of the whole group.
        Control::ResetClock => Some(sweep::end_expired(session, now).await?),
    };
    let Some(effect) = effect else { return Ok(Err(Recorded::NotFound)) };
    found.is_changed = effect.is_changed;
    found.died = effect.died;
    Ok(Ok(()))
}

fn note_task(found: &mut audit::Effect, row: TaskRow) -> Result<Task, Failure> {
    let task = Task::try_from(row)?;
    found.task = Some(task.id);
    found.subject = Some(task.subject);
    found.agent = Some(task.agent.clone());
    Ok(task)
}

/// The token and everything below it; for a task token the whole task (RFC 7009 §2.1).
async fn revoke_token<S: Transaction>(
    session: &mut S,
    jti: Jti,
    why: EndReason,
    found: &mut audit::Effect,
    now: Timestamp,
) -> Result<Option<Effect>, Failure> {
    found.jti = Some(jti);
    let Some(token) = session.tokens(&[jti.into()]).await?.pop() else { return Ok(None) };
    let (task, _) = token.lineage()?;
    if is_task_token(&token) {
        if let Some(row) = session.tasks(&[task], Lock::None).await?.pop() {
            note_task(found, row)?;
        }
        return end_tasks(session, &BTreeSet::from([task]), why, now).await.map(Some);
    }
    if let Some(row) = session.tasks(&[task], Lock::Update).await?.pop() {
        note_task(found, row)?;
    }
    revoke_range(session, &Range::below(&token.path), why, now).await.map(Some)
}

fn is_task_token(token: &TokenRow) -> bool {
    token.kind == TokenKind::Task.word()
}

async fn stop_subject<S: Transaction>(
    session: &mut S,
    (issuer, upstream): (&Issuer, &str),
    why: EndReason,
    found: &mut audit::Effect,
    now: Timestamp,
) -> Result<Option<Effect>, Failure> {
    let name = (issuer.as_str().to_owned(), upstream.to_owned());
    let Some(subject) = session.subjects_named(&[name], Lock::Update).await?.pop() else {
        return Ok(None);
    };
    found.subject = Some(subject.reference.into());
    let mut effect = Effect::default();
    if subject.cutoff.is_none_or(|cutoff| cutoff < now.millis()) {
        session.change_cutoff(subject.reference, now.millis()).await?;
        effect.is_changed = true;
    }
    let open = session.open_tasks_of_subject(subject.reference).await?.into_iter().collect();
    Ok(Some(effect.and(end_tasks(session, &open, why, now).await?)))
}

async fn set_agent_state<S: Transaction>(
    session: &mut S,
    id: &AgentId,
    state: AgentState,
    why: EndReason,
    now: Timestamp,
) -> Result<Option<Effect>, Failure> {
    let id = id.as_str().to_owned();
    let ids = [id.clone()];
    let Some(mut row) = session.agents(&ids, Lock::Update).await?.pop() else { return Ok(None) };
    let agent = Agent::try_from(row.clone())?;
    let is_final = matches!(agent.state, AgentState::Retired | AgentState::Banned);
    if is_final || agent.state == state {
        return Ok(Some(Effect::default()));
    }
    state.word().clone_into(&mut row.state);
    if matches!(state, AgentState::Retired | AgentState::Banned) {
        row.ended_at = Some(now.millis());
        row.ended_why = Some(why.word().to_owned());
        row.cutoff = Some(row.cutoff.unwrap_or(i64::MIN).max(now.millis()));
    }
    session.change_agent(&row).await?;
    let mut effect = Effect { is_changed: true, died: 0 };
    if state == AgentState::Active {
        return Ok(Some(effect));
    }
    let open = session.open_tasks_with(&id).await?;
    let (own, others): (Vec<_>, Vec<_>) = open.into_iter().partition(|task| task.agent == id);
    let own = own.into_iter().map(|task| task.id).collect();
    effect = effect.and(end_tasks(session, &own, why, now).await?);
    let others: Vec<Key> = others.into_iter().map(|task| task.id).collect();
    effect = effect.and(revoke_with_agents(session, &others, &ids, why, now).await?);
    session.end_engagements_of(&id, now.millis()).await?;
    Ok(Some(effect))
}

/// Revokes, in these tasks, every token with one of the agents in its chain. A chain only grows, so what
/// is below such a token has the agent too.
async fn revoke_with_agents<S: Transaction>(
    session: &mut S,
    tasks: &[Key],
    agents: &[String],
    why: EndReason,
    now: Timestamp,
) -> Result<Effect, Failure> {
    let mut effect = Effect::default();
    if !tasks.is_empty() {
        session.tasks(tasks, Lock::Update).await?;
    }
    for task in tasks {
        for token in session.live_tokens_in(&Range::below(&task.0), now.millis()).await? {
            if token.actors.split(' ').any(|actor| agents.iter().any(|agent| agent == actor)) {
                effect = effect.and(revoke_range(session, &Range::below(&token.path), why, now).await?);
            }
        }
    }
    Ok(effect)
}

/// Ends what depends on parties that are configured no more, and remembers those that are.
async fn reconcile<S: Transaction>(
    session: &mut S,
    now_configured: &[(&str, BTreeSet<&str>)],
    keeps_those_that_left: bool,
    now: Timestamp,
) -> Result<Effect, Failure> {
    const WHY: EndReason = EndReason::PartyRemoved;
    let known = session.parties().await?;
    let is_configured = |row: &PartyRow| {
        now_configured.iter().any(|(kind, ids)| *kind == row.kind && ids.contains(row.id.as_str()))
    };
    let new: Vec<PartyRow> = now_configured
        .iter()
        .flat_map(|(kind, ids)| {
            ids.iter().map(|id| PartyRow { kind: (*kind).to_owned(), id: (*id).to_owned() })
        })
        .filter(|row| !known.contains(row))
        .collect();
    let gone: Vec<PartyRow> = known.iter().filter(|row| !is_configured(row)).cloned().collect();
    let gone_of = |kind: &str| -> Vec<String> {
        gone.iter().filter(|row| row.kind == kind).map(|row| row.id.clone()).collect()
    };

    let mut effect = Effect { is_changed: !new.is_empty() || !gone.is_empty(), died: 0 };
    let providers = gone_of("provider");
    if !providers.is_empty() {
        let tasks = session.open_tasks_of_providers(&providers).await?.into_iter().collect();
        effect = effect.and(end_tasks(session, &tasks, WHY, now).await?);
    }
    let issuers = gone_of("workload_issuer");
    if !issuers.is_empty() {
        let agents = session.agents_of_issuers(&issuers).await?;
        let tasks: BTreeSet<Key> =
            session.live_tasks_with(&agents, now.millis()).await?.into_iter().map(|(_, task)| task).collect();
        let tasks: Vec<Key> = tasks.into_iter().collect();
        effect = effect.and(revoke_with_agents(session, &tasks, &agents, WHY, now).await?);
    }
    let (clients, targets) = (gone_of("client"), gone_of("target"));
    let mut paths = Vec::new();
    if !clients.is_empty() {
        paths.extend(session.live_tokens_of_clients(&clients, now.millis()).await?);
    }
    if !targets.is_empty() {
        paths.extend(session.live_tokens_for_targets(&targets, now.millis()).await?);
    }
    for path in paths {
        effect = effect.and(revoke_range(session, &Range::below(&path), WHY, now).await?);
    }

    if !keeps_those_that_left {
        for row in &gone {
            session.delete_party(row).await?;
        }
    }
    session.insert_parties(&new).await?;
    Ok(effect)
}
