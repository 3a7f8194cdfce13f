//! Housekeeping. Nothing depends on it, because every use checks the time itself. It works in small batches, so that
//! the writer is never held long; the caller repeats it as long as it changes something.

use std::collections::BTreeSet;

use super::ending::{Effect, end_tasks};
use super::numbers::{HIGHEST_TIME, TIME_STEP};
use super::rows::Key;
use super::statement::Failure;
use super::transaction::Transaction;
use crate::base::time::{CLOCK_TOLERANCE, Lifetime, Timestamp};
use crate::delegation::record::EndReason;

/// Tasks ended by one sweep at most.
const TASKS: i64 = 100;
/// Rows removed from a table by one sweep at most.
const ROWS: i64 = 1000;
/// How long an expired token can still be explained (and its login with it): an hour longer than any ID
/// token is taken, so that one that fed a task is known for as long as it could begin another.
const RETENTION: Lifetime = Lifetime::from_seconds(90_000);

/// Ends tasks whose time is up; removes one-time uses, tokens and logins past their use.
pub(super) async fn sweep<S: Transaction>(session: &mut S, now: Timestamp) -> Result<Effect, Failure> {
    let expired: BTreeSet<Key> = session.expired_tasks(now.millis(), TASKS).await?.into_iter().collect();
    let mut effect = end_tasks(session, &expired, EndReason::Expired, now).await?;

    // A clock may still be behind this one by as much as is tolerated: there, what was used could be taken once more.
    let uses = session.old_uses(now.minus(CLOCK_TOLERANCE).millis(), ROWS).await?;
    session.delete_uses(&uses).await?;

    // Children expire no later than their parents, and tokens no later than their login.
    let until = now.minus(RETENTION);
    let tokens = session.old_tokens(made_before(until), until.millis(), ROWS).await?;
    session.delete_tokens(&tokens).await?;
    let logins = session.old_logins(made_before(until), until.millis(), ROWS).await?;
    session.delete_logins(&logins).await?;

    effect.is_changed |= !(uses.is_empty() && tokens.is_empty() && logins.is_empty());
    Ok(effect)
}

/// Ends for good what had expired by the highest time recorded: with the clock set back, time alone
/// would let it live again.
pub(super) async fn end_expired<S: Transaction>(session: &mut S, now: Timestamp) -> Result<Effect, Failure> {
    let highest = session.number(HIGHEST_TIME).await?.unwrap_or(0).saturating_add(TIME_STEP);
    let mut effect = Effect { is_changed: true, died: 0 };
    loop {
        let expired: BTreeSet<Key> = session.expired_tasks(highest, TASKS).await?.into_iter().collect();
        if expired.is_empty() {
            break;
        }
        effect = effect.and(end_tasks(session, &expired, EndReason::Expired, now).await?);
    }
    effect.died += session.revoke_expired(highest, now.millis(), EndReason::Expired.word()).await?;
    Ok(effect)
}

/// The least UUID v7 of this time: ids are numbered by time (RFC 9562 §5.7), which spares an index.
fn made_before(time: Timestamp) -> Key {
    let millis = u64::try_from(time.millis()).unwrap_or(0).to_be_bytes();
    let mut key = [0; 16];
    key[..6].copy_from_slice(&millis[2..]);
    Key(key)
}
