//! One group of entries in one transaction: controls first, then the issues, then the rows and the highest time.

use super::audit::AuditColumns;
use super::audit::chain::Head;
use super::entry::{Change, Control, Entry, Recorded};
use super::ledger::Ledger;
use super::numbers::{HIGHEST_TIME, TIME_STEP};
use super::readings::Wanted;
use super::rows::Hash;
use super::statement::Failure;
use super::transaction::Transaction;
use super::{StoreError, control, load, one_time};
use crate::audit::Effect;
use crate::issuance::SignedToken;

/// What a transaction came to, to be kept once it is committed.
pub(super) struct Committed {
    pub(super) recorded: Vec<Result<Recorded, StoreError>>,
    pub(super) head: Head,
    pub(super) highest: i64,
    pub(super) highest_written: i64,
    /// Whether anything was written.
    pub(super) has_written: bool,
}

/// The keys of all that the entries use once.
fn uses_of(entries: &[&Entry]) -> Vec<Hash> {
    let mut uses: Vec<Hash> = entries.iter().flat_map(|entry| &entry.one_time).map(one_time::key).collect();
    uses.sort_unstable();
    uses.dedup();
    uses
}

/// Begins a transaction, and does everything but to commit it.
pub(super) async fn write_group<S: Transaction>(
    session: &mut S,
    entries: &[&Entry],
    transaction: &mut Committed,
) -> Result<(), Failure> {
    let mut ledger = Ledger::default();
    let mut wanted = Wanted::of(&issues_of(entries));
    let (used, logins) = session.begin_with(&uses_of(entries), &wanted.id_tokens).await?;
    ledger.know_used(used);

    let mut audit: Vec<AuditColumns> = Vec::with_capacity(entries.len());
    let mut is_clock_reset = false;
    let mut is_loaded = false;
    // Controls come first. What new tokens depend on is read when the first of them is reached.
    for entry in entries {
        if ledger.is_replay(entry) {
            transaction.recorded.push(Ok(Recorded::Replayed));
            continue;
        }
        let mut effect = Effect::default();
        let judged = match &entry.change {
            Change::Nothing => Ok(()),
            Change::Control(control) => {
                is_clock_reset |= matches!(control, Control::ResetClock);
                control::run(session, control, &mut effect, entry.now).await?
            }
            Change::Issue(token) => {
                if !is_loaded {
                    load::load(session, &mut ledger, &mut wanted, &logins).await?;
                    is_loaded = true;
                }
                ledger.judge(token, &mut effect, entry.now)
            }
        };
        let recorded = match judged {
            Ok(()) => {
                ledger.use_up(entry);
                // A sweep that found nothing to do is no event.
                let is_idle = matches!(entry.change, Change::Control(Control::Sweep)) && !effect.is_changed;
                if let Some(told) = entry.told.as_ref().filter(|_| !is_idle) {
                    audit.push(transaction.head.append(told, &effect));
                }
                Recorded::Done { died: effect.died, changed: effect.is_changed }
            }
            // The refusal is recorded in the transaction that found it, and what may be used once is used up.
            Err(Recorded::Refused(cause)) => {
                ledger.use_up(entry);
                if let Some(mut told) = entry.told.clone() {
                    told.refuse(&cause);
                    audit.push(transaction.head.append(&told, &Effect::default()));
                }
                Recorded::Refused(cause)
            }
            Err(other) => other,
        };
        transaction.recorded.push(Ok(recorded));
    }
    transaction.has_written = !audit.is_empty();
    session.insert_all(&ledger.writes, &audit).await?;
    note_time(session, entries, is_clock_reset, transaction).await
}

fn issues_of<'a>(entries: &[&'a Entry]) -> Vec<&'a SignedToken> {
    entries
        .iter()
        .filter_map(|entry| match &entry.change {
            Change::Issue(issue) => Some(&**issue),
            _ => None,
        })
        .collect()
}

/// Keeps the highest time seen; writes it down when it has gone on by a second, or was reset.
async fn note_time<S: Transaction>(
    session: &mut S,
    entries: &[&Entry],
    is_reset: bool,
    transaction: &mut Committed,
) -> Result<(), Failure> {
    let newest = entries.iter().map(|entry| entry.now.millis()).max().unwrap_or(0);
    if is_reset {
        session.set_number(HIGHEST_TIME, newest).await?;
        (transaction.highest, transaction.highest_written) = (newest, newest);
        return Ok(());
    }
    transaction.highest = transaction.highest.max(newest);
    if transaction.highest >= transaction.highest_written.saturating_add(TIME_STEP) {
        session.raise_number(HIGHEST_TIME, transaction.highest).await?;
        transaction.highest_written = transaction.highest;
    }
    Ok(())
}
