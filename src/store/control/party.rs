//! Stops and lifts of users, agents and everything else that can be stopped: one small row each, whatever depends on it.

use std::collections::{BTreeMap, BTreeSet};

use super::{At, Outcome};
use crate::audit;
use crate::delegation::record::{Agent, AgentState, Build, EndReason, Ended, Provenance, Subject};
use crate::delegation::stops::{StopKind, StopNumber, Stoppable};
use crate::oauth::{AgentId, ClientId, Issuer, SubjectRef};
use crate::registry::AgentLifetime;
use crate::store::agents::AgentRow;
use crate::store::entry::{Impossible, Recorded, Whom};
use crate::store::parties::PartyRow;
use crate::store::statement::{Failure, Lock};
use crate::store::stops::{BEGINNING, StopRow};
use crate::store::subjects::SubjectRow;
use crate::store::transaction::Transaction;

/// Stops a user, an agent or a party until it is lifted.
pub(super) async fn stop<S: Transaction>(
    session: &mut S,
    what: &Whom,
    why: EndReason,
    effect: &mut audit::Effect,
    at: At<'_>,
) -> Result<Outcome, Failure> {
    let party = match what {
        Whom::User { provider, upstream, reference } => {
            return stop_user(session, (provider, upstream), *reference, why, effect, at).await;
        }
        Whom::Other(Stoppable::Agent(agent)) => {
            return set_agent_state(session, agent, AgentState::Banned, why, effect, at).await;
        }
        Whom::Other(party) => party,
    };
    let before = read(session, party).await?;
    effect.is_known = is_known(session, party).await?;
    // Nothing has begun since a stop that stands, unless it is a matter of logins.
    if before.is_some_and(|row| row.stands) && !party.kind().is_of_logins() {
        return Ok(Ok(()));
    }
    session.put_stop(&row(party, why, at)).await?;
    effect.is_changed = true;
    effect.number = Some(at.number);
    Ok(Ok(()))
}

/// Lifts a stop that stands.
pub(super) async fn lift<S: Transaction>(
    session: &mut S,
    what: &Whom,
    effect: &mut audit::Effect,
    at: At<'_>,
) -> Result<Outcome, Failure> {
    let party = match what {
        Whom::User { provider, upstream, .. } => {
            let name = (provider.as_str().to_owned(), upstream.clone());
            let found = session.subjects_named(&[name], Lock::Update).await?.pop();
            effect.is_known = Some(found.is_some());
            let Some(subject) = found else { return Ok(Ok(())) };
            effect.subject = Some(subject.reference.into());
            Stoppable::User(subject.reference.into())
        }
        Whom::Other(Stoppable::Agent(agent)) => {
            return set_agent_state(session, agent, AgentState::Active, EndReason::Operator, effect, at)
                .await;
        }
        Whom::Other(party) => party.clone(),
    };
    let before = read(session, &party).await?;
    if let Whom::Other(party) = what {
        effect.is_known = is_known(session, party).await?;
    }
    let Some(before) = before.filter(|row| row.stands) else { return Ok(Ok(())) };
    if let Stoppable::User(reference) = party {
        session.stop_subject(reference.into(), at.now.millis(), false, at.number.get()).await?;
    }
    // A target is stopped for tokens only, which are no older than their lift is.
    let not_before = (party.kind() != StopKind::Target).then_some(at.now.millis());
    let lifted = StopRow {
        number: at.number.get(),
        stands: false,
        not_before,
        at: at.now.millis(),
        place: party.kind().ends_tasks().then_some(BEGINNING),
        ..before
    };
    session.put_stop(&lifted).await?;
    effect.is_changed = true;
    effect.number = Some(at.number);
    Ok(Ok(()))
}

async fn read<S: Transaction>(session: &mut S, party: &Stoppable) -> Result<Option<StopRow>, Failure> {
    Ok(session.stop(party.kind().word(), &party.name(), Lock::Update).await?.pop())
}

fn row(party: &Stoppable, why: EndReason, at: At<'_>) -> StopRow {
    StopRow {
        kind: party.kind().word().to_owned(),
        id: party.name(),
        number: at.number.get(),
        at: at.now.millis(),
        stands: true,
        not_before: party.kind().is_of_logins().then_some(at.now.millis()),
        why: why.word().to_owned(),
        place: party.kind().ends_tasks().then_some(BEGINNING),
    }
}

/// Whether a party was ever configured; `None` for what no configuration names.
async fn is_known<S: Transaction>(session: &mut S, party: &Stoppable) -> Result<Option<bool>, Failure> {
    match party.kind() {
        StopKind::Session | StopKind::Workload | StopKind::User | StopKind::Agent => Ok(None),
        kind => Ok(Some(session.has_party(kind.word(), &party.name()).await?)),
    }
}

async fn stop_user<S: Transaction>(
    session: &mut S,
    (provider, upstream): (&Issuer, &str),
    reference: SubjectRef,
    why: EndReason,
    effect: &mut audit::Effect,
    at: At<'_>,
) -> Result<Outcome, Failure> {
    let name = (provider.as_str().to_owned(), upstream.to_owned());
    let found = session.subjects_named(&[name], Lock::Update).await?.pop();
    let reference = found.as_ref().map_or(reference, |subject| subject.reference.into());
    match &found {
        Some(subject) => {
            let cutoff = subject.cutoff.unwrap_or(i64::MIN).max(at.now.millis());
            session.stop_subject(subject.reference, cutoff, true, at.number.get()).await?;
        }
        // The row makes a first exchange that is under way conflict with the stop, and be judged again.
        None => {
            let subject = Subject {
                reference,
                issuer: provider.clone(),
                upstream: upstream.to_owned(),
                cutoff: Some(at.now),
                is_stopped: true,
                stopped: at.number,
            };
            session.insert_subjects(&[SubjectRow::from(&subject)]).await?;
        }
    }
    session.put_stop(&row(&Stoppable::User(reference), why, at)).await?;
    effect.subject = Some(reference);
    effect.is_known = Some(found.is_some());
    effect.is_changed = true;
    effect.number = Some(at.number);
    Ok(Ok(()))
}

/// Changes the state of an agent. One that was never met can only be banned.
pub(super) async fn set_agent_state<S: Transaction>(
    session: &mut S,
    id: &AgentId,
    state: AgentState,
    why: EndReason,
    effect: &mut audit::Effect,
    at: At<'_>,
) -> Result<Outcome, Failure> {
    let found = session.agents(&[id.as_str().to_owned()], Lock::Update).await?.pop();
    effect.agent = Some(id.clone());
    effect.is_known = Some(found.is_some());
    let mut agent = match found {
        Some(row) => Agent::try_from(row)?,
        None if state == AgentState::Banned => {
            let row = AgentRow::from(&never_met(id, at));
            session.insert_agents(&[row]).await?;
            session.put_stop(&StopRow { place: None, ..row_of_agent(id, why, at) }).await?;
            effect.is_changed = true;
            effect.number = Some(at.number);
            return Ok(Ok(()));
        }
        None => return Ok(Err(Recorded::NotFound)),
    };
    if agent.state == state {
        return Ok(Ok(()));
    }
    if agent.state.is_final() {
        return Ok(Err(Recorded::Impossible(Impossible::AgentFinal(agent.state))));
    }
    agent.state = state;
    if matches!(state, AgentState::Suspended | AgentState::Banned) {
        agent.stopped = at.number;
        effect.number = Some(at.number);
    }
    if state.is_final() {
        agent.ended = Some(Ended { at: at.now, why });
        session.put_stop(&row_of_agent(id, why, at)).await?;
    }
    session.change_agent(&AgentRow::from(&agent)).await?;
    effect.is_changed = true;
    Ok(Ok(()))
}

/// Retires an agent that is over by itself, which nothing depends on: every use checks it. Its last exchange is read
/// under lock, so that one which was a moment ago counts.
pub(super) async fn end_agent<S: Transaction>(
    session: &mut S,
    id: &AgentId,
    effect: &mut audit::Effect,
    at: At<'_>,
) -> Result<Outcome, Failure> {
    let Some(row) = session.agents(&[id.as_str().to_owned()], Lock::Update).await?.pop() else {
        return Ok(Ok(()));
    };
    let mut agent = Agent::try_from(row)?;
    let Some(end) = agent.end_by_itself().filter(|end| at.now >= end.at && agent.ended.is_none()) else {
        return Ok(Ok(()));
    };
    agent.state = AgentState::Retired;
    agent.ended = Some(end);
    // The tasks that it began are ended one batch after the other. Most instances began none, and leave no stop.
    if !session.next_of_agent(id.as_str(), BEGINNING, 1).await?.is_empty() {
        session.put_stop(&row_of_agent(id, end.why, at)).await?;
    }
    session.change_agent(&AgentRow::from(&agent)).await?;
    effect.agent = Some(id.clone());
    effect.is_changed = true;
    Ok(Ok(()))
}

fn row_of_agent(id: &AgentId, why: EndReason, at: At<'_>) -> StopRow {
    row(&Stoppable::Agent(id.clone()), why, at)
}

/// The tombstone of an agent that was banned before it did anything. It belongs to no client.
fn never_met(id: &AgentId, at: At<'_>) -> Agent {
    Agent {
        id: id.clone(),
        client: ClientId::new(""),
        provenance: Provenance::Client,
        class: String::new(),
        lifetime: AgentLifetime::Principal,
        state: AgentState::Banned,
        ended: Some(Ended { at: at.now, why: EndReason::KillSwitch }),
        stopped: at.number,
        first_seen: at.now,
        last_seen: at.now,
        idle: None,
        expires_at: None,
        build: Build::default(),
    }
}

/// Ends all that was issued: with the clock set back, what has expired would live again, and what was issued by the clock
/// that was ahead would live for too long.
pub(super) async fn end_everything<S: Transaction>(
    session: &mut S,
    effect: &mut audit::Effect,
    at: At<'_>,
) -> Result<Outcome, Failure> {
    let row = row(&Stoppable::Everything, EndReason::Expired, at);
    session.put_stop(&StopRow { stands: false, ..row }).await?;
    effect.is_changed = true;
    effect.number = Some(at.number);
    Ok(Ok(()))
}

/// Stops every party that was ever configured and is not any longer, and remembers those that are new. Such a stop
/// does not stand: what was issued until now is dead, and the party may come back.
pub(super) async fn take_effect<S: Transaction>(
    session: &mut S,
    configured: &[Stoppable],
    effect: &mut audit::Effect,
    at: At<'_>,
) -> Result<Outcome, Failure> {
    let known = session.parties().await?;
    let configured: BTreeMap<(String, String), &Stoppable> =
        configured.iter().map(|party| ((party.kind().word().to_owned(), party.name()), party)).collect();
    let known: BTreeSet<(String, String)> = known.into_iter().map(|row| (row.kind, row.id)).collect();
    for (kind, name) in known.iter().filter(|row| !configured.contains_key(*row)) {
        let Some(party) = StopKind::parse(kind).and_then(|kind| Stoppable::parse(kind, name)) else {
            continue;
        };
        let before = read(session, &party).await?;
        let stands = before.as_ref().is_some_and(|row| row.stands);
        let not_before = before.as_ref().and_then(|row| row.not_before);
        session.put_stop(&StopRow { stands, not_before, ..row(&party, EndReason::PartyRemoved, at) }).await?;
        effect.removed.push(party);
    }
    let new = || configured.iter().filter(|(row, _)| !known.contains(*row));
    let rows: Vec<PartyRow> =
        new().map(|((kind, id), _)| PartyRow { kind: kind.clone(), id: id.clone() }).collect();
    session.insert_parties(&rows).await?;
    effect.added = new().map(|(_, party)| (*party).clone()).collect();
    effect.is_changed = !effect.added.is_empty() || !effect.removed.is_empty();
    effect.number = Some(at.number).filter(|_: &StopNumber| !effect.removed.is_empty());
    Ok(Ok(()))
}
