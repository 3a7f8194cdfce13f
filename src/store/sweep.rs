//! Housekeeping. Nothing depends on it, because every use checks the time itself. It works in small batches, so that
//! the writer is never held long; the caller repeats it as long as it changes something.

use super::control::At;
use super::ending::{self, BATCH, Ending};
use super::rows::Key;
use super::statement::Failure;
use super::transaction::Transaction;
use crate::audit;
use crate::base::time::{CLOCK_TOLERANCE, Lifetime, Timestamp};
use crate::delegation::record::EndReason;

/// Rows removed from a table by one sweep at most.
const ROWS: i64 = 1000;
/// How long an expired token can still be explained (and its login with it): an hour longer than any ID
/// token may begin a task, so that one that fed a task is known for as long as it could begin another.
const RETENTION: Lifetime = Lifetime::from_seconds(90_000);

/// Ends tasks whose time is up; removes one-time uses, pins, tokens and logins past their use.
pub(super) async fn sweep<S: Transaction>(
    session: &mut S,
    effect: &mut audit::Effect,
    at: At<'_>,
) -> Result<(), Failure> {
    let now = at.now;
    let expired = session.expired_tasks(now.millis(), BATCH).await?;
    let ended = ending::end(session, &expired, Ending { why: EndReason::Expired, at }).await?;

    // A clock may be as far behind that of the database as this one is ahead of it: there, what was used could be taken
    // once more.
    let uses = session.old_uses(now.minus(CLOCK_TOLERANCE).minus(CLOCK_TOLERANCE).millis(), ROWS).await?;
    session.delete_uses(&uses).await?;
    let pins = session.old_pins(now.minus(CLOCK_TOLERANCE).millis(), ROWS).await?;
    session.delete_pins(&pins).await?;

    // Children expire no later than their parents, and tokens no later than their login.
    let until = now.minus(RETENTION);
    let tokens = session.old_tokens(made_before(until), until.millis(), ROWS).await?;
    session.delete_tokens(&tokens).await?;
    let logins = session.old_logins(made_before(until), until.millis(), ROWS).await?;
    session.delete_logins(&logins).await?;

    let is_clean = uses.is_empty() && pins.is_empty() && tokens.is_empty() && logins.is_empty();
    effect.is_changed = !(ended.is_empty() && is_clean);
    effect.ended = ended.into_iter().map(Into::into).collect();
    effect.ended_why = Some(EndReason::Expired);
    Ok(())
}

/// The least UUID v7 of this time: ids are numbered by time (RFC 9562 §5.7), which spares an index.
fn made_before(time: Timestamp) -> Key {
    let millis = u64::try_from(time.millis()).unwrap_or(0).to_be_bytes();
    let mut key = [0; 16];
    key[..6].copy_from_slice(&millis[2..]);
    Key(key)
}
