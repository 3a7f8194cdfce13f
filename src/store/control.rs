//! Stops and administrative changes, each in order with its own statements, inside the group's transaction.
//!
//! Locks go in the order of [`super::readings::Readings::gather`]: the user, then agents by id, then tasks by id.
//! A row is locked before anything that depends on it is read, so that a token which was committed before is seen and
//! stopped, and one that is written later sees the stop.

mod keys;
mod party;
mod profile;

use super::ending::{self, Ending};
use super::entry::{Control, Recorded};
use super::rows::Key;
use super::statement::{Failure, Lock};
use super::sweep;
use super::tasks::TaskRow;
use super::tokens::Range;
use super::transaction::Transaction;
use crate::audit;
use crate::base::time::Timestamp;
use crate::decision::{Ends, Revocation};
use crate::delegation::record::{EndReason, Task};
use crate::delegation::stops::StopNumber;
use crate::oauth::TaskId;

/// What a control is carried out with.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    pub(super) now: Timestamp,
    /// The number of stops with this one.
    pub(super) number: StopNumber,
    /// The audit row that tells of it, as chain and number.
    pub(super) row: &'a str,
}

/// What a control comes to: done, or what else becomes of the entry. Then nothing was written.
type Outcome = Result<(), Recorded>;

/// Does it, and notes in `effect` what it came to.
///
/// # Errors
/// `Ok(Err(_))` is what else becomes of the entry; nothing was written then.
pub(super) async fn run<S: Transaction>(
    session: &mut S,
    control: &Control,
    effect: &mut audit::Effect,
    at: At<'_>,
) -> Result<Outcome, Failure> {
    match control {
        Control::RevokeToken(revocation) => revoke_token(session, revocation, effect, at).await,
        Control::EndTask { task, why } => end_task(session, *task, *why, effect, at).await,
        Control::Stop { what, why } => party::stop(session, what, *why, effect, at).await,
        Control::Lift { what } => party::lift(session, what, effect, at).await,
        Control::SetAgentState { agent, state, why } => {
            party::set_agent_state(session, agent, *state, *why, effect, at).await
        }
        Control::SetProfile { agent, profile } => profile::set(session, agent, profile, effect, at).await,
        Control::TakeEffect { parties, .. } => party::take_effect(session, parties, effect, at).await,
        Control::Walk => ending::walk(session, effect, at).await.map(Ok),
        Control::EndAgent { agent } => party::end_agent(session, agent, effect, at).await,
        Control::Sweep => sweep::sweep(session, effect, at).await.map(Ok),
        Control::AddFirstKey(new) => keys::add_first(session, new, effect).await,
        Control::RotateKeys { new } => keys::rotate(session, new, effect, at).await,
        Control::RevokeKey { kid, spare } => keys::revoke(session, kid, spare, effect, at).await,
        Control::SetKeysBack { from } => keys::set_back(session, *from, effect, at).await,
        // The time itself is set by the writer, which knows that of the whole group.
        Control::ResetClock => party::end_everything(session, effect, at).await,
    }
}

fn note_task(effect: &mut audit::Effect, row: TaskRow) -> Result<Task, Failure> {
    let task = Task::try_from(row)?;
    effect.task = Some(task.id);
    effect.subject = task.delegator.user();
    effect.agent = Some(task.agent.clone());
    Ok(task)
}

/// One task: what lived in it is counted.
async fn end_task<S: Transaction>(
    session: &mut S,
    task: TaskId,
    why: EndReason,
    effect: &mut audit::Effect,
    at: At<'_>,
) -> Result<Outcome, Failure> {
    let id = Key::from(task);
    let Some(row) = session.tasks(&[id], Lock::None).await?.pop() else {
        return Ok(Err(Recorded::NotFound));
    };
    let is_live = note_task(effect, row)?.is_live(at.now);
    let died = session.count_live(&Range::below(&id.0), at.now.millis()).await?;
    let ended = ending::end(session, &[id], Ending { why, at }).await?;
    effect.is_changed = !ended.is_empty();
    effect.died = if is_live && effect.is_changed { died } else { 0 };
    Ok(Ok(()))
}

/// The token, with which everything below it is refused, and what ends with it (RFC 7009 §2.1).
async fn revoke_token<S: Transaction>(
    session: &mut S,
    revocation: &Revocation,
    effect: &mut audit::Effect,
    at: At<'_>,
) -> Result<Outcome, Failure> {
    let (jti, why) = (revocation.jti, revocation.why());
    effect.jti = Some(jti);
    let Some(token) = session.tokens(&[jti.into()]).await?.pop() else {
        return Ok(Err(Recorded::NotFound));
    };
    let (task, _) = token.lineage()?;
    let leaving = match &revocation.ends {
        Ends::Task => return end_task(session, task.into(), why, effect, at).await,
        Ends::Engagement(agent) => session.agents(&[agent.as_str().to_owned()], Lock::Update).await?,
        Ends::Token => Vec::new(),
    };
    if let Some(row) = session.tasks(&[task], Lock::Update).await?.pop() {
        note_task(effect, row)?;
    }
    let died = session.count_live(&Range::below(&token.path), at.now.millis()).await?;
    effect.is_changed = session.revoke_token(jti.into(), at.now.millis(), why.word()).await?;
    effect.died = if effect.is_changed { died } else { 0 };
    if effect.is_changed && !leaving.is_empty() {
        ending::leave(session, task, leaving, Ending { why, at }).await?;
    }
    Ok(Ok(()))
}
