//! One group of entries in one transaction: controls first, then the issues, then the rows and the highest time.

use std::sync::Arc;

use super::audit::AuditColumns;
use super::audit::chain::Head;
use super::control::At;
use super::entry::{Change, Control, Entry, Recorded};
use super::ledger::Ledger;
use super::numbers::{HIGHEST_TIME, TIME_STEP};
use super::quotas::{Birth, QuotaCounts};
use super::readings::Wanted;
use super::rows::Hash;
use super::statement::Failure;
use super::stops::Known;
use super::tokens::Acceptance;
use super::transaction::{Beginning, Transaction};
use super::{StoreError, control, load, one_time};
use crate::audit::Effect;
use crate::base::time::{CLOCK_TOLERANCE, Lifetime, Timestamp};
use crate::issuance::SignedToken;

/// For so long at most a request may have been under way before it is written.
const UNDER_WAY: Lifetime = Lifetime::from_seconds(30);

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
    /// The agents that count against quotas, as they were before.
    pub(super) quotas: Arc<QuotaCounts>,
    /// Those that the transaction creates.
    pub(super) births: Vec<Birth>,
}

/// The keys of all that the entries use once.
fn uses_of(entries: &[&Entry]) -> Vec<Hash> {
    let mut uses: Vec<Hash> = entries.iter().flat_map(|entry| &entry.one_time).map(one_time::key).collect();
    uses.sort_unstable();
    uses.dedup();
    uses
}

/// The credentials that are pinned to a key, by their hashes.
fn pinned_by(issues: &[&SignedToken]) -> Vec<Hash> {
    let used = issues.iter().filter_map(|issue| issue.terms().pin.as_ref());
    let mut hashes: Vec<Hash> = used.map(|used| Hash(*used.credential.hash.digest())).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// Begins a transaction, and does everything but to commit it.
pub(super) async fn write_group<S: Transaction>(
    session: &mut S,
    entries: &[&Entry],
    transaction: &mut Committed,
) -> Result<(), Failure> {
    let mut ledger = Ledger::new(Arc::clone(&transaction.quotas));
    let issues = issues_of(entries);
    let mut wanted = Wanted::of(&issues);
    let has_stops = entries.iter().any(|entry| match &entry.change {
        Change::Control(control) => control.is_numbered(),
        Change::Nothing | Change::Issue(..) => false,
    });
    let (uses, pinned) = (uses_of(entries), pinned_by(&issues));
    let Beginning { number, used, logins, pins, clock } =
        session.begin_with(has_stops, &uses, &wanted.id_tokens, &pinned).await?;
    if number < transaction.known.number {
        return Err(StoreError::Behind.into());
    }
    ledger.know_used(used);
    ledger.know_pins(pins)?;
    ledger.begin(number);

    let mut audit: Vec<AuditColumns> = Vec::with_capacity(entries.len());
    let mut is_clock_reset = false;
    let mut is_loaded = false;
    // Controls come first. What new tokens depend on is read when the first of them is reached.
    for entry in entries {
        if let Some(cause) = ledger.find_replay(entry) {
            transaction.recorded.push(Ok(Recorded::Replayed(cause)));
            continue;
        }
        if clock.is_some_and(|shown| is_by_a_wrong_clock(entry, shown)) {
            transaction.recorded.push(Err(StoreError::ClockDisagrees));
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
                    load::load(session, &mut ledger, &mut wanted, &logins, &issues, (&known, entry.now))
                        .await?;
                    transaction.known = known;
                    is_loaded = true;
                }
                ledger.judge(token, &mut effect, entry.now)
            }
        };
        let recorded = conclude(entry, judged, effect, &mut ledger, &mut transaction.head, &mut audit);
        transaction.recorded.push(Ok(recorded));
    }
    accept(session, &mut ledger.writes.acceptances).await?;
    transaction.has_written = !audit.is_empty();
    session.insert_all(&ledger.writes, &audit).await?;
    transaction.births = std::mem::take(&mut ledger.births);
    if !ledger.writes.seen.is_empty() {
        session.note_seen(&ledger.writes.seen).await?;
    }
    note_time(session, newest(entries, clock), is_clock_reset, transaction).await
}

/// Notes who accepted which handover. If somebody else has accepted one since it was read, everything is judged again.
async fn accept<S: Transaction>(session: &mut S, acceptances: &mut Vec<Acceptance>) -> Result<(), Failure> {
    // Two writers take the locks of the rows in the same order.
    acceptances.sort_unstable();
    for acceptance in acceptances {
        if !session.accept_handover(acceptance).await? {
            return Err(Failure::Conflict("a handover was accepted by another agent".to_owned()));
        }
    }
    Ok(())
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
                if let Some(pinned) = &effect.pin {
                    audit.push(head.append(&told.of_pin(pinned, None), &Effect::default()));
                }
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
        if let (Some(pinned), Recorded::Refused(cause)) = (&effect.pin, &recorded) {
            audit.push(head.append(&told.of_pin(pinned, Some(cause)), &Effect::default()));
        }
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

/// Whether an entry whose effect depends on the time was made by a clock that disagrees with that of the database server.
fn is_by_a_wrong_clock(entry: &Entry, shown: Timestamp) -> bool {
    let depends_on_time =
        matches!(entry.change, Change::Issue(..) | Change::Control(Control::Sweep | Control::ResetClock));
    depends_on_time && !(entry.now.agrees_with(shown) || entry.now.plus(UNDER_WAY).agrees_with(shown))
}

/// The newest time of these entries. A time that is further ahead of the clock of the database server than is tolerated
/// is none: nobody whose clock is right could go on after it.
fn newest(entries: &[&Entry], shown: Option<Timestamp>) -> Option<i64> {
    let is_possible = |at: &Timestamp| shown.is_none_or(|shown| *at <= shown.plus(CLOCK_TOLERANCE));
    entries.iter().map(|entry| entry.now).filter(is_possible).max().map(Timestamp::millis)
}

/// Keeps the highest time seen; writes it down when it has gone on by a second, or was reset.
async fn note_time<S: Transaction>(
    session: &mut S,
    newest: Option<i64>,
    is_reset: bool,
    transaction: &mut Committed,
) -> Result<(), Failure> {
    let Some(newest) = newest else { return Ok(()) };
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
