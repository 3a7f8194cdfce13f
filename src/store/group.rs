//! One group of entries in one transaction: controls first, then the issues, then the rows and the highest time.

use std::sync::Arc;

use super::audit::AuditColumns;
use super::audit::chain::Head;
use super::control::At;
use super::entry::{Change, Control, Entry, Recorded};
use super::ledger::Ledger;
use super::numbers::{HIGHEST_TIME, TIME_STEP};
use super::readings::Wanted;
use super::rows::Hash;
use super::statement::Failure;
use super::stops::Known;
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
    /// The configuration that is in force in this process.
    pub(super) generation: u64,
    /// The stops as they were known before, and as they were read.
    pub(super) known: Arc<Known>,
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
    let issues = issues_of(entries);
    let mut wanted = Wanted::of(&issues);
    let has_stops = entries.iter().any(|entry| match &entry.change {
        Change::Control(control) => control.is_numbered(),
        Change::Nothing | Change::Issue(..) => false,
    });
    let (number, used, logins) = session.begin_with(has_stops, &uses_of(entries), &wanted.id_tokens).await?;
    if number < transaction.known.number {
        return Err(StoreError::Behind.into());
    }
    ledger.know_used(used);
    ledger.begin(number);

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
                if let Control::TakeEffect { generation, .. } = control {
                    transaction.generation = *generation;
                }
                let row = transaction.head.next_row();
                control::run(session, control, &mut effect, At { now: entry.now, number, row: &row }).await?
            }
            Change::Issue(_, generation) if *generation < transaction.generation => Err(Recorded::Superseded),
            Change::Issue(token, _) => {
                if !is_loaded {
                    let known = Arc::clone(&transaction.known).up_to(session, number).await?;
                    load::load(session, &mut ledger, &mut wanted, &logins, &issues, &known).await?;
                    transaction.known = known;
                    is_loaded = true;
                }
                ledger.judge(token, &mut effect, entry.now)
            }
        };
        let recorded = conclude(entry, judged, effect, &mut ledger, &mut transaction.head, &mut audit);
        transaction.recorded.push(Ok(recorded));
    }
    transaction.has_written = !audit.is_empty();
    session.insert_all(&ledger.writes, &audit).await?;
    if !ledger.writes.seen.is_empty() {
        session.note_seen(&ledger.writes.seen).await?;
    }
    note_time(session, entries, is_clock_reset, transaction).await
}

/// What becomes of an entry after it was judged, with the row that tells of it.
fn conclude(
    entry: &Entry,
    judged: Result<(), Recorded>,
    effect: Effect,
    ledger: &mut Ledger,
    head: &mut Head,
    audit: &mut Vec<AuditColumns>,
) -> Recorded {
    let mut told = entry.told.clone();
    let recorded = match judged {
        Ok(()) => {
            ledger.use_up(entry);
            // A chore that ended no task and no agent is no event.
            let is_idle = entry.change.is_chore() && effect.ended.is_empty() && effect.agent.is_none();
            if let Some(told) = told.filter(|_| !is_idle) {
                audit.push(head.append(&told, &effect));
            }
            return Recorded::Done {
                died: effect.died,
                changed: effect.is_changed,
                number: effect.number,
                is_known: effect.is_known,
            };
        }
        Err(other) => other,
    };
    match &recorded {
        // The refusal is recorded in the transaction that found it, and what may be used once is used up.
        Recorded::Refused(cause) => {
            ledger.use_up(entry);
            if let Some(told) = &mut told {
                told.refuse(cause);
            }
        }
        Recorded::Impossible(why) => {
            if let Some(told) = &mut told {
                told.not_done(why.word());
            }
        }
        _ => return recorded,
    }
    if let Some(told) = told {
        audit.push(head.append(&told, &Effect::default()));
    }
    recorded
}

fn issues_of<'a>(entries: &[&'a Entry]) -> Vec<&'a SignedToken> {
    entries
        .iter()
        .filter_map(|entry| match &entry.change {
            Change::Issue(issue, _) => Some(&**issue),
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
